// One's own account: profile, password, and where one is logged in.

import { app } from '../app.js';
import { avatar, button, busily, byId, el } from '../dom.js';
import { dateText } from '../text.js';
import { attempt, confirm, form, openDialog, toast } from './overlay.js';

const NAME_CHARS_MAX = 32;
const SIGNATURE_CHARS_MAX = 255;
const PASSWORD_CHARS_MAX = 128;
/** A picture is made so small that it goes into the profile itself, where everyone may see it. */
const PICTURE_PIXELS = 40;
const PICTURE_BYTES_MAX = 1024;
const PLATFORMS = { web: 'Browser', desktop: 'Desktop', android: 'Android', ios: 'iOS', other: 'Other' };

const ask = (op, data) => app.link.request(op, data);

export function openAccount() {
  attempt(async () => {
    const { account } = await ask('account.get');
    const isGuest = account.origin === 'guest';
    const tabs = [
      ['profile', 'Profile'],
      account.origin === 'registered' && ['password', 'Password'],
      !isGuest && ['sessions', 'Sessions'],
    ];
    openDialog({ title: 'Your account', testId: 'account-dialog' }, (body, dialog) => {
      const page = el('div', { class: 'dialog-page' });
      const build = {
        profile: () => buildProfile(account, dialog),
        password: () => buildPassword(dialog),
        sessions: buildSessions,
      };
      const choose = (key) => {
        for (const choice of choices.children) choice.setAttribute('aria-pressed', String(choice.dataset.way === key));
        page.replaceChildren(build[key]());
      };
      const choices = el(
        'div',
        { class: 'choices', role: 'group', 'aria-label': 'Parts of the account' },
        tabs
          .filter(Boolean)
          .map(([key, text]) =>
            el(
              'button',
              {
                class: 'choice',
                type: 'button',
                'data-way': key,
                'data-testid': `account-${key}`,
                onclick: () => choose(key),
              },
              text,
            ),
          ),
      );
      body.append(choices, page);
      choose('profile');
    });
  });
}

function buildProfile(account, dialog) {
  let picture = account.picture;
  const shown = el('span', {});
  const drawPicture = () => shown.replaceChildren(avatar('user', account.id, account.name, { size: 'large', picture }));
  const input = el('input', {
    type: 'file',
    accept: 'image/png,image/jpeg,image/webp,image/gif',
    hidden: true,
    'data-testid': 'picture-input',
  });
  input.addEventListener('change', () =>
    attempt(async () => {
      picture = await smallPicture(input.files[0]);
      drawPicture();
    }),
  );
  drawPicture();
  return el(
    'div',
    {},
    el(
      'div',
      { class: 'profile picture-choice' },
      shown,
      input,
      el(
        'div',
        { class: 'request-actions' },
        button('Choose a picture', () => input.click(), { class: 'button small' }),
        button(
          'Remove',
          () => {
            picture = '';
            drawPicture();
          },
          { class: 'button small' },
        ),
      ),
    ),
    form({
      testId: 'profile',
      action: 'Save',
      fields: [
        { name: 'name', label: 'Your name', max: NAME_CHARS_MAX, value: account.name, required: true },
        {
          name: 'signature',
          label: 'What you say about yourself',
          type: 'area',
          max: SIGNATURE_CHARS_MAX,
          value: account.signature,
        },
      ],
      submit: async ({ name, signature }) => {
        await ask('account.set', { name, signature, picture });
        toast('Your profile was saved.');
        dialog.close();
      },
    }),
  );
}

/** The middle of a picture as a small address of its own. */
async function smallPicture(file) {
  const bitmap = await createImageBitmap(file).catch(() => {
    throw new Error('this is no picture');
  });
  const side = Math.min(bitmap.width, bitmap.height);
  const canvas = el('canvas', { width: PICTURE_PIXELS, height: PICTURE_PIXELS });
  const context = canvas.getContext('2d');
  context.imageSmoothingQuality = 'high';
  context.drawImage(
    bitmap,
    (bitmap.width - side) / 2,
    (bitmap.height - side) / 2,
    side,
    side,
    0,
    0,
    PICTURE_PIXELS,
    PICTURE_PIXELS,
  );
  for (const type of ['image/webp', 'image/jpeg']) {
    for (let quality = 0.8; quality > 0.05; quality -= 0.15) {
      const address = canvas.toDataURL(type, quality);
      if (address.startsWith(`data:${type}`) && address.length <= PICTURE_BYTES_MAX) return address;
    }
  }
  throw new Error('this picture cannot be made small enough');
}

function buildPassword(dialog) {
  return form({
    testId: 'password',
    action: 'Change password',
    fields: [
      {
        name: 'old',
        label: 'Password until now',
        type: 'password',
        max: PASSWORD_CHARS_MAX,
        required: true,
        autocomplete: 'current-password',
      },
      {
        name: 'new',
        label: 'New password',
        type: 'password',
        max: PASSWORD_CHARS_MAX,
        required: true,
        autocomplete: 'new-password',
      },
      {
        name: 'again',
        label: 'New password again',
        type: 'password',
        max: PASSWORD_CHARS_MAX,
        required: true,
        autocomplete: 'new-password',
      },
    ],
    submit: async (values) => {
      if (values.new !== values.again) throw new Error('the new passwords differ');
      await ask('account.password', { old: values.old, new: values.new });
      toast('Your password was changed. All other sessions have ended.');
      dialog.close();
    },
  });
}

function buildSessions() {
  const list = el('ul', { class: 'list', 'data-testid': 'session-list' });
  const read = async () => {
    const { sessions } = await ask('session.list');
    list.replaceChildren(
      ...sessions.map((session) =>
        el(
          'li',
          { class: 'row' },
          el(
            'span',
            { class: 'row-text' },
            el('span', { class: 'row-name' }, PLATFORMS[session.platform] ?? session.platform),
            el('span', { class: 'row-detail' }, `since ${dateText(session.created)}`),
          ),
          session.current
            ? el('span', { class: 'row-tag' }, 'this one')
            : button(
                'Log out there',
                (event) =>
                  busily(event.currentTarget, () =>
                    attempt(async () => {
                      await ask('session.close', { session: session.session });
                      await read();
                    }),
                  ),
                { class: 'button small danger' },
              ),
        ),
      ),
    );
  };
  attempt(read);
  const others = async () => {
    const agreed = await confirm({
      title: 'Log out everywhere else?',
      text: 'Only this session goes on.',
      action: 'Log out',
    });
    if (agreed)
      attempt(async () => {
        await ask('session.close_all', { others: true });
        await read();
      });
  };
  return el(
    'div',
    {},
    list,
    el('div', { class: 'dialog-actions' }, button('Log out everywhere else', others, { class: 'button danger' })),
  );
}

byId('account-open').addEventListener('click', openAccount);
