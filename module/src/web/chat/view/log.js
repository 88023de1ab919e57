// The messages of the open conversation: a window that follows its end, or keeps its place while more comes at either side.

import { app, draw } from '../app.js';
import { isSeen, load, loadLatest, loadNewer, loadOlder, markRead } from '../actions.js';
import { button, byId, el, setText, syncOne, timeElement } from '../dom.js';
import { keyOf } from '../message.js';
import { count, dayOf, dayText } from '../text.js';
import { buildMessage, drawProgress } from './bubble.js';
import { conversationAvatar } from './sidebar.js';

/** Messages of one sender that are closer than this share a heading. */
const RUN_GAP = 5 * 60_000;
/** So close to an end of what is there, more is asked for. */
const NEAR = 300;
const FAR = 480;
/** A message that was looked for is lit up for so long. */
const LIT_MS = 2_000;

const log = byId('log');
const scroll = byId('log-scroll');

/** Whether the log is at its end and stays there as it grows. */
let follow = true;
let chipCount = 0;
/** What is drawn: the conversation, and for each child its key and what it was drawn from. */
let shown = null;
const nodes = new Map();

/** What the children of the log should be: `{ key, from, build }`, where `from` is compared by identity. */
function linesOf(conversation) {
  const lines = [];
  const entries = conversation.atEnd ? [...conversation.entries, ...app.outbox.of(conversation)] : conversation.entries;
  const last = conversation.atEnd ? entries.findLast((entry) => entry.type === 'message') : null;
  let previous = null;
  for (const entry of entries) {
    if (!previous || dayOf(previous.time) !== dayOf(entry.time)) {
      const text = dayText(entry.time);
      lines.push({
        key: `d${dayOf(entry.time)}`,
        from: [text],
        build: () => el('div', { class: 'day', role: 'separator' }, text),
      });
    }
    if (entry.type === 'notice') {
      lines.push({ key: `n${entry.n}`, from: [entry], build: () => buildNotice(entry) });
    } else {
      const isNew = entry.seq > 0 && entry.seq === conversation.unreadFrom && !entry.own;
      if (isNew)
        lines.push({
          key: 'unread',
          from: [],
          build: () => el('div', { class: 'unread-line', role: 'separator' }, 'New'),
        });
      const first = startsRun(entry, previous) || isNew;
      const isRead = entry.own && conversation.kind === 'direct' && entry.seq > 0 && entry.seq <= conversation.peerRead;
      const from = [entry, first, isRead, app.store.runs(conversation)];
      lines.push({
        key: keyOf(entry),
        from,
        build: () => buildMessage(entry, { first, isRead, conversation }),
        isLast: entry === last,
      });
    }
    previous = entry;
  }
  return lines;
}

/** One message that cannot be shown hides none of the others. */
function built({ key, build }) {
  try {
    return build();
  } catch (error) {
    console.error('gatehouse: a message could not be drawn:', key, error);
    return el('div', { class: 'notice' }, 'This message cannot be shown.');
  }
}

function startsRun(entry, previous) {
  return (
    previous?.type !== 'message' ||
    previous.own !== entry.own ||
    previous.from.id !== entry.from.id ||
    previous.recalled ||
    entry.time - previous.time > RUN_GAP ||
    dayOf(previous.time) !== dayOf(entry.time)
  );
}

function buildNotice({ parts, time }) {
  const content = parts.map((part) => (typeof part === 'string' ? part : el('bdi', {}, part.name)));
  return el('div', { class: 'notice', 'data-testid': 'notice' }, content, timeElement(time));
}

function drawLog() {
  if (app.screen === 'login') {
    shown = null;
    return;
  }
  const { conversation } = app.store;
  const isOther = shown !== conversation;
  if (isOther) {
    if (shown) shown.follows = true;
    shown = conversation;
    log.replaceChildren();
    nodes.clear();
    follow = true;
    chipCount = 0;
  }
  conversation.follows = follow;
  if (!conversation.loaded && !conversation.failed) load(conversation);
  const place = follow ? null : placeOfScroll();
  // Readers of the screen are told what comes, not what was there before.
  log.setAttribute('aria-busy', String(conversation.loading || isOther));
  sync(linesOf(conversation), !isOther && follow && conversation.loaded);
  if (follow) scroll.scrollTop = scroll.scrollHeight;
  else if (place?.node.isConnected) scroll.scrollTop += place.node.getBoundingClientRect().top - place.top;
  drawState(conversation);
  drawChip(conversation);
  fillScreen(conversation);
}

/** Puts the lines into the log, keeping those that are there. */
function sync(lines, moves) {
  const wanted = new Set(lines.map((line) => line.key));
  for (const [key, node] of nodes) {
    if (wanted.has(key)) continue;
    node.remove();
    nodes.delete(key);
  }
  let cursor = log.firstElementChild;
  for (const line of lines) {
    const { key, from, isLast } = line;
    let node = nodes.get(key);
    const isSame = node && node.from.length === from.length && node.from.every((part, at) => part === from[at]);
    if (!isSame) {
      const fresh = built(line);
      fresh.from = from;
      fresh.dataset.key = key;
      if (node) {
        const hadFocus = node.contains(document.activeElement);
        if (node === cursor) cursor = node.nextElementSibling;
        node.remove();
        if (hadFocus) scroll.focus({ preventScroll: true });
      } else if (moves && isLast) fresh.classList.add('fresh');
      nodes.set(key, fresh);
      node = fresh;
    }
    if (node === cursor) cursor = cursor.nextElementSibling;
    else log.insertBefore(node, cursor);
  }
}

/** A line that is in sight and where it stands, to be found there again. */
function placeOfScroll() {
  const top = scroll.getBoundingClientRect().top;
  for (const node of log.children) {
    const box = node.getBoundingClientRect();
    if (box.bottom > top && node.dataset.key !== 'unread' && !node.classList.contains('day'))
      return { node, top: box.top };
  }
  return null;
}

function drawState(conversation) {
  const isEmpty = conversation.loaded && log.childElementCount === 0;
  byId('empty').hidden = !isEmpty;
  const { failed, loading } = conversation;
  syncOne(byId('log-state'), [conversation.key, failed, loading], () =>
    failed
      ? ['The messages could not be read.', button('Try again', readAgain, { class: 'button small' })]
      : loading && 'Loading…',
  );
  if (!isEmpty) return;
  syncOne(byId('empty-mark'), [conversation.key, conversation.title], () => conversationAvatar(conversation, 'large'));
  setText(byId('empty-title'), conversation.kind === 'all' ? 'It is quiet here' : conversation.title);
  setText(
    byId('empty-text'),
    {
      all: 'Say hello: all who are here will read it.',
      group: 'Nothing has been said here yet.',
      direct: 'Only the two of you will read this.',
      system: 'What the operator has to say appears here.',
    }[conversation.kind],
  );
}

/** The drawing asks for what is missing. */
function readAgain() {
  app.store.conversation.failed = false;
  draw();
}

function drawChip(conversation) {
  const far = !conversation.atEnd || scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight > FAR;
  const chip = byId('chip');
  const quiet = follow && conversation.atEnd;
  chip.hidden = quiet || (chipCount === 0 && !far);
  chip.classList.toggle('bare', chipCount === 0);
  if (chipCount === 0) chip.setAttribute('aria-label', 'To the latest messages');
  else chip.removeAttribute('aria-label');
  setText(byId('chip-text'), chipCount === 0 ? '' : count(chipCount, 'new message', 'new messages'));
}

/** Asks for more where the window comes near its ends. */
function fillScreen(conversation) {
  if (!conversation.loaded || conversation.loading || conversation.failed) return;
  if (scroll.scrollTop < NEAR) loadOlder(conversation);
  else if (scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < NEAR) loadNewer(conversation);
}

function toEnd() {
  const { conversation } = app.store;
  follow = true;
  chipCount = 0;
  if (!conversation.atEnd) loadLatest(conversation);
  scroll.scrollTop = scroll.scrollHeight;
  draw();
}

scroll.addEventListener(
  'scroll',
  () => {
    if (app.screen === 'login' || shown !== app.store.conversation) return;
    const { conversation } = app.store;
    follow = conversation.atEnd && scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < 40;
    conversation.follows = follow;
    if (follow) chipCount = 0;
    drawChip(conversation);
    fillScreen(conversation);
  },
  { passive: true },
);

// The log shrinks when the keyboard of a phone comes up or the composer grows, and grows when pictures come; its end
// stays in sight.
const keepEnd = new ResizeObserver(() => {
  if (follow) scroll.scrollTop = scroll.scrollHeight;
});
keepEnd.observe(scroll);
keepEnd.observe(log);

byId('chip').addEventListener('click', toEnd);

app.on.message = (conversation, message) => {
  if (isSeen(conversation)) {
    // Nothing is new to someone who looks on.
    if (follow) conversation.unreadFrom = 0;
    markRead(conversation);
  }
  if (conversation === app.store.conversation && !follow && !message.own) chipCount += 1;
  draw();
};

app.on.sent = () => {
  follow = true;
  chipCount = 0;
};

app.on.progress = (message) => {
  const node = nodes.get(keyOf(message));
  if (node) drawProgress(node, message);
};

/** Brings a message into sight and lights it up. */
app.on.showMessage = (conversation, seq) => {
  const message = conversation.find(seq);
  follow = false;
  app.drawNow();
  const node = message && nodes.get(keyOf(message));
  if (!node) return;
  node.scrollIntoView({ block: 'center' });
  node.classList.add('lit');
  setTimeout(() => node.classList.remove('lit'), LIT_MS);
};

app.views.push(drawLog);
