/**
 * Finds key and value in the bytes of a PutRequest without making objects: the hottest decode.
 * In: command bytes. Out: positions, and whether the put is plain (no lease, no option).
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
  /** A key, perhaps a value, and nothing else of meaning. */
  isPlain = false;
  readonly #reader = new ProtoReader();

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
    let options = 0;
    while (reader.next()) {
      if (reader.field === 1) {
        const length = reader.span();
        this.keyEnd = reader.position;
        this.keyStart = reader.position - length;
      } else if (reader.field === 2) {
        const length = reader.span();
        this.valueEnd = reader.position;
        this.valueStart = reader.position - length;
      } else if (reader.field <= 6) options |= reader.int64() === 0 ? 0 : 1;
      else reader.skip();
    }
    this.isPlain = options === 0 && this.keyEnd > this.keyStart;
    return !reader.failed;
  }
}
