/**
 * The connection this member dials to one other member.
 * In: messages, calls, snapshots to send. Out: frames; answers to calls; "unreachable".
 * Never: queues messages for a peer that is away (Raft repeats what matters), or more than a bound.
 */
import { Buffer } from "node:buffer";
import type { Socket } from "node:net";
import type { TlsFiles } from "../member/config.ts";
import type { Disk, Log, PeerHost, Timer } from "../ports.ts";
import type { Message } from "../raft/types.ts";
import {
  decodeMessagesTo,
  decodeNumber,
  encodeFrame,
  encodeHello,
  encodeMessages,
  encodeNumber,
  FRAME,
  FrameReader,
  MAX_BUFFERED_BYTES,
} from "./codec.ts";
import { OutgoingSnapshot } from "./snapshot_transfer.ts";
import { dial } from "./socket.ts";

const FIRST_BACKOFF_MILLIS = 50;
const MAX_BACKOFF_MILLIS = 2_000;
const CALL_TIMEOUT_MILLIS = 5_000;
/** A transfer that makes no progress for this long has failed. */
const SNAPSHOT_STALL_MILLIS = 30_000;

export interface OutboundParts {
  readonly id: bigint;
  readonly host: PeerHost;
  readonly tls: TlsFiles | null;
  readonly disk: Disk;
  readonly snapshotDirectory: string;
  readonly timer: Timer;
  readonly log: Log;
}

interface Transfer {
  readonly message: Message;
  readonly file: OutgoingSnapshot;
  stallAt: number;
}

export class Outbound {
  readonly #parts: OutboundParts;
  #urls: readonly string[];
  #attempt = 0;
  #socket: Socket | null = null;
  #connected = false;
  #closed = false;
  #stopRetry: () => void = () => {};
  #backoff = FIRST_BACKOFF_MILLIS;
  #nextCall = 1;
  readonly #calls = new Map<number, (answer: Uint8Array | null) => void>();
  #transfer: Transfer | null = null;

  constructor(parts: OutboundParts, urls: readonly string[]) {
    this.#parts = parts;
    this.#urls = urls;
    this.#connect();
  }

  setUrls(urls: readonly string[]): void {
    if (urls.join() === this.#urls.join()) return;
    this.#urls = urls;
    this.#socket?.destroy();
  }

  send(messages: readonly Message[]): void {
    const socket = this.#socket;
    if (socket === null || !this.#connected || socket.writableLength > MAX_BUFFERED_BYTES) {
      this.#parts.host.unreachable(this.#parts.id);
      return;
    }
    socket.write(encodeFrame(FRAME.messages, encodeMessages(messages)));
  }

  call(request: Uint8Array): Promise<Uint8Array | null> {
    if (this.#socket === null || !this.#connected) return Promise.resolve(null);
    const id = this.#nextCall++;
    const { promise, resolve } = Promise.withResolvers<Uint8Array | null>();
    const settle = (answer: Uint8Array | null) => {
      this.#calls.delete(id);
      stopTimer();
      resolve(answer);
    };
    const stopTimer = this.#parts.timer.after(CALL_TIMEOUT_MILLIS, () => settle(null));
    this.#calls.set(id, settle);
    this.#socket.write(encodeFrame(FRAME.call, encodeNumber(id), request));
    return promise;
  }

  /** Starts a transfer; one at a time. */
  sendSnapshot(message: Message): void {
    if (this.#transfer !== null || message.snapshot === null) return;
    const { disk, snapshotDirectory, timer, host, id, log } = this.#parts;
    try {
      const file = new OutgoingSnapshot(disk, snapshotDirectory, message.snapshot);
      this.#transfer = { message, file, stallAt: timer.now() + SNAPSHOT_STALL_MILLIS };
      this.#watchTransfer(this.#transfer);
      if (this.#connected) this.#beginTransfer();
    } catch (error) {
      log("error", "a snapshot can't be read for a follower", { detail: String(error) });
      timer.soon(() => host.snapshotSent(id, false));
    }
  }

  close(): void {
    this.#closed = true;
    this.#stopRetry();
    this.#socket?.destroy();
    this.#endTransfer(false);
  }

  #connect(): void {
    if (this.#closed || this.#urls.length === 0) return;
    const url = this.#urls[this.#attempt++ % this.#urls.length];
    const { host, id, tls, log } = this.#parts;
    const reader = new FrameReader((type, body) => this.#receive(type, body));
    try {
      const socket = dial(url, tls, () => {
        this.#connected = true;
        this.#backoff = FIRST_BACKOFF_MILLIS;
        const hello = { clusterId: host.clusterId, from: host.memberId, to: id };
        socket.write(encodeFrame(FRAME.hello, encodeHello(hello)));
        this.#beginTransfer();
      });
      this.#socket = socket;
      socket.on("data", (chunk: Buffer) => {
        if (!reader.push(chunk)) socket.destroy();
      });
      socket.on("error", (error: Error) => log("debug", "peer", { url, detail: error.message }));
      socket.on("close", () => this.#lost());
    } catch (error) {
      log("error", "a peer can't be dialled", { url, detail: String(error) });
      this.#lost();
    }
  }

  #lost(): void {
    this.#connected = false;
    this.#socket = null;
    for (const settle of [...this.#calls.values()]) settle(null);
    this.#parts.host.unreachable(this.#parts.id);
    if (this.#closed) return;
    this.#stopRetry = this.#parts.timer.after(this.#backoff, () => this.#connect());
    this.#backoff = Math.min(2 * this.#backoff, MAX_BACKOFF_MILLIS);
  }

  #receive(type: number, body: Uint8Array): void {
    switch (type) {
      case FRAME.messages: {
        const { host } = this.#parts;
        host.receive(decodeMessagesTo(host.memberId, body) ?? []);
        return;
      }
      case FRAME.answer: {
        const understood = body[8] === 1;
        this.#calls.get(decodeNumber(body))?.(understood ? body.subarray(9) : null);
        return;
      }
      case FRAME.snapshotHave:
        this.#transfer?.file.seek(decodeNumber(body));
        this.#streamTransfer();
        return;
      case FRAME.snapshotDone:
        this.#endTransfer(body[0] === 1);
        return;
      case FRAME.refused:
        this.#parts.log("warn", "a peer refuses this member", {
          reason: new TextDecoder().decode(body),
        });
        this.#backoff = MAX_BACKOFF_MILLIS;
    }
  }

  #beginTransfer(): void {
    if (this.#transfer === null) return;
    const { message, file } = this.#transfer;
    const size = encodeNumber(file.size);
    this.#socket?.write(encodeFrame(FRAME.snapshotBegin, size, encodeMessages([message])));
  }

  /** Writes chunks as fast as the socket drains. */
  #streamTransfer(): void {
    const transfer = this.#transfer;
    const socket = this.#socket;
    if (transfer === null || socket === null || !this.#connected) return;
    const chunk = transfer.file.next();
    transfer.stallAt = this.#parts.timer.now() + SNAPSHOT_STALL_MILLIS;
    if (chunk === null) {
      socket.write(encodeFrame(FRAME.snapshotEnd));
      return;
    }
    const frame = encodeFrame(FRAME.snapshotChunk, encodeNumber(chunk.offset), chunk.bytes);
    const goOn = () => this.#parts.timer.soon(() => this.#streamTransfer());
    if (socket.write(frame)) goOn();
    else socket.once("drain", goOn);
  }

  #watchTransfer(transfer: Transfer): void {
    const { timer } = this.#parts;
    timer.after(SNAPSHOT_STALL_MILLIS, () => {
      if (this.#transfer !== transfer) return;
      if (timer.now() >= transfer.stallAt) this.#endTransfer(false);
      else this.#watchTransfer(transfer);
    });
  }

  #endTransfer(ok: boolean): void {
    if (this.#transfer === null) return;
    this.#transfer.file.close();
    this.#transfer = null;
    this.#parts.host.snapshotSent(this.#parts.id, ok);
  }
}
