// Building elements. Text that came over the wire reaches the page through text nodes and checked addresses only.

import { clockText, fullTime, initialsOf } from './text.js';

export const byId = (id) => document.getElementById(id);

/** el('p', { class: 'x', onclick: f }, 'text', node): attributes by name, handlers as properties, strings as text. */
export function el(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith('on')) element[name] = value;
    else if (value !== null && value !== undefined && value !== false) {
      element.setAttribute(name, value === true ? '' : value);
    }
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

export function icon(name) {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  const use = document.createElementNS('http://www.w3.org/2000/svg', 'use');
  use.setAttribute('href', `#icon-${name}`);
  svg.setAttribute('aria-hidden', 'true');
  svg.append(use);
  return svg;
}

/** A button with a word. */
export const button = (text, onclick, attributes = {}) =>
  el(
    'button',
    {
      class: 'button',
      type: 'button',
      onclick,
      ...attributes,
    },
    text,
  );

/** A button with a picture, and a word for those who do not see it. */
export const iconButton = (name, label, onclick, attributes = {}) =>
  el(
    'button',
    {
      class: 'icon-button',
      type: 'button',
      'aria-label': label,
      title: label,
      onclick,
      ...attributes,
    },
    icon(name),
  );

/** Changes the handler while it runs, so that nothing is done twice. */
export async function busily(control, work) {
  if (control?.disabled) return;
  if (control) control.disabled = true;
  try {
    await work();
  } finally {
    if (control) control.disabled = false;
  }
}

/** An address of this server's, or of data that is a picture; anything else is none. */
export function ownAddress(text) {
  if (!text) return null;
  if (/^data:image\/(png|jpeg|webp|gif);base64,/u.test(text)) return text;
  const url = URL.canParse?.(text, location.href) ? new URL(text, location.href) : null;
  return url?.origin === location.origin ? url.href : null;
}

/** kind: `user`, `group`, `all`, `system`; presence: true, false, or null for none. */
export function avatar(kind, id, name, { size = '', presence = null, picture = '' } = {}) {
  const classes = ['avatar', `hue-${Math.abs(id) % 10}`, size];
  if (kind === 'group') classes.push('group');
  if (kind === 'all' || kind === 'system') classes.push('everyone');
  if (presence !== null) classes.push('presence');
  if (presence) classes.push('online');
  const address = ownAddress(picture);
  const signs = { all: 'people', system: 'gate' };
  const plain = () => (signs[kind] ? icon(signs[kind]) : initialsOf(name));
  const content = address
    ? el('img', { src: address, alt: '', loading: 'lazy', onerror: (event) => event.target.replaceWith(plain()) })
    : plain();
  return el('span', { class: classes.filter(Boolean).join(' '), 'aria-hidden': 'true' }, content);
}

export function timeElement(time) {
  const date = new Date(time);
  return el('time', { datetime: date.toISOString(), title: fullTime(date) }, clockText(date));
}

export const setText = (element, text) => {
  if (element.textContent !== text) element.textContent = text;
};

/** Replaces the children of `parent` when what they were drawn from has changed. */
export function syncOne(parent, stamp, build) {
  const drawnFrom = JSON.stringify(stamp);
  if (parent.drawnFrom === drawnFrom) return;
  parent.drawnFrom = drawnFrom;
  parent.replaceChildren(...[build()].flat().filter(Boolean));
}

/**
 * Makes the children of `parent` show `items`, keeping those that are there already (and with them focus and scroll).
 * `stamp(item)` says what a child was drawn from; it is drawn again, by `build(item)`, only when that has changed.
 */
export function syncList(parent, items, keyOf, stamp, build, tag = 'li') {
  const children = new Map(Array.from(parent.children, (child) => [child.dataset.key, child]));
  const focused = parent.contains(document.activeElement) ? document.activeElement : null;
  const focusedKey = focused?.closest('[data-key]')?.dataset.key;
  let cursor = parent.firstElementChild;
  for (const item of items) {
    const key = String(keyOf(item));
    const drawnFrom = JSON.stringify(stamp(item));
    let child = children.get(key);
    children.delete(key);
    if (!child || child.drawnFrom !== drawnFrom) {
      const fresh = el(tag, { 'data-key': key }, build(item));
      fresh.drawnFrom = drawnFrom;
      if (child) {
        if (child === cursor) cursor = cursor.nextElementSibling;
        child.remove();
      }
      child = fresh;
    }
    if (child === cursor) cursor = cursor.nextElementSibling;
    else parent.insertBefore(child, cursor);
  }
  for (const child of children.values()) child.remove();
  if (focused && !parent.contains(document.activeElement)) {
    parent.querySelector(`:scope > [data-key="${CSS.escape(focusedKey ?? '')}"] button`)?.focus();
  }
}
