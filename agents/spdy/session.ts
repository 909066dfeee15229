/**
 * One SPDY/3.1 connection: many streams over one link, from either end.
 * In: a link's bytes. Out: streams with their headers, readable and writable.
 * Never: speaks HTTP on a stream. Waits for no WINDOW_UPDATE: the peers of this protocol send
 * none, so what holds a sender back is the link itself, and a reader that does not read holds the
 * link. Errors: a broken link or frame ends every stream.
 * Source: SPDY draft 3.1; the behaviour of Kubernetes' clients (apimachinery util/httpstream).
 */
import {
  FLAG_FIN,
  formatControl,
  formatData,
  formatGoAway,
  formatReset,
  formatSynReply,
  formatSynStream,
  type Frame,
  FrameReader,
  GOAWAY,
  PING,
  RST_CANCEL,
  RST_INVALID_STREAM,
  RST_PROTOCOL_ERROR,
  RST_REFUSED_STREAM,
  RST_STREAM,
  SpdyError,
  streamIdOf,
  SYN_REPLY,
  SYN_STREAM,
} from "./frames.ts";
import { HeaderReader, type Headers, HeaderWriter } from "./header_block.ts";

/** Where the bytes go and come from. */
export interface Link {
  /** Ends when the peer goes. */
  readonly incoming: AsyncIterable<Uint8Array>;
  /** Resolves when there is room for more. */
  write(bytes: Uint8Array): Promise<void>;
  close(): void;
}

export interface SpdyStream {
  readonly id: number;
  readonly headers: Headers;
  readonly readable: ReadableStream<Uint8Array>;
  /** Closing it ends this side of the stream. */
  readonly writable: WritableStream<Uint8Array>;
  /** Ends both sides at once. */
  reset(): void;
}

export interface SessionOptions {
  readonly link: Link;
  readonly side: "server" | "client";
  /** A stream that the peer opened. @returns false to refuse it */
  readonly onStream: (stream: SpdyStream) => boolean;
}

/** Unread bytes of one stream at which the link is held. */
const HIGH_WATER_BYTES = 256 * 1024;
const MAX_STREAMS = 1000;
/** Largest payload of one data frame that is sent. */
const DATA_BYTES = 32 * 1024;
const NO_HEADERS: Headers = new Map();

export class SpdySession {
  readonly #options: SessionOptions;
  readonly #streams = new Map<number, Stream>();
  readonly #reader = new HeaderReader();
  readonly #writer = new HeaderWriter();
  #nextId: number;
  #lastPeerId = 0;
  #isClosed = false;
  /** Resolves when the link has ended. */
  readonly done: Promise<void>;

  constructor(options: SessionOptions) {
    this.#options = options;
    this.#nextId = options.side === "client" ? 1 : 2;
    this.done = this.#run();
  }

  /** Opens a stream to the peer. */
  open(headers: Headers): SpdyStream {
    const id = this.#nextId;
    this.#nextId += 2;
    const stream = this.#add(id, headers);
    this.#post(formatSynStream(id, this.#writer.write(headers)));
    return stream;
  }

  /** Ends every stream and the link. */
  close(): void {
    if (this.#isClosed) return;
    this.#post(formatGoAway(this.#lastPeerId, 0));
    this.#end(null);
  }

  async #run(): Promise<void> {
    const frames = new FrameReader();
    try {
      for await (const bytes of this.#options.link.incoming) {
        for (const frame of frames.push(bytes)) await this.#take(frame);
        if (this.#isClosed) break;
      }
      this.#end(null);
    } catch (error) {
      this.#end(error instanceof Error ? error : new Error(String(error)));
    }
  }

  #end(error: Error | null): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const stream of this.#streams.values()) stream.break(error);
    this.#streams.clear();
    this.#reader.close();
    this.#options.link.close();
  }

  async #take(frame: Frame): Promise<void> {
    if (frame.kind === "data") return await this.#takeData(frame);
    const { type, payload } = frame;
    switch (type) {
      case SYN_STREAM:
        return await this.#takeStream(frame.flags, payload);
      case SYN_REPLY:
        // Its headers have to be read: they are part of one compressed stream.
        return void await this.#reader.read(payload.subarray(4));
      case RST_STREAM: {
        const id = streamIdOf(payload);
        this.#streams.get(id)?.break(new Error("the peer reset the stream"));
        this.#streams.delete(id);
        return;
      }
      case PING:
        return await this.#takePing(payload);
      case GOAWAY:
        if (this.#streams.size === 0) this.#end(null);
        return;
      default:
        // SETTINGS, HEADERS and WINDOW_UPDATE ask for nothing that is done here.
        return;
    }
  }

  async #takeStream(flags: number, payload: Uint8Array): Promise<void> {
    const id = streamIdOf(payload);
    if (payload.length < 10) throw new SpdyError("SYN_STREAM ends early");
    const headers = await this.#reader.read(payload.subarray(10));
    const isOwn = (id % 2 === 1) === (this.#options.side === "client");
    if (isOwn || id <= this.#lastPeerId) {
      return await this.#send(formatReset(id, RST_PROTOCOL_ERROR));
    }
    this.#lastPeerId = id;
    if (this.#streams.size >= MAX_STREAMS) {
      return await this.#send(formatReset(id, RST_REFUSED_STREAM));
    }
    const stream = this.#add(id, headers);
    if (!this.#options.onStream(stream)) {
      this.#streams.delete(id);
      return await this.#send(formatReset(id, RST_REFUSED_STREAM));
    }
    await this.#send(formatSynReply(id, this.#writer.write(NO_HEADERS)));
    if (flags & FLAG_FIN) this.#finish(stream);
  }

  async #takeData(frame: Extract<Frame, { kind: "data" }>): Promise<void> {
    const stream = this.#streams.get(frame.streamId);
    if (stream === undefined) {
      return await this.#send(formatReset(frame.streamId, RST_INVALID_STREAM));
    }
    if (frame.payload.length > 0) await stream.push(frame.payload);
    if (frame.fin) this.#finish(stream);
  }

  async #takePing(payload: Uint8Array): Promise<void> {
    const isOwn = (streamIdOf(payload) % 2 === 1) === (this.#options.side === "client");
    if (!isOwn) await this.#send(formatControl(PING, 0, payload));
  }

  #finish(stream: Stream): void {
    stream.finish();
    if (stream.isOver) this.#streams.delete(stream.id);
  }

  #add(id: number, headers: Headers): Stream {
    const stream = new Stream(id, headers, {
      send: async (payload, fin) => {
        await this.#send(formatData(id, payload, fin));
        if (fin && stream.isOver) this.#streams.delete(id);
      },
      reset: () => {
        if (!this.#streams.delete(id)) return;
        this.#post(formatReset(id, RST_CANCEL));
      },
    });
    this.#streams.set(id, stream);
    return stream;
  }

  /** Sends what nobody waits for; a link that is gone ends the session elsewhere. */
  #post(bytes: Uint8Array): void {
    this.#send(bytes).catch(() => {});
  }

  async #send(bytes: Uint8Array): Promise<void> {
    if (this.#isClosed) throw new SpdyError("the connection is closed");
    await this.#options.link.write(bytes);
  }
}

interface StreamPort {
  readonly send: (payload: Uint8Array, fin: boolean) => Promise<void>;
  readonly reset: () => void;
}

const NOTHING = new Uint8Array(0);

class Stream implements SpdyStream {
  readonly readable: ReadableStream<Uint8Array>;
  readonly writable: WritableStream<Uint8Array>;
  readonly #port: StreamPort;
  #incoming!: ReadableStreamDefaultController<Uint8Array>;
  #outgoing!: WritableStreamDefaultController;
  #hasRead = false;
  #hasWritten = false;
  #room: (() => void) | null = null;

  constructor(readonly id: number, readonly headers: Headers, port: StreamPort) {
    this.#port = port;
    this.readable = new ReadableStream({
      start: (controller) => void (this.#incoming = controller),
      pull: () => this.#room?.(),
      cancel: () => {
        this.#hasRead = true;
        this.#room?.();
      },
    }, { highWaterMark: HIGH_WATER_BYTES, size: (chunk) => chunk.length });
    this.writable = new WritableStream({
      start: (controller) => void (this.#outgoing = controller),
      write: (chunk) => this.#write(chunk),
      close: () => {
        this.#hasWritten = true;
        return port.send(NOTHING, true);
      },
      abort: () => this.reset(),
    });
  }

  /** Both sides have ended. */
  get isOver(): boolean {
    return this.#hasRead && this.#hasWritten;
  }

  /** Takes data in; resolves when there is room for more. */
  push(payload: Uint8Array): Promise<void> | void {
    if (this.#hasRead) return;
    this.#incoming.enqueue(payload);
    if ((this.#incoming.desiredSize ?? 1) > 0) return;
    return new Promise((resolve) => {
      this.#room = () => {
        this.#room = null;
        resolve();
      };
    });
  }

  /** The peer has said everything. */
  finish(): void {
    if (this.#hasRead) return;
    this.#hasRead = true;
    this.#incoming.close();
  }

  reset(): void {
    this.#port.reset();
    this.break(new Error("the stream was reset"));
  }

  /** Ends both sides; without an error the reader sees an end. */
  break(error: Error | null): void {
    if (!this.#hasRead) {
      this.#hasRead = true;
      if (error === null) this.#incoming.close();
      else this.#incoming.error(error);
    }
    this.#room?.();
    if (this.#hasWritten) return;
    this.#hasWritten = true;
    this.#outgoing.error(error ?? new Error("the connection is closed"));
  }

  async #write(chunk: Uint8Array): Promise<void> {
    for (let at = 0; at < chunk.length; at += DATA_BYTES) {
      await this.#port.send(chunk.subarray(at, at + DATA_BYTES), false);
    }
  }
}
