/**
 * A binary heap whose items can be found and removed by key.
 * In: items with distinct keys, an order. Out: the first item, items by key.
 * Never: keeps an item in place after its rank changed; the caller adds it again.
 */

export class KeyedHeap<T> {
  readonly #keyOf: (item: T) => string;
  readonly #before: (a: T, b: T) => boolean;
  readonly #items: T[] = [];
  readonly #places = new Map<string, number>();

  /** @param before whether `a` comes out earlier than `b`. */
  constructor(keyOf: (item: T) => string, before: (a: T, b: T) => boolean) {
    this.#keyOf = keyOf;
    this.#before = before;
  }

  get size(): number {
    return this.#items.length;
  }

  /** @returns the item that comes out next, undefined when empty. */
  peek(): T | undefined {
    return this.#items[0];
  }

  get(key: string): T | undefined {
    const place = this.#places.get(key);
    return place === undefined ? undefined : this.#items[place];
  }

  /** Adds an item; one with the same key is replaced. */
  add(item: T): void {
    this.remove(this.#keyOf(item));
    this.#items.push(item);
    this.#up(this.#items.length - 1);
  }

  /** Takes out the first item. */
  pop(): T | undefined {
    const first = this.#items[0];
    if (first !== undefined) this.remove(this.#keyOf(first));
    return first;
  }

  /** @returns the removed item, undefined when there was none. */
  remove(key: string): T | undefined {
    const place = this.#places.get(key);
    if (place === undefined) return undefined;
    const item = this.#items[place];
    const last = this.#items.pop()!;
    this.#places.delete(key);
    if (place < this.#items.length) {
      this.#put(last, place);
      this.#up(place);
      this.#down(this.#places.get(this.#keyOf(last))!);
    }
    return item;
  }

  items(): readonly T[] {
    return this.#items;
  }

  #put(item: T, place: number): void {
    this.#items[place] = item;
    this.#places.set(this.#keyOf(item), place);
  }

  #up(place: number): void {
    const item = this.#items[place];
    while (place > 0) {
      const parent = (place - 1) >> 1;
      if (!this.#before(item, this.#items[parent])) break;
      this.#put(this.#items[parent], place);
      place = parent;
    }
    this.#put(item, place);
  }

  #down(place: number): void {
    const item = this.#items[place];
    const size = this.#items.length;
    for (;;) {
      let child = 2 * place + 1;
      if (child >= size) break;
      if (child + 1 < size && this.#before(this.#items[child + 1], this.#items[child])) child++;
      if (!this.#before(this.#items[child], item)) break;
      this.#put(this.#items[child], place);
      place = child;
    }
    this.#put(item, place);
  }
}
