/**
 * Commands on their way through the log: gathered into batches, then waited for.
 * In: encoded requests with their callbacks; log entries as they are applied. Out: entry bytes, and
 * each callback once.
 * Never: makes an object or a promise for a request beyond its place in a list.
 *
 *   entry data := proposer's member id u64, batch id u64, batch of store/mvcc/command.ts
 */
import { appendCommand, type CommandKind } from "../mvcc/command.ts";
import type { ApplyOutcome, Identity } from "../mvcc/outcome.ts";
import { ProtoWriter } from "../mvcc/proto.ts";
import type { StoreFailure } from "../mvcc/types.ts";

/** Told once what became of a command; runs on the apply loop and must be quick. */
export type Done = (outcome: ApplyOutcome) => void;

/** Bytes of an entry before its batch. */
export const ENTRY_HEADER_BYTES = 16;
/** A batch is closed at this size: about 5 ms of applying. */
const BATCH_BYTES = 1024 * 1024;
/** Commands of one batch; each costs the thread 1 to 3 µs to apply. */
const BATCH_COMMANDS = 4096;
/** More than this waiting is refused. */
const QUEUE_BYTES = 64 * 1024 * 1024;

/**
 * Encodes one command as an entry of its own that answers nobody.
 * @param body the etcd request message's bytes
 * @param identity in whose name, while auth is enabled
 */
export function encodeAlone(
  kind: CommandKind,
  body: Uint8Array,
  identity?: Identity,
): Uint8Array {
  const writer = new ProtoWriter(ENTRY_HEADER_BYTES + body.length + 64);
  writer.reserve(ENTRY_HEADER_BYTES);
  writer.length = ENTRY_HEADER_BYTES;
  appendCommand(
    writer,
    identity === undefined ? { kind, requestId: 0 } : { kind, requestId: 0, identity },
    body,
  );
  return writer.finish();
}

export interface Batch {
  readonly id: number;
  readonly data: Uint8Array;
  readonly dones: Done[];
  /** Timer time at which its callers stop waiting, milliseconds. */
  readonly deadline: number;
}

export class Proposals {
  readonly #memberId: bigint;
  readonly #newDeadline: () => number;
  #nextId: number;
  #writer = new ProtoWriter(64 * 1024);
  #dones: Done[] = [];
  #deadline = 0;
  #sealed: Batch[] = [];
  #queuedBytes = 0;
  /** Proposed and not yet applied, oldest first. */
  readonly #waiting = new Map<number, Batch>();

  /**
   * @param parts.firstId a number no earlier run of this member used, 0..2^52
   * @param parts.deadline when a batch begun now stops being waited for, timer milliseconds
   */
  constructor(
    parts: {
      readonly memberId: bigint;
      readonly firstId: number;
      readonly deadline: () => number;
    },
  ) {
    this.#memberId = parts.memberId;
    this.#nextId = parts.firstId;
    this.#newDeadline = parts.deadline;
  }

  get hasQueued(): boolean {
    return this.#dones.length > 0 || this.#sealed.length > 0;
  }

  get isWaitedFor(): boolean {
    return this.hasQueued || this.#waiting.size > 0;
  }

  /** Adds one command to the batch being gathered. @returns null, or why it is refused */
  add(
    kind: CommandKind,
    body: Uint8Array,
    identity: Identity | undefined,
    done: Done,
  ): StoreFailure | null {
    if (this.#queuedBytes > QUEUE_BYTES) return { kind: "tooManyRequests" };
    if (this.#dones.length === 0) {
      this.#writer.reset();
      this.#writeHeader();
      this.#deadline = this.#newDeadline();
    }
    const requestId = this.#dones.length;
    appendCommand(
      this.#writer,
      identity === undefined ? { kind, requestId } : { kind, requestId, identity },
      body,
    );
    this.#dones.push(done);
    this.#queuedBytes += body.length;
    if (this.#writer.length >= BATCH_BYTES || this.#dones.length >= BATCH_COMMANDS) this.#seal();
    return null;
  }

  /** Takes the oldest batch for proposing. @returns undefined when nothing is queued */
  take(): Batch | undefined {
    if (this.#sealed.length === 0) {
      if (this.#dones.length === 0) return undefined;
      this.#seal();
    }
    const batch = this.#sealed.shift();
    if (this.#sealed.length === 0 && this.#dones.length === 0) this.#queuedBytes = 0;
    else this.#queuedBytes -= batch?.data.length ?? 0;
    return batch;
  }

  /** Puts back a batch that could not be proposed now. */
  untake(batch: Batch): void {
    this.#sealed.unshift(batch);
    this.#queuedBytes += batch.data.length;
  }

  /** The batch is in the log, or on its way to the leader. */
  wait(batch: Batch): void {
    this.#waiting.set(batch.id, batch);
  }

  /** @returns whose callbacks an applied entry answers, or undefined when nobody waits here */
  settle(data: Uint8Array): Batch | undefined {
    const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
    if (view.getBigUint64(0, true) !== this.#memberId) return undefined;
    const id = Number(view.getBigUint64(8, true));
    const batch = this.#waiting.get(id);
    if (batch !== undefined) this.#waiting.delete(id);
    return batch;
  }

  /** Fails whatever has waited past its deadline, queued or proposed. */
  expire(now: number, failure: StoreFailure): void {
    for (const batch of this.#waiting.values()) {
      if (batch.deadline > now) break;
      this.#waiting.delete(batch.id);
      for (const done of batch.dones) done(failure);
    }
    if (this.#dones.length > 0 && this.#deadline <= now) this.#seal();
    while (this.#sealed.length > 0 && this.#sealed[0].deadline <= now) {
      const batch = this.take();
      for (const done of batch?.dones ?? []) done(failure);
    }
  }

  /** Fails everything; the member stops. */
  failAll(failure: StoreFailure): void {
    this.expire(Number.POSITIVE_INFINITY, failure);
  }

  #writeHeader(): void {
    this.#writer.reserve(ENTRY_HEADER_BYTES);
    const view = new DataView(this.#writer.bytes.buffer);
    view.setBigUint64(0, this.#memberId, true);
    view.setBigUint64(8, BigInt(this.#nextId), true);
    this.#writer.length = ENTRY_HEADER_BYTES;
  }

  #seal(): void {
    this.#sealed.push({
      id: this.#nextId++,
      data: this.#writer.finish(),
      dones: this.#dones,
      deadline: this.#deadline,
    });
    this.#dones = [];
  }
}
