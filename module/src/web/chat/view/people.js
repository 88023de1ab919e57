// Friends, who asks to become one, who asks to join a group, and whom one has blocked.

import { app } from '../app.js';
import { avatar, button, busily, byId, el, syncList } from '../dom.js';
import { byName, errorText } from '../text.js';
import { askFriend } from './person.js';
import { attempt, openDialog } from './overlay.js';
import { userRow } from './search.js';

const PAUSE = 200;
const ask = (op, data) => app.link.request(op, data);

const TABS = [
  ['friends', 'Friends'],
  ['requests', 'Requests'],
  ['find', 'Find'],
  ['blocked', 'Blocked'],
];
let open = null;

export function openPeople(tab = app.store.waiting > 0 ? 'requests' : 'friends') {
  const dialog = openDialog({ title: 'People', testId: 'people-dialog' }, (body) => {
    const tabs = el(
      'div',
      { class: 'choices', role: 'tablist' },
      TABS.map(([key, text]) =>
        el(
          'button',
          {
            class: 'choice',
            type: 'button',
            role: 'tab',
            'data-way': key,
            'data-testid': `people-${key}`,
            onclick: () => show(key),
          },
          text,
        ),
      ),
    );
    open = { tab: '', tabs, page: el('div', { class: 'dialog-page', role: 'tabpanel' }) };
    body.append(tabs, open.page);
    show(tab);
  });
  dialog.addEventListener('close', () => {
    open = null;
  });
}

function show(tab) {
  open.tab = tab;
  for (const choice of open.tabs.children) {
    choice.setAttribute('aria-pressed', String(choice.dataset.way === tab));
    choice.setAttribute('aria-selected', String(choice.dataset.way === tab));
  }
  open.page.replaceChildren(tab === 'find' ? buildFind() : el('ul', { class: 'list', 'data-testid': `${tab}-list` }));
  if (tab === 'find') open.page.querySelector('input').focus();
  else drawPage();
}

function drawPage() {
  if (!open || open.tab === 'find') return;
  const { store } = app;
  const list = open.page.querySelector('ul');
  const { items, key, stamp, build, none } = {
    friends: {
      items: [...store.friends.values()].sort(
        (a, b) => Number(b.online) - Number(a.online) || byName.compare(a.remark || a.name, b.remark || b.name),
      ),
      key: (friend) => friend.id,
      stamp: (friend) => friend,
      build: (friend) => userRow(friend),
      none: 'You have no friends here yet. Find somebody.',
    },
    requests: {
      items: [...store.requests, ...store.applications, ...store.requestsMade],
      key: (request) =>
        request.group ? `a${request.group}:${request.user.id}` : `f${request.from.id}:${request.to.id}`,
      stamp: (request) => request,
      build: buildRequest,
      none: 'Nobody waits for an answer.',
    },
    blocked: {
      items: [...store.blocked.values()],
      key: (user) => user.id,
      stamp: (user) => user,
      build: (user) => userRow(user),
      none: 'You have blocked nobody.',
    },
  }[open.tab];
  const shown = items.length > 0 ? items : [null];
  syncList(
    list,
    shown,
    (item) => (item ? key(item) : 'none'),
    (item) => item && stamp(item),
    (item) => (item ? build(item) : el('p', { class: 'quiet' }, none)),
  );
}

function buildRequest(request) {
  if (request.group)
    return buildAnswer(request.user, `wants to join ${request.group_name}`, request.text, (accept) =>
      ask('group.answer', { group: request.group, user: request.user.id, accept }),
    );
  if (request.to.id === app.store.me.id)
    return buildAnswer(request.from, 'wants to be your friend', request.text, (accept) =>
      ask('friend.answer', { user: request.from.id, accept }),
    );
  return el(
    'div',
    { class: 'row' },
    avatar('user', request.to.id, request.to.name, { size: 'small' }),
    el(
      'span',
      { class: 'row-text' },
      el('bdi', { class: 'row-name' }, request.to.name),
      el('span', { class: 'row-detail' }, 'has not answered you yet'),
    ),
  );
}

function buildAnswer(user, what, text, answer) {
  const reply = (accept) => (event) => busily(event.currentTarget, () => attempt(() => answer(accept)));
  return el(
    'div',
    { class: 'request', 'data-testid': 'request', 'data-name': user.name },
    el(
      'div',
      { class: 'row' },
      avatar('user', user.id, user.name, { size: 'small' }),
      el(
        'span',
        { class: 'row-text' },
        el('bdi', { class: 'row-name' }, user.name),
        el('span', { class: 'row-detail' }, what),
      ),
    ),
    text && el('p', { class: 'request-text', dir: 'auto' }, text),
    el(
      'div',
      { class: 'request-actions' },
      button('Accept', reply(true), { class: 'button small primary', 'data-testid': 'request-accept' }),
      button('Refuse', reply(false), { class: 'button small', 'data-testid': 'request-refuse' }),
    ),
  );
}

/** Finding people by their names, to become friends. */
function buildFind() {
  const list = el('ul', { class: 'list', 'aria-live': 'polite', 'data-testid': 'find-list' });
  const input = el('input', {
    type: 'search',
    placeholder: 'Name or login name',
    'aria-label': 'Name or login name',
    autocomplete: 'off',
    maxlength: 100,
    'data-testid': 'find-input',
  });
  let timer = 0;
  let latest = 0;
  input.addEventListener('input', () => {
    clearTimeout(timer);
    latest += 1;
    const turn = latest;
    const query = input.value.trim();
    if (!query) {
      list.replaceChildren();
      return;
    }
    timer = setTimeout(async () => {
      const found = await ask('user.search', { query, limit: 30 }).catch((error) => ({ error }));
      if (turn !== latest) return;
      const users = found.users?.filter((user) => user.id !== app.store.me.id) ?? [];
      const none = found.error ? errorText(found.error) : 'Nobody by that name.';
      list.replaceChildren(
        ...(users.length > 0
          ? users.map((user) => el('li', {}, userRow(user, addButton(user))))
          : [el('li', { class: 'quiet' }, none)]),
      );
    }, PAUSE);
  });
  return el('div', {}, el('div', { class: 'dialog-pad' }, input), list);
}

const addButton = (user) =>
  app.store.friends.has(user.id)
    ? el('span', { class: 'row-tag' }, 'Friend')
    : button('Add', () => askFriend(user), {
        class: 'button small primary',
        'data-testid': `add-${user.id}`,
        'aria-label': `Add ${user.name}`,
      });

byId('people-open').addEventListener('click', () => openPeople());
app.views.push(drawPage);
