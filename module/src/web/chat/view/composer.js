// Where messages are written: text, answers, files.

import { app, draw, isPhone } from '../app.js';
import { BODY_BYTES_MAX, backToList, sendFiles, sendText, tellTyping } from '../actions.js';
import { byId, el, iconButton, setText, syncOne } from '../dom.js';
import { previewText } from '../message.js';
import { OUTBOX_MAX } from '../outbox.js';
import { bytesOf } from '../text.js';
import { closeMentions, forgetMentions, mentionKey, suggestMentions, takeMentions } from './mention.js';
import { toast } from './overlay.js';

/** From here on the composer counts. */
const BODY_BYTES_SHOWN = 15000;
const HEIGHT_MAX = 168;
const FILES_MAX = 10;
/** Typing goes on for so long before what is begun is kept. */
const DRAFT_PAUSE = 2_000;

const input = byId('message-input');
let draftTimer = 0;

function noteFor(conversation) {
  const silenced = app.store.silenced(conversation);
  if (silenced) return silenced;
  if (app.link.state === 'kicked') return 'You are logged in elsewhere.';
  if (app.outbox.isFull) return `${OUTBOX_MAX} messages wait to be sent; more can be written when they are gone.`;
  return '';
}

function drawComposer() {
  if (app.screen === 'login') return;
  const { conversation } = app.store;
  const label = conversation.kind === 'all' ? 'Message everyone' : `Message ${conversation.title}`;
  if (input.placeholder !== label) {
    input.placeholder = label;
    input.setAttribute('aria-label', label);
  }
  const note = noteFor(conversation);
  const silenced = app.store.silenced(conversation) !== '';
  byId('composer-note').hidden = note === '';
  setText(byId('composer-note'), note);
  byId('composer-row').hidden = silenced;
  byId('close-conversation').hidden = !(conversation.left || app.store.groups.get(conversation.id)?.dismissed);
  byId('attach').hidden = !app.attachments.usable;
  const bytes = bytesOf(input.value.trim());
  const size = byId('composer-size');
  size.hidden = bytes < BODY_BYTES_SHOWN;
  size.classList.toggle('over', bytes > BODY_BYTES_MAX);
  setText(size, `${bytes.toLocaleString()} / ${BODY_BYTES_MAX.toLocaleString()}`);
  byId('send').disabled = bytes === 0 || bytes > BODY_BYTES_MAX || note !== '';
  drawReply(conversation);
}

function drawReply(conversation) {
  const { replyTo } = conversation;
  byId('reply').hidden = !replyTo;
  syncOne(
    byId('reply'),
    replyTo && [replyTo.conversation, replyTo.seq],
    () =>
      replyTo && [
        el(
          'span',
          { class: 'reply-text' },
          el(
            'span',
            { class: 'quote-name' },
            'Answer to ',
            el('bdi', {}, replyTo.own ? 'yourself' : replyTo.from.name),
          ),
          el('span', { class: 'quote-text', dir: 'auto' }, previewText(replyTo)),
        ),
        iconButton('close', 'Do not answer this message', () => {
          conversation.replyTo = null;
          draw();
          input.focus();
        }),
      ],
  );
}

function sizeInput() {
  input.style.height = 'auto';
  input.style.height = `${Math.min(input.scrollHeight, HEIGHT_MAX)}px`;
}

function sendDraft() {
  const { conversation } = app.store;
  const text = input.value.trim();
  if (!sendText(conversation, text, takeMentions(text))) return;
  clearTimeout(draftTimer);
  input.value = '';
  forgetMentions();
  sizeInput();
  draw();
}

byId('composer').addEventListener('submit', (event) => {
  event.preventDefault();
  sendDraft();
  input.focus();
});

input.addEventListener('keydown', (event) => {
  if (mentionKey(event)) return;
  // While an input method is composing, Enter belongs to it (229 is what Safari says then).
  if (event.key !== 'Enter' || event.shiftKey || event.isComposing || event.keyCode === 229) return;
  event.preventDefault();
  sendDraft();
});

input.addEventListener('input', () => {
  const { conversation } = app.store;
  app.drafts.set(conversation, input.value);
  clearTimeout(draftTimer);
  draftTimer = setTimeout(() => app.drafts.save(conversation), DRAFT_PAUSE);
  sizeInput();
  suggestMentions(conversation);
  if (input.value.trim()) tellTyping(conversation);
  drawComposer();
});
input.addEventListener('blur', closeMentions);

// Files

function offer(files) {
  const { conversation } = app.store;
  const list = [...files].filter((file) => file.size > 0);
  if (list.length === 0) return;
  if (!app.attachments.usable) {
    toast(app.credentials?.kind === 'guest' ? 'Files can be sent with an account.' : 'This server takes no files.');
    return;
  }
  if (list.length > FILES_MAX) toast(`At most ${FILES_MAX} files at once.`);
  sendFiles(conversation, list.slice(0, FILES_MAX));
}

byId('attach').addEventListener('click', () => byId('file-input').click());
byId('file-input').addEventListener('change', (event) => {
  offer(event.target.files);
  event.target.value = '';
});
input.addEventListener('paste', (event) => {
  if (event.clipboardData.files.length === 0) return;
  event.preventDefault();
  offer(event.clipboardData.files);
});

const pane = byId('pane');
const hasFiles = (event) => event.dataTransfer?.types.includes('Files');
const showHint = (isShown) => {
  byId('drop-hint').hidden = !isShown;
};

pane.addEventListener('dragover', (event) => {
  if (!hasFiles(event)) return;
  event.preventDefault();
  const open = app.store.silenced(app.store.conversation) === '';
  event.dataTransfer.dropEffect = open ? 'copy' : 'none';
  showHint(open);
});
pane.addEventListener('dragleave', (event) => {
  if (!pane.contains(event.relatedTarget)) showHint(false);
});
pane.addEventListener('drop', (event) => {
  if (!hasFiles(event)) return;
  event.preventDefault();
  showHint(false);
  offer(event.dataTransfer.files);
});
// Beside the pane a file would replace the page.
for (const name of ['dragover', 'drop'])
  addEventListener(name, (event) => {
    if (hasFiles(event)) event.preventDefault();
  });

// The keyboard goes back by one step each time.
document.addEventListener('keydown', (event) => {
  const busy = app.screen === 'login' || event.isComposing || document.querySelector('dialog[open], .menu');
  if (event.key !== 'Escape' || busy) return;
  if (app.store.conversation.replyTo) {
    app.store.conversation.replyTo = null;
    draw();
  } else if (!byId('details').hidden && matchMedia('(max-width: 1040px)').matches) byId('details-close').click();
  else if (isPhone.matches && app.screen === 'conversation') backToList();
});

function show(conversation) {
  input.value = conversation.draft;
  forgetMentions();
  app.drawNow();
  sizeInput();
  if (!isPhone.matches) input.focus();
}

app.on.openConversation = show;
app.on.enter = () => {
  app.drafts.saveAll();
  // A page that comes back keeps what is being written; else it is as other devices, or an earlier page, have left it.
  if (input.value !== app.store.conversation.draft) show(app.store.conversation);
};
app.views.push(drawComposer);
