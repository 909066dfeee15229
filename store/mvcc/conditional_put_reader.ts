/**
 * Finds the parts of a transaction that puts one key if it is at a revision, without making
 * objects: what an API server sends for every object it writes.
 * In: command bytes. Out: positions, the revision, the lease, and whether it is such a transaction.
 * Never: judges the request; any other, and every malformed one, is decoded in full.
 * Source: etcd v3.6 rpc.proto TxnRequest { compare 1, success 2, failure 3 },
 * Compare { result 1, target 2, key 3, mod_revision 6 }, RequestOp { request_put 2 }.
 */
import { EMPTY_BYTES, ProtoReader } from "./proto.ts";
import { PutReader } from "./put_reader.ts";

const TARGET_MOD = 2;

export class ConditionalPutReader {
  readonly put = new PutReader();
  /** Revision that the key must have; 0 = it must not exist. */
  modRevision = 0;
  readonly #reader = new ProtoReader();
  readonly #inner = new ProtoReader();
  #bytes: Uint8Array = EMPTY_BYTES;
  #keyStart = 0;
  #keyEnd = 0;

  /** @returns whether the bytes are one compare of a key's revision, and one put of the same key */
  read(bytes: Uint8Array, start: number, end: number): boolean {
    const reader = this.#reader;
    reader.open(bytes, start, end);
    this.#bytes = bytes;
    if (!this.#enters(1) || !this.#readCompare(reader.span())) return false;
    if (!this.#enters(2) || !this.#readPut(reader.span())) return false;
    return !reader.failed && reader.position === end && this.#isSameKey();
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

  #readPut(length: number): boolean {
    const inner = this.#inner;
    const end = this.#reader.position;
    inner.open(this.#bytes, end - length, end);
    if (!inner.next() || inner.field !== 2) return false;
    const size = inner.span();
    if (inner.failed || inner.position !== end) return false;
    return this.put.read(this.#bytes, end - size, end) && this.put.hasNoFlags;
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
