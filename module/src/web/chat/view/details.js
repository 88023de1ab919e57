// The panel beside a conversation: who the other one is, or the group, its members and its settings.

import { app, draw, isPhone } from '../app.js';
import { readMembers } from '../actions.js';
import { byId, el, setText, syncOne } from '../dom.js';
import { attempt } from './overlay.js';
import { buildGroup } from './group.js';
import { personActions, profileHead } from './person.js';

const isNarrow = matchMedia('(max-width: 1040px)');
let open = matchMedia('(min-width: 1100px)').matches;
/** The profile that is shown, as the server told it. */
let profile = null;
let reading = null;

async function read(conversation) {
  if (reading === conversation || app.link.state !== 'connected') return;
  reading = conversation;
  await attempt(async () => {
    if (conversation.kind === 'group') await readMembers(conversation);
    else profile = (await app.link.request('user.get', { user: conversation.id })).user;
  });
  // What failed is not asked for again with each drawing; opening the panel anew does.
  conversation.members ??= new Map();
  reading = null;
  draw();
}

function drawDetails() {
  if (app.screen === 'login') return;
  const { store } = app;
  const { conversation } = store;
  const panel = byId('details');
  const isGroup = conversation.kind === 'group';
  panel.hidden =
    !open ||
    conversation.left ||
    !(isGroup || conversation.kind === 'direct') ||
    (isPhone.matches && app.screen === 'list');
  byId('details-toggle').setAttribute('aria-expanded', String(!panel.hidden));
  if (panel.hidden) return;
  setText(byId('details-title'), isGroup ? 'Group' : 'Profile');
  const body = byId('details-body');
  if (isGroup) {
    if (!conversation.members && store.ready) read(conversation);
    const group = store.groups.get(conversation.id);
    const members = [...(conversation.members?.values() ?? [])];
    syncOne(body, [conversation.key, group, members, [...store.friends.keys()]], () =>
      buildGroup(conversation, group, members),
    );
    return;
  }
  if (profile?.id !== conversation.id && store.ready && !conversation.members) read(conversation);
  // Whether they are online changes while the profile is shown.
  const online = store.isOnline(conversation.id);
  const isRead = profile?.id === conversation.id;
  const user = isRead ? { ...profile, online } : { id: conversation.id, name: conversation.title };
  const standing = [
    store.friends.get(user.id),
    store.blocked.has(user.id),
    store.isOnline(user.id),
    store.requestsMade.length,
  ];
  syncOne(body, [conversation.key, user, standing], () => [
    profileHead(user),
    el('div', { class: 'panel-actions' }, personActions(user).slice(1)),
  ]);
}

function toggle(next) {
  open = next;
  const { conversation } = app.store;
  if (open) conversation.members = null;
  app.drawNow();
  byId(open ? 'details-close' : 'details-toggle').focus();
}

byId('details-toggle').addEventListener('click', () => toggle(byId('details').hidden));
byId('details-close').addEventListener('click', () => toggle(false));
app.on.leaveConversation = () => {
  // Beside the list there is room for it; over the messages it would be in the way.
  if (isNarrow.matches) open = false;
};
isNarrow.addEventListener('change', () => {
  if (isNarrow.matches) open = false;
  draw();
});

app.views.push(drawDetails);
