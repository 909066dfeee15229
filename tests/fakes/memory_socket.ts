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
  #early: Uint8Array[] = [];
  closed = false;

  start(onRead: (bytes: Uint8Array) => void | Promise<void>, onEnd: () => void): void {
    this.#onRead = onRead;
    this.#onEnd = onEnd;
    for (const bytes of this.#early.splice(0)) void onRead(bytes);
  }

  async write(bytes: Uint8Array): Promise<void> {
    const copy = bytes.slice();
    await Promise.resolve();
    if (this.closed || this.other === null || this.other.closed) throw new Error("socket closed");
    this.other.#take(copy);
  }

  #take(bytes: Uint8Array): void {
    if (this.#onRead === null) this.#early.push(bytes);
    else void this.#onRead(bytes);
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
