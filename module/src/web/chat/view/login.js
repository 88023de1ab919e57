// The form by which one comes in: with an account, by making one, or as a guest.

import { app } from '../app.js';
import { byId, setText } from '../dom.js';
import { guestName } from '../session.js';
import { closeDialogs } from './overlay.js';

const NAME_CHARS_MAX = 32;
const PASSWORD_CHARS_MIN = 6;

const WAYS = {
  login: { lead: 'Good to see you again.', action: 'Log in', note: 'Your messages are where you left them.' },
  register: {
    lead: 'Choose a login name and a password.',
    action: 'Create account',
    note: 'Your name is what others see; it may be anything, and be changed later.',
  },
  guest: {
    lead: 'Choose a name and come in.',
    action: 'Enter',
    note: 'No password: whoever enters under the same name is the same guest.',
  },
};

let way = 'login';

function choose(next) {
  way = next;
  for (const choice of document.querySelectorAll('.choice')) {
    choice.setAttribute('aria-pressed', String(choice.dataset.way === way));
  }
  for (const field of document.querySelectorAll('#login [data-for]')) {
    field.hidden = !field.dataset.for.split(' ').includes(way);
  }
  byId('password').autocomplete = way === 'register' ? 'new-password' : 'current-password';
  byId('login-error').textContent = '';
  setText(byId('login-lead'), WAYS[way].lead);
  setText(byId('login-note'), WAYS[way].note);
  drawLogin();
}

function focusFirst() {
  byId(way === 'guest' ? 'name' : 'login-name').focus();
}

export function showLogin(error) {
  closeDialogs();
  byId('login-error').textContent = error;
  byId('password').value = '';
  document.title = 'Gatehouse';
  drawLogin();
  focusFirst();
}

/** What is wrong with what was typed, or an empty text. */
function fault(login, password, name) {
  if (way === 'guest') {
    if (!name) return 'Please enter a name.';
  } else if (!login) return 'Please enter your login name.';
  else if (!password) return 'Please enter your password.';
  else if (way === 'register' && [...password].length < PASSWORD_CHARS_MIN) {
    return `A password has at least ${PASSWORD_CHARS_MIN} characters.`;
  }
  if ([...name].length > NAME_CHARS_MAX || [...login].length > NAME_CHARS_MAX) {
    return `A name has at most ${NAME_CHARS_MAX} characters.`;
  }
  return '';
}

byId('login-form').addEventListener('submit', (event) => {
  event.preventDefault();
  const login = byId('login-name').value.trim();
  const password = byId('password').value;
  const name = byId('name').value.trim();
  const wrong = fault(login, password, name);
  byId('login-error').textContent = wrong;
  if (wrong) return;
  app.enter(
    way === 'guest'
      ? { kind: 'guest', name }
      : { kind: 'password', login, password, register: way === 'register', name },
  );
});

for (const choice of document.querySelectorAll('.choice')) {
  choice.addEventListener('click', () => {
    choose(choice.dataset.way);
    focusFirst();
  });
}

function drawLogin() {
  const isShown = app.screen === 'login';
  byId('login').hidden = !isShown;
  byId('chat').hidden = isShown;
  if (!isShown) return;
  const busy = app.link.state === 'connecting' || app.link.state === 'connected';
  byId('login-button').disabled = busy;
  setText(byId('login-button'), busy ? 'Connecting…' : WAYS[way].action);
}

app.views.push(drawLogin);
app.on.login = showLogin;
byId('name').value = guestName();
choose(guestName() ? 'guest' : 'login');
