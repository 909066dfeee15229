/**
 * Finds key and value in the bytes of a PutRequest without making objects: the hottest decode.
 * In: command bytes. Out: positions, and its lease, and whether it has options.
 * Never: judges the request; one that is not plain is decoded again in full.
 * Source: etcd v3.6 rpc.proto PutRequest { key 1, value 2, lease 3, three flags 4..6 }.
 */
import { EMPTY_BYTES, ProtoReader } from "./proto.ts";
import type { PutSource } from "./storage/record.ts";

export class PutReader implements PutSource {
  keyBytes: Uint8Array = EMPTY_BYTES;
  keyStart = 0;
  keyEnd = 0;
  valueBytes: Uint8Array = EMPTY_BYTES;
  valueStart = 0;
  valueEnd = 0;
  /** 0n for none. */
  lease = 0n;
  /** None of the options that look at the key's old value or lease. */
  hasNoFlags = false;
  readonly #reader = new ProtoReader();

  /** A key, perhaps a value, and nothing else of meaning. */
  get isPlain(): boolean {
    return this.hasNoFlags && this.lease === 0n && this.keyEnd > this.keyStart;
  }

  /** @returns false when the bytes are malformed. */
  read(bytes: Uint8Array, start: number, end: number): boolean {
    const reader = this.#reader;
    reader.open(bytes, start, end);
    this.keyBytes = bytes;
    this.valueBytes = bytes;
    this.keyStart =
      this.keyEnd =
      this.valueStart =
      this.valueEnd =
        start;
    this.lease = 0n;
    this.hasNoFlags = true;
    while (reader.next()) {
      if (reader.field === 1) {
        const length = reader.span();
        this.keyEnd = reader.position;
        this.keyStart = reader.position - length;
      } else if (reader.field === 2) {
        const length = reader.span();
        this.valueEnd = reader.position;
        this.valueStart = reader.position - length;
      } else if (reader.field === 3) this.lease = reader.int64Big();
      else if (reader.field <= 6) {
        if (reader.int64() !== 0) this.hasNoFlags = false;
      } else reader.skip();
    }
    return !reader.failed;
  }
}
