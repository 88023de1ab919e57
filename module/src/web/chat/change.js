// What happens in a conversation that stands in no inbox, besides messages: it is numbered there. A gap in its numbers is
// asked for; who knows no number yet begins with what is loaded now.

const PAGE = 500;

export class Changes {
  #link;
  #take;

  /** take(notice, time) */
  constructor(link, take) {
    this.#link = link;
    this.#take = take;
  }

  /** One that was pushed, in its turn. */
  async push(conversation, number, take) {
    const known = conversation.lastChange;
    if (known === null || number === known + 1) {
      conversation.lastChange = number;
      take();
    } else if (number > known) await this.#read(conversation);
  }

  /** After a time without a connection, in which it has come to `last`. */
  async catchUp(conversation, last) {
    if (conversation.lastChange === null) {
      conversation.unload();
      conversation.lastChange = last;
    } else if (last > conversation.lastChange) await this.#read(conversation);
  }

  async #read(conversation) {
    for (;;) {
      const ask = { conversation: conversation.key, after: conversation.lastChange, limit: PAGE };
      const page = await this.#link.request('conversation.changes', ask);
      if (page.reset) conversation.unload();
      for (const { change, time, notice } of page.changes) {
        if (change <= conversation.lastChange) continue;
        conversation.lastChange = change;
        this.#take(notice, time);
      }
      if (page.reset || page.changes.length < PAGE) {
        // What was before one has joined is not told.
        conversation.lastChange = Math.max(conversation.lastChange, page.last);
        return;
      }
    }
  }
}
