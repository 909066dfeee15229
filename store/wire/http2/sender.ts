/**
 * The sending half of a connection: output buffers, the peer's settings, windows, queued data.
 * In: what streams send, WINDOW_UPDATE and SETTINGS of the peer. Out: bytes to write, in order.
 * Two buffers take turns: one fills while the socket writes the other. `onOutput` is called once
 * when a first byte appears; whoever writes calls `takeOutput` until it is empty.
 * Never: exceeds a window; buffers more than a bound beyond what the socket takes.
 * Source: RFC 9113 sections 5.2, 6.5.2 and 6.9.
 */
import type { AnswerFrame } from "./brief.ts";
import {
  DEFAULT_FRAME_SIZE,
  DEFAULT_WINDOW,
  type ErrorCode,
  Flag,
  FRAME_HEADER_BYTES,
  FrameType,
  MAX_WINDOW,
  OutputBuffer,
  writeFrameHeader,
  writeHeaders,
  writeRstStream,
  writeWindowUpdate,
} from "./frames.ts";
import { HpackEncoder } from "./hpack.ts";
import type { Http2Stream, StreamHost } from "./stream.ts";

/** Beyond this much unwritten output, data waits in its stream's queue. */
const OUTPUT_HIGH_BYTES = 1024 * 1024;
/** A buffer that grew beyond this is given back after use. */
const OUTPUT_KEEP_BYTES = 4 * 1024 * 1024;

export interface SenderEvents {
  /** Output exists where there was none. */
  onOutput(): void;
  /** Our side of a stream has ended. */
  onLocalEnd(stream: Http2Stream): void;
  /** A stream was reset from here. */
  onReset(stream: Http2Stream): void;
}

export class Sender implements StreamHost {
  out = new OutputBuffer(16 * 1024);
  readonly encoder = new HpackEncoder({ tableBytes: 0 });
  window = DEFAULT_WINDOW;
  initialStreamWindow = DEFAULT_WINDOW;
  maxFrameSize = DEFAULT_FRAME_SIZE;
  #spare = new OutputBuffer(16 * 1024);
  #announced = false;
  readonly #waiting = new Set<Http2Stream>();
  readonly #events: SenderEvents;

  constructor(events: SenderEvents) {
    this.#events = events;
  }

  get pendingBytes(): number {
    return this.out.length;
  }

  /** Announces output once; call after appending to `out`. */
  touched(): void {
    if (this.#announced || this.out.length === 0) return;
    this.#announced = true;
    this.#events.onOutput();
  }

  /**
   * Hands out everything to write; the slice stays valid until the next call.
   *
   * @returns an empty slice when there is nothing, after which `onOutput` announces new output
   */
  takeOutput(): Uint8Array<ArrayBuffer> {
    if (this.out.length < OUTPUT_HIGH_BYTES && this.#waiting.size > 0) this.pump();
    const full = this.out;
    if (full.length === 0) {
      this.#announced = false;
      return full.bytes.subarray(0, 0);
    }
    this.out = this.#spare.bytes.length > OUTPUT_KEEP_BYTES ? new OutputBuffer(16384) : this.#spare;
    this.out.length = 0;
    this.#spare = full;
    return full.bytes.subarray(0, full.length);
  }

  sendHeaders(stream: Http2Stream, block: Uint8Array, endStream: boolean): void {
    writeHeaders(this.out, this.#announcedBlock(block), stream.id, {
      endStream,
      maxFrameSize: this.maxFrameSize,
    });
    if (endStream) this.#localEnd(stream);
    this.touched();
  }

  /** Puts a pending table size update before the next block sent. */
  #announcedBlock(block: Uint8Array): Uint8Array {
    if (!this.encoder.mustAnnounce) return block;
    const prefixed = new OutputBuffer(block.length + 8);
    this.encoder.announce(prefixed);
    prefixed.append(block);
    return prefixed.copy();
  }

  sendData(stream: Http2Stream, bytes: Uint8Array, endStream: boolean): void {
    if (stream.queuedBytes === 0 && this.#fits(stream, bytes.length)) {
      this.#writeData(stream, bytes, endStream);
      if (endStream) this.#localEnd(stream);
      this.touched();
      return;
    }
    if (endStream) stream.afterQueue = "end";
    if (bytes.length > 0) {
      stream.queue.push(bytes);
      stream.queuedBytes += bytes.length;
    }
    this.#waiting.add(stream);
    while (this.#waiting.has(stream) && this.out.length < OUTPUT_HIGH_BYTES) {
      if (!this.#pumpOne(stream)) break;
    }
    this.touched();
  }

  sendCopy(stream: Http2Stream, bytes: Uint8Array, length: number): boolean {
    const fits = stream.queuedBytes === 0 && this.#fits(stream, length);
    if (!fits || length > this.maxFrameSize) return false;
    this.window -= length;
    stream.sendWindow -= length;
    this.out.reserve(length + FRAME_HEADER_BYTES);
    writeFrameHeader(this.out, length, FrameType.data, 0, stream.id);
    this.out.appendShort(bytes, length);
    this.touched();
    return true;
  }

  sendWhole(
    stream: Http2Stream,
    whole: { readonly head: Uint8Array; readonly body: Uint8Array; readonly trailers: Uint8Array },
  ): void {
    const { head, body, trailers } = whole;
    if (!this.#fits(stream, body.length) || this.encoder.mustAnnounce) {
      this.sendHeaders(stream, head, false);
      // The caller reuses its buffer, and this may wait in the queue.
      stream.write(body.slice());
      stream.endWithTrailers(trailers);
      return;
    }
    const out = this.out;
    const options = { endStream: false, maxFrameSize: this.maxFrameSize };
    out.reserve(head.length + body.length + trailers.length + 3 * FRAME_HEADER_BYTES);
    writeHeaders(out, head, stream.id, options);
    this.#writeData(stream, body, false);
    options.endStream = true;
    writeHeaders(out, trailers, stream.id, options);
    this.#localEnd(stream);
    this.touched();
  }

  /**
   * Sends the whole answer of a brief request. Positional: runs for each request.
   * @returns false when it does not fit now, and nothing was sent
   */
  sendAnswer(id: number, frame: AnswerFrame, body: Uint8Array, length: number): boolean {
    const { head, trailers } = frame;
    const { out } = this;
    if (
      length > this.window || length > this.initialStreamWindow || length > this.maxFrameSize ||
      out.length >= OUTPUT_HIGH_BYTES || this.encoder.mustAnnounce
    ) return false;
    this.window -= length;
    out.reserve(head.length + length + trailers.length + 3 * FRAME_HEADER_BYTES);
    writeFrameHeader(out, head.length, FrameType.headers, Flag.endHeaders, id);
    out.appendShort(head, head.length);
    writeFrameHeader(out, length, FrameType.data, 0, id);
    out.appendShort(body, length);
    writeFrameHeader(out, trailers.length, FrameType.headers, Flag.endHeaders | Flag.endStream, id);
    out.appendShort(trailers, trailers.length);
    this.touched();
    return true;
  }

  sendReset(stream: Http2Stream, code: ErrorCode): void {
    writeRstStream(this.out, stream.id, code);
    this.forget(stream);
    this.#events.onReset(stream);
    this.touched();
  }

  sendCredit(stream: Http2Stream, bytes: number): void {
    stream.uncredited += bytes;
    if (stream.uncredited * 2 < stream.receiveWindow) return;
    stream.receiveWindow += stream.uncredited;
    writeWindowUpdate(this.out, stream.id, stream.uncredited);
    stream.uncredited = 0;
    this.touched();
  }

  /** The stream sends nothing any more. */
  forget(stream: Http2Stream): void {
    this.#waiting.delete(stream);
  }

  /** @returns false when the window would exceed 2^31-1 */
  openWindow(increment: number): boolean {
    this.window += increment;
    if (this.window > MAX_WINDOW) return false;
    this.pump();
    return true;
  }

  /** @returns false when the window would exceed 2^31-1 */
  openStreamWindow(stream: Http2Stream, increment: number): boolean {
    stream.sendWindow += increment;
    if (stream.sendWindow > MAX_WINDOW) return false;
    if (stream.queuedBytes > 0) this.pump();
    return true;
  }

  /** Sends queued data while windows and the output bound allow, one frame a stream in turn. */
  pump(): void {
    let progress = true;
    while (progress && this.#waiting.size > 0) {
      progress = false;
      for (const stream of this.#waiting) {
        if (this.out.length >= OUTPUT_HIGH_BYTES) return;
        if (this.#pumpOne(stream)) progress = true;
      }
    }
  }

  #pumpOne(stream: Http2Stream): boolean {
    const allowed = Math.min(
      stream.queuedBytes,
      this.window,
      stream.sendWindow,
      this.maxFrameSize,
    );
    if (allowed <= 0 && stream.queuedBytes > 0) return false;
    const last = allowed === stream.queuedBytes;
    this.#writeQueued(stream, allowed, last && stream.afterQueue === "end");
    if (!last) return true;
    this.#waiting.delete(stream);
    const after = stream.afterQueue;
    if (after === "end") this.#localEnd(stream);
    else if (after !== "nothing") this.sendHeaders(stream, after, true);
    else if (stream.owesDrain) {
      stream.owesDrain = false;
      stream.onDrain();
    }
    return true;
  }

  #writeQueued(stream: Http2Stream, count: number, endStream: boolean): void {
    const flags = endStream ? Flag.endStream : 0;
    writeFrameHeader(this.out, count, FrameType.data, flags, stream.id);
    this.window -= count;
    stream.sendWindow -= count;
    stream.queuedBytes -= count;
    let left = count;
    let taken = 0;
    while (left > 0) {
      const chunk = stream.queue[taken];
      const part = Math.min(left, chunk.length - stream.queueAt);
      this.out.append(chunk.subarray(stream.queueAt, stream.queueAt + part));
      left -= part;
      stream.queueAt += part;
      if (stream.queueAt === chunk.length) {
        taken++;
        stream.queueAt = 0;
      }
    }
    if (taken > 0) stream.queue.splice(0, taken);
  }

  #fits(stream: Http2Stream, length: number): boolean {
    return length === 0 ||
      (length <= this.window && length <= stream.sendWindow &&
        this.out.length < OUTPUT_HIGH_BYTES);
  }

  #writeData(stream: Http2Stream, bytes: Uint8Array, endStream: boolean): void {
    const out = this.out;
    const max = this.maxFrameSize;
    this.window -= bytes.length;
    stream.sendWindow -= bytes.length;
    let at = 0;
    do {
      const length = Math.min(max, bytes.length - at);
      const last = at + length === bytes.length;
      writeFrameHeader(out, length, FrameType.data, last && endStream ? 1 : 0, stream.id);
      out.append(length === bytes.length ? bytes : bytes.subarray(at, at + length));
      at += length;
    } while (at < bytes.length);
  }

  #localEnd(stream: Http2Stream): void {
    stream.localClosed = true;
    this.#events.onLocalEnd(stream);
  }
}
