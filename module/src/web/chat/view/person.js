// Who somebody is, and what one can do about it: write, become friends, block.

import { app, draw } from '../app.js';
import { openDirect } from '../actions.js';
import { avatar, button, busily, el } from '../dom.js';
import { attempt, closeDialogs, confirm, form, openDialog, toast } from './overlay.js';

const TEXT_CHARS_MAX = 255;
const REMARK_CHARS_MAX = 64;
const ask = (op, data) => app.link.request(op, data);

export const profileHead = (user) =>
  el(
    'div',
    { class: 'profile' },
    avatar('user', user.id, user.name, {
      size: 'large',
      picture: user.picture,
      presence: user.id === app.store.me.id ? null : user.online === true || app.store.isOnline(user.id),
    }),
    el('p', { class: 'profile-name' }, el('bdi', {}, app.store.nameOf(user.id, user.name))),
    el('p', { class: 'profile-detail' }, el('bdi', {}, detailOf(user))),
    user.signature && el('p', { class: 'profile-words', dir: 'auto' }, user.signature),
  );

/** Their own name, where a remark stands for it, and the name with which they log in. */
function detailOf(user) {
  const names = [
    app.store.nameOf(user.id, user.name) !== user.name && user.name,
    user.login !== user.name && user.login,
  ];
  return names.filter(Boolean).join(' · ');
}

/** The dialog about a user. */
export function openPerson({ id }) {
  attempt(async () => {
    const { user } = await ask('user.get', { user: id });
    closeDialogs();
    openDialog({ title: 'Profile', testId: 'person' }, (body, dialog) => {
      body.append(
        profileHead(user),
        el(
          'div',
          { class: 'dialog-actions wrap' },
          personActions(user, () => dialog.close()),
        ),
      );
    });
  });
}

/** Buttons for what can be done with a user, as things stand. */
export function personActions(user, done = () => {}) {
  const { store } = app;
  if (user.id === store.me.id) return [];
  const isFriend = store.friends.has(user.id);
  const isBlocked = store.blocked.has(user.id);
  const asked = store.requestsMade.some((request) => request.to.id === user.id);
  const run = (work) => (event) =>
    busily(event.currentTarget, async () => {
      if (await attempt(work)) done();
    });
  return [
    button(
      'Write',
      () => {
        done();
        openDirect(user);
      },
      { class: 'button primary', 'data-testid': 'person-write' },
    ),
    !isFriend &&
      !isBlocked &&
      button(
        asked ? 'Ask again' : 'Add friend',
        () => {
          done();
          askFriend(user);
        },
        { 'data-testid': 'person-add' },
      ),
    isFriend &&
      button(
        'Remark',
        () => {
          done();
          setRemark(user);
        },
        { 'data-testid': 'person-remark' },
      ),
    isFriend &&
      button(
        'Remove friend',
        () => {
          done();
          removeFriend(user);
        },
        { class: 'button danger', 'data-testid': 'person-remove' },
      ),
    isBlocked
      ? button(
          'Unblock',
          run(() => ask('block.remove', { user: user.id })),
          { 'data-testid': 'person-unblock' },
        )
      : button(
          'Block',
          run(() => block(user)),
          { class: 'button danger', 'data-testid': 'person-block' },
        ),
  ].filter(Boolean);
}

async function block(user) {
  const agreed = await confirm({
    title: `Block ${user.name}?`,
    text: 'Their messages and requests are refused from now on. They are not told.',
    action: 'Block',
  });
  if (agreed) await ask('block.add', { user: user.id });
}

export function askFriend(user) {
  openDialog({ title: `Become friends with ${user.name}`, testId: 'ask-friend' }, (body, dialog) => {
    body.append(
      form({
        testId: 'ask-friend-form',
        action: 'Send request',
        fields: [
          {
            name: 'text',
            label: 'Say who you are',
            type: 'area',
            max: TEXT_CHARS_MAX,
            value: `Hello, I am ${app.store.me.name}.`,
          },
        ],
        submit: async ({ text }) => {
          const { friends } = await ask('friend.request', { user: user.id, text });
          toast(friends ? `You and ${user.name} are friends now.` : 'The request was sent.');
          dialog.close();
        },
      }),
    );
  });
}

function setRemark(user) {
  openDialog({ title: `Remark on ${user.name}` }, (body, dialog) => {
    body.append(
      form({
        testId: 'remark-form',
        action: 'Save',
        fields: [
          {
            name: 'remark',
            label: 'What you call them; only you see it',
            max: REMARK_CHARS_MAX,
            value: app.store.friends.get(user.id)?.remark ?? '',
          },
        ],
        submit: async ({ remark }) => {
          await ask('friend.set', { user: user.id, remark });
          const conversation = app.store.direct(user);
          conversation.title = remark || user.name;
          dialog.close();
          draw();
        },
      }),
    );
  });
}

async function removeFriend(user) {
  const agreed = await confirm({
    title: `Remove ${user.name} from your friends?`,
    text: 'What you wrote to each other stays.',
    action: 'Remove',
  });
  if (agreed) attempt(() => ask('friend.remove', { user: user.id, both: true }));
}
