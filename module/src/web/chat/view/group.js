// A group as its panel shows it, and what its members may do there.

import { app } from '../app.js';
import { openDirect } from '../actions.js';
import { avatar, button, el, iconButton } from '../dom.js';
import { byName, count } from '../text.js';
import { JOINING, friendPicker } from './groups.js';
import { attempt, confirm, form, openDialog, openMenu, toast } from './overlay.js';
import { openPerson } from './person.js';

const TEXT_CHARS_MAX = 1024;
const NAME_CHARS_MAX = 64;
const NICKNAME_CHARS_MAX = 32;
const MUTES = [
  [600, '10 minutes'],
  [3600, 'an hour'],
  [86400, 'a day'],
  [30 * 86400, '30 days'],
];
const RANK = { owner: 2, administrator: 1, member: 0 };

const ask = (op, data) => app.link.request(op, data);

export function buildGroup(conversation, group, members) {
  if (!group) return el('p', { class: 'quiet' }, 'Loading…');
  const runs = app.store.runs(conversation);
  const isOwner = group.role === 'owner';
  const sorted = [...members].sort(
    (a, b) => RANK[b.role] - RANK[a.role] || Number(b.online) - Number(a.online) || byName.compare(a.name, b.name),
  );
  const mayInvite = group.joining !== 'invitation' || runs;
  return [
    el(
      'div',
      { class: 'profile' },
      avatar('group', group.id, group.name, { size: 'large', picture: group.picture }),
      el('p', { class: 'profile-name' }, el('bdi', {}, group.name)),
      el('p', { class: 'profile-detail' }, count(group.members, 'member', 'members')),
      group.introduction && el('p', { class: 'profile-words', dir: 'auto' }, group.introduction),
    ),
    group.announcement &&
      el('div', { class: 'announcement' }, el('h3', {}, 'Announcement'), el('p', { dir: 'auto' }, group.announcement)),
    el(
      'div',
      { class: 'panel-actions' },
      mayInvite && button('Invite', () => invite(conversation), { 'data-testid': 'group-invite' }),
      runs && button('Settings', () => openSettings(group), { 'data-testid': 'group-settings' }),
      button('My name here', () =>
        rename(
          conversation,
          members.find((member) => member.id === app.store.me.id),
        ),
      ),
    ),
    el('h3', { class: 'panel-title' }, 'Members'),
    el(
      'ul',
      { class: 'list members-list', 'data-testid': 'members-list' },
      sorted.map((member) => el('li', {}, buildMember(member, conversation, group))),
    ),
    group.members > members.length &&
      members.length > 0 &&
      el('p', { class: 'quiet' }, `and ${(group.members - members.length).toLocaleString()} more`),
    el(
      'div',
      { class: 'panel-foot' },
      button('Leave the group', () => leave(conversation, group), {
        class: 'button wide danger',
        'data-testid': 'group-leave',
      }),
      isOwner &&
        button('Dismiss the group', () => dismiss(group), {
          class: 'button wide danger',
          'data-testid': 'group-dismiss',
        }),
    ),
  ];
}

function buildMember(member, conversation, group) {
  const isSelf = member.id === app.store.me.id;
  const name = member.nickname || app.store.nameOf(member.id, member.name);
  const tag = { owner: 'Owner', administrator: 'Admin' }[member.role];
  const isMuted = member.muted_until > Date.now();
  return el(
    'div',
    { class: 'row compact', 'data-testid': `member-${member.id}`, 'data-name': member.name },
    avatar('user', member.id, member.name, { size: 'small', presence: member.online, picture: member.picture }),
    el('bdi', { class: 'row-name' }, name),
    el('span', { class: 'said-only' }, member.online ? 'online' : 'not online'),
    isSelf && el('span', { class: 'row-tag' }, 'you'),
    isMuted && el('span', { class: 'row-tag' }, 'muted'),
    tag && el('span', { class: 'row-tag' }, tag),
    !isSelf &&
      iconButton(
        'more',
        `What to do with ${name}`,
        (event) => openMemberMenu(event.currentTarget, member, conversation, group),
        {
          class: 'icon-button row-more',
          'data-testid': `member-more-${member.id}`,
          'aria-haspopup': 'menu',
        },
      ),
  );
}

function openMemberMenu(anchor, member, conversation, group) {
  const mine = RANK[group.role] ?? 0;
  const isOwner = group.role === 'owner';
  const above = mine > RANK[member.role];
  const target = { group: group.id, user: member.id };
  const isMuted = member.muted_until > Date.now();
  const act = (op, data = {}) => attempt(() => ask(op, { ...target, ...data }));
  const isAdministrator = member.role === 'administrator';
  openMenu(anchor, [
    { text: 'Write', run: () => openDirect(member) },
    { text: 'Profile', run: () => openPerson(member) },
    isOwner && {
      text: isAdministrator ? 'Make an ordinary member' : 'Make an administrator',
      testId: 'menu-role',
      run: () => act('group.set_role', { role: isAdministrator ? 'member' : 'administrator' }),
    },
    above &&
      (isMuted
        ? { text: 'Let them write again', run: () => act('group.mute', { seconds: 0 }) }
        : { text: 'Mute', run: () => mute(member, target), testId: 'menu-mute-member' }),
    above && { text: 'Name in the group', run: () => rename(conversation, member) },
    isOwner && { text: 'Hand the group over', run: () => handOver(member, target), danger: true },
    above && { text: 'Remove from the group', run: () => remove(member, target), danger: true, testId: 'menu-kick' },
  ]);
}

function mute(member, target) {
  openDialog({ title: `Mute ${member.name}` }, (body, dialog) => {
    body.append(
      form({
        action: 'Mute',
        fields: [{ name: 'seconds', label: 'For', options: MUTES, value: '3600' }],
        submit: async ({ seconds }) => {
          await ask('group.mute', { ...target, seconds: Number(seconds) });
          dialog.close();
        },
      }),
    );
  });
}

async function handOver(member, target) {
  const agreed = await confirm({
    title: `Hand the group to ${member.name}?`,
    text: 'They will own it, and you will be a member.',
    action: 'Hand over',
  });
  if (agreed) attempt(() => ask('group.transfer', target));
}

async function remove(member, target) {
  const agreed = await confirm({
    title: `Remove ${member.name}?`,
    text: 'They see no new messages any more.',
    action: 'Remove',
  });
  if (agreed) attempt(() => ask('group.kick', target));
}

function rename(conversation, member) {
  if (!member) return;
  const isSelf = member.id === app.store.me.id;
  openDialog({ title: isSelf ? 'My name here' : `Name of ${member.name}` }, (body, dialog) => {
    body.append(
      form({
        action: 'Save',
        fields: [
          {
            name: 'nickname',
            label: 'Name in this group; empty for the usual one',
            max: NICKNAME_CHARS_MAX,
            value: member.nickname ?? '',
          },
        ],
        submit: async ({ nickname }) => {
          await ask('group.set_member', { group: conversation.id, user: member.id, nickname });
          dialog.close();
        },
      }),
    );
  });
}

function invite(conversation) {
  const chosen = new Set();
  const members = new Set(conversation.members?.keys() ?? []);
  openDialog({ title: 'Invite friends', testId: 'invite-dialog' }, (body, dialog) => {
    const invitation = form({
      testId: 'invite',
      action: 'Invite',
      fields: [],
      submit: async () => {
        if (chosen.size === 0) throw new Error('nobody was chosen');
        const { joined, applied } = await ask('group.invite', { group: conversation.id, users: [...chosen] });
        toast(
          applied.length > 0
            ? 'Your proposal waits for those who run the group.'
            : `${count(joined.length, 'friend', 'friends')} joined.`,
        );
        dialog.close();
      },
    });
    invitation.prepend(friendPicker(chosen, members));
    body.append(invitation);
  });
}

function openSettings(group) {
  openDialog({ title: 'Group settings', testId: 'settings-dialog' }, (body, dialog) => {
    body.append(
      form({
        testId: 'settings',
        action: 'Save',
        fields: [
          { name: 'name', label: 'Name', max: NAME_CHARS_MAX, value: group.name, required: true },
          {
            name: 'introduction',
            label: 'What it is about',
            type: 'area',
            max: TEXT_CHARS_MAX,
            value: group.introduction ?? '',
          },
          {
            name: 'announcement',
            label: 'Announcement to the members',
            type: 'area',
            max: TEXT_CHARS_MAX,
            value: group.announcement ?? '',
          },
          { name: 'joining', label: 'Who may join', options: JOINING, value: group.joining },
          { name: 'muted', label: 'Only administrators may write', type: 'checkbox', value: group.muted === true },
        ],
        submit: async (values) => {
          await ask('group.set', { group: group.id, ...values });
          dialog.close();
        },
      }),
    );
  });
}

async function leave(conversation, group) {
  const text =
    group.role === 'owner' && group.members > 1
      ? 'The group goes to the first of the others.'
      : 'You see no new messages any more.';
  const agreed = await confirm({ title: `Leave ${group.name}?`, text, action: 'Leave' });
  if (agreed) attempt(() => ask('group.leave', { group: conversation.id }));
}

async function dismiss(group) {
  const agreed = await confirm({
    title: `Dismiss ${group.name}?`,
    text: 'Nobody can write in it or join it any more.',
    action: 'Dismiss',
  });
  if (agreed) attempt(() => ask('group.dismiss', { group: group.id }));
}
