/** The simulated clock against an obviously correct one: a list sorted by moment and order. */
import { deepEqual, equal, rejects } from "node:assert/strict";
import { EventQueue, type SimEvent } from "./event_queue.ts";
import { SimRandom } from "./random.ts";

Deno.test("events run by moment, then in the order they were added, near and far alike", async () => {
  for (let seed = 1; seed <= 20; seed++) {
    const random = new SimRandom(seed);
    const queue = new EventQueue();
    const ran: number[] = [];
    const added: { at: number; id: number; isCancelled: boolean; event: SimEvent }[] = [];
    const add = () => {
      const id = added.length;
      // Moments repeat, lie on borders of slots, and are seconds away now and then.
      const delay = random.pick([0, 0, 0.25, 1, 63, 64, 128, 700, 5_000]) * random.nextInt(3);
      const event = queue.after(delay, () => {
        ran.push(id);
        if (random.chance(0.6)) add();
        const one = random.pick(added);
        if (!random.chance(0.2) || one.event.at <= queue.now) return;
        one.event.run = null;
        one.isCancelled = true;
      });
      added.push({ at: queue.now + delay, id, isCancelled: false, event });
    };
    for (let i = 0; i < 40; i++) add();
    for (const end of [0, 63.9, 64, 1_000, 1_001, 40_000]) {
      await queue.runUntil(end);
      equal(queue.now, end);
      const due = added.filter(({ at, isCancelled }) => at <= end && !isCancelled);
      due.sort((a, b) => a.at - b.at || a.id - b.id);
      deepEqual(ran, due.map(({ id }) => id), `seed ${seed} until ${end}`);
    }
  }
});

Deno.test("what an event settles is told to the end before the next event", async () => {
  const queue = new EventQueue();
  const seen: string[] = [];
  const chain = async (length: number) => {
    for (let i = 0; i < length; i++) await Promise.resolve();
    seen.push(`chain of ${length}`);
  };
  queue.after(1, () => void chain(100));
  queue.after(1, () => seen.push("next event"));
  await queue.runUntil(2);
  deepEqual(seen, ["chain of 100", "next event"]);
});

Deno.test("a run stops where it is told to, goes on from there, and hands errors out", async () => {
  const queue = new EventQueue();
  const seen: number[] = [];
  for (const at of [1, 2, 300]) queue.after(at, () => seen.push(at));
  await queue.runUntil(1_000, () => seen.length === 2);
  deepEqual([seen, queue.now], [[1, 2], 2]);
  await queue.runUntil(1_000);
  deepEqual([seen, queue.now, queue.count], [[1, 2, 300], 1_000, 3]);
  queue.after(1, () => {
    throw new Error("broken");
  });
  await rejects(queue.runUntil(2_000), /broken/);
});
