/**
 * The streams of one connection from opening to oblivion.
 * In: ids as they open, ends and resets from either side. Out: the streams' last callbacks, RST
 * frames, and `onEmpty` when the last one is gone.
 * Never: looks at payloads or windows.
 * Source: RFC 9113 section 5.1.
 */
import { ErrorCode, writeRstStream } from "./frames.ts";
import type { HeaderBlock } from "./header_block.ts";
import { ResetMemory } from "./receive_window.ts";
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
  /** The last open stream is gone. */
  readonly onEmpty: () => void;
}

export class StreamTable {
  readonly #options: StreamTableOptions;
  readonly #streams = new Map<number, Http2Stream>();
  readonly #resetHere = new ResetMemory();

  constructor(options: StreamTableOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#streams.size;
  }

  get(id: number): Http2Stream | undefined {
    return this.#streams.get(id);
  }

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
    if (this.#streams.size === 0) this.#options.onEmpty();
  }
}
