// A conversation: how it is listed, and the part of it that this page has read.

/** Entries kept; beyond, those farthest from where one reads go, and are read again when they are needed. */
const ENTRIES_MAX = 600;
const ENTRIES_TRIM = 200;

export const directKey = (a, b) => `d:${Math.min(a, b)}:${Math.max(a, b)}`;
export const groupKey = (id) => `g:${id}`;

/** What a key says: `{ kind, id }`, with the other one's id for `direct`. */
export function parseKey(key, me) {
  const [kind, first, second] = key.split(':');
  if (kind === 'g') return { kind: 'group', id: Number(first) };
  if (kind === 's') return { kind: 'system', id: 0 };
  if (kind === 'd') return { kind: 'direct', id: Number(first) === me ? Number(second) : Number(first) };
  return { kind: 'all', id: 0 };
}

/**
 * `entries` are a window: messages by ascending seq, with notices between them, from `hasOlder` (there is more before)
 * to `atEnd` (it reaches the last message). What is not sent yet is in the outbox.
 */
export class Conversation {
  title = '';
  picture = '';
  last = null;
  lastSeq = 0;
  /** The number of the last change, of one that stands in no inbox; null while none is known. */
  lastChange = null;
  readSeq = 0;
  /** Up to where the other one of a direct conversation has read. */
  peerRead = 0;
  unread = 0;
  /** The seq over which the line "New" stands, or 0. */
  unreadFrom = 0;
  mentionSeq = 0;
  pinned = false;
  muted = false;
  draft = '';
  savedDraft = '';
  draftTime = 0;
  left = false;
  /** The message that is being answered. */
  replyTo = null;
  /** Who is typing, by id: a name, and until when that is believed. */
  typing = new Map();

  entries = [];
  loaded = false;
  failed = false;
  /** The page of history that is on its way, as a promise, or null. */
  reading = null;
  /** Whether one looks at the end of the window, and not further up. */
  follows = true;
  hasOlder = false;
  atEnd = true;
  members = null;
  membersTotal = 0;
  #notices = 0;
  /** What came while a page was on its way, which may have been read before it. */
  #late = [];

  constructor(key, { kind, id }, title) {
    this.key = key;
    this.kind = kind;
    this.id = id;
    this.title = title;
  }

  get time() {
    return Math.max(this.last?.time ?? 0, this.draft ? this.draftTime : 0);
  }

  get loading() {
    return this.reading !== null;
  }

  /** The names of those who are typing. */
  get typists() {
    const now = Date.now();
    return [...this.typing.values()].filter(({ until }) => until > now).map(({ name }) => name);
  }

  /** The first and the last seq of the window; 0 if there is none. */
  get firstSeq() {
    return this.entries.find((entry) => entry.type === 'message')?.seq ?? 0;
  }

  get newestSeq() {
    return this.entries.findLast((entry) => entry.type === 'message')?.seq ?? 0;
  }

  find(seq) {
    return this.entries.find((entry) => entry.type === 'message' && entry.seq === seq);
  }

  /** Takes how the server lists it. Drafts of this page are newer than the server's. */
  list(view, lastMessage) {
    this.title = view.title || this.title;
    this.picture = view.picture ?? '';
    this.pinned = view.pinned === true;
    this.muted = (view.muted ?? 0) !== 0;
    this.left = view.left === true;
    if (this.draft === this.savedDraft) this.draft = view.draft ?? '';
    this.savedDraft = view.draft ?? '';
    if (view.last_seq < this.lastSeq) return;
    this.lastSeq = view.last_seq;
    this.readSeq = Math.max(this.readSeq, view.read_seq);
    this.unread = this.readSeq >= this.lastSeq ? 0 : view.unread;
    this.mentionSeq = view.mention_seq ?? 0;
    if (this.unread > 0 && this.unreadFrom === 0) this.unreadFrom = this.readSeq + 1;
    this.last = lastMessage;
  }

  /** Takes a message that has come; whether it is new. */
  take(message) {
    const isNew = message.seq > this.lastSeq;
    if (isNew) {
      this.lastSeq = message.seq;
      this.last = message;
    }
    this.#place(message);
    // Where the page has it too, it has its latest state.
    this.#again(() => this.find(message.seq) ?? this.#place(message));
    return isNew;
  }

  /** Puts a message into the window, if it belongs there. */
  #place(message) {
    const belongs = this.loaded && (this.atEnd || message.seq < this.newestSeq) && message.seq >= this.firstSeq;
    if (!belongs) return;
    this.insert(message);
    this.#trim();
  }

  /** Has `page()` read a page of history and put it into the window; one at a time. */
  readPage(page) {
    this.failed = false;
    this.reading = page().finally(() => {
      this.reading = null;
      const late = this.#late;
      this.#late = [];
      for (const change of late) change();
    });
    return this.reading;
  }

  /** Does to the page that is on its way, if there is one, what was done to the window just now. */
  #again(change) {
    if (!this.reading) return;
    // Of more than a window holds it is simpler to read it anew.
    if (this.#late.length >= ENTRIES_MAX) this.#late = [() => this.unload()];
    this.#late.push(change);
  }

  insert(message) {
    const { entries } = this;
    const before = entries.findLastIndex((entry) => entry.type === 'message' && entry.seq <= message.seq);
    if (before >= 0 && entries[before].seq === message.seq) {
      entries[before] = message;
      return;
    }
    // What comes last comes after the notices, too.
    const isLast = !entries.some((entry, at) => at > before && entry.type === 'message');
    entries.splice(isLast ? entries.length : before + 1, 0, message);
  }

  /** Counts what came since the last message that was known, as far as it was not read meanwhile. */
  missed(unread, { known, readSeq }) {
    const since = this.readSeq > readSeq ? this.lastSeq - this.readSeq : unread + this.lastSeq - known;
    this.unread = Math.max(0, since);
    if (this.unread > 0 && this.unreadFrom === 0) this.unreadFrom = this.readSeq + 1;
  }

  /** Something that happened, in between; it is gone when the page is loaded again. */
  notice(parts, time) {
    if (!this.loaded || !this.atEnd) return;
    this.#notices += 1;
    this.entries.push({ type: 'notice', n: this.#notices, parts, time });
    this.#trim();
  }

  /** Starts the window anew with a page of history. */
  show(messages, { hasOlder, atEnd }) {
    this.entries = messages;
    this.hasOlder = hasOlder;
    this.atEnd = atEnd;
    this.loaded = true;
  }

  /** Forgets the window: it is read again when it is shown. */
  unload() {
    this.entries = [];
    this.loaded = false;
    this.failed = false;
    this.atEnd = true;
    this.hasOlder = false;
  }

  prepend(messages, more) {
    // The window was left meanwhile.
    if (!this.loaded) return;
    this.entries.unshift(...messages);
    this.hasOlder = more;
    this.#trimNewest();
  }

  append(messages, more) {
    if (!this.loaded) return;
    for (const message of messages) this.insert(message);
    this.atEnd = !more;
    this.#trimOldest();
  }

  /** Keeps a window in bounds that grows by itself: what someone looks at stays. */
  #trim() {
    if (!this.atEnd) return;
    if (this.follows) this.#trimOldest();
    else this.#trimNewest();
  }

  #trimNewest() {
    if (this.entries.length <= ENTRIES_MAX) return;
    this.entries.length -= ENTRIES_TRIM;
    this.atEnd = false;
  }

  #trimOldest() {
    if (this.entries.length <= ENTRIES_MAX) return;
    this.entries.splice(0, this.entries.length - ENTRIES_MAX + ENTRIES_TRIM);
    this.hasOlder = true;
  }

  /** Replaces a message, so that it is drawn again. */
  change(seq, changes) {
    const at = this.entries.findIndex((entry) => entry.type === 'message' && entry.seq === seq);
    if (at >= 0) this.entries[at] = { ...this.entries[at], ...changes };
    if (this.last?.seq === seq) this.last = { ...this.last, ...changes };
    // What was taken back is not quoted either.
    if (changes.recalled && this.replyTo?.seq === seq) this.replyTo = null;
    this.#again(() => this.change(seq, changes));
  }

  remove(matches) {
    this.entries = this.entries.filter((entry) => entry.type !== 'message' || !matches(entry));
    if (this.last && matches(this.last)) {
      this.last = this.entries.findLast((entry) => entry.type === 'message') ?? null;
    }
    if (this.replyTo && matches(this.replyTo)) this.replyTo = null;
    this.#again(() => this.remove(matches));
  }

  /** Removes everything up to a message. */
  clear(seq) {
    const empty = () => {
      this.remove((message) => message.seq <= seq);
      this.hasOlder = false;
    };
    empty();
    this.#again(empty);
    this.read(seq);
  }

  read(seq) {
    if (seq <= this.readSeq) return;
    this.readSeq = seq;
    this.unread = Math.max(0, Math.min(this.unread, this.lastSeq - seq));
    if (this.mentionSeq <= seq) this.mentionSeq = 0;
  }
}
