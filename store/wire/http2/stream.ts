/**
 * One HTTP/2 stream as its user sees it, on a server or a client.
 * In: calls of the user (respond, write, end, reset) and events of the connection. Out: calls to
 * the `StreamHost` that frames them, and the user's callbacks.
 * Never: touches bytes of the connection; a callback runs synchronously from `receive`, and the
 * slices it is given are views of the read buffer, valid only until it returns.
 * Source: RFC 9113 section 5.
 */
import { DEFAULT_WINDOW, ErrorCode } from "./frames.ts";
import type { HeaderBlock } from "./header_block.ts";
import { encodeStateless } from "./hpack.ts";

/** The connection's sending half, as streams need it. */
export interface StreamHost {
  sendHeaders(stream: Http2Stream, block: Uint8Array, endStream: boolean): void;
  /** Sends or queues; the bytes belong to the connection from here on. */
  sendData(stream: Http2Stream, bytes: Uint8Array, endStream: boolean): void;
  /** Sends a copy of `bytes[0, length)`; false, and nothing sent, when it does not fit now. */
  sendCopy(stream: Http2Stream, bytes: Uint8Array, length: number): boolean;
  /** Head, body and trailers at once; the usual answer of a unary call. */
  sendWhole(
    stream: Http2Stream,
    whole: { readonly head: Uint8Array; readonly body: Uint8Array; readonly trailers: Uint8Array },
  ): void;
  sendReset(stream: Http2Stream, code: ErrorCode): void;
  /** Grants the peer `bytes` more on this stream. */
  sendCredit(stream: Http2Stream, bytes: number): void;
}

/** `write` answers false beyond this, and `onDrain` follows when the queue is empty again. */
const QUEUE_HIGH_BYTES = 64 * 1024;

const ignore = () => {};

const statusBlocks = new Map<number, Uint8Array>();

/** @returns a kept header block holding `:status` and `fields` */
export function encodeResponseHead(
  status: number,
  fields: readonly string[] = [],
): Uint8Array {
  if (fields.length > 0) return encodeStateless([":status", String(status), ...fields]);
  let block = statusBlocks.get(status);
  if (block === undefined) {
    block = encodeStateless([":status", String(status)]);
    statusBlocks.set(status, block);
  }
  return block;
}

export class Http2Stream {
  readonly id: number;
  /** The request on a server; on a client the response, once it came. */
  headers: HeaderBlock;
  /** Fields after the body, once they came. */
  trailers: HeaderBlock | null = null;
  /** Bytes of the body; a view valid during the call. */
  onData: (bytes: Uint8Array) => void = ignore;
  /** The peer has sent everything; trailers, if any, are in `trailers`. */
  onEnd: () => void = ignore;
  /** The stream died before both sides ended: reset by the peer, or with its connection. */
  onReset: (code: ErrorCode) => void = ignore;
  /** The send queue is empty again after `write` answered false. */
  onDrain: () => void = ignore;
  /** Client only: the response's head arrived. */
  onHeaders: (headers: HeaderBlock) => void = ignore;
  /** True: the user calls `credit` for what it consumed; false: every byte is credited at once. */
  manualCredit = false;

  /** Bytes the peer lets us send; negative after it lowered its initial window. */
  sendWindow: number;
  /** Bytes we let the peer send. */
  receiveWindow: number;
  /** Consumed and not yet credited. */
  uncredited = 0;
  /** No more HEADERS or DATA will be sent. */
  localClosed = false;
  /** No more HEADERS or DATA will come. */
  remoteClosed = false;
  headSent = false;
  headReceived = false;
  receivedBytes = 0;

  /** Waiting for a window; `queueAt` bytes of the first chunk are gone already. */
  queue: Uint8Array[] = [];
  queueAt = 0;
  queuedBytes = 0;
  /** What follows the queue: nothing yet, the end, or trailers. */
  afterQueue: "nothing" | "end" | Uint8Array = "nothing";
  owesDrain = false;

  readonly #host: StreamHost;

  constructor(
    host: StreamHost,
    options: {
      readonly id: number;
      readonly headers: HeaderBlock;
      readonly sendWindow?: number;
      readonly receiveWindow?: number;
    },
  ) {
    this.#host = host;
    this.id = options.id;
    this.headers = options.headers;
    this.sendWindow = options.sendWindow ?? DEFAULT_WINDOW;
    this.receiveWindow = options.receiveWindow ?? DEFAULT_WINDOW;
  }

  get method(): string {
    return this.headers.method;
  }

  get path(): string {
    return this.headers.path;
  }

  /** True until the stream was reset or both sides ended. */
  get open(): boolean {
    return !(this.localClosed && this.remoteClosed);
  }

  /** Whether `write` and `end` still have an effect. */
  get writable(): boolean {
    return !this.localClosed && this.afterQueue === "nothing";
  }

  /**
   * Sends the response's head.
   *
   * @param fields flat `[name, value, …]`, names in lower case
   */
  respond(status: number, fields: readonly string[] = [], endStream = false): void {
    this.respondBlock(encodeResponseHead(status, fields), endStream);
  }

  /** Sends a head encoded before by `encodeResponseHead` or `encodeStateless`. */
  respondBlock(block: Uint8Array, endStream = false): void {
    if (!this.writable || this.headSent) return;
    this.headSent = true;
    this.#host.sendHeaders(this, block, endStream);
  }

  /**
   * Sends body bytes, which must not change afterwards.
   *
   * @returns false when the peer is slower than the writer: stop until `onDrain`
   */
  write(bytes: Uint8Array): boolean {
    if (!this.writable) return false;
    if (bytes.length > 0) this.#host.sendData(this, bytes, false);
    if (this.queuedBytes <= QUEUE_HIGH_BYTES) return true;
    this.owesDrain = true;
    return false;
  }

  /** As `write`, for `bytes[0, length)` that the caller reuses: copied once, into the output. */
  writeCopy(bytes: Uint8Array, length: number): boolean {
    if (!this.writable) return false;
    if (this.#host.sendCopy(this, bytes, length)) return true;
    return this.write(bytes.slice(0, length));
  }

  /** Sends the last body bytes, or none, and ends our side. */
  end(bytes?: Uint8Array): void {
    if (!this.writable) return;
    this.#host.sendData(this, bytes ?? EMPTY, true);
  }

  /** Ends our side with trailers encoded by `encodeStateless`. */
  endWithTrailers(block: Uint8Array): void {
    if (!this.writable) return;
    if (this.queuedBytes > 0) this.afterQueue = block;
    else this.#host.sendHeaders(this, block, true);
  }

  /** Sends head, body and trailers in one go and ends our side; `body` may be reused afterwards. */
  respondWhole(head: Uint8Array, body: Uint8Array, trailers: Uint8Array): void {
    if (!this.writable || this.headSent) return;
    this.headSent = true;
    this.#host.sendWhole(this, { head, body, trailers });
  }

  /** Kills the stream; queued bytes are dropped and no callback runs any more. */
  reset(code: ErrorCode = ErrorCode.cancel): void {
    if (!this.open) return;
    this.#host.sendReset(this, code);
  }

  /** With `manualCredit`: lets the peer send `bytes` more. */
  credit(bytes: number): void {
    if (this.manualCredit && !this.remoteClosed) this.#host.sendCredit(this, bytes);
  }

  /** For the connection: forgets callbacks and queue, so that nothing holds on to a dead stream. */
  detach(): void {
    this.localClosed = true;
    this.remoteClosed = true;
    this.queue = [];
    this.queuedBytes = 0;
    this.onData = ignore;
    this.onEnd = ignore;
    this.onReset = ignore;
    this.onDrain = ignore;
    this.onHeaders = ignore;
  }
}

const EMPTY = new Uint8Array(0);
