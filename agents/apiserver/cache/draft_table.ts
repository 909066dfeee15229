/**
 * Objects that this process is writing, so that nothing is decoded when the store hands them back.
 * In: keys, stored bytes and the drafts that they are the bytes of. Out: a draft and its bytes.
 * Never: mixes two writers of one key up: only equal bytes are the same write.
 */
import { Buffer } from "node:buffer";
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
    if (written === undefined || Buffer.compare(written.value, value) !== 0) return undefined;
    this.#drafts.delete(key);
    return written;
  }

  /** Forgets a write that is over, whether or not it came back. */
  remove(key: string, written: WrittenDraft): void {
    if (this.#drafts.get(key) === written) this.#drafts.delete(key);
  }
}
