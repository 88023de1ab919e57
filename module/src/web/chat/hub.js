// A shared worker: one connection for all tabs of one login, since the server gives a user one session in a browser.
// link.js has the other end of its ports. What one tab does, the others are told as an `echo`.

import { Connection } from './connection.js';

/** A page that is loaded again leaves and comes back; whoever stays away so long is gone. */
const LEAVE_AFTER = 3_000;

const ports = new Set();
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
  for (const port of ports) if (port !== except) port.postMessage(message);
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
    return;
  }
  port.postMessage(stateOf());
  if (login) port.postMessage({ say: 'login', ok: login });
}

/** Browsers may keep a worker for a page that can be gone back to: without a tab that is open one is not online. */
function leave(port) {
  ports.delete(port);
  setTimeout(() => { if (ports.size === 0) connection.close(); }, LEAVE_AFTER);
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
  ports.add(port);
  port.onmessage = ({ data }) => DO[data.do]?.(port, data);
  port.postMessage({ say: 'here' });
};
