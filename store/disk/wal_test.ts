/**
 * The log on a disk that crashes, tears, fills up and fails.
 * In: a fake disk with faults. Out: nothing acknowledged is lost, damage is refused by place.
 * Never: a real disk; randomness comes from a seed.
 */
import { deepEqual, equal, ok, rejects } from "node:assert/strict";
import { FakeDisk, PowerLost } from "../../tests/fakes/disk.ts";
import type { Entry } from "../raft/types.ts";
import { createWal, type Wal, type WalWrite } from "./wal.ts";
import { openWal, type WalOpened } from "./wal_open.ts";

const DIRECTORY = "/wal";
const identity = { clusterId: 7n, memberId: 9n };

function options(segmentBytes = 16 * 1024) {
  let salt = 100;
  return { segmentBytes, newSalt: () => salt++ };
}

function entry(index: number, length = 100, term = 1): Entry {
  return { term, index, kind: "normal", data: new Uint8Array(length).fill(1 + index % 250) };
}

function write(entries: readonly Entry[], commit = 0): WalWrite {
  return { hardState: { term: 1, vote: 3n, commit }, entries, marker: null };
}

async function startWal(disk: FakeDisk, segmentBytes?: number): Promise<Wal> {
  disk.makeDirectory(DIRECTORY);
  return await createWal(disk, DIRECTORY, { identity, options: options(segmentBytes) });
}

function opened(result: WalOpened): Extract<WalOpened, { kind: "opened" }> {
  if (result.kind !== "opened") throw new Error(`${result.path} ${result.offset} ${result.detail}`);
  return result;
}

Deno.test("what was appended is read back, over several segments", async () => {
  const disk = new FakeDisk();
  const wal = await startWal(disk);
  for (let i = 1; i <= 500; i++) equal(await wal.append(write([entry(i)], i - 1)), "durable");
  ok(wal.segmentCount > 3);
  const { contents } = opened(await openWal(disk.crash(), DIRECTORY, options()));
  deepEqual(contents.identity, identity);
  deepEqual(contents.hardState, { term: 1, vote: 3n, commit: 499 });
  deepEqual(contents.entries, Array.from({ length: 500 }, (_, i) => entry(i + 1)));
  equal(contents.tornBytes, 0);
});

Deno.test("an entry of a known index replaces it and all after it", async () => {
  const disk = new FakeDisk();
  const wal = await startWal(disk);
  await wal.append(write([entry(1), entry(2), entry(3)]));
  await wal.append(write([entry(2, 50, 2)]));
  const { contents } = opened(await openWal(disk, DIRECTORY, options()));
  deepEqual(contents.entries, [entry(1), entry(2, 50, 2)]);
});

Deno.test("a leader's snapshot replaces the log, our own does not", async () => {
  const disk = new FakeDisk();
  const wal = await startWal(disk);
  await wal.append(write([entry(1), entry(2), entry(3)]));
  await wal.append({ hardState: null, entries: [], marker: { index: 2, term: 1 } });
  equal(opened(await openWal(disk.crash(), DIRECTORY, options())).contents.entries.length, 3);
  await wal.append({ hardState: null, entries: [], marker: { index: 90, term: 4 } });
  await wal.append(write([entry(91, 10, 4)]));
  const { contents } = opened(await openWal(disk.crash(), DIRECTORY, options()));
  deepEqual(contents.entries, [entry(91, 10, 4)]);
  deepEqual(contents.markers.map((marker) => marker.index), [2, 90]);
});

Deno.test("a leader's snapshot may be written together with the entries that follow it", async () => {
  const disk = new FakeDisk();
  const wal = await startWal(disk);
  await wal.append(write([entry(1), entry(2), entry(3)]));
  await wal.append({ ...write([entry(91), entry(92)], 90), marker: { index: 90, term: 1 } });
  const { contents } = opened(await openWal(disk.crash(), DIRECTORY, options()));
  deepEqual(contents.entries, [entry(91), entry(92)]);
  deepEqual(contents.markers, [{ index: 90, term: 1 }]);
});

Deno.test("a member's own snapshot may be written together with the entries it holds", async () => {
  const disk = new FakeDisk();
  const wal = await startWal(disk);
  await wal.append(write([entry(1), entry(2)]));
  await wal.append({ ...write([entry(3), entry(4)], 4), marker: { index: 3, term: 1 } });
  await wal.append({ ...write([entry(5)], 4), marker: { index: 4, term: 1 } });
  const { contents } = opened(await openWal(disk.crash(), DIRECTORY, options()));
  deepEqual(contents.entries, [1, 2, 3, 4, 5].map((index) => entry(index)));
});

Deno.test("release removes whole segments before a snapshot, and the log still opens", async () => {
  const disk = new FakeDisk();
  const wal = await startWal(disk);
  for (let i = 1; i <= 500; i++) await wal.append(write([entry(i)], i - 1));
  const before = wal.segmentCount;
  await wal.append({ hardState: null, entries: [], marker: { index: 300, term: 1 } });
  await wal.release(300);
  ok(wal.segmentCount < before);
  const { contents } = opened(await openWal(disk.crash(), DIRECTORY, options()));
  ok(contents.entries[0].index <= 301);
  equal(contents.entries.at(-1)?.index, 500);
  equal(contents.hardState.commit, 499);
});

function isPowerLoss(error: unknown): boolean {
  return error instanceof PowerLost || (error instanceof Error && isPowerLoss(error.cause));
}

/** Appends until power fails; returns the last index that was acknowledged. */
async function appendUntilPowerFails(disk: FakeDisk, batches: number): Promise<number> {
  let acknowledged = 0;
  try {
    const wal = await startWal(disk, 4096);
    for (let i = 1; i <= batches; i++) {
      await wal.append(write([entry(2 * i - 1, 700), entry(2 * i, 300)], acknowledged));
      acknowledged = 2 * i;
    }
  } catch (error) {
    if (!isPowerLoss(error)) throw error;
  }
  return acknowledged;
}

Deno.test("power lost at any operation, sectors surviving at random: nothing acknowledged is lost", async () => {
  const quiet = new FakeDisk();
  await appendUntilPowerFails(quiet, 12);
  let seed = 1;
  const random = () => (seed = (seed * 48271) % 2147483647) / 2147483647;
  for (let at = 1; at <= quiet.operations + 1; at++) {
    for (const chance of [0, 0.5, 1]) {
      const disk = new FakeDisk();
      disk.powerLossAtOperation = at;
      const acknowledged = await appendUntilPowerFails(disk, 12);
      const after = disk.crash(() => random() < chance);
      if (!after.paths().some((path) => path.endsWith(".wal"))) {
        equal(acknowledged, 0);
        continue;
      }
      const { contents, wal } = opened(await openWal(after, DIRECTORY, options(4096)));
      const last = contents.entries.at(-1)?.index ?? 0;
      ok(last >= acknowledged, `operation ${at}: ${last} of ${acknowledged}`);
      deepEqual(contents.entries.at(0)?.index ?? 1, 1);
      // The log goes on where it was cut, and a second recovery finds all of it.
      await wal.append(write([entry(last + 1)]));
      const again = opened(await openWal(after.crash(), DIRECTORY, options(4096)));
      equal(again.contents.entries.at(-1)?.index, last + 1);
      equal(again.contents.tornBytes, 0);
    }
  }
});

Deno.test("damage before the tail is refused, naming file and offset", async () => {
  const disk = new FakeDisk();
  const wal = await startWal(disk);
  for (let i = 1; i <= 300; i++) await wal.append(write([entry(i)]));
  const paths = disk.paths();
  const cases: [string, string, (bytes: Uint8Array) => void, number][] = [
    ["a flipped bit in the first segment", paths[0], (bytes) => bytes[1000] ^= 1, 888],
    ["a zeroed sector in the middle", paths[0], (bytes) => bytes.fill(0, 4096, 4608), 4032],
    ["a lost head", paths[1], (bytes) => bytes.fill(0, 0, 56), 0],
    ["a flipped length in the last segment", paths[2], (bytes) => bytes[56 + 4] ^= 64, 56],
  ];
  for (const [name, path, change] of cases) {
    const copy = disk.crash();
    copy.damage(path, change);
    const result = await openWal(copy, DIRECTORY, options());
    equal(result.kind, "damaged", name);
    if (result.kind === "damaged") {
      equal(result.path, path, name);
      ok(result.offset <= 4608 && result.detail.length > 10, name);
    }
  }
});

Deno.test("a missing segment, and one of another member, are refused", async () => {
  const disk = new FakeDisk();
  const wal = await startWal(disk);
  for (let i = 1; i <= 400; i++) await wal.append(write([entry(i)]));
  const copy = disk.crash();
  copy.remove(copy.paths()[1]);
  const missing = await openWal(copy, DIRECTORY, options());
  equal(missing.kind === "damaged" && missing.detail, "segment 2 is missing before this one");
});

Deno.test("damage in the last batch that no tear explains is refused", async () => {
  const disk = new FakeDisk();
  const wal = await startWal(disk);
  for (let i = 1; i <= 3; i++) await wal.append(write([entry(i)]));
  disk.damage(disk.paths()[0], (bytes) => {
    bytes[56 + 2 * 184 + 100] ^= 1;
  });
  equal((await openWal(disk, DIRECTORY, options())).kind, "damaged");
});

Deno.test("a full disk keeps the batch until there is space", async () => {
  const disk = new FakeDisk();
  const wal = await startWal(disk);
  await wal.append(write([entry(1)]));
  disk.capacityBytes = 20 * 1024;
  let index = 2;
  while (await wal.append(write([entry(index, 1000)])) === "durable") index++;
  ok(wal.spaceLow && index > 10);
  equal(await wal.retry(), "noSpace");
  equal(wal.probeSpace(), false);
  disk.capacityBytes = 1024 * 1024;
  equal(await wal.retry(), "durable");
  equal(wal.probeSpace(), true);
  await wal.append(write([entry(index + 1)]));
  const { contents } = opened(await openWal(disk.crash(), DIRECTORY, options()));
  equal(contents.entries.length, index + 1);
});

Deno.test("a failed sync rejects and never passes for a full disk", async () => {
  const disk = new FakeDisk();
  const wal = await startWal(disk);
  disk.failNextSync = true;
  await rejects(wal.append(write([entry(1)])), /syncing .* failed/);
});

Deno.test("a value that imitates a frame does not look like a later batch", async () => {
  const disk = new FakeDisk();
  const wal = await startWal(disk);
  await wal.append(write([entry(1)]));
  const image = new Uint8Array(8192);
  disk.open(disk.paths()[0], { create: false }).readAt(0, image);
  const forged = { ...entry(2), data: image.slice(0, 400) };
  disk.powerLossAtOperation = disk.operations + 2;
  await rejects(wal.append(write([forged, entry(3, 3000)])), isPowerLoss);
  const after = disk.crash((_, sector) => sector === 1);
  const { contents } = opened(await openWal(after, DIRECTORY, options()));
  deepEqual(contents.entries, [entry(1)]);
});
