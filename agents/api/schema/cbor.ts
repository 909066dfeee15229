/**
 * CBOR as Kubernetes speaks it: strings as byte strings, objects with string keys, one item a body.
 * In: bytes from a client, or an object as JSON has it. Out: drafts, or bytes.
 * Never: knows a type. cbor-x is not used for it: it refuses keys that are byte strings, which is
 * how Go's clients write every key, keeps the last of repeated keys silently, and writes integers
 * beyond 32 bits as floats, which Go's clients refuse for integer fields.
 * Source: RFC 8949; apimachinery runtime/serializer/cbor; KEP-4222.
 */
import { encodeBase64 } from "./protobuf.ts";

export type CborDecoded =
  | {
    readonly kind: "ok";
    // deno-lint-ignore no-explicit-any
    readonly value: any;
  }
  | { readonly kind: "malformed"; readonly message: string };

/** Deeper nesting than this is refused, as it is in JSON. */
const MAX_DEPTH = 1000;

/** Tag 55799 around the item says that the bytes are CBOR. */
const SELF_DESCRIBED = Uint8Array.of(0xd9, 0xd9, 0xf7);

const MAJOR = {
  unsigned: 0,
  negative: 1,
  bytes: 2,
  text: 3,
  array: 4,
  map: 5,
  tag: 6,
  simple: 7,
} as const;

/** Tags of RFC 8949, 3.4: what a byte string is to become in a text format. */
const TAG = { bignum: 2, negativeBignum: 3, base64url: 21, base64: 22, base16: 23 } as const;

const INDEFINITE = 31;
const BREAK = 0xff;

const utf8 = new TextEncoder();
const strictUtf8 = new TextDecoder("utf-8", { fatal: true });

class MalformedCbor extends Error {}

/** Whether the bytes say of themselves that they are CBOR. */
export function isSelfDescribed(bytes: Uint8Array): boolean {
  return SELF_DESCRIBED.every((byte, at) => bytes[at] === byte);
}

/**
 * Reads one item.
 * @param bytes exactly one item, with or without the tag that describes it.
 * @returns a draft of plain objects, arrays, strings, numbers, booleans and nulls.
 */
export function decodeCbor(bytes: Uint8Array): CborDecoded {
  const reader = new CborReader(bytes);
  try {
    const value = reader.item(0, 0);
    if (reader.at < bytes.length) {
      const extra = bytes.length - reader.at;
      return malformed(`${extra} bytes of extraneous data starting at index ${reader.at}`);
    }
    return { kind: "ok", value };
  } catch (error) {
    if (error instanceof MalformedCbor) return malformed(error.message);
    throw error;
  }
}

function malformed(text: string): CborDecoded {
  return { kind: "malformed", message: `cbor: ${text}` };
}

interface Head {
  readonly major: number;
  /** The argument, or -1 for an indefinite length. */
  readonly value: number;
  /** The low five bits of the first byte. */
  readonly info: number;
}

class CborReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** @param tag the tag around the item, 0 for none. */
  item(tag: number, depth: number): unknown {
    if (depth > MAX_DEPTH) throw new MalformedCbor(`exceeded max nested level ${MAX_DEPTH}`);
    const head = this.#head();
    switch (head.major) {
      case MAJOR.unsigned:
        return head.value;
      case MAJOR.negative:
        return -1 - head.value;
      case MAJOR.bytes:
        return asText(this.#string(head), tag);
      case MAJOR.text:
        return readText(this.#string(head));
      case MAJOR.array:
        return this.#array(head.value, depth);
      case MAJOR.map:
        return this.#map(head.value, depth);
      case MAJOR.tag:
        if (head.value === TAG.bignum || head.value === TAG.negativeBignum) {
          throw new MalformedCbor("cannot unmarshal bignum");
        }
        return this.item(head.value, depth + 1);
      default:
        return this.#simple(head);
    }
  }

  #head(): Head {
    const first = this.#byte();
    const major = first >> 5;
    const info = first & 0x1f;
    if (info < 24) return { major, info, value: info };
    if (info > 27) {
      const hasNoEnd = major === MAJOR.unsigned || major === MAJOR.negative || major === MAJOR.tag;
      if (info === INDEFINITE && !hasNoEnd) return { major, info, value: -1 };
      throw new MalformedCbor(`invalid additional information ${info} for type ${major}`);
    }
    // The bits of a float are read where its width is known.
    if (major === MAJOR.simple && info > 24) return { major, info, value: 0 };
    const value = this.#argument(2 ** (info - 24));
    const isCount = major !== MAJOR.unsigned && major !== MAJOR.negative && major !== MAJOR.tag;
    if (isCount && major !== MAJOR.simple && value > this.#bytes.length) this.#cutShort();
    return { major, info, value };
  }

  /** An unsigned integer of `width` bytes; beyond int64 there is nothing to hold it. */
  #argument(width: number): number {
    this.#need(width);
    const at = this.at;
    this.at += width;
    switch (width) {
      case 1:
        return this.#view.getUint8(at);
      case 2:
        return this.#view.getUint16(at);
      case 4:
        return this.#view.getUint32(at);
      default: {
        const wide = this.#view.getBigUint64(at);
        if (wide > 0x7fff_ffff_ffff_ffffn) {
          throw new MalformedCbor(`${wide} overflows Go's int64`);
        }
        return Number(wide);
      }
    }
  }

  #byte(): number {
    this.#need(1);
    return this.#bytes[this.at++];
  }

  #need(count: number): void {
    if (this.at + count > this.#bytes.length) this.#cutShort();
  }

  #cutShort(): never {
    throw new MalformedCbor("unexpected EOF");
  }

  #string(head: Head): Uint8Array {
    if (head.value >= 0) {
      this.#need(head.value);
      return this.#bytes.subarray(this.at, this.at += head.value);
    }
    const parts: number[] = [];
    while (!this.#isAtBreak()) {
      const part = this.#head();
      if (part.major !== head.major || part.value < 0) {
        throw new MalformedCbor("wrong element type within an indefinite-length string");
      }
      for (const byte of this.#string(part)) parts.push(byte);
    }
    return Uint8Array.from(parts);
  }

  #isAtBreak(): boolean {
    this.#need(1);
    if (this.#bytes[this.at] !== BREAK) return false;
    this.at++;
    return true;
  }

  #array(count: number, depth: number): unknown[] {
    const items: unknown[] = [];
    if (count < 0) {
      while (!this.#isAtBreak()) items.push(this.item(0, depth + 1));
    } else {
      for (let index = 0; index < count; index++) items.push(this.item(0, depth + 1));
    }
    return items;
  }

  #map(count: number, depth: number): Record<string, unknown> {
    const draft: Record<string, unknown> = {};
    for (let index = 0; count < 0 ? !this.#isAtBreak() : index < count; index++) {
      const key = this.item(0, depth + 1);
      if (typeof key !== "string") {
        throw new MalformedCbor(`cannot use a key that is no string (pair ${index})`);
      }
      if (Object.hasOwn(draft, key)) {
        throw new MalformedCbor(
          `found duplicate map key ${JSON.stringify(key)} at map element index ${index}`,
        );
      }
      const value = this.item(0, depth + 1);
      // A plain assignment to this name would set the draft's prototype.
      if (key === "__proto__") {
        Object.defineProperty(draft, key, {
          value,
          configurable: true,
          enumerable: true,
          writable: true,
        });
      } else draft[key] = value;
    }
    return draft;
  }

  #simple(head: Head): unknown {
    switch (head.info) {
      case 20:
        return false;
      case 21:
        return true;
      case 22:
        return null;
      case 25:
      case 26:
      case 27:
        return this.#float(head.info);
      default:
        throw new MalformedCbor(`simple value ${head.value} is not recognized`);
    }
  }

  #float(info: number): number {
    const width = 2 ** (info - 24);
    this.#need(width);
    const at = this.at;
    this.at += width;
    const value = width === 2
      ? halfFloat(this.#view.getUint16(at))
      : width === 4
      ? this.#view.getFloat32(at)
      : this.#view.getFloat64(at);
    if (!Number.isFinite(value)) throw new MalformedCbor("cannot use NaN or infinity");
    return value;
  }
}

/** RFC 8949, appendix D. */
function halfFloat(bits: number): number {
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  const sign = bits & 0x8000 ? -1 : 1;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Infinity : NaN;
  return sign * (fraction + 1024) * 2 ** (exponent - 25);
}

function readText(bytes: Uint8Array): string {
  try {
    return strictUtf8.decode(bytes);
  } catch {
    throw new MalformedCbor("invalid UTF-8 string");
  }
}

function asText(bytes: Uint8Array, tag: number): string {
  switch (tag) {
    case TAG.base64:
      return encodeBase64(bytes);
    case TAG.base64url:
      return encodeBase64(bytes).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
    case TAG.base16:
      return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
    default:
      return readText(bytes);
  }
}

/**
 * Writes one item behind the tag that describes it.
 * @param value as JSON has it; undefined members are left out.
 */
export function encodeCbor(value: unknown): Uint8Array {
  const writer = new CborWriter();
  writer.raw(SELF_DESCRIBED);
  writer.item(value);
  return writer.finish();
}

/** One item without the tag, to stand within another. */
export function encodeCborItem(value: unknown): Uint8Array {
  const writer = new CborWriter();
  writer.item(value);
  return writer.finish();
}

/**
 * All of an object but the items of its last member, a list; they follow one by one.
 * @param members those before the list; undefined ones are left out.
 */
export function encodeCborListHead(
  members: Readonly<Record<string, unknown>>,
  list: { readonly name: string; readonly length: number },
): Uint8Array {
  const writer = new CborWriter();
  writer.raw(SELF_DESCRIBED);
  writer.listHead(members, list);
  return writer.finish();
}

class CborWriter {
  #bytes = new Uint8Array(1024);
  #view = new DataView(this.#bytes.buffer);
  #length = 0;

  #reserve(count: number): void {
    if (this.#length + count <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(this.#bytes.length * 2, this.#length + count));
    grown.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = grown;
    this.#view = new DataView(grown.buffer);
  }

  raw(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  item(value: unknown): void {
    if (typeof value === "string") this.#string(value);
    else if (typeof value === "number") this.#number(value);
    else if (typeof value === "boolean") this.#head(MAJOR.simple, value ? 21 : 20);
    else if (value === null || value === undefined) this.#head(MAJOR.simple, 22);
    else if (Array.isArray(value)) {
      this.#head(MAJOR.array, value.length);
      for (const item of value) this.item(item);
    } else {
      this.#members(value, 0);
    }
  }

  listHead(members: object, { name, length }: { name: string; length: number }): void {
    this.#members(members, 1);
    this.#string(name);
    this.#head(MAJOR.array, length);
  }

  /** @param following members that come after those of the object. */
  #members(value: object, following: number): void {
    const members = Object.entries(value).filter(([, member]) => member !== undefined);
    this.#head(MAJOR.map, members.length + following);
    for (const [key, member] of members) {
      this.#string(key);
      this.item(member);
    }
  }

  #string(text: string): void {
    const bytes = utf8.encode(text);
    this.#head(MAJOR.bytes, bytes.length);
    this.raw(bytes);
  }

  #number(value: number): void {
    if (Number.isSafeInteger(value)) {
      if (value < 0) this.#head(MAJOR.negative, -1 - value);
      else this.#head(MAJOR.unsigned, value);
      return;
    }
    this.#reserve(9);
    this.#bytes[this.#length] = MAJOR.simple << 5 | 27;
    this.#view.setFloat64(this.#length + 1, value);
    this.#length += 9;
  }

  #head(major: number, value: number): void {
    this.#reserve(9);
    const at = this.#length;
    const first = major << 5;
    if (value < 24) {
      this.#bytes[at] = first | value;
      this.#length += 1;
    } else if (value < 0x100) {
      this.#bytes[at] = first | 24;
      this.#bytes[at + 1] = value;
      this.#length += 2;
    } else if (value < 0x1_0000) {
      this.#bytes[at] = first | 25;
      this.#view.setUint16(at + 1, value);
      this.#length += 3;
    } else if (value < 0x1_0000_0000) {
      this.#bytes[at] = first | 26;
      this.#view.setUint32(at + 1, value);
      this.#length += 5;
    } else {
      this.#bytes[at] = first | 27;
      this.#view.setBigUint64(at + 1, BigInt(value));
      this.#length += 9;
    }
  }

  finish(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }
}
