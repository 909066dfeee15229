/**
 * A client so thin that the server is what limits: HTTP/2 streams of gRPC messages on plain TCP.
 * In: a port, a method's path, messages. Out: the payload of each DATA frame as it arrives.
 * Never: waits for the server's windows; `window` tells what the connection still takes.
 * Source: RFC 9113 section 4; what it grants its server lasts for 2 GiB a connection.
 */
import {
  CLIENT_PREFACE,
  DEFAULT_WINDOW,
  Flag,
  FrameType,
  MAX_WINDOW,
  OutputBuffer,
  readUint24,
  readUint31,
  Setting,
  writeFrameHeader,
  writeHeaders,
  writePing,
  writeSettings,
  writeSettingsAck,
  writeWindowUpdate,
} from "../store/wire/http2/frames.ts";
import { encodeStateless } from "../store/wire/http2/hpack.ts";
import { PREFIX_BYTES, writePrefix } from "../store/wire/grpc/framing.ts";

const READ_BYTES = 256 * 1024;

/** Called with one gRPC message `bytes[start, end)`, valid during the call. */
export type OnMessage = (bytes: Uint8Array, start: number, end: number, streamId: number) => void;

export class RawClient {
  readonly #conn: Deno.Conn;
  readonly #onMessage: OnMessage;
  readonly #out = new OutputBuffer(64 * 1024);
  readonly #head: Uint8Array;
  #carry: Uint8Array = new Uint8Array(0);
  /** Messages that a frame cut, by stream. */
  readonly #partial = new Map<number, Uint8Array>();
  #nextStream = 1;
  #flushing = false;
  /** Bytes of messages that the server takes on this connection before it grants more. */
  window = DEFAULT_WINDOW;
  /** A stream's last frame came, or its reset. */
  onEnd: (streamId: number) => void = () => {};

  private constructor(conn: Deno.Conn, head: Uint8Array, onMessage: OnMessage) {
    this.#conn = conn;
    this.#head = head;
    this.#onMessage = onMessage;
  }

  static async connect(port: number, path: string, onMessage: OnMessage): Promise<RawClient> {
    const conn = await Deno.connect({ hostname: "127.0.0.1", port });
    conn.setNoDelay(true);
    const head = encodeStateless([
      ...[":method", "POST", ":scheme", "http", ":path", path, ":authority", "bench"],
      ...["content-type", "application/grpc", "te", "trailers"],
    ]);
    const client = new RawClient(conn, head, onMessage);
    client.#out.append(CLIENT_PREFACE);
    writeSettings(client.#out, [[Setting.initialWindowSize, MAX_WINDOW]]);
    writeWindowUpdate(client.#out, 0, MAX_WINDOW - DEFAULT_WINDOW);
    client.flush();
    void client.#readLoop();
    return client;
  }

  /** @returns the id of a new stream */
  open(): number {
    const id = this.#nextStream;
    this.#nextStream += 2;
    writeHeaders(this.#out, this.#head, id, { endStream: false, maxFrameSize: 16384 });
    return id;
  }

  /** Opens a stream for one message. @returns its id */
  call(message: Uint8Array): number {
    const id = this.open();
    this.send(id, message, Flag.endStream);
    return id;
  }

  send(streamId: number, message: Uint8Array, flags = 0): void {
    const length = PREFIX_BYTES + message.length;
    this.window -= length;
    writeFrameHeader(this.#out, length, FrameType.data, flags, streamId);
    this.#out.reserve(length);
    writePrefix(this.#out.bytes, this.#out.length, message.length);
    this.#out.length += PREFIX_BYTES;
    this.#out.append(message);
  }

  /** Writes what was gathered, once for all that a read brought. */
  flush(): void {
    if (this.#flushing || this.#out.length === 0) return;
    this.#flushing = true;
    const bytes = this.#out.copy();
    this.#out.length = 0;
    void this.#write(bytes).then(() => {
      this.#flushing = false;
      this.flush();
    }, () => {});
  }

  close(): void {
    this.#conn.close();
  }

  async #write(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length;) at += await this.#conn.write(bytes.subarray(at));
  }

  async #readLoop(): Promise<void> {
    const buffer = new Uint8Array(READ_BYTES);
    try {
      for (;;) {
        const count = await this.#conn.read(buffer);
        if (count === null) return;
        this.#take(buffer.subarray(0, count));
        this.flush();
      }
    } catch {
      // Closed by `close`.
    }
  }

  #take(read: Uint8Array): void {
    let bytes = read;
    if (this.#carry.length > 0) {
      bytes = new Uint8Array(this.#carry.length + read.length);
      bytes.set(this.#carry);
      bytes.set(read, this.#carry.length);
    }
    let at = 0;
    while (bytes.length - at >= 9) {
      const end = at + 9 + readUint24(bytes, at);
      if (end > bytes.length) break;
      this.#frame(bytes, at, end);
      at = end;
    }
    this.#carry = bytes.slice(at);
  }

  #frame(bytes: Uint8Array, at: number, end: number): void {
    const isAck = (bytes[at + 4] & 1) !== 0;
    switch (bytes[at + 3]) {
      case FrameType.data:
        return this.#data(bytes, { start: at + 9, end, id: readUint31(bytes, at + 5) });
      case FrameType.headers:
        if ((bytes[at + 4] & Flag.endStream) !== 0) this.onEnd(readUint31(bytes, at + 5));
        return;
      case FrameType.rstStream:
        return this.onEnd(readUint31(bytes, at + 5));
      case FrameType.windowUpdate:
        if (readUint31(bytes, at + 5) === 0) this.window += readUint31(bytes, at + 9);
        return;
      case FrameType.settings:
        return isAck ? undefined : writeSettingsAck(this.#out);
      case FrameType.ping:
        return isAck ? undefined : writePing(this.#out, true, bytes, at + 9);
    }
  }

  #data(
    frame: Uint8Array,
    { start, end, id }: { readonly start: number; readonly end: number; readonly id: number },
  ): void {
    let bytes = frame;
    let at = start;
    let stop = end;
    const held = this.#partial.get(id);
    if (held !== undefined) {
      bytes = new Uint8Array(held.length + end - start);
      bytes.set(held);
      bytes.set(frame.subarray(start, end), held.length);
      at = 0;
      stop = bytes.length;
      this.#partial.delete(id);
    }
    while (stop - at >= PREFIX_BYTES) {
      const next = at + PREFIX_BYTES + readUint24(bytes, at + 2);
      if (next > stop) break;
      this.#onMessage(bytes, at + PREFIX_BYTES, next, id);
      at = next;
    }
    if (at < stop) this.#partial.set(id, bytes.slice(at, stop));
  }
}
