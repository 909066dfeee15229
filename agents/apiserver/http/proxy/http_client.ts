/**
 * One HTTP/1.1 request over a connection that somebody else opened.
 * In: a byte stream in both directions, a request. Out: status, headers, the body as a stream.
 * Never: keeps the connection, follows redirects, or reads more head than 64 KiB.
 * Errors: rejects for an answer that is no HTTP; a body that breaks off ends with an error.
 * Source: RFC 9112.
 */
import type { ByteDuplex } from "../../ports.ts";

export interface HttpRequest {
  readonly method: string;
  /** Path and query, as they go on the request line. */
  readonly target: string;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Uint8Array;
}

export interface HttpResponse {
  readonly status: number;
  /** Lower-case names; a name may come more than once. */
  readonly headers: readonly (readonly [string, string])[];
  readonly body: AsyncIterable<Uint8Array>;
}

const HEAD_LIMIT_BYTES = 64 * 1024;
const encoder = new TextEncoder();
const decoder = new TextDecoder("latin1");

export async function askHttp(
  connection: ByteDuplex,
  request: HttpRequest,
): Promise<HttpResponse> {
  const writer = connection.writable.getWriter();
  // A server may answer before it has read everything; what it says decides.
  writer.write(encoder.encode(formatHead(request))).catch(() => {});
  if (request.body.length > 0) writer.write(request.body).catch(() => {});
  const source = new Source(connection.readable);
  let head = await readHead(source);
  // An interim answer says to wait for the real one.
  while (head.status >= 100 && head.status < 200 && head.status !== 101) {
    head = await readHead(source);
  }
  const finish = () => void writer.close().catch(() => {});
  return { ...head, body: bodyOf(source, request.method, head, finish) };
}

function formatHead({ method, target, headers, body }: HttpRequest): string {
  const lines = [`${method} ${target} HTTP/1.1`];
  for (const [name, value] of headers) lines.push(`${name}: ${value.replace(/[\r\n]/g, " ")}`);
  if (body.length > 0 || method === "POST" || method === "PUT") {
    lines.push(`content-length: ${body.length}`);
  }
  return `${lines.join("\r\n")}\r\nconnection: close\r\n\r\n`;
}

/** Bytes of a stream, by line and by count. */
class Source {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  #pending = new Uint8Array(0);
  #isEnded = false;

  constructor(stream: ReadableStream<Uint8Array>) {
    this.#reader = stream.getReader();
  }

  /** @returns null at the end */
  async take(limit: number): Promise<Uint8Array | null> {
    while (this.#pending.length === 0) if (!await this.#fill()) return null;
    const taken = this.#pending.subarray(0, limit);
    this.#pending = this.#pending.subarray(taken.length);
    return taken;
  }

  /** One line without its end. Errors: rejects when the stream ends before. */
  async line(limit: number): Promise<string> {
    for (;;) {
      const end = this.#pending.indexOf(10);
      if (end > limit || (end < 0 && this.#pending.length > limit)) {
        throw new Error("the answer's head is too long");
      }
      if (end >= 0) {
        const text = decoder.decode(this.#pending.subarray(0, end)).replace(/\r$/, "");
        this.#pending = this.#pending.subarray(end + 1);
        return text;
      }
      if (!await this.#fill()) throw new Error("the answer ends early");
    }
  }

  async #fill(): Promise<boolean> {
    if (this.#isEnded) return false;
    const { done, value } = await this.#reader.read();
    if (done) {
      this.#isEnded = true;
      return false;
    }
    const joined = new Uint8Array(this.#pending.length + value.length);
    joined.set(this.#pending);
    joined.set(value, this.#pending.length);
    this.#pending = joined;
    return true;
  }

  cancel(): void {
    this.#reader.cancel().catch(() => {});
  }
}

type Head = Omit<HttpResponse, "body">;

async function readHead(source: Source): Promise<Head> {
  const first = /^HTTP\/1\.[01] (\d{3})/.exec(await source.line(HEAD_LIMIT_BYTES));
  if (first === null) throw new Error("the answer is no HTTP");
  const headers: [string, string][] = [];
  let left = HEAD_LIMIT_BYTES;
  for (;;) {
    const line = await source.line(left);
    left -= line.length + 2;
    if (line === "") return { status: Number(first[1]), headers };
    const colon = line.indexOf(":");
    if (colon <= 0) throw new Error("the answer has a header without a name");
    headers.push([line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()]);
  }
}

async function* bodyOf(
  source: Source,
  method: string,
  head: Head,
  finish: () => void,
): AsyncGenerator<Uint8Array> {
  const header = (name: string) => head.headers.find(([known]) => known === name)?.[1];
  try {
    if (method === "HEAD" || head.status === 204 || head.status === 304) return;
    const isChunked = /\bchunked$/i.test(header("transfer-encoding") ?? "");
    const length = header("content-length");
    if (isChunked) yield* chunks(source);
    else if (length !== undefined) yield* counted(source, Number(length));
    else for (let bytes; (bytes = await source.take(Infinity)) !== null;) yield bytes;
  } finally {
    source.cancel();
    finish();
  }
}

async function* counted(source: Source, length: number): AsyncGenerator<Uint8Array> {
  for (let left = length; left > 0;) {
    const bytes = await source.take(left);
    if (bytes === null) throw new Error("the answer's body ends early");
    left -= bytes.length;
    yield bytes;
  }
}

async function* chunks(source: Source): AsyncGenerator<Uint8Array> {
  for (;;) {
    const size = Number.parseInt(await source.line(HEAD_LIMIT_BYTES), 16);
    if (!(size >= 0)) throw new Error("the answer has a chunk without a size");
    if (size === 0) return;
    yield* counted(source, size);
    await source.line(HEAD_LIMIT_BYTES);
  }
}
