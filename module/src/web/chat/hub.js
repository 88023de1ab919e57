// A shared worker: one connection for all tabs of one login, since the server gives a user one session in a browser.
// link.js has the other end of its ports. What one tab does, the others are told as an `echo`.

import { Connection } from './connection.js';

/** Tabs say now and then that they are there (browsers let those in the background do so once a minute); a tab that was
    killed does not. */
const SILENT_AFTER = 180_000;

/** When each was heard last. */
const ports = new Map();
/** The reply to the last login, its inbox number kept up to date for tabs that come later. */
let login = null;

const connection = new Connection({
  onState: () => {
    if (connection.state !== 'connected') login = null;
    tellAll(stateOf());
  },
  onLogin: (ok) => {
    login = ok;
    tellAll({ say: 'login', ok });
  },
  onRefused: ({ code, message }) => tellAll({ say: 'refused', code, message }),
  onSession: (session) => tellAll({ say: 'session', session }),
  onPush: (message) => {
    noteInbox(message.inbox);
    tellAll({ say: 'push', message });
  },
});

const stateOf = () => ({ say: 'state', state: connection.state, retryAt: connection.retryAt });

function tellAll(message, except = null) {
  for (const port of ports.keys()) if (port !== except) port.postMessage(message);
}

function noteInbox(number) {
  if (login && number > login.inbox) login = { ...login, inbox: number };
}

async function request(port, { n, op, data }) {
  try {
    const ok = await connection.request(op, data);
    noteInbox(ok.inbox);
    port.postMessage({ say: 'reply', n, ok });
    tellAll({ say: 'echo', op, data, ok }, port);
  } catch ({ code, message }) {
    port.postMessage({ say: 'reply', n, error: { code, message } });
  }
}

/** A tab that comes to a connection that is there already joins it; a password is always put to the server. */
function open(port, credentials) {
  const isThere = ['connected', 'connecting', 'waiting'].includes(connection.state);
  if (!isThere || credentials.kind === 'password') {
    connection.open(credentials);
  } else join(port);
}

/**
 * Without a tab one is not online. That is not put off until a page that is loaded again is back: browsers keep pages
 * that can be gone back to, and stop their worker in the middle.
 */
function leave(port) {
  ports.delete(port);
  if (ports.size === 0) connection.close();
}

setInterval(() => {
  for (const [port, heard] of ports) if (Date.now() - heard > SILENT_AFTER) leave(port);
}, SILENT_AFTER / 3);

/** A tab that slept has missed something, and is told anew where things stand. */
function hear(port, data) {
  const slept = !ports.has(port);
  ports.set(port, Date.now());
  if (slept && data.do !== 'bye') join(port);
  DO[data.do]?.(port, data);
}

function join(port) {
  port.postMessage(stateOf());
  if (login) port.postMessage({ say: 'login', ok: login });
}

const DO = {
  open: (port, { credentials }) => open(port, credentials),
  request,
  close: () => connection.close(),
  retryNow: () => connection.retryNow(),
  probe: () => connection.probe(),
  drop: () => connection.drop(),
  bye: leave,
};

self.onconnect = ({ ports: [port] }) => {
  ports.set(port, Date.now());
  port.onmessage = ({ data }) => hear(port, data);
  port.postMessage({ say: 'here' });
};
