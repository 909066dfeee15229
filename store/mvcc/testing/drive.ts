/**
 * Talks to a state machine in plain objects, through the same bytes as production.
 * In: requests. Out: outcomes.
 * Never: reaches into the machine.
 */
import { COMMAND, type CommandName, encodeCommand } from "../command.ts";
import { encodeCompaction, encodeLeaseGrant, encodeLeaseRevoke } from "../admin_codec.ts";
import { EMPTY_BYTES, ProtoWriter } from "../proto.ts";
import { encodeDeleteRange, encodePut, encodeTxn } from "../request_codec.ts";
import type { ApplyOutcome, Identity } from "../outcome.ts";
import { StateMachine } from "../state_machine.ts";
import type { DeleteRangeRequest, PutRequest, TxnRequest, WatchNotice } from "../types.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export function bytes(text: string): Uint8Array {
  return encoder.encode(text);
}

export function text(of: Uint8Array): string {
  return decoder.decode(of);
}

/** Far above what any test needs. */
const MAX_STEPS = 10_000;

/**
 * Repeats a step of background work to its end, so that work that never ends fails a test.
 * @param what the work's name. @param step answers whether there is more to do.
 */
export function runOut(what: string, step: () => boolean): void {
  for (let steps = 0; step(); steps++) {
    if (steps >= MAX_STEPS) throw new Error(`${what} did not end in ${MAX_STEPS} steps`);
  }
}

export class Drive {
  machine: StateMachine;
  #requestId = 0;

  /** @param segmentBytes small ones make every path of reclaiming run. */
  constructor(segmentBytes = 1024) {
    this.machine = new StateMachine({ segmentBytes });
  }

  send(kind: CommandName, body: Uint8Array = EMPTY_BYTES, identity?: Identity): ApplyOutcome {
    const header = { kind: COMMAND[kind], requestId: this.#requestId++ };
    const command = encodeCommand(identity === undefined ? header : { ...header, identity }, body);
    return this.machine.apply(command);
  }

  request(op: PutRequest | DeleteRangeRequest | TxnRequest, identity?: Identity): ApplyOutcome {
    const writer = new ProtoWriter();
    if (op.kind === "put") encodePut(writer, op);
    else if (op.kind === "deleteRange") encodeDeleteRange(writer, op);
    else encodeTxn(writer, op);
    return this.send(op.kind, writer.finish(), identity);
  }

  put(key: string, value: string, more: Partial<PutRequest> = {}): ApplyOutcome {
    return this.request({ kind: "put", key: bytes(key), value: bytes(value), ...more });
  }

  delete(key: string, rangeEnd?: string): ApplyOutcome {
    return this.request({
      kind: "deleteRange",
      key: bytes(key),
      ...(rangeEnd === undefined ? {} : { rangeEnd: bytes(rangeEnd) }),
    });
  }

  compact(revision: number): ApplyOutcome {
    return this.send("compaction", encodeCompaction({ revision }));
  }

  grant(id: bigint, ttlSeconds = 60): ApplyOutcome {
    return this.send("leaseGrant", encodeLeaseGrant({ id, ttlSeconds }));
  }

  revoke(id: bigint): ApplyOutcome {
    return this.send("leaseRevoke", encodeLeaseRevoke({ id }));
  }

  /** Runs the background work to its end. */
  settle(): void {
    runOut("compaction", () => this.machine.compactStep(7));
    runOut("catching up", () => this.machine.watches.catchUpStep(3));
  }

  hash(revision = 0): number {
    const reader = this.machine.openHash(revision);
    if ("kind" in reader) throw new Error(reader.kind);
    let done = reader.step(3);
    runOut("hash", () => (done ??= reader.step(3)) === undefined);
    if (done?.kind !== "hash") throw new Error(`hash: ${done?.kind}`);
    return done.hash;
  }

  /** @returns the snapshot as one piece. */
  snapshot(): Uint8Array {
    const reader = this.machine.openSnapshot();
    const chunks: Uint8Array[] = [];
    runOut("snapshot", () => {
      const chunk = reader.next(50);
      if (chunk !== undefined) chunks.push(chunk);
      return chunk !== undefined;
    });
    reader.close();
    return Uint8Array.from(chunks.flatMap((chunk) => [...chunk]));
  }
}

/** @returns notices as lines, as `NaiveStore.watch` writes them. */
export function linesOf(notice: WatchNotice): string[] {
  if (notice.kind !== "events") return [notice.kind];
  return notice.events.map(({ type, kv }) =>
    type === "delete"
      ? `delete ${text(kv.key)} ${kv.modRevision}`
      : `put ${text(kv.key)} ${kv.modRevision} ${text(kv.value)}`
  );
}
