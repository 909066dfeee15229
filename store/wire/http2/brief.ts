/**
 * Requests that need no stream object: a head, one DATA frame that ends the stream, one answer.
 * In: heads as they open streams, their first DATA frame. Out: requests for a `BriefHandler`.
 * Never: decides for a handler; keeps anything of a request but its id.
 * Such a stream is an id in the stream table (waiting for its body, then for its answer); whatever
 * else happens to it makes it an ordinary stream first.
 */
import { Flag } from "./frames.ts";
import type { FrameView } from "./frame_parser.ts";
import type { HeaderBlock } from "./header_block.ts";
import type { Http2Stream } from "./stream.ts";

/** Head and trailers that many answers share, from `encodeStateless`. */
export interface AnswerFrame {
  readonly head: Uint8Array;
  readonly trailers: Uint8Array;
}

/** Where brief requests are answered; ids are those of streams. */
export interface BriefStreams {
  /** Answers with `body[0, length)`, which may be reused afterwards; void when the client left. */
  answer(id: number, frame: AnswerFrame, body: Uint8Array, length: number): void;
  /** Makes an ordinary stream of it; undefined when the client left. */
  promote(id: number): Http2Stream | undefined;
}

/**
 * Takes the requests whose heads differ in VARYING_FIELD alone. Positional: runs for each request.
 */
export interface BriefHandler {
  /** @returns whether `run` will take this body; otherwise an ordinary stream is opened */
  accepts(bytes: Uint8Array, start: number, end: number): boolean;
  /** Runs the request; the bytes are valid during the call. It may be answered at once or later. */
  run(
    bytes: Uint8Array,
    start: number,
    end: number,
    streams: BriefStreams,
    id: number,
    headers: HeaderBlock,
  ): void;
}

/** A head that such requests carry, and who takes them. */
export interface BriefHead {
  readonly headers: HeaderBlock;
  readonly handler: BriefHandler;
}

/** Finds the handler of a head; equal requests share theirs, and like ones share a handler. */
export class BriefHeads {
  readonly #handlerOf: (headers: HeaderBlock) => BriefHandler | null;
  /** By the model of a head. */
  readonly #handlers = new WeakMap<HeaderBlock, BriefHandler | null>();
  #headers: HeaderBlock | null = null;
  #head: BriefHead | null = null;

  constructor(handlerOf: (headers: HeaderBlock) => BriefHandler | null) {
    this.#handlerOf = handlerOf;
  }

  /** @returns null when these requests are ordinary ones */
  of(headers: HeaderBlock): BriefHead | null {
    if (headers === this.#headers) return this.#head;
    let handler = this.#handlers.get(headers.model);
    if (handler === undefined) {
      handler = this.#handlerOf(headers);
      this.#handlers.set(headers.model, handler);
    }
    this.#headers = headers;
    this.#head = handler === null ? null : { headers, handler };
    return this.#head;
  }
}

/** @returns whether this DATA frame is the whole body of a request that the handler takes */
export function completesBrief(head: BriefHead, bytes: Uint8Array, frame: FrameView): boolean {
  if (frame.flags !== Flag.endStream) return false;
  const declared = head.headers.contentLength;
  if (declared >= 0 && declared !== frame.end - frame.start) return false;
  return head.handler.accepts(bytes, frame.start, frame.end);
}
