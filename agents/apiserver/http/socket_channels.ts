/**
 * The channels of one WebSocket: each frame begins with the number of the channel it belongs to.
 * In: a WebSocket. Out: streams to write to and to read from, by channel.
 * Never: buffers without bound. Source: the channel.k8s.io protocols of apimachinery's wsstream.
 */
// @ts-types="@types/ws"
import type { WebSocket } from "ws";

const HIGH_BYTES = 256 * 1024;

/** Sends one frame: the channel's number and what goes over it. */
export function send(
  socket: WebSocket,
  channel: number,
  payload: Uint8Array,
  done: (error?: Error | null) => void,
): void {
  const frame = new Uint8Array(payload.length + 1);
  frame[0] = channel;
  frame.set(payload, 1);
  socket.send(frame, { binary: true }, done);
}

/** One channel as a stream to write to; a socket that is slow holds the writer back. */
export function outputTo(socket: WebSocket, channel: number): WritableStream<Uint8Array> {
  return new WritableStream({
    write: (chunk) =>
      new Promise((resolve, reject) => {
        send(socket, channel, chunk, (error) => error ? reject(error) : resolve());
      }),
  });
}

/** What comes in by one channel; the socket is paused where nobody reads it. */
export class SocketInput {
  readonly readable: ReadableStream<Uint8Array>;
  #controller!: ReadableStreamDefaultController<Uint8Array>;
  #isEnded = false;
  readonly #socket: WebSocket;

  constructor(socket: WebSocket) {
    this.#socket = socket;
    this.readable = new ReadableStream({
      start: (controller) => void (this.#controller = controller),
      pull: () => socket.resume(),
      cancel: () => {
        this.#isEnded = true;
        socket.resume();
      },
    }, { highWaterMark: HIGH_BYTES, size: (chunk) => chunk.length });
  }

  push(bytes: Uint8Array): void {
    if (this.#isEnded) return;
    this.#controller.enqueue(bytes.slice());
    if ((this.#controller.desiredSize ?? 0) <= 0) this.#socket.pause();
  }

  end(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#controller.close();
  }
}
