// What the parts of the page share: the store, the connection, and when to draw. The views add themselves to `app.views`;
// they read the store and never change it, except through actions.js.

import { Attachments } from './attachment.js';
import { Drafts } from './draft.js';
import { Inbox } from './inbox.js';
import { Link } from './link.js';
import { Outbox } from './outbox.js';
import { Receipts } from './receipt.js';
import { Store } from './store.js';
import { forget, keepGuest, keepSession, sessionOf } from './session.js';
import { refusalText } from './text.js';

export const isPhone = matchMedia('(max-width: 720px)');

class App {
  store = new Store();
  link;
  inbox;
  outbox;
  drafts;
  receipts;
  attachments;
  /** Credentials while one is logged in, or tries to be. */
  credentials = null;
  /** `login`, or `list` or `conversation` of which a phone shows one. */
  screen = 'login';
  /** Called with each drawing; set by the views. */
  views = [];
  /** on.login(errorText), on.enter(), on.message(conversation, message), on.progress(message): set by the views. */
  on = {};

  #drawWanted = false;
  /** Called when everything was read. */
  #waiting = [];

  constructor() {
    this.link = new Link({
      onState: () => this.#onState(),
      onLogin: (ok) => this.#onLogin(ok),
      onRefused: (error) => this.#onRefused(error),
      onPush: (message) => this.inbox.push(message),
      onSession: (session) => this.#keep(session),
      onEcho: (op, data, ok, own) => this.inbox.echo(op, data, ok, own),
    });
    this.#begin();
  }

  /** Everything of a user afresh. */
  #begin() {
    this.#waiting = [];
    this.store = new Store();
    this.outbox = new Outbox(this);
    this.drafts = new Drafts(this);
    this.receipts = new Receipts(this);
    this.attachments = new Attachments(this.link, () => this.credentials?.token);
    this.inbox = new Inbox(this.store, this.link, {
      onMessage: (conversation, message) => this.on.message?.(conversation, message),
      onChange: () => this.draw(),
      onReady: () => this.#onReady(),
      onDone: (message) => this.outbox.done(message),
    });
  }

  enter(credentials) {
    this.#begin();
    this.credentials = credentials;
    // Of a session that is remembered the user is known, so there is something to show before the server answers.
    if (credentials.kind === 'token') {
      this.store.me = credentials.user;
      this.store.instance = credentials.instance ?? '';
      this.#show();
    }
    this.link.open(credentials);
  }

  /** Keeps a session, and which instance its ids belong to: under that is kept what is written before the next login. */
  #keep(session) {
    this.credentials = { ...session, instance: this.store.instance };
    keepSession(this.credentials);
  }

  /** The server keeps something else than before: ids mean nothing any more. What was said to all still can be. */
  #beginAfresh(user) {
    const { outbox } = this;
    this.#begin();
    this.store.me = user;
    this.outbox.messages = outbox.messages.filter((message) => message.conversation === 'all');
    outbox.messages = [];
    this.on.openConversation?.(this.store.conversation);
  }

  /** Ends the session, here and in the other tabs; here also if the server can't be told. */
  async leave() {
    if (this.credentials?.kind === 'token') {
      const { sessions } = await this.link.request('session.list').catch(() => ({ sessions: [] }));
      const own = sessions.find((session) => session.current);
      if (own) await this.link.request('session.close', { session: own.session }).catch(() => {});
    } else {
      await this.link.request('logout').catch(() => {});
    }
    forget(this.credentials);
    this.link.close();
    this.#hide('');
  }

  /** With what the connection may be taken back from where one has logged in later, or null: that ends a session. */
  get #other() {
    const { credentials } = this;
    if (credentials?.kind === 'guest') return credentials;
    const stored = credentials?.login ? sessionOf(credentials.login) : null;
    return stored && stored.token !== credentials.token ? stored : null;
  }

  get mayTakeOver() {
    return this.#other !== null;
  }

  takeOver() {
    this.credentials = this.#other;
    this.link.open(this.credentials);
  }

  /** From where one has logged in later the way back is the login form. */
  logInAgain() {
    forget(this.credentials);
    this.link.close();
    this.#hide('');
  }

  #onState() {
    const { state } = this.link;
    if (state !== 'connected') this.store.ready = false;
    // Another tab has logged out.
    if (state === 'closed' && this.screen !== 'login') this.#hide('');
    this.draw();
  }

  async #onLogin(ok) {
    if (this.credentials.kind === 'guest') keepGuest(ok.user.name);
    const { me, instance } = this.store;
    if ((me && me.id !== ok.user.id) || (instance && instance !== ok.instance)) this.#beginAfresh(ok.user);
    const { inbox, store } = this;
    try {
      const entered = inbox.enter(ok);
      if (this.credentials.kind === 'token' && this.credentials.instance !== ok.instance) this.#keep(this.credentials);
      this.#show();
      await entered;
    } catch (error) {
      if (error.code === 'lost' || store !== this.store) return;
      console.warn('gatehouse: what is known could not be read:', error.code, error.message);
      this.link.drop();
    }
  }

  /** Resolves once everything was read, which may be after the next login. */
  whenReady() {
    if (this.store.ready) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #onReady() {
    // What could not be read before may be tried again.
    for (const conversation of this.store.conversations.values()) conversation.failed = false;
    this.outbox.restore();
    this.drafts.restore();
    this.attachments.probe().then(() => this.draw());
    this.on.enter?.();
    this.draw();
    this.outbox.flush();
    this.receipts.flush();
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  #onRefused(error) {
    const hadSession = this.credentials?.kind === 'token';
    if (hadSession && error.code === 'unauthenticated') {
      // Another tab may have renewed the session, and with that ended its old token.
      const stored = sessionOf(this.credentials.login);
      if (stored && stored.token !== this.credentials.token) {
        this.enter(stored);
        return;
      }
    }
    if (hadSession && error.code !== 'lost') forget(this.credentials);
    this.#hide(refusalText(error, hadSession));
  }

  #show() {
    if (this.screen === 'login') this.screen = 'list';
    this.draw();
  }

  #hide(error) {
    this.outbox.clear();
    this.screen = 'login';
    this.#begin();
    this.on.login?.(error);
    this.draw();
  }

  onProgress(message) {
    this.on.progress?.(message);
  }

  /** Draws soon, once for many changes. A page in the background gets no animation frames, hence the timer. */
  draw() {
    if (this.#drawWanted) return;
    this.#drawWanted = true;
    requestAnimationFrame(() => {
      if (this.#drawWanted) this.drawNow();
    });
    setTimeout(() => {
      if (this.#drawWanted) this.drawNow();
    }, 100);
  }

  drawNow() {
    this.#drawWanted = false;
    for (const view of this.views) {
      // What one part cannot draw takes none of the others with it.
      try {
        view();
      } catch (error) {
        console.error('gatehouse: a part of the page could not be drawn:', error);
      }
    }
  }
}

export const app = new App();
export const draw = () => app.draw();
