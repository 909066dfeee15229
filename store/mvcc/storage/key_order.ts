/**
 * Key ids in the order of their keys: a B+ tree of up to 128 entries a node.
 * In: ids whose bytes the key table can show. Out: positions and walks in key order, fast counts.
 * Never: holds a key; what a node keeps of them is in `order_node.ts`.
 *
 * A deleted key stays here until compaction drops its history; each branch counts the keys below
 * it that exist now, so that counting a range of any width is two descents.
 * Invariant: the key of a branch's entry is the first key below it.
 */
import type { KeyTable } from "./key_table.ts";
import { EXISTS, NODE_ENTRIES, OrderNode } from "./order_node.ts";

/** A place between keys. Valid until the next insert or remove. */
export class OrderCursor {
  leaf: OrderNode | undefined = undefined;
  position = 0;
}

export class KeyOrder {
  readonly #keys: KeyTable;
  #root: OrderNode;
  #nodes = 1;
  /** Branches of the last descent from the root, and the entry taken in each. */
  readonly #path: OrderNode[] = [];
  readonly #slots: number[] = [];

  constructor(keys: KeyTable) {
    this.#keys = keys;
    this.#root = new OrderNode(keys, false);
  }

  get indexBytes(): number {
    return this.#nodes * OrderNode.BYTES;
  }

  /**
   * Adds an id whose key is not present; the key table must be able to show it already.
   * @param id key id. @param exists false for a key that is only remembered as deleted.
   * @param bytes buffer. @param start first byte of the key. @param end byte after the last.
   */
  insert(id: number, exists: boolean, bytes: Uint8Array, start: number, end: number): void {
    if (this.#root.count === NODE_ENTRIES) this.#growRoot();
    let node = this.#root;
    while (node.children !== undefined) {
      let slot = this.#slotOf(node, bytes, start, end);
      const child = node.children[slot];
      if (child.count === NODE_ENTRIES) {
        this.#split(node, slot, child.lowerBound(bytes, start, end));
        const right = node.idAt(slot + 1);
        if (this.#keys.compare(right, bytes, start, end) <= 0) slot++;
      }
      if (exists) node.addExisting(slot, 1);
      if (slot === 0 && node.startsAfter(bytes, start, end)) node.replaceId(0, id);
      node = node.children[slot];
    }
    const position = node.lowerBound(bytes, start, end);
    node.insert(position, exists ? id | EXISTS : id, bytes, start, end);
  }

  #growRoot(): void {
    const below = this.#root;
    this.#root = new OrderNode(this.#keys, true);
    this.#root.insertChild(0, below);
    this.#nodes++;
  }

  /** Halves a full child; one that grows at its end is left full, for keys that come in order. */
  #split(parent: OrderNode, slot: number, position: number): void {
    const child = parent.children![slot];
    const kept = position === NODE_ENTRIES ? NODE_ENTRIES - 1 : NODE_ENTRIES >>> 1;
    const right = child.split(kept);
    parent.setExisting(slot, child.sumExisting(child.count));
    parent.insertChild(slot + 1, right);
    this.#nodes++;
  }

  /** Notes that a present key began or ceased to exist. */
  setExists(exists: boolean, bytes: Uint8Array, start: number, end: number): void {
    const leaf = this.#descend(bytes, start, end);
    leaf.setExists(leaf.lowerBound(bytes, start, end), exists);
    for (let depth = 0; depth < this.#path.length; depth++) {
      this.#path[depth].addExisting(this.#slots[depth], exists ? 1 : -1);
    }
  }

  /** Takes out a key that does not exist any more. */
  remove(bytes: Uint8Array, start: number, end: number): void {
    let node = this.#descend(bytes, start, end);
    const position = node.lowerBound(bytes, start, end);
    const id = node.idAt(position);
    node.remove(position);
    for (let depth = this.#path.length - 1; depth >= 0; depth--) {
      const parent = this.#path[depth];
      const slot = this.#slots[depth];
      if (node.count === 0) {
        node.unlink();
        parent.remove(slot);
        this.#nodes--;
      } else if (parent.idAt(slot) === id) parent.replaceId(slot, node.idAt(0));
      node = parent;
    }
    while (this.#root.children?.length === 1) {
      this.#root = this.#root.children[0];
      this.#nodes--;
    }
  }

  /**
   * Sets a cursor before the first key at or after the given one.
   * @returns how many keys before it exist now.
   */
  moveTo(cursor: OrderCursor, bytes: Uint8Array, start: number, end: number): number {
    const leaf = this.#descend(bytes, start, end);
    cursor.leaf = leaf;
    cursor.position = leaf.lowerBound(bytes, start, end);
    return this.#before(leaf, cursor.position);
  }

  /** As `moveTo`, behind the last key. */
  moveToEnd(cursor: OrderCursor): number {
    this.#path.length = 0;
    this.#slots.length = 0;
    let node = this.#root;
    while (node.children !== undefined) {
      this.#path.push(node);
      this.#slots.push(node.count - 1);
      node = node.children[node.count - 1];
    }
    cursor.leaf = node;
    cursor.position = node.count;
    return this.#before(node, node.count);
  }

  /** @returns the keys that exist before a position in the leaf that the path leads to. */
  #before(leaf: OrderNode, position: number): number {
    let total = leaf.sumExisting(position);
    for (let depth = 0; depth < this.#path.length; depth++) {
      total += this.#path[depth].sumExisting(this.#slots[depth]);
    }
    return total;
  }

  /**
   * Steps a cursor over a key.
   * @param cursor at or before `end`. @param end where to stop.
   * @returns the id stepped over, or -1 at the end.
   */
  next(cursor: OrderCursor, end: OrderCursor): number {
    for (;;) {
      const leaf = cursor.leaf!;
      const last = leaf === end.leaf ? end.position : leaf.count;
      if (cursor.position < last) return leaf.idAt(cursor.position++);
      if (leaf === end.leaf || leaf.next === undefined) return -1;
      cursor.leaf = leaf.next;
      cursor.position = 0;
    }
  }

  /** @returns the leaf where a key is or belongs; `#path` and `#slots` lead there. */
  #descend(bytes: Uint8Array, start: number, end: number): OrderNode {
    let node = this.#root;
    let depth = 0;
    for (; node.children !== undefined; depth++) {
      const slot = this.#slotOf(node, bytes, start, end);
      this.#path[depth] = node;
      this.#slots[depth] = slot;
      node = node.children[slot];
    }
    this.#path.length = depth;
    this.#slots.length = depth;
    return node;
  }

  /** The last entry at or before a key, else the first. */
  #slotOf(node: OrderNode, bytes: Uint8Array, start: number, end: number): number {
    const position = node.lowerBound(bytes, start, end);
    return node.found ? position : Math.max(position - 1, 0);
  }
}
