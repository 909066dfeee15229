/**
 * Rows about a large store: memory, start-up, and the latency of writes while it is copied.
 * In: servers just started. Out: MiB, milliseconds, bytes a key and a watch, records a sync.
 * Never: asks a process for its own memory; the kernel accounts for it.
 */
import { ProtoReader, ProtoWriter } from "../store/mvcc/proto.ts";
import type { GrpcChannel } from "../store/wire/grpc/client.ts";
import { residentBytes } from "./process_usage.ts";
import { summarize } from "./result.ts";
import { RawClient } from "./store_raw.ts";
import { call, connect, fill, keyOf, PATHS, putMessage, VALUE_BYTES } from "./store_requests.ts";
import type { Row, Scale } from "./store_rows.ts";
import type { Servers } from "./store_servers.ts";
import { watchMessage } from "./store_streams.ts";

const SETTLE_MILLIS = 3_000;
const STARTS = 3;
/** Ticks of the open-loop writer. */
const TICK_MILLIS = 2;

export const SIZE_ROWS: readonly Row[] = [
  {
    id: "size",
    figures: [
      { name: "Resident memory, 1,000,000 keys × 256 bytes", unit: "MiB", aim: "0.7, at most 1" },
      { name: "Start-up with 1,000,000 keys", unit: "ms", aim: "0.7, at most 1" },
      { name: "Memory beside key and value", unit: "bytes a key", aim: "reported" },
    ],
    members: 1,
    maxSamples: 1,
    measure: largeStore,
  },
  {
    id: "p99",
    figures: [{
      name: "p99 of Put at half of etcd's rate, during a backup and a compaction",
      unit: "ms",
      aim: "0.7, at most 1",
    }],
    members: 1,
    flags: ["--snapshot-count", "5000"],
    maxSamples: 3,
    measure: latencyWhileCopied,
  },
  {
    id: "watchers",
    figures: [{ name: "Memory of a watch", unit: "bytes a watch", aim: "reported" }],
    members: 1,
    maxSamples: 1,
    measure: watchMemory,
  },
];

async function largeStore(servers: Servers, { keys }: Scale): Promise<number[]> {
  const empty = residentBytes(servers.pid);
  await fill(servers.port, keys);
  await pause(SETTLE_MILLIS);
  const full = residentBytes(servers.pid);
  const starts: number[] = [];
  for (let i = 0; i < STARTS; i++) {
    await servers.halt();
    starts.push(await servers.run());
  }
  const content = keyOf(0).length + VALUE_BYTES;
  return [full / 2 ** 20, summarize(starts).Perc50, (full - empty) / keys - content];
}

/** Puts at a fixed rate; latency counts from when each was due, so that a stall is not omitted. */
async function latencyWhileCopied(servers: Servers, scale: Scale): Promise<number[]> {
  const keys = Math.min(scale.keys, 100_000);
  await fill(servers.port, keys);
  const channels = await Promise.all(Array.from({ length: 8 }, () => connect(servers.port)));
  const admin = await connect(servers.port);
  const latencies: number[] = [];
  const pending: Promise<void>[] = [];
  const millis = Math.max(3, scale.seconds) * 1000;
  const started = performance.now();
  let due = 0;
  const disturbances = [
    { at: millis * 0.2, run: () => backup(admin) },
    { at: millis * 0.6, run: () => compact(admin) },
  ];
  for (;;) {
    const now = performance.now() - started;
    if (now > millis) break;
    const disturbance = disturbances[0];
    if (disturbance !== undefined && now >= disturbance.at) {
      disturbances.shift();
      pending.push(disturbance.run());
    }
    for (; due < now * scale.rate / 1000; due++) {
      const at = started + due * 1000 / scale.rate;
      const message = putMessage(due % keys);
      pending.push(
        call(channels[due % channels.length], PATHS.put, message)
          .then(() => void latencies.push(performance.now() - at))
          // One that an overloaded side refused was never answered in time.
          .catch(() => void latencies.push(millis)),
      );
    }
    await pause(TICK_MILLIS);
  }
  await Promise.all(pending);
  for (const channel of [...channels, admin]) channel.close();
  return [summarize(latencies).Perc99];
}

/** Reads the whole store as `etcdctl snapshot save` does. */
function backup(channel: GrpcChannel): Promise<void> {
  return new Promise((resolve, reject) => {
    const stream = channel.stream("/etcdserverpb.Maintenance/Snapshot", {
      onMessage: () => {},
      onEnd: ({ status }) => status.code === 0 ? resolve() : reject(new Error(status.message)),
    });
    stream.send(new Uint8Array(0));
    stream.end();
  });
}

async function compact(channel: GrpcChannel): Promise<void> {
  const answer = await call(channel, PATHS.put, putMessage(0));
  const writer = new ProtoWriter(16);
  writer.int64Field(1, revisionOf(answer));
  await call(channel, PATHS.compact, writer.finish());
}

/** @returns the revision in an answer's header */
function revisionOf(answer: Uint8Array): number {
  const reader = new ProtoReader(answer);
  while (reader.next()) {
    if (reader.field !== 1) {
      reader.skip();
      continue;
    }
    const header = reader.message();
    while (header.next()) {
      if (header.field === 3) return header.int64();
      header.skip();
    }
  }
  throw new Error("an answer without a revision");
}

async function watchMemory({ pid, port }: Servers, { watchers }: Scale): Promise<number[]> {
  const count = watchers * 20;
  let created = 0;
  const client = await RawClient.connect(port, PATHS.watch, () => void created++);
  const stream = client.open();
  const before = residentBytes(pid);
  for (let i = 0; i < count; i++) client.send(stream, watchMessage(keyOf(i)));
  client.flush();
  while (created < count) await pause(20);
  await pause(SETTLE_MILLIS);
  const bytes = (residentBytes(pid) - before) / count;
  client.close();
  return [bytes];
}

function pause(millis: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, millis));
}
