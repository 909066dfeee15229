/**
 * Random pods with claims, bindings that succeed, fail or are told of late: no device is ever held
 * twice, what is refused gives everything back, and in the end all that fits is placed. Run one
 * case with `SEED=n`.
 */

import assert from "node:assert/strict";
import { Dice } from "../model/generate.ts";
import { EMPTY_SPEC } from "../pod_row.ts";
import { Scheduler } from "../scheduler.ts";
import type { Action } from "../action.ts";
import { type Allocation, type ClaimRow, deviceId } from "./device_row.ts";
import { ask, claim, device, deviceClass, nodeNamed, onNode, slice } from "./testing.ts";

const CASES = 200;
const STEPS = 30;
const PROFILE = "default-scheduler";

class World {
  readonly dice: Dice;
  readonly scheduler: Scheduler;
  /** Claims as the API has them. */
  readonly claims = new Map<string, ClaimRow>();
  /** Claims whose change the scheduler has not been told of. */
  readonly late: string[] = [];
  /** Uid of a placed pod -> its claim. */
  readonly placed = new Map<string, string>();
  nowMs = 0;
  #made = 0;

  constructor(seed: number) {
    this.dice = new Dice(seed);
    this.scheduler = new Scheduler({ seed, matchDevice: () => true });
    this.scheduler.devices.setClass("gpu", deviceClass("gpu"));
    for (const name of ["n1", "n2", "n3"]) {
      const allocatable = { cpuMilli: 64_000, memoryBytes: 1e12, ephemeralBytes: 0, scalars: [] };
      this.scheduler.setNode({ ...nodeNamed(name), allocatable, allowedPods: 100 }, 0);
      const devices = Array.from(
        { length: 1 + this.dice.roll(3) },
        (_, i) => device(`d${i}`, { pool: name }),
      );
      this.scheduler.devices.setSlice(
        slice(devices, { name: `s-${name}`, pool: name, reach: onNode(name) }),
      );
    }
  }

  addPod(): void {
    const uid = `p${this.#made++}`;
    const own = this.dice.chance(80) || this.claims.size === 0;
    const key = own ? this.#addClaim(uid) : this.dice.pick([...this.claims.keys()]);
    const devices = { claims: [key], rejection: "", containers: [] };
    const template = this.scheduler.templates.intern({ ...EMPTY_SPEC, devices });
    const row = { uid, name: uid, template, terminating: false, nominatedNode: "", startMs: 0 };
    this.scheduler.setPending({ ...row, group: "" }, PROFILE, this.nowMs);
  }

  #addClaim(uid: string): string {
    const row = claim(`c-${uid}`, [ask("r", { count: 1 + this.dice.roll(2) })]);
    this.claims.set(row.key, row);
    this.scheduler.devices.setClaim(row.key, row);
    return row.key;
  }

  /** Writes what a binding says, or has it refused. */
  perform(action: Action & { readonly kind: "bind" }): void {
    const { pod } = action.entry;
    const { devices } = this.scheduler;
    if (this.dice.chance(20)) return this.scheduler.refuse(pod.uid, this.nowMs);
    for (const { key, allocation } of devices.bindingsOf(pod.uid)) {
      this.#write(key, pod.uid, allocation);
      devices.confirm(key);
    }
    if (this.dice.chance(15)) return this.scheduler.refuse(pod.uid, this.nowMs);
    this.scheduler.setAssigned(pod, action.nodeName, this.nowMs);
    this.placed.set(pod.uid, pod.template.spec.devices.claims[0]);
  }

  #write(key: string, uid: string, allocation: Allocation | null): void {
    const before = this.claims.get(key)!;
    const given = before.allocation ?? allocation;
    assert(given !== null, "a pod is bound whose claim has nothing");
    this.claims.set(key, {
      ...before,
      allocation: given,
      reservedFor: [...before.reservedFor, uid],
    });
    if (this.dice.chance(50)) this.late.push(key);
    else this.tell(key);
  }

  tell(key: string): void {
    const row = this.claims.get(key) ?? null;
    const freed = this.scheduler.devices.setClaim(key, row);
    this.scheduler.notify({ resource: "claim", key, freed }, this.nowMs);
  }

  tellLate(): void {
    for (const key of this.late.splice(0)) this.tell(key);
  }

  endPod(uid: string): void {
    const key = this.placed.get(uid)!;
    this.placed.delete(uid);
    this.scheduler.removePod(uid, this.nowMs);
    this.tellLate();
    const row = this.claims.get(key)!;
    const reservedFor = row.reservedFor.filter((other) => other !== uid);
    const allocation = reservedFor.length === 0 ? null : row.allocation;
    this.claims.set(key, { ...row, reservedFor, allocation });
    this.tell(key);
  }
}

function check(world: World, note: string): void {
  const holders = new Map<string, string>();
  for (const { key, allocation } of world.claims.values()) {
    for (const one of allocation?.devices ?? []) {
      const id = deviceId(one);
      assert(!holders.has(id), `${note}: ${id} is held by ${holders.get(id)} and ${key}`);
      holders.set(id, key);
    }
  }
}

function run(seed: number): void {
  const world = new World(seed);
  const { dice, scheduler } = world;
  for (let step = 0; step < STEPS; step++) {
    world.nowMs += dice.pick([0, 1500, 12_000]);
    if (dice.chance(60)) world.addPod();
    else if (world.placed.size > 0) world.endPod(dice.pick([...world.placed.keys()]));
    if (dice.chance(50)) world.tellLate();
    for (const action of scheduler.plan(world.nowMs, 100)) {
      if (action.kind === "bind") world.perform(action);
      else if (action.idleClaim) {
        const row = world.claims.get(action.idleClaim)!;
        if (row.reservedFor.length > 0) continue;
        world.claims.set(row.key, { ...row, allocation: null });
        world.tell(row.key);
      }
    }
    check(world, `SEED=${seed} step ${step}`);
  }
  // With everything over and told of, every device can be had again.
  for (const uid of [...world.placed.keys()]) world.endPod(uid);
  world.tellLate();
  const idle = [...world.claims.values()].flatMap(({ allocation }) => allocation?.devices ?? []);
  for (const [row, node] of scheduler.table.nodes.entries()) {
    if (node === undefined) continue;
    const watched = claim(`all-${row}`, [ask("r", { mode: "All" })]);
    const free = scheduler.devices.tryOn([watched], node).kind === "allocated";
    const isHeld = idle.some(({ pool }) => pool === node.name);
    assert.equal(free, !isHeld, `SEED=${seed}: ${node.name}`);
  }
}

Deno.test("no device is held twice, and none is lost", () => {
  const only = Number(Deno.env.get("SEED") ?? "");
  for (let seed = only || 1; seed <= (only || CASES); seed++) run(seed);
});
