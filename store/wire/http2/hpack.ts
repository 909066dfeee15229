/**
 * HPACK: header blocks to lists of fields and back, with static and dynamic tables.
 * In: block bytes of one direction of one connection, in order. Out: fields as a flat list
 * `[name, value, …]`, one character a byte. A block that changes no table is remembered, and the
 * same bytes later give the same list object without decoding.
 * Never: validates names or pseudo-header fields (see `header_block.ts`).
 * Source: RFC 7541.
 */
import { OutputBuffer } from "./frames.ts";
import { huffmanDecode, huffmanEncode, huffmanLength } from "./tables/huffman.ts";
import {
  STATIC_COUNT,
  STATIC_NAMES,
  STATIC_VALUES,
  staticIndexOfField,
  staticIndexOfName,
} from "./tables/hpack_static.ts";

const ENTRY_OVERHEAD_BYTES = 32;
const DEFAULT_TABLE_BYTES = 4096;
const REMEMBERED_BLOCKS = 8;
/** Longer blocks are not worth comparing. */
const REMEMBERED_BLOCK_BYTES = 512;

/** Entries newest first by index, stored oldest first. */
class DynamicTable {
  #names: string[] = [];
  #values: string[] = [];
  #first = 0;
  #bytes = 0;
  maxBytes = DEFAULT_TABLE_BYTES;

  get count(): number {
    return this.#names.length - this.#first;
  }

  name(index: number): string {
    return this.#names[this.#names.length - 1 - index];
  }

  value(index: number): string {
    return this.#values[this.#values.length - 1 - index];
  }

  add(name: string, value: string): void {
    this.#bytes += name.length + value.length + ENTRY_OVERHEAD_BYTES;
    this.#names.push(name);
    this.#values.push(value);
    this.#evict();
  }

  resize(maxBytes: number): void {
    this.maxBytes = maxBytes;
    this.#evict();
  }

  /** @returns the dynamic index of the newest such field, -1 when none */
  find(name: string, value: string): number {
    for (let i = this.#names.length - 1; i >= this.#first; i--) {
      if (this.#names[i] === name && this.#values[i] === value) return this.#names.length - 1 - i;
    }
    return -1;
  }

  #evict(): void {
    while (this.#bytes > this.maxBytes) {
      const i = this.#first++;
      this.#bytes -= this.#names[i].length + this.#values[i].length + ENTRY_OVERHEAD_BYTES;
    }
    // Compact when half the arrays are gone, so that they stay small on long connections.
    if (this.#first > 32 && this.#first * 2 > this.#names.length) {
      this.#names = this.#names.slice(this.#first);
      this.#values = this.#values.slice(this.#first);
      this.#first = 0;
    }
  }
}

/**
 * A decoded block: flat `[name, value, …]`. `listBytes` is its size as the setting
 * SETTINGS_MAX_HEADER_LIST_SIZE counts it. When the list exceeds the limit, `fields` is cut short
 * and `tooLarge` set, but the
 * tables stay in step, so the connection goes on.
 */
export interface DecodedFields {
  readonly fields: readonly string[];
  readonly listBytes: number;
  readonly tooLarge: boolean;
}

interface RememberedBlock {
  readonly bytes: Uint8Array;
  readonly generation: number;
  readonly decoded: DecodedFields;
}

/** One direction's decoder. */
export class HpackDecoder {
  readonly #table = new DynamicTable();
  readonly #maxListBytes: number;
  readonly #remembered: RememberedBlock[] = [];
  #nextSlot = 0;
  #allowedTableBytes: number;
  /** Counts table changes: a remembered block counts only for the table it was read with. */
  #generation = 0;
  #bytes: Uint8Array = new Uint8Array(0);
  #at = 0;
  #end = 0;

  /**
   * @param options.tableBytes the SETTINGS_HEADER_TABLE_SIZE announced to the peer
   * @param options.maxListBytes largest header list handed out
   */
  constructor(options: { readonly tableBytes?: number; readonly maxListBytes: number }) {
    this.#allowedTableBytes = options.tableBytes ?? DEFAULT_TABLE_BYTES;
    this.#maxListBytes = options.maxListBytes;
  }

  /**
   * Decodes one complete block.
   *
   * @param start inclusive, @param end exclusive
   * @returns the fields, or `null` for a compression error, after which the connection must end
   */
  decode(bytes: Uint8Array, start: number, end: number): DecodedFields | null {
    const known = this.#recall(bytes, start, end);
    if (known !== null) return known;
    const generation = this.#generation;
    this.#bytes = bytes;
    this.#at = start;
    this.#end = end;
    const decoded = this.#decodeFields();
    if (decoded !== null && generation === this.#generation) {
      this.#remember(bytes, { start, end, decoded });
    }
    return decoded;
  }

  #recall(bytes: Uint8Array, start: number, end: number): DecodedFields | null {
    const length = end - start;
    search: for (const block of this.#remembered) {
      if (block.generation !== this.#generation || block.bytes.length !== length) continue;
      for (let i = 0; i < length; i++) {
        if (block.bytes[i] !== bytes[start + i]) continue search;
      }
      return block.decoded;
    }
    return null;
  }

  #remember(
    bytes: Uint8Array,
    block: { readonly start: number; readonly end: number; readonly decoded: DecodedFields },
  ): void {
    if (block.end - block.start > REMEMBERED_BLOCK_BYTES) return;
    this.#remembered[this.#nextSlot] = {
      bytes: bytes.slice(block.start, block.end),
      generation: this.#generation,
      decoded: block.decoded,
    };
    this.#nextSlot = (this.#nextSlot + 1) % REMEMBERED_BLOCKS;
  }

  #decodeFields(): DecodedFields | null {
    const fields: string[] = [];
    let listBytes = 0;
    let tooLarge = false;
    let sizeUpdatesAllowed = true;
    while (this.#at < this.#end) {
      const first = this.#bytes[this.#at];
      if ((first & 0xe0) === 0x20) {
        if (!sizeUpdatesAllowed || !this.#readSizeUpdate()) return null;
        continue;
      }
      sizeUpdatesAllowed = false;
      const name = this.#readName(first);
      if (name === null) return null;
      const value = (first & 0x80) !== 0 ? this.#indexedValue : this.#readString();
      if (value === null) return null;
      if ((first & 0xc0) === 0x40) {
        this.#table.add(name, value);
        this.#generation++;
      }
      listBytes += name.length + value.length + ENTRY_OVERHEAD_BYTES;
      if (listBytes > this.#maxListBytes) tooLarge = true;
      else fields.push(name, value);
    }
    return { fields, listBytes, tooLarge };
  }

  #indexedValue = "";

  /** Reads the index and, for a literal with a new name, the name; null when refused. */
  #readName(first: number): string | null {
    const prefixBits = (first & 0x80) !== 0 ? 7 : (first & 0x40) !== 0 ? 6 : 4;
    const index = this.#readInteger(prefixBits);
    if (index < 0) return null;
    if (index === 0) return prefixBits === 7 ? null : this.#readString();
    if (index <= STATIC_COUNT) {
      this.#indexedValue = STATIC_VALUES[index];
      return STATIC_NAMES[index];
    }
    const dynamicIndex = index - STATIC_COUNT - 1;
    if (dynamicIndex >= this.#table.count) return null;
    this.#indexedValue = this.#table.value(dynamicIndex);
    return this.#table.name(dynamicIndex);
  }

  #readSizeUpdate(): boolean {
    const size = this.#readInteger(5);
    if (size < 0 || size > this.#allowedTableBytes) return false;
    this.#table.resize(size);
    this.#generation++;
    return true;
  }

  /** @returns the integer, or -1 when cut short or beyond 2^28 */
  #readInteger(prefixBits: number): number {
    const mask = (1 << prefixBits) - 1;
    let value = this.#bytes[this.#at++] & mask;
    if (value < mask) return value;
    for (let shift = 0; shift <= 21; shift += 7) {
      if (this.#at >= this.#end) return -1;
      const byte = this.#bytes[this.#at++];
      value += (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    return -1;
  }

  #readString(): string | null {
    if (this.#at >= this.#end) return null;
    const coded = (this.#bytes[this.#at] & 0x80) !== 0;
    const length = this.#readInteger(7);
    const start = this.#at;
    if (length < 0 || length > this.#end - start) return null;
    this.#at = start + length;
    if (coded) return huffmanDecode(this.#bytes, start, this.#at);
    let text = "";
    for (let i = start; i < this.#at; i++) text += String.fromCharCode(this.#bytes[i]);
    return text;
  }
}

/** How a field is sent: remembered by the peer, repeated each time, or never stored by anyone. */
export type Indexing = "index" | "plain" | "never";

/** One direction's encoder. With `tableBytes` 0 its blocks depend on nothing and can be kept. */
export class HpackEncoder {
  readonly #table = new DynamicTable();
  readonly #limitBytes: number;
  readonly #huffman: boolean;
  /** Sizes to announce at the start of the next block: the lowest since the last one, and now. */
  #announce: number[] = [];

  /**
   * @param options.tableBytes most this side wants to remember (0: no dynamic table)
   * @param options.huffman whether strings are Huffman coded when that is shorter; default true
   */
  constructor(options: { readonly tableBytes?: number; readonly huffman?: boolean } = {}) {
    this.#limitBytes = options.tableBytes ?? DEFAULT_TABLE_BYTES;
    this.#huffman = options.huffman ?? true;
    this.#table.maxBytes = Math.min(DEFAULT_TABLE_BYTES, this.#limitBytes);
  }

  /** The peer announced SETTINGS_HEADER_TABLE_SIZE. */
  setPeerTableSize(bytes: number): void {
    const size = Math.min(bytes, this.#limitBytes);
    // A peer that lowered its limit below what it has allocated waits for an update, even from an
    // encoder that never filled the table.
    if (size === this.#table.maxBytes && bytes >= DEFAULT_TABLE_BYTES) return;
    const lowest = this.#announce.length > 0 ? Math.min(this.#announce[0], size) : size;
    this.#announce = lowest === size ? [size] : [lowest, size];
    this.#table.resize(lowest);
    this.#table.resize(size);
  }

  /** Whether the next block must start with a size update (kept blocks need it before them). */
  get mustAnnounce(): boolean {
    return this.#announce.length > 0;
  }

  /** Appends the pending size updates. */
  announce(out: OutputBuffer): void {
    for (const size of this.#announce) writeInteger(out, { value: size, bits: 5, first: 0x20 });
    this.#announce = [];
  }

  /** Appends one field. Names must be lower case; every character is one byte. */
  field(out: OutputBuffer, name: string, value: string, indexing: Indexing = "index"): void {
    const fixed = staticIndexOfField(name, value);
    if (fixed > 0) return writeInteger(out, { value: fixed, bits: 7, first: 0x80 });
    const found = this.#limitBytes > 0 && indexing === "index" ? this.#table.find(name, value) : -1;
    if (found >= 0) {
      return writeInteger(out, { value: STATIC_COUNT + 1 + found, bits: 7, first: 0x80 });
    }
    const nameIndex = staticIndexOfName(name);
    const fits = name.length + value.length + ENTRY_OVERHEAD_BYTES <= this.#table.maxBytes;
    if (indexing === "index" && fits) {
      writeInteger(out, { value: nameIndex, bits: 6, first: 0x40 });
    } else {
      writeInteger(out, { value: nameIndex, bits: 4, first: indexing === "never" ? 0x10 : 0 });
    }
    if (nameIndex === 0) this.#writeString(out, name);
    this.#writeString(out, value);
    if (indexing === "index" && fits) this.#table.add(name, value);
  }

  #writeString(out: OutputBuffer, text: string): void {
    const coded = this.#huffman ? huffmanLength(text) : text.length;
    if (coded < text.length) {
      writeInteger(out, { value: coded, bits: 7, first: 0x80 });
      huffmanEncode(text, out);
      return;
    }
    writeInteger(out, { value: text.length, bits: 7, first: 0 });
    out.reserve(text.length);
    for (let i = 0; i < text.length; i++) out.bytes[out.length++] = text.charCodeAt(i);
  }
}

function writeInteger(
  out: OutputBuffer,
  integer: { readonly value: number; readonly bits: number; readonly first: number },
): void {
  const mask = (1 << integer.bits) - 1;
  if (integer.value < mask) {
    out.appendByte(integer.first | integer.value);
    return;
  }
  out.appendByte(integer.first | mask);
  let left = integer.value - mask;
  while (left >= 0x80) {
    out.appendByte(0x80 | (left & 0x7f));
    left >>>= 7;
  }
  out.appendByte(left);
}

const stateless = new HpackEncoder({ tableBytes: 0 });

/** Appends fields in a form that is valid on any connection at any time. */
export function appendStateless(out: OutputBuffer, fields: readonly string[]): void {
  for (let i = 0; i < fields.length; i += 2) {
    stateless.field(out, fields[i], fields[i + 1], "plain");
  }
}

const scratch = new OutputBuffer(1024);

/** @returns a block for these fields that is valid on any connection at any time */
export function encodeStateless(fields: readonly string[]): Uint8Array<ArrayBuffer> {
  scratch.length = 0;
  appendStateless(scratch, fields);
  return scratch.copy();
}
