// One moment under the pointer, shared by every panel of the page.

export class Cursor {
  #listeners = new Set();

  listen(listener) {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  // `moment` in seconds since 1970, or null when the pointer has left.
  move(moment, source) {
    for (const listener of this.#listeners) listener(moment, source);
  }
}
