/**
 * Objects that this process is writing, so that nothing is decoded when the store hands them back.
 * In: keys, stored bytes and the drafts that they are the bytes of. Out: a draft and its bytes.
 * Never: mixes two writers of one key up: only equal bytes are the same write.
 */
import { Buffer } from "node:buffer";
import type { KubeObject } from "../../api/meta.ts";
import type { StoredBytes } from "./stored_bytes.ts";
import type { StoredObject } from "./stored_object.ts";

export interface WrittenDraft extends StoredBytes {
  readonly key: string;
  /** Must not be changed any more. */
  readonly draft: KubeObject;
  /** The version that it has become, once the store has told of it. */
  stored: StoredObject | null;
}

export class DraftTable {
  readonly #drafts = new Map<string, WrittenDraft>();

  /** Remembers what is about to be written. */
  add(written: WrittenDraft): void {
    this.#drafts.set(written.key, written);
  }

  /** @returns what was written as exactly these bytes, which is forgotten; undefined otherwise. */
  take(key: string, value: Uint8Array): WrittenDraft | undefined {
    const written = this.#drafts.get(key);
    if (written === undefined || Buffer.compare(written.value, value) !== 0) return undefined;
    this.#drafts.delete(key);
    return written;
  }

  /** Forgets a write that is over and has not come back. */
  remove(written: WrittenDraft): void {
    if (this.#drafts.get(written.key) === written) this.#drafts.delete(written.key);
  }
}
