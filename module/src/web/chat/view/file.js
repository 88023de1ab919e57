// A picture or a file in a message.

import { app } from '../app.js';
import { el, icon, ownAddress } from '../dom.js';
import { errorText, sizeText } from '../text.js';
import { attempt, openDialog } from './overlay.js';

/** The sides of a picture in the log, in pixels, at most. */
const WIDTH_MAX = 320;
const HEIGHT_MAX = 300;

export function buildFile(message, file) {
  if (message.upload) return buildUpload(message, file);
  return file.isPicture ? buildPicture(message, file) : buildDownload(file);
}

/** The room that a picture takes, so that nothing moves when it comes. */
function sized(element, width, height) {
  const scale = Math.min(1, WIDTH_MAX / (width || WIDTH_MAX), HEIGHT_MAX / (height || HEIGHT_MAX));
  element.style.width = `${Math.round((width || WIDTH_MAX) * scale)}px`;
  element.style.aspectRatio = `${width || 4} / ${height || 3}`;
  return element;
}

function buildPicture(message, file) {
  const frame = sized(
    el('button', {
      class: 'picture',
      type: 'button',
      'data-testid': 'picture',
      'aria-label': `Picture ${file.name}`,
    }),
    file.width,
    file.height,
  );
  const say = (text) => frame.replaceChildren(el('span', { class: 'quiet' }, text));
  const show = (view, fail) => {
    const address = ownAddress(view.thumbnail_url ?? view.url);
    if (!address) return;
    frame.replaceChildren(el('img', { src: address, alt: file.name, onerror: fail }));
    // The address may have grown old since.
    frame.onclick = () => attempt(async () => showPicture(await app.attachments.find(file.id), file));
  };
  const gone = (error) => say(goneText(error));
  const showAnew = () =>
    app.attachments.findAnew(file.id).then((view) => show(view, () => say('The picture is gone.')), gone);
  app.attachments.find(file.id).then((view) => show(view, showAnew), gone);
  return frame;
}

const goneText = (error) => (error.code === 'not_found' ? 'It is gone.' : errorText(error));

function showPicture(view, file) {
  const address = ownAddress(view.url);
  openDialog({ title: file.name, testId: 'picture-dialog', wide: true }, (body) => {
    body.append(
      el('img', { class: 'picture-large', src: address, alt: file.name }),
      el(
        'div',
        { class: 'dialog-actions' },
        el('a', { class: 'button', href: address, download: file.name }, `Download, ${sizeText(view.size)}`),
      ),
    );
  });
}

function buildDownload(file) {
  const detail = el('span', { class: 'file-size' }, file.size > 0 ? sizeText(file.size) : '');
  const link = el(
    'a',
    { class: 'file', 'data-testid': 'file', 'aria-label': `Download ${file.name}` },
    el('span', { class: 'file-mark' }, icon('file')),
    el('span', { class: 'file-text' }, el('bdi', { class: 'file-name' }, file.name), detail),
  );
  let known = null;
  const point = (view) => {
    const address = ownAddress(view.url);
    if (!address) return;
    known = view;
    link.href = address;
    link.download = file.name;
  };
  link.onclick = (event) => {
    if (!known || app.attachments.isFresh(known)) return;
    event.preventDefault();
    attempt(async () => {
      point(await app.attachments.find(file.id));
      if (app.attachments.isFresh(known)) link.click();
    });
  };
  app.attachments.find(file.id).then(point, (error) => {
    detail.textContent = goneText(error);
  });
  return link;
}

/** A file on its way: the picture itself is drawn from the person's own disk. */
function buildUpload(message, file) {
  const { upload } = message;
  const { name, size } = upload.file;
  const bar =
    message.state === 'sending' && el('progress', { max: 1, value: upload.progress, 'aria-label': `Sending ${name}` });
  if (!file.isPicture) {
    return el(
      'div',
      { class: 'file', 'data-testid': 'file' },
      el('span', { class: 'file-mark' }, icon('file')),
      el(
        'span',
        { class: 'file-text' },
        el('bdi', { class: 'file-name' }, name),
        el('span', { class: 'file-size' }, sizeText(size)),
        bar,
      ),
    );
  }
  const canvas = el('canvas');
  const frame = el('div', { class: 'picture', 'data-testid': 'picture' }, canvas, bar);
  const shape = ({ width, height }) => {
    sized(frame, width, height);
    const scale = Math.min(1, (2 * WIDTH_MAX) / width);
    canvas.width = Math.max(1, Math.round(width * scale));
    canvas.height = Math.max(1, Math.round(height * scale));
    canvas.getContext('2d').drawImage(upload.bitmap, 0, 0, canvas.width, canvas.height);
  };
  if (upload.bitmap) shape(upload.bitmap);
  else {
    sized(frame, 0, 0);
    createImageBitmap(upload.file).then(
      (bitmap) => {
        upload.bitmap = bitmap;
        shape(bitmap);
      },
      () => {},
    );
  }
  return frame;
}
