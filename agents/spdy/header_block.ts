/**
 * Header blocks of SPDY/3: name-value pairs under one zlib stream for each direction.
 * In: header maps, compressed blocks in their order on the connection. Out: the other of the two.
 * Never: compresses what it writes — stored blocks are zlib too, and the headers here are few.
 * Errors: `HeaderReader.read` rejects for a block that is not one; the connection is lost then.
 * Source: SPDY draft 3.1, section 2.6.10; RFC 1950 and 1951 for the envelope.
 */
import { createInflate, type Inflate } from "node:zlib";
import { Buffer } from "node:buffer";
import { DICTIONARY } from "./dictionary.ts";

export type Headers = ReadonlyMap<string, string>;

/** Largest block, and most pairs in one, that a peer may send. */
const MAX_BLOCK_BYTES = 64 * 1024;
const MAX_PAIRS = 256;
/** A stored block's length field. */
const MAX_STORED_BYTES = 0xffff;

/** Deflate, 32 KiB window, dictionary named by its Adler-32. */
const ZLIB_HEAD = Uint8Array.of(0x78, 0xbb, 0xe3, 0xc6, 0xa7, 0xc2);

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** An empty stored block: Go's reader hands out what it has when it meets one. */
const FLUSH = Uint8Array.of(0, 0, 0, 0xff, 0xff);

/** Writes the header blocks of one direction. */
export class HeaderWriter {
  #isBegun = false;

  write(headers: Headers): Uint8Array {
    const plain = formatPairs(headers);
    const head = this.#isBegun ? new Uint8Array(0) : ZLIB_HEAD;
    this.#isBegun = true;
    const out = new Uint8Array(head.length + 5 + plain.length + FLUSH.length);
    out.set(head);
    const view = new DataView(out.buffer, head.length);
    view.setUint8(0, 0);
    view.setUint16(1, plain.length, true);
    view.setUint16(3, ~plain.length & 0xffff, true);
    out.set(plain, head.length + 5);
    out.set(FLUSH, out.length - FLUSH.length);
    return out;
  }
}

function formatPairs(headers: Headers): Uint8Array {
  const pairs = [...headers].map(([name, value]) =>
    [encoder.encode(name.toLowerCase()), encoder.encode(value)] as const
  );
  const size = pairs.reduce((sum, [name, value]) => sum + 8 + name.length + value.length, 4);
  if (size > MAX_STORED_BYTES) throw new Error("assertion: a header block of our own is too large");
  const out = new Uint8Array(size);
  const view = new DataView(out.buffer);
  view.setUint32(0, pairs.length);
  let at = 4;
  for (const text of pairs.flat()) {
    view.setUint32(at, text.length);
    out.set(text, at + 4);
    at += 4 + text.length;
  }
  return out;
}

/** Reads the header blocks of one direction, one after the other. */
export class HeaderReader {
  readonly #inflate: Inflate = createInflate({ dictionary: Buffer.from(DICTIONARY) });
  #failure: Error | null = null;
  #wake: (() => void) | null = null;

  constructor() {
    this.#inflate.on("error", (error: Error) => {
      this.#failure = error;
      this.#wake?.();
    });
  }

  async read(block: Uint8Array): Promise<Headers> {
    if (block.length > MAX_BLOCK_BYTES) throw new Error("a header block is too large");
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      this.#inflate.write(block, () => resolve());
    });
    if (this.#failure !== null) throw this.#failure;
    const chunks: Uint8Array[] = [];
    let size = 0;
    for (;;) {
      const chunk = this.#inflate.read() as Uint8Array | null;
      if (chunk === null) break;
      chunks.push(chunk);
      size += chunk.length;
      if (size > MAX_BLOCK_BYTES) throw new Error("a header block opens to more than is allowed");
    }
    return parsePairs(Buffer.concat(chunks));
  }

  close(): void {
    this.#inflate.destroy();
  }
}

function parsePairs(bytes: Uint8Array): Headers {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let at = 0;
  const number = () => {
    if (at + 4 > bytes.length) throw new Error("a header block ends early");
    at += 4;
    return view.getUint32(at - 4);
  };
  const text = () => {
    const length = number();
    if (at + length > bytes.length) throw new Error("a header block ends early");
    at += length;
    return decoder.decode(bytes.subarray(at - length, at));
  };
  const count = number();
  if (count > MAX_PAIRS) throw new Error("a header block has too many pairs");
  const headers = new Map<string, string>();
  for (let i = 0; i < count; i++) {
    const name = text().toLowerCase();
    headers.set(name, text());
  }
  return headers;
}
