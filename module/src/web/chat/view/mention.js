// Calling members of a group by name: a list below an @, and whom the text calls when it is sent.

import { app } from '../app.js';
import { readMembers } from '../actions.js';
import { avatar, byId, el } from '../dom.js';
import { byName, fold } from '../text.js';

const SHOWN_MAX = 6;
const input = byId('message-input');
const list = byId('mention-list');

/** Who was chosen for this text; whoever is still named in it when it is sent is called. */
let chosen = new Map();
let options = [];
let at = 0;

export function forgetMentions() {
  chosen = new Map();
  closeMentions();
}

export const takeMentions = (text) => [...chosen.values()].filter(({ name }) => text.includes(`@${name}`));

export function closeMentions() {
  list.hidden = true;
  options = [];
  input.removeAttribute('aria-activedescendant');
}

/** The word behind an @ at the cursor, or null. */
function wordAtCursor() {
  const before = input.value.slice(0, input.selectionStart);
  return /(?:^|\s)@([^\s@]{0,32})$/u.exec(before)?.[1] ?? null;
}

export async function suggestMentions(conversation) {
  const word = conversation.kind === 'group' && !conversation.left ? wordAtCursor() : null;
  if (word === null) {
    closeMentions();
    return;
  }
  // Without members there is nothing to suggest.
  if (!conversation.members) await readMembers(conversation).catch(() => {});
  if (wordAtCursor() !== word || !conversation.members) return;
  options = [...conversation.members.values()]
    .filter((member) => member.id !== app.store.me.id && fold(nameIn(member)).startsWith(fold(word)))
    .sort((a, b) => byName.compare(nameIn(a), nameIn(b)))
    .slice(0, SHOWN_MAX);
  at = 0;
  drawOptions();
}

const nameIn = (member) => member.nickname || member.name;

function drawOptions() {
  list.hidden = options.length === 0;
  list.replaceChildren(
    ...options.map((member, index) =>
      el(
        'li',
        {
          id: `mention-${index}`,
          role: 'option',
          class: 'mention',
          'aria-selected': String(index === at),
          'data-testid': `mention-${member.name}`,
          // The text keeps the focus.
          onmousedown: (event) => {
            event.preventDefault();
            choose(member);
          },
        },
        avatar('user', member.id, nameIn(member), { size: 'small', picture: member.picture }),
        el('bdi', {}, nameIn(member)),
      ),
    ),
  );
  if (options.length > 0) input.setAttribute('aria-activedescendant', `mention-${at}`);
}

function choose(member) {
  const name = nameIn(member);
  const end = input.selectionStart;
  const start = end - wordAtCursor().length;
  input.setRangeText(`${name} `, start, end, 'end');
  chosen.set(member.id, { id: member.id, name });
  closeMentions();
  input.dispatchEvent(new Event('input'));
}

/** Keys that belong to the list while it is open; whether this was one. */
export function mentionKey(event) {
  if (list.hidden || event.isComposing) return false;
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (step) {
    at = (at + step + options.length) % options.length;
    drawOptions();
  } else if (event.key === 'Enter' || event.key === 'Tab') choose(options[at]);
  else if (event.key === 'Escape') closeMentions();
  else return false;
  event.preventDefault();
  event.stopPropagation();
  return true;
}
