// One login that survives its sockets: requests, pushes, heartbeats, reconnecting, the renewal of its token.
// Runs in the page or, for all tabs together, in hub.js; so nothing here knows of a document.

/** A request without a reply for so long means that the socket is dead, whatever the browser thinks. */
const REPLY_TIMEOUT = 10_000;
const BACKOFF_FIRST = 1_000;
const BACKOFF_MAX = 30_000;
/** A connection has to last so long before the backoff starts over; else a server that closes at once is hammered. */
const STABLE_AFTER = 10_000;
/** A token is renewed when so much of its life is over. */
const RENEW_AT = 0.7;
/** Timers of browsers count milliseconds in 31 bits. */
const TIMER_MAX = 2 ** 31 - 1;
const CLOSE_KICKED = 4001;
/** Errors of a login that pass by themselves. */
const PASSING = new Set(['limit_reached', 'rate_limited', 'busy', 'unavailable', 'internal']);

/** An error reply, or (code `lost`) the end of the connection before the reply. */
export class RequestError extends Error {
  constructor(code, message) {
    super(message);
    this.code = code;
  }
}

/** The wait before the n-th attempt (from 0): doubling, the upper half left to chance so that clients spread out. */
export function backoffDelay(attempt, chance) {
  const ceiling = Math.min(BACKOFF_MAX, BACKOFF_FIRST * 2 ** Math.min(attempt, 10));
  return ceiling / 2 + (ceiling / 2) * chance;
}

/**
 *            open                login ok
 *   closed --------> connecting ----------> connected
 *                     |      ^                  |
 *                lost |      | timer, online    | lost
 *                     v      |                  |
 *                     waiting <-----------------+
 *
 *   any --kicked push, close code 4001--> kicked --open--> connecting
 *   any --close, refused login----------> closed
 *
 * Credentials are `{ kind: 'guest', name }`, `{ kind: 'password', login, password, register, name }`, or what the second
 * becomes once it was let in: a session, `{ kind: 'token', login, token, user, renewAt }`.
 *
 * A first login that fails ends in `closed`, for there is a person looking at the form; later ones, and those with a
 * token from before, go on in `waiting`.
 */
export class Connection {
  state = 'closed';
  /** When the next attempt is due, in `waiting` only. */
  retryAt = 0;

  #socket = null;
  #credentials = null;
  #entered = false;
  #attempt = 0;
  #nextId = 1;
  /** Requests in the order they were sent, which is the order of the replies. */
  #pending = new Map();
  #retryTimer = 0;
  #stableTimer = 0;
  #heartbeatTimer = 0;
  #renewTimer = 0;
  #heartbeatEvery = 30_000;
  #handlers;

  /** handlers: onState(), onLogin(ok), onRefused(error), onPush(message), onSession(session) */
  constructor(handlers) {
    this.#handlers = handlers;
  }

  open(credentials) {
    this.#discard();
    this.#credentials = credentials;
    this.#entered = credentials.kind === 'token';
    this.#attempt = 0;
    this.#connect();
  }

  close() {
    this.#discard();
    this.#entered = false;
    this.#become('closed');
  }

  /** Ends the wait for the next attempt. */
  retryNow() {
    if (this.state === 'waiting') this.#connect();
  }

  /** Finds out soon whether a quiet connection is still there; what is not closes, and tells. */
  probe() {
    if (this.state === 'connected') this.request('heartbeat').catch(() => {});
  }

  /** Gives up a connection that is of no use any more; a new one follows. */
  drop() {
    if (this.state === 'connected' || this.state === 'connecting') this.#lost('The connection was lost.');
  }

  request(op, data) {
    const socket = this.#socket;
    if (!socket || socket.readyState !== WebSocket.OPEN) {
      return Promise.reject(new RequestError('lost', 'Not connected.'));
    }
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.drop(), REPLY_TIMEOUT);
      this.#pending.set(id, { resolve, reject, timer });
      socket.send(JSON.stringify({ id, op, data }));
      this.#armHeartbeat();
    });
  }

  #become(state) {
    this.state = state;
    this.#handlers.onState();
  }

  #connect() {
    clearTimeout(this.#retryTimer);
    const scheme = location.protocol === 'https:' ? 'wss:' : 'ws:';
    const socket = new WebSocket(`${scheme}//${location.host}/im`);
    this.#socket = socket;
    this.#become('connecting');
    const openTimer = setTimeout(() => this.drop(), REPLY_TIMEOUT);
    socket.onopen = () => {
      clearTimeout(openTimer);
      this.#enter(socket);
    };
    socket.onmessage = (event) => this.#receive(event.data);
    // An `error` event is always followed by `close`, which knows more.
    socket.onclose = (event) => {
      clearTimeout(openTimer);
      if (event.code === CLOSE_KICKED) this.#kicked();
      else this.#lost('The server cannot be reached.');
    };
  }

  async #enter(socket) {
    try {
      if (this.#credentials.kind === 'password') await this.#present(socket);
      const { kind, name, token } = this.#credentials;
      const ok = await this.request('login', kind === 'guest' ? { name, platform: 'web' } : { token });
      this.#entered = true;
      this.#heartbeatEvery = Math.max(1, Number(ok.heartbeat_s) || 30) * 1000;
      this.#stableTimer = setTimeout(() => {
        this.#attempt = 0;
      }, STABLE_AFTER);
      this.#armHeartbeat();
      this.#armRenewal();
      this.#become('connected');
      this.#handlers.onLogin(ok);
    } catch (error) {
      if (this.#socket !== socket || error.code === 'lost') return;
      if (this.#entered && PASSING.has(error.code)) {
        this.#lost(error.message);
        return;
      }
      this.close();
      this.#handlers.onRefused(error);
    }
  }

  /** Changes a password for a session, after registering if that is asked for. */
  async #present(socket) {
    const { login, password, register, name } = this.#credentials;
    if (register) {
      await this.request('account.register', { login, password, name: name || undefined });
      // Whatever happens now, the account is there.
      this.#credentials = { kind: 'password', login, password };
    }
    const granted = await this.request('account.login', { login, password, platform: 'web' });
    if (this.#socket === socket) await this.#keep(login, granted);
  }

  /** The clocks of the two sides may differ, so the life of a token is measured with the server's. */
  async #keep(login, { token, user, expires }) {
    const { time } = await this.request('heartbeat');
    const renewAt = Date.now() + Math.max(0, expires - time) * RENEW_AT;
    this.#credentials = { kind: 'token', login, token, user, renewAt };
    this.#handlers.onSession(this.#credentials);
  }

  #armRenewal() {
    clearTimeout(this.#renewTimer);
    const { kind, renewAt } = this.#credentials;
    if (kind !== 'token' || !renewAt) return;
    this.#renewTimer = setTimeout(() => this.#renew(), Math.min(Math.max(0, renewAt - Date.now()), TIMER_MAX));
  }

  async #renew() {
    const { login, token, renewAt } = this.#credentials;
    if (Date.now() < renewAt) {
      this.#armRenewal();
      return;
    }
    try {
      await this.#keep(login, await this.request('account.renew', { token }));
      this.#armRenewal();
    } catch (error) {
      // The old one is tried again; if it has ended, the next login tells the person.
      if (error.code !== 'lost') this.#renewTimer = setTimeout(() => this.#renew(), 60_000);
    }
  }

  #receive(text) {
    let message;
    try {
      message = JSON.parse(text);
    } catch {
      // Not of this protocol: nothing in it could be meant for anyone.
      return;
    }
    if (typeof message !== 'object' || message === null) return;
    if (typeof message.push === 'string') {
      if (message.push === 'kicked') this.#kicked(message.data?.reason);
      else this.#handlers.onPush(message);
      return;
    }
    // `"id":null` answers what the server could not parse: in order, so it belongs to the oldest request.
    const id = message.id ?? this.#pending.keys().next().value;
    const request = this.#pending.get(id);
    if (!request) return;
    this.#pending.delete(id);
    clearTimeout(request.timer);
    if (message.error) request.reject(new RequestError(message.error.code, message.error.message ?? ''));
    else request.resolve(message.ok ?? {});
  }

  #armHeartbeat() {
    clearTimeout(this.#heartbeatTimer);
    this.#heartbeatTimer = setTimeout(() => this.probe(), this.#heartbeatEvery);
  }

  /** Somebody may come back to where they have logged in elsewhere; a session that was ended is over. */
  #kicked(reason = 'logged_in_elsewhere') {
    this.#discard();
    if (reason === 'logged_in_elsewhere') {
      this.#become('kicked');
      return;
    }
    this.#become('closed');
    this.#handlers.onRefused(new RequestError(reason, 'The session has ended.'));
  }

  #lost(reason) {
    this.#discard();
    if (!this.#entered) {
      this.#become('closed');
      this.#handlers.onRefused(new RequestError('lost', reason));
      return;
    }
    const delay = backoffDelay(this.#attempt, Math.random());
    this.#attempt += 1;
    this.retryAt = Date.now() + delay;
    this.#retryTimer = setTimeout(() => this.#connect(), delay);
    this.#become('waiting');
  }

  /** Ends socket, timers and requests without any event: closing a dead socket may take a minute to be reported. */
  #discard() {
    for (const timer of [this.#retryTimer, this.#stableTimer, this.#heartbeatTimer, this.#renewTimer]) {
      clearTimeout(timer);
    }
    const socket = this.#socket;
    this.#socket = null;
    if (socket) {
      socket.onopen = socket.onmessage = socket.onclose = null;
      socket.close();
    }
    const pending = [...this.#pending.values()];
    this.#pending.clear();
    for (const request of pending) {
      clearTimeout(request.timer);
      request.reject(new RequestError('lost', 'The connection was lost.'));
    }
  }
}
