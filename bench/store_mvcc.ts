/**
 * The state machine alone, without log or sockets: how many commands and reads a second one
 * thread serves at a given number of keys, how long a slice of compaction holds it up, how much
 * memory the process then holds, and where that of a key goes.
 * In: `--keys=1000000 --value=256 --shape=flat|pods`. Out: a table on the terminal.
 * Never: writes a file; counts the making of a request as time of the state machine.
 */
import { appendCommand, COMMAND } from "../store/mvcc/command.ts";
import { encodeCompaction } from "../store/mvcc/admin_codec.ts";
import { ProtoWriter } from "../store/mvcc/proto.ts";
import { encodePut, encodeRange, encodeTxn } from "../store/mvcc/request_codec.ts";
import { StateMachine } from "../store/mvcc/state_machine.ts";
import type { TxnRequest } from "../store/mvcc/types.ts";

const BATCH = 500;
const SEED = 12345;
const HEADER = { clusterId: 1n, memberId: 2n, raftTerm: 3 };
const text = new TextEncoder();

export interface MvccBenchOptions {
  /** Keys held. */
  readonly keys: number;
  /** Bytes of one value. */
  readonly valueBytes: number;
  /** `flat`: 20-byte keys; `pods`: Kubernetes' long keys with shared beginnings. */
  readonly shape: "flat" | "pods";
}

export interface MvccBenchRow {
  readonly what: string;
  /** Operations a second, or the number that `what` names. */
  readonly value: number;
}

/** A small deterministic generator of u32. */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
}

class MvccBench {
  readonly machine = new StateMachine();
  readonly rows: MvccBenchRow[] = [];
  readonly #options: MvccBenchOptions;
  readonly #value: Uint8Array;
  readonly #batch = new ProtoWriter(1 << 20);
  readonly #body = new ProtoWriter(1 << 12);
  readonly #next = generator(SEED);

  constructor(options: MvccBenchOptions) {
    this.#options = options;
    this.#value = new Uint8Array(options.valueBytes).fill(120);
  }

  key(index: number): Uint8Array {
    const number = String(index).padStart(12, "0");
    return text.encode(
      this.#options.shape === "flat"
        ? `key/${number}`
        : `/registry/pods/namespace-${number.slice(6, 8)}/workload-7c5ddbdf54-${number}`,
    );
  }

  random(below: number): number {
    return this.#next() % below;
  }

  /** Times batches of commands only; making them is not counted. */
  commands(what: string, count: number, append: (index: number) => void): void {
    let elapsedMs = 0;
    for (let done = 0; done < count; done += BATCH) {
      this.#batch.reset();
      for (let i = done; i < Math.min(count, done + BATCH); i++) append(i);
      const bytes = this.#batch.finish();
      const start = performance.now();
      this.machine.applyBatch(bytes, () => {});
      elapsedMs += performance.now() - start;
    }
    this.rows.push({ what, value: count / elapsedMs * 1000 });
  }

  put(index: number): void {
    this.#body.reset();
    encodePut(this.#body, { kind: "put", key: this.key(index), value: this.#value });
    appendCommand(this.#batch, { kind: COMMAND.put, requestId: index }, this.#body.view());
  }

  /** What the API server does on an update: the revision must not have moved. */
  guardedPut(index: number): void {
    const key = this.key(index);
    const request: TxnRequest = {
      kind: "txn",
      compare: [{ key, target: "mod", result: "greater", value: 0 }],
      success: [{ kind: "put", key, value: this.#value }],
      failure: [{ kind: "range", key }],
    };
    this.#body.reset();
    encodeTxn(this.#body, request);
    appendCommand(this.#batch, { kind: COMMAND.txn, requestId: index }, this.#body.view());
  }

  reads(what: string, count: number, read: (key: Uint8Array) => void): void {
    const { keys } = this.#options;
    let elapsedMs = 0;
    for (let done = 0; done < count; done += BATCH) {
      const some = Array.from({ length: BATCH }, () => this.key(this.random(keys)));
      const start = performance.now();
      for (const key of some) read(key);
      elapsedMs += performance.now() - start;
    }
    this.rows.push({ what, value: count / elapsedMs * 1000 });
  }

  /** Requests as bytes, answers as bytes: the way of a gRPC Range. */
  encodedReads(what: string, count: number, rangeEnd?: Uint8Array, limit = 0): void {
    const { keys } = this.#options;
    const writer = new ProtoWriter(1 << 20);
    let elapsedMs = 0;
    for (let done = 0; done < count; done += BATCH) {
      const some = Array.from({ length: Math.min(BATCH, count) }, () => {
        this.#body.reset();
        const key = this.key(this.random(keys));
        encodeRange(this.#body, {
          kind: "range",
          key,
          limit,
          ...(rangeEnd === undefined ? {} : { rangeEnd }),
        });
        return this.#body.finish();
      });
      const start = performance.now();
      for (const request of some) {
        writer.reset();
        this.machine.encodeRangeInto(writer, request, HEADER);
      }
      elapsedMs += performance.now() - start;
    }
    this.rows.push({ what, value: count / elapsedMs * 1000 });
  }

  /** Compacts to now and does all the work in slices. */
  compact(budget: number): void {
    this.#batch.reset();
    const body = encodeCompaction({ revision: this.machine.revision });
    appendCommand(this.#batch, { kind: COMMAND.compaction, requestId: 0 }, body);
    this.machine.applyBatch(this.#batch.finish(), () => {});
    const sliceMs: number[] = [];
    for (let more = true; more;) {
      const start = performance.now();
      more = this.machine.compactStep(budget);
      sliceMs.push(performance.now() - start);
    }
    sliceMs.sort((a, b) => a - b);
    const at = (part: number) => sliceMs[Math.floor(part * (sliceMs.length - 1))];
    this.rows.push(
      { what: `compaction slices of ${budget}`, value: sliceMs.length },
      { what: "compaction slice p99, ms", value: at(0.99) },
      { what: "compaction slice worst, ms", value: at(1) },
      { what: "compaction in all, ms", value: sliceMs.reduce((sum, one) => sum + one, 0) },
    );
  }

  /** Where the memory of a key goes beside its key and value. */
  overhead(): void {
    const { kv } = this.machine.state;
    const { keys, valueBytes } = this.#options;
    const { allocatedBytes, liveBytes } = kv.history.arena;
    const parts: readonly (readonly [string, number])[] = [
      ["numbers and header of its record", liveBytes - keys * (this.key(0).length + valueBytes)],
      ["not yet used of segments", allocatedBytes - liveBytes],
      ["version", kv.versions.indexBytes],
      ["id and hash slot", kv.keys.indexBytes],
      ["order", kv.order.indexBytes],
    ];
    for (const [what, bytes] of parts) {
      this.rows.push({ what: `bytes a key: ${what}`, value: bytes / keys });
    }
    const total = parts.reduce((sum, [, bytes]) => sum + bytes, 0);
    this.rows.push({ what: "bytes a key beside key and value", value: total / keys });
  }

  memory(what: string): void {
    this.rows.push({ what, value: Deno.memoryUsage().rss / 1e6 });
  }
}

/**
 * Runs the workload.
 * @param options size and shape.
 * @returns what was measured, in order.
 */
export function benchMvcc(options: MvccBenchOptions): readonly MvccBenchRow[] {
  const { keys } = options;
  const some = Math.ceil(keys / 5);
  const sequential = new MvccBench(options);
  sequential.commands("put, new key, in order /s", keys, (i) => sequential.put(i));
  sequential.memory("memory after that, MB");
  sequential.overhead();
  const bench = new MvccBench(options);
  const order = shuffled(keys);
  bench.commands("put, new key, random order /s", keys, (i) => bench.put(order[i]));
  bench.commands("put, existing key /s", some * 2, () => bench.put(bench.random(keys)));
  bench.encodedReads("range of one key to bytes /s", some * 2);
  bench.reads("range of one key to objects /s", some * 2, (key) => {
    bench.machine.range({ kind: "range", key });
  });
  bench.encodedReads("range of 500 keys to bytes /s", Math.ceil(keys / 500), Uint8Array.of(0), 500);
  bench.commands("txn, compare and put /s", some, () => bench.guardedPut(bench.random(keys)));
  bench.compact(2000);
  const prefix = { key: text.encode("/"), rangeEnd: text.encode("l") };
  for (let i = 0; i < 1000; i++) {
    bench.machine.watch(prefix, () => {});
    bench.machine.watch({ key: bench.key(bench.random(keys)) }, () => {});
  }
  const watched = Math.ceil(some / 10);
  bench.commands("put, 1,000 watchers hear it /s", watched, () => bench.put(bench.random(keys)));
  return [...sequential.rows, ...bench.rows];
}

function shuffled(count: number): Uint32Array {
  const next = generator(SEED + 1);
  const order = Uint32Array.from({ length: count }, (_, i) => i);
  for (let i = count - 1; i > 0; i--) {
    const j = next() % (i + 1);
    const kept = order[i];
    order[i] = order[j];
    order[j] = kept;
  }
  return order;
}

if (import.meta.main) {
  const flag = (name: string) =>
    Deno.args.find((arg) => arg.startsWith(`--${name}=`))?.slice(name.length + 3);
  const rows = benchMvcc({
    keys: Number(flag("keys") ?? 1_000_000),
    valueBytes: Number(flag("value") ?? 256),
    shape: flag("shape") === "pods" ? "pods" : "flat",
  });
  for (const { what, value } of rows) {
    const shown = value >= 100 ? Math.round(value).toLocaleString("en") : value.toFixed(1);
    console.log(`${what.padEnd(46)} ${shown.padStart(12)}`);
  }
}
