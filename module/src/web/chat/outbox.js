// Messages that wait for their reply: one at a time, so that they keep their order; under the same client_id however
// often they are sent, so that none is said twice; and kept by the browser until the server has them.

import { backoffDelay } from './connection.js';
import { bodyOf } from './attachment.js';
import { errorText } from './text.js';

/** Messages that may wait. */
export const OUTBOX_MAX = 64;
const TRIES_MAX = 5;
/** Errors that may pass by themselves. */
const PASSING = new Set(['rate_limited', 'busy', 'unavailable', 'internal']);
const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

export class Outbox {
  messages = [];
  #app;
  #sending = null;

  constructor(app) {
    this.#app = app;
  }

  get isFull() {
    return this.messages.length >= OUTBOX_MAX;
  }

  /** Whether files are on their way, which would be lost with the page. */
  get uploads() {
    return this.messages.some((message) => message.upload && message.state === 'sending');
  }

  of(conversation) {
    return this.messages.filter((message) => message.conversation === conversation.key);
  }

  add(message) {
    this.messages.push(message);
    this.#save();
    this.#app.draw();
    this.flush();
  }

  retry(message) {
    this.#replace(message, { state: 'sending', tries: 0, failure: '' });
    this.flush();
  }

  discard(message) {
    message.upload?.abort.abort();
    this.messages = this.messages.filter((other) => other.clientId !== message.clientId);
    this.#save();
    this.#app.draw();
  }

  /** The server has it: by its reply, by a push, or found when catching up. */
  done({ clientId }) {
    if (!clientId || !this.messages.some((message) => message.clientId === clientId)) return;
    this.messages = this.messages.filter((message) => message.clientId !== clientId);
    this.#save();
  }

  clear() {
    for (const message of this.messages) message.upload?.abort.abort();
    this.messages = [];
  }

  async flush() {
    const { link, store } = this.#app;
    if (this.#sending || !store.ready || link.state !== 'connected') return;
    const message = this.messages.find((waiting) => waiting.state === 'sending');
    if (!message) return;
    this.#sending = message.clientId;
    try {
      if (message.upload && !message.body) await this.#upload(message);
      const latest = this.#find(message);
      if (latest) await link.request('message.send', requestOf(latest, store));
      this.done(message);
    } catch (error) {
      await this.#missed(message, error);
    } finally {
      this.#sending = null;
    }
    this.#app.draw();
    this.flush();
  }

  async #upload(message) {
    const { file, abort } = message.upload;
    const progress = (part) => {
      message.upload.progress = part;
      this.#app.onProgress(message);
    };
    const view = await this.#app.attachments.upload(file, progress, abort.signal);
    const isPicture = view.type?.startsWith('image/') && Boolean(view.width);
    this.#replace(message, { body: bodyOf(view), kind: isPicture ? 'picture' : 'file' });
  }

  async #missed(message, error) {
    const latest = this.#find(message);
    if (!latest) return;
    const tries = latest.tries + 1;
    if (PASSING.has(error.code) && tries < TRIES_MAX) {
      this.#replace(message, { tries });
      await wait(backoffDelay(tries - 1, Math.random()));
    } else if ((error.code === 'lost' || error.code === 'unauthenticated') && tries < TRIES_MAX) {
      this.#replace(message, { tries });
      // Without effect if the connection is known to be lost; else (a socket that is closing) a new one is needed.
      this.#app.link.drop();
      if (message.upload) await wait(backoffDelay(tries - 1, Math.random()));
    } else {
      this.#replace(message, { state: 'failed', failure: errorText(error) });
    }
  }

  #find(message) {
    return this.messages.find((other) => other.clientId === message.clientId);
  }

  /** Another object, so that it is drawn again. */
  #replace(message, changes) {
    const at = this.messages.findIndex((other) => other.clientId === message.clientId);
    if (at < 0) return;
    this.messages[at] = { ...this.messages[at], ...changes };
    this.#save();
    this.#app.draw();
  }

  // Kept by the browser: what is said must not be lost with the page. Files are too large for that.

  get #key() {
    const { store } = this.#app;
    return `gatehouse.outbox.${store.instance}.${store.me?.id}`;
  }

  #save() {
    try {
      const kept = this.messages.filter((message) => message.body);
      if (kept.length === 0) localStorage.removeItem(this.#key);
      else localStorage.setItem(this.#key, JSON.stringify(kept.map(({ upload: _, ...rest }) => rest)));
    } catch {
      /* storage is full or forbidden: then only this page has them */
    }
  }

  /** Takes up what an earlier page could not send. */
  restore() {
    try {
      const kept = JSON.parse(localStorage.getItem(this.#key)) ?? [];
      const known = new Set(this.messages.map((message) => message.clientId));
      const found = kept.filter((message) => typeof message?.clientId === 'string' && !known.has(message.clientId));
      this.messages.unshift(...found.slice(0, OUTBOX_MAX).map((message) => ({ ...message, tries: 0 })));
    } catch {
      /* nothing that could be read */
    }
  }
}

function requestOf({ conversation, kind, body, extra, mentions, clientId }, store) {
  const { kind: where, id } = store.open(conversation);
  const to = { all: { all: true }, group: { group: id }, direct: { user: id } }[where];
  const hasExtra = extra && Object.keys(extra).length > 0;
  return {
    to,
    kind,
    body,
    client_id: clientId,
    extra: hasExtra ? JSON.stringify(extra) : undefined,
    mentions: mentions?.length > 0 && where === 'group' ? mentions : undefined,
  };
}
