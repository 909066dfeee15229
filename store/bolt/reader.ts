/**
 * Reads the buckets of a bbolt file.
 * In: a way to read bytes at an offset. Out: entries in key order, or what is wrong with the file.
 * Never: trusts a number of the file: every page, position and size is checked against it.
 */
import {
  BUCKET_BYTES,
  BUCKET_FLAG,
  decodeMeta,
  ELEMENT_BYTES,
  type Meta,
  PAGE,
  PAGE_HEADER_BYTES,
} from "./page.ts";

/** @returns `length` bytes at `offset`, fewer at the end of the file */
export type ReadAt = (offset: number, length: number) => Uint8Array;

export interface Entry {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

/** What a damaged file is refused with; `readBolt` and walks throw it. */
export class BoltDamage extends Error {}

const META_PROBE_BYTES = 4096;
/** Deeper trees than any file needs are loops. */
const MAX_DEPTH = 32;

interface Page {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly flags: number;
  readonly count: number;
  readonly id: number;
}

export class BoltReader {
  readonly #readAt: ReadAt;
  readonly #meta: Meta;
  readonly #buckets = new Map<string, Uint8Array>();

  /** Errors: throws BoltDamage when the file holds no intact meta page or root. */
  constructor(readAt: ReadAt) {
    this.#readAt = readAt;
    this.#meta = this.#newestMeta();
    for (const { key, value, flags } of this.#entries(this.#page(this.#meta.root), 0)) {
      if (flags !== BUCKET_FLAG) throw new BoltDamage("the root holds something else than buckets");
      this.#buckets.set(new TextDecoder().decode(key), value.slice());
    }
  }

  get bucketNames(): readonly string[] {
    return [...this.#buckets.keys()];
  }

  /**
   * Walks a bucket's entries in key order; nothing for a bucket the file does not have.
   * Errors: throws BoltDamage.
   */
  *entries(bucket: string): Generator<Entry> {
    const value = this.#buckets.get(bucket);
    if (value === undefined) return;
    if (value.length < BUCKET_BYTES) throw new BoltDamage(`bucket ${bucket} is cut short`);
    const root = Number(viewOf(value).getBigUint64(0, true));
    const page = root === 0 ? asPage(value.subarray(BUCKET_BYTES), 0) : this.#page(root);
    for (const { key, value: held, flags } of this.#entries(page, 0)) {
      if ((flags & BUCKET_FLAG) === 0) yield { key, value: held };
    }
  }

  /** The newer of the two metas; one of them may be torn. */
  #newestMeta(): Meta {
    const first = decodeMeta(this.#readAt(0, META_PROBE_BYTES));
    const found = [first];
    // Without the first meta its page size is unknown, so the usual ones are tried.
    const sizes = first === null ? [4096, 8192, 16384, 32768, 65536] : [first.pageBytes];
    for (const size of sizes) found.push(decodeMeta(this.#readAt(size, META_PROBE_BYTES)));
    const intact = found.filter((meta) => meta !== null)
      .sort((a, b) => (a.transaction < b.transaction ? 1 : -1));
    if (intact.length === 0) throw new BoltDamage("no intact meta page: not a bbolt file");
    return intact[0];
  }

  #page(id: number): Page {
    const { pageBytes, highWater } = this.#meta;
    if (!(id >= 2 && id < highWater)) throw new BoltDamage(`page ${id} lies outside the file`);
    const header = this.#readAt(id * pageBytes, PAGE_HEADER_BYTES);
    if (header.length < PAGE_HEADER_BYTES) throw new BoltDamage(`page ${id} is cut off`);
    const overflow = viewOf(header).getUint32(12, true);
    if (id + overflow >= highWater) throw new BoltDamage(`page ${id} runs over the end`);
    const length = (overflow + 1) * pageBytes;
    const bytes = this.#readAt(id * pageBytes, length);
    if (bytes.length < length) throw new BoltDamage(`page ${id} is cut off`);
    const page = asPage(bytes, id);
    if (Number(page.view.getBigUint64(0, true)) !== id) {
      throw new BoltDamage(`page ${id} says it is another`);
    }
    return page;
  }

  *#entries(page: Page, depth: number): Generator<Entry & { readonly flags: number }> {
    const { bytes, view, flags, count, id } = page;
    if (depth > MAX_DEPTH) throw new BoltDamage(`the tree is too deep at page ${id}`);
    if (PAGE_HEADER_BYTES + count * ELEMENT_BYTES > bytes.length) {
      throw new BoltDamage(`page ${id} counts more elements than it holds`);
    }
    const slice = (from: number, length: number) => {
      if (from + length > bytes.length) throw new BoltDamage(`an element leaves page ${id}`);
      return bytes.subarray(from, from + length);
    };
    for (let i = 0; i < count; i++) {
      const at = PAGE_HEADER_BYTES + i * ELEMENT_BYTES;
      if (flags === PAGE.branch) {
        const child = Number(view.getBigUint64(at + 8, true));
        yield* this.#entries(this.#page(child), depth + 1);
      } else if (flags === PAGE.leaf) {
        const start = at + view.getUint32(at + 4, true);
        const keyLength = view.getUint32(at + 8, true);
        const key = slice(start, keyLength);
        const value = slice(start + keyLength, view.getUint32(at + 12, true));
        yield { key, value, flags: view.getUint32(at, true) };
      } else throw new BoltDamage(`page ${id} is neither branch nor leaf`);
    }
  }
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function asPage(bytes: Uint8Array, id: number): Page {
  if (bytes.length < PAGE_HEADER_BYTES) throw new BoltDamage(`page ${id} is cut short`);
  const view = viewOf(bytes);
  return { bytes, view, flags: view.getUint16(8, true), count: view.getUint16(10, true), id };
}
