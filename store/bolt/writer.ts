/**
 * Writes a bbolt file front to back, a slice at a time, without holding its data.
 * In: buckets whose entries can be walked twice in key order. Out: the file's pages in order.
 * Never: seeks, or keeps more than one key a page. The first walk only measures, since the first
 * pages name the last ones; the second one writes.
 * Layout: two metas, an empty freelist, the root bucket, then each bucket's leaves and branches.
 */
import {
  BUCKET_BYTES,
  BUCKET_FLAG,
  ELEMENT_BYTES,
  encodeMeta,
  PAGE,
  PAGE_BYTES,
  PAGE_HEADER_BYTES,
  writeHeader,
} from "./page.ts";

/** One entry at a time; `key` and `value` are valid until the next call. */
export interface EntryWalk {
  /** @returns false at the end */
  next(): boolean;
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

export interface BucketSource {
  readonly name: string;
  /** Starts over: the same entries every time, by key, ascending. */
  walk(): EntryWalk;
}

const FIRST_BUCKET_PAGE = 4;

/** A bucket's shape, known once it was measured. */
interface Shape {
  readonly source: BucketSource;
  readonly firstPage: number;
  /** Entries of each leaf, and how many pages it takes. */
  readonly counts: number[];
  readonly spans: number[];
  readonly firstKeys: Uint8Array[];
  branches: Uint8Array[];
  root: number;
}

export class BoltWriter {
  readonly #buckets: readonly BucketSource[];
  readonly #shapes: Shape[] = [];
  #walk: EntryWalk | null = null;
  #leafBytes = 0;
  #nextPage = FIRST_BUCKET_PAGE;
  #front = true;
  #bucket = 0;
  #leaf = 0;
  /** Page of the leaf written next; leaves follow each other. */
  #leafId = 0;

  /** @param buckets in any order; names differ */
  constructor(buckets: readonly BucketSource[]) {
    this.#buckets = [...buckets].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** Bytes of the whole file; known once `measure` returned false. */
  get totalBytes(): number {
    return this.#nextPage * PAGE_BYTES;
  }

  /**
   * Works out where every page goes.
   * @param budget entries to look at in this call
   * @returns true when there is more to measure
   */
  measure(budget: number): boolean {
    for (let left = budget; left > 0; left--) {
      if (this.#walk === null) {
        if (this.#shapes.length === this.#buckets.length) return false;
        this.#startShape(this.#buckets[this.#shapes.length]);
      } else if (this.#walk.next()) this.#measureEntry(this.#walk);
      else this.#endShape();
    }
    return true;
  }

  #startShape(source: BucketSource): void {
    const firstPage = this.#nextPage;
    this.#walk = source.walk();
    this.#leafBytes = 0;
    this.#shapes.push({
      source,
      firstPage,
      counts: [],
      spans: [],
      firstKeys: [],
      branches: [],
      root: 0,
    });
  }

  #measureEntry({ key, value }: EntryWalk): void {
    const { counts, firstKeys } = this.#shapes[this.#shapes.length - 1];
    const bytes = ELEMENT_BYTES + key.length + value.length;
    if (this.#leafBytes === 0 || this.#leafBytes + bytes > PAGE_BYTES) {
      this.#endLeaf();
      counts.push(0);
      firstKeys.push(key.slice());
      this.#leafBytes = PAGE_HEADER_BYTES;
    }
    this.#leafBytes += bytes;
    counts[counts.length - 1]++;
  }

  #endLeaf(): void {
    if (this.#leafBytes === 0) return;
    const span = Math.ceil(this.#leafBytes / PAGE_BYTES);
    this.#shapes[this.#shapes.length - 1].spans.push(span);
    this.#nextPage += span;
  }

  #endShape(): void {
    const shape = this.#shapes[this.#shapes.length - 1];
    if (shape.counts.length === 0) {
      // An empty bucket is one empty leaf.
      shape.counts.push(0);
      shape.firstKeys.push(new Uint8Array(0));
      this.#leafBytes = PAGE_HEADER_BYTES;
    }
    this.#endLeaf();
    const children: Child[] = [];
    let id = shape.firstPage;
    shape.spans.forEach((span, i) => {
      children.push({ id, key: shape.firstKeys[i] });
      id += span;
    });
    const tree = encodeBranches(children, this.#nextPage);
    shape.branches = tree.pages;
    shape.root = tree.root;
    this.#nextPage = tree.nextPage;
    this.#walk = null;
  }

  /**
   * @param budgetBytes about how much to write in this call
   * @returns the next pages, or undefined after the last
   */
  next(budgetBytes: number): Uint8Array | undefined {
    const pages: Uint8Array[] = [];
    let bytes = 0;
    while (bytes < budgetBytes) {
      const made = this.#nextPages();
      if (made === undefined) break;
      for (const page of made) bytes += page.length;
      pages.push(...made);
    }
    return pages.length === 0 ? undefined : concat(pages, bytes);
  }

  #nextPages(): Uint8Array[] | undefined {
    if (this.#front) {
      this.#front = false;
      return this.#frontPages();
    }
    const shape = this.#shapes[this.#bucket];
    if (shape === undefined) return undefined;
    if (this.#leaf === 0) this.#walk = shape.source.walk();
    if (this.#leaf < shape.counts.length) return [this.#leafPage(shape)];
    this.#bucket++;
    this.#leaf = 0;
    return shape.branches;
  }

  #frontPages(): Uint8Array[] {
    const meta = { pageBytes: PAGE_BYTES, root: 3, freelist: 2, highWater: this.#nextPage };
    const freelist = new Uint8Array(PAGE_BYTES);
    const header = { id: 2, flags: PAGE.freelist, count: 0, overflow: 0 };
    writeHeader(new DataView(freelist.buffer), header);
    const root = new LeafPage(3, this.#shapes.length, PAGE_BYTES);
    for (const { source, root: page } of this.#shapes) {
      const value = new Uint8Array(BUCKET_BYTES);
      new DataView(value.buffer).setBigUint64(0, BigInt(page), true);
      root.add(new TextEncoder().encode(source.name), value, BUCKET_FLAG);
    }
    return [
      encodeMeta({ ...meta, transaction: 0n }, 0),
      encodeMeta({ ...meta, transaction: 1n }, 1),
      freelist,
      root.bytes,
    ];
  }

  #leafPage(shape: Shape): Uint8Array {
    const id = this.#leaf === 0 ? shape.firstPage : this.#leafId;
    const span = shape.spans[this.#leaf];
    const count = shape.counts[this.#leaf];
    const page = new LeafPage(id, count, span * PAGE_BYTES);
    const walk = this.#walk!;
    for (let i = 0; i < count; i++) {
      if (!walk.next()) throw new Error(`bucket ${shape.source.name} shrank while it was written`);
      page.add(walk.key, walk.value, 0);
    }
    this.#leafId = id + span;
    this.#leaf++;
    return page.bytes;
  }
}

class LeafPage {
  readonly bytes: Uint8Array;
  readonly #view: DataView;
  #element = PAGE_HEADER_BYTES;
  #data: number;

  constructor(id: number, count: number, length: number) {
    this.bytes = new Uint8Array(length);
    this.#view = new DataView(this.bytes.buffer);
    const overflow = length / PAGE_BYTES - 1;
    writeHeader(this.#view, { id, flags: PAGE.leaf, count, overflow });
    this.#data = PAGE_HEADER_BYTES + count * ELEMENT_BYTES;
  }

  add(key: Uint8Array, value: Uint8Array, flags: number): void {
    const at = this.#element;
    this.#view.setUint32(at, flags, true);
    this.#view.setUint32(at + 4, this.#data - at, true);
    this.#view.setUint32(at + 8, key.length, true);
    this.#view.setUint32(at + 12, value.length, true);
    this.bytes.set(key, this.#data);
    this.bytes.set(value, this.#data + key.length);
    this.#data += key.length + value.length;
    this.#element += ELEMENT_BYTES;
  }
}

interface Child {
  readonly id: number;
  readonly key: Uint8Array;
}

/** Levels of branch pages over `leaves`, bottom up, numbered from `firstPage`. */
function encodeBranches(
  leaves: readonly Child[],
  firstPage: number,
): { readonly pages: Uint8Array[]; readonly root: number; readonly nextPage: number } {
  const pages: Uint8Array[] = [];
  let id = firstPage;
  let level = leaves;
  while (level.length > 1) {
    const above: Child[] = [];
    for (let from = 0; from < level.length;) {
      let to = from;
      let bytes = PAGE_HEADER_BYTES;
      while (to < level.length) {
        bytes += ELEMENT_BYTES + level[to].key.length;
        // Two keys a page at least, or a tree of long keys would never narrow.
        if (bytes > PAGE_BYTES && to - from >= 2) break;
        to++;
      }
      const page = encodeBranch(id, level.slice(from, to));
      pages.push(page);
      above.push({ id, key: level[from].key });
      id += page.length / PAGE_BYTES;
      from = to;
    }
    level = above;
  }
  return { pages, root: level[0].id, nextPage: id };
}

function encodeBranch(id: number, children: readonly Child[]): Uint8Array {
  const used = children.reduce(
    (sum, { key }) => sum + ELEMENT_BYTES + key.length,
    PAGE_HEADER_BYTES,
  );
  const overflow = Math.ceil(used / PAGE_BYTES) - 1;
  const bytes = new Uint8Array((overflow + 1) * PAGE_BYTES);
  const view = new DataView(bytes.buffer);
  writeHeader(view, { id, flags: PAGE.branch, count: children.length, overflow });
  let data = PAGE_HEADER_BYTES + children.length * ELEMENT_BYTES;
  children.forEach((child, i) => {
    const at = PAGE_HEADER_BYTES + i * ELEMENT_BYTES;
    view.setUint32(at, data - at, true);
    view.setUint32(at + 4, child.key.length, true);
    view.setBigUint64(at + 8, BigInt(child.id), true);
    bytes.set(child.key, data);
    data += child.key.length;
  });
  return bytes;
}

function concat(parts: readonly Uint8Array[], length: number): Uint8Array {
  const whole = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
