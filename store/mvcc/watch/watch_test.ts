/** Watches: order, wholeness, filters, slow listeners, compaction, progress, shared bytes. */
import assert from "node:assert/strict";
import { bytes, Drive, linesOf, runOut } from "../testing/drive.ts";
import type { WatchNotice, WatchRequest } from "../types.ts";
import { EventBatch } from "./event_batch.ts";

function watched(
  drive: Drive,
  request: Partial<WatchRequest> = {},
): { notices: WatchNotice[]; lines: () => string[] } {
  const notices: WatchNotice[] = [];
  drive.machine.watch({ key: bytes("a"), rangeEnd: bytes("z"), ...request }, (notice) => {
    notices.push(notice);
  });
  return { notices, lines: () => notices.flatMap(linesOf) };
}

Deno.test("live events, filters and previous values", () => {
  const drive = new Drive();
  const all = watched(drive, { prevKv: true });
  const noPut = watched(drive, { noPut: true });
  const noDelete = watched(drive, { noDelete: true });
  drive.put("k", "1");
  drive.delete("k");
  drive.put("zz", "outside");
  assert.deepEqual(all.lines(), ["put k 2 1", "delete k 3"]);
  assert.deepEqual(noPut.lines(), ["delete k 3"]);
  assert.deepEqual(noDelete.lines(), ["put k 2 1"]);
  const deletion = all.notices[1];
  assert.ok(deletion.kind === "events");
  assert.deepEqual(deletion.events[0].prevKv?.value, bytes("1"));
});

Deno.test("watchers of one range share one batch and its bytes", () => {
  const drive = new Drive();
  const one = watched(drive);
  const two = watched(drive);
  drive.put("k", "v");
  assert.equal(one.notices[0], two.notices[0]);
  const batch = one.notices[0];
  assert.ok(batch instanceof EventBatch);
  assert.equal(batch.encoded, batch.encoded);
  assert.deepEqual(batch.encodedEnds, [batch.encoded.length]);
});

Deno.test("an old watch catches up in slices and joins without gap or repeat", () => {
  const drive = new Drive();
  for (let i = 0; i < 10; i++) drive.put("k", `${i}`);
  const { lines } = watched(drive, { startRevision: 4 });
  drive.machine.watches.catchUpStep(2);
  drive.put("k", "late");
  runOut("catching up", () => drive.machine.watches.catchUpStep(2));
  drive.put("k", "live");
  const wanted = [2, 3, 4, 5, 6, 7, 8, 9].map((i) => `put k ${i + 2} ${i}`);
  assert.deepEqual(lines(), [...wanted, "put k 12 late", "put k 13 live"]);
  assert.equal(drive.machine.watches.laggingCount, 0);
});

Deno.test("a watch from compacted history is told so", () => {
  const drive = new Drive();
  for (let i = 0; i < 5; i++) drive.put("k", `${i}`);
  drive.compact(5);
  const { notices } = watched(drive, { startRevision: 4 });
  drive.settle();
  assert.deepEqual(notices, [{ kind: "compacted", compactRevision: 5, revision: 6 }]);
  assert.equal(drive.machine.watches.watcherCount, 0);
});

Deno.test("progress comes when synced, at the tick only to the idle", () => {
  const drive = new Drive();
  drive.put("k", "1");
  const notices: WatchNotice[] = [];
  const request = { key: bytes("k"), startRevision: 2, progressNotify: true };
  const watcher = drive.machine.watch(request, (notice) => void notices.push(notice));
  assert.ok("synced" in watcher);
  watcher.requestProgress();
  assert.equal(notices.length, 0);
  drive.settle();
  assert.deepEqual(notices.map(({ kind }) => kind), ["events", "progress"]);
  drive.machine.watches.progressTick();
  assert.equal(notices.length, 2);
  drive.machine.watches.progressTick();
  assert.deepEqual(notices[2], { kind: "progress", revision: 2 });
  drive.machine.watches.cancelAll("stopping");
  assert.deepEqual(notices[3], { kind: "cancelled", reason: "stopping" });
});

Deno.test("many ranges: each key finds exactly the ranges around it", () => {
  const drive = new Drive();
  const counts = new Array<number>(200).fill(0);
  const name = (i: number): string => `k${String(i).padStart(4, "0")}`;
  for (let i = 0; i < counts.length; i++) {
    const request = { key: bytes(name(i)), rangeEnd: bytes(name(i + (i % 7) + 1)) };
    drive.machine.watch(request, () => void counts[i]++);
  }
  for (let i = 0; i < counts.length + 7; i++) drive.put(name(i), "");
  assert.deepEqual(counts, counts.map((_, i) => (i % 7) + 1));
});
