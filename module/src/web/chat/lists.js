// What the server keeps lists of, each read whole into the store: at the first login, and when something in it changed.

import { RequestError } from './connection.js';
import { parseKey } from './conversation.js';
import { messageOf } from './message.js';

const PAGE = 500;
/** Pages of a list that are read; who has more finds the rest by searching. */
const PAGES_MAX = 4;
/** People beside friends of whom one hears, at most. */
const NAMED_MAX = 500;

export class Lists {
  #store;
  #link;
  #onChange;
  /** Whether one hears of everyone; and if not, of whom beside friends, in this session. */
  #hearsAll = false;
  #named = new Set();

  constructor(store, link, onChange) {
    this.#store = store;
    this.#link = link;
    this.#onChange = onChange;
  }

  async all() {
    await Promise.all([
      this.presence(),
      this.friends(),
      this.blocks(),
      this.account(),
      this.applications(),
      this.groups().then(() => this.conversations()),
    ]);
    await this.strangers();
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

  /** Reads a list and has the page drawn. Fails only for want of a connection. */
  async #refresh(read) {
    try {
      await read();
      this.#onChange();
    } catch (error) {
      if (error.code === 'lost') throw error;
      console.warn('gatehouse:', error.code, error.message);
    }
  }

  presence() {
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
      this.#hearsAll = all;
      this.#named.clear();
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

  /** Has one hear of those with whom one talks, too, where it is friends of whom one hears. */
  strangers() {
    return this.#refresh(async () => {
      const store = this.#store;
      const unnamed = store.strangers.filter((id) => !this.#named.has(id));
      const users = unnamed.slice(0, NAMED_MAX - this.#named.size);
      if (this.#hearsAll || users.length === 0) return;
      await this.#link.request('presence.subscribe', { users });
      for (const id of users) this.#named.add(id);
      // Of those whom another tab has named nothing is told now.
      const ok = await this.#link.request('presence.get', { users });
      for (const { id, name, platforms } of ok.users) store.setOnline({ id, name, platforms }, platforms.length > 0);
    });
  }

  /** Somebody is a friend no longer. Whether one hears of them is found out anew. */
  forget(id) {
    if (this.#hearsAll) return;
    this.#named.delete(id);
    this.#store.setOnline({ id }, false);
  }

  friends() {
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
    });
  }

  blocks() {
    return this.#refresh(async () => {
      const { items } = await this.#pages('block.list', {}, 'users');
      this.#store.blocked = new Map(items.map((user) => [user.id, user]));
    });
  }

  account() {
    return this.#refresh(async () => {
      const { account } = await this.#link.request('account.get');
      this.#store.account = account;
      this.#store.me = { id: account.id, name: account.name };
    });
  }

  applications() {
    return this.#refresh(async () => {
      const { applications } = await this.#link.request('group.applications', { limit: PAGE });
      this.#store.applications = applications.filter((application) => application.state === 'open');
    });
  }

  groups() {
    return this.#refresh(async () => {
      const { items } = await this.#pages('group.list', { joined: true }, 'groups');
      for (const group of items) this.#store.group(group);
    });
  }

  group(id) {
    return this.#refresh(async () => {
      const { group } = await this.#link.request('group.get', { group: id });
      this.#store.group(group);
    });
  }

  /** Conversations, and which of them are not on the list any more. */
  async conversations() {
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
