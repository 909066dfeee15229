/**
 * The protobuf wire format: varints, tags, length-delimited pieces.
 * In: bytes, or values. Out: values, or bytes. Never: knows a message.
 * Errors: the reader throws Malformed, which the codecs of this folder turn into an outcome.
 */

const utf8 = new TextEncoder();

/** Bytes that are no protobuf; never leaves this folder. */
export class Malformed extends Error {}

export class ProtobufReader {
  #at = 0;
  constructor(readonly source: Uint8Array) {}

  get done(): boolean {
    return this.#at >= this.source.length;
  }

  tag(): { readonly number: number; readonly wire: number } {
    const value = Number(this.varint(0));
    const number = Math.floor(value / 8);
    if (number < 1 || number > 0x1fffffff) throw new Malformed("bad field number");
    return { number, wire: value % 8 };
  }

  /** @param wire must be 0. */
  varint(wire: number): bigint {
    if (wire !== 0) throw new Malformed(`wrong wire type ${wire}, want 0`);
    let low = 0;
    for (let shift = 0; shift < 28; shift += 7) {
      const byte = this.#byte();
      low += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return BigInt(low);
    }
    let value = BigInt(low);
    for (let shift = 28n; shift < 70n; shift += 7n) {
      const byte = this.#byte();
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asUintN(64, value);
    }
    throw new Malformed("varint is longer than ten bytes");
  }

  #byte(): number {
    if (this.#at >= this.source.length) throw new Malformed("unexpected end of data");
    return this.source[this.#at++];
  }

  /** A view, not a copy. @param wire must be 2. */
  bytes(wire = 2): Uint8Array {
    if (wire !== 2) throw new Malformed(`wrong wire type ${wire}, want 2`);
    const length = Number(this.varint(0));
    if (length > this.source.length - this.#at) throw new Malformed("unexpected end of data");
    this.#at += length;
    return this.source.subarray(this.#at - length, this.#at);
  }

  /** @param wire must be 1. */
  double(wire: number): number {
    if (wire !== 1) throw new Malformed(`wrong wire type ${wire}, want 1`);
    if (this.source.length - this.#at < 8) throw new Malformed("unexpected end of data");
    const view = new DataView(this.source.buffer, this.source.byteOffset + this.#at, 8);
    this.#at += 8;
    return view.getFloat64(0, true);
  }

  skip(wire: number): void {
    if (wire === 0) this.varint(0);
    else if (wire === 2) this.bytes();
    else if (wire === 1 || wire === 5) {
      this.#at += wire === 1 ? 8 : 4;
      if (this.#at > this.source.length) throw new Malformed("unexpected end of data");
    } else throw new Malformed(`unknown wire type ${wire}`);
  }
}

/** Collects a message front to back; nested messages are written by a writer of their own. */
export class ProtobufWriter {
  #bytes: Uint8Array = new Uint8Array(64);
  #length = 0;

  #reserve(count: number): void {
    if (this.#length + count <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(this.#bytes.length * 2, this.#length + count));
    grown.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = grown;
  }

  raw(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  /** @param value integer; negative ones take ten bytes, as two's complement. */
  varint(value: number | bigint): void {
    this.#reserve(10);
    if (typeof value === "number" && value >= 0 && value < 2 ** 31) {
      let small = value;
      while (small >= 0x80) {
        this.#bytes[this.#length++] = (small & 0x7f) | 0x80;
        small >>>= 7;
      }
      this.#bytes[this.#length++] = small;
      return;
    }
    let rest = BigInt.asUintN(64, BigInt(value));
    while (rest >= 0x80n) {
      this.#bytes[this.#length++] = Number(rest & 0x7fn) | 0x80;
      rest >>= 7n;
    }
    this.#bytes[this.#length++] = Number(rest);
  }

  integerField(number: number, value: number | bigint): void {
    this.varint(number * 8);
    this.varint(value);
  }

  bytesField(number: number, bytes: Uint8Array): void {
    this.fieldHead(number, bytes.length);
    this.raw(bytes);
  }

  /** What stands before a field of so many bytes, which follow from elsewhere. */
  fieldHead(number: number, length: number): void {
    this.varint(number * 8 + 2);
    this.varint(length);
  }

  /** Short ASCII, which is nearly all, is written without an encoder's call. */
  stringField(number: number, value: string): void {
    if (value.length >= 0x80) return this.bytesField(number, utf8.encode(value));
    this.varint(number * 8 + 2);
    this.#reserve(value.length + 1);
    const start = this.#length;
    this.#bytes[this.#length++] = value.length;
    for (let at = 0; at < value.length; at++) {
      const code = value.charCodeAt(at);
      if (code >= 0x80) {
        this.#length = start;
        const bytes = utf8.encode(value);
        this.varint(bytes.length);
        return this.raw(bytes);
      }
      this.#bytes[this.#length++] = code;
    }
  }

  doubleField(number: number, value: number): void {
    this.varint(number * 8 + 1);
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setFloat64(0, value, true);
    this.raw(bytes);
  }

  finish(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }
}
