// A message as the log shows it, and what can be done with it.

import { app, draw } from '../app.js';
import { deleteForMe, openAt, readersOf, takeBack } from '../actions.js';
import { avatar, button, el, icon, iconButton, timeElement } from '../dom.js';
import { fileOf, isText, mentionedIn, previewText, quotedIn } from '../message.js';
import { graphemesOf } from '../text.js';
import { buildFile } from './file.js';
import { attempt, openDialog, openMenu, toast } from './overlay.js';
import { openPerson } from './person.js';

/** A body longer than this is folded until someone asks for the rest. */
const FOLD_CHARS = 1600;
const FOLD_LINES = 24;
const READERS_SHOWN = 100;

export function buildMessage(message, { first, isRead, conversation }) {
  const { own, from, state } = message;
  if (message.recalled) return buildRecalled(message);
  const grouped = !own && (conversation.kind === 'group' || conversation.kind === 'all');
  const name = app.store.nameOf(from.id, from.name);
  const sender = () =>
    el(
      'button',
      { class: `sender hue-${Math.abs(from.id) % 10}`, type: 'button', onclick: () => openPerson(from) },
      el('bdi', {}, name),
    );
  const side =
    grouped &&
    el(
      'div',
      { class: 'message-side' },
      first && avatar('user', from.id, name, { size: 'small', picture: memberPicture(conversation, from.id) }),
    );
  const classes = ['message', own && 'own', first && 'first', fileOf(message)?.isPicture && 'with-picture'];
  return el(
    'div',
    {
      class: classes.filter(Boolean).join(' '),
      'data-testid': 'message',
      'data-sender': from.name,
      'data-state': state,
      'data-seq': message.seq || null,
      'data-read': isRead ? 'true' : null,
    },
    side,
    el(
      'div',
      { class: 'message-column' },
      grouped && first ? sender() : el('span', { class: 'said-only' }, own ? 'You: ' : `${name}: `),
      el(
        'div',
        { class: 'bubble-row' },
        el(
          'div',
          { class: 'bubble' },
          buildQuote(message, conversation),
          buildBody(message),
          buildMeta(message, isRead),
        ),
        state === 'sent' &&
          iconButton(
            'more',
            'What to do with the message',
            (event) => openActions(event.currentTarget, message, conversation),
            {
              class: 'icon-button message-more',
              'data-testid': 'message-more',
              'aria-haspopup': 'menu',
            },
          ),
      ),
      state === 'failed' && buildFailure(message),
    ),
  );
}

const memberPicture = (conversation, id) => conversation.members?.get(id)?.picture || app.store.pictureOf(id);

function buildRecalled(message) {
  // Who did it is told when it happens, and is not always the sender.
  const { recalledBy: by } = message;
  const who = by && (by.id === app.store.me.id ? 'You' : el('bdi', {}, app.store.nameOf(by.id, by.name)));
  return el(
    'div',
    { class: 'notice', 'data-testid': 'recalled', 'data-seq': message.seq },
    who ? [who, ' took back a message'] : 'A message was taken back',
    timeElement(message.time),
  );
}

function buildQuote(message, conversation) {
  const quote = quotedIn(message);
  if (!quote) return null;
  return el(
    'button',
    {
      class: 'quote',
      type: 'button',
      'data-testid': 'quote',
      onclick: () => attempt(() => openAt(conversation, quote.seq)),
    },
    el('bdi', { class: 'quote-name' }, quote.name),
    el('span', { class: 'quote-text', dir: 'auto' }, quote.text),
  );
}

function buildBody(message) {
  const file = fileOf(message);
  if (file) return buildFile(message, file);
  const { body, kind } = message;
  const content = el(
    'div',
    { class: 'body', dir: 'auto', 'data-testid': 'message-body' },
    linked(body, mentionedIn(message)),
  );
  const nodes = isText(message) ? [content] : [el('span', { class: 'kind' }, kind), content];
  if (kind === 'text' && isFewEmoji(body)) content.classList.add('emoji');
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
function linked(text, mentioned) {
  const nodes = [];
  let end = 0;
  for (const match of text.matchAll(LINK)) {
    // The full stop after an address is the sentence's, and so is a bracket that the address does not open.
    const bare = match[0].replace(/[.,;:!?\]}]+$/u, '');
    const address = bare.includes('(') ? bare : bare.replace(/\).*$/u, '');
    if (!URL.canParse?.(address)) continue;
    nodes.push(...called(text.slice(end, match.index), mentioned));
    nodes.push(el('a', { href: address, target: '_blank', rel: 'noopener noreferrer nofollow' }, address));
    end = match.index + address.length;
  }
  nodes.push(...called(text.slice(end), mentioned));
  return nodes.filter((node) => node !== '');
}

/** Text with the names of those whom it calls lifted out. */
function called(text, mentioned) {
  const nodes = [];
  let end = 0;
  for (let at = text.indexOf('@'); at >= 0; at = text.indexOf('@', Math.max(at + 1, end))) {
    const who = mentioned.find(({ name }) => text.startsWith(name, at + 1));
    if (!who) continue;
    const mark = el('span', { class: who.id === app.store.me.id ? 'call self' : 'call' }, `@${who.name}`);
    nodes.push(text.slice(end, at), mark);
    end = at + 1 + who.name.length;
  }
  return [...nodes, text.slice(end)];
}

const STATES = { sending: 'sending', sent: 'sent', failed: 'not sent' };

function buildMeta(message, isRead) {
  const sign = isRead ? 'read' : message.state;
  return el(
    'span',
    { class: 'meta' },
    timeElement(message.time),
    message.own && [icon(sign), el('span', { class: 'said-only' }, isRead ? 'read' : STATES[message.state])],
  );
}

function buildFailure(message) {
  return el(
    'div',
    { class: 'failure' },
    el('span', {}, `Not sent. ${message.failure}`),
    el('button', { type: 'button', 'data-testid': 'retry', onclick: () => app.outbox.retry(message) }, 'Try again'),
    el('button', { type: 'button', 'data-testid': 'discard', onclick: () => app.outbox.discard(message) }, 'Discard'),
  );
}

/** How far a file has come on its way to the server. */
export function drawProgress(node, { upload }) {
  const bar = node.querySelector('progress');
  if (bar) bar.value = upload.progress;
}

function openActions(anchor, message, conversation) {
  const { own, body } = message;
  const reply = () => {
    conversation.replyTo = message;
    draw();
    document.getElementById('message-input').focus();
  };
  const copy = () =>
    attempt(async () => {
      await navigator.clipboard.writeText(body);
      toast('Copied.');
    });
  openMenu(anchor, [
    app.store.silenced(conversation) === '' && { text: 'Reply', run: reply, testId: 'menu-reply' },
    isText(message) && navigator.clipboard && { text: 'Copy text', run: copy },
    own &&
      conversation.kind === 'group' && {
        text: 'Who has read it',
        run: () => showReaders(message, conversation),
        testId: 'menu-readers',
      },
    (own || app.store.runs(conversation)) && {
      text: 'Take back',
      run: () => attempt(() => takeBack(message)),
      danger: true,
      testId: 'menu-recall',
    },
    { text: 'Delete for me', run: () => attempt(() => deleteForMe(message)), danger: true, testId: 'menu-delete' },
  ]);
}

function showReaders(message, conversation) {
  attempt(async () => {
    const { read, members, readers } = await readersOf(conversation, message.seq);
    openDialog({ title: `Read by ${read} of ${members}`, testId: 'readers' }, (body, dialog) => {
      const rows = readers.slice(0, READERS_SHOWN).map((id) => {
        const name = app.store.nameOf(id, conversation.members?.get(id)?.name);
        return el(
          'li',
          { class: 'row compact' },
          avatar('user', id, name, { size: 'small', picture: memberPicture(conversation, id) }),
          el('bdi', { class: 'row-name' }, name),
        );
      });
      body.append(
        el('p', { class: 'dialog-text quoted', dir: 'auto' }, previewText(message)),
        el('ul', { class: 'list' }, rows),
        el(
          'div',
          { class: 'dialog-actions' },
          button('Close', () => dialog.close()),
        ),
      );
    });
  });
}
