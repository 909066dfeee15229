/**
 * Just enough HTTP for health checks and metrics on the port that also speaks gRPC: HTTP/1.1 by
 * hand, and the same handler over HTTP/2.
 * In: bytes of a connection. Out: answers of a plain function of method and path.
 * Never: takes a request body, or a head beyond 16 KiB; such connections are answered and closed.
 * Source: RFC 9112.
 */
import type { SocketUser } from "./http2/server.ts";
import type { Http2Stream } from "./http2/stream.ts";
import type { ByteSocket } from "./http2/socket.ts";

export interface PlainAnswer {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
}

export type PlainHandler = (
  request: { readonly method: string; readonly path: string; readonly query: URLSearchParams },
) => PlainAnswer | Promise<PlainAnswer>;

const MAX_HEAD_BYTES = 16 * 1024;
const encoder = new TextEncoder();
const decoder = new TextDecoder("latin1");

const REASONS: Record<number, string> = {
  200: "OK",
  400: "Bad Request",
  404: "Not Found",
  405: "Method Not Allowed",
  431: "Request Header Fields Too Large",
  500: "Internal Server Error",
  503: "Service Unavailable",
};

/** Serves one connection; requests are answered in order. */
export class Http1Connection implements SocketUser {
  readonly #socket: ByteSocket;
  readonly #handler: PlainHandler;
  readonly #onRefused: (detail: string, address: string) => void;
  #text = "";

  /** @param onRefused told of what is no request this side understands; for a log */
  constructor(
    socket: ByteSocket,
    handler: PlainHandler,
    onRefused: (detail: string, address: string) => void = () => {},
  ) {
    this.#socket = socket;
    this.#handler = handler;
    this.#onRefused = onRefused;
  }

  take(bytes: Uint8Array): Promise<void> {
    this.#text += decoder.decode(bytes);
    return this.#answerAll();
  }

  ended(): void {
    this.#socket.close();
  }

  async #answerAll(): Promise<void> {
    for (;;) {
      const end = this.#text.indexOf("\r\n\r\n");
      if (end < 0) {
        if (this.#text.length <= MAX_HEAD_BYTES) return;
        this.#onRefused("HTTP/1 head too long", this.#socket.peer.address);
        return this.#send({ status: 431, contentType: "text/plain", body: "" }, TERMINAL);
      }
      const head = this.#text.slice(0, end).split("\r\n");
      this.#text = this.#text.slice(end + 4);
      const keepOpen = await this.#answer(head);
      if (!keepOpen) return;
    }
  }

  /** @returns whether another request may follow */
  async #answer(head: readonly string[]): Promise<boolean> {
    const line = /^([A-Z]+) (\/\S*) HTTP\/1\.([01])$/.exec(head[0]);
    const bad = { status: 400, contentType: "text/plain", body: "" };
    if (line === null) {
      this.#onRefused("no HTTP request", this.#socket.peer.address);
      await this.#send(bad, TERMINAL);
      return false;
    }
    const [, method, target, minor] = line;
    const fields = head.slice(1).map((field) => field.toLowerCase().replace(/\s/g, ""));
    const hasBody = fields.some((field) =>
      field.startsWith("transfer-encoding:") ||
      (field.startsWith("content-length:") && field !== "content-length:0")
    );
    const keepOpen = !hasBody && minor === "1" && !fields.includes("connection:close");
    let answer: PlainAnswer;
    try {
      const [path, query = ""] = target.split("?", 2);
      answer = hasBody ? bad : await this.#handler({
        method,
        path,
        query: new URLSearchParams(query),
      });
    } catch {
      answer = { status: 500, contentType: "text/plain", body: "" };
    }
    await this.#send(answer, { keepOpen, isHead: method === "HEAD" });
    return keepOpen;
  }

  async #send(
    answer: PlainAnswer,
    options: { readonly keepOpen: boolean; readonly isHead: boolean },
  ): Promise<void> {
    const body = encoder.encode(answer.body);
    const head = encoder.encode(
      `HTTP/1.1 ${answer.status} ${REASONS[answer.status] ?? "Unknown"}\r\n` +
        `Content-Type: ${answer.contentType}\r\nContent-Length: ${body.length}\r\n` +
        `${options.keepOpen ? "" : "Connection: close\r\n"}\r\n`,
    );
    const whole = new Uint8Array(head.length + (options.isHead ? 0 : body.length));
    whole.set(head);
    if (!options.isHead) whole.set(body, head.length);
    try {
      await this.#socket.write(whole);
    } catch {
      return this.#socket.close();
    }
    if (!options.keepOpen) this.#socket.close();
  }
}

/** Answers the same requests over HTTP/2. */
export async function answerPlain(stream: Http2Stream, handler: PlainHandler): Promise<void> {
  const [path, query = ""] = stream.path.split("?", 2);
  let answer: PlainAnswer;
  try {
    answer = await handler({ method: stream.method, path, query: new URLSearchParams(query) });
  } catch {
    answer = { status: 500, contentType: "text/plain", body: "" };
  }
  const body = encoder.encode(answer.body);
  const fields = ["content-type", answer.contentType, "content-length", String(body.length)];
  const bare = stream.method === "HEAD";
  stream.respond(answer.status, fields, bare);
  if (!bare) stream.end(body);
}

const TERMINAL = { keepOpen: false, isHead: false };
