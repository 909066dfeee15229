/**
 * The column scheduler against the obviously correct one: the same feasible nodes, the same
 * reasons, the same total of every node, over random clusters; and shared columns against full
 * decisions. A failure names the seed: run with `SEED=n`.
 */

import assert from "node:assert/strict";
import { BatchDecider } from "../batch.ts";
import { decide, reasonsOf, Scratch } from "../decide.ts";
import { TemplateTable } from "../intern.ts";
import { NodeTable } from "../node_table.ts";
import { FEASIBLE } from "../plugin.ts";
import type { PodRow, PodSpecRow } from "../pod_row.ts";
import { buildProfile } from "../profile.ts";
import { Dice, randomNode, randomSpec, withOwnVolumes } from "./generate.ts";
import { naiveReasons, naiveTotals } from "./naive.ts";
import type { NaiveCluster, NaiveNode } from "./naive.ts";

const PROFILE = buildProfile();
const NO_NOMINATIONS = new Map<string, PodRow[]>();
const NAMESPACES = new Map([["one", { team: "red" }], ["two", { team: "blue" }]]);

/** One cluster in both forms, changed in step. */
class Twins {
  readonly table = new NodeTable();
  readonly templates = new TemplateTable();
  nodes: NaiveNode[] = [];
  #uids = 0;

  constructor(readonly dice: Dice, count: number) {
    for (const [name, labels] of NAMESPACES) this.table.setNamespace(name, labels);
    for (let i = 0; i < count; i++) this.setNode(`n${i}`);
  }

  get naive(): NaiveCluster {
    return { nodes: this.nodes, namespaces: NAMESPACES };
  }

  pod(spec: PodSpecRow): PodRow {
    return {
      uid: `u${this.#uids++}`,
      name: "pod",
      template: this.templates.intern(spec),
      terminating: this.dice.chance(5),
      nominatedNode: "",
      startMs: 0,
      group: "",
    };
  }

  setNode(name: string): void {
    const row = randomNode(this.dice, name);
    this.table.setNode(row);
    const known = this.nodes.findIndex((node) => node.row.name === name);
    if (known < 0) this.nodes.push({ row, pods: [] });
    else this.nodes[known] = { row, pods: this.nodes[known].pods };
  }

  removeNode(): void {
    const [gone] = this.nodes.splice(this.dice.roll(this.nodes.length), 1);
    for (const pod of gone.pods) this.table.removePod(pod.uid);
    this.table.removeNode(gone.row.name);
  }

  place(pod: PodRow, nodeName: string): void {
    this.table.addPod(pod, nodeName);
    this.nodes.find(({ row }) => row.name === nodeName)!.pods.push(pod);
  }

  removeAPod(): void {
    const node = this.dice.pick(this.nodes);
    const pod = node.pods.splice(this.dice.roll(node.pods.length), 1)[0];
    if (pod !== undefined) this.table.removePod(pod.uid);
  }
}

function check(twins: Twins, pod: PodRow, scratch: Scratch, seed: number): void {
  const { table } = twins;
  const input = { table, profile: PROFILE, pod, nominations: NO_NOMINATIONS, seed };
  const quick = decide(input, scratch).decision;
  const { decision, filtering } = decide({ ...input, inFull: true }, scratch);
  assert.deepEqual(quick, decision);
  const feasible: NaiveNode[] = [];
  for (const node of twins.nodes) {
    const expected = naiveReasons(twins.naive, pod, node);
    const verdict = scratch.verdicts[table.rowOf(node.row.name)];
    if (filtering.rejection === "" && filtering.onlyNodes === null) {
      assert.deepEqual(verdict === FEASIBLE ? [] : reasonsOf(filtering, verdict), expected);
    }
    if (expected.length === 0) feasible.push(node);
  }
  if (feasible.length === 0) {
    assert.equal(decision.kind, "unschedulable");
    return;
  }
  assert.equal(decision.kind === "placed" && decision.feasibleCount, feasible.length);
  const totals = naiveTotals(twins.naive, pod, feasible);
  const best = Math.max(...totals.values());
  for (const node of feasible) {
    const total = scratch.totals[table.rowOf(node.row.name)];
    assert.equal(total, totals.get(node), `total of ${node.row.name}`);
  }
  if (decision.kind !== "placed") return;
  assert.equal(scratch.totals[decision.row], best);
  if (twins.dice.chance(70)) twins.place(pod, decision.nodeName);
}

function seeds(count: number): number[] {
  const only = Deno.env.get("SEED");
  return only === undefined ? Array.from({ length: count }, (_, i) => i + 1) : [Number(only)];
}

function replaying(seed: number, run: () => void): void {
  try {
    run();
  } catch (error) {
    throw new Error(`replay with SEED=${seed} deno test -A scheduler/model`, { cause: error });
  }
}

Deno.test("a hundred thousand decisions are those of the naive model", () => {
  const scratch = new Scratch();
  let decisions = 0;
  for (const seed of seeds(2_600)) {
    replaying(seed, () => {
      const dice = new Dice(seed);
      const twins = new Twins(dice, 1 + dice.roll(12));
      for (let step = 0; step < 40; step++) {
        if (dice.chance(8)) twins.setNode(`n${dice.roll(14)}`);
        if (dice.chance(4) && twins.nodes.length > 1) twins.removeNode();
        if (dice.chance(15)) twins.removeAPod();
        check(twins, twins.pod(randomSpec(dice)), scratch, seed * 1000 + step);
        decisions++;
      }
    });
  }
  assert.ok(decisions >= 100_000 || Deno.env.get("SEED") !== undefined);
});

Deno.test("shared columns decide as full decisions do", () => {
  const scratch = new Scratch();
  let shared = 0;
  let decisions = 0;
  for (const seed of seeds(120)) {
    replaying(seed, () => {
      const dice = new Dice(seed);
      const twins = new Twins(dice, 5 + dice.roll(60));
      const batch = new BatchDecider();
      const specs = Array.from({ length: 4 }, (_, i) => randomSpec(dice, i < 1));
      for (let step = 0; step < 250; step++) {
        if (dice.chance(1)) twins.setNode(`n${dice.roll(70)}`);
        if (dice.chance(10)) twins.removeAPod();
        const pod = twins.pod(withOwnVolumes(dice, dice.pick(specs)));
        const input = {
          table: twins.table,
          profile: PROFILE,
          pod,
          nominations: NO_NOMINATIONS,
          seed: dice.roll(2 ** 32),
        };
        const outcome = batch.decide(input);
        if (batch.wasShared) shared++;
        const full = decide(input, scratch);
        assert.deepEqual(outcome.decision, full.decision, `step ${step}`);
        assert.equal(outcome.helpable, full.helpable);
        decisions++;
        if (full.decision.kind === "placed") twins.place(pod, full.decision.nodeName);
        else if (dice.chance(50)) twins.removeAPod();
      }
    });
  }
  assert.ok(shared > decisions * 0.8, `${shared} of ${decisions} were shared`);
});
