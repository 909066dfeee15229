/**
 * Random pods with claims or extended resources, bindings that succeed, fail or are told of late:
 * no device is ever held twice or beyond what it has, what is refused gives everything back, and in
 * the end every device can be had again. Run one case with `SEED=n`.
 */

import assert from "node:assert/strict";
import { Dice } from "../model/generate.ts";
import { EMPTY_SPEC, type PodSpecRow } from "../pod_row.ts";
import { Scheduler } from "../scheduler.ts";
import type { Action } from "../action.ts";
import { type Allocation, type ClaimRow, deviceId } from "./device_row.ts";
import type { ClaimBinding } from "./ledger.ts";
import { ask, capacity, claim, device, deviceClass, nodeNamed, onNode, slice } from "./testing.ts";

const CASES = 120;
const STEPS = 30;
const PROFILE = "default-scheduler";
const GPU = "example.com/gpu";
const MEMORY = 4n;

class World {
  readonly dice: Dice;
  readonly scheduler: Scheduler;
  /** Claims as the API has them. */
  readonly claims = new Map<string, ClaimRow>();
  /** Claims whose change the scheduler has not been told of. */
  readonly late: string[] = [];
  /** Uid of a placed pod -> its claim. */
  readonly placed = new Map<string, string>();
  /** Node -> how many devices it has. */
  readonly sizes = new Map<string, number>();
  nowMs = 0;
  #made = 0;

  constructor(seed: number) {
    this.dice = new Dice(seed);
    // A selector is the name of a device, "" = any.
    const matchDevice = ({ name }: { name: string }, selector: string) => name === selector;
    this.scheduler = new Scheduler({ seed, matchDevice });
    this.scheduler.devices.setClass("gpu", deviceClass("gpu", { extendedResource: GPU }));
    for (const name of ["n1", "n2", "n3"]) {
      const allocatable = { cpuMilli: 64_000, memoryBytes: 1e12, ephemeralBytes: 0, scalars: [] };
      this.scheduler.setNode({ ...nodeNamed(name), allocatable, allowedPods: 100 }, 0);
      const devices = Array.from(
        { length: 1 + this.dice.roll(3) },
        (_, i) =>
          device(`d${i}`, {
            pool: name,
            isShareable: this.dice.chance(40),
            capacities: [capacity("memory", MEMORY)],
          }),
      );
      this.sizes.set(name, devices.length);
      this.scheduler.devices.setSlice(
        slice(devices, { name: `s-${name}`, pool: name, reach: onNode(name) }),
      );
    }
  }

  addPod(): void {
    const uid = `p${this.#made++}`;
    if (this.dice.chance(30)) return this.#addExtended(uid);
    const known = [...this.claims.values()].filter(({ extendedFor }) => extendedFor === "");
    const own = this.dice.chance(80) || known.length === 0;
    const key = own ? this.#addClaim(uid) : this.dice.pick(known).key;
    this.#add(uid, { ...EMPTY_SPEC, devices: { claims: [key], rejection: "", containers: [] } });
  }

  #addExtended(uid: string): void {
    const count = 1 + this.dice.roll(2);
    const requests = { ...EMPTY_SPEC.requests, scalars: [{ name: GPU, amount: count }] };
    const extended = [{ resource: GPU, count, index: 0 }];
    const containers = [{ name: "c", index: 0, isShortLived: false, extended }];
    this.#add(uid, { ...EMPTY_SPEC, requests, devices: { claims: [], rejection: "", containers } });
  }

  #add(uid: string, spec: PodSpecRow): void {
    const template = this.scheduler.templates.intern(spec);
    const row = { uid, name: uid, template, terminating: false, nominatedNode: "", startMs: 0 };
    this.scheduler.setPending({ ...row, group: "" }, PROFILE, this.nowMs);
  }

  #addClaim(uid: string): string {
    const part = BigInt(1 + this.dice.roll(Number(MEMORY)));
    const capacities = new Map(this.dice.chance(60) ? [["memory", part]] : []);
    const row = claim(`c-${uid}`, [ask("r", { count: 1 + this.dice.roll(2), capacities })]);
    this.claims.set(row.key, row);
    this.scheduler.devices.setClaim(row.key, row);
    return row.key;
  }

  /** Writes what a binding says, or has it refused. */
  perform(action: Action & { readonly kind: "bind" }): void {
    const { pod } = action.entry;
    const { devices } = this.scheduler;
    if (this.dice.chance(20)) return this.scheduler.refuse(pod.uid, this.nowMs);
    let own = "";
    for (const binding of devices.bindingsOf(pod.uid)) {
      own = binding.key;
      if (binding.extended !== null) own = this.#make(binding, pod.uid);
      else {
        this.#write(binding.key, pod.uid, binding.allocation);
        devices.confirm(binding.key);
      }
    }
    if (this.dice.chance(15)) {
      this.scheduler.refuse(pod.uid, this.nowMs);
      // Else the scheduler ended before it took the claim back.
      if (this.claims.get(own)?.extendedFor && this.dice.chance(60)) this.drop(own);
      return;
    }
    this.scheduler.setAssigned(pod, action.nodeName, this.nowMs);
    this.placed.set(pod.uid, own);
  }

  /** Makes the claim for extended resources. @returns its key */
  #make({ key: pending, allocation, extended }: ClaimBinding, uid: string): string {
    const key = `default/x${this.#made++}`;
    const reservedFor = [uid];
    this.claims.set(key, { ...extended!.row, key, uid: key, allocation, reservedFor });
    const isKnownFirst = this.dice.chance(30);
    if (isKnownFirst) this.tell(key);
    this.scheduler.devices.confirmExtended(pending, { key, uid: key });
    if (!isKnownFirst) this.#tellSometime(key);
    return key;
  }

  /** Deletes a claim. */
  drop(key: string): void {
    this.claims.delete(key);
    this.#tellSometime(key);
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
    this.#tellSometime(key);
  }

  #tellSometime(key: string): void {
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
    if (row.extendedFor !== "") return this.drop(key);
    const reservedFor = row.reservedFor.filter((other) => other !== uid);
    const allocation = reservedFor.length === 0 ? null : row.allocation;
    this.claims.set(key, { ...row, reservedFor, allocation });
    this.tell(key);
  }
}

function check(world: World, note: string): void {
  const holders = new Map<string, string>();
  const taken = new Map<string, bigint>();
  for (const { key, allocation } of world.claims.values()) {
    for (const one of allocation?.devices ?? []) {
      const id = deviceId(one);
      const other = holders.get(id);
      assert(other === undefined || one.share, `${note}: ${id} is held by ${other} and ${key}`);
      holders.set(id, key);
      taken.set(id, (taken.get(id) ?? 0n) + (one.share?.get("memory") ?? 0n));
    }
  }
  for (const [id, amount] of taken) assert(amount <= MEMORY, `${note}: ${id} gives ${amount}`);
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
        const row = world.claims.get(action.idleClaim);
        if (row !== undefined && row.extendedFor !== "") world.drop(row.key);
        if (row === undefined || row.reservedFor.length > 0) continue;
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
    for (const name of ["d0", "d1", "d2"].slice(0, world.sizes.get(node.name))) {
      const wanted = claim(`last-${row}`, [ask("r", { selectors: [name] })]);
      const isFree: boolean = scheduler.devices.tryOn([wanted], node).kind === "allocated";
      const isHeld = idle.some(({ pool, device: held }) => pool === node.name && held === name);
      assert.equal(isFree, !isHeld, `SEED=${seed}: ${node.name}/${name}`);
    }
  }
}

Deno.test("no device is held twice, and none is lost", () => {
  const only = Number(Deno.env.get("SEED") ?? "");
  for (let seed = only || 1; seed <= (only || CASES); seed++) run(seed);
});
