/**
 * Snapshot files.
 * In: a fake disk. Out: round trips, damage of every kind, crashes before the rename.
 * Never: a real disk.
 */
import { deepEqual, equal, ok } from "node:assert/strict";
import { FakeDisk } from "../../tests/fakes/disk.ts";
import {
  listSnapshots,
  openSnapshot,
  removeOtherSnapshots,
  snapshotName,
  SnapshotWriter,
} from "./snapshot_file.ts";

const head = { index: 42, term: 3, membership: new Uint8Array([1, 2, 3]) };
const chunks = [new Uint8Array(1000).fill(7), new Uint8Array(1), new Uint8Array(5000).fill(9)];

async function written(disk: FakeDisk, index = 42): Promise<void> {
  const writer = new SnapshotWriter(disk, "/snap", { ...head, index });
  for (const chunk of chunks) writer.write(chunk);
  await writer.finish();
}

/** Reads everything; the last element is the end or the damage. */
function readBack(disk: FakeDisk): { chunks: Uint8Array[]; outcome: string } {
  const opened = openSnapshot(disk, "/snap", head);
  if (opened.kind === "damaged") return { chunks: [], outcome: opened.detail };
  const read: Uint8Array[] = [];
  while (true) {
    const next = opened.reader.next();
    if (next.kind !== "chunk") {
      return { chunks: read, outcome: next.kind === "end" ? "end" : next.detail };
    }
    read.push(next.bytes.slice());
  }
}

Deno.test("a finished snapshot survives a crash and reads back whole", async () => {
  const disk = new FakeDisk();
  await written(disk);
  const after = disk.crash();
  deepEqual(listSnapshots(after, "/snap"), [{ index: 42, term: 3 }]);
  const opened = openSnapshot(after, "/snap", head);
  deepEqual(opened.kind === "opened" && opened.head, head);
  deepEqual(readBack(after), { chunks, outcome: "end" });
});

Deno.test("an unfinished snapshot has no final name and is swept", async () => {
  const disk = new FakeDisk();
  const writer = new SnapshotWriter(disk, "/snap", head);
  writer.write(chunks[0]);
  deepEqual(listSnapshots(disk, "/snap"), []);
  await removeOtherSnapshots(disk, "/snap", [], head);
  equal(disk.paths().length, 1, "one that is being written stays");
  await removeOtherSnapshots(disk, "/snap", []);
  deepEqual(disk.paths(), []);
});

Deno.test("any flipped byte and any shortening is noticed", async () => {
  const disk = new FakeDisk();
  await written(disk);
  const path = `/snap/${snapshotName(head)}`;
  const size = disk.open(path, { create: false }).size();
  for (let at = 0; at < size; at += 37) {
    const copy = disk.crash();
    copy.damage(path, (bytes) => {
      bytes[at] ^= 0x10;
    });
    const { outcome, chunks: read } = readBack(copy);
    // Padding between frames carries nothing, so a flip there may go unnoticed.
    ok(outcome !== "end" || read.length === chunks.length, `byte ${at}`);
    if (outcome === "end") deepEqual(read, chunks);
  }
  for (const length of [size - 1, size - 24, size - 100, 10, 0]) {
    const copy = disk.crash();
    copy.open(path, { create: false }).truncate(length);
    ok(readBack(copy).outcome !== "end", `length ${length}`);
  }
});

Deno.test("only the snapshots to keep are kept", async () => {
  const disk = new FakeDisk();
  for (const index of [10, 20, 30]) await written(disk, index);
  await removeOtherSnapshots(disk, "/snap", listSnapshots(disk, "/snap").slice(0, 2));
  deepEqual(listSnapshots(disk.crash(), "/snap").map((marker) => marker.index), [30, 20]);
  equal(disk.paths().length, 2);
});
