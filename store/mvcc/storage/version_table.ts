/**
 * Versions of keys: where each is, when it was written, and which one came before it.
 * In: key ids, revisions, addresses. Out: version numbers (1 and up, reused after `free`).
 * Never: holds a value; that is in the value log.
 *
 * Each version points to the one before and, by a skew-binary jump, to one much further back, so
 * that a read at an old revision takes a logarithmic number of steps. Compaction frees versions
 * without mending pointers to them; a pointer is followed only when it leads to an older version
 * of the same key, which a freed or reused version never is.
 * Source: E. Myers, "An applicative random-access stack" (1983), for the jumps.
 */

const PAGE_BITS = 14;
const PAGE_MASK = (1 << PAGE_BITS) - 1;
/** 32 bytes a version, so that one lies in one line of the processor's cache. */
const STRIDE_BITS = 3;
const ADDRESS = 0;
const KEY = 1;
/** The version before; of a free version the next free one. */
const PREVIOUS = 2;
const JUMP = 3;
/** Depth in the chain, shifted left by one; bit 0 says tombstone. */
const DEPTH = 4;
const REVISION_LOW = 5;
const REVISION_HIGH = 6;
/** Hash of the key. */
const HASH = 7;
const NO_KEY = 0xffffffff;
const TWO_32 = 4294967296;

export class VersionTable {
  readonly #pages: Uint32Array[] = [newPage()];
  #firstFree = 0;
  #freeCount = 0;
  #next = 1;

  get indexBytes(): number {
    return this.#pages.length * (4 << (PAGE_BITS + STRIDE_BITS));
  }

  /** Versions in use. */
  get count(): number {
    return this.#next - 1 - this.#freeCount;
  }

  /** @returns a number for a version about to be added. */
  allocate(): number {
    const version = this.#firstFree;
    if (version !== 0) {
      this.#firstFree = this.#page(version)[at(version) + PREVIOUS];
      this.#freeCount--;
      return version;
    }
    if (this.#next >>> PAGE_BITS === this.#pages.length) this.#pages.push(newPage());
    return this.#next++;
  }

  /**
   * Fills an allocated version.
   * @param key key id. @param hash of the key. @param address of the record.
   * @param previous the key's newest version so far, or 0.
   */
  set(
    version: number,
    key: number,
    hash: number,
    address: number,
    revision: number,
    previous: number,
    tombstone: boolean,
  ): void {
    let jump = previous;
    let depth = 0;
    if (previous !== 0) {
      depth = this.#depth(previous) + 1;
      const far = this.jumpOf(previous);
      const further = far === 0 ? 0 : this.jumpOf(far);
      if (
        further !== 0 &&
        this.#depth(previous) - this.#depth(far) === this.#depth(far) - this.#depth(further)
      ) jump = further;
    }
    const words = this.#page(version);
    const first = at(version);
    words[first + ADDRESS] = address;
    words[first + KEY] = key;
    words[first + PREVIOUS] = previous;
    words[first + JUMP] = jump;
    words[first + DEPTH] = (depth << 1) | (tombstone ? 1 : 0);
    words[first + REVISION_LOW] = revision;
    words[first + REVISION_HIGH] = revision / TWO_32;
    words[first + HASH] = hash;
  }

  free(version: number): void {
    const words = this.#page(version);
    words[at(version) + KEY] = NO_KEY;
    words[at(version) + PREVIOUS] = this.#firstFree;
    this.#firstFree = version;
    this.#freeCount++;
  }

  #page(version: number): Uint32Array {
    return this.#pages[version >>> PAGE_BITS];
  }

  addressOf(version: number): number {
    return this.#page(version)[at(version) + ADDRESS];
  }

  setAddress(version: number, address: number): void {
    this.#page(version)[at(version) + ADDRESS] = address;
  }

  keyOf(version: number): number {
    return this.#page(version)[at(version) + KEY];
  }

  hashOf(version: number): number {
    return this.#page(version)[at(version) + HASH];
  }

  revisionOf(version: number): number {
    const words = this.#page(version);
    const first = at(version);
    return words[first + REVISION_HIGH] * TWO_32 + words[first + REVISION_LOW];
  }

  isTombstone(version: number): boolean {
    return (this.#page(version)[at(version) + DEPTH] & 1) !== 0;
  }

  /** @returns the version before this one, 0 when there is none any more. */
  previousOf(version: number): number {
    return this.#checked(version, PREVIOUS);
  }

  jumpOf(version: number): number {
    return this.#checked(version, JUMP);
  }

  #depth(version: number): number {
    return this.#page(version)[at(version) + DEPTH] >>> 1;
  }

  /**
   * Follows a pointer if it still leads to an older version of the same key. In one revision a
   * key can have a put and then a delete, hence "not newer" and not "older".
   */
  #checked(version: number, pointer: number): number {
    const words = this.#page(version);
    const first = at(version);
    const target = words[first + pointer];
    if (target === 0 || this.keyOf(target) !== words[first + KEY]) return 0;
    return this.revisionOf(target) <= this.revisionOf(version) ? target : 0;
  }

  /** Makes a version the oldest of its key. */
  cutBefore(version: number): void {
    const words = this.#page(version);
    words[at(version) + PREVIOUS] = 0;
    words[at(version) + JUMP] = 0;
  }

  /**
   * Finds the version that was newest at a revision.
   * @param newest the key's newest version now.
   * @param revision main revision.
   * @returns the version, maybe a tombstone; 0 when the key had none.
   */
  at(newest: number, revision: number): number {
    let version = newest;
    while (version !== 0 && this.revisionOf(version) > revision) {
      const jump = this.jumpOf(version);
      version = jump !== 0 && this.revisionOf(jump) > revision ? jump : this.previousOf(version);
    }
    return version;
  }
}

function newPage(): Uint32Array {
  return new Uint32Array(1 << (PAGE_BITS + STRIDE_BITS));
}

/** First word of a version in its page. */
function at(version: number): number {
  return (version & PAGE_MASK) << STRIDE_BITS;
}
