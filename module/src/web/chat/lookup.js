// What has to be read anew after something has happened. It is gathered for a moment, so that however many entries ask for
// it, it is read once.

/** What is done in a row is looked up together. */
const SOON = 60;

export class Lookups {
  /** How to read it, by what it is. */
  #wanted = new Map();
  #timer = 0;
  #held = false;

  /** Has `read()` read `what` soon. */
  want(what, read) {
    this.#wanted.set(what, read);
    this.#arm();
  }

  /** While much is caught up with, nothing is read: it would be read again behind the next page. */
  hold(held) {
    this.#held = held;
    this.#arm();
  }

  #arm() {
    if (this.#held || this.#timer || this.#wanted.size === 0) return;
    this.#timer = setTimeout(() => this.#read(), SOON);
  }

  /** One after the other: the server bounds how much is asked at once. */
  async #read() {
    const wanted = this.#wanted;
    this.#wanted = new Map();
    for (const [what, read] of wanted) {
      try {
        await read();
        wanted.delete(what);
      } catch (error) {
        if (error.code === 'lost') break;
        wanted.delete(what);
        console.warn('gatehouse:', error.code, error.message);
      }
    }
    // Without a connection the rest waits for the next one.
    for (const [what, read] of wanted) if (!this.#wanted.has(what)) this.#wanted.set(what, read);
    this.#timer = 0;
    if (wanted.size === 0) this.#arm();
  }
}
