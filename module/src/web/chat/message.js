// A message as the page has it, and what it makes of bodies (docs/protocol.md, "What the chat page sends").

import { oneLine } from './text.js';

/** Kinds whose body names an attachment, or is an address. */
const WITH_FILE = new Set(['picture', 'voice', 'video', 'file']);
const TEXT = new Set(['text', 'prompt', 'quote', 'mention', 'announcement']);
const QUOTE_CHARS_MAX = 200;

/** The object that a text holds, or nothing: what other clients send may be anything. */
const objectIn = (text) => {
  try {
    const value = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : null;
  } catch {
    return null;
  }
};

/** A text, or another where there is none: of what others send not even that may be taken for granted. */
const words = (value, or = '') => (typeof value === 'string' ? value : or);

/** Whether it may be the number of a message or of a file. */
const isNumber = (value) => Number.isSafeInteger(value) && value >= 1;

/** 128 random bits in hex; crypto.randomUUID is missing on plain http. */
export function newClientId() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, '0')).join('');
}

/** From what the server says; `me` is the user's id. */
export function messageOf(data, me) {
  const from = data.from ?? { id: 0, name: 'Gatehouse' };
  return {
    type: 'message',
    state: 'sent',
    conversation: data.conversation,
    seq: data.seq,
    time: data.time,
    from,
    own: from.id === me,
    kind: data.kind ?? 'text',
    body: words(data.body),
    extra: objectIn(data.extra ?? '') ?? {},
    clientId: data.client_id ?? '',
    recalled: data.recalled === true,
    recalledBy: null,
  };
}

/** The same for one that is not sent yet. */
export function draftOf(conversation, me, { kind, body, extra = {}, mentions = [] }) {
  return {
    type: 'message',
    state: 'sending',
    conversation: conversation.key,
    seq: 0,
    time: Date.now(),
    from: me,
    own: true,
    kind,
    body,
    extra,
    mentions,
    clientId: newClientId(),
    recalled: false,
    recalledBy: null,
    tries: 0,
    failure: '',
  };
}

/** Names a message among the entries of its conversation, before and after it is sent. */
export const keyOf = (message) => (message.own && message.clientId ? `c${message.clientId}` : `m${message.seq}`);

export const isText = (message) => TEXT.has(message.kind);

/** The file that a message carries: what its sender says of it, to be shown until the server says more. */
export function fileOf(message) {
  if (!WITH_FILE.has(message.kind)) return null;
  const said = objectIn(message.body);
  if (typeof said?.attachment !== 'number' && !message.upload) return null;
  const number = (value) => (Number.isFinite(value) && value > 0 ? value : 0);
  return {
    // Nothing has the number 0: it is shown as gone.
    id: isNumber(said?.attachment) ? said.attachment : 0,
    name: words(said?.name, 'File'),
    type: words(said?.type),
    size: number(said?.size),
    width: number(said?.width),
    height: number(said?.height),
    isPicture: message.kind === 'picture',
  };
}

const LABELS = { picture: 'Picture', voice: 'Voice message', video: 'Video', file: 'File' };

/** What a list, a quote or a search shows of a message. */
export function previewText(message) {
  if (message.recalled) return 'Message taken back';
  const file = fileOf(message);
  if (file) return file.isPicture ? 'Picture' : `${LABELS[message.kind]}: ${file.name}`;
  if (isText(message)) return oneLine(message.body);
  return `[${LABELS[message.kind] ?? message.kind}] ${oneLine(message.body)}`;
}

/** What an answer to a message says of it. */
export const quoteOf = (message) => ({
  seq: message.seq,
  from: { id: message.from.id, name: message.from.name },
  text: previewText(message).slice(0, QUOTE_CHARS_MAX),
});

/** The quote in an answer, if it is one. */
export function quotedIn(message) {
  const quote = message.extra.quote;
  if (typeof quote !== 'object' || quote === null) return null;
  if (!isNumber(quote.seq)) return null;
  return { seq: quote.seq, name: words(quote.from?.name), text: words(quote.text) };
}

/** Whom a message calls, as its sender wrote them. */
export function mentionedIn(message) {
  const list = Array.isArray(message.extra.mentions) ? message.extra.mentions.slice(0, 100) : [];
  return list.filter((who) => Number.isInteger(who?.id) && words(who?.name) !== '');
}
