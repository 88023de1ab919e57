// Searching: people, groups, and one's own messages; everywhere, or in one conversation.

import { app } from '../app.js';
import { enterGroup, openAt, openConversation } from '../actions.js';
import { avatar, busily, byId, el } from '../dom.js';
import { messageOf, previewText } from '../message.js';
import { count, errorText, fold, shortTime } from '../text.js';
import { openPerson } from './person.js';
import { attempt, openDialog, toast } from './overlay.js';

/** Typing goes on for so long before the server is asked. */
const PAUSE = 200;
const FOUND_MAX = 20;
const QUERY_CHARS_MAX = 100;

/** Calls `search(query)` when typing pauses; an answer that is overtaken is thrown away. */
function onTyping(input, search, show) {
  let timer = 0;
  let latest = 0;
  input.maxLength = QUERY_CHARS_MAX;
  input.addEventListener('input', () => {
    clearTimeout(timer);
    const query = input.value.trim();
    latest += 1;
    const turn = latest;
    if (!query) {
      show(null, '');
      return;
    }
    timer = setTimeout(async () => {
      const found = await search(query).catch((error) => ({ error }));
      if (turn === latest) show(found, query);
    }, PAUSE);
  });
}

async function searchEverything(query) {
  const { link, store } = app;
  const [users, groups, messages] = await Promise.all([
    link.request('user.search', { query, limit: FOUND_MAX }),
    link.request('group.search', { query, limit: FOUND_MAX }),
    link.request('message.search', { query, limit: FOUND_MAX }),
  ]);
  return {
    users: users.users.filter((user) => user.id !== store.me.id),
    groups: groups.groups,
    messages: messages.messages.map((data) => messageOf(data, store.me.id)),
  };
}

function whereFrom(message, conversation) {
  const who = message.own ? 'You' : message.from.name;
  if (conversation.kind === 'direct') return message.own ? `You to ${conversation.title}` : who;
  return `${who} in ${conversation.title}`;
}

export function messageRow(message, then = () => {}) {
  const conversation = app.store.open(message.conversation, message.from);
  const open = () => {
    then();
    attempt(() => openAt(conversation, message.seq));
  };
  return el(
    'button',
    { class: 'row', type: 'button', 'data-testid': 'found-message', onclick: open },
    avatar('user', message.from.id, message.from.name, {
      size: 'small',
      picture: app.store.pictureOf(message.from.id),
    }),
    el(
      'span',
      { class: 'row-text' },
      el(
        'span',
        { class: 'row-line' },
        el('bdi', { class: 'row-name' }, whereFrom(message, conversation)),
        el('span', { class: 'row-time' }, shortTime(message.time)),
      ),
      el('span', { class: 'row-line' }, el('span', { class: 'row-detail', dir: 'auto' }, previewText(message))),
    ),
  );
}

export function userRow(user, control = null) {
  const name = app.store.nameOf(user.id, user.name);
  const detail = user.signature || (user.login && fold(user.login) !== fold(name) ? user.login : '');
  return el(
    'div',
    { class: 'row with-action' },
    el(
      'button',
      {
        class: 'row-main',
        type: 'button',
        'data-testid': `found-user-${user.id}`,
        'data-name': name,
        onclick: () => openPerson(user),
      },
      avatar('user', user.id, name, {
        size: 'small',
        presence: user.online === true || app.store.isOnline(user.id),
        picture: user.picture,
      }),
      el(
        'span',
        { class: 'row-text' },
        el('bdi', { class: 'row-name' }, name),
        detail && el('span', { class: 'row-detail', dir: 'auto' }, detail),
      ),
    ),
    control,
  );
}

export function groupRow(group, done = () => {}) {
  const { id, name, joined, members, joining } = group;
  const open = () => {
    done();
    openConversation(app.store.group(group));
  };
  const join = (event) =>
    busily(event.currentTarget, () =>
      attempt(async () => {
        const { applied } = await enterGroup('group.join', { group: id });
        if (applied) toast('Your application waits for those who run the group.');
        else done();
      }),
    );
  const control = joined
    ? el('button', { class: 'button small', type: 'button', 'aria-label': `Open ${name}`, onclick: open }, 'Open')
    : joining === 'invitation'
      ? el('span', { class: 'row-tag' }, 'by invitation')
      : el(
          'button',
          {
            class: 'button small primary',
            type: 'button',
            'data-testid': `group-join-${id}`,
            'aria-label': `Join ${name}`,
            onclick: join,
          },
          joining === 'open' ? 'Join' : 'Apply',
        );
  return el(
    'div',
    { class: 'row', 'data-name': name },
    avatar('group', id, name, { size: 'small', picture: group.picture }),
    el(
      'span',
      { class: 'row-text' },
      el('bdi', { class: 'row-name' }, name),
      el('span', { class: 'row-detail', dir: 'auto' }, group.introduction || count(members, 'member', 'members')),
    ),
    control,
  );
}

const part = (title, rows) =>
  rows.length > 0 &&
  el(
    'section',
    {},
    el('h2', {}, title),
    el(
      'ul',
      { class: 'list' },
      rows.map((row) => el('li', {}, row)),
    ),
  );

function showFound(found, query) {
  const results = byId('found');
  results.hidden = found === null;
  byId('lists').hidden = found !== null;
  if (found === null) return;
  if (found.error) {
    results.replaceChildren(el('p', { class: 'quiet' }, errorText(found.error)));
    return;
  }
  const parts = [
    part(
      'People',
      found.users.map((user) => userRow(user)),
    ),
    part(
      'Groups',
      found.groups.map((group) => groupRow(group, endSearch)),
    ),
    part(
      'Messages',
      found.messages.map((message) => messageRow(message)),
    ),
  ].filter(Boolean);
  const nothing = el('p', { class: 'quiet' }, `Nothing was found for “${query}”.`);
  results.replaceChildren(...(parts.length > 0 ? parts : [nothing]));
}

function endSearch() {
  byId('search').value = '';
  showFound(null, '');
}

onTyping(byId('search'), searchEverything, showFound);
byId('search').addEventListener('keydown', (event) => {
  if (event.key !== 'Escape') return;
  event.stopPropagation();
  endSearch();
});

/** Searching in one conversation. */
function searchHere() {
  const { conversation } = app.store;
  openDialog({ title: `Search in ${conversation.title}`, testId: 'search-dialog' }, (body, dialog) => {
    const input = el('input', {
      type: 'search',
      'aria-label': 'Words to look for',
      placeholder: 'Words',
      autocomplete: 'off',
      'data-testid': 'search-here-input',
    });
    const list = el('ul', { class: 'list', 'aria-live': 'polite' });
    const search = async (query) => {
      const { messages } = await app.link.request('message.search', {
        query,
        conversation: conversation.key,
        limit: 50,
      });
      return messages.map((data) => messageOf(data, app.store.me.id));
    };
    onTyping(input, search, (found, query) => {
      if (found === null) list.replaceChildren();
      else if (found.error) list.replaceChildren(el('li', { class: 'quiet' }, errorText(found.error)));
      else if (found.length === 0)
        list.replaceChildren(el('li', { class: 'quiet' }, `Nothing was found for “${query}”.`));
      else
        list.replaceChildren(
          ...found.map((message) =>
            el(
              'li',
              {},
              messageRow(message, () => dialog.close()),
            ),
          ),
        );
    });
    body.append(el('div', { class: 'dialog-pad' }, input), list);
  });
}

byId('search-here').addEventListener('click', searchHere);
