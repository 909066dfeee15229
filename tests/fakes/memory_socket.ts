/**
 * Two `ByteSocket`s that feed each other, for tests without a network.
 * In: writes at one end. Out: reads at the other, each in a later microtask.
 * Never: loses or reorders bytes.
 */
import { type ByteSocket, plainPeer } from "../../store/wire/http2/socket.ts";

class MemoryEnd implements ByteSocket {
  readonly peer = plainPeer("memory");
  other: MemoryEnd | null = null;
  #onRead: ((bytes: Uint8Array) => void | Promise<void>) | null = null;
  #onEnd = () => {};
  /** Written and not yet read. */
  #waiting: Uint8Array[] = [];
  #isBusy = false;
  closed = false;

  start(onRead: (bytes: Uint8Array) => void | Promise<void>, onEnd: () => void): void {
    this.#onRead = onRead;
    this.#onEnd = onEnd;
    void this.#feed(onRead);
  }

  async write(bytes: Uint8Array): Promise<void> {
    const copy = bytes.slice();
    await Promise.resolve();
    if (this.closed || this.other === null || this.other.closed) throw new Error("socket closed");
    this.other.#take(copy);
  }

  #take(bytes: Uint8Array): void {
    this.#waiting.push(bytes);
    if (this.#onRead !== null) void this.#feed(this.#onRead);
  }

  /** Reads on once the reader is done with what it has. */
  async #feed(onRead: (bytes: Uint8Array) => void | Promise<void>): Promise<void> {
    if (this.#isBusy) return;
    this.#isBusy = true;
    while (this.#waiting.length > 0) {
      const busy = onRead(this.#waiting.shift()!);
      if (busy !== undefined) await busy;
    }
    this.#isBusy = false;
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    const { other } = this;
    queueMicrotask(() => {
      if (other === null || other.closed) return;
      other.#onEnd();
      other.close();
    });
  }
}

/** @returns both ends */
export function memorySocketPair(): [ByteSocket, ByteSocket] {
  const [a, b] = [new MemoryEnd(), new MemoryEnd()];
  a.other = b;
  b.other = a;
  return [a, b];
}
