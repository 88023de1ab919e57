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
/** Those that a new connection, or a new token, may mend. */
const AGAIN = new Set(['lost', 'unauthenticated']);
const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

export class Outbox {
  messages = [];
  #app;
  #sending = false;
  #uploading = false;
  #restored = false;
  /** How many were added: of several within a millisecond it tells which was the first. */
  #added = 0;

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
    this.#added += 1;
    this.messages.push({ ...message, added: this.#added });
    this.#keep(this.messages.at(-1));
    this.#app.draw();
    this.flush();
  }

  retry(message) {
    this.#replace(message, { state: 'sending', tries: 0, failure: '' });
    this.flush();
  }

  discard(message) {
    message.upload?.abort.abort();
    this.done(message);
    this.#app.draw();
  }

  /** The server has it: by its reply, by a push, or found when catching up. */
  done({ clientId }) {
    if (!clientId) return;
    this.messages = this.messages.filter((message) => message.clientId !== clientId);
    // Also where another tab has said it.
    this.#forget(clientId);
  }

  clear() {
    for (const message of this.messages) message.upload?.abort.abort();
    this.messages = [];
  }

  flush() {
    this.#send();
    this.#upload();
  }

  get #isReady() {
    const { link, store } = this.#app;
    return store.ready && link.state === 'connected';
  }

  async #send() {
    if (this.#sending || !this.#isReady) return;
    const message = this.messages.find((waiting) => waiting.state === 'sending' && waiting.body);
    if (!message) return;
    const { link, store } = this.#app;
    this.#sending = true;
    try {
      await link.request('message.send', requestOf(message, store));
      this.done(message);
    } catch (error) {
      // Without effect if the connection is known to be lost; else (a socket that is closing) a new one is needed.
      if (AGAIN.has(error.code)) link.drop();
      await this.#missed(message, error);
    }
    this.#sending = false;
    this.#app.draw();
    this.flush();
  }

  /** Files are on their way one at a time as well, and hold no text up: they are said when the server has them. */
  async #upload() {
    if (this.#uploading || !this.#isReady) return;
    const message = this.messages.find((waiting) => waiting.state === 'sending' && !waiting.body);
    if (!message) return;
    this.#uploading = true;
    try {
      await this.#uploadFile(message);
    } catch (error) {
      await this.#missed(message, error);
      if (AGAIN.has(error.code)) await wait(backoffDelay(message.tries, Math.random()));
    }
    this.#uploading = false;
    this.flush();
  }

  async #uploadFile(message) {
    const { file, abort } = message.upload;
    const progress = (part) => {
      message.upload.progress = part;
      this.#app.onProgress(message);
    };
    const view = await this.#app.attachments.upload(file, progress, abort.signal);
    const isPicture = view.type?.startsWith('image/') && Boolean(view.width);
    this.#replace(message, { tries: 0, body: bodyOf(view), kind: isPicture ? 'picture' : 'file' });
  }

  async #missed(message, error) {
    const latest = this.#find(message);
    if (!latest) return;
    const tries = latest.tries + 1;
    if (PASSING.has(error.code) && tries < TRIES_MAX) {
      this.#replace(message, { tries });
      await wait(backoffDelay(tries - 1, Math.random()));
    } else if (AGAIN.has(error.code) && tries < TRIES_MAX) {
      this.#replace(message, { tries });
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
    this.#keep(this.messages[at]);
    this.#app.draw();
  }

  // Kept by the browser: what is said must not be lost with the page. Files are too large for that. Each message
  // has a place of its own, since other tabs keep theirs beside it.

  /** Where those of this user are kept; nowhere before it is known what the server's ids mean. */
  get #place() {
    const { instance, me } = this.#app.store;
    return instance && me ? `gatehouse.outbox.${instance}.${me.id}.` : null;
  }

  #keep({ upload: _, ...message }) {
    if (!message.body || !this.#place) return;
    try {
      localStorage.setItem(this.#place + message.clientId, JSON.stringify(message));
    } catch {
      /* storage is full or forbidden: then only this page has them */
    }
  }

  #forget(clientId) {
    try {
      localStorage.removeItem(this.#place + clientId);
    } catch {
      /* nor was it kept */
    }
  }

  /** Takes up what an earlier page could not send, and keeps what was written before there was a place for it. */
  restore() {
    for (const message of this.messages) this.#keep(message);
    // Later ones are those of tabs that are there.
    if (this.#restored) return;
    this.#restored = true;
    const known = new Set(this.messages.map((message) => message.clientId));
    const found = this.#kept().filter(
      (message) => typeof message?.clientId === 'string' && !known.has(message.clientId),
    );
    found.sort((a, b) => a.time - b.time || a.added - b.added);
    const room = Math.max(0, OUTBOX_MAX - this.messages.length);
    this.messages.unshift(...found.slice(0, room).map((message) => ({ ...message, tries: 0 })));
  }

  #kept() {
    try {
      const keys = Object.keys(localStorage).filter((key) => key.startsWith(this.#place));
      return keys.map((key) => JSON.parse(localStorage.getItem(key)));
    } catch {
      // Nothing that could be read.
      return [];
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
