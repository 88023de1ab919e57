// The chat page: one file, no dependencies. It speaks the native protocol (docs/protocol.md) over a WebSocket.
//
//   Connection   one login that survives its sockets: requests, pushes, heartbeats, reconnecting
//   Store        users, groups, conversations and the outbox, as far as this session has seen them
//   views        draw the store; they never change it, except through the actions
//   actions      what a person does
//
// Text that came over the wire reaches the page through text nodes only.

// ---- Limits. Everything that grows has one.

/** Entries kept per conversation, and how many go at once when there are more. */
const ENTRIES_MAX = 1000;
const ENTRIES_TRIM = 100;
/** Direct conversations kept; beyond, the one that was quiet longest goes. */
const DIRECTS_MAX = 200;
/** People and members that are listed; beyond, only their number is known. */
const PEOPLE_MAX = 1000;
const MEMBERS_MAX = 1000;
/** With more people than this, who comes and goes is not worth a line. */
const PRESENCE_NOTICES_MAX = 200;
/** Pages of groups that are read to find those that one has joined. */
const GROUP_PAGES_MAX = 20;
/** Messages that wait for their reply. They are sent one at a time, so the server's memory of client_ids suffices. */
const OUTBOX_MAX = 64;
/** A body's size in bytes of UTF-8 (docs/protocol.md, message.send), and where the composer starts to count. */
const BODY_BYTES_MAX = 16384;
const BODY_BYTES_SHOWN = 15000;
const NAME_CHARS_MAX = 32;
const GROUP_NAME_CHARS_MAX = 64;
/** A body longer than this is folded until someone asks for the rest. */
const FOLD_CHARS = 1600;
const FOLD_LINES = 24;

// ---- Times, in milliseconds.

/** A request without a reply for so long means that the socket is dead, whatever the browser thinks. */
const REPLY_TIMEOUT = 10_000;
const BACKOFF_FIRST = 1_000;
const BACKOFF_MAX = 30_000;
/** A connection has to last so long before the backoff starts over; else a server that closes at once is hammered. */
const STABLE_AFTER = 10_000;
/** How often a message is tried that is answered `rate_limited`, or whose connection is lost before the reply. */
const SEND_TRIES_MAX = 5;
/** Messages of one sender that are closer than this share a heading. */
const RUN_GAP = 5 * 60_000;
/** The open list of groups is read again: there is no push for a group that comes or goes. */
const GROUPS_REFRESH = 4_000;

const CLOSE_KICKED = 4001;
const NAME_KEY = 'gatehouse.name';

// ---- Connection

/** An error reply, or (code `lost`) the end of the connection before the reply. */
class RequestError extends Error {
  constructor(code, message) {
    super(message);
    this.code = code;
  }
}

/** The wait before the n-th attempt (from 0): doubling, the upper half left to chance so that clients spread out. */
function backoffDelay(attempt, chance) {
  const ceiling = Math.min(BACKOFF_MAX, BACKOFF_FIRST * 2 ** Math.min(attempt, 10));
  return ceiling / 2 + (ceiling / 2) * chance;
}

/**
 * One login that survives its sockets.
 *
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
 * A first login that fails ends in `closed`, for there is a person looking at the form; later ones go on in `waiting`.
 */
class Connection {
  state = 'closed';
  /** When the next attempt is due, in `waiting` only. */
  retryAt = 0;

  #socket = null;
  #name = '';
  #entered = false;
  #attempt = 0;
  #nextId = 1;
  /** Requests in the order they were sent, which is the order of the replies. */
  #pending = new Map();
  #retryTimer = 0;
  #stableTimer = 0;
  #heartbeatTimer = 0;
  #heartbeatEvery = 30_000;
  #handlers;

  /** handlers: onState(), onLogin(ok), onRefused(error), onPush(name, data) */
  constructor(handlers) {
    this.#handlers = handlers;
  }

  open(name) {
    this.#discard();
    this.#name = name;
    this.#connect();
  }

  close() {
    this.#discard();
    this.#entered = false;
    this.#attempt = 0;
    this.#become('closed');
  }

  /** Ends the wait for the next attempt. */
  retryNow() {
    if (this.state === 'waiting') this.#connect();
  }

  /** Finds out soon whether a quiet connection is still there. */
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
      return Promise.reject(new RequestError('lost', 'not connected'));
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
      this.#login();
    };
    socket.onmessage = (event) => this.#receive(event.data);
    // An `error` event is always followed by `close`, which knows more.
    socket.onclose = (event) => {
      clearTimeout(openTimer);
      if (event.code === CLOSE_KICKED) this.#kicked();
      else this.#lost('The server cannot be reached.');
    };
  }

  async #login() {
    const socket = this.#socket;
    try {
      const ok = await this.request('login', { name: this.#name, platform: 'web' });
      this.#entered = true;
      this.#heartbeatEvery = Math.max(1, Number(ok.heartbeat_s) || 30) * 1000;
      this.#stableTimer = setTimeout(() => { this.#attempt = 0; }, STABLE_AFTER);
      this.#armHeartbeat();
      this.#become('connected');
      this.#handlers.onLogin(ok);
    } catch (error) {
      if (this.#socket !== socket || error.code === 'lost') return;
      const passes = ['limit_reached', 'rate_limited', 'internal'].includes(error.code);
      if (this.#entered && passes) {
        this.#lost(error.message);
        return;
      }
      this.close();
      this.#handlers.onRefused(error);
    }
  }

  #receive(text) {
    let message;
    try {
      message = JSON.parse(text);
    } catch {
      return;
    }
    if (typeof message !== 'object' || message === null) return;
    if (typeof message.push === 'string') {
      if (message.push === 'kicked') this.#kicked();
      else this.#handlers.onPush(message.push, message.data ?? {});
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

  #kicked() {
    this.#discard();
    this.#become('kicked');
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
    clearTimeout(this.#retryTimer);
    clearTimeout(this.#stableTimer);
    clearTimeout(this.#heartbeatTimer);
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

// ---- Store

const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const fold = (name) => name.toLowerCase();
const directKey = (a, b) => `d:${Math.min(a, b)}:${Math.max(a, b)}`;
const groupKey = (id) => `g:${id}`;
const bytesOf = (text) => new TextEncoder().encode(text).length;

/** 128 random bits in hex; crypto.randomUUID is missing on plain http. */
function newClientId() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, '0')).join('');
}

/**
 * A conversation and what was said in it while this page looked on.
 *
 * `entries` are messages and notices in the order they came here; `n` numbers them and never comes twice.
 * `ended` is the reason why nothing can be said any more, or empty.
 */
class Conversation {
  entries = [];
  trims = 0;
  unread = 0;
  unreadFrom = 0;
  lastSeq = 0;
  /** After a reconnect the first message tells, by its seq, how many were missed. */
  checkGap = false;
  activity = 0;
  draft = '';
  ended = '';
  members = null;
  membersTotal = 0;

  constructor(key, kind, id, name) {
    this.key = key;
    this.kind = kind;
    this.id = id;
    this.name = name;
  }

  get lastMessage() {
    return this.entries.findLast((entry) => entry.type === 'message');
  }
}

class Store {
  me = null;
  /** Set once people and groups have been read after a login; messages wait for it. */
  synced = false;
  people = new Map();
  peopleTotal = 0;
  groups = new Map();
  groupsVersion = 0;
  conversations = new Map();
  current = 'all';
  outbox = [];
  #nextEntry = 1;
  #endedCount = 0;

  constructor() {
    this.conversations.set('all', new Conversation('all', 'all', 0, 'Everyone'));
  }

  get conversation() {
    return this.conversations.get(this.current);
  }

  group(group) {
    const key = groupKey(group.id);
    let conversation = this.conversations.get(key);
    if (!conversation) {
      conversation = new Conversation(key, 'group', group.id, group.name);
      conversation.activity = Date.now();
      this.conversations.set(key, conversation);
    }
    conversation.membersTotal = group.members;
    conversation.ended = '';
    return conversation;
  }

  direct(user) {
    const key = directKey(this.me.id, user.id);
    let conversation = this.conversations.get(key);
    if (!conversation) {
      conversation = new Conversation(key, 'direct', user.id, user.name);
      conversation.activity = Date.now();
      this.conversations.set(key, conversation);
      this.#evictDirects();
    }
    return conversation;
  }

  remove(conversation) {
    this.conversations.delete(conversation.key);
    this.outbox = this.outbox.filter((message) => message.conversation !== conversation);
    if (this.current === conversation.key) this.current = 'all';
  }

  add(conversation, entry) {
    entry.n = this.#nextEntry++;
    entry.conversation = conversation;
    conversation.entries.push(entry);
    if (conversation.entries.length > ENTRIES_MAX) {
      conversation.entries.splice(0, ENTRIES_TRIM);
      conversation.trims += 1;
    }
    return entry;
  }

  notice(conversation, parts) {
    this.add(conversation, { type: 'notice', parts, time: Date.now() });
  }

  /**
   * Takes note that `user` was seen under this id and name.
   *
   * Ids last as long as the server runs. After it started afresh, an id may belong to someone else, and what was meant
   * for the one must not reach the other: such a conversation loses its key, and finds its person by name.
   */
  identify(user) {
    for (const conversation of [...this.conversations.values()]) {
      if (conversation.kind !== 'direct') continue;
      const sameId = conversation.id === user.id;
      const sameName = fold(conversation.name) === fold(user.name);
      if (sameId && !sameName && !conversation.ended) {
        conversation.ended = 'The server has started afresh; this person has not come back yet.';
        this.#rekey(conversation, `ended:${++this.#endedCount}`);
      } else if (sameName && (!sameId || conversation.ended)) {
        const key = directKey(this.me.id, user.id);
        if (this.conversations.has(key) && this.conversations.get(key) !== conversation) continue;
        conversation.ended = '';
        conversation.id = user.id;
        conversation.lastSeq = 0;
        this.#rekey(conversation, key);
      }
    }
  }

  /** After a login under another id (the server started afresh), direct conversations have other keys. */
  becomeMe(user) {
    const changed = this.me !== null && this.me.id !== user.id;
    this.me = user;
    if (!changed) return;
    const directs = [...this.conversations.values()].filter((c) => c.kind === 'direct' && !c.ended);
    for (const conversation of directs) {
      conversation.ended = 'The server has started afresh; this person has not come back yet.';
      this.#rekey(conversation, `ended:${++this.#endedCount}`);
    }
  }

  /** Keeps order and selection: a Map is ordered by insertion, so everything is put in again. */
  #rekey(conversation, key) {
    if (this.current === conversation.key) this.current = key;
    conversation.key = key;
    this.conversations = new Map([...this.conversations.values()].map((c) => [c.key, c]));
  }

  #evictDirects() {
    const directs = [...this.conversations.values()].filter((c) => c.kind === 'direct' && c.key !== this.current);
    if (directs.length <= DIRECTS_MAX) return;
    this.remove(directs.reduce((oldest, c) => (c.activity < oldest.activity ? c : oldest)));
  }
}

let store = new Store();
const connection = new Connection({ onState, onLogin, onRefused, onPush });

// ---- What the server says

function onState() {
  if (connection.state !== 'connected') store.synced = false;
  draw();
}

function onRefused(error) {
  showLogin(loginErrorText(error));
}

async function onLogin(ok) {
  if (chatElement.hidden) showChat();
  store.becomeMe(ok.user);
  saveName(ok.user.name);
  for (const conversation of store.conversations.values()) {
    conversation.checkGap = conversation.lastSeq > 0;
    conversation.members = null;
  }
  draw();
  const session = store;
  try {
    // Subscribed first, read second: nobody who comes or goes in between is missed.
    await patiently('presence.subscribe', { all: true });
    await readPeople();
    await readGroups();
    const current = store.conversation;
    if (current.kind === 'group' && membersOpen) readMembers(current);
  } catch (error) {
    if (error.code === 'lost' || session !== store) return;
    console.warn('gatehouse: reading people and groups failed:', error.code, error.message);
  }
  store.synced = true;
  draw();
  flushOutbox();
}

/** A request that is tried again when the server asks for less haste. */
async function patiently(op, data) {
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await connection.request(op, data);
    } catch (error) {
      if (error.code !== 'rate_limited' || attempt >= SEND_TRIES_MAX) throw error;
      await wait(backoffDelay(attempt, Math.random()));
    }
  }
}

/** Reads a list page by page until it ends, or `enough(items)`. */
async function readPages(op, data, field, enough) {
  const items = [];
  let after;
  for (;;) {
    const ok = await patiently(op, { ...data, after, limit: 500 });
    items.push(...(ok[field] ?? []));
    if (ok.next === undefined || ok.next === null || enough(items)) return { items, total: ok.total ?? items.length };
    after = ok.next;
  }
}

async function readPeople() {
  const { items, total } = await readPages('users.online', {}, 'users', (users) => users.length >= PEOPLE_MAX);
  store.people = new Map();
  for (const user of items.slice(0, PEOPLE_MAX)) {
    store.identify(user);
    if (user.id !== store.me.id) store.people.set(user.id, user);
  }
  store.peopleTotal = total;
  draw();
}

async function readGroups() {
  const { groupsVersion } = store;
  const { items } = await readPages('group.list', {}, 'groups', (groups) => groups.length >= GROUP_PAGES_MAX * 500);
  // Joined or left while the pages came: they may tell of before.
  if (groupsVersion !== store.groupsVersion) return readGroups();
  store.groups = new Map(items.map((group) => [group.id, group]));
  for (const group of items) if (group.joined) store.group(group);
  for (const conversation of store.conversations.values()) {
    if (conversation.kind !== 'group' || conversation.ended) continue;
    const group = store.groups.get(conversation.id);
    if (!group) conversation.ended = 'This group is gone.';
    else if (!group.joined || group.name !== conversation.name) {
      conversation.ended = 'You are no longer a member of this group.';
    }
  }
  draw();
  return undefined;
}

async function readMembers(conversation) {
  const data = { group: conversation.id };
  const { items, total } = await readPages('group.members', data, 'members', (m) => m.length >= MEMBERS_MAX);
  conversation.members = new Map(items.slice(0, MEMBERS_MAX).map((member) => [member.id, member]));
  conversation.membersTotal = total;
  draw();
}

function onPush(name, data) {
  switch (name) {
    case 'message': onMessage(data); break;
    case 'presence': onPresence(data); break;
    case 'group.joined': onGroupJoined(data); break;
    case 'group.left': onGroupLeft(data); break;
    default: return;
  }
  draw();
}

function onMessage(data) {
  const own = data.from.id === store.me.id;
  if (!own) store.identify(data.from);
  // Sent over a connection that was lost before the reply, and still delivered: this session sees its own message.
  const sent = own && data.client_id && store.outbox.find((message) => message.clientId === data.client_id);
  if (sent) {
    settle(sent, data);
    return;
  }
  const conversation = conversationOf(data);
  if (!conversation) return;
  noteSeq(conversation, data.seq);
  const entry = store.add(conversation, {
    type: 'message', own, state: 'sent', from: data.from, kind: data.kind, body: String(data.body), time: data.time,
  });
  conversation.activity = Date.now();
  if (own || isSeen(conversation)) return;
  if (conversation.unread === 0) conversation.unreadFrom = entry.n;
  conversation.unread += 1;
  drawTitle();
}

function conversationOf(data) {
  const known = store.conversations.get(data.conversation);
  if (known) return known;
  const [kind, first, second] = data.conversation.split(':');
  if (kind === 'g') {
    // Joined in another session of this user; the name comes with the list.
    readGroups().catch(() => {});
    return store.group({ id: Number(first), name: `Group ${first}`, members: 0 });
  }
  if (kind !== 'd') return null;
  if (data.from.id !== store.me.id) return store.direct(data.from);
  const peer = Number(first) === store.me.id ? Number(second) : Number(first);
  return store.direct(store.people.get(peer) ?? { id: peer, name: `User ${peer}` });
}

/** Looks for messages that were missed while there was no connection; `seq` has no gaps. */
function noteSeq(conversation, seq) {
  const missed = seq - conversation.lastSeq - 1;
  if (conversation.checkGap && missed > 0) {
    const text = missed === 1 ? 'One message was missed' : `${missed.toLocaleString()} messages were missed`;
    store.notice(conversation, [`${text} while you were not connected`]);
  }
  conversation.checkGap = false;
  conversation.lastSeq = seq;
}

function onPresence({ user, online }) {
  if (user.id === store.me.id) return;
  const known = store.people.has(user.id);
  const partial = store.peopleTotal - 1 > store.people.size;
  if (online) {
    store.identify(user);
    if (!known && store.people.size < PEOPLE_MAX) store.people.set(user.id, user);
  } else {
    store.people.delete(user.id);
  }
  for (const conversation of store.conversations.values()) {
    const member = conversation.members?.get(user.id);
    if (member) member.online = online;
  }
  // Of those beyond the list nothing is known, so the server's word is taken.
  if (known === online && !(partial && !known)) return;
  store.peopleTotal = Math.max(1, store.peopleTotal + (online ? 1 : -1));
  if (store.peopleTotal > PRESENCE_NOTICES_MAX) return;
  store.notice(store.conversations.get('all'), [{ name: user.name }, online ? ' joined' : ' left']);
}

function onGroupJoined({ group, user }) {
  const conversation = store.conversations.get(groupKey(group));
  if (user.id === store.me.id) {
    if (!conversation || conversation.ended) readGroups().catch(() => {});
    return;
  }
  if (!conversation || conversation.members?.has(user.id)) return;
  conversation.membersTotal += 1;
  conversation.members?.set(user.id, { ...user, online: true });
  store.notice(conversation, [{ name: user.name }, ' joined the group']);
}

function onGroupLeft({ group, user }) {
  const conversation = store.conversations.get(groupKey(group));
  if (!conversation) return;
  if (user.id === store.me.id) {
    conversation.ended = 'You have left this group.';
    return;
  }
  conversation.membersTotal = Math.max(1, conversation.membersTotal - 1);
  conversation.members?.delete(user.id);
  store.notice(conversation, [{ name: user.name }, ' left the group']);
}

// ---- Outbox: one message at a time, so order holds and a resent message is always one the server remembers.

let sending = null;

async function flushOutbox() {
  if (sending || !store.synced || connection.state !== 'connected') return;
  // What was meant for someone who is gone must not reach whoever has the id now.
  for (const message of store.outbox) if (message.conversation.ended) fail(message, 'This conversation has ended.');
  const message = store.outbox[0];
  if (!message) return;
  sending = message;
  try {
    const data = { to: addressOf(message.conversation), body: message.body, client_id: message.clientId };
    const ok = await connection.request('message.send', data);
    settle(message, ok);
  } catch (error) {
    message.tries += 1;
    if (error.code === 'rate_limited' && message.tries < SEND_TRIES_MAX) {
      await wait(backoffDelay(message.tries - 1, Math.random()));
    } else if (error.code !== 'lost' && error.code !== 'unauthenticated' || message.tries >= SEND_TRIES_MAX) {
      fail(message, sendErrorText(error, message.conversation));
    } else {
      // Without effect if the connection is known to be lost; else (a socket that is closing) a new one is needed.
      connection.drop();
    }
  } finally {
    sending = null;
  }
  draw();
  flushOutbox();
}

function addressOf(conversation) {
  if (conversation.kind === 'group') return { group: conversation.id };
  if (conversation.kind === 'direct') return { user: conversation.id };
  return { all: true };
}

function settle(message, ok) {
  store.outbox = store.outbox.filter((other) => other !== message);
  if (message.state === 'sent') return;
  message.state = 'sent';
  message.time = ok.time;
  message.changed = true;
  // A message that was sent again may have its old place; only one beyond the next says something about a gap.
  const { conversation } = message;
  if (ok.seq === conversation.lastSeq + 1) conversation.lastSeq = ok.seq;
  else if (ok.seq > conversation.lastSeq) noteSeq(conversation, ok.seq);
}

function fail(message, text) {
  store.outbox = store.outbox.filter((other) => other !== message);
  message.state = 'failed';
  message.failure = text;
  message.changed = true;
}

function sendErrorText(error, conversation) {
  switch (error.code) {
    case 'offline': return `${conversation.name} is not online.`;
    case 'not_found': return conversation.kind === 'group' ? 'The group is gone.' : `${conversation.name} is not here.`;
    case 'forbidden': return 'You are not a member of this group.';
    case 'rate_limited': return 'Too many messages at once.';
    case 'lost': return 'The connection broke each time.';
    default: return error.message || 'The server refused it.';
  }
}

function loginErrorText(error) {
  switch (error.code) {
    case 'invalid_value': return `The server does not take this name: ${error.message}`;
    case 'limit_reached': return 'The server is full. Please try again later.';
    default: return error.message || 'That did not work. Please try again.';
  }
}

// ---- Actions

function enter(name) {
  if (!name) return showLogin('Please enter a name.');
  if ([...name].length > NAME_CHARS_MAX) return showLogin(`A name has at most ${NAME_CHARS_MAX} characters.`);
  store = new Store();
  showLogin('');
  connection.open(name);
}

function leaveChat() {
  connection.request('logout').catch(() => {});
  connection.close();
  store = new Store();
  shown.log = null;
  showLogin('');
}

function openConversation(key) {
  keepDraft();
  store.current = key;
  followLog = true;
  chipCount = 0;
  if (chatElement.dataset.screen !== 'conversation') {
    chatElement.dataset.screen = 'conversation';
    // The back gesture of a phone leads to the list, not out of the page.
    if (isPhone.matches) history.pushState({ conversation: true }, '');
  }
  if (isPhone.matches) membersOpen = false;
  const conversation = store.conversation;
  markSeen(conversation);
  messageInput.value = conversation.draft;
  sizeComposer();
  if (conversation.kind === 'group' && membersOpen && !conversation.members) readMembers(conversation).catch(() => {});
  drawNow();
  if (!isPhone.matches) messageInput.focus();
}

function backToList() {
  if (history.state?.conversation) history.back();
  else showList();
}

function showList() {
  keepDraft();
  chatElement.dataset.screen = 'list';
  drawNow();
  conversationList.querySelector('[aria-current="true"]')?.focus();
}

function keepDraft() {
  if (store.conversation) store.conversation.draft = messageInput.value;
}

function sendDraft() {
  const conversation = store.conversation;
  const text = messageInput.value.trim();
  // A lone surrogate has no UTF-8; the server would refuse the whole message as malformed.
  const body = text.toWellFormed ? text.toWellFormed() : text;
  if (!body || conversation.ended || connection.state === 'kicked') return;
  if (bytesOf(body) > BODY_BYTES_MAX || store.outbox.length >= OUTBOX_MAX) return;
  const message = store.add(conversation, {
    type: 'message', own: true, state: 'sending', from: store.me, kind: 'text', body, time: Date.now(),
    clientId: newClientId(), tries: 0, failure: '', changed: false,
  });
  conversation.activity = Date.now();
  conversation.draft = '';
  store.outbox.push(message);
  messageInput.value = '';
  sizeComposer();
  followLog = true;
  draw();
  flushOutbox();
}

function retryMessage(message) {
  if (store.outbox.length >= OUTBOX_MAX) return;
  message.state = 'sending';
  message.tries = 0;
  message.changed = true;
  store.outbox.push(message);
  draw();
  flushOutbox();
}

function discardMessage(message) {
  const { entries } = message.conversation;
  entries.splice(entries.indexOf(message), 1);
  shown.nodes.get(message.n)?.remove();
  shown.nodes.delete(message.n);
  draw();
  messageInput.focus();
}

async function createGroup(name) {
  if (!name) return showGroupsError('Please enter a name for the group.');
  if ([...name].length > GROUP_NAME_CHARS_MAX) {
    return showGroupsError(`The name has at most ${GROUP_NAME_CHARS_MAX} characters.`);
  }
  await enterGroup('group.create', { name }, 'You created the group');
}

async function enterGroup(op, data, notice) {
  showGroupsError('');
  try {
    const { group } = await connection.request(op, data);
    store.groupsVersion += 1;
    store.groups.set(group.id, group);
    const conversation = store.group(group);
    store.notice(conversation, [notice]);
    groupsDialog.close();
    openConversation(conversation.key);
  } catch (error) {
    showGroupsError(error.code === 'lost' ? 'Not connected.' : error.message || 'That did not work.');
  }
}

async function leaveGroup(conversation) {
  try {
    await connection.request('group.leave', { group: conversation.id });
  } catch (error) {
    // Not a member, or no such group: then there is nothing to leave but the list.
    if (error.code !== 'forbidden' && error.code !== 'not_found') return;
  }
  store.groupsVersion += 1;
  store.groups.delete(conversation.id);
  closeConversation(conversation);
}

function closeConversation(conversation) {
  store.remove(conversation);
  messageInput.value = store.conversation.draft;
  sizeComposer();
  if (isPhone.matches) backToList();
  else openConversation(store.current);
}

/** A conversation is seen while it is on a screen that someone may be looking at. */
function isSeen(conversation) {
  const onScreen = !isPhone.matches || chatElement.dataset.screen === 'conversation';
  return store.current === conversation.key && onScreen && document.visibilityState === 'visible';
}

function markSeen(conversation) {
  conversation.unread = 0;
  drawTitle();
}

// ---- Building elements

const byId = (id) => document.getElementById(id);

/** el('p', { class: 'x', onclick: f }, 'text', node): attributes by name, handlers as properties, strings as text. */
function el(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith('on')) element[name] = value;
    else if (value !== null && value !== false) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

function icon(name) {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  const use = document.createElementNS('http://www.w3.org/2000/svg', 'use');
  use.setAttribute('href', `#icon-${name}`);
  svg.setAttribute('aria-hidden', 'true');
  svg.append(use);
  return svg;
}

const graphemes = globalThis.Intl?.Segmenter ? new Intl.Segmenter() : null;
const graphemesOf = (text) => (graphemes ? Array.from(graphemes.segment(text), (s) => s.segment) : Array.from(text));

function initialsOf(name) {
  const words = name.split(/[\s._-]+/u).filter(Boolean);
  if (words.length === 0) return '?';
  const letters = words.length === 1 ? [words[0]] : [words[0], words.at(-1)];
  return letters.map((word) => graphemesOf(word.slice(0, 24))[0].toUpperCase()).join('');
}

/** kind: `user`, `group`, `all`; presence: true, false, or null for none. */
function avatar(kind, id, name, size = '', presence = null) {
  const classes = ['avatar', `hue-${Math.abs(id) % 10}`, size];
  if (kind === 'group') classes.push('group');
  if (kind === 'all') classes.push('everyone');
  if (presence !== null) classes.push('presence');
  if (presence) classes.push('online');
  const content = kind === 'all' ? icon('people') : initialsOf(name);
  return el('span', { class: classes.filter(Boolean).join(' '), 'aria-hidden': 'true' }, content);
}

function conversationAvatar(conversation, size = '') {
  const { kind, id, name } = conversation;
  if (kind === 'direct') return avatar('user', id, name, size, isOnline(conversation));
  return avatar(kind, id, name, size);
}

const isOnline = (conversation) => !conversation.ended && store.people.has(conversation.id);

/**
 * Makes the children of `parent` show `items`, keeping those that are there already (and with them focus and scroll).
 * `stamp(item)` says what a child was drawn from; it is drawn again, by `build(item)`, only when that has changed.
 */
function syncList(parent, items, keyOf, stamp, build) {
  const children = new Map(Array.from(parent.children, (child) => [child.dataset.key, child]));
  const focused = parent.contains(document.activeElement) ? document.activeElement : null;
  const focusedKey = focused?.closest('li')?.dataset.key;
  let cursor = parent.firstElementChild;
  for (const item of items) {
    const key = String(keyOf(item));
    const drawnFrom = JSON.stringify(stamp(item));
    let child = children.get(key);
    children.delete(key);
    if (!child || child.drawnFrom !== drawnFrom) {
      const fresh = el('li', { 'data-key': key }, build(item));
      fresh.drawnFrom = drawnFrom;
      if (child) {
        if (child === cursor) cursor = cursor.nextElementSibling;
        child.remove();
      }
      child = fresh;
    }
    if (child === cursor) cursor = cursor.nextElementSibling;
    else parent.insertBefore(child, cursor);
  }
  for (const child of children.values()) child.remove();
  if (focused && !parent.contains(document.activeElement)) {
    parent.querySelector(`:scope > [data-key="${CSS.escape(focusedKey ?? '')}"] button`)?.focus();
  }
}

function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

// ---- Times for people

const clockFormat = new Intl.DateTimeFormat(undefined, { hour: 'numeric', minute: '2-digit' });
const dayFormat = new Intl.DateTimeFormat(undefined, { weekday: 'long', day: 'numeric', month: 'long' });
const shortDayFormat = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'short' });
const fullFormat = new Intl.DateTimeFormat(undefined, { dateStyle: 'full', timeStyle: 'medium' });
const dayOf = (time) => new Date(time).toDateString();

function dayText(time) {
  const yesterday = new Date();
  yesterday.setDate(yesterday.getDate() - 1);
  if (dayOf(time) === dayOf(Date.now())) return 'Today';
  if (dayOf(time) === yesterday.toDateString()) return 'Yesterday';
  return dayFormat.format(time);
}

const shortTime = (time) => (dayOf(time) === dayOf(Date.now()) ? clockFormat : shortDayFormat).format(time);

function timeElement(time) {
  const date = new Date(time);
  return el('time', { datetime: date.toISOString(), title: fullFormat.format(date) }, clockFormat.format(date));
}

// ---- Views

const loginElement = byId('login');
const chatElement = byId('chat');
const nameInput = byId('name');
const messageInput = byId('message-input');
const conversationList = byId('conversation-list');
const logScroll = byId('log-scroll');
const log = byId('log');
const groupsDialog = byId('groups-dialog');
const isPhone = matchMedia('(max-width: 720px)');
const byName = new Intl.Collator(undefined, { sensitivity: 'base', numeric: true });

let membersOpen = matchMedia('(min-width: 1100px)').matches;
/** Whether the log is at its end and stays there as it grows. */
let followLog = true;
let chipCount = 0;
/** What the log shows: conversation, its trims, the day it was drawn on, the last entry, nodes by entry. */
const shown = { log: null, trims: 0, day: '', last: 0, nodes: new Map() };

let drawWanted = false;

/** Draws soon, once for many changes. A page in the background gets no animation frames, hence the timer. */
function draw() {
  if (drawWanted) return;
  drawWanted = true;
  requestAnimationFrame(() => { if (drawWanted) drawNow(); });
  setTimeout(() => { if (drawWanted) drawNow(); }, 100);
}

function drawNow() {
  drawWanted = false;
  drawLoginButton();
  if (!store.me || chatElement.hidden) return;
  drawBanner();
  drawStatus();
  drawConversations();
  drawPeople();
  drawPane();
  drawLog();
  drawMembers();
  if (groupsDialog.open) drawGroups();
}

function showLogin(error) {
  if (groupsDialog.open) groupsDialog.close();
  chatElement.hidden = true;
  loginElement.hidden = false;
  byId('login-error').textContent = error;
  nameInput.toggleAttribute('aria-invalid', error !== '');
  drawLoginButton();
  drawTitle();
  nameInput.focus();
}

function showChat() {
  loginElement.hidden = true;
  chatElement.hidden = false;
  chatElement.dataset.screen = 'list';
  messageInput.value = '';
  sizeComposer();
  if (!isPhone.matches) messageInput.focus();
}

function drawLoginButton() {
  const busy = connection.state === 'connecting' || connection.state === 'connected';
  byId('login-button').disabled = busy;
  setText(byId('login-button'), busy ? 'Connecting…' : 'Enter');
}

function drawTitle() {
  const unread = unreadTotal();
  document.title = unread > 0 ? `(${unread}) Gatehouse` : 'Gatehouse';
}

function unreadTotal() {
  let total = 0;
  for (const conversation of store.conversations.values()) total += conversation.unread;
  return total;
}

const STATUS = { connecting: 'connecting', connected: 'connected', waiting: 'offline', closed: 'offline', kicked: 'kicked' };
const STATUS_TEXT = { connecting: 'Connecting', connected: 'Connected', offline: 'Not connected', kicked: 'Elsewhere' };

function drawStatus() {
  const state = STATUS[connection.state];
  const status = byId('status');
  status.dataset.state = state;
  setText(status, STATUS_TEXT[state]);
  setText(byId('me-name'), store.me.name);
  syncOne(byId('me-avatar'), [store.me.id, store.me.name], () => avatar('user', store.me.id, store.me.name));
}

/** Replaces the only child of `parent` when what it was drawn from has changed. */
function syncOne(parent, stamp, build) {
  const drawnFrom = JSON.stringify(stamp);
  if (parent.drawnFrom === drawnFrom) return;
  parent.drawnFrom = drawnFrom;
  parent.replaceChildren(build());
}

let countdownTimer = 0;

function drawBanner() {
  const { state } = connection;
  const banner = byId('banner');
  clearTimeout(countdownTimer);
  banner.hidden = state === 'connected' || state === 'closed';
  banner.dataset.state = STATUS[state];
  if (banner.hidden) return;
  const text = {
    connecting: 'Connecting…',
    waiting: navigator.onLine ? 'The connection was lost.' : 'You are offline.',
    kicked: 'You logged in elsewhere.',
  };
  setText(byId('banner-text'), text[state]);
  const seconds = Math.max(1, Math.ceil((connection.retryAt - Date.now()) / 1000));
  setText(byId('banner-countdown'), state === 'waiting' ? `Reconnecting in ${seconds} s` : '');
  if (state === 'waiting') countdownTimer = setTimeout(drawBanner, 500);
  const action = byId('banner-action');
  action.hidden = state === 'connecting';
  setText(action, state === 'kicked' ? 'Use Gatehouse here' : 'Try now');
}

// Sidebar

function orderedConversations() {
  const [everyone, ...others] = store.conversations.values();
  return [everyone, ...others.sort((a, b) => b.activity - a.activity)];
}

function previewOf(conversation) {
  const message = conversation.lastMessage;
  if (message) {
    const who = message.own ? 'You: ' : conversation.kind === 'direct' ? '' : `${message.from.name}: `;
    const what = message.kind && message.kind !== 'text' ? `[${message.kind}] ` : '';
    return who + what + message.body.slice(0, 120).replace(/\s+/gu, ' ');
  }
  if (conversation.ended) return conversation.ended;
  if (conversation.kind === 'all') return 'All who are here';
  if (conversation.kind === 'direct') return isOnline(conversation) ? 'Online' : 'Not online';
  return membersText(conversation.membersTotal);
}

const membersText = (count) => (count === 1 ? '1 member' : `${count.toLocaleString()} members`);

function drawConversations() {
  const describe = (c) => [
    c.key, c.name, previewOf(c), c.lastMessage ? shortTime(c.lastMessage.time) : '', c.unread,
    c.key === store.current, c.kind === 'direct' && isOnline(c),
  ];
  syncList(conversationList, orderedConversations(), (c) => c.key, describe, buildConversation);
  const hasGroups = [...store.conversations.values()].some((c) => c.kind === 'group');
  byId('groups-hint').hidden = hasGroups;
  const elsewhere = unreadTotal() - store.conversation.unread;
  byId('back-unread').hidden = elsewhere === 0;
  setText(byId('back-unread'), elsewhere > 99 ? '99+' : String(elsewhere));
}

function buildConversation(conversation) {
  const { key, name, unread, lastMessage } = conversation;
  const badge = unread === 0 ? null : el('span', { class: 'badge', 'data-testid': 'unread' },
    unread > 99 ? '99+' : String(unread), el('span', { class: 'said-only' }, ' unread'));
  return el('button', {
    class: unread > 0 ? 'row has-unread' : 'row',
    type: 'button',
    'data-conversation': key,
    'data-testid': key === 'all' ? 'conversation-all' : 'conversation',
    'data-name': name,
    'aria-current': key === store.current ? 'true' : null,
    onclick: () => openConversation(conversation.key),
  },
  conversationAvatar(conversation),
  el('span', { class: 'row-text' },
    el('span', { class: 'row-line' },
      el('bdi', { class: 'row-name' }, name),
      lastMessage ? el('span', { class: 'row-time' }, shortTime(lastMessage.time)) : null),
    el('span', { class: 'row-line second' },
      el('span', { class: 'row-detail', dir: 'auto' }, previewOf(conversation)), badge)));
}

function drawPeople() {
  const filter = byId('people-filter').value.trim();
  const everyone = [...store.people.values()].sort((a, b) => byName.compare(a.name, b.name));
  const people = everyone.filter((user) => fold(user.name).includes(fold(filter)));
  syncList(byId('people-list'), people, (u) => u.id, (u) => [u.id, u.name, platformsText(u)], buildPerson);
  const others = Math.max(everyone.length, store.peopleTotal - 1);
  setText(byId('people-count'), others > 0 ? others.toLocaleString() : '');
  byId('people-search').hidden = everyone.length < 10 && filter === '';
  const empty = byId('people-empty');
  const beyond = others - everyone.length;
  empty.hidden = people.length > 0 && beyond === 0;
  if (people.length === 0) setText(empty, filter ? 'Nobody by that name.' : 'Nobody else is here yet.');
  else setText(empty, `and ${beyond.toLocaleString()} more`);
}

/** Where someone is, if not just on the web like most. */
function platformsText(user) {
  const names = { desktop: 'Desktop', android: 'Android', ios: 'iOS', other: 'Other' };
  return (user.platforms ?? []).map((platform) => names[platform]).filter(Boolean).join(', ');
}

function buildPerson(user) {
  const where = platformsText(user);
  return el('button', {
    class: 'row compact',
    type: 'button',
    'data-testid': `user-${user.id}`,
    'data-name': user.name,
    title: `Write to ${user.name}`,
    onclick: () => openConversation(store.direct(user).key),
  },
  avatar('user', user.id, user.name, 'small', true),
  el('bdi', { class: 'row-name' }, user.name),
  where ? el('span', { class: 'row-tag' }, where) : null);
}

// Conversation

function subtitleOf(conversation) {
  if (conversation.ended) return conversation.kind === 'group' ? 'Group' : 'Not online';
  if (conversation.kind === 'group') return membersText(conversation.membersTotal);
  if (conversation.kind === 'direct') return isOnline(conversation) ? 'Online' : 'Not online';
  const total = Math.max(store.peopleTotal, store.people.size + 1);
  return total === 1 ? 'Only you are here' : `${total.toLocaleString()} people online`;
}

function drawPane() {
  const conversation = store.conversation;
  const { kind, id, name, ended } = conversation;
  setText(byId('pane-title'), name);
  byId('pane-title').dir = 'auto';
  setText(byId('pane-subtitle'), subtitleOf(conversation));
  syncOne(byId('pane-avatar'), [kind, id, name, isOnline(conversation)], () => conversationAvatar(conversation));
  byId('members-toggle').hidden = kind !== 'group' || ended !== '';
  byId('members-toggle').setAttribute('aria-expanded', String(membersOpen));
  drawComposer(conversation);
}

function drawComposer(conversation) {
  const label = conversation.kind === 'all' ? 'Message everyone' : `Message ${conversation.name}`;
  if (messageInput.placeholder !== label) {
    messageInput.placeholder = label;
    messageInput.setAttribute('aria-label', label);
  }
  const note = noteFor(conversation);
  byId('composer-note').hidden = note === '';
  setText(byId('composer-note'), note);
  byId('composer-row').hidden = conversation.ended !== '';
  byId('close-conversation').hidden = conversation.ended === '';
  messageInput.disabled = connection.state === 'kicked';
  const size = bytesOf(messageInput.value.trim());
  byId('composer-size').hidden = size < BODY_BYTES_SHOWN;
  byId('composer-size').classList.toggle('over', size > BODY_BYTES_MAX);
  setText(byId('composer-size'), (BODY_BYTES_MAX - size).toLocaleString());
  const full = store.outbox.length >= OUTBOX_MAX;
  byId('send').disabled = size === 0 || size > BODY_BYTES_MAX || full || messageInput.disabled;
}

function noteFor(conversation) {
  if (conversation.ended) return conversation.ended;
  if (store.outbox.length >= OUTBOX_MAX) return 'Many messages wait to be sent; this one has to wait with you.';
  if (conversation.kind === 'direct' && store.synced && !isOnline(conversation)) {
    return `${conversation.name} is not online; messages cannot be delivered now.`;
  }
  return '';
}

function drawLog() {
  const conversation = store.conversation;
  const today = dayOf(Date.now());
  const switched = shown.log !== conversation;
  if (switched || shown.day !== today || !trimLog(conversation)) rebuildLog(conversation, today, switched);
  else appendToLog(conversation);
  const empty = byId('empty');
  empty.hidden = conversation.entries.length > 0;
  if (!empty.hidden) drawEmpty(conversation);
  if (isSeen(conversation)) conversation.unreadFrom = 0;
  if (followLog) logScroll.scrollTop = logScroll.scrollHeight;
  drawChip();
}

function rebuildLog(conversation, today, switched) {
  const fromEnd = logScroll.scrollHeight - logScroll.scrollTop;
  log.setAttribute('aria-busy', 'true');
  shown.nodes.clear();
  const nodes = [];
  let previous = null;
  for (const entry of conversation.entries) {
    nodes.push(...buildEntry(entry, previous, false));
    // Above everything there is, the line would tell nothing.
    if (switched && previous && conversation.unreadFrom === entry.n) {
      nodes.splice(-1, 0, el('div', { class: 'unread-line' }, 'New'));
    }
    previous = entry;
  }
  log.replaceChildren(...nodes);
  log.removeAttribute('aria-busy');
  Object.assign(shown, { log: conversation, trims: conversation.trims, day: today, last: previous?.n ?? 0 });
  if (switched) followLog = true;
  else logScroll.scrollTop = logScroll.scrollHeight - fromEnd;
}

/** Takes away what the conversation has dropped at its beginning; false if nothing of the log would be left. */
function trimLog(conversation) {
  if (shown.trims === conversation.trims) return true;
  const first = conversation.entries[0];
  const node = shown.nodes.get(first.n);
  if (!node) return false;
  const before = node.offsetTop;
  while (node.previousElementSibling) node.previousElementSibling.remove();
  node.before(dayElement(first.time));
  for (const n of shown.nodes.keys()) {
    if (n >= first.n) break;
    shown.nodes.delete(n);
  }
  if (!followLog) logScroll.scrollTop -= before - node.offsetTop;
  shown.trims = conversation.trims;
  return true;
}

function appendToLog(conversation) {
  const { entries } = conversation;
  for (const entry of entries) {
    if (!entry.changed || !shown.nodes.has(entry.n)) continue;
    entry.changed = false;
    refreshMessage(shown.nodes.get(entry.n), entry);
  }
  let first = entries.length;
  while (first > 0 && entries[first - 1].n > shown.last) first -= 1;
  // In a flood, moving every line would cost more than drawing it.
  const moves = entries.length - first <= 3;
  for (let i = first; i < entries.length; i += 1) {
    const entry = entries[i];
    log.append(...buildEntry(entry, entries[i - 1] ?? null, moves));
    if (!followLog && entry.type === 'message' && !entry.own) chipCount += 1;
    shown.last = entry.n;
  }
}

function buildEntry(entry, previous, fresh) {
  const nodes = [];
  if (!previous || dayOf(previous.time) !== dayOf(entry.time)) {
    nodes.push(dayElement(entry.time));
  }
  const node = entry.type === 'notice' ? buildNotice(entry) : buildMessage(entry, startsRun(entry, previous));
  if (fresh) node.classList.add('fresh');
  shown.nodes.set(entry.n, node);
  nodes.push(node);
  return nodes;
}

const dayElement = (time) => el('div', { class: 'day', role: 'separator' }, dayText(time));

function startsRun(entry, previous) {
  return previous?.type !== 'message' || previous.own !== entry.own || previous.from.id !== entry.from.id
    || entry.time - previous.time > RUN_GAP || dayOf(previous.time) !== dayOf(entry.time);
}

function buildNotice(entry) {
  const parts = entry.parts.map((part) => (typeof part === 'string' ? part : el('bdi', {}, part.name)));
  return el('div', { class: 'notice', 'data-testid': 'notice' }, ...parts, timeElement(entry.time));
}

function buildMessage(message, first) {
  const { own, from, conversation } = message;
  const grouped = !own && conversation.kind !== 'direct';
  const side = el('div', { class: 'message-side' }, first ? avatar('user', from.id, from.name, 'small') : null);
  const sender = el('div', { class: `sender hue-${Math.abs(from.id) % 10}` }, el('bdi', {}, from.name));
  const saidOnly = el('span', { class: 'said-only' }, own ? 'You: ' : `${from.name}: `);
  const node = el('div', {
    class: ['message', own && 'own', first && 'first'].filter(Boolean).join(' '),
    'data-testid': 'message',
    'data-sender': from.name,
  },
  grouped ? side : null,
  el('div', { class: 'message-column' },
    grouped && first ? sender : saidOnly,
    el('div', { class: 'bubble' }, ...buildBody(message), el('span', { class: 'meta' }))));
  message.changed = false;
  refreshMessage(node, message);
  return node;
}

function buildBody(message) {
  const { body, kind } = message;
  const isText = !kind || kind === 'text' || kind === 'prompt';
  const content = el('div', { class: 'body', dir: 'auto', 'data-testid': 'message-body' }, ...linked(body));
  const nodes = isText ? [content] : [el('span', { class: 'kind' }, kind), content];
  if (isText && isFewEmoji(body)) content.classList.add('emoji');
  if (body.length > FOLD_CHARS || body.split('\n', FOLD_LINES + 1).length > FOLD_LINES) {
    content.classList.add('folded');
    nodes.push(el('button', { class: 'unfold', type: 'button', onclick: unfold }, 'Show all'));
  }
  return nodes;
}

function unfold(event) {
  event.target.parentElement.querySelector('.body').classList.remove('folded');
  event.target.remove();
}

const EMOJI = /^[\p{Extended_Pictographic}\p{Emoji_Modifier}\p{Regional_Indicator}\u200d\ufe0f\s]{1,32}$/u;
const isFewEmoji = (body) => EMOJI.test(body) && graphemesOf(body.replace(/\s/gu, '')).length <= 3;

const LINK = /https?:\/\/[^\s<>"'`\u202a-\u202e\u2066-\u2069]+/giu;

/** Text with its http(s) addresses as links; the address is shown as it is, and nothing else becomes one. */
function linked(text) {
  const nodes = [];
  let end = 0;
  for (const match of text.matchAll(LINK)) {
    // The full stop after an address is the sentence's, and so is a bracket that the address does not open.
    const bare = match[0].replace(/[.,;:!?\]}]+$/u, '');
    const address = bare.includes('(') ? bare : bare.replace(/\).*$/u, '');
    if (!URL.canParse?.(address)) continue;
    nodes.push(text.slice(end, match.index));
    nodes.push(el('a', { href: address, target: '_blank', rel: 'noopener noreferrer nofollow' }, address));
    end = match.index + address.length;
  }
  nodes.push(text.slice(end));
  return nodes.filter((node) => node !== '');
}

/** Draws what changes in a message: its state, its time, and what can be done when it failed. */
function refreshMessage(node, message) {
  node.dataset.state = message.state;
  const words = { sending: 'sending', sent: 'sent', failed: 'not sent' };
  const state = message.own
    ? [icon(message.state), el('span', { class: 'said-only' }, words[message.state])] : [];
  node.querySelector('.meta').replaceChildren(timeElement(message.time), ...state);
  node.querySelector('.failure')?.remove();
  if (message.state !== 'failed') return;
  node.querySelector('.message-column').append(el('div', { class: 'failure' },
    el('span', {}, `Not sent. ${message.failure}`),
    el('button', { type: 'button', 'data-testid': 'retry', onclick: () => retryMessage(message) }, 'Try again'),
    el('button', { type: 'button', 'data-testid': 'discard', onclick: () => discardMessage(message) }, 'Discard')));
}

function drawEmpty(conversation) {
  const { kind, name } = conversation;
  syncOne(byId('empty-mark'), [conversation.key, name], () => avatar(
    kind === 'direct' ? 'user' : kind, conversation.id, name, 'large'));
  setText(byId('empty-title'), kind === 'all' ? 'It is quiet here' : name);
  const texts = {
    all: 'Say hello: all who are here will read it.',
    group: 'Nothing has been said since you came.',
    direct: 'Only the two of you will read this.',
  };
  setText(byId('empty-text'), texts[kind]);
}

function drawChip() {
  const far = logScroll.scrollHeight - logScroll.scrollTop - logScroll.clientHeight > 480;
  const chip = byId('chip');
  chip.hidden = followLog || (chipCount === 0 && !far);
  chip.classList.toggle('bare', chipCount === 0);
  chip.setAttribute('aria-label', chipCount === 0 ? 'To the latest messages' : '');
  if (chipCount > 0) chip.removeAttribute('aria-label');
  setText(byId('chip-text'), chipCount === 0 ? '' : chipCount === 1 ? '1 new message' : `${chipCount} new messages`);
}

function scrollToEnd() {
  followLog = true;
  chipCount = 0;
  logScroll.scrollTop = logScroll.scrollHeight;
  drawChip();
}

// Members

function drawMembers() {
  const conversation = store.conversation;
  const panel = byId('members');
  panel.hidden = !membersOpen || conversation.kind !== 'group' || conversation.ended !== '';
  if (panel.hidden) return;
  setText(byId('members-count'), conversation.membersTotal.toLocaleString());
  const members = [...(conversation.members?.values() ?? [])]
    .sort((a, b) => Number(b.online) - Number(a.online) || byName.compare(a.name, b.name));
  syncList(byId('members-list'), members, (m) => m.id, (m) => [m.id, m.name, m.online], buildMember);
}

function buildMember(member) {
  const self = member.id === store.me.id;
  const content = [
    avatar('user', member.id, member.name, 'small', member.online),
    el('bdi', { class: 'row-name' }, member.name),
    self ? el('span', { class: 'row-tag' }, 'you') : null,
    el('span', { class: 'said-only' }, member.online ? 'online' : 'not online'),
  ];
  const attributes = { class: 'row compact', 'data-testid': `member-${member.id}`, 'data-name': member.name };
  if (self) return el('div', attributes, ...content);
  return el('button', {
    ...attributes, type: 'button', title: `Write to ${member.name}`,
    onclick: () => openConversation(store.direct(member).key),
  }, ...content);
}

function toggleMembers(open) {
  membersOpen = open;
  const conversation = store.conversation;
  if (open && !conversation.members) readMembers(conversation).catch(() => {});
  drawNow();
  if (open) byId('members-close').focus();
  else byId('members-toggle').focus();
}

// Groups dialog

let groupsTimer = 0;

function openGroups() {
  showGroupsError('');
  byId('group-name').value = '';
  drawGroups();
  groupsDialog.showModal();
  byId('group-name').focus();
  refreshGroups();
}

async function refreshGroups() {
  clearTimeout(groupsTimer);
  if (!groupsDialog.open) return;
  if (store.synced) await readGroups().catch(() => {});
  groupsTimer = setTimeout(refreshGroups, GROUPS_REFRESH);
}

function showGroupsError(text) {
  byId('groups-error').textContent = text;
}

function drawGroups() {
  const groups = [...store.groups.values()].sort((a, b) => b.members - a.members || byName.compare(a.name, b.name));
  syncList(byId('groups-list'), groups, (g) => g.id, (g) => g, buildGroup);
  setText(byId('groups-empty'), groups.length > 0 ? '' : 'There are no groups yet.');
}

function buildGroup(group) {
  const { id, name, joined, members } = group;
  const button = joined
    ? el('button', {
      class: 'button small', type: 'button', 'aria-label': `Open ${name}`,
      onclick: () => { groupsDialog.close(); openConversation(store.group(group).key); },
    }, 'Open')
    : el('button', {
      class: 'button small primary', type: 'button', 'data-testid': `group-join-${id}`, 'aria-label': `Join ${name}`,
      onclick: () => enterGroup('group.join', { group: id }, 'You joined the group'),
    }, 'Join');
  return el('div', { class: 'row', 'data-name': name },
    avatar('group', id, name),
    el('span', { class: 'row-text' },
      el('span', { class: 'row-line' }, el('bdi', { class: 'row-name' }, name)),
      el('span', { class: 'row-line' }, el('span', { class: 'row-detail' }, membersText(members)))),
    button);
}

// ---- Events of the page

function sizeComposer() {
  messageInput.style.height = 'auto';
  messageInput.style.height = `${Math.min(messageInput.scrollHeight, 168)}px`;
}

function savedName() {
  try {
    return localStorage.getItem(NAME_KEY) ?? '';
  } catch {
    return '';
  }
}

/** Storage may be forbidden; then the name is typed again next time. */
function saveName(name) {
  try {
    localStorage.setItem(NAME_KEY, name);
  } catch { /* see above */ }
}

byId('login-form').addEventListener('submit', (event) => {
  event.preventDefault();
  enter(nameInput.value.trim());
});

byId('composer').addEventListener('submit', (event) => {
  event.preventDefault();
  sendDraft();
  messageInput.focus();
});

messageInput.addEventListener('keydown', (event) => {
  // While an input method is composing, Enter belongs to it (229 is what Safari says then).
  if (event.key !== 'Enter' || event.shiftKey || event.isComposing || event.keyCode === 229) return;
  event.preventDefault();
  sendDraft();
});

messageInput.addEventListener('input', () => {
  sizeComposer();
  drawComposer(store.conversation);
});

logScroll.addEventListener('scroll', () => {
  followLog = logScroll.scrollHeight - logScroll.scrollTop - logScroll.clientHeight < 40;
  if (followLog) chipCount = 0;
  drawChip();
}, { passive: true });

// The log shrinks when the keyboard of a phone comes up or the composer grows; its end stays in sight.
new ResizeObserver(() => {
  if (followLog) logScroll.scrollTop = logScroll.scrollHeight;
}).observe(logScroll);

byId('people-filter').addEventListener('input', () => drawPeople());
byId('group-create').addEventListener('click', openGroups);
byId('groups-hint').addEventListener('click', openGroups);
byId('groups-close').addEventListener('click', () => groupsDialog.close());
byId('logout').addEventListener('click', leaveChat);
byId('back').addEventListener('click', backToList);
byId('chip').addEventListener('click', scrollToEnd);
byId('members-toggle').addEventListener('click', () => toggleMembers(!membersOpen));
byId('members-close').addEventListener('click', () => toggleMembers(false));
byId('group-leave').addEventListener('click', () => leaveGroup(store.conversation));
byId('close-conversation').addEventListener('click', () => closeConversation(store.conversation));

byId('group-form').addEventListener('submit', (event) => {
  event.preventDefault();
  createGroup(byId('group-name').value.trim());
});

// A click beside the dialog closes it; the dialog itself has no padding, so only the backdrop is its own target.
groupsDialog.addEventListener('click', (event) => {
  if (event.target === groupsDialog) groupsDialog.close();
});

byId('banner-action').addEventListener('click', () => {
  if (connection.state === 'kicked') connection.open(store.me.name);
  else connection.retryNow();
});

document.addEventListener('keydown', (event) => {
  if (event.key !== 'Escape' || chatElement.hidden || groupsDialog.open || event.isComposing) return;
  if (!byId('members').hidden && matchMedia('(max-width: 1040px)').matches) toggleMembers(false);
  else if (isPhone.matches && chatElement.dataset.screen === 'conversation') backToList();
});

window.addEventListener('popstate', () => {
  if (!chatElement.hidden && chatElement.dataset.screen === 'conversation' && isPhone.matches) showList();
});

window.addEventListener('online', () => {
  connection.retryNow();
  connection.probe();
});
window.addEventListener('offline', () => {
  connection.probe();
  draw();
});

document.addEventListener('visibilitychange', () => {
  if (document.visibilityState !== 'visible' || chatElement.hidden) return;
  // Timers sleep in the background, so the connection may have gone unnoticed.
  connection.retryNow();
  connection.probe();
  if (isSeen(store.conversation)) markSeen(store.conversation);
  draw();
});

isPhone.addEventListener('change', () => {
  if (!chatElement.hidden && isSeen(store.conversation)) markSeen(store.conversation);
  draw();
});

nameInput.value = savedName();
showLogin('');
