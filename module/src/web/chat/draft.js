// What was begun to write: with the server, for all devices, and until it has it with the browser, so that a page that is
// loaded again has it, too. Nor does a draft come back that was sent while the server did not hear of it.

export class Drafts {
  #app;
  #restored = false;

  constructor(app) {
    this.#app = app;
  }

  /** Takes what is written now. */
  set(conversation, text) {
    conversation.draft = text;
    conversation.draftTime = Date.now();
    if (text === conversation.savedDraft) this.#forget(conversation.key);
    else this.#keep(conversation);
  }

  /** Tells the server. */
  async save(conversation) {
    if (conversation.draft === conversation.savedDraft) return;
    const { key, draft } = conversation;
    const { link, store } = this.#app;
    if (conversation.lastSeq === 0 || !store.ready) return;
    try {
      await link.request('conversation.set', { conversation: key, draft });
      conversation.savedDraft = draft;
      if (conversation.draft === draft) this.#forget(key);
      // It may have been sent meanwhile, and is a draft no more.
      else if (conversation.draft === '') this.save(conversation);
      else this.#keep(conversation);
    } catch {
      /* what could not be kept there is still here, and is told after the next login */
    }
  }

  saveAll() {
    for (const conversation of this.#app.store.conversations.values()) this.save(conversation);
  }

  /** Takes up what an earlier page has not told the server, unless something else was told it since. */
  restore() {
    if (this.#restored) return;
    this.#restored = true;
    for (const [key, { text, saved }] of this.#kept()) {
      const conversation = this.#app.store.conversations.get(key);
      const isLatest = conversation?.draft === saved && conversation.savedDraft === saved;
      if (isLatest) this.set(conversation, text);
      else if (!conversation || conversation.draft === conversation.savedDraft) this.#forget(key);
    }
  }

  /** Where those of this user are kept; nowhere before it is known what the server's ids mean. */
  get #place() {
    const { instance, me } = this.#app.store;
    return instance && me ? `gatehouse.draft.${instance}.${me.id}.` : null;
  }

  #keep({ key, draft: text, savedDraft: saved }) {
    if (!this.#place) return;
    try {
      localStorage.setItem(this.#place + key, JSON.stringify({ text, saved }));
    } catch {
      /* storage is full or forbidden: then only this page has it */
    }
  }

  #forget(key) {
    try {
      localStorage.removeItem(this.#place + key);
    } catch {
      /* nor was it kept */
    }
  }

  /** What is kept, by the keys of conversations. */
  #kept() {
    const place = this.#place;
    try {
      const names = Object.keys(localStorage).filter((name) => name.startsWith(place));
      return names.map((name) => [name.slice(place.length), JSON.parse(localStorage.getItem(name))]);
    } catch {
      // Nothing that could be read.
      return [];
    }
  }
}
