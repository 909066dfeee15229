/**
 * One priority level: seats are never oversold or left idle, order is kept, nobody is starved.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { dealHand, FairLevel, type Waiting } from "./plan_fair_queue.ts";

const SHAPE = { queues: 8, handSize: 2, queueLengthLimit: 4 };

Deno.test("seats are taken while there are some, then one waits, then one is turned away", () => {
  const level = new FairLevel<string>(SHAPE, 2);
  const hand = [3];
  assert.equal(level.arrive("a", 1, hand).kind, "run");
  assert.equal(level.arrive("b", 1, hand).kind, "run");
  for (const name of ["c", "d", "e", "f"]) {
    assert.equal(level.arrive(name, 1, hand).kind, "wait");
  }
  assert.deepEqual(level.arrive("g", 1, hand), { kind: "refuse", reason: "queue-full" });
  assert.equal(level.next(), null);
  level.finish(1);
  assert.equal(level.next()?.item, "c");
  assert.equal(level.next(), null);
  const strict = new FairLevel<string>(null, 1);
  assert.equal(strict.arrive("a", 1, []).kind, "run");
  assert.deepEqual(strict.arrive("b", 1, []), { kind: "refuse", reason: "concurrency-limit" });
});

Deno.test("a request wider than the level runs alone", () => {
  const level = new FairLevel<string>(SHAPE, 2);
  assert(level.tryRun(1));
  assert.equal(level.arrive("wide", 5, [0]).kind, "wait");
  assert(!level.tryRun(1), "nobody overtakes it");
  level.finish(1);
  assert.equal(level.next()?.item, "wide");
  assert(!level.tryRun(1));
});

interface Running {
  readonly flow: number;
  readonly seats: number;
  readonly waited: Waiting<Asked> | null;
}
interface Asked {
  readonly flow: number;
  readonly order: number;
  readonly seats: number;
}

type Step =
  | { readonly kind: "arrive"; readonly flow: number; readonly seats: number }
  | { readonly kind: "finish"; readonly pick: number; readonly millis: number }
  | { readonly kind: "giveUp"; readonly pick: number }
  | { readonly kind: "limit"; readonly limit: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant("arrive" as const),
      flow: fc.nat(5),
      seats: fc.integer({ min: 1, max: 3 }),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant("finish" as const),
      pick: fc.nat(),
      millis: fc.nat(50),
    }),
  },
  fc.record({ kind: fc.constant("giveUp" as const), pick: fc.nat() }),
  fc.record({ kind: fc.constant("limit" as const), limit: fc.integer({ min: 1, max: 6 }) }),
);

Deno.test("model: what runs and waits is what a plain list of them says", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
      const level = new FairLevel<Asked>(SHAPE, 3);
      const running: Running[] = [];
      let waiting: Waiting<Asked>[] = [];
      const dispatch = () => {
        for (let one = level.next(); one !== null; one = level.next()) {
          const first = waiting.find(({ queue }) => queue === one.queue);
          assert.equal(first, one, "the oldest of its queue runs first");
          waiting = waiting.filter((other) => other !== one);
          running.push({ flow: one.item.flow, seats: one.seats, waited: one });
        }
      };
      steps.forEach((action, order) => {
        const held = () => running.reduce((sum, { seats }) => sum + seats, 0);
        if (action.kind === "arrive") {
          const { flow, seats } = action;
          const before = held();
          const hand = dealHand(`flow ${flow}`, SHAPE);
          const arrival = level.arrive({ flow, order, seats }, seats, hand);
          if (arrival.kind === "run") {
            assert(waiting.length === 0 && (before + seats <= level.limit || before === 0));
            running.push({ flow, seats, waited: null });
          } else if (arrival.kind === "wait") waiting.push(arrival.waiting);
          else {
            const full = (queue: number) =>
              waiting.filter((one) => one.queue === queue).length === SHAPE.queueLengthLimit;
            assert([...hand].some(full), "turned away while its queues have room");
          }
        } else if (action.kind === "finish" && running.length > 0) {
          const [over] = running.splice(action.pick % running.length, 1);
          if (over.waited === null) level.finish(over.seats);
          else level.finishWaited(over.waited, action.millis);
        } else if (action.kind === "giveUp" && waiting.length > 0) {
          const [gone] = waiting.splice(action.pick % waiting.length, 1);
          assert(level.giveUp(gone));
          assert(!level.giveUp(gone));
        } else if (action.kind === "limit") level.limit = action.limit;
        dispatch();
        assert.equal(level.runningSeats, held());
        assert.equal(level.runningRequests, running.length);
        assert.equal(level.waitingRequests, waiting.length);
        assert.equal(level.waitingSeats, waiting.reduce((sum, { seats }) => sum + seats, 0));
        if (waiting.length > 0) assert(running.length > 0, "somebody waits for nobody");
      });
    }),
    { numRuns: 300, seed: 11 },
  );
});

Deno.test("a flow that asks now and then waits for few, however many another one sends", () => {
  for (const millis of [0, 3, 40]) checkMouse(millis);
});

/** @param millis that each request lasts */
function checkMouse(millis: number): void {
  const shape = { queues: 64, handSize: 6, queueLengthLimit: 50 };
  const level = new FairLevel<string>(shape, 4);
  const hog = dealHand("hog", shape);
  const mouse = dealHand("mouse", shape);
  const running: (Waiting<string> | null)[] = [];
  const send = (name: string, hand: Int32Array) => {
    const arrival = level.arrive(name, 1, hand);
    if (arrival.kind === "run") running.push(null);
    return arrival.kind;
  };
  let refused = 0;
  let longest = 0;
  for (let round = 0; round < 200; round++) {
    for (let i = 0; i < 20; i++) if (send("hog", hog) === "refuse") refused++;
    const kind = send("mouse", mouse);
    assert.notEqual(kind, "refuse", "the mouse is never turned away");
    // Between two of the mouse's, sixteen are served; its own must be among them.
    let served = kind === "run" ? 0 : -1;
    for (let i = 0; i < 16; i++) {
      const over = running.shift()!;
      if (over === null) level.finish(1);
      else level.finishWaited(over, millis);
      const started = level.next()!;
      running.push(started);
      if (started.item === "mouse") served = i + 1;
    }
    assert(served >= 0, `round ${round}: the mouse was not served`);
    longest = Math.max(longest, served);
  }
  assert(refused > 0, "the hog was never turned away: the test shows nothing");
  assert(longest <= shape.handSize + 1, `the mouse waited for ${longest}`);
}

Deno.test("hands hold different queues, are the same for one flow, and spread", () => {
  const shape = { queues: 128, handSize: 6, queueLengthLimit: 50 };
  const used = new Int32Array(shape.queues);
  let same = 0;
  const first = dealHand("flow 0", shape);
  for (let i = 0; i < 2000; i++) {
    const hand = dealHand(`flow ${i}`, shape);
    assert.equal(new Set(hand).size, 6);
    assert(hand.every((queue) => queue >= 0 && queue < 128));
    assert.deepEqual(hand, dealHand(`flow ${i}`, shape));
    for (const queue of hand) used[queue]++;
    if (i > 0 && hand.every((queue) => first.includes(queue))) same++;
  }
  assert.equal(same, 0);
  const mean = (2000 * 6) / 128;
  assert(used.every((count) => count > mean * 0.5 && count < mean * 1.6), `${[...used]}`);
  const whole = dealHand("x", { queues: 4, handSize: 4, queueLengthLimit: 1 });
  assert.deepEqual([...whole].sort(), [0, 1, 2, 3]);
});
