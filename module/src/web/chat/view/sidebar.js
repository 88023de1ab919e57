// The list of conversations, and who is online.

import { app } from '../app.js';
import { openConversation, openDirect } from '../actions.js';
import { avatar, byId, el, icon, setText, syncList } from '../dom.js';
import { previewText } from '../message.js';
import { byName, count, shortTime } from '../text.js';

/** People that are listed; beyond, only their number is known. */
const PEOPLE_SHOWN = 200;

export const badgeText = (unread) => (unread > 99 ? '99+' : String(unread));

export function conversationAvatar(conversation, size = '') {
  const { kind, id, title } = conversation;
  const isDirect = kind === 'direct';
  return avatar(isDirect ? 'user' : kind, id, title, {
    size,
    presence: isDirect && id !== app.store.me.id ? app.store.isOnline(id) : null,
    picture: conversation.picture || (isDirect ? app.store.pictureOf(id) : ''),
  });
}

function previewOf(conversation) {
  const { last, kind } = conversation;
  if (conversation.draft && app.store.conversation !== conversation) return conversation.draft.slice(0, 120);
  const waiting = app.outbox.of(conversation).at(-1);
  const message = waiting ?? last;
  if (message) {
    const who = message.own ? 'You: ' : kind === 'group' || kind === 'all' ? `${message.from.name}: ` : '';
    return who + previewText(message);
  }
  if (kind === 'all') return 'All who are here';
  if (kind === 'group') return count(conversation.membersTotal, 'member', 'members');
  return app.store.isOnline(conversation.id) ? 'Online' : 'Not online';
}

function drawConversations() {
  const { store } = app;
  const describe = (c) => [
    c.title,
    c.picture,
    previewOf(c),
    c.last && shortTime(c.last.time),
    c.unread,
    c.pinned,
    c.muted,
    c.mentionSeq,
    Boolean(c.draft),
    c === store.conversation,
    c.kind === 'direct' && store.isOnline(c.id),
    c.kind === 'direct' && store.pictureOf(c.id),
  ];
  syncList(byId('conversation-list'), store.ordered(), (c) => c.key, describe, buildConversation);
}

function buildConversation(conversation) {
  const { key, title, unread, last, muted, pinned, mentionSeq } = conversation;
  const isCurrent = conversation === app.store.conversation;
  const classes = ['row', unread > 0 && !muted && 'has-unread'].filter(Boolean).join(' ');
  const badge =
    unread > 0 &&
    el(
      'span',
      { class: muted ? 'badge quiet-badge' : 'badge', 'data-testid': 'unread' },
      badgeText(unread),
      el('span', { class: 'said-only' }, ' unread'),
    );
  return el(
    'button',
    {
      class: classes,
      type: 'button',
      'data-conversation': key,
      'data-testid': key === 'all' ? 'conversation-all' : 'conversation',
      'data-name': title,
      'aria-current': isCurrent ? 'true' : null,
      onclick: () => openConversation(conversation),
    },
    conversationAvatar(conversation),
    el(
      'span',
      { class: 'row-text' },
      el(
        'span',
        { class: 'row-line' },
        el('bdi', { class: 'row-name' }, title),
        pinned && el('span', { class: 'row-sign', title: 'Pinned' }, icon('pin')),
        muted && el('span', { class: 'row-sign', title: 'Muted' }, icon('muted')),
        last && el('span', { class: 'row-time' }, shortTime(last.time)),
      ),
      el(
        'span',
        { class: 'row-line second' },
        mentionSeq > 0 && el('span', { class: 'row-call' }, '@'),
        conversation.draft && !isCurrent && el('span', { class: 'row-draft' }, 'Draft:'),
        el('span', { class: 'row-detail', dir: 'auto' }, previewOf(conversation)),
        badge,
      ),
    ),
  );
}

function drawPeople() {
  const { store } = app;
  const everyone = [...store.people.values()].sort((a, b) => byName.compare(a.name, b.name));
  const people = everyone.slice(0, PEOPLE_SHOWN);
  const describe = (user) => [
    store.nameOf(user.id, user.name),
    store.pictureOf(user.id),
    platformsText(user),
    store.friends.has(user.id),
  ];
  syncList(byId('people-list'), people, (user) => user.id, describe, buildPerson);
  const others = Math.max(everyone.length, store.peopleTotal - 1);
  setText(byId('people-count'), others > 0 ? others.toLocaleString() : '');
  const beyond = others - people.length;
  const empty = byId('people-empty');
  empty.hidden = people.length > 0 && beyond <= 0;
  setText(empty, people.length === 0 ? 'Nobody else is here yet.' : `and ${beyond.toLocaleString()} more`);
}

/** Where someone is, if not just on the web like most. */
function platformsText(user) {
  const names = { desktop: 'Desktop', android: 'Android', ios: 'iOS', other: 'Other' };
  return (user.platforms ?? [])
    .map((platform) => names[platform])
    .filter(Boolean)
    .join(', ');
}

function buildPerson(user) {
  const where = platformsText(user);
  const name = app.store.nameOf(user.id, user.name);
  return el(
    'button',
    {
      class: 'row compact',
      type: 'button',
      'data-testid': `user-${user.id}`,
      'data-name': name,
      title: `Write to ${name}`,
      onclick: () => openDirect(user),
    },
    avatar('user', user.id, name, { size: 'small', presence: true, picture: app.store.pictureOf(user.id) }),
    el('bdi', { class: 'row-name' }, name),
    app.store.friends.has(user.id) && el('span', { class: 'row-tag' }, 'Friend'),
    where && el('span', { class: 'row-tag' }, where),
  );
}

app.views.push(() => {
  if (app.screen === 'login') return;
  drawConversations();
  drawPeople();
  const { waiting } = app.store;
  byId('people-badge').hidden = waiting === 0;
  setText(byId('people-badge'), badgeText(waiting));
  const elsewhere = app.store.unread(app.store.conversation);
  byId('back-unread').hidden = elsewhere === 0;
  setText(byId('back-unread'), badgeText(elsewhere));
});
