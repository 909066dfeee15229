/**
 * Pods with volumes of their own decide by shared columns, and as full decisions do: attach limits,
 * volumes that each lie on one node or in one zone, volumes and claims that come into use.
 */

import assert from "node:assert/strict";
import { BatchDecider } from "../batch.ts";
import { decide, Scratch } from "../decide.ts";
import { TemplateTable } from "../intern.ts";
import { Dice } from "../model/generate.ts";
import { EMPTY_NODE } from "../node_row.ts";
import { NodeTable } from "../node_table.ts";
import { EMPTY_SPEC, NO_VOLUMES } from "../pod_row.ts";
import type { NodeTerm, PodRow, VolumeNeeds } from "../pod_row.ts";
import { buildProfile } from "../profile.ts";

const PROFILE = buildProfile();
const NOMINATIONS = new Map<string, PodRow[]>();
const ZONE = "topology.kubernetes.io/zone";
const HOST = "kubernetes.io/hostname";

function tableOf(nodes: number, limit: number): NodeTable {
  const table = new NodeTable();
  for (let i = 0; i < nodes; i++) {
    const allocatable = {
      cpuMilli: 2000 + 500 * (i % 3),
      memoryBytes: 8e9,
      ephemeralBytes: 0,
      scalars: [],
    };
    const labels = { [HOST]: `n${i}`, [ZONE]: `z${i % 3}` };
    const attachLimits: Readonly<Record<string, number>> = i % 4 === 0 ? {} : { ebs: limit };
    table.setNode({
      ...EMPTY_NODE,
      name: `n${i}`,
      labels,
      allocatable,
      allowedPods: 20,
      attachLimits,
    });
  }
  return table;
}

function runSide(needsOf: (i: number, dice: Dice) => Partial<VolumeNeeds>): number {
  const table = tableOf(50, 3);
  const templates = new TemplateTable();
  const batch = new BatchDecider();
  const scratch = new Scratch();
  const dice = new Dice(11);
  const placed: string[] = [];
  let shared = 0;
  for (let i = 0; i < 200; i++) {
    const requests = { cpuMilli: 100, memoryBytes: 1e8, ephemeralBytes: 0, scalars: [] };
    const volumes = { ...NO_VOLUMES, ...needsOf(i, dice) };
    const template = templates.intern({ ...EMPTY_SPEC, requests, volumes });
    const name = `p${i}`;
    const pod = { uid: name, name, template, terminating: false, nominatedNode: "", startMs: 0 };
    const input = {
      table,
      profile: PROFILE,
      pod: { ...pod, group: "" },
      nominations: NOMINATIONS,
      seed: dice.roll(2 ** 32),
    };
    const { decision } = batch.decide(input);
    assert.deepEqual(decision, decide(input, scratch).decision, `pod ${i}`);
    if (batch.wasShared) shared++;
    if (decision.kind === "placed") {
      table.addPod(input.pod, decision.nodeName);
      placed.push(name);
    }
    if (dice.chance(20) && placed.length > 0) {
      table.removePod(placed.splice(dice.roll(placed.length), 1)[0]);
    }
  }
  return shared;
}

const onNode = (i: number): NodeTerm => ({
  expressions: [{ key: HOST, operator: "In", values: [`n${i}`] }],
  fields: [],
});

Deno.test("pods with a volume of their own share one column, within the nodes' limits", () => {
  const attach = (i: number) => ({ attachments: [{ driver: "ebs", handle: `v${i}` }] });
  assert.ok(runSide(attach) > 190);
});

Deno.test("volumes that lie on a node or in a zone each share the column of the rest", () => {
  assert.ok(runSide((_, dice) => ({ boundTerms: [[onNode(dice.roll(50))]] })) > 100);
  const inZones = (_: number, dice: Dice) => ({
    zones: [{ key: ZONE, values: [`z${dice.roll(3)}`] }],
    boundTerms: [[onNode(dice.roll(50)), onNode(dice.roll(50)), onNode(dice.roll(50))]],
  });
  assert.ok(runSide(inZones) > 100);
});

Deno.test("pods with a disk of their own share one column", () => {
  const disk = (i: number) => ({ disks: [{ name: `d${i}`, isReadOnly: i % 2 === 0 }] });
  assert.ok(runSide(disk) > 190);
});

Deno.test("a volume, claim or disk in use sets its pod apart", () => {
  const sharing = (_: number, dice: Dice) => ({
    attachments: [{ driver: "ebs", handle: `v${dice.roll(60)}` }, { driver: "ebs", handle: "all" }],
    exclusiveClaims: dice.chance(30) ? [`default/c${dice.roll(30)}`] : [],
    disks: [{ name: `d${dice.roll(9)}`, isReadOnly: dice.chance(70) }],
  });
  runSide(sharing);
});
