/**
 * Objects that this process is writing, so that nothing is decoded when the store hands them back.
 * In: keys, stored bytes and the drafts that they are the bytes of. Out: a draft and its bytes.
 * Never: mixes two writers of one key up: only equal bytes are the same write.
 */
import type { KubeObject } from "../../api/meta.ts";

export interface WrittenDraft {
  readonly value: Uint8Array;
  /** Must not be changed any more. */
  readonly draft: KubeObject;
}

export class DraftTable {
  readonly #drafts = new Map<string, WrittenDraft>();

  /** Remembers what is about to be written under a key. */
  add(key: string, written: WrittenDraft): void {
    this.#drafts.set(key, written);
  }

  /** @returns what was written as exactly these bytes, which is forgotten; undefined otherwise. */
  take(key: string, value: Uint8Array): WrittenDraft | undefined {
    const written = this.#drafts.get(key);
    if (written === undefined || !equalBytes(written.value, value)) return undefined;
    this.#drafts.delete(key);
    return written;
  }

  /** Forgets a write that is over, whether or not it came back. */
  remove(key: string, written: WrittenDraft): void {
    if (this.#drafts.get(key) === written) this.#drafts.delete(key);
  }
}

function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  const { length } = a;
  if (length !== b.length) return false;
  let i = 0;
  if (a.byteOffset % 4 === 0 && b.byteOffset % 4 === 0) {
    const words = length >>> 2;
    const aWords = new Int32Array(a.buffer, a.byteOffset, words);
    const bWords = new Int32Array(b.buffer, b.byteOffset, words);
    for (let word = 0; word < words; word++) if (aWords[word] !== bWords[word]) return false;
    i = words * 4;
  }
  for (; i < length; i++) if (a[i] !== b[i]) return false;
  return true;
}
