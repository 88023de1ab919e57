// How the store comes to know what happened: lists at the first login, then the entries of the inbox, in order, whether
// they are pushed or asked for. A gap in their numbers, or a new connection, asks for what was missed.

import { RequestError } from './connection.js';
import { parseKey, groupKey } from './conversation.js';
import { messageOf } from './message.js';

const PAGE = 500;
/** Pages of a list that are read; who has more finds the rest by searching. */
const PAGES_MAX = 4;
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
  #events;
  #catching = null;
  #again = false;
  #soon = 0;
  #listing = 0;

  /** events: onMessage(conversation, message), onChange(), onReady(), onDone(message) for one of the outbox */
  constructor(store, link, events) {
    this.#store = store;
    this.#link = link;
    this.#events = events;
  }

  /** After every login; `ok` is its reply. */
  async enter(ok) {
    const store = this.#store;
    const isKnown = store.inbox >= 0 && store.instance === ok.instance && store.me?.id === ok.user.id;
    store.me = ok.user;
    store.instance = ok.instance;
    if (!isKnown) {
      store.inbox = ok.inbox;
      await this.#readAll();
    } else {
      // Lists that stand in no inbox; conversations and requests follow from the entries.
      await Promise.all([this.catchUp(), this.#readPresence(), this.#readFriends()]);
    }
    store.ready = true;
    this.#events.onReady();
  }

  push({ push, inbox, data }) {
    if (push === 'presence') this.#presence(data);
    else if (push === 'signal') this.#signal(data);
    else this.#entry(inbox, this.#taken(push, data));
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
      this.#readAccount();
    } else if (!ONLY_LOOKS.test(op)) {
      clearTimeout(this.#soon);
      this.#soon = setTimeout(() => this.catchUp().catch(() => {}), SOON);
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
      this.catchUp().catch(() => {});
    }
  }

  #taken(push, data) {
    switch (push) {
      case 'message':
        return () => this.message(data);
      case 'message.read':
        return () => this.#notice({ notice: 'read', ...data });
      case 'group.joined':
        return () => this.#notice({ notice: 'group_joined', ...data });
      case 'group.left':
        return () => this.#notice({ notice: 'group_left', ...data });
      case 'notice':
        return () => this.#notice(data);
      default:
        return () => {};
    }
  }

  /** Asks for what comes after the last number, until there is nothing more. */
  catchUp() {
    this.#again = true;
    this.#catching ??= this.#catchUp().finally(() => {
      this.#catching = null;
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
  async #channel({ conversation: key, last_seq: last, read_seq: read }) {
    const conversation = this.#store.open(key);
    conversation.read(read);
    if (last <= conversation.lastSeq) return;
    await this.fill(conversation, conversation.lastSeq);
  }

  /** Reads what came after `after`, the last page of it if it is much. */
  async fill(conversation, after) {
    const isLoaded = conversation.loaded && conversation.atEnd;
    const ask = isLoaded ? { after, limit: PAGE } : { limit: 1 };
    const page = await this.#link.request('message.history', { conversation: conversation.key, ...ask });
    if (isLoaded && page.more) conversation.unload();
    const known = conversation.lastSeq;
    for (const data of page.messages) this.message(data);
    conversation.lastSeq = Math.max(conversation.lastSeq, page.last_seq);
    conversation.readSeq = Math.max(conversation.readSeq, page.read_seq);
    if (!isLoaded && known > 0) conversation.unread = Math.max(0, page.last_seq - Math.max(known, page.read_seq));
    this.#events.onChange();
  }

  message(data) {
    const store = this.#store;
    const message = messageOf(data, store.me.id);
    const conversation = store.open(message.conversation, message.from);
    const standsAlone = conversation.kind === 'all' || store.groups.get(conversation.id)?.channel === true;
    const gapAfter = conversation.lastSeq;
    if (standsAlone && store.ready && gapAfter > 0 && message.seq > gapAfter + 1) {
      this.fill(conversation, gapAfter).catch(() => {});
    }
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
    if (user.id === store.me.id) return;
    const known = store.people.has(user.id);
    if (online) store.people.set(user.id, { ...store.people.get(user.id), ...user });
    else store.people.delete(user.id);
    if (known !== online) store.peopleTotal = Math.max(1, store.peopleTotal + (online ? 1 : -1));
  }

  #notice(data, time = Date.now()) {
    const store = this.#store;
    const me = store.me.id;
    const within = store.conversations.get(data.conversation);
    switch (data.notice) {
      case 'recalled':
        within?.change(data.seq, {
          recalled: true,
          body: '',
          extra: {},
          recalledBy: data.by.id === me ? '' : data.by.name,
        });
        break;
      case 'read':
        if (data.user === me) within?.read(data.seq);
        else if (within?.kind === 'direct') within.peerRead = Math.max(within.peerRead, data.seq);
        break;
      case 'deleted':
        within?.remove((message) => data.seqs.includes(message.seq));
        break;
      case 'cleared':
        within?.remove((message) => message.seq <= data.seq);
        within?.read(data.seq);
        if (within) within.hasOlder = false;
        this.#readLists();
        break;
      case 'conversation_changed':
        this.#readLists();
        break;
      case 'friend_requested':
      case 'friend_answered':
        this.#readFriends();
        break;
      case 'friend_removed':
        store.friends.delete(data.user);
        break;
      case 'friend_changed':
        this.#readFriends();
        this.#readLists();
        break;
      case 'block_changed':
        this.#readBlocks();
        break;
      case 'profile_changed':
        this.#readAccount();
        break;
      case 'applied':
      case 'application_answered':
        this.#readApplications();
        break;
      default:
        this.#groupNotice(data, time);
    }
  }

  #groupNotice({ notice, group, user, by }, time) {
    if (group === undefined) return;
    const store = this.#store;
    const conversation = store.open(groupKey(group));
    const self = user?.id === store.me.id;
    const who = (someone) => (someone?.id === store.me.id ? 'You' : { name: someone?.name ?? '' });
    const other = by && by.id !== user?.id ? by : null;
    const say = (...parts) => conversation.notice(parts, time);
    conversation.members = null;
    this.#readGroup(group);
    switch (notice) {
      case 'group_joined':
        if (self) {
          conversation.left = false;
          conversation.unload();
        } else if (other) say(who(other), ' brought ', who(user), ' into the group');
        else say(who(user), ' joined the group');
        break;
      case 'group_left':
        if (self) conversation.left = true;
        if (other) say(who(other), ' removed ', self ? 'you' : who(user));
        else say(who(user), ' left the group');
        break;
      case 'group_changed':
        say(who(by), ' changed the group');
        break;
      case 'member_changed':
        break;
      case 'group_dismissed':
        say(who(by), ' dismissed the group');
        break;
      default:
    }
  }

  // Lists

  async #readAll() {
    const store = this.#store;
    for (const conversation of store.conversations.values()) conversation.unload();
    await Promise.all([
      this.#readPresence(),
      this.#readFriends(),
      this.#readBlocks(),
      this.#readAccount(),
      this.#readApplications(),
      this.#readGroups().then(() => this.#readListsNow(true)),
    ]);
    const all = store.conversations.get('all');
    if (all.lastSeq === 0) await this.fill(all, 0);
    this.#events.onChange();
  }

  async #pages(op, data, field) {
    const items = [];
    let after;
    for (let page = 0; page < PAGES_MAX; page += 1) {
      const ok = await this.#link.request(op, { ...data, after, limit: PAGE });
      items.push(...ok[field]);
      if (ok.next === undefined) return { items, total: ok.total ?? items.length };
      after = ok.next;
    }
    return { items, total: items.length };
  }

  /** Reads a list and has the page drawn; without a connection it is read again after the next login. */
  async #refresh(read) {
    try {
      await read();
      this.#events.onChange();
    } catch (error) {
      if (error.code === 'lost') throw error;
      console.warn('gatehouse:', error.code, error.message);
    }
  }

  #readPresence() {
    return this.#refresh(async () => {
      // Subscribed first, read second: nobody who comes or goes in between is missed.
      // Where that is not allowed it is friends of whom one hears, before the reply to the second request.
      const all = await this.#link.request('presence.subscribe', { all: true }).then(
        () => true,
        ({ code }) => {
          if (code !== 'forbidden') throw new RequestError(code, '');
          return false;
        },
      );
      this.#store.people.clear();
      this.#store.peopleTotal = 1;
      if (!all) {
        await this.#link.request('presence.subscribe');
        return;
      }
      const ok = await this.#link.request('users.online', { limit: PAGE });
      const others = ok.users.filter((user) => user.id !== this.#store.me.id);
      this.#store.people = new Map(others.map((user) => [user.id, user]));
      this.#store.peopleTotal = ok.total;
    });
  }

  #readFriends() {
    return this.#refresh(async () => {
      const store = this.#store;
      const [friends, requests, made] = await Promise.all([
        this.#pages('friend.list', {}, 'friends'),
        this.#pages('friend.requests', {}, 'requests'),
        this.#pages('friend.requests', { made: true }, 'requests'),
      ]);
      store.friends = new Map(friends.items.map((friend) => [friend.id, friend]));
      store.requests = requests.items.filter((request) => request.state === 'open');
      store.requestsMade = made.items.filter((request) => request.state === 'open');
    }).catch(() => {});
  }

  #readBlocks() {
    return this.#refresh(async () => {
      const { items } = await this.#pages('block.list', {}, 'users');
      this.#store.blocked = new Map(items.map((user) => [user.id, user]));
    }).catch(() => {});
  }

  #readAccount() {
    return this.#refresh(async () => {
      const { account } = await this.#link.request('account.get');
      this.#store.account = account;
      this.#store.me = { id: account.id, name: account.name };
    }).catch(() => {});
  }

  #readApplications() {
    return this.#refresh(async () => {
      const { applications } = await this.#link.request('group.applications', { limit: PAGE });
      this.#store.applications = applications.filter((application) => application.state === 'open');
    }).catch(() => {});
  }

  #readGroups() {
    return this.#refresh(async () => {
      const { items } = await this.#pages('group.list', { joined: true }, 'groups');
      for (const group of items) this.#store.group(group);
    });
  }

  #readGroup(id) {
    return this.#refresh(async () => {
      const { group } = await this.#link.request('group.get', { group: id });
      this.#store.group(group);
    }).catch(() => {});
  }

  /** Several changes in a row are looked up together. */
  #readLists() {
    clearTimeout(this.#listing);
    this.#listing = setTimeout(() => this.#refresh(() => this.#readListsNow()).catch(() => {}), SOON);
  }

  async #readListsNow() {
    const store = this.#store;
    const listed = new Set(['all']);
    for (let offset = 0, page = 0; page < PAGES_MAX; page += 1) {
      const ok = await this.#link.request('conversation.list', { offset, limit: PAGE });
      for (const view of ok.conversations) {
        const last = view.last ? messageOf(view.last, store.me.id) : null;
        store.open(view.conversation).list(view, last);
        listed.add(view.conversation);
      }
      offset += ok.conversations.length;
      if (offset >= ok.total || ok.conversations.length === 0) break;
    }
    // What was taken off the list on another device goes here too, unless it is just being looked at.
    for (const conversation of [...store.conversations.values()]) {
      const { kind, id } = parseKey(conversation.key, store.me.id);
      const stays = kind === 'group' && !conversation.left && store.groups.get(id)?.joined;
      const unused = conversation.lastSeq > 0 && !conversation.last && !conversation.draft;
      if (!listed.has(conversation.key) && !stays && unused && conversation.key !== store.current)
        store.forget(conversation);
    }
  }
}
