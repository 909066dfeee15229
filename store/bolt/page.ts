/**
 * Pages of a bbolt file: the numbers both the writer and the reader need.
 * In: page fields. Out: their bytes, and back.
 * Never: knows what buckets mean. All numbers are little endian.
 * Source: bbolt's file format, version 2 (meta, freelist, branch and leaf pages).
 *
 *   page    := id u64, flags u16, count u16, overflow u32, elements, data
 *   leaf    element: flags u32 (1 = a bucket), position u32, key size u32, value size u32
 *   branch  element: position u32, key size u32, page u64; positions count from the element
 *   bucket  value:   root page u64 (0 = one page inline behind it), sequence u64
 */
export const PAGE_BYTES = 4096;
export const PAGE_HEADER_BYTES = 16;
export const ELEMENT_BYTES = 16;
export const BUCKET_BYTES = 16;
export const BUCKET_FLAG = 1;

export const PAGE = { branch: 0x01, leaf: 0x02, meta: 0x04, freelist: 0x10 } as const;

const MAGIC = 0xed0cdaed;
const VERSION = 2;
/** Bytes of a meta that its checksum covers. */
const META_BYTES = 56;
const FNV_OFFSET = 0xcbf29ce484222325n;
const FNV_PRIME = 0x100000001b3n;

/** What a meta page says of the whole file. */
export interface Meta {
  readonly pageBytes: number;
  /** Page of the root bucket. */
  readonly root: number;
  readonly freelist: number;
  /** One more than the highest page in use. */
  readonly highWater: number;
  readonly transaction: bigint;
}

/** Writes a page's header at the start of `page`. */
export function writeHeader(
  page: DataView,
  header: { readonly id: number; readonly flags: number; readonly count: number; overflow: number },
): void {
  page.setBigUint64(0, BigInt(header.id), true);
  page.setUint16(8, header.flags, true);
  page.setUint16(10, header.count, true);
  page.setUint32(12, header.overflow, true);
}

/** @returns one meta page */
export function encodeMeta(meta: Meta, id: 0 | 1): Uint8Array {
  const bytes = new Uint8Array(meta.pageBytes);
  const view = new DataView(bytes.buffer);
  writeHeader(view, { id, flags: PAGE.meta, count: 0, overflow: 0 });
  const at = PAGE_HEADER_BYTES;
  view.setUint32(at, MAGIC, true);
  view.setUint32(at + 4, VERSION, true);
  view.setUint32(at + 8, meta.pageBytes, true);
  view.setBigUint64(at + 16, BigInt(meta.root), true);
  view.setBigUint64(at + 32, BigInt(meta.freelist), true);
  view.setBigUint64(at + 40, BigInt(meta.highWater), true);
  view.setBigUint64(at + 48, meta.transaction, true);
  view.setBigUint64(at + META_BYTES, fnv1a(bytes.subarray(at, at + META_BYTES)), true);
  return bytes;
}

/** @returns the meta in the bytes of a page, or null when they hold no intact one */
export function decodeMeta(page: Uint8Array): Meta | null {
  if (page.length < PAGE_HEADER_BYTES + META_BYTES + 8) return null;
  const view = new DataView(page.buffer, page.byteOffset, page.byteLength);
  const at = PAGE_HEADER_BYTES;
  if (view.getUint32(at, true) !== MAGIC || view.getUint32(at + 4, true) !== VERSION) return null;
  const checksum = fnv1a(page.subarray(at, at + META_BYTES));
  if (view.getBigUint64(at + META_BYTES, true) !== checksum) return null;
  return {
    pageBytes: view.getUint32(at + 8, true),
    root: Number(view.getBigUint64(at + 16, true)),
    freelist: Number(view.getBigUint64(at + 32, true)),
    highWater: Number(view.getBigUint64(at + 40, true)),
    transaction: view.getBigUint64(at + 48, true),
  };
}

/** FNV-1a, 64 bits. */
export function fnv1a(bytes: Uint8Array): bigint {
  let hash = FNV_OFFSET;
  for (const byte of bytes) hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * FNV_PRIME);
  return hash;
}
