/**
 * The real disk.
 * In: a temporary directory, a second process. Out: the log on it, file modes, who holds the lock.
 * Never: leaves anything behind.
 */
import { deepEqual, equal } from "node:assert/strict";
import { createDenoDisk, SyncPace } from "./deno_disk.ts";
import { createWal } from "./wal.ts";
import { openWal } from "./wal_open.ts";

const options = { segmentBytes: 64 * 1024, newSalt: () => 5 };

Deno.test("the log works on this machine's disk, with private files", async () => {
  const directory = Deno.makeTempDirSync();
  try {
    const disk = createDenoDisk();
    const identity = { clusterId: 1n, memberId: 2n };
    const wal = await createWal(disk, directory, { identity, options });
    for (let index = 1; index <= 200; index++) {
      const data = new Uint8Array(1000).fill(index);
      const entries = [{ term: 1, index, kind: "normal" as const, data }];
      equal(await wal.append({ hardState: null, entries, marker: null }), "durable");
    }
    wal.close();
    const result = await openWal(disk, directory, options);
    if (result.kind !== "opened") throw new Error(result.detail);
    equal(result.contents.entries.length, 200);
    deepEqual(result.contents.entries[77].data, new Uint8Array(1000).fill(78));
    result.wal.close();
    for (const name of disk.list(directory)) {
      equal((Deno.statSync(`${directory}/${name}`).mode ?? 0) & 0o777, 0o600);
    }
    equal(disk.freeBytes(directory) > 0, true);
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
});

Deno.test("a directory that a living process holds can't be locked, a dead one's can", async () => {
  const directory = Deno.makeTempDirSync();
  try {
    const script = `import { createDenoDisk, SyncPace } from "${
      import.meta.resolve("./deno_disk.ts")
    }";
      const held = createDenoDisk().lock("${directory}");
      console.log(held === null ? "refused" : "locked");
      await new Response(Deno.stdin.readable).text();`;
    const child = new Deno.Command(Deno.execPath(), {
      args: ["eval", "--no-lock", script],
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    const reader = child.stdout.getReader();
    equal(new TextDecoder().decode((await reader.read()).value).trim(), "locked");
    equal(createDenoDisk().lock(directory), null);
    await child.stdin.close();
    await child.status;
    await reader.cancel();
    const release = createDenoDisk().lock(directory);
    equal(typeof release, "function");
    release?.();
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
});

Deno.test("syncs leave the thread while the disk is slow, and only then", () => {
  let now = 0;
  const pace = new SyncPace(() => now);
  const syncs = (count: number, millis: number) => {
    for (let i = 0; i < count; i++) pace.run(() => void (now += millis));
  };
  syncs(7, 20);
  equal(pace.onThread, true);
  syncs(1, 0.2);
  syncs(7, 20);
  equal(pace.onThread, true, "a quick one in between starts the count again");
  syncs(1, 20);
  equal(pace.onThread, false);
  now += 1_000;
  equal(pace.onThread, true, "a trial");
  syncs(1, 20);
  equal(pace.onThread, false, "one slow trial is enough");
  now += 1_000;
  syncs(1, 0.2);
  equal(pace.onThread, true);
});
