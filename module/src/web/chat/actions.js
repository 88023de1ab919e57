// What a person does. Each action asks the server; what changes comes back through the inbox.

import { app, draw, isPhone } from './app.js';
import { draftOf, messageOf, quoteOf } from './message.js';
import { bytesOf } from './text.js';

/** A body's size in bytes of UTF-8 (docs/protocol.md, message.send). */
export const BODY_BYTES_MAX = 16384;
const HISTORY_PAGE = 50;
/** Messages shown on either side of one that was searched for. */
const AROUND = 25;
/** How often one tells that one is typing, and in how large a group. */
const TYPING_EVERY = 4_000;
const TYPING_MEMBERS_MAX = 50;

const ask = (op, data) => app.link.request(op, data);

// Conversations

/** A conversation is seen while it is on a screen that someone may be looking at. */
export function isSeen(conversation) {
  const onScreen = !isPhone.matches || app.screen === 'conversation';
  return app.store.conversation === conversation && onScreen && document.visibilityState === 'visible';
}

/** How often a conversation was opened: what was meant to follow on an earlier time is not wanted any more. */
let openings = 0;

export function openConversation(conversation) {
  openings += 1;
  const before = app.store.conversation;
  conversation.failed = false;
  if (before !== conversation) {
    app.on.leaveConversation?.(before);
    app.drafts.save(before);
    before.unreadFrom = 0;
  }
  app.store.current = conversation.key;
  if (app.screen !== 'conversation') {
    app.screen = 'conversation';
    // The back gesture of a phone leads to the list, not out of the page.
    if (isPhone.matches) history.pushState({ conversation: true }, '');
  }
  app.on.openConversation?.(conversation);
  app.inbox.meet(conversation);
  load(conversation);
  markRead(conversation);
  draw();
}

export const openDirect = (user) => openConversation(app.store.direct(user));

export function backToList() {
  if (history.state?.conversation) history.back();
  else showList();
}

export function showList() {
  app.drafts.save(app.store.conversation);
  app.screen = 'list';
  draw();
}

/** Says that a conversation is read, once for however many messages. */
export function markRead(conversation) {
  const { lastSeq } = conversation;
  if (!isSeen(conversation) || lastSeq <= conversation.readSeq) return;
  conversation.read(lastSeq);
  draw();
  app.receipts.tell(conversation.key, lastSeq);
}

export const setPinned = (conversation, pinned) => ask('conversation.set', { conversation: conversation.key, pinned });
export const setMuted = (conversation, muted) =>
  ask('conversation.set', { conversation: conversation.key, muted: muted ? 1 : 0 });

export async function clearConversation(conversation, unlist) {
  if (conversation.lastSeq > 0) await ask('conversation.clear', { conversation: conversation.key, unlist });
  if (!unlist) return;
  app.store.forget(conversation);
  if (isPhone.matches) backToList();
  else openConversation(app.store.conversation);
}

// History

/** Asks for a page of history and has it taken. */
async function askHistory(conversation, around, take) {
  const page = await ask('message.history', { conversation: conversation.key, limit: HISTORY_PAGE, ...around });
  conversation.peerRead = Math.max(conversation.peerRead, page.peer_read_seq ?? 0);
  conversation.readSeq = Math.max(conversation.readSeq, page.read_seq);
  take(
    page.messages.map((data) => messageOf(data, app.store.me.id)),
    page,
  );
}

async function readHistory(conversation, around, take) {
  if (conversation.loading || !app.store.ready) return;
  draw();
  try {
    await conversation.readPage(() =>
      askHistory(conversation, around, take).catch((error) => {
        // A group that one never was in, or a person with whom nothing was said yet, has no history.
        if (error.code !== 'not_found' && error.code !== 'forbidden') throw error;
        conversation.loaded = true;
      }),
    );
  } catch (error) {
    conversation.failed = error.code !== 'lost';
  }
  draw();
}

/** Reads the latest page, if it is not there. */
export function load(conversation) {
  if (conversation.loaded) return;
  readHistory(conversation, {}, (messages, page) => {
    conversation.show(messages, { hasOlder: page.more, atEnd: true });
    conversation.lastSeq = Math.max(conversation.lastSeq, page.last_seq);
    if ((messages.at(-1)?.seq ?? 0) > (conversation.last?.seq ?? 0)) conversation.last = messages.at(-1);
    markRead(conversation);
  });
}

export function loadOlder(conversation) {
  if (!conversation.loaded || !conversation.hasOlder) return;
  // Where all messages of the window are deleted, those before it come before what is to be.
  const before = conversation.firstSeq || conversation.lastSeq + 1;
  readHistory(conversation, { before }, (messages, page) => {
    conversation.prepend(messages, page.more);
  });
}

export function loadNewer(conversation) {
  if (!conversation.loaded || conversation.atEnd) return;
  readHistory(conversation, { after: conversation.newestSeq }, (messages, page) => {
    conversation.append(messages, page.more);
  });
}

/** Shows the latest messages again, after something old was looked at. */
export function loadLatest(conversation) {
  conversation.unload();
  load(conversation);
}

/** Opens a conversation where a message stands, as soon as it can be read. Fails if that part of it cannot be. */
export async function openAt(conversation, seq) {
  openConversation(conversation);
  const opening = openings;
  // Before everything is caught up with, no history is read.
  if (!conversation.find(seq)) await app.whenReady();
  // The message may be in the page that is on its way; if not, the one around it is asked for after that.
  while (conversation.loading) await conversation.reading.catch(() => {});
  if (opening !== openings) return;
  markRead(conversation);
  if (!conversation.find(seq)) {
    const around = { before: seq + AROUND, limit: AROUND * 2 };
    await conversation.readPage(() =>
      askHistory(conversation, around, (messages, page) => {
        if (messages.length === 0) return;
        conversation.show(messages, { hasOlder: page.more, atEnd: messages.at(-1).seq >= page.last_seq });
      }),
    );
  }
  if (opening === openings) app.on.showMessage?.(conversation, seq);
}

// Messages

/** Sends text; gives whether it was taken. */
export function sendText(conversation, text, mentioned) {
  // A lone surrogate has no UTF-8; the server would refuse the whole message as malformed.
  const body = text.toWellFormed ? text.toWellFormed() : text;
  if (!body || bytesOf(body) > BODY_BYTES_MAX || !maySend(conversation)) return false;
  const { replyTo } = conversation;
  const extra = {};
  if (replyTo) extra.quote = quoteOf(replyTo);
  if (mentioned.length > 0) extra.mentions = mentioned.map(({ id, name }) => ({ id, name }));
  const kind = replyTo ? 'quote' : mentioned.length > 0 ? 'mention' : 'text';
  send(conversation, { kind, body, extra, mentions: mentioned.map(({ id }) => id) });
  conversation.replyTo = null;
  app.drafts.set(conversation, '');
  app.drafts.save(conversation);
  return true;
}

export function sendFiles(conversation, files) {
  for (const file of files) {
    if (!maySend(conversation)) return;
    const isPicture = /^image\/(png|jpeg|gif|webp)$/u.test(file.type);
    const message = draftOf(conversation, app.store.me, { kind: isPicture ? 'picture' : 'file', body: '' });
    message.upload = { file, progress: 0, abort: new AbortController() };
    push(conversation, message);
  }
}

const maySend = (conversation) =>
  app.store.silenced(conversation) === '' && app.link.state !== 'kicked' && !app.outbox.isFull;

function send(conversation, draft) {
  push(conversation, draftOf(conversation, app.store.me, draft));
}

function push(conversation, message) {
  if (!conversation.atEnd) loadLatest(conversation);
  // What is typed after it is news.
  toldTyping.key = '';
  conversation.unreadFrom = 0;
  app.outbox.add(message);
  app.on.sent?.(conversation);
}

/** Lets the others see that one is writing; the server may not know of that. */
let saysTyping = true;
/** When, and where, since nothing was sent. */
let toldTyping = { key: '', time: 0 };

export function tellTyping({ key, kind, id, membersTotal }) {
  const now = Date.now();
  const isFew = kind === 'direct' || (kind === 'group' && membersTotal <= TYPING_MEMBERS_MAX);
  const isTold = key === toldTyping.key && now - toldTyping.time < TYPING_EVERY;
  if (!saysTyping || !isFew || !app.store.ready || isTold) return;
  toldTyping = { key, time: now };
  const to = kind === 'direct' ? { user: id } : { group: id };
  ask('message.signal', { to, body: 'typing' }).catch(({ code }) => {
    if (code === 'unknown_op') saysTyping = false;
  });
}

export const takeBack = ({ conversation, seq }) => ask('message.recall', { conversation, seq });
export const deleteForMe = ({ conversation, seq }) => ask('message.delete', { conversation, seqs: [seq] });
export const readersOf = (conversation, seq) => ask('message.readers', { group: conversation.id, seq });

// Groups

export async function enterGroup(op, data) {
  const { group, applied } = await ask(op, data);
  if (!applied) openConversation(app.store.group(group));
  return { group, applied };
}

export async function readMembers(conversation) {
  const members = new Map();
  let after;
  let total = 0;
  // More than this are found by searching, not by scrolling.
  while (members.size < 1000) {
    const ok = await ask('group.members', { group: conversation.id, after, limit: 500 });
    for (const member of ok.members) members.set(member.id, member);
    total = ok.total;
    after = ok.next;
    if (after === undefined) break;
  }
  conversation.members = members;
  conversation.membersTotal = total;
  draw();
}
