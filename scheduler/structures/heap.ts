/**
 * A binary heap whose items can be found and removed by key.
 * In: items with distinct keys, an order. Out: the first item, items by key.
 * Never: keeps an item in place after its rank changed; the caller adds it again.
 */

interface Slot<T> {
  readonly key: string;
  readonly item: T;
  place: number;
}

export class KeyedHeap<T> {
  readonly #keyOf: (item: T) => string;
  readonly #before: (a: T, b: T) => boolean;
  readonly #slots: Slot<T>[] = [];
  readonly #byKey = new Map<string, Slot<T>>();

  /** @param before whether `a` comes out earlier than `b`. */
  constructor(keyOf: (item: T) => string, before: (a: T, b: T) => boolean) {
    this.#keyOf = keyOf;
    this.#before = before;
  }

  get size(): number {
    return this.#slots.length;
  }

  /** @returns all items, in no order. */
  *items(): Iterable<T> {
    for (const { item } of this.#slots) yield item;
  }

  /** @returns the item that comes out next, undefined when empty. */
  peek(): T | undefined {
    return this.#slots[0]?.item;
  }

  get(key: string): T | undefined {
    return this.#byKey.get(key)?.item;
  }

  /** Adds an item; one with the same key is replaced. */
  add(item: T): void {
    const key = this.#keyOf(item);
    this.remove(key);
    const slot = { key, item, place: this.#slots.length };
    this.#byKey.set(key, slot);
    this.#slots.push(slot);
    this.#up(slot);
  }

  /** Takes out the first item. */
  pop(): T | undefined {
    const first = this.#slots[0];
    if (first !== undefined) this.#drop(first);
    return first?.item;
  }

  /** @returns the removed item, undefined when there was none. */
  remove(key: string): T | undefined {
    const slot = this.#byKey.get(key);
    if (slot !== undefined) this.#drop(slot);
    return slot?.item;
  }

  #drop(slot: Slot<T>): void {
    this.#byKey.delete(slot.key);
    const last = this.#slots.pop()!;
    if (last === slot) return;
    last.place = slot.place;
    this.#slots[last.place] = last;
    this.#up(last);
    this.#down(last);
  }

  #up(slot: Slot<T>): void {
    const slots = this.#slots;
    let { place } = slot;
    while (place > 0) {
      const parent = slots[(place - 1) >> 1];
      if (!this.#before(slot.item, parent.item)) break;
      slots[place] = parent;
      [place, parent.place] = [parent.place, place];
    }
    slots[place] = slot;
    slot.place = place;
  }

  #down(slot: Slot<T>): void {
    const slots = this.#slots;
    const size = slots.length;
    let { place } = slot;
    for (;;) {
      let at = 2 * place + 1;
      if (at >= size) break;
      if (at + 1 < size && this.#before(slots[at + 1].item, slots[at].item)) at++;
      const child = slots[at];
      if (!this.#before(child.item, slot.item)) break;
      slots[place] = child;
      child.place = place;
      place = at;
    }
    slots[place] = slot;
    slot.place = place;
  }
}
