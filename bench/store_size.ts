/**
 * Rows about a large store: memory, start-up, and the latency of writes while it is copied.
 * In: servers just started. Out: MiB, milliseconds, bytes a key and a watch, records a sync.
 * Never: asks a process for its own memory; the kernel accounts for it.
 */
import { join } from "node:path";
import { ProtoReader, ProtoWriter } from "../store/mvcc/proto.ts";
import type { GrpcChannel } from "../store/wire/grpc/client.ts";
import { requireTool } from "../tests/system/tools.ts";
import { residentBytes } from "./process_usage.ts";
import { summarize } from "./result.ts";
import { resetStall } from "./store_metrics.ts";
import { openLoop } from "./store_open_loop.ts";
import { RawClient } from "./store_raw.ts";
import { call, connect, fill, keyOf, PATHS, putMessage, VALUE_BYTES } from "./store_requests.ts";
import { grouped, type Row, type Scale } from "./store_rows.ts";
import type { Servers } from "./store_servers.ts";
import { watchMessage } from "./store_streams.ts";

const SETTLE_MILLIS = 3_000;
const STARTS = 3;
/** Watches for each watcher of the scale. */
const WATCHES = 20;
const WATCHES_UNDER_WAY = 100;
const CREATE_MILLIS = 60_000;
const OVERLOADED_TRIES = 200;
/** Keys that exist while latency is measured. */
const LATENCY_KEYS = 100_000;

export const SIZE_ROWS: readonly Row[] = [
  {
    id: "size",
    figures: [
      {
        name: ({ keys }) => `Resident memory, ${grouped(keys)} keys × 256 bytes`,
        unit: "MiB",
        aim: "0.7, at most 1",
      },
      {
        name: ({ keys }) => `Start-up with ${grouped(keys)} keys`,
        unit: "ms",
        aim: "0.7, at most 1",
      },
      {
        name: ({ keys }) => `Memory beside key and value, ${grouped(keys)} keys`,
        unit: "bytes a key",
        aim: "reported",
      },
    ],
    members: 1,
    maxSamples: 1,
    measure: largeStore,
  },
  {
    id: "p99",
    figures: [{
      name: ({ rate }) =>
        `p99 of Put at ${grouped(rate)}/s, half of etcd's most, during a backup and a compaction`,
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
    figures: [{
      name: ({ watchers }) => `Memory of a watch, ${grouped(watchers * WATCHES)} on one stream`,
      unit: "bytes a watch",
      aim: "reported",
    }],
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
  const keys = Math.min(scale.keys, LATENCY_KEYS);
  await fill(servers.port, keys);
  await resetStall(servers.port);
  const messages = Array.from({ length: keys }, (_, i) => putMessage(i));
  const admin = await connect(servers.port);
  const millis = Math.max(3, scale.seconds) * 1000;
  const under: Promise<void>[] = [];
  const disturbances = [
    { at: millis * 0.2, run: () => backup(servers.port) },
    { at: millis * 0.6, run: () => compact(admin) },
  ];
  const latencies = await openLoop({
    port: servers.port,
    path: PATHS.put,
    connections: 8,
    perSecond: scale.rate,
    millis,
    messageOf: (call) => messages[call % keys],
    onTick(elapsed) {
      if (elapsed < (disturbances[0]?.at ?? Infinity)) return;
      under.push(disturbances.shift()!.run());
    },
  });
  await Promise.all(under);
  admin.close();
  return [summarize(latencies).Perc99];
}

/** Takes a backup into memory, so that no second writer waits for the same disk. */
async function backup(port: number): Promise<void> {
  const folder = await Deno.makeTempDir({ dir: "/dev/shm", prefix: "balsa-bench-" });
  try {
    const { success, stderr } = await new Deno.Command(requireTool("etcdctl-3.5"), {
      args: [`--endpoints=127.0.0.1:${port}`, "snapshot", "save", join(folder, "backup.db")],
      env: { ETCDCTL_API: "3" },
    }).output();
    if (!success) throw new Error(`etcdctl: ${new TextDecoder().decode(stderr)}`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function compact(channel: GrpcChannel): Promise<void> {
  const answer = await insist(() => call(channel, PATHS.put, putMessage(0)));
  const writer = new ProtoWriter(16);
  writer.int64Field(1, revisionOf(answer));
  await insist(() => call(channel, PATHS.compact, writer.finish()));
}

/** An overloaded side refuses at first. */
async function insist(ask: () => Promise<Uint8Array>): Promise<Uint8Array> {
  for (let tries = 0; tries < OVERLOADED_TRIES; tries++) {
    try {
      return await ask();
    } catch {
      await pause(20);
    }
  }
  return await ask();
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
  let created = 0;
  let sent = 0;
  const client = await RawClient.connect(port, PATHS.watch, () => void created++);
  const stream = client.open();
  const watchUpTo = async (count: number) => {
    const deadline = performance.now() + CREATE_MILLIS;
    while (created < count) {
      // A server need not take more than its window at once.
      while (sent < count && sent - created < WATCHES_UNDER_WAY) {
        client.send(stream, watchMessage(keyOf(sent++)));
      }
      client.flush();
      await pause(1);
      if (performance.now() > deadline) throw new Error(`${created} of ${count} watches created`);
    }
    await pause(SETTLE_MILLIS);
  };
  // The first ones bring the process to its working size.
  await watchUpTo(watchers);
  const before = residentBytes(pid);
  await watchUpTo(watchers * (1 + WATCHES));
  const bytes = (residentBytes(pid) - before) / (watchers * WATCHES);
  client.close();
  return [bytes];
}

function pause(millis: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, millis));
}
