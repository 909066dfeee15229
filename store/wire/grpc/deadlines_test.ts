/** Deadlines kept by one timer, and calls without a stream that have one. */
import assert from "node:assert/strict";
import fc from "fast-check";
import type { HeaderBlock } from "../http2/header_block.ts";
import { parseHeaderBlock } from "../http2/header_block.ts";
import { ProtoWriter } from "../../mvcc/proto.ts";
import { briefHandler, type UnaryCall } from "./brief_call.ts";
import { Deadlines, type Expiring } from "./deadlines.ts";
import { frameMessage } from "./framing.ts";

/** Time that stands still until told how far to go. */
class Clock {
  now = 0;
  #timers: { at: number; callback: () => void }[] = [];

  after = (delay: number, callback: () => void) => {
    const timer = { at: this.now + delay, callback };
    this.#timers.push(timer);
    return () => void (this.#timers = this.#timers.filter((one) => one !== timer));
  };

  get waiting(): number {
    return this.#timers.length;
  }

  to(time: number): void {
    for (;;) {
      this.#timers.sort((a, b) => a.at - b.at);
      const next = this.#timers[0];
      if (next === undefined || next.at > time) break;
      this.#timers.shift();
      this.now = next.at;
      next.callback();
    }
    this.now = time;
  }
}

class Call implements Expiring {
  bucket: Expiring[] | null = null;
  position = 0;
  expiredAt = -1;
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  expire(): void {
    this.expiredAt = this.#clock.now;
  }
}

Deno.test("no call expires early, or later than two ticks; ended ones never do", () => {
  const step = fc.record({
    wait: fc.nat(400),
    millis: fc.oneof(fc.integer({ min: 1, max: 999 }), fc.integer({ min: 1_000, max: 4_000 })),
    endsAfter: fc.option(fc.nat(5_000)),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const clock = new Clock();
      const deadlines = new Deadlines(clock.after);
      for (const { wait, millis, endsAfter } of steps) {
        clock.to(clock.now + wait);
        const call = new Call(clock);
        const due = clock.now + millis;
        deadlines.add(call, millis);
        if (endsAfter !== null && endsAfter < millis && millis >= 1_000) {
          clock.after(endsAfter, () => deadlines.remove(call));
          clock.after(millis + 300, () => assert.equal(call.expiredAt, -1));
        } else {
          clock.after(millis + 300, () => {
            assert(
              call.expiredAt >= due && call.expiredAt <= due + 200,
              `${call.expiredAt} ${due}`,
            );
          });
        }
      }
      clock.to(clock.now + 10_000);
      assert.equal(clock.waiting, 0, "nothing ticks when nothing is due");
    }),
    { numRuns: 200 },
  );
});

function headersWith(timeout: string): HeaderBlock {
  return parseHeaderBlock([
    ...[":method", "POST", ":scheme", "http", ":path", "/a.B/C", "grpc-timeout", timeout],
  ], "request")!;
}

Deno.test("a call without a stream is told when its time is up, and keeps no deadline when over", () => {
  const clock = new Clock();
  const calls: UnaryCall[] = [];
  const handler = briefHandler({
    run: (message, call) => message[0] === 1 ? call.reply(message) : void calls.push(call),
    model: headersWith("1S"),
    peer: { authorized: false, subject: null } as never,
    deadlines: new Deadlines(clock.after),
    writer: new ProtoWriter(64),
    maxMessageBytes: 100,
    onCallEnd: undefined,
  });
  const said: string[] = [];
  const streams = {
    answer: (id: number) => void said.push(`${id} answered`),
    promote: (id: number) => ({
      respond: (_: number, fields: string[]) => said.push(`${id} ${fields.slice(2).join(" ")}`),
    } as never),
  };
  const run = (id: number, timeout: string, kind: number) => {
    const body = frameMessage(Uint8Array.of(kind));
    handler.run(body, 0, body.length, streams, id, headersWith(timeout));
  };
  run(1, "2S", 0);
  run(3, "2S", 1);
  run(5, "200m", 0);
  run(7, "2 S", 0);
  clock.to(1_000);
  calls[1].reply(new Uint8Array(0));
  clock.to(3_000);
  calls[0].reply(new Uint8Array(0));
  const late = "grpc-status 4 grpc-message context deadline exceeded";
  assert.deepEqual(said, [
    "3 answered",
    "7 grpc-status 13 grpc-message malformed grpc-timeout: 2 S",
    `5 ${late}`,
    `1 ${late}`,
  ]);
  assert.equal(clock.waiting, 0);
});
