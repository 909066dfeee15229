/**
 * The state of one HTTP/2 connection, either side: bytes in, stream events and bytes out.
 * In: `receive(bytes)` with whatever the socket gave, `request` on a client, calls on streams.
 * Out: callbacks of streams; bytes through `takeOutput`; `onClosing` when the socket should end.
 * Never: touches a socket, a timer or a clock (`now` is given); throws on what a peer sends.
 * Source: RFC 9113.
 */
import { BriefHeads, completesBrief } from "./brief.ts";
import type { CloseReason, ConnectionOptions } from "./connection_options.ts";
import { FloodMeter } from "./flood_meter.ts";
import { BlockAssembler, dropPadding, FrameParser, type FrameView } from "./frame_parser.ts";
import {
  ErrorCode,
  Flag,
  FrameType,
  MAX_WINDOW,
  readUint31,
  readUint32,
  writeGoAway,
  writePing,
  writeSettingsAck,
  writeWindowUpdate,
} from "./frames.ts";
import { BLANK_BLOCK, BlockCache } from "./header_block.ts";
import { type DecodedFields, HpackDecoder } from "./hpack.ts";
import { ReceiveWindow } from "./receive_window.ts";
import { Sender } from "./sender.ts";
import { PeerSettings, writeOpening } from "./settings.ts";
import type { Http2Stream } from "./stream.ts";
import { StreamTable } from "./stream_table.ts";

const SHUTDOWN_PING = Uint8Array.of(0x62, 0x61, 0x6c, 0x73, 0x61, 0x62, 0x79, 0x65);
const TOO_PADDED = "padding longer than the frame";
const DEFAULT_STREAM_WINDOW = 1024 * 1024;

interface BlockView {
  readonly start: number;
  readonly end: number;
  readonly streamId: number;
  readonly ends: boolean;
}

export class Http2Connection {
  readonly #options: ConnectionOptions;
  readonly #isServer: boolean;
  readonly #sender: Sender;
  readonly #peer: PeerSettings;
  readonly #parser: FrameParser;
  readonly #block: BlockAssembler;
  readonly #decoder: HpackDecoder;
  readonly #flood: FloodMeter;
  readonly #streams: StreamTable;
  readonly #receiveWindow: ReceiveWindow;
  readonly #maxStreams: number;
  readonly #blocks = new BlockCache();
  readonly #brief: BriefHeads;
  #settingsSeen = false;
  #highestPeerStream = 0;
  #nextStreamId = 1;
  #draining = false;
  /** The last GOAWAY named the last stream: later ones are not looked at. */
  #refusesNew = false;
  #goAwayReceived = false;
  #closed = false;

  constructor(options: ConnectionOptions) {
    this.#options = options;
    this.#isServer = options.role === "server";
    this.#sender = new Sender({
      onOutput: options.onOutput,
      onReset: (stream) => this.#streams.afterReset(stream),
      onLocalEnd: (stream) => this.#streams.localEnd(stream),
    });
    this.#streams = new StreamTable({
      sender: this.#sender,
      isServer: this.#isServer,
      streamWindow: options.streamWindow ?? DEFAULT_STREAM_WINDOW,
      onCompleted: () => this.#flood.earn(),
      onStreamError: () => this.#spend(1, "stream errors"),
      onEmpty: () => this.#closeIfDrained(),
      onStream: (stream) => options.onStream?.(stream),
    });
    this.#peer = new PeerSettings(this.#sender, { peerIsServer: !this.#isServer });
    const maxHeaderListBytes = options.maxHeaderListBytes ?? 64 * 1024;
    this.#decoder = new HpackDecoder({ maxListBytes: maxHeaderListBytes });
    this.#block = new BlockAssembler(maxHeaderListBytes * 2);
    this.#parser = new FrameParser({
      onFrame: (bytes, frame) => this.#frame(bytes, frame),
      onBadPreface: () => this.fail(ErrorCode.protocolError, "bad connection preface"),
      onOversized: () => this.fail(ErrorCode.frameSizeError, "frame beyond the size limit"),
      stopped: () => this.#closed,
    }, { expectPreface: this.#isServer });
    this.#brief = new BriefHeads(options.briefOf ?? (() => null));
    this.#flood = new FloodMeter(options.now);
    this.#maxStreams = options.maxConcurrentStreams ?? 1000;
    const connectionWindow = options.connectionWindow ?? 16 * 1024 * 1024;
    this.#receiveWindow = new ReceiveWindow(connectionWindow);
    writeOpening(this.#sender.out, {
      isServer: this.#isServer,
      maxConcurrentStreams: this.#maxStreams,
      streamWindow: options.streamWindow ?? DEFAULT_STREAM_WINDOW,
      connectionWindow,
      maxHeaderListBytes,
    });
  }

  /** Streams that are not fully ended. */
  get streamCount(): number {
    return this.#streams.size;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Client: whether this connection takes new streams, now or once others have ended. */
  get accepting(): boolean {
    return !this.#closed && !this.#goAwayReceived && !this.#draining &&
      this.#nextStreamId < MAX_WINDOW;
  }

  /** Client: whether `request` may be called now. */
  get canOpen(): boolean {
    return this.accepting && this.#streams.size < this.#peer.maxConcurrentStreams;
  }

  /** Bytes waiting for the socket. */
  get pendingBytes(): number {
    return this.#sender.pendingBytes;
  }

  /** @returns everything to write now, valid until the next call; empty when there is nothing */
  takeOutput(): Uint8Array<ArrayBuffer> {
    return this.#sender.takeOutput();
  }

  /**
   * Client: opens a stream.
   *
   * @param block request head from `encodeStateless`, pseudo-header fields first
   */
  request(block: Uint8Array, endStream: boolean): Http2Stream {
    const stream = this.#streams.open(this.#nextStreamId, BLANK_BLOCK);
    this.#nextStreamId += 2;
    stream.headSent = true;
    this.#sender.sendHeaders(stream, block, endStream);
    return stream;
  }

  /** Sends a ping of eight zero bytes, as a sign of life. */
  ping(): void {
    if (this.#closed) return;
    writePing(this.#sender.out, false, new Uint8Array(8));
    this.#sender.touched();
  }

  /** Refuses new streams and ends the connection once the open ones are done. */
  shutdown(): void {
    if (this.#closed || this.#draining) return;
    this.#draining = true;
    const lastStreamId = this.#isServer ? MAX_WINDOW : 0;
    const goAway = { lastStreamId, code: ErrorCode.noError, debug: "" };
    writeGoAway(this.#sender.out, goAway);
    if (this.#isServer) writePing(this.#sender.out, false, SHUTDOWN_PING);
    this.#sender.touched();
    this.#closeIfDrained();
  }

  /** The socket is gone: every stream is told. */
  disconnected(): void {
    this.#close({ code: ErrorCode.cancel, detail: "connection lost", byPeer: true });
  }

  /** Ends the connection with GOAWAY; open streams are told. */
  fail(code: ErrorCode, detail: string): void {
    if (this.#closed) return;
    const lastStreamId = this.#isServer ? this.#highestPeerStream : 0;
    writeGoAway(this.#sender.out, { lastStreamId, code, debug: detail });
    this.#sender.touched();
    this.#close({ code, detail, byPeer: false });
  }

  /** Takes what the socket read; the slice may be reused after the call. */
  receive(bytes: Uint8Array): void {
    if (this.#closed) return;
    this.#parser.receive(bytes);
  }

  #frame(bytes: Uint8Array, frame: FrameView): void {
    const { type, streamId } = frame;
    if (this.#block.streamId !== 0) {
      if (type !== FrameType.continuation || streamId !== this.#block.streamId) {
        return this.fail(ErrorCode.protocolError, "header block interrupted");
      }
    } else if (!this.#settingsSeen && type !== FrameType.settings) {
      return this.fail(ErrorCode.protocolError, "the first frame must be SETTINGS");
    }
    switch (type) {
      case FrameType.data:
        return this.#onData(bytes, frame);
      case FrameType.headers:
        return this.#onHeaders(bytes, frame);
      case FrameType.priority:
        if (streamId === 0) return this.fail(ErrorCode.protocolError, "PRIORITY on stream 0");
        if (frame.end - frame.start === 5) return this.#spend(1, "PRIORITY");
        return this.fail(ErrorCode.frameSizeError, "PRIORITY length");
      case FrameType.rstStream:
        return this.#onReset(bytes, frame);
      case FrameType.settings:
        return this.#onSettings(bytes, frame);
      case FrameType.pushPromise:
        return this.fail(ErrorCode.protocolError, "PUSH_PROMISE is not enabled");
      case FrameType.ping:
        return this.#onPing(bytes, frame);
      case FrameType.goAway:
        return this.#onGoAway(bytes, frame);
      case FrameType.windowUpdate:
        return this.#onWindowUpdate(bytes, frame);
      case FrameType.continuation:
        return this.#onContinuation(bytes, frame);
      default:
        return this.#spend(1, "unknown frames");
    }
  }

  /** Charges the peer for a frame that asks for work and carries none. */
  #spend(cost: number, what: string): void {
    if (!this.#flood.spend(cost)) this.fail(ErrorCode.enhanceYourCalm, `too many ${what}`);
  }

  // -- DATA ------------------------------------------------------------------

  #onData(bytes: Uint8Array, frame: FrameView): void {
    const { streamId } = frame;
    if (this.#isIdle(streamId)) return this.fail(ErrorCode.protocolError, "DATA on an idle stream");
    const length = frame.end - frame.start;
    if (!this.#credit(length)) return;
    const brief = this.#streams.briefHead(streamId);
    if (brief !== null && completesBrief(brief, bytes, frame)) {
      return this.#streams.runBrief(streamId, brief, bytes, frame);
    }
    if (!dropPadding(bytes, frame)) return this.fail(ErrorCode.protocolError, TOO_PADDED);
    const ends = (frame.flags & Flag.endStream) !== 0;
    if (frame.end === frame.start && !ends) this.#spend(1, "empty DATA frames");
    const stream = this.#streams.get(streamId);
    if (stream?.remoteClosed) return this.#streams.kill(stream, ErrorCode.streamClosed);
    if (stream === undefined) {
      if (this.#streams.wasReset(streamId)) return;
      this.#streams.refuse(streamId, ErrorCode.streamClosed);
      return this.#spend(1, "DATA frames on closed streams");
    }
    stream.receiveWindow -= length;
    if (stream.receiveWindow < 0) return this.#streams.kill(stream, ErrorCode.flowControlError);
    this.#streams.deliver(stream, bytes, { start: frame.start, end: frame.end, length, ends });
  }

  /** Counts a DATA frame against the connection's window. @returns false when it is exceeded */
  #credit(length: number): boolean {
    if (!this.#receiveWindow.take(length)) {
      this.fail(ErrorCode.flowControlError, "connection window exceeded");
      return false;
    }
    const credit = this.#receiveWindow.due();
    if (credit > 0) {
      writeWindowUpdate(this.#sender.out, 0, credit);
      this.#sender.touched();
    }
    return true;
  }

  // -- HEADERS and CONTINUATION -----------------------------------------------

  #onHeaders(bytes: Uint8Array, frame: FrameView): void {
    const { streamId } = frame;
    if (streamId === 0) return this.fail(ErrorCode.protocolError, "HEADERS on stream 0");
    if (!dropPadding(bytes, frame)) return this.fail(ErrorCode.protocolError, TOO_PADDED);
    if ((frame.flags & Flag.priority) !== 0) frame.start += 5;
    if (frame.start > frame.end) {
      return this.fail(ErrorCode.frameSizeError, "HEADERS too short for its priority");
    }
    if (this.#isServer ? (streamId & 1) === 0 : this.#isIdle(streamId)) {
      return this.fail(ErrorCode.protocolError, "HEADERS on a stream the peer may not open");
    }
    const ends = (frame.flags & Flag.endStream) !== 0;
    if ((frame.flags & Flag.endHeaders) !== 0) {
      return this.#onBlock(bytes, { start: frame.start, end: frame.end, streamId, ends });
    }
    this.#block.begin(bytes.subarray(frame.start, frame.end), { streamId, endsStream: ends });
  }

  #onContinuation(bytes: Uint8Array, frame: FrameView): void {
    const { streamId, endsStream: ends } = this.#block;
    if (streamId === 0) return this.fail(ErrorCode.protocolError, "CONTINUATION without HEADERS");
    if (!this.#block.add(bytes.subarray(frame.start, frame.end))) {
      return this.fail(ErrorCode.enhanceYourCalm, "header block too long");
    }
    if ((frame.flags & Flag.endHeaders) === 0) return;
    const whole = this.#block.finish();
    this.#onBlock(whole, { start: 0, end: whole.length, streamId, ends });
  }

  #onBlock(bytes: Uint8Array, block: BlockView): void {
    const decoded = this.#decoder.decode(bytes, block.start, block.end);
    if (decoded === null) return this.fail(ErrorCode.compressionError, "header block undecodable");
    const stream = this.#streams.get(block.streamId);
    if (stream !== undefined) return this.#onLaterBlock(stream, decoded, block.ends);
    if (this.#streams.wasReset(block.streamId)) return;
    if (!this.#isServer) return;
    if (block.streamId <= this.#highestPeerStream) {
      return this.fail(ErrorCode.streamClosed, "HEADERS on a closed stream");
    }
    this.#highestPeerStream = block.streamId;
    if (this.#refusesNew) return;
    this.#openFromPeer(decoded, block);
  }

  #openFromPeer(decoded: DecodedFields, block: BlockView): void {
    if (this.#streams.size >= this.#maxStreams) {
      this.#streams.refuse(block.streamId, ErrorCode.refusedStream);
      return this.#spend(1, "streams beyond the limit");
    }
    const headers = decoded.tooLarge ? BLANK_BLOCK : this.#blocks.parse(decoded, "request");
    if (headers === null) return this.#streams.refuse(block.streamId, ErrorCode.protocolError);
    const brief = block.ends || decoded.tooLarge ? null : this.#brief.of(headers);
    if (brief !== null) return this.#streams.openBrief(block.streamId, brief);
    const stream = this.#streams.open(block.streamId, headers);
    stream.headReceived = true;
    if (decoded.tooLarge) {
      this.#options.onRefused?.("header list too long");
      stream.respond(431, [], true);
      return this.#streams.kill(stream, ErrorCode.noError);
    }
    if (block.ends && headers.contentLength > 0) {
      return this.#streams.kill(stream, ErrorCode.protocolError);
    }
    stream.remoteClosed = block.ends;
    this.#options.onStream?.(stream);
    if (block.ends) this.#streams.remoteEnd(stream);
  }

  /** A response's head, an interim response, or trailers. */
  #onLaterBlock(stream: Http2Stream, decoded: DecodedFields, ends: boolean): void {
    if (stream.remoteClosed) return this.#streams.kill(stream, ErrorCode.streamClosed);
    if (decoded.tooLarge) return this.#streams.kill(stream, ErrorCode.enhanceYourCalm);
    if (stream.headReceived) {
      const trailers = ends ? this.#blocks.parse(decoded, "trailers") : null;
      if (trailers === null) return this.#streams.kill(stream, ErrorCode.protocolError);
      const declared = stream.headers.contentLength;
      if (declared >= 0 && declared !== stream.receivedBytes) {
        return this.#streams.kill(stream, ErrorCode.protocolError);
      }
      stream.trailers = trailers;
      return this.#streams.remoteEnd(stream);
    }
    const head = this.#blocks.parse(decoded, "response");
    if (head === null) return this.#streams.kill(stream, ErrorCode.protocolError);
    if (head.status < 200) {
      return ends ? this.#streams.kill(stream, ErrorCode.protocolError) : undefined;
    }
    stream.headReceived = true;
    stream.headers = head;
    stream.remoteClosed = ends;
    stream.onHeaders(head);
    if (ends) this.#streams.remoteEnd(stream);
  }

  // -- control frames ----------------------------------------------------------

  #onSettings(bytes: Uint8Array, frame: FrameView): void {
    const length = frame.end - frame.start;
    if (frame.streamId !== 0) return this.fail(ErrorCode.protocolError, "SETTINGS on a stream");
    if ((frame.flags & Flag.ack) !== 0) {
      if (length !== 0) this.fail(ErrorCode.frameSizeError, "SETTINGS ACK with a payload");
      return;
    }
    if (length % 6 !== 0) return this.fail(ErrorCode.frameSizeError, "SETTINGS length");
    if (this.#settingsSeen) this.#spend(1, "SETTINGS");
    this.#settingsSeen = true;
    const payload = bytes.subarray(frame.start, frame.end);
    const error = this.#peer.apply(payload, this.#streams.values());
    if (error !== null) return this.fail(error.code, error.detail);
    writeSettingsAck(this.#sender.out);
    this.#sender.touched();
  }

  #onPing(bytes: Uint8Array, frame: FrameView): void {
    if (frame.streamId !== 0) return this.fail(ErrorCode.protocolError, "PING on a stream");
    if (frame.end - frame.start !== 8) return this.fail(ErrorCode.frameSizeError, "PING length");
    if ((frame.flags & Flag.ack) === 0) {
      writePing(this.#sender.out, true, bytes, frame.start);
      this.#sender.touched();
      return this.#spend(1, "PING");
    }
    this.#options.onPong?.();
    if (!this.#draining || this.#refusesNew || !this.#isServer) return;
    for (let i = 0; i < 8; i++) if (bytes[frame.start + i] !== SHUTDOWN_PING[i]) return;
    // The peer has seen the first GOAWAY: now name the last stream that is served.
    this.#refusesNew = true;
    const lastStreamId = this.#highestPeerStream;
    writeGoAway(this.#sender.out, { lastStreamId, code: ErrorCode.noError, debug: "" });
    this.#sender.touched();
    this.#closeIfDrained();
  }

  #onGoAway(bytes: Uint8Array, frame: FrameView): void {
    if (frame.streamId !== 0) return this.fail(ErrorCode.protocolError, "GOAWAY on a stream");
    if (frame.end - frame.start < 8) return this.fail(ErrorCode.frameSizeError, "GOAWAY length");
    const lastStreamId = readUint31(bytes, frame.start);
    const code = readUint32(bytes, frame.start + 4) as ErrorCode;
    if (this.#isServer) {
      if (code !== ErrorCode.noError) this.#close({ code, detail: "GOAWAY", byPeer: true });
      return;
    }
    this.#goAwayReceived = true;
    this.#options.onGoAway?.(lastStreamId);
    this.#streams.loseAbove(lastStreamId, ErrorCode.refusedStream);
    this.#closeIfDrained();
  }

  #onReset(bytes: Uint8Array, frame: FrameView): void {
    const { streamId } = frame;
    if (frame.end - frame.start !== 4) {
      return this.fail(ErrorCode.frameSizeError, "RST_STREAM length");
    }
    if (this.#isIdle(streamId)) {
      return this.fail(ErrorCode.protocolError, "RST_STREAM on an idle stream");
    }
    const stream = this.#streams.get(streamId);
    if (stream !== undefined) {
      this.#streams.lose(stream, readUint32(bytes, frame.start) as ErrorCode);
    }
    if (this.#isServer) this.#spend(1, "RST_STREAM");
  }

  #onWindowUpdate(bytes: Uint8Array, frame: FrameView): void {
    const { streamId } = frame;
    if (frame.end - frame.start !== 4) {
      return this.fail(ErrorCode.frameSizeError, "WINDOW_UPDATE length");
    }
    const increment = readUint31(bytes, frame.start);
    if (streamId === 0) {
      if (increment === 0) return this.fail(ErrorCode.protocolError, "WINDOW_UPDATE of 0");
      if (!this.#sender.openWindow(increment)) {
        this.fail(ErrorCode.flowControlError, "connection window overflow");
      }
      return this.#sender.touched();
    }
    if (this.#isIdle(streamId)) {
      return this.fail(ErrorCode.protocolError, "WINDOW_UPDATE on an idle stream");
    }
    const stream = this.#streams.get(streamId);
    if (stream === undefined) return;
    if (increment === 0) return this.#streams.kill(stream, ErrorCode.protocolError);
    if (!this.#sender.openStreamWindow(stream, increment)) {
      return this.#streams.kill(stream, ErrorCode.flowControlError);
    }
    this.#sender.touched();
  }

  /** Whether a stream was never opened; no stream of a server's own ever is. */
  #isIdle(streamId: number): boolean {
    if ((streamId & 1) === 0) return true;
    return this.#isServer ? streamId > this.#highestPeerStream : streamId >= this.#nextStreamId;
  }

  #closeIfDrained(): void {
    if (this.#streams.size > 0 || this.#closed) return;
    const over = this.#isServer ? this.#refusesNew : this.#draining || this.#goAwayReceived;
    if (over) this.#close({ code: ErrorCode.noError, detail: "", byPeer: this.#goAwayReceived });
  }

  #close(reason: CloseReason): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#streams.loseAbove(-1, reason.code);
    this.#options.onClosing(reason);
  }
}
