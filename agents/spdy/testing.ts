/**
 * Texts over streams, for tests of sessions.
 * In: streams and texts. Out: texts and bytes.
 * Never: used outside tests.
 */
import type { SpdyStream } from "./session.ts";

export const encode = (text: string) => new TextEncoder().encode(text);
export const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

/** All that comes, as text. */
export async function readAll(stream: ReadableStream<Uint8Array>): Promise<string> {
  let text = "";
  for await (const bytes of stream) text += decode(bytes);
  return text;
}

/** Writes a text and ends the stream. */
export async function write(stream: SpdyStream, text: string): Promise<void> {
  const writer = stream.writable.getWriter();
  await writer.write(encode(text));
  await writer.close();
}
