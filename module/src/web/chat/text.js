// Words, times and sizes for people.

const graphemes = globalThis.Intl?.Segmenter ? new Intl.Segmenter() : null;
export const graphemesOf = (text) =>
  graphemes ? Array.from(graphemes.segment(text), (s) => s.segment) : Array.from(text);

export const bytesOf = (text) => new TextEncoder().encode(text).length;
export const byName = new Intl.Collator(undefined, { sensitivity: 'base', numeric: true });
export const fold = (text) => text.toLowerCase();
export const oneLine = (text, chars = 120) => text.slice(0, chars).replace(/\s+/gu, ' ').trim();
export const count = (number, one, many) => (number === 1 ? `1 ${one}` : `${number.toLocaleString()} ${many}`);

export function initialsOf(name) {
  const words = name.split(/[\s._-]+/u).filter(Boolean);
  if (words.length === 0) return '?';
  const letters = words.length === 1 ? [words[0]] : [words[0], words.at(-1)];
  return letters.map((word) => graphemesOf(word.slice(0, 24))[0].toUpperCase()).join('');
}

const clockFormat = new Intl.DateTimeFormat(undefined, { hour: 'numeric', minute: '2-digit' });
const dayFormat = new Intl.DateTimeFormat(undefined, { weekday: 'long', day: 'numeric', month: 'long' });
const shortDayFormat = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'short' });
const fullFormat = new Intl.DateTimeFormat(undefined, { dateStyle: 'full', timeStyle: 'medium' });
const dateFormat = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' });

export const dayOf = (time) => new Date(time).toDateString();
export const clockText = (time) => clockFormat.format(time);
export const fullTime = (time) => fullFormat.format(time);
export const dateText = (time) => dateFormat.format(time);
export const shortTime = (time) => (dayOf(time) === dayOf(Date.now()) ? clockFormat : shortDayFormat).format(time);

export function dayText(time) {
  const yesterday = new Date();
  yesterday.setDate(yesterday.getDate() - 1);
  if (dayOf(time) === dayOf(Date.now())) return 'Today';
  if (dayOf(time) === yesterday.toDateString()) return 'Yesterday';
  return dayFormat.format(time);
}

export function sizeText(bytes) {
  const units = ['B', 'KB', 'MB', 'GB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${value.toLocaleString(undefined, { maximumFractionDigits: value < 10 && unit > 0 ? 1 : 0 })} ${units[unit]}`;
}

/** Why a session is over (docs/protocol.md, `kicked`). */
const ENDS = {
  logged_out: 'You were logged out. Please log in again.',
  password_changed: 'Your password was changed. Please log in with the new one.',
  disabled: 'Your account was disabled.',
  token_expired: 'You have not been here for a while. Please log in again.',
};

/** Why one is not let in, or not any more; of a session it is known that its token was good once. */
export function refusalText(error, hadSession) {
  if (hadSession && error.code === 'unauthenticated') return 'Your session has ended. Please log in again.';
  return ENDS[error.code] ?? errorText(error);
}

/** The server's own words are for people, and say more than its codes; they begin in lower case. */
export function errorText(error) {
  if (error.code === 'lost') return 'The server cannot be reached. Please try again.';
  if (error.code === 'rate_limited') return 'Too much at once. Please wait a moment.';
  const text = error.message || 'that did not work';
  return `${text[0].toUpperCase()}${text.slice(1)}${/[.!?]$/u.test(text) ? '' : '.'}`;
}
