/**
 * Writes that this process has under way, so that nothing is decoded when the store tells of them.
 * In: keys, stored bytes and the drafts that they are the bytes of, in the order of asking for
 * them. Out: the write that an event of the store is about.
 * Never: takes another's write for its own: only equal bytes under an equal key are the same.
 */
import { Buffer } from "node:buffer";
import type { KubeObject } from "../../api/meta.ts";
import type { ResourceCache } from "./resource_cache.ts";
import type { StoredBytes } from "./stored_bytes.ts";
import type { StoredObject } from "./stored_object.ts";

/** A put, or a deletion. */
export interface OwnWrite {
  readonly key: string;
  readonly keyBytes: Uint8Array;
  /** Where its outcome belongs. */
  readonly cache: ResourceCache;
  /** null for a deletion. */
  readonly put: WrittenDraft | null;
  /** Whether the store has told of it. */
  isTold: boolean;
}

export interface WrittenDraft extends StoredBytes {
  /** Must not be changed any more. */
  readonly draft: KubeObject;
  /** The version that it has become, once the store has told of it. */
  stored: StoredObject | null;
}

/**
 * The store tells of writes in the order of asking, but for those that it refused and those that
 * overtook each other on the way to it. So many may stand before the one that an event is about;
 * one that is further behind is merely decoded.
 */
const LOOK_AHEAD = 64;
/** Places of writes that are over are given back when so many have gathered. */
const SPARE_PLACES = 1024;

export class OwnWrites {
  /** In order, from the first place on; null before it. */
  readonly #writes: (OwnWrite | null)[] = [];
  #first = 0;

  /** Remembers what is about to be written. */
  add(write: OwnWrite): void {
    this.#writes.push(write);
  }

  /**
   * @param value null for a deletion
   * @returns the write that has put exactly these bytes under this key, which is forgotten;
   *   undefined where none did
   */
  take(keyBytes: Uint8Array, value: Uint8Array | null): OwnWrite | undefined {
    const writes = this.#writes;
    const end = Math.min(writes.length, this.#first + LOOK_AHEAD);
    for (let at = this.#first; at < end; at++) {
      const write = writes[at]!;
      if (!isSame(write, keyBytes, value)) continue;
      write.isTold = true;
      this.#leave(at);
      return write;
    }
    return undefined;
  }

  /** Forgets a write that is over, whether the store has told of it or not. */
  remove(write: OwnWrite): void {
    if (write.isTold) return;
    const at = this.#writes.indexOf(write, this.#first);
    if (at >= 0) this.#leave(at);
  }

  /** Those before it move up, so that it leaves no hole. */
  #leave(place: number): void {
    const writes = this.#writes;
    for (let at = place; at > this.#first; at--) writes[at] = writes[at - 1];
    writes[this.#first++] = null;
    if (this.#first === writes.length) this.#first = writes.length = 0;
    else if (this.#first >= SPARE_PLACES) {
      writes.splice(0, this.#first);
      this.#first = 0;
    }
  }
}

function isSame(write: OwnWrite, keyBytes: Uint8Array, value: Uint8Array | null): boolean {
  if (!isSameKey(write.keyBytes, keyBytes)) return false;
  if (write.put === null || value === null) return write.put === null && value === null;
  return Buffer.compare(write.put.value, value) === 0;
}

/** From the end, where keys differ. */
function isSameKey(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = a.length - 1; i >= 0; i--) if (a[i] !== b[i]) return false;
  return true;
}
