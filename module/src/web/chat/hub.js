// A shared worker: one connection for all tabs of one login, since the server gives a user one session in a browser.
// link.js has the other end of its ports. What one tab does, the others are told as an `echo`.

import { Connection } from './connection.js';

/** Tabs say now and then that they are there (browsers let those in the background do so once a minute); a tab that was
    killed does not. */
const SILENT_AFTER = 180_000;

/** When each was heard last. */
const ports = new Map();
/** Those that were let in: they share the connection, also while they sleep. Others are at the login form. */
let members = new WeakSet();
/** Passwords that are being tried while others are logged in, by the ports that brought them. */
const trials = new Map();
/** With what one is logged in, until one logs out or is refused. */
let credentials = null;
/** The reply to the last login, its inbox number kept up to date for tabs that come later. */
let login = null;
let connection = connect();

/** The connection of all members; or, until it is let in, one on trial that concerns nobody but `asker`. */
function connect(asker = null) {
  const own = new Connection({
    onState: () => {
      if (own === connection) {
        if (own.state !== 'connected') login = null;
        tellAll(stateOf());
      } else if (trials.get(asker) === own) asker.postMessage(stateOf(own));
    },
    onLogin: (ok) => {
      login = ok;
      tellAll({ say: 'login', ok });
    },
    onRefused: ({ code, message }) => {
      const refusal = { say: 'refused', code, message };
      if (own === connection) {
        tellAll(refusal);
        end();
      } else if (trials.delete(asker)) asker.postMessage(refusal);
    },
    onSession: (session) => {
      if (own !== connection) prefer(own, asker);
      credentials = session;
      tellAll({ say: 'session', session });
    },
    onPush: (message) => {
      if (own !== connection) return;
      noteInbox(message.inbox);
      tellAll({ say: 'push', message });
    },
  });
  return own;
}

/** The password was right: its connection takes the place of the one before, for all. */
function prefer(trial, asker) {
  const before = connection;
  connection = trial;
  login = null;
  trials.delete(asker);
  members.add(asker);
  before.close();
  tellAll(stateOf());
}

const stateOf = ({ state, retryAt } = connection) => ({ say: 'state', state, retryAt });
const isThere = () => ['connected', 'connecting', 'waiting'].includes(connection.state);

function tellAll(message, except = null) {
  for (const port of ports.keys()) if (port !== except && members.has(port)) port.postMessage(message);
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

/**
 * A tab that comes to a connection that is there already joins it. A password is always put to the server, and a wrong
 * one ends nothing for those who are there.
 */
function open(port, given) {
  giveUp(port);
  if (!isThere()) {
    credentials = given;
    members.add(port);
    connection.open(given);
  } else if (given.kind === 'password') {
    const trial = connect(port);
    trials.set(port, trial);
    trial.open(given);
  } else {
    members.add(port);
    join(port);
  }
}

function giveUp(port) {
  const trial = trials.get(port);
  trials.delete(port);
  trial?.close();
}

/** Nobody is logged in any more. */
function end() {
  members = new WeakSet();
  credentials = null;
}

/**
 * Without a tab one is not online. That is not put off until a page that is loaded again is back: browsers keep pages
 * that can be gone back to, and stop their worker in the middle.
 */
function leave(port) {
  ports.delete(port);
  giveUp(port);
  const isLast = ![...ports.keys()].some((other) => members.has(other));
  if (isLast && isThere()) connection.close();
}

setInterval(() => {
  for (const [port, heard] of ports) if (Date.now() - heard > SILENT_AFTER) leave(port);
}, SILENT_AFTER / 3);

function hear(port, data) {
  const slept = !ports.has(port);
  ports.set(port, Date.now());
  if (slept && data.do !== 'bye') wake(port);
  DO[data.do]?.(port, data);
}

/** A tab that slept has missed something, and is told anew where things stand. */
function wake(port) {
  if (!members.has(port)) port.postMessage({ say: 'state', state: 'closed', retryAt: 0 });
  // A computer that sleeps puts all of its tabs to sleep, which is no way to log out.
  else if (connection.state === 'closed' && credentials?.kind !== 'password') connection.open(credentials);
  else join(port);
}

function join(port) {
  port.postMessage(stateOf());
  if (login) port.postMessage({ say: 'login', ok: login });
}

const DO = {
  open: (port, data) => open(port, data.credentials),
  request,
  close: () => {
    connection.close();
    end();
  },
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
