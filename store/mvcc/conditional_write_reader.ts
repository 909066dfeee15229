/**
 * Finds the parts of a transaction that puts or deletes one key if it is at a revision, without
 * making objects: what an API server sends for every object it writes.
 * In: command bytes. Out: positions, the revision, the lease, and whether it is such a transaction.
 * Never: judges the request; any other, and every malformed one, is decoded in full.
 * Source: etcd v3.6 rpc.proto TxnRequest { compare 1, success 2, failure 3 }, RequestOp
 * { request_put 2, request_delete_range 3 }, Compare { result 1, target 2, key 3, mod_revision 6 }.
 */
import { EMPTY_BYTES, ProtoReader } from "./proto.ts";
import { PutReader } from "./put_reader.ts";

const TARGET_MOD = 2;

export class ConditionalWriteReader {
  /** The key, and of a put the rest. */
  readonly put = new PutReader();
  /** Revision that the key must have; 0 = it must not exist. */
  modRevision = 0;
  readonly #reader = new ProtoReader();
  readonly #inner = new ProtoReader();
  #bytes: Uint8Array = EMPTY_BYTES;
  #keyStart = 0;
  #keyEnd = 0;

  /**
   * @returns what the transaction does with the key; undefined where it is more than one compare of
   *   a key's revision, and one put or deletion of the same key
   */
  read(bytes: Uint8Array, start: number, end: number): "put" | "delete" | undefined {
    const reader = this.#reader;
    reader.open(bytes, start, end);
    this.#bytes = bytes;
    if (!this.#enters(1) || !this.#readCompare(reader.span()) || !this.#enters(2)) return undefined;
    const action = this.#readOp(reader.span());
    return !reader.failed && reader.position === end && this.#isSameKey() ? action : undefined;
  }

  #enters(field: number): boolean {
    return this.#reader.next() && this.#reader.field === field;
  }

  /** @param length of the message that `#reader` has just stepped over */
  #readCompare(length: number): boolean {
    const inner = this.#inner;
    inner.open(this.#bytes, this.#reader.position - length, this.#reader.position);
    let target = 0;
    let given = false;
    this.#keyStart = this.#keyEnd = 0;
    while (inner.next()) {
      if (inner.field === 2) target = inner.int64();
      else if (inner.field === 3) {
        const size = inner.span();
        this.#keyEnd = inner.position;
        this.#keyStart = inner.position - size;
      } else if (inner.field === 6) {
        this.modRevision = inner.int64();
        given = true;
      } else return false;
    }
    return !inner.failed && target === TARGET_MOD && given;
  }

  #readOp(length: number): "put" | "delete" | undefined {
    const inner = this.#inner;
    const { put } = this;
    const end = this.#reader.position;
    inner.open(this.#bytes, end - length, end);
    if (!inner.next() || (inner.field !== 2 && inner.field !== 3)) return undefined;
    const isPut = inner.field === 2;
    const size = inner.span();
    if (inner.failed || inner.position !== end) return undefined;
    if (!put.read(this.#bytes, end - size, end) || !put.hasNoFlags) return undefined;
    if (isPut) return "put";
    // A deletion has its key where a put has it, its range end and prev_kv at value and lease.
    return put.valueStart === put.valueEnd && put.lease === 0n ? "delete" : undefined;
  }

  #isSameKey(): boolean {
    const { keyStart, keyEnd } = this.put;
    const length = keyEnd - keyStart;
    if (length === 0 || length !== this.#keyEnd - this.#keyStart) return false;
    for (let i = 0; i < length; i++) {
      if (this.#bytes[this.#keyStart + i] !== this.#bytes[keyStart + i]) return false;
    }
    return true;
  }
}
