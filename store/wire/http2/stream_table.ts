/**
 * The streams of one connection from opening to oblivion.
 * In: ids as they open, ends and resets from either side. Out: the streams' last callbacks, RST
 * frames, and `onEmpty` when the last one is gone.
 * Brief requests (see `brief.ts`) are ids without an object; asking for one makes its stream.
 * Never: parses a frame.
 * Source: RFC 9113 section 5.1.
 */
import type { AnswerFrame, BriefHead, BriefStreams } from "./brief.ts";
import { ErrorCode, writeRstStream } from "./frames.ts";
import { BLANK_BLOCK, type HeaderBlock } from "./header_block.ts";
import { ResetMemory } from "./receive_window.ts";
import type { FrameView } from "./frame_parser.ts";
import type { Sender } from "./sender.ts";
import { Http2Stream } from "./stream.ts";

export interface StreamTableOptions {
  readonly sender: Sender;
  readonly isServer: boolean;
  /** Bytes a new stream may receive before it is credited. */
  readonly streamWindow: number;
  /** A stream ended well on both sides. */
  readonly onCompleted: () => void;
  /** The peer broke a rule on one stream. */
  readonly onStreamError: () => void;
  /** A brief request turned out to be an ordinary stream. */
  readonly onStream: (stream: Http2Stream) => void;
  /** The last open stream is gone. */
  readonly onEmpty: () => void;
}

export class StreamTable implements BriefStreams {
  readonly #options: StreamTableOptions;
  readonly #streams = new Map<number, Http2Stream>();
  /** Brief requests: the head while the body is awaited, null while the answer is. */
  readonly #brief = new Map<number, BriefHead | null>();
  readonly #resetHere = new ResetMemory();

  constructor(options: StreamTableOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#streams.size + this.#brief.size;
  }

  get(id: number): Http2Stream | undefined {
    const head = this.#brief.get(id);
    if (head === undefined) return this.#streams.get(id);
    this.#brief.delete(id);
    const stream = this.open(id, head === null ? BLANK_BLOCK : head.headers);
    stream.headReceived = true;
    stream.remoteClosed = head === null;
    if (head !== null) this.#options.onStream(stream);
    return stream;
  }

  /** The head of a request came whose whole body may follow in one frame. */
  openBrief(id: number, head: BriefHead): void {
    this.#brief.set(id, head);
  }

  /** @returns the head of a brief request that awaits its body, or null */
  briefHead(id: number): BriefHead | null {
    return this.#brief.get(id) ?? null;
  }

  /** Runs a brief request; `frame` is its body. */
  runBrief(id: number, { headers, handler }: BriefHead, bytes: Uint8Array, frame: FrameView): void {
    this.#brief.set(id, null);
    handler.run(bytes, frame.start, frame.end, this, id, headers);
  }

  promote(id: number): Http2Stream | undefined {
    return this.get(id);
  }

  answer(id: number, frame: AnswerFrame, body: Uint8Array, length: number): void {
    const fits = this.#brief.has(id) && this.#options.sender.sendAnswer(id, frame, body, length);
    if (!fits) {
      return this.get(id)?.respondWhole(frame.head, body.subarray(0, length), frame.trailers);
    }
    this.#brief.delete(id);
    this.#options.onCompleted();
    if (this.size === 0) this.#options.onEmpty();
  }

  /** Ordinary streams; brief ones have used nothing of their windows. */
  values(): Iterable<Http2Stream> {
    return this.#streams.values();
  }

  /** Whether late frames of a stream are to be ignored, as it was reset from here. */
  wasReset(id: number): boolean {
    return this.#resetHere.has(id);
  }

  open(id: number, headers: HeaderBlock): Http2Stream {
    const { sender, streamWindow } = this.#options;
    const stream = new Http2Stream(sender, {
      id,
      headers,
      sendWindow: sender.initialStreamWindow,
      receiveWindow: streamWindow,
    });
    this.#streams.set(id, stream);
    return stream;
  }

  /** Hands a DATA frame to its stream. */
  deliver(
    stream: Http2Stream,
    bytes: Uint8Array,
    data: { start: number; end: number; length: number; ends: boolean },
  ): void {
    const payload = data.end - data.start;
    const declared = stream.headers.contentLength;
    stream.receivedBytes += payload;
    const wrong = data.ends ? stream.receivedBytes !== declared : stream.receivedBytes > declared;
    if (declared >= 0 && wrong && stream.method !== "HEAD") {
      return this.kill(stream, ErrorCode.protocolError);
    }
    if (!stream.headReceived) return this.kill(stream, ErrorCode.protocolError);
    if (!data.ends) {
      // Padding never reaches the user, so it is credited here even under manual credit.
      const credit = stream.manualCredit ? data.length - payload : data.length;
      if (credit > 0) this.#options.sender.sendCredit(stream, credit);
    }
    stream.remoteClosed = data.ends;
    if (payload > 0) stream.onData(bytes.subarray(data.start, data.end));
    if (data.ends) this.remoteEnd(stream);
  }

  /** The peer sent its last frame; a stream that was reset meanwhile has no `onEnd` any more. */
  remoteEnd(stream: Http2Stream): void {
    stream.remoteClosed = true;
    stream.onEnd();
    if (stream.localClosed) this.#forget(stream);
  }

  localEnd(stream: Http2Stream): void {
    if (stream.remoteClosed) this.#forget(stream);
    // A complete answer before the end of the request: the rest need not be sent.
    else if (this.#options.isServer) this.#options.sender.sendReset(stream, ErrorCode.noError);
  }

  /** A RST_STREAM was sent. */
  afterReset(stream: Http2Stream): void {
    this.#resetHere.add(stream.id);
    this.#drop(stream);
  }

  /** Ends a stream for an error of the peer. */
  kill(stream: Http2Stream, code: ErrorCode): void {
    const told = stream.onReset;
    this.#options.sender.sendReset(stream, code);
    told(code);
    this.#options.onStreamError();
  }

  /** The peer, or the end of the connection, took the stream away. */
  lose(stream: Http2Stream, code: ErrorCode): void {
    const told = stream.onReset;
    // A connection that ends from within a stream's own `onEnd` takes nothing from that stream.
    const complete = !stream.open;
    this.#options.sender.forget(stream);
    this.#drop(stream);
    if (!complete) told(code);
  }

  loseAbove(lastStreamId: number, code: ErrorCode): void {
    for (const id of this.#brief.keys()) if (id > lastStreamId) this.#brief.delete(id);
    for (const stream of [...this.#streams.values()]) {
      if (stream.id > lastStreamId) this.lose(stream, code);
    }
  }

  /** Refuses a stream that was never opened here. */
  refuse(id: number, code: ErrorCode): void {
    writeRstStream(this.#options.sender.out, id, code);
    this.#resetHere.add(id);
    this.#options.sender.touched();
  }

  #forget(stream: Http2Stream): void {
    if (this.#streams.get(stream.id) !== stream) return;
    this.#options.onCompleted();
    this.#drop(stream);
  }

  #drop(stream: Http2Stream): void {
    this.#streams.delete(stream.id);
    stream.detach();
    if (this.size === 0) this.#options.onEmpty();
  }
}
