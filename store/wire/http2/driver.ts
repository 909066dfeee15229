/**
 * Couples one `Http2Connection` to one `ByteSocket`.
 * In: reads of the socket, output of the connection. Out: one write for all output of a turn.
 * While a read is parsed nothing is written; answers made later in the same turn (an apply loop
 * that completes a batch) are gathered until the microtask after it.
 * Never: reads on while the peer does not take what it is sent.
 */
import { Http2Connection } from "./connection.ts";
import type { CloseReason, ConnectionOptions } from "./connection_options.ts";
import type { ByteSocket } from "./socket.ts";

/** Reading stops while this much waits to be written. */
const CLOGGED_BYTES = 4 * 1024 * 1024;
/** A read is parsed in pieces of this size; where they take long, other work goes between. */
const PIECE_BYTES = 16 * 1024;
const TURN_MILLIS = 5;

export type DriverOptions = Omit<ConnectionOptions, "onOutput" | "onClosing"> & {
  /** The socket is closed and every stream was told. */
  readonly onClosed?: (reason: CloseReason) => void;
};

export class ConnectionDriver {
  readonly connection: Http2Connection;
  readonly #socket: ByteSocket;
  readonly #now: () => number;
  readonly #onClosed: (reason: CloseReason) => void;
  #writing = false;
  #scheduled = false;
  #reading = false;
  #reason: CloseReason | null = null;
  #socketClosed = false;
  #unclogged: (() => void) | null = null;

  constructor(socket: ByteSocket, options: DriverOptions) {
    this.#socket = socket;
    this.#now = options.now;
    this.#onClosed = options.onClosed ?? (() => {});
    this.connection = new Http2Connection({
      ...options,
      onOutput: () => this.#wake(),
      onClosing: (reason) => {
        this.#reason = reason;
        this.#wake();
      },
    });
  }

  /** Reads the socket from now on. */
  start(): void {
    this.#socket.start((bytes) => this.take(bytes), () => this.connection.disconnected());
    this.#wake();
  }

  /** Closes at once; streams are told. */
  destroy(): void {
    this.connection.disconnected();
    this.#closeSocket();
  }

  /**
   * Takes one read, from `start` or from whoever sniffed the protocol.
   * @returns when to read on, if not at once
   */
  take(bytes: Uint8Array): void | Promise<void> {
    const end = this.#now() + TURN_MILLIS;
    for (let at = 0; at < bytes.length;) {
      if (at > 0 && this.#now() >= end) return this.#takeLater(bytes.subarray(at));
      const piece = bytes.subarray(at, at + PIECE_BYTES);
      this.#reading = true;
      this.connection.receive(piece);
      this.#reading = false;
      this.#wake();
      at += piece.length;
    }
    if (this.connection.pendingBytes < CLOGGED_BYTES || this.#socketClosed) return;
    return new Promise((resolve) => this.#unclogged = resolve);
  }

  /** Lets the thread write, and look at its other sockets, before it reads on. */
  async #takeLater(bytes: Uint8Array): Promise<void> {
    // Immediates would run again and again before a socket is looked at.
    await new Promise<void>((resolve) => setTimeout(resolve, 0));
    await this.take(bytes);
  }

  #wake(): void {
    if (this.#scheduled || this.#writing || this.#reading) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      void this.#flush();
    });
  }

  async #flush(): Promise<void> {
    if (this.#writing || this.#socketClosed) return;
    this.#writing = true;
    try {
      for (;;) {
        const chunk = this.connection.takeOutput();
        if (chunk.length === 0) break;
        await this.#socket.write(chunk);
        if (this.connection.pendingBytes < CLOGGED_BYTES) this.#resumeReading();
      }
    } catch {
      // The peer is gone; nothing can be said to it any more.
      this.connection.disconnected();
      this.#closeSocket();
    } finally {
      this.#writing = false;
    }
    if (this.connection.closed) this.#closeSocket();
  }

  #resumeReading(): void {
    const resume = this.#unclogged;
    this.#unclogged = null;
    resume?.();
  }

  #closeSocket(): void {
    if (this.#socketClosed) return;
    this.#socketClosed = true;
    this.#resumeReading();
    this.#socket.close();
    if (this.#reason !== null) this.#onClosed(this.#reason);
  }
}
