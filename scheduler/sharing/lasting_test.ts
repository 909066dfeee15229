/**
 * Which pods get a column to share: those whose equals came a little while ago. One that comes back
 * late is decided in full, as its column would be dropped before the next; every decision is the
 * same either way.
 */

import assert from "node:assert/strict";
import { BatchDecider } from "../batch.ts";
import { decide, Scratch } from "../decide.ts";
import { TemplateTable } from "../intern.ts";
import { EMPTY_NODE } from "../node_row.ts";
import { NodeTable } from "../node_table.ts";
import { EMPTY_POD, EMPTY_SPEC } from "../pod_row.ts";
import type { PodRow } from "../pod_row.ts";
import { buildProfile } from "../profile.ts";

const PROFILE = buildProfile();

class Stream {
  readonly #table = new NodeTable();
  readonly #templates = new TemplateTable();
  readonly #batch = new BatchDecider();
  readonly #scratch = new Scratch();
  #uids = 0;

  constructor() {
    for (let i = 0; i < 9; i++) this.setNode(`n${i}`, 64_000);
  }

  setNode(name: string, cpuMilli: number): void {
    const allocatable = { cpuMilli, memoryBytes: 2 ** 36, ephemeralBytes: 0, scalars: [] };
    this.#table.setNode({ ...EMPTY_NODE, name, allocatable, allowedPods: 500 });
  }

  /** Decides and places one pod. @returns whether it shared a column */
  next(job: string): boolean {
    const requests = { cpuMilli: 10, memoryBytes: 2 ** 20, ephemeralBytes: 0, scalars: [] };
    const template = this.#templates.intern({ ...EMPTY_SPEC, labels: { job }, requests });
    const uid = `u${this.#uids++}`;
    const pod: PodRow = { ...EMPTY_POD, uid, name: uid, template };
    const input = {
      table: this.#table,
      profile: PROFILE,
      pod,
      nominations: new Map(),
      seed: this.#uids,
    };
    const { decision } = this.#batch.decide(input);
    assert.deepEqual(decision, decide(input, this.#scratch).decision);
    assert.equal(decision.kind, "placed");
    if (decision.kind === "placed") this.#table.addPod(pod, decision.nodeName);
    return this.#batch.wasShared;
  }
}

Deno.test("equal pods share a column from the second on, also among others", () => {
  const stream = new Stream();
  assert.equal(stream.next("a"), false);
  for (let i = 0; i < 30; i++) {
    assert.equal(stream.next("a"), true);
    for (let other = 0; other < 5; other++) assert.equal(stream.next(`${i} ${other}`), false);
  }
});

Deno.test("a pod whose equal came long ago is new again", () => {
  const stream = new Stream();
  stream.next("a");
  for (let i = 0; i < 400; i++) stream.next(`other ${i}`);
  assert.equal(stream.next("a"), false);
  assert.equal(stream.next("a"), true);
});

Deno.test("a column in use is made anew at once when a node changes", () => {
  const stream = new Stream();
  for (let i = 0; i < 400; i++) stream.next("a");
  stream.setNode("n3", 32_000);
  assert.equal(stream.next("a"), true);
});
