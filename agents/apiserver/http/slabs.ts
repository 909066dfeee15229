/**
 * Many small chunks as few large ones, made in turns.
 * In: chunks, some of them the cache's own bytes. Out: slabs that belong to whoever takes them.
 * Never: holds the thread for longer than a turn, or makes a slab before it is asked for.
 */
import { TimeSlice } from "../time_slice.ts";

const SLAB_BYTES = 256 * 1024;
/** Chunks between two looks at the time. */
const CHUNKS_A_LOOK = 64;

export async function* slabsOf(
  chunks: Iterable<Uint8Array>,
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  const slice = new TimeSlice();
  let slab = new Uint8Array(SLAB_BYTES);
  let used = 0;
  let looked = 0;
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
    if (++looked % CHUNKS_A_LOOK === 0 && slice.isOver) await slice.next();
  }
  if (used > 0) yield slab.subarray(0, used);
}
