// What lies over the page for a moment: menus, dialogs, questions, and a word in passing.

import { button, byId, busily, el, iconButton } from '../dom.js';
import { errorText } from '../text.js';

const TOAST_MS = 5_000;

/** Says something in passing, to eyes and ears. */
export function toast(text) {
  const note = el('div', { class: 'toast', 'data-testid': 'toast' }, text);
  byId('toasts').append(note);
  setTimeout(() => note.remove(), TOAST_MS);
}

/** Does what may fail, and says so. Gives whether it went well. */
export async function attempt(work) {
  try {
    await work();
    return true;
  } catch (error) {
    toast(errorText(error));
    return false;
  }
}

/** Opens a menu beside `anchor`: `items` are `{ text, run, danger, testId }`, those that are false are left out. */
export function openMenu(anchor, items) {
  const menu = el('div', { class: 'menu', popover: 'auto', role: 'menu', 'data-testid': 'menu' });
  const entries = items.filter(Boolean).map(({ text, run, danger, testId }) =>
    el(
      'button',
      {
        class: danger ? 'menu-item danger' : 'menu-item',
        type: 'button',
        role: 'menuitem',
        'data-testid': testId ?? null,
        onclick: () => {
          menu.hidePopover();
          run();
        },
      },
      text,
    ),
  );
  menu.append(...entries);
  menu.addEventListener('keydown', (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const at = entries.indexOf(document.activeElement);
    entries[(at + step + entries.length) % entries.length].focus();
  });
  menu.addEventListener('toggle', (event) => {
    if (event.newState !== 'closed') return;
    if (menu.contains(document.activeElement)) anchor.focus();
    anchor.setAttribute('aria-expanded', 'false');
    menu.remove();
  });
  document.body.append(menu);
  menu.showPopover();
  place(menu, anchor);
  anchor.setAttribute('aria-expanded', 'true');
  entries[0]?.focus();
}

/** Below the anchor if there is room, above it otherwise, and always on the screen. */
function place(menu, anchor) {
  const at = anchor.getBoundingClientRect();
  const { offsetWidth: width, offsetHeight: height } = menu;
  const below = at.bottom + 4 + height <= innerHeight - 8;
  menu.style.top = `${Math.max(8, below ? at.bottom + 4 : at.top - height - 4)}px`;
  menu.style.left = `${Math.min(Math.max(8, at.right - width), innerWidth - width - 8)}px`;
}

/** A dialog with a title; `fill(body, dialog)` builds it. It goes when it is closed. */
export function openDialog({ title, testId = null, wide = false }, fill) {
  const heading = el('h2', {}, title);
  const body = el('div', { class: 'dialog-body' });
  const dialog = el(
    'dialog',
    {
      class: wide ? 'dialog wide' : 'dialog',
      'aria-label': title,
      'data-testid': testId,
    },
    el(
      'header',
      { class: 'dialog-head' },
      heading,
      iconButton('close', 'Close', () => dialog.close(), { 'data-testid': 'dialog-close' }),
    ),
    body,
  );
  // A click beside the dialog closes it; the dialog itself has no padding, so only the backdrop is its own target.
  dialog.addEventListener('click', (event) => {
    if (event.target === dialog) dialog.close();
  });
  dialog.addEventListener('close', () => dialog.remove());
  document.body.append(dialog);
  fill(body, dialog);
  dialog.showModal();
  return dialog;
}

export const closeDialogs = () => {
  for (const dialog of document.querySelectorAll('dialog[open]')) dialog.close();
};

/** Asks whether to do something; gives whether it was confirmed. */
export function confirm({ title, text, action, danger = true }) {
  return new Promise((resolve) => {
    const dialog = openDialog({ title, testId: 'confirm' }, (body, self) => {
      const agree = () => {
        resolve(true);
        self.close();
      };
      body.append(
        el('p', { class: 'dialog-text' }, text),
        el(
          'div',
          { class: 'dialog-actions' },
          button('Cancel', () => self.close()),
          button(action, agree, {
            class: danger ? 'button danger' : 'button primary',
            'data-testid': 'confirm-action',
          }),
        ),
      );
    });
    dialog.addEventListener('close', () => resolve(false));
  });
}

/**
 * A form. `fields` are `{ name, label, value, type, max, required, options }`; `submit(values)` may fail, and the form
 * then says why.
 */
export function form({ fields, action, submit, testId = null }) {
  const error = el('p', { class: 'field-error', role: 'alert', 'data-testid': 'form-error' });
  const controls = fields.map((field) => [field, controlOf(field)]);
  const send = el(
    'button',
    { class: 'button primary', type: 'submit', 'data-testid': testId && `${testId}-submit` },
    action,
  );
  const onsubmit = (event) => {
    event.preventDefault();
    error.textContent = '';
    const values = Object.fromEntries(
      controls.map(([{ name, type }, control]) => [
        name,
        type === 'checkbox' ? control.checked : type === 'password' ? control.value : control.value.trim(),
      ]),
    );
    const missing = fields.find(({ name, required }) => required && !values[name]);
    if (missing) {
      error.textContent = `Please fill in: ${missing.label}.`;
      controls.find(([field]) => field === missing)[1].focus();
      return;
    }
    busily(send, async () => {
      try {
        await submit(values);
      } catch (failure) {
        error.textContent = errorText(failure);
      }
    });
  };
  return el(
    'form',
    { class: 'form', novalidate: true, onsubmit, 'data-testid': testId },
    controls.map(([field, control]) =>
      el(
        'div',
        { class: field.type === 'checkbox' ? 'field check' : 'field' },
        field.type === 'checkbox' ? [control, labelOf(field, control)] : [labelOf(field, control), control],
      ),
    ),
    error,
    el('div', { class: 'dialog-actions' }, send),
  );
}

let controlNumber = 0;

function controlOf({ name, value = '', type = 'text', max, options, placeholder, autocomplete = 'off' }) {
  controlNumber += 1;
  const common = { id: `control-${controlNumber}`, 'data-testid': `field-${name}` };
  if (options) {
    const select = el(
      'select',
      common,
      options.map(([key, text]) => el('option', { value: key }, text)),
    );
    select.value = value;
    return select;
  }
  if (type === 'area') {
    const area = el('textarea', { ...common, rows: 3, maxlength: max, placeholder });
    area.value = value;
    return area;
  }
  const input = el('input', { ...common, type, maxlength: max, placeholder, autocomplete });
  if (type === 'checkbox') input.checked = value === true;
  else input.value = value;
  return input;
}

const labelOf = ({ label }, control) => el('label', { for: control.id }, label);
