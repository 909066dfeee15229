/**
 * HEADERS blocks of requests; what all requests of a client share is encoded once.
 * In: method, path, media type, token. Out: a block valid on any connection.
 * Never: lets a peer's table remember a token. Source: RFC 7541, RFC 9113 section 8.3.1.
 */
import { OutputBuffer } from "../../../store/wire/http2/frames.ts";
import { appendStateless, encodeStateless } from "../../../store/wire/http2/hpack.ts";
import { DEFAULT_USER_AGENT, type TransportRequest } from "./transport.ts";

export class RequestHeads {
  readonly #prefix: string;
  readonly #pseudo: readonly string[];
  readonly #userAgent: string;
  readonly #methods = new Map<string, Uint8Array>();
  readonly #types = new Map<string, Uint8Array>();
  readonly #scratch = new OutputBuffer(1024);
  #bearer: string | undefined;
  #shared: Uint8Array;

  /** @param base the server's address; its path goes before that of each request */
  constructor(base: URL, userAgent = DEFAULT_USER_AGENT) {
    this.#prefix = base.pathname.replace(/\/$/, "");
    this.#pseudo = [":scheme", "https", ":authority", base.host];
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
    const out = this.#scratch;
    out.length = 0;
    out.append(known(this.#methods, ":method", method));
    appendStateless(out, [":path", this.#prefix + path]);
    out.append(this.#shared);
    if (body !== undefined) out.append(known(this.#types, "content-type", mediaType));
    return out.copy();
  }

  #encodeShared(bearer: string | undefined): Uint8Array {
    return encodeStateless([
      ...this.#pseudo,
      ...["accept", "application/json", "user-agent", this.#userAgent],
      ...(bearer === undefined ? [] : ["authorization", `Bearer ${bearer}`]),
    ]);
  }
}

function known(blocks: Map<string, Uint8Array>, name: string, value: string): Uint8Array {
  let block = blocks.get(value);
  if (block === undefined) blocks.set(value, block = encodeStateless([name, value]));
  return block;
}
