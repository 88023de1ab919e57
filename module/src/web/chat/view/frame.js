// Around everything: the banner, the title, who one is, and what the browser tells of itself.

import { app, draw, isPhone } from '../app.js';
import { backToList, markRead, showList } from '../actions.js';
import { avatar, byId, setText, syncOne } from '../dom.js';

const STATUS = {
  connecting: ['connecting', 'Connecting'],
  connected: ['connected', 'Connected'],
  waiting: ['offline', 'Not connected'],
  closed: ['offline', 'Not connected'],
  kicked: ['kicked', 'Elsewhere'],
};

let countdownTimer = 0;

function drawFrame() {
  if (app.screen === 'login') return;
  const { store } = app;
  byId('chat').dataset.screen = app.screen;
  const [state, text] = STATUS[app.link.state];
  byId('status').dataset.state = state;
  setText(byId('status'), text);
  setText(byId('me-name'), store.me.name);
  const picture = store.account?.picture ?? '';
  syncOne(byId('me-avatar'), [store.me, picture], () => avatar('user', store.me.id, store.me.name, { picture }));
  const unread = store.unread();
  document.title = unread > 0 ? `(${unread}) Gatehouse` : 'Gatehouse';
  drawBanner();
}

function drawBanner() {
  const { state, retryAt } = app.link;
  const banner = byId('banner');
  clearTimeout(countdownTimer);
  banner.hidden = state === 'connected' || state === 'closed';
  banner.dataset.state = STATUS[state][0];
  if (banner.hidden) return;
  const text = {
    connecting: 'Connecting…',
    waiting: navigator.onLine ? 'The connection was lost. What you write is sent when it is back.' : 'You are offline.',
    kicked: 'You are logged in elsewhere: in another browser, or in another window of this one.',
  };
  setText(byId('banner-text'), text[state]);
  const seconds = Math.max(1, Math.ceil((retryAt - Date.now()) / 1000));
  setText(byId('banner-countdown'), state === 'waiting' ? `Next try in ${seconds} s` : '');
  if (state === 'waiting') countdownTimer = setTimeout(drawBanner, 500);
  const action = byId('banner-action');
  action.hidden = state === 'connecting';
  const again = app.mayTakeOver ? 'Use it here' : 'Log in again';
  setText(action, state === 'kicked' ? again : 'Try now');
}

byId('banner-action').addEventListener('click', () => {
  if (app.link.state !== 'kicked') app.link.retryNow();
  else if (app.mayTakeOver) app.takeOver();
  else app.logInAgain();
});
byId('logout').addEventListener('click', () => app.leave());
byId('back').addEventListener('click', backToList);

addEventListener('popstate', () => {
  if (app.screen === 'conversation' && isPhone.matches) showList();
});
addEventListener('online', () => {
  app.link.retryNow();
  app.link.probe();
});
addEventListener('offline', () => {
  app.link.probe();
  draw();
});
addEventListener('beforeunload', (event) => {
  if (app.outbox.uploads) event.preventDefault();
});

document.addEventListener('visibilitychange', () => {
  if (app.screen === 'login') return;
  if (document.visibilityState !== 'visible') {
    app.drafts.save(app.store.conversation);
    return;
  }
  // Timers sleep in the background, so the connection may have gone unnoticed.
  app.link.retryNow();
  app.link.probe();
  markRead(app.store.conversation);
  draw();
});

isPhone.addEventListener('change', () => {
  if (app.screen !== 'login') markRead(app.store.conversation);
  draw();
});

app.views.push(drawFrame);
