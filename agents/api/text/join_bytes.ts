/**
 * PURE. Pieces of bytes made one.
 * In: chunks in their order, from a request, a frame, a cipher. Out: their bytes.
 * Never: copies where there is one piece already.
 */

/**
 * Joins chunks.
 * @param chunks left as they are; the answer may be one of them
 * @param size the sum of their lengths, where the caller knows it
 */
export function joinBytes<Buffer extends ArrayBufferLike>(
  chunks: readonly Uint8Array<Buffer>[],
  size: number = chunks.reduce((sum, chunk) => sum + chunk.length, 0),
): Uint8Array<Buffer | ArrayBuffer> {
  if (chunks.length === 1) return chunks[0];
  const out = new Uint8Array(size);
  let at = 0;
  for (const chunk of chunks) {
    out.set(chunk, at);
    at += chunk.length;
  }
  return out;
}
