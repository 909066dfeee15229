/** Placed pods wait for what they need; a gang goes when all of it may, or not at all. */
import assert from "node:assert/strict";
import { EMPTY_SPEC, Scheduler, TemplateTable } from "../../../scheduler/mod.ts";
import { type BindAction, BindingFault, type Preparation } from "./cohorts.ts";
import { toCohorts, WaitingCohorts } from "./cohorts.ts";

const profile = new Scheduler().profiles.get("default-scheduler")!;
const template = new TemplateTable().intern(EMPTY_SPEC);

function action(uid: string, gang = ""): BindAction {
  const pod = { uid, name: uid, template, terminating: false, nominatedNode: "", startMs: 0 };
  const entry = { pod: { ...pod, group: gang }, profile } as BindAction["entry"];
  return { kind: "bind", entry, nodeName: "n1", gang };
}

/** Pods named with a capital need something; it is there once they are in `ready`. */
function preparation(ready: Set<string>, faults: readonly string[] = []): Preparation {
  const uidOf = ({ entry }: BindAction) => entry.pod.uid;
  return {
    needs: (one) => uidOf(one) !== uidOf(one).toLowerCase(),
    start: (one) =>
      faults.includes(uidOf(one))
        ? Promise.reject(new BindingFault(`${uidOf(one)} can't have it`))
        : Promise.resolve(),
    isComplete(one, waitedMillis) {
      if (waitedMillis >= 1000) throw new BindingFault("too late");
      return ready.has(uidOf(one));
    },
    timeouts: () => [2000, 1000],
    undo: () => Promise.resolve(),
  };
}

const uids = (actions: readonly BindAction[]) => actions.map(({ entry }) => entry.pod.uid).join();

Deno.test("who needs nothing is bound at once, and so is a gang of such", () => {
  const actions = [action("a"), action("B"), action("c", "g"), action("d", "g"), action("E", "h")];
  const { free, cohorts } = toCohorts([...actions, action("f", "h")], preparation(new Set()), 0);
  assert.equal(uids(free), "a,c,d");
  assert.deepEqual(cohorts.map((cohort) => uids(cohort.actions)), ["B", "E,f"]);
});

Deno.test("a gang waits for the last of its pods, and fails with the first that can't", async () => {
  const ready = new Set(["A"]);
  const needs = preparation(ready);
  const gang = [action("A", "g"), action("B", "g"), action("c", "g")];
  const waiting = new WaitingCohorts(needs);
  await waiting.start(toCohorts(gang, needs, 0).cohorts[0]);
  assert.deepEqual(waiting.settle(1), { complete: [], failed: [] });
  ready.add("B");
  assert.deepEqual(waiting.settle(2).complete.map(({ actions }) => uids(actions)), ["A,B,c"]);
  assert.equal(waiting.dueMillis, Infinity);

  const refusing = preparation(ready, ["B"]);
  const failing = new WaitingCohorts(refusing);
  await failing.start(toCohorts(gang, refusing, 0).cohorts[0]);
  const { complete, failed: [{ error }] } = failing.settle(1);
  assert.deepEqual([complete, error?.message], [[], "B can't have it"]);
});

Deno.test("nobody waits beyond the time that the profile gives", async () => {
  const needs = preparation(new Set());
  const waiting = new WaitingCohorts(needs);
  await waiting.start(toCohorts([action("A")], needs, 1000).cohorts[0]);
  assert.equal(waiting.dueMillis, 2000);
  assert.deepEqual(waiting.settle(1999).failed, []);
  const [{ error }] = waiting.settle(2000).failed;
  assert.equal(error!.message, "too late");
});
