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

/** One entry at a time; `key` and `value` are valid until the next call, and cost to ask for. */
export interface EntryWalk {
  /** @returns false at the end */
  next(): boolean;
  readonly keyBytes: number;
  readonly valueBytes: number;
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
  /** Null while leaves are still counted. */
  branches: BranchBuilder | null;
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
  #branch = 0;
  readonly #out = new PageBuffer();

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
   * @param budget entries to look at in this call, and nodes to place
   * @returns true when there is more to measure
   */
  measure(budget: number): boolean {
    for (let left = budget; left > 0; left--) {
      if (this.#walk === null) {
        if (this.#shapes.length === this.#buckets.length) return false;
        this.#startShape(this.#buckets[this.#shapes.length]);
        continue;
      }
      const { branches } = this.#shapes[this.#shapes.length - 1];
      if (branches !== null) {
        if (branches.step()) continue;
        this.#nextPage = branches.nextPage;
        this.#walk = null;
      } else if (this.#walk.next()) this.#measureEntry(this.#walk);
      else this.#endLeaves();
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
      branches: null,
    });
  }

  #measureEntry(walk: EntryWalk): void {
    const { counts, firstKeys } = this.#shapes[this.#shapes.length - 1];
    const bytes = ELEMENT_BYTES + walk.keyBytes + walk.valueBytes;
    if (this.#leafBytes === 0 || this.#leafBytes + bytes > PAGE_BYTES) {
      this.#endLeaf();
      counts.push(0);
      firstKeys.push(walk.key.slice());
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

  #endLeaves(): void {
    const shape = this.#shapes[this.#shapes.length - 1];
    if (shape.counts.length === 0) {
      // An empty bucket is one empty leaf.
      shape.counts.push(0);
      shape.firstKeys.push(new Uint8Array(0));
      this.#leafBytes = PAGE_HEADER_BYTES;
    }
    this.#endLeaf();
    shape.branches = new BranchBuilder(shape, this.#nextPage);
  }

  /**
   * @param budgetBytes about how much to write in this call
   * @returns the next pages, valid until the next call, or undefined after the last
   */
  next(budgetBytes: number): Uint8Array | undefined {
    this.#out.length = 0;
    while (this.#out.length < budgetBytes && this.#appendPage());
    return this.#out.length === 0 ? undefined : this.#out.taken();
  }

  /** @returns false after the last page */
  #appendPage(): boolean {
    if (this.#front) {
      this.#front = false;
      this.#appendFront();
      return true;
    }
    const shape = this.#shapes[this.#bucket];
    if (shape === undefined) return false;
    if (this.#leaf < shape.counts.length) {
      this.#appendLeaf(shape);
      return true;
    }
    const { pages } = shape.branches!;
    if (this.#branch < pages.length) {
      this.#out.append(pages[this.#branch++]);
      return true;
    }
    this.#bucket++;
    this.#leaf = 0;
    this.#branch = 0;
    return this.#appendPage();
  }

  #appendFront(): void {
    const meta = { pageBytes: PAGE_BYTES, root: 3, freelist: 2, highWater: this.#nextPage };
    this.#out.append(encodeMeta({ ...meta, transaction: 0n }, 0));
    this.#out.append(encodeMeta({ ...meta, transaction: 1n }, 1));
    const freelist = this.#out.reserve(PAGE_BYTES);
    writeHeader(freelist, { id: 2, flags: PAGE.freelist, count: 0, overflow: 0 });
    const root = new LeafPage(this.#out, { id: 3, count: this.#shapes.length, span: 1 });
    for (const { source, branches } of this.#shapes) {
      const value = new Uint8Array(BUCKET_BYTES);
      new DataView(value.buffer).setBigUint64(0, BigInt(branches!.root), true);
      root.add(new TextEncoder().encode(source.name), value, BUCKET_FLAG);
    }
  }

  #appendLeaf(shape: Shape): void {
    if (this.#leaf === 0) {
      this.#walk = shape.source.walk();
      this.#leafId = shape.firstPage;
    }
    const span = shape.spans[this.#leaf];
    const count = shape.counts[this.#leaf];
    const page = new LeafPage(this.#out, { id: this.#leafId, count, span });
    const walk = this.#walk!;
    for (let i = 0; i < count; i++) {
      if (!walk.next()) throw new Error(`bucket ${shape.source.name} shrank while it was written`);
      page.add(walk.key, walk.value, 0);
    }
    this.#leafId += span;
    this.#leaf++;
  }
}

/** Pages put together in one buffer that is used again and again. */
class PageBuffer {
  bytes = new Uint8Array(32 * PAGE_BYTES);
  length = 0;

  /** @returns what was appended since the length was set to 0 */
  taken(): Uint8Array {
    return this.bytes.subarray(0, this.length);
  }

  append(page: Uint8Array): void {
    this.reserve(page.length);
    this.bytes.set(page, this.length - page.length);
  }

  /** Appends zeros. @returns a view of them */
  reserve(count: number): DataView {
    const start = this.length;
    this.length += count;
    if (this.length > this.bytes.length) {
      const grown = new Uint8Array(Math.max(this.length, 2 * this.bytes.length));
      grown.set(this.bytes.subarray(0, start));
      this.bytes = grown;
    } else this.bytes.fill(0, start, this.length);
    return new DataView(this.bytes.buffer, start, count);
  }
}

/** The page reserved last; nothing is reserved while it is filled. */
class LeafPage {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #element = PAGE_HEADER_BYTES;
  #data: number;

  constructor(
    out: PageBuffer,
    { id, count, span }: { readonly id: number; readonly count: number; readonly span: number },
  ) {
    this.#view = out.reserve(span * PAGE_BYTES);
    this.#bytes = out.bytes.subarray(this.#view.byteOffset, out.length);
    writeHeader(this.#view, { id, flags: PAGE.leaf, count, overflow: span - 1 });
    this.#data = PAGE_HEADER_BYTES + count * ELEMENT_BYTES;
  }

  add(key: Uint8Array, value: Uint8Array, flags: number): void {
    const at = this.#element;
    this.#view.setUint32(at, flags, true);
    this.#view.setUint32(at + 4, this.#data - at, true);
    this.#view.setUint32(at + 8, key.length, true);
    this.#view.setUint32(at + 12, value.length, true);
    this.#bytes.set(key, this.#data);
    this.#bytes.set(value, this.#data + key.length);
    this.#data += key.length + value.length;
    this.#element += ELEMENT_BYTES;
  }
}

/** Nodes of one level of a tree. */
interface Level {
  readonly ids: number[];
  readonly keys: readonly Uint8Array[];
}

/** Levels of branch pages over a bucket's leaves, bottom up, a page at a time. */
class BranchBuilder {
  readonly pages: Uint8Array[] = [];
  #level: Level;
  #above: { readonly ids: number[]; readonly keys: Uint8Array[] } = { ids: [], keys: [] };
  #from = 0;
  nextPage: number;

  /** @param firstPage number of the first branch */
  constructor(
    leaves: Pick<Shape, "firstPage" | "spans" | "firstKeys">,
    firstPage: number,
  ) {
    let id = leaves.firstPage;
    const ids = leaves.spans.map((span) => (id += span) - span);
    this.#level = { ids, keys: leaves.firstKeys };
    this.nextPage = firstPage;
  }

  /** Page of the tree's root; known once `step` returned false. */
  get root(): number {
    return this.#level.ids[0];
  }

  /** Makes one page. @returns false when there was none left to make */
  step(): boolean {
    const { ids, keys } = this.#level;
    if (ids.length === 1) return false;
    const from = this.#from;
    let to = from;
    let bytes = PAGE_HEADER_BYTES;
    while (to < ids.length) {
      bytes += ELEMENT_BYTES + keys[to].length;
      // Two keys a page at least, or a tree of long keys would never narrow.
      if (bytes > PAGE_BYTES && to - from >= 2) break;
      to++;
    }
    const children = { ids: ids.slice(from, to), keys: keys.slice(from, to) };
    const page = encodeBranch(this.nextPage, children);
    this.pages.push(page);
    this.#above.ids.push(this.nextPage);
    this.#above.keys.push(keys[from]);
    this.nextPage += page.length / PAGE_BYTES;
    this.#from = to;
    if (to === ids.length) {
      this.#level = this.#above;
      this.#above = { ids: [], keys: [] };
      this.#from = 0;
    }
    return true;
  }
}

function encodeBranch(id: number, { ids, keys }: Level): Uint8Array {
  const used = keys.reduce((sum, key) => sum + ELEMENT_BYTES + key.length, PAGE_HEADER_BYTES);
  const overflow = Math.ceil(used / PAGE_BYTES) - 1;
  const bytes = new Uint8Array((overflow + 1) * PAGE_BYTES);
  const view = new DataView(bytes.buffer);
  writeHeader(view, { id, flags: PAGE.branch, count: keys.length, overflow });
  let data = PAGE_HEADER_BYTES + keys.length * ELEMENT_BYTES;
  keys.forEach((key, i) => {
    const at = PAGE_HEADER_BYTES + i * ELEMENT_BYTES;
    view.setUint32(at, data - at, true);
    view.setUint32(at + 4, key.length, true);
    view.setBigUint64(at + 8, BigInt(ids[i]), true);
    bytes.set(key, data);
    data += key.length;
  });
  return bytes;
}
