/** The greatest of many, again and again: adding and taking cost the logarithm of how many there are. */
export class Heap<T> {
  readonly #items: T[] = [];
  readonly #compare: (a: T, b: T) => number;

  /** `compare`: positive when `a` comes before `b`. */
  constructor(compare: (a: T, b: T) => number) {
    this.#compare = compare;
  }

  /** What would be taken next. */
  get first(): T | undefined {
    return this.#items[0];
  }

  add(item: T): void {
    const items = this.#items;
    let at = items.length;
    while (at > 0) {
      const above = (at - 1) >> 1;
      const other = items[above] as T;
      if (this.#compare(item, other) <= 0) break;
      items[at] = other;
      at = above;
    }
    items[at] = item;
  }

  take(): T | undefined {
    const items = this.#items;
    const taken = items[0];
    const last = items.pop();
    if (last === undefined || items.length === 0) return taken;
    let at = 0;
    for (;;) {
      let below = 2 * at + 1;
      if (below >= items.length) break;
      if (below + 1 < items.length && this.#compare(items[below + 1] as T, items[below] as T) > 0) below += 1;
      if (this.#compare(items[below] as T, last) <= 0) break;
      items[at] = items[below] as T;
      at = below;
    }
    items[at] = last;
    return taken;
  }
}
