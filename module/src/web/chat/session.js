// Who is logged in, as this browser remembers it. Storage may be forbidden; then one logs in again next time.
//
//   localStorage   gatehouse.session.<login>   the session of an account, shared by all tabs
//                  gatehouse.last              who entered last, for a new tab
//                  gatehouse.name              the last name of a guest
//   sessionStorage gatehouse.who               who this tab belongs to, for when it is loaded again

/** What is read from the storage, or nothing where the browser forbids it. */
const guard = (read) => {
  try {
    return read();
  } catch {
    return null;
  }
};

const keyOf = (login) => `gatehouse.session.${login.toLowerCase()}`;
const write = (storage, key, value) => guard(() => storage().setItem(key, value));
const read = (storage, key) => guard(() => JSON.parse(storage().getItem(key)));
const local = () => localStorage;
const tab = () => sessionStorage;

/** Keeps a session, or its token that was renewed. */
export function keepSession(session) {
  write(local, keyOf(session.login), JSON.stringify(session));
  const who = JSON.stringify({ kind: 'token', login: session.login });
  write(tab, 'gatehouse.who', who);
  write(local, 'gatehouse.last', who);
}

/** A guest has nothing to show but a name, which belongs to this tab: another tab may be another guest. */
export function keepGuest(name) {
  write(tab, 'gatehouse.who', JSON.stringify({ kind: 'guest', name }));
  write(local, 'gatehouse.name', JSON.stringify(name));
}

/** The credentials with which this tab was, or may be, logged in; or null. */
export function remembered() {
  const who = read(tab, 'gatehouse.who') ?? read(local, 'gatehouse.last');
  if (who?.kind === 'guest') return { kind: 'guest', name: String(who.name) };
  return who?.kind === 'token' ? sessionOf(String(who.login)) : null;
}

/** The session of an account, as the last tab that renewed it has kept it; or null. */
export function sessionOf(login) {
  const session = read(local, keyOf(login));
  return typeof session?.token === 'string' ? session : null;
}

export function forget(credentials) {
  guard(() => sessionStorage.removeItem('gatehouse.who'));
  if (credentials?.kind === 'guest' || !credentials?.login) return;
  // A session that another tab has begun or renewed since is none of this one's.
  const stored = sessionOf(credentials.login);
  if (stored && stored.token !== credentials.token) return;
  guard(() => localStorage.removeItem(keyOf(credentials.login)));
  const last = read(local, 'gatehouse.last');
  if (last?.login === credentials.login) guard(() => localStorage.removeItem('gatehouse.last'));
}

export const guestName = () => String(read(local, 'gatehouse.name') ?? '');
