// How far one has read, until the server knows it: what is read while the page catches up, or as the connection goes, is
// told after the login.

export class Receipts {
  /** Conversations and up to where they were read; at most one of each. */
  #untold = new Map();
  #app;

  constructor(app) {
    this.#app = app;
  }

  async tell(conversation, seq) {
    const { link, store } = this.#app;
    this.#untold.set(conversation, seq);
    if (!store.ready) return;
    try {
      await link.request('message.read', { conversation, seq });
    } catch ({ code }) {
      // Any other answer would be the same next time.
      if (code === 'lost') return;
    }
    if (this.#untold.get(conversation) === seq) this.#untold.delete(conversation);
  }

  flush() {
    for (const [conversation, seq] of this.#untold) this.tell(conversation, seq);
  }
}
