/**
 * Framing of the write-ahead log and of snapshot files, and the CRC32C both are checked with.
 * In: bytes and numbers. Out: frames in a caller's buffer, or what was found in one.
 * Never: touches a disk, knows what a payload means, trusts a length it has not checked.
 * One frame is one durable batch. A torn write is told from damage by the zeros that a
 * preallocated file keeps in the sectors that never arrived.
 * Source: RFC 3720 appendix B.4 (CRC32C); Alagappan et al., "Protocol-Aware Recovery" (FAST '18).
 */

/** Bytes before a payload: magic, length, sequence, payload CRC, header CRC. */
export const FRAME_HEADER_BYTES = 24;
/** Frames start at multiples of this. */
export const FRAME_ALIGNMENT = 8;
/** Disks write this much in one piece or not at all. */
export const SECTOR_BYTES = 512;
/** "BLSR" read as a little-endian word. */
const MAGIC = 0x52534c42;
const POLYNOMIAL = 0x82f63b78;

/** Slicing-by-16 tables, one after the other: Int32Array[16 * 256]. */
const TABLES = buildTables();

function buildTables(): Int32Array {
  const tables = new Int32Array(16 * 256);
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ POLYNOMIAL : crc >>> 1;
    tables[byte] = crc;
  }
  for (let i = 256; i < tables.length; i++) {
    const previous = tables[i - 256];
    tables[i] = (previous >>> 8) ^ tables[previous & 255];
  }
  return tables;
}

/** Shorter runs are not worth a view of their words. */
const WORDS_FROM_BYTES = 64;
const IS_LITTLE_ENDIAN = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;

/**
 * CRC32C (Castagnoli) of `bytes[from, to)`.
 * @param bytes the buffer, any length
 * @param from first byte
 * @param to one past the last byte
 * @param seed the CRC of what came before, or a salt; 0 to start
 * @returns an unsigned 32-bit integer
 * Source: RFC 3720 B.4; Kounavis and Berry, slicing-by-8 (2008).
 */
export function crc32c(bytes: Uint8Array, from = 0, to = bytes.length, seed = 0): number {
  let crc = ~seed;
  let at = from;
  const first = bytes.byteOffset + from;
  if (to - from >= WORDS_FROM_BYTES && (first & 3) === 0 && IS_LITTLE_ENDIAN) {
    const words = new Int32Array(bytes.buffer, first, (to - from) >>> 2);
    const count = words.length & ~3;
    crc = crcOfWords(words, count, crc);
    at += count * 4;
  }
  for (; at < to; at++) crc = (crc >>> 8) ^ TABLES[(crc ^ bytes[at]) & 255];
  return ~crc >>> 0;
}

/** @param count a multiple of four. @returns the register, not yet inverted */
function crcOfWords(words: Int32Array, count: number, start: number): number {
  const t = TABLES;
  let crc = start;
  for (let i = 0; i < count; i += 4) {
    const a = words[i] ^ crc;
    const b = words[i + 1];
    const c = words[i + 2];
    const d = words[i + 3];
    crc = t[3840 + (a & 255)] ^ t[3584 + ((a >>> 8) & 255)] ^
      t[3328 + ((a >>> 16) & 255)] ^ t[3072 + (a >>> 24)] ^
      t[2816 + (b & 255)] ^ t[2560 + ((b >>> 8) & 255)] ^
      t[2304 + ((b >>> 16) & 255)] ^ t[2048 + (b >>> 24)] ^
      t[1792 + (c & 255)] ^ t[1536 + ((c >>> 8) & 255)] ^
      t[1280 + ((c >>> 16) & 255)] ^ t[1024 + (c >>> 24)] ^
      t[768 + (d & 255)] ^ t[512 + ((d >>> 8) & 255)] ^
      t[256 + ((d >>> 16) & 255)] ^ t[d >>> 24];
  }
  return crc;
}

/**
 * Closes the frame that starts at `start`: its payload already lies behind the header's room.
 * @param view over the whole buffer
 * @param start offset of the header, a multiple of FRAME_ALIGNMENT
 * @param payloadEnd one past the payload's last byte
 * @param seal sequence of the frame within its file, and the file's salt
 * @returns where the next frame starts; the padding before it is set to zero
 */
export function sealFrame(
  view: DataView,
  start: number,
  payloadEnd: number,
  seal: { readonly sequence: number; readonly salt: number },
): number {
  const bytes = new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
  const payloadStart = start + FRAME_HEADER_BYTES;
  view.setUint32(start, MAGIC, true);
  view.setUint32(start + 4, payloadEnd - payloadStart, true);
  writeSafeInteger(view, start + 8, seal.sequence);
  view.setUint32(start + 16, crc32c(bytes, payloadStart, payloadEnd, seal.salt), true);
  view.setUint32(start + 20, crc32c(bytes, start, start + 20, seal.salt), true);
  const next = alignFrame(payloadEnd);
  bytes.fill(0, payloadEnd, next);
  return next;
}

/** What lies at an offset where a frame is expected. */
export type FrameRead =
  | {
    readonly kind: "frame";
    readonly sequence: number;
    readonly payloadStart: number;
    readonly payloadEnd: number;
    readonly next: number;
  }
  /** Zeros, or the end of the file: nothing was ever written here. */
  | { readonly kind: "empty" }
  /** A write that was cut short: some sector of it never reached the disk. */
  | { readonly kind: "torn" }
  | { readonly kind: "damaged"; readonly detail: string };

/**
 * Reads the frame at `offset` without copying.
 * @param bytes the whole file
 * @param offset a multiple of FRAME_ALIGNMENT
 * @param expect the sequence this frame must carry, and the file's salt
 * @returns the frame, or why there is none
 */
export function readFrame(
  bytes: Uint8Array,
  offset: number,
  expect: { readonly sequence: number; readonly salt: number },
): FrameRead {
  const headerEnd = offset + FRAME_HEADER_BYTES;
  if (isZero(bytes, offset, Math.min(headerEnd, bytes.length))) return { kind: "empty" };
  if (headerEnd > bytes.length) return { kind: "torn" };
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const headerCrc = crc32c(bytes, offset, offset + 20, expect.salt);
  if (view.getUint32(offset, true) !== MAGIC || view.getUint32(offset + 20, true) !== headerCrc) {
    return hasZeroSector(bytes, offset, headerEnd)
      ? { kind: "torn" }
      : { kind: "damaged", detail: "the frame header fails its checksum" };
  }
  const payloadEnd = headerEnd + view.getUint32(offset + 4, true);
  if (payloadEnd > bytes.length) return { kind: "torn" };
  const crc = crc32c(bytes, headerEnd, payloadEnd, expect.salt);
  if (crc !== view.getUint32(offset + 16, true)) {
    return hasZeroSector(bytes, offset, payloadEnd)
      ? { kind: "torn" }
      : { kind: "damaged", detail: "the frame payload fails its checksum" };
  }
  const sequence = readSafeInteger(view, offset + 8);
  if (sequence !== expect.sequence) {
    return { kind: "damaged", detail: `frame ${sequence} where ${expect.sequence} belongs` };
  }
  return {
    kind: "frame",
    sequence,
    payloadStart: headerEnd,
    payloadEnd,
    next: alignFrame(payloadEnd),
  };
}

/**
 * Looks for a whole frame behind a broken one. One batch is synced before the next is written, so
 * a whole later frame proves that the broken one had been durable: damage, not a torn write.
 * @returns the offset of the first whole frame from `from` on, or -1
 */
export function findLaterFrame(
  bytes: Uint8Array,
  from: number,
  expect: { readonly afterSequence: number; readonly salt: number },
): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const last = bytes.length - FRAME_HEADER_BYTES;
  for (let offset = alignFrame(from); offset <= last; offset += FRAME_ALIGNMENT) {
    if (view.getUint32(offset, true) !== MAGIC) continue;
    const sequence = readSafeInteger(view, offset + 8);
    if (sequence <= expect.afterSequence) continue;
    if (readFrame(bytes, offset, { sequence, salt: expect.salt }).kind === "frame") return offset;
  }
  return -1;
}

/** @returns `offset` rounded up to a frame boundary */
export function alignFrame(offset: number): number {
  return Math.ceil(offset / FRAME_ALIGNMENT) * FRAME_ALIGNMENT;
}

/** Writes an integer in `[0, 2^53)` as eight little-endian bytes. */
export function writeSafeInteger(view: DataView, offset: number, value: number): void {
  view.setUint32(offset, value >>> 0, true);
  view.setUint32(offset + 4, Math.floor(value / 0x100000000), true);
}

/** Reads what `writeSafeInteger` wrote. */
export function readSafeInteger(view: DataView, offset: number): number {
  return view.getUint32(offset + 4, true) * 0x100000000 + view.getUint32(offset, true);
}

/** Whether some sector's share of `[from, to)` holds nothing but zeros. */
function hasZeroSector(bytes: Uint8Array, from: number, to: number): boolean {
  for (let start = from; start < to;) {
    const sectorEnd = (Math.floor(start / SECTOR_BYTES) + 1) * SECTOR_BYTES;
    const end = Math.min(sectorEnd, to);
    if (isZero(bytes, start, end)) return true;
    start = end;
  }
  return false;
}

function isZero(bytes: Uint8Array, from: number, to: number): boolean {
  for (let at = from; at < to; at++) if (bytes[at] !== 0) return false;
  return true;
}
