/**
 * Finds the key in the bytes of a RangeRequest for one key as it is now: the hottest read.
 * In: request bytes. Out: the key's position, and whether the request asks for nothing more.
 * Never: judges the request; one that is not plain, or malformed, is decoded again in full.
 * Source: etcd v3.6 rpc.proto RangeRequest { key 1, range_end 2, …, serializable 7, … }.
 */
import { EMPTY_BYTES, ProtoReader } from "./proto.ts";

const SERIALIZABLE = 7;

export class RangeReader {
  bytes: Uint8Array = EMPTY_BYTES;
  keyStart = 0;
  keyEnd = 0;
  readonly #reader = new ProtoReader();

  /**
   * @param bytes a RangeRequest.
   * @returns true when it names one key and no option that changes the answer.
   */
  read(bytes: Uint8Array): boolean {
    const reader = this.#reader;
    reader.open(bytes);
    this.bytes = bytes;
    this.keyStart = this.keyEnd = 0;
    while (reader.next()) {
      if (reader.field === 1) {
        const length = reader.span();
        this.keyEnd = reader.position;
        this.keyStart = reader.position - length;
      } else if (reader.field === SERIALIZABLE) reader.int64();
      else return false;
    }
    return !reader.failed && this.keyEnd > this.keyStart;
  }
}
