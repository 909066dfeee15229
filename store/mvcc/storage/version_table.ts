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
const STRIDE = 5;
const ADDRESS = 0;
const KEY = 1;
const PREVIOUS = 2;
const JUMP = 3;
/** Depth in the chain, shifted left by one; bit 0 says tombstone. */
const DEPTH = 4;
const NO_KEY = 0xffffffff;

export class VersionTable {
  readonly #words: Uint32Array[] = [new Uint32Array(STRIDE << PAGE_BITS)];
  readonly #revisions: Float64Array[] = [new Float64Array(1 << PAGE_BITS)];
  readonly #free: number[] = [];
  #next = 1;

  get indexBytes(): number {
    return this.#words.length * ((STRIDE * 4 + 8) << PAGE_BITS);
  }

  /** Versions in use. */
  get count(): number {
    return this.#next - 1 - this.#free.length;
  }

  /** @returns a number for a version about to be added. */
  allocate(): number {
    const version = this.#free.pop() ?? this.#next++;
    if (version >>> PAGE_BITS === this.#words.length) {
      this.#words.push(new Uint32Array(STRIDE << PAGE_BITS));
      this.#revisions.push(new Float64Array(1 << PAGE_BITS));
    }
    return version;
  }

  /** Fills an allocated version. @param previous the key's newest version so far, or 0. */
  set(
    version: number,
    key: number,
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
    const words = this.#words[version >>> PAGE_BITS];
    const at = (version & PAGE_MASK) * STRIDE;
    words[at + ADDRESS] = address;
    words[at + KEY] = key;
    words[at + PREVIOUS] = previous;
    words[at + JUMP] = jump;
    words[at + DEPTH] = (depth << 1) | (tombstone ? 1 : 0);
    this.#revisions[version >>> PAGE_BITS][version & PAGE_MASK] = revision;
  }

  free(version: number): void {
    this.#words[version >>> PAGE_BITS][(version & PAGE_MASK) * STRIDE + KEY] = NO_KEY;
    this.#free.push(version);
  }

  addressOf(version: number): number {
    return this.#words[version >>> PAGE_BITS][(version & PAGE_MASK) * STRIDE + ADDRESS];
  }

  setAddress(version: number, address: number): void {
    this.#words[version >>> PAGE_BITS][(version & PAGE_MASK) * STRIDE + ADDRESS] = address;
  }

  keyOf(version: number): number {
    return this.#words[version >>> PAGE_BITS][(version & PAGE_MASK) * STRIDE + KEY];
  }

  revisionOf(version: number): number {
    return this.#revisions[version >>> PAGE_BITS][version & PAGE_MASK];
  }

  isTombstone(version: number): boolean {
    return (this.#words[version >>> PAGE_BITS][(version & PAGE_MASK) * STRIDE + DEPTH] & 1) !== 0;
  }

  /** @returns the version before this one, 0 when there is none any more. */
  previousOf(version: number): number {
    return this.#checked(version, PREVIOUS);
  }

  jumpOf(version: number): number {
    return this.#checked(version, JUMP);
  }

  #depth(version: number): number {
    return this.#words[version >>> PAGE_BITS][(version & PAGE_MASK) * STRIDE + DEPTH] >>> 1;
  }

  /**
   * Follows a pointer if it still leads to an older version of the same key. In one revision a
   * key can have a put and then a delete, hence "not newer" and not "older".
   */
  #checked(version: number, pointer: number): number {
    const words = this.#words[version >>> PAGE_BITS];
    const at = (version & PAGE_MASK) * STRIDE;
    const target = words[at + pointer];
    if (target === 0 || this.keyOf(target) !== words[at + KEY]) return 0;
    return this.revisionOf(target) <= this.revisionOf(version) ? target : 0;
  }

  /** Makes a version the oldest of its key. */
  cutBefore(version: number): void {
    const at = (version & PAGE_MASK) * STRIDE;
    this.#words[version >>> PAGE_BITS][at + PREVIOUS] = 0;
    this.#words[version >>> PAGE_BITS][at + JUMP] = 0;
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
