/**
 * Many small chunks as few large ones, made in turns.
 * In: chunks, some of them the cache's own bytes. Out: slabs that belong to whoever takes them.
 * Never: holds the thread for longer than a turn, or makes a slab before it is asked for.
 */
import { TimeSlice } from "../time_slice.ts";

const SLAB_BYTES = 256 * 1024;
/** Chunks between two looks at the time, and bytes where it takes time to make them. */
const CHUNKS_A_LOOK = 64;
const DEAR_BYTES_A_LOOK = 4 * 1024;

/** A body in pieces. */
export interface Chunks {
  readonly chunks: Iterable<Uint8Array>;
  /** They are made as they are taken; absent = they are there already. */
  readonly isDear?: boolean;
}

/** @param slice of the thread's time */
export async function* slabsOf(
  { chunks, isDear = false }: Chunks,
  slice: Pick<TimeSlice, "isOver" | "next"> = new TimeSlice(),
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  const bytesALook = isDear ? DEAR_BYTES_A_LOOK : Infinity;
  let slab = new Uint8Array(SLAB_BYTES);
  let used = 0;
  let [count, bytes] = [0, 0];
  for (const chunk of chunks) {
    for (let at = 0; at < chunk.length;) {
      if (used === SLAB_BYTES) {
        yield slab;
        slab = new Uint8Array(SLAB_BYTES);
        used = 0;
      }
      const part = Math.min(chunk.length - at, SLAB_BYTES - used);
      slab.set(part === chunk.length ? chunk : chunk.subarray(at, at + part), used);
      used += part;
      at += part;
    }
    bytes += chunk.length;
    if (++count < CHUNKS_A_LOOK && bytes < bytesALook) continue;
    [count, bytes] = [0, 0];
    if (slice.isOver) await slice.next();
  }
  if (used > 0) yield slab.subarray(0, used);
}
