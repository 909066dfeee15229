/**
 * HEADERS blocks of requests; what all requests of a client share is encoded once.
 * In: method, path, media type, token. Out: a block valid on any connection.
 * Never: lets a peer's table remember a token. Source: RFC 7541, RFC 9113 section 8.3.1.
 */
import { encodeStateless } from "../../../store/wire/http2/hpack.ts";
import { DEFAULT_USER_AGENT, type TransportRequest } from "./transport.ts";

export class RequestHeads {
  readonly #prefix: string;
  readonly #pseudo: Uint8Array;
  readonly #userAgent: string;
  readonly #methods = new Map<string, Uint8Array>();
  readonly #types = new Map<string, Uint8Array>();
  #bearer: string | undefined;
  #shared: Uint8Array;

  /** @param base the server's address; its path goes before that of each request */
  constructor(base: URL, userAgent = DEFAULT_USER_AGENT) {
    this.#prefix = base.pathname.replace(/\/$/, "");
    this.#pseudo = encodeStateless([":scheme", "https", ":authority", base.host]);
    this.#userAgent = userAgent;
    this.#shared = this.#encodeShared(undefined);
  }

  encode(
    { method, path, body, mediaType = "application/json" }: TransportRequest,
    bearer: string | undefined,
  ): Uint8Array {
    if (bearer !== this.#bearer) {
      this.#shared = this.#encodeShared(bearer);
      this.#bearer = bearer;
    }
    return concat([
      known(this.#methods, ":method", method),
      encodeStateless([":path", this.#prefix + path]),
      this.#shared,
      ...(body === undefined ? [] : [known(this.#types, "content-type", mediaType)]),
    ]);
  }

  #encodeShared(bearer: string | undefined): Uint8Array {
    return concat([
      this.#pseudo,
      encodeStateless([
        ...["accept", "application/json", "user-agent", this.#userAgent],
        ...(bearer === undefined ? [] : ["authorization", `Bearer ${bearer}`]),
      ]),
    ]);
  }
}

function known(blocks: Map<string, Uint8Array>, name: string, value: string): Uint8Array {
  let block = blocks.get(value);
  if (block === undefined) blocks.set(value, block = encodeStateless([name, value]));
  return block;
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  let size = 0;
  for (const part of parts) size += part.length;
  const out = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}
