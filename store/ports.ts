/**
 * Every effect of the store as an interface: disk, peers, time, randomness, log.
 * In: nothing. Out: types only; real ones live in `store/disk` and `store/wire`, fakes in
 * `tests/fakes`, simulated ones in `tests/sim`.
 * Never: hides an error; each method says what it throws.
 */
import type { TlsFiles } from "./member/config.ts";
import type { Message } from "./raft/types.ts";

/** An open file. Offsets and lengths in bytes. Every method throws the platform's error. */
export interface DiskFile {
  readonly path: string;
  size(): number;
  /** Reads up to `into.length` bytes at `offset`; returns how many. */
  readAt(offset: number, into: Uint8Array): number;
  /** Writes all of `bytes` at `offset`, or throws. */
  writeAt(offset: number, bytes: Uint8Array): void;
  /** Reserves space so that later writes change no metadata. */
  allocate(length: number): void;
  truncate(length: number): void;
  /**
   * fdatasync, off the thread unless the disk is quick and the file not `large`. A rejection means
   * the data may be lost: never retry.
   */
  sync(size?: "large"): Promise<void>;
  close(): void;
}

export interface Disk {
  /** Creates with mode 0600 when missing. */
  open(path: string, options: { create: boolean }): DiskFile;
  list(directory: string): string[];
  rename(from: string, to: string): void;
  remove(path: string): void;
  /** As `remove`, off the thread: giving back a large file's pages takes a while. */
  removeLarge(path: string): Promise<void>;
  makeDirectory(path: string): void;
  /** fsync of a directory, after create, rename or remove. */
  syncDirectory(path: string): Promise<void>;
  /** Bytes free for the store. */
  freeBytes(path: string): number;
  /**
   * Claims a directory for this process until the returned function is called or the process ends.
   * @returns null when a living process holds it
   */
  lock(directory: string): (() => void) | null;
}

/** Sends to other members; delivery is not promised, order per peer is. */
export interface Peers {
  send(messages: readonly Message[]): void;
  /** Transfers the snapshot that a `snapshot` message names; then `PeerHost.snapshotSent`. */
  sendSnapshot(message: Message): void;
  addPeer(id: bigint, urls: readonly string[]): void;
  removePeer(id: bigint): void;
  /** Asks another member something outside Raft. @returns its answer, or null without one */
  call(to: bigint, request: Uint8Array): Promise<Uint8Array | null>;
  close(): Promise<void>;
}

/** What a peer transport does to the member it belongs to. */
export interface PeerHost {
  readonly memberId: bigint;
  readonly clusterId: bigint;
  receive(messages: readonly Message[]): void;
  unreachable(id: bigint): void;
  /** The outcome of `Peers.sendSnapshot`. */
  snapshotSent(id: bigint, ok: boolean): void;
  /** Answers another member's `call`; null when the question is not understood. */
  answer(request: Uint8Array): Promise<Uint8Array | null>;
}

/** What a transport is given by the member it serves. */
export interface PeerConnection {
  readonly host: PeerHost;
  /** Empty: this member is alone and nobody can join it. */
  readonly listenUrls: readonly string[];
  readonly tls: TlsFiles | null;
  readonly disk: Disk;
  readonly snapshotDirectory: string;
  readonly timer: Timer;
  readonly log: Log;
  /** Whether a member with this id left the cluster. */
  readonly isRemoved: (id: bigint) => boolean;
  /** The cluster for someone who wants to join. */
  readonly describe: () => Uint8Array;
}

/** How members find and reach each other; TCP unless a simulation brings its own. */
export interface PeerNetwork {
  /** Errors: rejects when an address can't be bound or a certificate file can't be read. */
  connect(connection: PeerConnection): Promise<Peers>;
  /**
   * Asks running members what cluster they form.
   * @param urls peer URLs of the cluster's members
   * @returns the first answer, or null when nobody answers
   */
  describe(
    urls: readonly string[],
    tls: TlsFiles | null,
    timer: Timer,
  ): Promise<Uint8Array | null>;
}

export interface Timer {
  /** Monotonic milliseconds. */
  now(): number;
  /** Wall clock, milliseconds since 1970; only for what users read. */
  wallNow(): number;
  /** @returns a function that stops the timer. */
  every(intervalMillis: number, callback: () => void): () => void;
  after(delayMillis: number, callback: () => void): () => void;
  /** Runs the callback once the current work of the thread is done. */
  soon(callback: () => void): void;
}

export type LogLevel = "debug" | "info" | "warn" | "error";

/** Structured log; values must never hold a secret. */
export interface Log {
  (level: LogLevel, message: string, fields?: Record<string, unknown>): void;
}
