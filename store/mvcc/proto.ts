/**
 * Reads and writes protobuf's wire format, fast and by hand.
 * In: bytes. Out: numbers, bigints, views of the bytes; or bytes appended to a growing buffer.
 * Never: throws on input (a reader turns `failed` and answers zeros), copies what it can view.
 * Source: https://protobuf.dev/programming-guides/encoding/
 */

export const EMPTY_BYTES: Uint8Array = new Uint8Array(0);
const TWO_32 = 4294967296;
const textEncoder = new TextEncoder();
const textDecoder = new TextDecoder();

/** Appends protobuf fields to a buffer that grows; one writer serves many messages. */
export class ProtoWriter {
  bytes: Uint8Array;
  length = 0;

  /** @param capacity bytes to start with. */
  constructor(capacity = 256) {
    this.bytes = new Uint8Array(capacity);
  }

  reset(): void {
    this.length = 0;
  }

  /** @returns a view, valid until the next write or reset. */
  view(): Uint8Array {
    return this.bytes.subarray(0, this.length);
  }

  /** @returns a copy of what was written. */
  finish(): Uint8Array {
    return this.bytes.slice(0, this.length);
  }

  /** Makes room for `extra` more bytes. */
  reserve(extra: number): void {
    const needed = this.length + extra;
    if (needed <= this.bytes.length) return;
    const grown = new Uint8Array(Math.max(needed, this.bytes.length * 2));
    grown.set(this.bytes.subarray(0, this.length));
    this.bytes = grown;
  }

  byte(value: number): void {
    this.reserve(1);
    this.bytes[this.length++] = value;
  }

  raw(source: Uint8Array): void {
    const { length } = source;
    this.reserve(length);
    if (length < 64) {
      // For a few bytes a loop beats the call.
      for (let i = 0, at = this.length; i < length; i++) this.bytes[at++] = source[i];
    } else this.bytes.set(source, this.length);
    this.length += length;
  }

  /** @param value integer, -2^53..2^53; a negative one takes ten bytes as protobuf asks. */
  varint(value: number): void {
    this.reserve(10);
    this.length = putVarint(this.bytes, this.length, value);
  }

  /** @param value signed or unsigned 64-bit. */
  varintBig(value: bigint): void {
    this.reserve(10);
    this.length = putVarintBig(this.bytes, this.length, value);
  }

  /** Writes nothing for zero, the default of proto3. */
  int64Field(field: number, value: number): void {
    if (value === 0) return;
    this.varint(field << 3);
    this.varint(value);
  }

  bigField(field: number, value: bigint): void {
    if (value === 0n) return;
    this.varint(field << 3);
    this.varintBig(value);
  }

  boolField(field: number, value: boolean | undefined): void {
    if (value !== true) return;
    this.varint(field << 3);
    this.byte(1);
  }

  bytesField(field: number, value: Uint8Array | undefined): void {
    if (value === undefined || value.length === 0) return;
    this.bytesFieldAlways(field, value);
  }

  /** As `bytesField`, but an empty value is written too: members of a oneof. */
  bytesFieldAlways(field: number, value: Uint8Array): void {
    this.varint((field << 3) | 2);
    this.varint(value.length);
    this.raw(value);
  }

  stringField(field: number, value: string): void {
    if (value.length > 0) this.bytesFieldAlways(field, textEncoder.encode(value));
  }

  /** Opens a nested message; give the answer to `endMessage`. */
  beginMessage(field: number): number {
    this.varint((field << 3) | 2);
    this.byte(0);
    return this.length;
  }

  /** Closes a nested message; bodies of 128 bytes and more are moved to fit their length. */
  endMessage(start: number): void {
    const size = this.length - start;
    if (size < 128) {
      this.bytes[start - 1] = size;
      return;
    }
    const extra = varintSize(size) - 1;
    this.reserve(extra);
    this.bytes.copyWithin(start + extra, start, this.length);
    putVarint(this.bytes, start - 1, size);
    this.length += extra;
  }
}

/**
 * Writes a varint at a position; the hot half of `ProtoWriter.varint`.
 * @param into buffer with ten bytes of room.
 * @param at position, bytes.
 * @param value integer, -2^53..2^53.
 * @returns the position after it.
 */
export function putVarint(into: Uint8Array, at: number, value: number): number {
  if (value < 0) return putVarintBig(into, at, BigInt(value));
  while (value >= 0x80000000) {
    into[at++] = (value % 128) | 128;
    value = Math.floor(value / 128);
  }
  while (value >= 128) {
    into[at++] = (value & 127) | 128;
    value >>>= 7;
  }
  into[at++] = value;
  return at;
}

/** As `putVarint`, for the whole 64-bit range. */
export function putVarintBig(into: Uint8Array, at: number, value: bigint): number {
  let rest = BigInt.asUintN(64, value);
  while (rest >= 0x80000000n) {
    into[at++] = Number(rest & 127n) | 128;
    rest >>= 7n;
  }
  return putVarint(into, at, Number(rest));
}

/** @returns bytes of a non-negative varint. */
export function varintSize(value: number): number {
  let size = 1;
  while (value >= 128) {
    value = value >= 0x80000000 ? Math.floor(value / 128) : value >>> 7;
    size++;
  }
  return size;
}

/** Walks the fields of one message. After any malformed byte `failed` is true and stays so. */
export class ProtoReader {
  #bytes: Uint8Array = EMPTY_BYTES;
  #end = 0;
  position = 0;
  failed = false;
  /** Of the field that `next` found. */
  field = 0;
  wireType = 0;
  #low = 0;
  #high = 0;

  /** @param bytes message. @param start first byte. @param end byte after the last. */
  constructor(bytes: Uint8Array = EMPTY_BYTES, start = 0, end: number = bytes.length) {
    this.open(bytes, start, end);
  }

  /** Starts on another message; lets one reader serve a hot loop. */
  open(bytes: Uint8Array, start = 0, end: number = bytes.length): void {
    this.#bytes = bytes;
    this.position = start;
    this.#end = end;
    this.failed = false;
  }

  /** @returns false at the end of the message or after a malformed byte. */
  next(): boolean {
    if (this.failed || this.position >= this.#end) return false;
    const tag = this.#bytes[this.position];
    if (tag < 128) {
      this.position++;
      this.field = tag >>> 3;
      this.wireType = tag & 7;
    } else {
      this.#varint();
      if (this.#high !== 0) this.failed = true;
      this.field = this.#low >>> 3;
      this.wireType = this.#low & 7;
    }
    if (this.field === 0) this.failed = true;
    return !this.failed;
  }

  /** Value of a varint field as int64; beyond 2^53 the low bits are lost. */
  int64(): number {
    if (this.wireType !== 0) return this.#mismatch();
    const first = this.#bytes[this.position];
    if (first < 128 && this.position < this.#end) {
      this.position++;
      return first;
    }
    this.#varint();
    return (this.#high | 0) * TWO_32 + this.#low;
  }

  /** Value of a varint field as a signed bigint, exact. */
  int64Big(): bigint {
    return BigInt.asIntN(64, this.uint64Big());
  }

  /** Value of a varint field as an unsigned bigint, exact. */
  uint64Big(): bigint {
    if (this.wireType !== 0) return BigInt(this.#mismatch());
    this.#varint();
    if (this.#high === 0) return BigInt(this.#low);
    return (BigInt(this.#high) << 32n) | BigInt(this.#low);
  }

  /** Value of an enum field; values outside int32 fail. */
  enumValue(): number {
    const value = this.int64();
    if (value < -0x80000000 || value > 0x7fffffff) this.failed = true;
    return value;
  }

  bool(): boolean {
    if (this.wireType !== 0) return this.#mismatch() !== 0;
    this.#varint();
    return (this.#low | this.#high) !== 0;
  }

  /**
   * Steps over a length-delimited field.
   * @returns its length; its first byte is `position - length`.
   */
  span(): number {
    if (this.wireType !== 2) return this.#mismatch();
    let length = this.#bytes[this.position];
    if (length < 128 && this.position < this.#end) {
      this.position++;
    } else {
      this.#varint();
      length = this.#low;
      if (this.#high !== 0) this.failed = true;
    }
    if (this.failed || length > this.#end - this.position) {
      this.failed = true;
      return 0;
    }
    this.position += length;
    return length;
  }

  /** @returns a view of a length-delimited field. */
  bytes(): Uint8Array {
    const length = this.span();
    if (length === 0) return EMPTY_BYTES;
    return this.#bytes.subarray(this.position - length, this.position);
  }

  /** @returns the text of a length-delimited field. */
  string(): string {
    return textDecoder.decode(this.bytes());
  }

  /** @returns a reader of a nested message; its `failed` is the caller's to look at. */
  message(): ProtoReader {
    const length = this.span();
    return new ProtoReader(this.#bytes, this.position - length, this.position);
  }

  /** Steps over a field of any type; groups are refused, as proto3 has none. */
  skip(): void {
    if (this.wireType === 0) this.#varint();
    else if (this.wireType === 2) this.span();
    else if (this.wireType === 1) this.#advance(8);
    else if (this.wireType === 5) this.#advance(4);
    else this.failed = true;
  }

  #advance(count: number): void {
    if (this.#end - this.position < count) this.failed = true;
    else this.position += count;
  }

  #mismatch(): number {
    this.failed = true;
    return 0;
  }

  /** Reads into the two 32-bit halves; at most ten bytes. */
  #varint(): void {
    let low = 0;
    let high = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      if (this.position >= this.#end) break;
      const byte = this.#bytes[this.position++];
      const part = byte & 127;
      if (shift < 28) low |= part << shift;
      else if (shift === 28) {
        low |= part << 28;
        high |= part >>> 4;
      } else high |= part << (shift - 32);
      if (byte < 128) {
        this.#low = low >>> 0;
        this.#high = high >>> 0;
        return;
      }
    }
    this.failed = true;
    this.#low = 0;
    this.#high = 0;
  }
}
