/** The work queue: one key at a time, delays, retries. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { ManualClock, settle } from "../../tests/fakes/manual_clock.ts";
import { runWorkers, WorkQueue } from "./work_queue.ts";

Deno.test("work queue: a key waits once, and comes again when added while in work", () => {
  const queue = new WorkQueue({ clock: new ManualClock() });
  queue.add("a");
  queue.add("a");
  queue.add("b");
  assert.equal(queue.take(), "a");
  queue.add("a");
  assert.equal(queue.take(), "b");
  assert.equal(queue.take(), undefined);
  queue.done("a");
  assert.equal(queue.take(), "a");
  queue.done("a");
  queue.done("b");
  assert.ok(queue.idle);
});

Deno.test("work queue: of two delays the earlier holds", async () => {
  const clock = new ManualClock();
  const queue = new WorkQueue({ clock });
  queue.addAfter("a", 100);
  queue.addAfter("a", 50);
  queue.addAfter("a", 80);
  await clock.advance(49);
  assert.equal(queue.take(), undefined);
  await clock.advance(1);
  assert.equal(queue.take(), "a");
  queue.done("a");
  await clock.advance(1000);
  assert.ok(queue.idle);
});

Deno.test("work queue: retries double from 5 ms to the longest, until forgotten", async () => {
  const clock = new ManualClock();
  const queue = new WorkQueue({ clock, jitter: 0, maxDelayMillis: 30 });
  const waits: number[] = [];
  for (let failure = 0; failure < 5; failure++) {
    queue.addRateLimited("a");
    let waited = 0;
    while (queue.length === 0) {
      await clock.advance(1);
      waited++;
    }
    queue.done(queue.take()!);
    waits.push(waited);
  }
  assert.deepEqual(waits, [5, 10, 20, 30, 30]);
  queue.forget("a");
  assert.equal(queue.failures("a"), 0);
});

Deno.test("work queue: no key is ever in work twice, and none is lost", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.constantFrom("a", "b", "c"), { maxLength: 30 }),
      fc.integer({ min: 1, max: 3 }),
      async (keys, workers) => {
        const queue = new WorkQueue({ clock: new ManualClock() });
        const inWork = new Set<string>();
        const lastStarted = new Map<string, number>();
        let tick = 0;
        const stop = runWorkers({
          queue,
          workers,
          work: async (key) => {
            assert.ok(!inWork.has(key));
            assert.ok(inWork.size < workers);
            inWork.add(key);
            lastStarted.set(key, ++tick);
            await Promise.resolve();
            inWork.delete(key);
          },
        });
        const lastAdded = new Map<string, number>();
        for (const key of keys) {
          lastAdded.set(key, tick);
          queue.add(key);
          if (key === "a") await Promise.resolve();
        }
        while (!queue.idle) await Promise.resolve();
        for (const [key, added] of lastAdded) assert.ok(lastStarted.get(key)! > added);
        await stop();
      },
    ),
    { numRuns: 50, seed: 7 },
  );
});

Deno.test("work queue: stopping waits for the work under way and takes no more", async () => {
  const queue = new WorkQueue({ clock: new ManualClock() });
  const gate = Promise.withResolvers<void>();
  const done: string[] = [];
  const stop = runWorkers({
    queue,
    workers: 1,
    work: async (key) => {
      await gate.promise;
      done.push(key);
    },
  });
  queue.add("a");
  queue.add("b");
  const stopped = stop();
  gate.resolve();
  await stopped;
  await settle();
  assert.deepEqual(done, ["a"]);
});
