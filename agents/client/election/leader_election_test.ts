/** Candidates for one lease: cut off, crashed and resigned at chance moments; at most one leads. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { ManualClock } from "../../../tests/fakes/manual_clock.ts";
import { MemoryApi } from "../../../tests/fakes/memory_api.ts";
import { leases } from "../../api/resources.ts";
import { serviceUnavailable } from "../../api/status.ts";
import type { Client } from "../client.ts";
import { acquireLeadership, type ElectionOptions, type Leadership } from "./leader_election.ts";
import { type LeaderRecord, observe, planElection, resigned } from "./plan_leader.ts";

const LEASE = { namespace: "kube-system", name: "kube-scheduler" };

type Times = Pick<ElectionOptions, "durationSeconds" | "renewSeconds" | "retrySeconds">;

/** One process: it begins anew whenever it has lost or left the lead. */
class Process {
  isCutOff = false;
  leads: Leadership | null = null;
  terms = 0;
  #abort = new AbortController();
  #resigned = Promise.withResolvers<void>();

  constructor(
    api: MemoryApi,
    readonly clock: ManualClock,
    readonly identity: string,
    readonly onLead: () => void,
    readonly times: Times = {},
  ) {
    const client = api.client();
    const reachable = new Proxy(client, {
      get: (target, name) => {
        const method = target[name as keyof Client] as (...args: unknown[]) => unknown;
        return (...args: unknown[]) =>
          this.isCutOff
            ? Promise.reject(serviceUnavailable("cut off"))
            : method.apply(target, args);
      },
    });
    void this.#run(reachable);
  }

  async resign(): Promise<void> {
    const { leads } = this;
    this.leads = null;
    await leads?.resign();
    this.#resigned.resolve();
  }

  stop(): void {
    this.#abort.abort();
  }

  async #run(client: Client): Promise<void> {
    const { clock, identity } = this;
    while (!this.#abort.signal.aborted) {
      const lead = await acquireLeadership(
        { client, clock, identity, ...LEASE, ...this.times },
        this.#abort.signal,
      );
      this.leads = lead;
      this.terms++;
      this.onLead();
      this.#resigned = Promise.withResolvers();
      await Promise.race([lead.lost, this.#resigned.promise]);
      if (this.leads === lead) this.leads = null;
    }
  }
}

function world(count: number, times: Times = {}) {
  const clock = new ManualClock();
  const api = new MemoryApi(clock);
  /** Who led at the same time as another began to. */
  const rivals: string[] = [];
  const onLead = () => {
    if (leaders().length > 1) rivals.push(leaders().map(({ identity }) => identity).join(" and "));
  };
  const processes = Array.from(
    { length: count },
    (_, i) => new Process(api, clock, `p${i}`, onLead, times),
  );
  const leaders = () => processes.filter(({ leads }) => leads !== null);
  return { clock, api, processes, leaders, rivals };
}

Deno.test("leader election: one leads, and goes on; cut off, it stops before another begins", async () => {
  const { clock, processes, leaders } = world(3);
  await clock.advance(5_000);
  const [first] = leaders();
  assert.equal(leaders().length, 1);
  await clock.advance(120_000);
  assert.deepEqual(leaders(), [first]);
  assert.equal(first.terms, 1);
  first.isCutOff = true;
  await clock.advance(10_000);
  assert.deepEqual(leaders(), [], "it stops after two thirds of the lease");
  await clock.advance(10_000);
  assert.equal(leaders().length, 1);
  assert.notEqual(leaders()[0], first);
  for (const process of processes) process.stop();
});

Deno.test("leader election: the times of a lease may be set one by one", async () => {
  const times = { durationSeconds: 60, renewSeconds: 4, retrySeconds: 1 };
  const { clock, processes, leaders } = world(2, times);
  await clock.advance(2_000);
  const [first] = leaders();
  first.isCutOff = true;
  await clock.advance(4_500);
  assert.deepEqual(leaders(), [], "it stops after the deadline");
  await clock.advance(40_000);
  assert.deepEqual(leaders(), [], "the lease is not over");
  await clock.advance(30_000);
  assert.equal(leaders().length, 1);
  for (const process of processes) process.stop();
});

Deno.test("leader election: after a resignation the next one need not wait for the lease's end", async () => {
  const { clock, api, processes, leaders } = world(2);
  await clock.advance(5_000);
  const [first] = leaders();
  await first.resign();
  first.isCutOff = true;
  await clock.advance(3_000);
  const [second] = leaders();
  assert.notEqual(second, first);
  const lease = await api.client().get(leases, LEASE);
  assert.equal(lease.spec.holderIdentity, second.identity);
  assert.equal(lease.spec.leaseTransitions, 1);
  assert.match(lease.spec.renewTime, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
  for (const process of processes) process.stop();
});

Deno.test("leader election: never two at once, whatever is cut off", async () => {
  const step = fc.record({
    millis: fc.integer({ min: 100, max: 25_000 }),
    what: fc.constantFrom("cut", "cut", "mend", "resign"),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 4, maxLength: 8 }), async (steps) => {
      const { clock, processes, leaders, rivals } = world(3);
      await clock.advance(5_000);
      for (const { millis, what } of steps) {
        const [leader] = leaders();
        if (what === "mend") { for (const process of processes) process.isCutOff = false; }
        else if (what === "resign") await leader?.resign();
        else if (leader !== undefined) leader.isCutOff = true;
        await clock.advance(millis);
      }
      assert.deepEqual(rivals, []);
      for (const process of processes) process.isCutOff = false;
      await clock.advance(60_000);
      assert.equal(leaders().length, 1, "somebody leads in the end");
      for (const process of processes) process.stop();
    }),
    { numRuns: 3 },
  );
});

Deno.test("leader election: a lease is over by this machine's clock, whatever it says of time", () => {
  const record: LeaderRecord = {
    ...{ holder: "other", durationSeconds: 15, transitions: 3 },
    ...{ acquireTime: "1970-01-01T00:00:00.000000Z", renewTime: "1970-01-01T00:00:00.000000Z" },
  };
  const me = { identity: "me", durationSeconds: 15 };
  const plan = (sinceMillis: number, nowMillis: number, seen = record) =>
    planElection(me, { record: seen, sinceMillis }, { nowMillis, now: "now" });
  assert.deepEqual(plan(1_000, 15_999), { kind: "wait" });
  const taken = { ...me, holder: "me", acquireTime: "now", renewTime: "now", transitions: 4 };
  const { identity: _, ...expected } = taken;
  assert.deepEqual(plan(1_000, 16_000), { kind: "update", record: expected });
  assert.equal(plan(1_000, 1_000, resigned(record, "now")).kind, "update");
  const observed = observe({ record, sinceMillis: 5 }, { ...record }, 9_000);
  assert.equal(observed.sinceMillis, 5, "the same lease is as old as it was");
  assert.equal(observe(observed, { ...record, renewTime: "later" }, 9_000).sinceMillis, 9_000);
});
