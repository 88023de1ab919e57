// What this page knows: users, friends, groups and conversations. Only inbox.js, lists.js and the actions change it.

import { Conversation, directKey, groupKey, parseKey } from './conversation.js';

export class Store {
  me = null;
  account = null;
  /** Names what the server keeps; under another name ids mean nothing any more. */
  instance = '';
  /** The number of the last entry of the inbox that was taken; -1 before the first login. */
  inbox = -1;
  /** Set once everything was read; messages wait for it. */
  ready = false;

  conversations = new Map();
  current = 'all';
  /** Who is online, up to some number, and how many there are in all. */
  people = new Map();
  peopleTotal = 0;
  friends = new Map();
  requests = [];
  requestsMade = [];
  applications = [];
  blocked = new Map();
  /** One's own groups, and those that were looked at. */
  groups = new Map();

  constructor() {
    this.#add('all', 'Everyone');
  }

  #add(key, title) {
    const conversation = new Conversation(key, parseKey(key, this.me?.id ?? 0), title);
    this.conversations.set(key, conversation);
    return conversation;
  }

  get conversation() {
    return this.conversations.get(this.current) ?? this.conversations.get('all');
  }

  /** The conversation of this key, made if there is none; `from` may tell what it is called. */
  open(key, from = null) {
    const known = this.conversations.get(key);
    if (known) return known;
    const { kind, id } = parseKey(key, this.me.id);
    if (kind === 'direct') return this.#add(key, this.nameOf(id, from?.id === id ? from.name : ''));
    if (kind === 'group') return this.#add(key, this.groups.get(id)?.name ?? `Group ${id}`);
    return this.#add(key, kind === 'system' ? 'Announcements' : 'Everyone');
  }

  direct(user) {
    return this.open(directKey(this.me.id, user.id), user);
  }

  group(group) {
    this.groups.set(group.id, group);
    const conversation = this.open(groupKey(group.id));
    conversation.title = group.name;
    conversation.picture = group.picture ?? '';
    conversation.membersTotal = group.members;
    conversation.left = !group.joined;
    return conversation;
  }

  forget(conversation) {
    this.conversations.delete(conversation.key);
    if (this.current === conversation.key) this.current = 'all';
  }

  /** What a user is called here: by the remark of a friend, or by their name. */
  nameOf(id, name = '') {
    const friend = this.friends.get(id);
    return friend?.remark || friend?.name || name || this.people.get(id)?.name || `User ${id}`;
  }

  pictureOf(id) {
    if (id === this.me?.id) return this.account?.picture ?? '';
    return this.friends.get(id)?.picture ?? '';
  }

  /** Takes that somebody has come or gone. */
  setOnline(user, online) {
    const known = this.people.has(user.id);
    if (online) this.people.set(user.id, { ...this.people.get(user.id), ...user });
    else this.people.delete(user.id);
    if (known !== online) this.peopleTotal = Math.max(1, this.peopleTotal + (online ? 1 : -1));
  }

  /** Those with whom one talks and who are no friends. */
  get strangers() {
    const direct = [...this.conversations.values()].filter(({ kind }) => kind === 'direct');
    return direct.map(({ id }) => id).filter((id) => id !== this.me.id && !this.friends.has(id));
  }

  isOnline(id) {
    return this.people.has(id) || this.friends.get(id)?.online === true;
  }

  /** Pinned ones first, then by their last message; the room of all keeps its place at the top. */
  ordered() {
    const [all, ...others] = this.conversations.values();
    others.sort((a, b) => Number(b.pinned) - Number(a.pinned) || b.time - a.time || a.title.localeCompare(b.title));
    return [all, ...others];
  }

  /** Unread messages that one wants to be told of. */
  unread(except = null) {
    let total = 0;
    for (const conversation of this.conversations.values()) {
      if (!conversation.muted && conversation !== except) total += conversation.unread;
    }
    return total;
  }

  /** What waits for an answer: friend requests, and applications to groups that one runs. */
  get waiting() {
    return this.requests.length + this.applications.length;
  }

  /** One's role in a group: `owner`, `administrator`, `member`, or nothing. */
  roleIn(conversation) {
    return conversation.kind === 'group' ? (this.groups.get(conversation.id)?.role ?? '') : '';
  }

  runs(conversation) {
    return ['owner', 'administrator'].includes(this.roleIn(conversation));
  }

  /** Why nothing can be said here, or an empty text. */
  silenced(conversation) {
    if (conversation.kind === 'system') return 'Only the operator writes here.';
    if (conversation.kind === 'direct' && this.blocked.has(conversation.id)) return 'You have blocked this person.';
    if (conversation.kind !== 'group') return '';
    const group = this.groups.get(conversation.id);
    if (group?.dismissed) return 'This group was dismissed.';
    if (conversation.left) return 'You are no longer a member of this group.';
    if (group?.muted && !this.runs(conversation)) return 'Only administrators may write in this group.';
    return '';
  }
}
