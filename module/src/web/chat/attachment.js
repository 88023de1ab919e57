// Pictures and files: uploaded over HTTP before the message that names them is sent, looked up when one is shown.

import { RequestError } from './connection.js';

const PATH = '/api/v1/attachments';
/** An address is asked for again when it is good for less than this. */
const FRESH = 60_000;
const KNOWN_MAX = 500;

export class Attachments {
  /** Whether the server takes files. */
  offered = false;

  #token;
  #link;
  #known = new Map();

  /** `token()` gives the token of the session, or nothing for guests. */
  constructor(link, token) {
    this.#link = link;
    this.#token = token;
  }

  get usable() {
    return this.offered && Boolean(this.#token());
  }

  /** Finds out whether the server takes files: one that does knows the question. */
  async probe() {
    if (!this.#token()) return;
    await this.#link.request('attachment.get', { attachment: 0 }).catch(({ code }) => {
      if (code !== 'lost') this.offered = code === 'not_found';
    });
  }

  /** Uploads a file and gives what the server says of it. `onProgress` is given a part of 1. */
  upload(file, onProgress, signal) {
    return new Promise((resolve, reject) => {
      const request = new XMLHttpRequest();
      request.open('POST', `${PATH}?name=${encodeURIComponent(file.name || 'file')}`);
      request.setRequestHeader('authorization', `Bearer ${this.#token()}`);
      request.setRequestHeader('content-type', file.type || 'application/octet-stream');
      request.responseType = 'json';
      request.upload.onprogress = (event) => onProgress(event.total > 0 ? event.loaded / event.total : 0);
      request.onload = () => {
        const { status, response } = request;
        const view = response?.attachment ?? response;
        if (status >= 200 && status < 300 && view?.id) {
          this.#keep(view);
          resolve(view);
          return;
        }
        if (status === 404) this.offered = false;
        const error = response?.error;
        reject(
          new RequestError(
            error?.code ?? 'internal',
            error?.message ?? `the server does not take the file (${status})`,
          ),
        );
      };
      request.onerror = () => reject(new RequestError('lost', 'The connection was lost.'));
      request.onabort = () => reject(new RequestError('cancelled', 'cancelled'));
      signal.addEventListener('abort', () => request.abort(), { once: true });
      request.send(file);
    });
  }

  #keep(view) {
    this.#known.set(view.id, Promise.resolve(view));
    if (this.#known.size > KNOWN_MAX) this.#known.delete(this.#known.keys().next().value);
  }

  /** Whether its addresses are still good. */
  isFresh({ expires }) {
    return !(expires < Date.now() + FRESH);
  }

  /** The same once more, where an address turned out not to be good: clocks differ. */
  findAnew(id) {
    this.#known.delete(id);
    return this.find(id);
  }

  /** What the server says of an attachment, with addresses that are good now. */
  async find(id) {
    // What failed for another is asked for again here.
    const known = await this.#known.get(id)?.catch(() => null);
    if (known && this.isFresh(known)) return known;
    const found = this.#link.request('attachment.get', { attachment: id }).then((ok) => ok.attachment ?? ok);
    this.#known.set(id, found);
    // And by those who come after.
    found.then(
      (view) => this.#keep(view),
      () => this.#known.delete(id),
    );
    return found;
  }
}

/** What a message says of its file, so that there is something to show before the server is asked. */
export const bodyOf = ({ id, name, type, size, width, height }) =>
  JSON.stringify({
    attachment: id,
    name,
    type,
    size,
    width: width || undefined,
    height: height || undefined,
  });
