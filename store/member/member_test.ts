/**
 * One member from its door: durable, restartable, honest about a failing or full disk.
 * In: a fake disk, a clock that moves when told, a seed. Out: what was acknowledged and is there.
 * Never: a real disk or a real clock.
 */
import { deepEqual, equal, ok, rejects } from "node:assert/strict";
import { FakeDisk } from "../../tests/fakes/disk.ts";
import { FakeTimer, seededRandom, settle } from "../../tests/fakes/timer.ts";
import { snapshotName, SnapshotWriter } from "../disk/snapshot_file.ts";
import { openWal } from "../disk/wal_open.ts";
import type { Store, StoreOptions } from "../mod.ts";
import { openStore } from "../mod.ts";
import { Snapshotter } from "./snapshotter.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const text = (data: Uint8Array) => new TextDecoder().decode(data);

function portsOf(disk: FakeDisk, seed = 1) {
  return { disk, timer: new FakeTimer(), random: seededRandom(seed), log: () => {} };
}

async function open(disk: FakeDisk, options: Partial<StoreOptions> = {}, seed = 1) {
  const ports = portsOf(disk, seed);
  const store = await openStore({ dataDirectory: "/data", segmentBytes: 65536, ...options }, ports);
  return { store, timer: ports.timer };
}

function put(store: Store, key: string, value = `value of ${key}`) {
  return store.put({ kind: "put", key: bytes(key), value: bytes(value) });
}

async function keysOf(store: Store, serializable = false): Promise<string[]> {
  const request = { kind: "range", key: bytes("k"), rangeEnd: bytes("l"), serializable } as const;
  const answer = await store.range(request);
  if (answer.kind !== "range") throw new Error(answer.kind);
  return answer.kvs.map((kv) => text(kv.key));
}

Deno.test("what was acknowledged is there after power was lost", async () => {
  const disk = new FakeDisk();
  const { store } = await open(disk);
  for (let i = 10; i < 30; i++) equal((await put(store, `k${i}`)).kind, "put");
  const revision = store.revision;
  const { store: again } = await open(disk.crash());
  equal(again.revision, revision);
  equal((await keysOf(again)).length, 20);
  equal(again.status().raftTerm, 3);
  await again.close();
});

/** Writes until power fails. @returns the keys whose writes were acknowledged */
async function writeUntilPowerFails(disk: FakeDisk): Promise<string[]> {
  const acknowledged: string[] = [];
  try {
    const { store } = await open(disk, { snapshotCount: 4, segmentBytes: 4096 });
    for (let i = 100; i < 112; i++) {
      const outcome = await put(store, `k${i}`, "x".repeat(700));
      if (outcome.kind !== "put") break;
      acknowledged.push(`k${i}`);
    }
  } catch {
    // Power failed while the store was opening.
  }
  return acknowledged;
}

Deno.test("power lost at any operation: nothing acknowledged is lost, snapshots included", async () => {
  const quiet = new FakeDisk();
  equal((await writeUntilPowerFails(quiet)).length, 12);
  ok(quiet.paths().some((path) => path.endsWith(".snap") && !path.includes("0001-")));
  const random = seededRandom(7);
  for (let at = 1; at <= quiet.operations; at++) {
    const disk = new FakeDisk();
    disk.powerLossAtOperation = at;
    const acknowledged = await writeUntilPowerFails(disk);
    const after = disk.crash(() => random.nextInt(2) === 1);
    const { store } = await open(after, { snapshotCount: 4, segmentBytes: 4096 });
    const found = await keysOf(store);
    deepEqual(found.slice(0, acknowledged.length), acknowledged, `operation ${at}`);
    ok(found.length <= acknowledged.length + 1, `operation ${at}`);
    equal((await put(store, "k999")).kind, "put");
    await store.close();
  }
});

Deno.test("snapshots replace the log, and a restart starts from one", async () => {
  const disk = new FakeDisk();
  const { store } = await open(disk, { snapshotCount: 5, snapshotCatchUpEntries: 2 });
  for (let i = 0; i < 200; i++) await put(store, `k${i % 20}`, `${i} ${"y".repeat(1500)}`);
  await settle(20);
  const snapshots = disk.paths().filter((path) => path.endsWith(".snap"));
  equal(snapshots.length, 2);
  const logs = disk.paths().filter((path) => path.endsWith(".wal"));
  ok(!logs.includes("/data/log/0000000000000001.wal"), "the first segment is gone");
  await store.close();
  const { store: again } = await open(disk.crash());
  equal(again.revision, store.revision);
  equal((await keysOf(again)).length, 20);
  await again.close();
});

Deno.test("a damaged newest snapshot is passed over for the one before", async () => {
  const disk = new FakeDisk();
  const { store } = await open(disk, { snapshotCount: 5, snapshotCatchUpEntries: 2 });
  for (let i = 0; i < 60; i++) await put(store, `k${10 + i % 20}`, "z".repeat(1500));
  await settle(20);
  await store.close();
  const after = disk.crash();
  const newest = after.paths().filter((path) => path.endsWith(".snap")).at(-1) ?? "";
  after.damage(newest, (content) => {
    content[content.length - 200] ^= 1;
  });
  const { store: again } = await open(after);
  equal(again.revision, store.revision);
  await again.close();
});

Deno.test("a damaged snapshot that a leader sent is refused, for nothing else holds its entries", async () => {
  const disk = new FakeDisk();
  const { store } = await open(disk);
  await put(store, "k10");
  await store.close();
  const log = await openWal(disk, "/data/log", { segmentBytes: 65536, newSalt: () => 1 });
  if (log.kind !== "opened") throw new Error(log.detail);
  const received = { index: 90, term: 2 };
  const writer = new SnapshotWriter(disk, "/data/snapshots", {
    ...received,
    membership: bytes(""),
  });
  await writer.finish();
  // What is durable of the commit index may lie before every snapshot.
  const hardState = { ...log.contents.hardState, commit: 1 };
  await log.wal.append({ hardState, entries: [], marker: received });
  log.wal.close();
  disk.damage(`/data/snapshots/${snapshotName(received)}`, (content) => {
    content[0] ^= 1;
  });
  await rejects(open(disk), /the log ends at 1, yet it names a snapshot of 90/);
});

Deno.test("damaged data refuses to start, naming file and offset", async () => {
  const disk = new FakeDisk();
  const { store } = await open(disk);
  for (let i = 0; i < 20; i++) await put(store, `k${i}`);
  await store.close();
  const after = disk.crash();
  after.damage("/data/log/0000000000000001.wal", (content) => {
    content[400] ^= 1;
  });
  await rejects(open(after), /0000000000000001\.wal at offset \d+: /);
});

Deno.test("a full disk refuses growth, serves reads, and recovers when space returns", async () => {
  const disk = new FakeDisk();
  const { store, timer } = await open(disk);
  await put(store, "k1");
  disk.capacityBytes = disk.paths().reduce((sum, path) => {
    return sum + disk.open(path, { create: false }).size();
  }, 0) + 100_000;
  let outcome = await put(store, "k2");
  let waiting: ReturnType<typeof put> | null = null;
  for (let i = 0; i < 400 && outcome.kind === "put"; i++) {
    waiting = put(store, "k2", "w".repeat(3000));
    const first = await Promise.race([waiting, settle(10).then(() => null)]);
    if (first === null) break;
    outcome = first;
  }
  equal((await put(store, "k3")).kind, "noSpace");
  ok(store.status().errors.includes("no space left on the disk"));
  deepEqual(await keysOf(store, true), ["k1", "k2"]);
  disk.capacityBytes = Number.POSITIVE_INFINITY;
  await timer.advance(300);
  if (waiting !== null && outcome.kind === "put") equal((await waiting).kind, "put");
  equal((await put(store, "k3")).kind, "put");
  deepEqual(store.status().errors, []);
  await store.close();
});

Deno.test("a snapshot that finds the disk full rests a second, though a follower waits", async () => {
  const disk = new FakeDisk();
  const timer = new FakeTimer();
  const policy = { snapshotCount: 1_000, snapshotLogBytes: 1_000_000 };
  const ports = { disk, timer, log: () => {} };
  const snapshotter = new Snapshotter({ ports, directory: "/snapshots", policy, kept: [] });
  const voters = { voters: [1n], votersOutgoing: [], learners: [], learnersNext: [] };
  const conf = { ...voters, autoLeave: false };
  const head = { index: 7, term: 1, conf, membership: bytes("members") };
  const attempt = async () => {
    const chunks = [bytes("state of the store")];
    snapshotter.start(head, { revision: 7, next: () => chunks.shift(), close() {} });
    let marker = null;
    while (snapshotter.isRunning) marker = await snapshotter.step(false);
    return marker;
  };
  ok(snapshotter.isDue(true));
  disk.capacityBytes = 100;
  equal(await attempt(), null);
  ok(!snapshotter.isDue(true), "it is not started again at once");
  await timer.advance(999);
  ok(!snapshotter.isDue(true));
  await timer.advance(1);
  ok(snapshotter.isDue(true));
  disk.capacityBytes = Number.POSITIVE_INFINITY;
  deepEqual(await attempt(), { index: 7, term: 1 });
});

Deno.test("a failed sync stops the member; nothing it acknowledged is lost", async () => {
  const disk = new FakeDisk();
  const { store } = await open(disk);
  await put(store, "k1");
  disk.failNextSync = true;
  equal((await put(store, "k2")).kind, "stopped");
  equal((await put(store, "k3")).kind, "stopped");
  ok(store.status().errors[0].includes("syncing"));
  const { store: again } = await open(disk.crash());
  deepEqual(await keysOf(again), ["k1"]);
  await again.close();
});

Deno.test("a data directory has one member at a time", async () => {
  const disk = new FakeDisk();
  const { store } = await open(disk);
  await rejects(open(disk), /in use by another process/);
  await store.close();
  await (await open(disk)).store.close();
});

Deno.test("every problem of a configuration is named at once", async () => {
  const options = { name: "", electionTimeoutMillis: 100, advertisePeerUrls: ["ftp://x"] };
  await rejects(
    open(new FakeDisk(), options),
    (error: Error) =>
      ["--name", "--election-timeout", "ftp://x"].every((part) => error.message.includes(part)),
  );
});

Deno.test("a lease that nobody renews takes its keys with it", async () => {
  const { store, timer } = await open(new FakeDisk());
  const granted = await store.leaseGrant({ id: 5n, ttlSeconds: 10 });
  equal(granted.kind === "lease" && granted.ttlSeconds, 10);
  await store.put({ kind: "put", key: bytes("k1"), value: bytes("v"), lease: 5n });
  await timer.advance(9_000);
  equal((await store.leaseKeepAlive(5n)).kind, "lease");
  await timer.advance(9_000);
  deepEqual(await keysOf(store), ["k1"]);
  await timer.advance(3_000);
  deepEqual(await keysOf(store), []);
  equal((await store.leaseKeepAlive(5n)).kind, "leaseNotFound");
  await store.close();
});

Deno.test("watchers hear each revision once, in order, from any start", async () => {
  const { store } = await open(new FakeDisk());
  const live: number[] = [];
  store.watch({ key: bytes("k"), rangeEnd: bytes("l") }, (notice) => {
    if (notice.kind === "events") live.push(...notice.events.map((one) => one.kv.modRevision));
  });
  for (let i = 0; i < 30; i++) await put(store, `k${i}`);
  const late: number[] = [];
  store.watch({ key: bytes("k"), rangeEnd: bytes("l"), startRevision: 10 }, (notice) => {
    if (notice.kind === "events") late.push(...notice.events.map((one) => one.kv.modRevision));
  });
  await settle(10);
  await put(store, "k99");
  deepEqual(live, Array.from({ length: 31 }, (_, i) => i + 2));
  deepEqual(late, live.filter((revision) => revision >= 10));
  await store.close();
});

Deno.test("the quota raises NOSPACE; deletes still pass", async () => {
  const { store, timer } = await open(new FakeDisk(), { quotaBytes: 1_000_000 });
  for (let i = 0; i < 12; i++) await put(store, `k${i}`, "q".repeat(100_000));
  await timer.advance(200);
  equal((await put(store, "k1")).kind, "noSpace");
  ok(store.status().errors.some((error) => error.includes("NOSPACE")));
  equal((await store.deleteRange({ kind: "deleteRange", key: bytes("k1") })).kind, "deleteRange");
  await store.close();
});
