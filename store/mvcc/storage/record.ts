/**
 * One stored version as bytes: exactly the mvccpb.KeyValue that clients are answered with.
 * In: key, numbers, value. Out: the payload of an arena record, and its fields again.
 * Never: meets bytes from outside; these are our own, so a malformed one is a broken invariant.
 * Source: etcd v3.6 kv.proto (key 1, create_revision 2, mod_revision 3, version 4, value 5,
 * lease 6), fields always in that order, zero fields left out.
 */
import {
  EMPTY_BYTES,
  ProtoReader,
  type ProtoWriter,
  putVarint,
  putVarintBig,
  varintSize,
} from "../proto.ts";
import type { KeyValue } from "../types.ts";
import { copyBytes } from "./arena.ts";

const TAG_KEY = 0x0a;
const TAG_CREATE = 0x10;
const TAG_MOD = 0x18;
const TAG_VERSION = 0x20;
const TAG_VALUE = 0x2a;
const TAG_LEASE = 0x30;

/** @returns bytes of a lease id's varint; ten when negative. */
function leaseSize(lease: bigint): number {
  let size = 1;
  for (let rest = BigInt.asUintN(64, lease) >> 7n; rest > 0n; rest >>= 7n) size++;
  return size;
}

/** The numbers of a put about to be written. */
export interface PutNumbers {
  createRevision: number;
  modRevision: number;
  version: number;
  lease: bigint;
}

/** @returns payload bytes of a put. */
export function putSize(keyLength: number, valueLength: number, numbers: PutNumbers): number {
  return 4 + varintSize(keyLength) + keyLength + varintSize(numbers.createRevision) +
    varintSize(numbers.modRevision) + varintSize(numbers.version) +
    (valueLength === 0 ? 0 : 1 + varintSize(valueLength) + valueLength) +
    (numbers.lease === 0n ? 0 : 1 + leaseSize(numbers.lease));
}

/** Where key and value of a put are read from. */
export interface PutSource {
  keyBytes: Uint8Array;
  keyStart: number;
  keyEnd: number;
  valueBytes: Uint8Array;
  valueStart: number;
  valueEnd: number;
}

/** Writes a put; `into` has `putSize` bytes of room at `at`. */
export function writePut(
  into: Uint8Array,
  at: number,
  source: PutSource,
  numbers: PutNumbers,
): void {
  const keyLength = source.keyEnd - source.keyStart;
  into[at++] = TAG_KEY;
  at = putVarint(into, at, keyLength);
  copyBytes(source.keyBytes, source.keyStart, source.keyEnd, into, at);
  at += keyLength;
  into[at++] = TAG_CREATE;
  at = putVarint(into, at, numbers.createRevision);
  into[at++] = TAG_MOD;
  at = putVarint(into, at, numbers.modRevision);
  into[at++] = TAG_VERSION;
  at = putVarint(into, at, numbers.version);
  const valueLength = source.valueEnd - source.valueStart;
  if (valueLength > 0) {
    into[at++] = TAG_VALUE;
    at = putVarint(into, at, valueLength);
    copyBytes(source.valueBytes, source.valueStart, source.valueEnd, into, at);
    at += valueLength;
  }
  if (numbers.lease !== 0n) {
    into[at++] = TAG_LEASE;
    putVarintBig(into, at, numbers.lease);
  }
}

/** @returns payload bytes of a deletion. */
export function tombstoneSize(keyLength: number, revision: number): number {
  return 2 + varintSize(keyLength) + keyLength + varintSize(revision);
}

/** Writes a deletion: key and mod_revision, as the event of it shows. */
export function writeTombstone(
  into: Uint8Array,
  at: number,
  key: Uint8Array,
  revision: number,
): void {
  into[at++] = TAG_KEY;
  at = putVarint(into, at, key.length);
  into.set(key, at);
  at += key.length;
  into[at++] = TAG_MOD;
  putVarint(into, at, revision);
}

/** The fields of a record, as offsets into its segment; one is reused by a whole loop. */
export class RecordFields {
  bytes: Uint8Array = EMPTY_BYTES;
  keyStart = 0;
  keyEnd = 0;
  createRevision = 0;
  modRevision = 0;
  version = 0;
  /** Equal when there is no value. `valueTag` is where the value's field begins. */
  valueTag = 0;
  valueStart = 0;
  valueEnd = 0;
  /** First byte of the lease's varint, 0 when there is no lease. */
  leaseAt = 0;
  start = 0;
  end = 0;
  #at = 0;

  /** @param bytes segment. @param start first payload byte. @param length payload bytes. */
  read(bytes: Uint8Array, start: number, length: number): this {
    this.bytes = bytes;
    this.start = start;
    this.end = start + length;
    this.#at = start + 1;
    const keyLength = this.#varint();
    this.keyStart = this.#at;
    this.keyEnd = this.#at += keyLength;
    this.createRevision = this.#numberIf(TAG_CREATE);
    this.modRevision = this.#numberIf(TAG_MOD);
    this.version = this.#numberIf(TAG_VERSION);
    this.valueTag = this.#at;
    const valueLength = this.#numberIf(TAG_VALUE);
    this.valueStart = this.#at;
    this.valueEnd = this.#at += valueLength;
    this.leaseAt = this.#at < this.end ? this.#at + 1 : 0;
    return this;
  }

  /** 0n when none. */
  get lease(): bigint {
    if (this.leaseAt === 0) return 0n;
    const reader = new ProtoReader(this.bytes, this.leaseAt - 1, this.end);
    reader.next();
    return reader.int64Big();
  }

  #numberIf(tag: number): number {
    if (this.#at >= this.end || this.bytes[this.#at] !== tag) return 0;
    this.#at++;
    return this.#varint();
  }

  #varint(): number {
    const { bytes } = this;
    let byte = bytes[this.#at++];
    if (byte < 128) return byte;
    let value = byte & 127;
    let scale = 128;
    do {
      byte = bytes[this.#at++];
      value += (byte & 127) * scale;
      scale *= 128;
    } while (byte >= 128);
    return value;
  }

  /** @returns the record as an object; key and value are views. */
  toKeyValue(keysOnly = false): KeyValue {
    return {
      key: this.bytes.subarray(this.keyStart, this.keyEnd),
      value: keysOnly || this.valueStart === this.valueEnd
        ? EMPTY_BYTES
        : this.bytes.subarray(this.valueStart, this.valueEnd),
      createRevision: this.createRevision,
      modRevision: this.modRevision,
      version: this.version,
      lease: this.lease,
    };
  }

  /** Appends the record without its value as a KeyValue field of a message. */
  encodeKeyInto(writer: ProtoWriter, field: number): void {
    const { bytes, start, valueTag, valueEnd, end } = this;
    const length = end - start - (valueEnd - valueTag);
    writer.reserve(length + 20);
    const into = writer.bytes;
    let at = putVarint(into, writer.length, (field << 3) | 2);
    at = putVarint(into, at, length);
    copyBytes(bytes, start, valueTag, into, at);
    copyBytes(bytes, valueEnd, end, into, at + valueTag - start);
    writer.length = at + length;
  }
}
