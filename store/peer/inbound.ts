/**
 * A connection another member dialled.
 * In: its frames. Out: Raft messages, answers to its calls, received snapshots.
 * Never: listens to another cluster, to a removed member, or to one that means somebody else.
 */
import type { Buffer } from "node:buffer";
import type { Socket } from "node:net";
import type { Disk, Log, PeerHost, Timer } from "../ports.ts";
import type { Message } from "../raft/types.ts";
import {
  decodeHello,
  decodeMessages,
  decodeMessagesTo,
  decodeNumber,
  encodeFrame,
  encodeMessages,
  encodeNumber,
  FRAME,
  FrameReader,
  MAX_BUFFERED_BYTES,
} from "./codec.ts";
import { IncomingSnapshot } from "./snapshot_transfer.ts";

export interface InboundParts {
  readonly host: PeerHost;
  readonly disk: Disk;
  readonly snapshotDirectory: string;
  readonly timer: Timer;
  readonly log: Log;
  /** Whether a member with this id left the cluster. */
  readonly isRemoved: (id: bigint) => boolean;
  /** The cluster for someone who wants to join. */
  readonly describe: () => Uint8Array;
}

export class Inbound {
  readonly #parts: InboundParts;
  readonly #socket: Socket;
  #peerId: bigint | null = null;
  #incoming: { file: IncomingSnapshot; message: Message } | null = null;

  constructor(parts: InboundParts, socket: Socket) {
    this.#parts = parts;
    this.#socket = socket;
    const reader = new FrameReader((type, body) => this.#receive(type, body));
    socket.setNoDelay(true);
    socket.on("data", (chunk: Buffer) => {
      if (!reader.push(chunk)) this.#refuse("no frames of a peer");
    });
    socket.on("error", () => socket.destroy());
    socket.on("close", () => this.#suspend());
  }

  /** Who dialled, null before it said so. */
  get peerId(): bigint | null {
    return this.#peerId;
  }

  /** Answers on the connection of a member whose address is not known here yet. */
  send(messages: readonly Message[]): void {
    if (this.#socket.writableLength > MAX_BUFFERED_BYTES) return;
    this.#socket.write(encodeFrame(FRAME.messages, encodeMessages(messages)));
  }

  close(): void {
    this.#socket.destroy();
  }

  #receive(type: number, body: Uint8Array): void {
    if (this.#peerId === null) return this.#greet(type, body);
    switch (type) {
      case FRAME.messages: {
        const { host } = this.#parts;
        const messages = decodeMessagesTo(host.memberId, body);
        if (messages === null) return this.#refuse("malformed messages");
        host.receive(messages);
        return;
      }
      case FRAME.call:
        void this.#answer(body);
        return;
      case FRAME.snapshotBegin:
        this.#guard(() => this.#beginSnapshot(body));
        return;
      case FRAME.snapshotChunk:
        this.#guard(() => {
          const fits = this.#incoming?.file.write(decodeNumber(body), body.subarray(8));
          if (fits === false) this.close();
        });
        return;
      case FRAME.snapshotEnd:
        void this.#endSnapshot();
        return;
      default:
        this.close();
    }
  }

  #greet(type: number, body: Uint8Array): void {
    const { host } = this.#parts;
    if (type === FRAME.describe) {
      this.#socket.end(encodeFrame(FRAME.describe, this.#parts.describe()));
      return;
    }
    const hello = type === FRAME.hello ? decodeHello(body) : null;
    if (hello === null) return this.#refuse("another protocol or version");
    if (hello.clusterId !== host.clusterId) return this.#refuse("another cluster's id");
    if (hello.to !== host.memberId) return this.#refuse("this is not the member that was meant");
    if (this.#parts.isRemoved(hello.from)) return this.#refuse("the member was removed");
    this.#peerId = hello.from;
  }

  #refuse(reason: string): void {
    const { remoteAddress, remotePort } = this.#socket;
    const address = `${remoteAddress}:${remotePort}`;
    this.#parts.log("warn", "a peer was refused", { reason, address });
    const frame = encodeFrame(FRAME.refused, new TextEncoder().encode(reason));
    this.#socket.end(frame, () => this.#socket.destroy());
  }

  async #answer(body: Uint8Array): Promise<void> {
    const id = encodeNumber(decodeNumber(body));
    const answer = await this.#parts.host.answer(body.subarray(8)).catch(() => null);
    if (this.#socket.destroyed) return;
    const understood = Uint8Array.of(answer === null ? 0 : 1);
    this.#socket.write(encodeFrame(FRAME.answer, id, understood, answer ?? new Uint8Array(0)));
  }

  #beginSnapshot(body: Uint8Array): void {
    const size = decodeNumber(body);
    const message = decodeMessages(body.subarray(8))?.[0];
    const meta = message?.snapshot;
    if (message === undefined || !meta || message.to !== this.#parts.host.memberId) {
      return this.close();
    }
    this.#suspend();
    const { disk, snapshotDirectory: directory } = this.#parts;
    const file = new IncomingSnapshot({ disk, directory, meta, size });
    this.#incoming = { file, message };
    this.#socket.write(encodeFrame(FRAME.snapshotHave, encodeNumber(file.received)));
  }

  async #endSnapshot(): Promise<void> {
    const incoming = this.#incoming;
    this.#incoming = null;
    if (incoming === null) return;
    let problem: string | null;
    try {
      problem = await incoming.file.finish(this.#parts.timer);
    } catch (error) {
      problem = String(error);
    }
    if (problem === null) this.#parts.host.receive([incoming.message]);
    else this.#parts.log("warn", "a received snapshot is unusable", { problem });
    if (this.#socket.destroyed) return;
    this.#socket.write(encodeFrame(FRAME.snapshotDone, Uint8Array.of(problem === null ? 1 : 0)));
  }

  /** A full or failing disk ends the transfer, not the member: nothing was promised yet. */
  #guard(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#parts.log("warn", "a snapshot can't be received", { detail: String(error) });
      this.#suspend();
      this.#socket.write(encodeFrame(FRAME.snapshotDone, Uint8Array.of(0)));
    }
  }

  #suspend(): void {
    this.#incoming?.file.suspend();
    this.#incoming = null;
  }
}
