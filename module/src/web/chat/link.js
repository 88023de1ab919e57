// A tab's end of its connection: in the shared worker of its login (hub.js) or, where there is none, in the tab itself.

import { Connection, RequestError, backoffDelay } from './connection.js';

/** A shared worker that does not say a word for so long cannot be had, and the tab does without. */
const HUB_TIMEOUT = 5_000;
/** The worker ends its requests by itself; one that does not answer at all has ended. */
const REPLY_TIMEOUT = 30_000;
/** How often a tab says that it is there. */
const ALIVE_EVERY = 30_000;
const TRIES_MAX = 5;
/** What may be asked again at once: nothing was done. */
const HASTE = new Set(['rate_limited', 'busy']);

const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Two tabs of one identity share a connection; others know nothing of one another. */
function identityOf(credentials) {
  const name = credentials.kind === 'guest' ? credentials.name : credentials.login;
  return `gatehouse ${credentials.kind === 'guest' ? 'guest' : 'account'} ${name.toLowerCase()}`;
}

export class Link {
  state = 'closed';
  retryAt = 0;

  #port = null;
  #local = null;
  #identity = '';
  #credentials = null;
  #requests = new Map();
  #nextRequest = 1;
  #handlers;

  /**
   * handlers: onState(), onLogin(ok), onRefused(error), onPush(message), onSession(session), and onEcho(op, data, ok, own)
   * for what this tab or another one has done.
   */
  constructor(handlers) {
    this.#handlers = handlers;
    // A page that is kept for the back button would miss everything meanwhile, so it comes back afresh.
    addEventListener('pagehide', () => {
      this.#port?.postMessage({ do: 'bye' });
      this.#port = null;
    });
    setInterval(() => this.#port?.postMessage({ do: 'alive' }), ALIVE_EVERY);
    addEventListener('pageshow', (event) => {
      if (event.persisted) location.reload();
    });
  }

  open(credentials) {
    const identity = identityOf(credentials);
    this.#credentials = credentials;
    if (identity !== this.#identity || !(this.#port || this.#local)) {
      this.#leave();
      this.#identity = identity;
      this.#attach();
    }
    this.#become('connecting');
    this.#tell({ do: 'open', credentials });
  }

  close() {
    this.#tell({ do: 'close' });
  }

  retryNow() {
    this.#tell({ do: 'retryNow' });
  }

  probe() {
    this.#tell({ do: 'probe' });
  }

  drop() {
    this.#tell({ do: 'drop' });
  }

  /** The `ok` of the reply. Tried again when the server asks for less haste. */
  async request(op, data = {}) {
    for (let attempt = 0; ; attempt += 1) {
      try {
        const ok = await this.#ask(op, data);
        this.#handlers.onEcho(op, data, ok, true);
        return ok;
      } catch (error) {
        if (!HASTE.has(error.code) || attempt >= TRIES_MAX) throw error;
        await wait(backoffDelay(attempt, Math.random()));
      }
    }
  }

  #ask(op, data) {
    if (this.#local) return this.#local.request(op, data);
    if (!this.#port) return Promise.reject(new RequestError('lost', 'Not connected.'));
    const n = this.#nextRequest++;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.#replace(), REPLY_TIMEOUT);
      this.#requests.set(n, { resolve, reject, timer });
      this.#port.postMessage({ do: 'request', n, op, data });
    });
  }

  #become(state, retryAt = 0) {
    this.state = state;
    this.retryAt = retryAt;
    this.#handlers.onState();
  }

  #tell(message) {
    if (this.#port) this.#port.postMessage(message);
    else if (message.do === 'open') this.#local?.open(message.credentials);
    else this.#local?.[message.do]();
  }

  #attach() {
    try {
      const url = new URL('./hub.js', import.meta.url);
      const worker = new SharedWorker(url, { name: this.#identity, type: 'module' });
      const port = worker.port;
      const alone = () => {
        if (this.#port === port) this.#goAlone();
      };
      const timer = setTimeout(alone, HUB_TIMEOUT);
      worker.onerror = alone;
      port.onmessage = ({ data }) => {
        clearTimeout(timer);
        if (this.#port === port) this.#hear(data);
      };
      this.#port = port;
    } catch {
      // No shared workers here, or not allowed.
      this.#goAlone();
    }
  }

  /** Without a shared worker a second tab takes the first one's place, and the first one says so. */
  #goAlone() {
    const waiting = this.#port !== null;
    this.#leave();
    const handlers = this.#handlers;
    const local = new Connection({
      ...handlers,
      onState: () => {
        if (this.#local === local) this.#become(local.state, local.retryAt);
      },
    });
    this.#local = local;
    if (waiting) local.open(this.#credentials);
  }

  /** The worker is gone: another one, or none, takes its place. */
  #replace() {
    this.#leave();
    this.#attach();
    this.#tell({ do: 'open', credentials: this.#credentials });
  }

  #leave() {
    this.#port?.postMessage({ do: 'bye' });
    this.#local?.close();
    this.#port = this.#local = null;
    for (const { reject, timer } of this.#requests.values()) {
      clearTimeout(timer);
      reject(new RequestError('lost', 'The connection was lost.'));
    }
    this.#requests.clear();
  }

  #hear(message) {
    switch (message.say) {
      case 'state':
        this.#become(message.state, message.retryAt);
        break;
      case 'login':
        this.#handlers.onLogin(message.ok);
        break;
      case 'refused':
        this.#handlers.onRefused(new RequestError(message.code, message.message));
        break;
      case 'session':
        this.#credentials = message.session;
        this.#handlers.onSession(message.session);
        break;
      case 'push':
        this.#handlers.onPush(message.message);
        break;
      case 'echo':
        this.#handlers.onEcho(message.op, message.data, message.ok, false);
        break;
      case 'reply':
        this.#settle(message);
        break;
      default:
    }
  }

  #settle({ n, ok, error }) {
    const request = this.#requests.get(n);
    if (!request) return;
    this.#requests.delete(n);
    clearTimeout(request.timer);
    if (error) request.reject(new RequestError(error.code, error.message));
    else request.resolve(ok);
  }
}
