// How the store comes to know what happened: lists at the first login, then the entries of the inbox, in order, whether
// they are pushed or asked for. A gap in their numbers, or a new connection, asks for what was missed.

import { Changes } from './change.js';
import { groupKey } from './conversation.js';
import { Lists } from './lists.js';
import { Lookups } from './lookup.js';
import { messageOf } from './message.js';
import { groupNotice } from './notice.js';

const PAGE = 500;
/** What is done in a row is looked up together. */
const SOON = 60;
/** How long somebody is taken to be typing after they said so. */
const TYPING_MS = 6_000;
/** Requests that change nothing, so that nothing has to be looked up after them. */
const ONLY_LOOKS =
  /^(heartbeat|login|logout|message\.signal|presence\.|users\.|user\.|account\.|session\.|inbox\.|attachment)|\.(list|get|search|history|members|requests|applications|readers)$/u;

export class Inbox {
  #store;
  #link;
  #lists;
  #lookups = new Lookups();
  #changes;
  #events;
  /** Whether the lists were read since they had to be read anew. */
  #isRead = false;
  #catching = null;
  #again = false;
  #soon = 0;
  /** Conversations that are being filled, and after which seq there is another gap, or 0. */
  #filling = new Map();

  /** events: onMessage(conversation, message), onChange(), onReady(), onDone(message) for one of the outbox */
  constructor(store, link, events) {
    this.#store = store;
    this.#link = link;
    this.#lists = new Lists(store, link, events.onChange);
    this.#changes = new Changes(link, (notice, time) => this.#notice(notice, time, true));
    this.#events = events;
  }

  /** After every login; `ok` is its reply. */
  async enter(ok) {
    const store = this.#store;
    const isKnown = this.#isRead && store.instance === ok.instance && store.me?.id === ok.user.id;
    store.me = ok.user;
    store.instance = ok.instance;
    if (!isKnown) {
      store.inbox = ok.inbox;
      await this.#readAll();
      await this.catchUp();
    } else {
      // Lists that stand in no inbox; conversations and requests follow from the entries.
      await Promise.all([this.catchUp(), this.#lists.presence(), this.#lists.friends()]);
      await this.#lists.strangers();
    }
    store.ready = true;
    this.#events.onReady();
  }

  /** One talks to somebody, of whom one may not have heard before. */
  meet(conversation) {
    if (conversation.kind === 'direct') this.#want('strangers');
  }

  push({ push, inbox, change, data }) {
    if (push === 'presence') this.#presence(data);
    else if (push === 'signal') this.#signal(data);
    else if (change !== undefined) {
      const conversation = this.#store.open(data.conversation ?? groupKey(data.group));
      const taken = this.#changes.push(conversation, change, this.#taken(push, data, true));
      this.#quietly(taken.then(() => this.#events.onChange()));
    } else this.#entry(inbox, this.#taken(push, data));
    this.#events.onChange();
  }

  /** What this tab or another one has done; `own`: this one, whose reply has told it already. */
  echo(op, data, ok, own) {
    const store = this.#store;
    if (op === 'message.send') {
      const { to: _, mentions: __, ...said } = data;
      this.#entry(ok.inbox, () => this.message({ ...ok, ...said, from: store.me }));
    } else if (op === 'message.read') {
      if (!own) store.conversations.get(data.conversation)?.read(ok.seq);
    } else if (op === 'account.set') {
      this.#want('account');
    } else if (!ONLY_LOOKS.test(op)) {
      clearTimeout(this.#soon);
      this.#soon = setTimeout(() => this.#quietly(this.catchUp()), SOON);
    }
    if (!own) this.#events.onChange();
  }

  /** Takes an entry in its turn. Without a number it stands in no inbox, and is taken as it comes. */
  #entry(number, take) {
    const store = this.#store;
    if (number === undefined || number === null) {
      take();
    } else if (number === store.inbox + 1) {
      store.inbox = number;
      take();
    } else if (number > store.inbox) {
      this.#quietly(this.catchUp());
    }
  }

  /** `toAll`: told to everyone in a conversation that stands in no inbox. */
  #taken(push, data, toAll = false) {
    switch (push) {
      case 'message':
        return () => this.message(data);
      case 'message.read':
        return () => this.#notice({ notice: 'read', ...data });
      case 'group.joined':
        return () => this.#notice({ notice: 'group_joined', ...data }, Date.now(), toAll);
      case 'group.left':
        return () => this.#notice({ notice: 'group_left', ...data }, Date.now(), toAll);
      case 'notice':
        return () => this.#notice(data, Date.now(), toAll);
      default:
        return () => {};
    }
  }

  /** Asks for what comes after the last number, until there is nothing more. */
  catchUp() {
    this.#again = true;
    this.#lookups.hold(true);
    this.#catching ??= this.#catchUp().finally(() => {
      this.#catching = null;
      this.#lookups.hold(false);
    });
    return this.#catching;
  }

  async #catchUp() {
    const store = this.#store;
    while (this.#again) {
      this.#again = false;
      for (;;) {
        const page = await this.#link.request('inbox.sync', { after: store.inbox, limit: PAGE });
        if (page.reset) {
          store.inbox = page.last;
          await this.#readAll();
          // How far conversations have come that stand in no inbox is told by the next page.
          this.#again = true;
          break;
        }
        for (const entry of page.entries) {
          if (entry.inbox <= store.inbox) continue;
          store.inbox = entry.inbox;
          if (entry.message) this.message(entry.message);
          else if (entry.notice) this.#notice(entry.notice, entry.time);
        }
        this.#events.onChange();
        if (store.inbox >= page.last || page.entries.length === 0) {
          await Promise.all(page.channels.map((channel) => this.#channel(channel)));
          break;
        }
      }
    }
    this.#events.onChange();
  }

  /** Catches up with a conversation that stands in no inbox. */
  async #channel({ conversation: key, last_seq: last, read_seq: read, last_change: lastChange }) {
    const conversation = this.#store.open(key);
    conversation.read(read);
    await this.#changes.catchUp(conversation, lastChange);
    if (last > conversation.lastSeq) await this.fill(conversation, conversation.lastSeq);
  }

  /** Reads what came after `after`, all of it where it is shown and else the last; once at a time for a conversation. */
  async fill(conversation, after) {
    if (this.#filling.has(conversation)) {
      // What is on its way may have been read before this.
      this.#filling.set(conversation, this.#filling.get(conversation) || after);
      return;
    }
    this.#filling.set(conversation, 0);
    try {
      await this.#fill(conversation, after);
    } finally {
      const next = this.#filling.get(conversation);
      this.#filling.delete(conversation);
      if (next > 0) this.#quietly(this.fill(conversation, next));
    }
  }

  async #fill(conversation, after) {
    const { lastSeq: known, unread, readSeq } = conversation;
    const isLoaded = conversation.loaded && conversation.atEnd;
    const ask = isLoaded ? { after, limit: PAGE } : { limit: 1 };
    const page = await this.#link.request('message.history', { conversation: conversation.key, ...ask });
    if (isLoaded && page.more) conversation.unload();
    for (const data of page.messages) this.#deliver(data);
    conversation.lastSeq = Math.max(conversation.lastSeq, page.last_seq);
    conversation.readSeq = Math.max(conversation.readSeq, page.read_seq);
    if (known > 0) conversation.missed(unread, { known, readSeq });
    this.#events.onChange();
  }

  message(data) {
    const store = this.#store;
    const isKnown = store.conversations.has(data.conversation);
    const conversation = store.open(data.conversation, data.from);
    if (!isKnown) this.meet(conversation);
    const standsAlone = conversation.kind === 'all' || store.groups.get(conversation.id)?.channel === true;
    const gapAfter = conversation.lastSeq;
    if (standsAlone && store.ready && gapAfter > 0 && data.seq > gapAfter + 1) {
      this.#quietly(this.fill(conversation, gapAfter));
    }
    this.#deliver(data);
  }

  #deliver(data) {
    const store = this.#store;
    const message = messageOf(data, store.me.id);
    const conversation = store.open(message.conversation, message.from);
    if (message.own) {
      this.#events.onDone(message);
      conversation.read(message.seq);
    }
    if (!conversation.take(message)) return;
    if (message.own) {
      conversation.readSeq = message.seq;
      conversation.unread = 0;
      conversation.unreadFrom = 0;
    } else if (message.seq > conversation.readSeq) {
      if (conversation.unread === 0) conversation.unreadFrom = message.seq;
      conversation.unread += 1;
      if (data.mentions?.includes(store.me.id) || this.#calls(message)) conversation.mentionSeq = message.seq;
    }
    conversation.typing.delete(message.from.id);
    this.#events.onMessage(conversation, message);
  }

  #calls(message) {
    const called = message.extra.mentions;
    return Array.isArray(called) && called.some((who) => who?.id === this.#store.me.id);
  }

  /** Somebody is typing, which is true for a moment and not told again. */
  #signal({ conversation: key, from, body }) {
    const conversation = this.#store.conversations.get(key);
    if (body !== 'typing' || !conversation || from.id === this.#store.me.id) return;
    conversation.typing.set(from.id, { name: from.name, until: Date.now() + TYPING_MS });
    setTimeout(() => this.#events.onChange(), TYPING_MS + SOON);
  }

  #presence({ user, online }) {
    const store = this.#store;
    const friend = store.friends.get(user.id);
    if (friend) friend.online = online;
    for (const conversation of store.conversations.values()) {
      const member = conversation.members?.get(user.id);
      if (member) member.online = online;
    }
    if (user.id !== store.me.id) store.setOnline(user, online);
  }

  #notice(data, time = Date.now(), toAll = false) {
    const store = this.#store;
    const me = store.me.id;
    const within = store.conversations.get(data.conversation);
    switch (data.notice) {
      case 'recalled':
        within?.change(data.seq, {
          recalled: true,
          body: '',
          extra: {},
          recalledBy: data.by,
        });
        break;
      case 'read':
        if (data.user === me) within?.read(data.seq);
        else if (within?.kind === 'direct') within.peerRead = Math.max(within.peerRead, data.seq);
        break;
      case 'deleted':
        within?.remove((message) => data.seqs.includes(message.seq));
        // Which one was before it is known where the window reaches that far.
        if (within && !within.last) this.#want('conversations');
        break;
      case 'cleared':
        within?.clear(data.seq);
        this.#want('conversations');
        break;
      case 'conversation_changed':
        this.#want('conversations');
        break;
      case 'friend_requested':
      case 'friend_answered':
        this.#want('friends');
        break;
      case 'friend_removed':
        store.friends.delete(data.user);
        this.#lists.forget(data.user);
        this.#want('strangers');
        // Nor is there a remark by which the conversation would be called.
        this.#want('conversations');
        break;
      case 'friend_changed':
        this.#want('friends');
        this.#want('conversations');
        break;
      case 'block_changed':
        this.#want('blocks');
        break;
      case 'profile_changed':
        this.#want('account');
        break;
      case 'applied':
      case 'application_answered':
        this.#want('applications');
        break;
      default:
        this.#groupNotice(data, time, toAll);
    }
  }

  #groupNotice(data, time, toAll) {
    const { notice, group, user } = data;
    if (group === undefined) return;
    const store = this.#store;
    const conversation = store.open(groupKey(group));
    const known = store.groups.get(group);
    if (notice === 'group_members') {
      // It says all there is to know: so many would ask at once.
      if (known) store.group({ ...known, members: data.members });
      conversation.members = null;
    } else {
      this.#lookups.want(conversation.key, () => {
        // Who has its members open reads them again.
        conversation.members = null;
        return this.#lists.group(group);
      });
    }
    if (user?.id === store.me.id && notice === 'group_joined') {
      conversation.left = false;
      conversation.unload();
    } else if (user?.id === store.me.id && notice === 'group_left') conversation.left = true;
    // A channel tells of the same in two ways: oneself by the inbox, and others by its changes.
    const isTold = user?.id === store.me.id ? !toAll : toAll || known?.channel !== true;
    const parts = isTold && groupNotice(data, store.me.id);
    if (parts) conversation.notice(parts, time);
  }

  async #readAll() {
    const store = this.#store;
    this.#isRead = false;
    for (const conversation of store.conversations.values()) conversation.unload();
    await this.#lists.all();
    const all = store.conversations.get('all');
    if (all.lastSeq === 0) await this.fill(all, 0);
    this.#isRead = true;
    this.#events.onChange();
  }

  /** Has one of the lists read again. */
  #want(list) {
    this.#lookups.want(list, async () => {
      await this.#lists[list]();
      this.#events.onChange();
    });
  }

  /** What fails for want of a connection is caught up with after the next login. */
  #quietly(work) {
    work.catch((error) => {
      if (error.code !== 'lost') console.warn('gatehouse:', error.code, error.message);
    });
  }
}
