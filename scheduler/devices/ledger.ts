/**
 * Who holds which device: what claims say, and what was promised to pods that are being bound.
 * In: slices, classes and claims as the API tells of them; pods placed and taken back. Out: what a
 * node could give to a pod's claims, and what was chosen where the pod was placed.
 * Never: gives a device to two claims, unless one only watches (admin access). Writes nothing.
 * Source: the claim tracker of Kubernetes v1.36 scheduler plugin DynamicResources.
 */

import type { NodeRow } from "../node_row.ts";
import type { PodRow } from "../pod_row.ts";
import { allocate, type AllocateOutcome } from "./allocate.ts";
import { Shares } from "./capacity.ts";
import { DeviceClasses } from "./classes.ts";
import {
  type Allocation,
  type ClaimRow,
  type ClassRow,
  deviceId,
  type DeviceMatcher,
  isUsableOn,
  type SliceRow,
} from "./device_row.ts";
import { type ExtendedClaim, ExtendedNeeds } from "./extended_resources.ts";
import { Pools } from "./pools.ts";

/** An allocation that no claim shows yet. */
interface Pending {
  readonly claimUid: string;
  readonly allocation: Allocation;
  /** Group in whose attempt it was made, "" = none: its pods may share it. */
  readonly group: string;
  readonly users: Set<string>;
  /** Set once the API has it: from then on only the claim itself can end it. */
  isWritten: boolean;
}

/** What binding a pod has to write into one claim. */
export interface ClaimBinding {
  readonly key: string;
  readonly uid: string;
  /** null = it has one already. */
  readonly allocation: Allocation | null;
  /** Set where the claim is yet to be made, for extended resources. */
  readonly extended: ExtendedClaim | null;
}

/** What is known of a claim before any node is looked at. */
export type ClaimState =
  | { readonly kind: "missing" }
  | { readonly kind: "allocated"; readonly claim: ClaimRow; readonly allocation: Allocation }
  | { readonly kind: "underWay"; readonly claim: ClaimRow }
  | { readonly kind: "open"; readonly claim: ClaimRow };

export class DeviceLedger {
  readonly #matches: DeviceMatcher;
  readonly #pools = new Pools();
  readonly #classes = new DeviceClasses();
  readonly #onRemap: () => void;
  readonly #claims = new Map<string, ClaimRow>();
  /** Uid of a pod -> the claim that was made for its extended resources. */
  readonly #extended = new Map<string, string>();
  readonly #pending = new Map<string, Pending>();
  /** Uid of a pod -> claims in whose pending allocations it has a part. */
  readonly #usedBy = new Map<string, string[]>();
  readonly #bindings = new Map<string, readonly ClaimBinding[]>();
  /** Device id -> how many claims hold it alone; what they hold parts of. */
  readonly #taken = new Map<string, number>();
  readonly #shares = new Shares();
  /** Group whose attempt is under way, "" = none. */
  group = "";
  /** Time of the decisions that are made, milliseconds. */
  nowMs = 0;

  /**
   * @param matches what selectors mean; without one, no device is ever selected
   * @param onRemap called when devices come to stand for other extended resources
   */
  constructor(matches: DeviceMatcher = () => false, onRemap: () => void = () => {}) {
    this.#matches = matches;
    this.#onRemap = onRemap;
  }

  setSlice(slice: SliceRow): void {
    this.#pools.set(slice);
  }

  removeSlice(name: string): void {
    this.#pools.remove(name);
  }

  setClass(name: string, row: ClassRow | null): void {
    if (this.#classes.set(name, row)) this.#onRemap();
  }

  hasClass(name: string): boolean {
    return this.#classes.byName.has(name);
  }

  /** @returns whether devices stand for an extended resource, where a node has none of its own. */
  isBacked(resource: string): boolean {
    return this.#classes.ofResource(resource) !== "";
  }

  /** @returns what the pod's extended resources need; null where devices stand for none of them. */
  extendedNeeds(pod: PodRow): ExtendedNeeds | null {
    const { containers } = pod.template.spec.devices;
    if (containers.length === 0 || this.#classes.byName.size === 0) return null;
    const needs = new ExtendedNeeds(pod, (resource) => this.#classes.ofResource(resource));
    return needs.areBacked ? needs : null;
  }

  isAskedBy(pod: PodRow): boolean {
    return pod.template.spec.devices.claims.length > 0 || this.extendedNeeds(pod) !== null;
  }

  /** @returns the claim that an earlier try made for the pod's extended resources, "" = none. */
  staleClaim(pod: PodRow): string {
    return this.extendedNeeds(pod) === null ? "" : this.#extended.get(pod.uid) ?? "";
  }

  /**
   * @param idleClaim what `idleClaim` found
   * @returns what a refusal of the pod says of claims that are given up
   */
  wordsOn(pod: PodRow, idleClaim: string): string {
    if (!this.isAskedBy(pod)) return "no new claims to deallocate";
    if (idleClaim === "") return "still not schedulable";
    const isExtended = this.#claims.get(idleClaim)?.extendedFor !== "";
    return `${isExtended ? "deletion" : "deallocation"} of ResourceClaim completed`;
  }

  claim(key: string): ClaimRow | undefined {
    return this.#claims.get(key);
  }

  /** @returns whether devices became free. */
  setClaim(key: string, row: ClaimRow | null): boolean {
    const before = this.#claims.get(key);
    if (before?.allocation) this.#count(before.allocation, -1);
    if (before !== undefined) this.#extended.delete(before.extendedFor);
    if (row === null) this.#claims.delete(key);
    else this.#claims.set(key, row);
    if (row !== null && row.extendedFor !== "") this.#extended.set(row.extendedFor, key);
    if (row?.allocation) this.#count(row.allocation, 1);
    const pending = this.#pending.get(key);
    const isSettled = row === null || row.uid !== pending?.claimUid || row.allocation !== null;
    if (pending !== undefined && isSettled) this.#drop(key, pending);
    if (before === undefined) return false;
    // The pod of a claim that an earlier try made waits for its end, allocated or not.
    if (row === null) return before.allocation !== null || before.extendedFor !== "";
    return before.allocation !== null && row.allocation === null;
  }

  stateOf(key: string, pod: PodRow): ClaimState {
    const claim = this.#claims.get(key);
    if (claim === undefined) return { kind: "missing" };
    const { allocation } = claim;
    if (allocation !== null) return { kind: "allocated", claim, allocation };
    const pending = this.#pending.get(key);
    if (pending === undefined) return { kind: "open", claim };
    const shares = pending.group !== "" && pending.group === this.group &&
      pending.group === pod.group;
    if (shares) return { kind: "allocated", claim, allocation: pending.allocation };
    return { kind: "underWay", claim };
  }

  /** What a node could give to claims that have nothing yet. */
  tryOn(claims: readonly ClaimRow[], node: NodeRow): AllocateOutcome {
    return allocate({
      claims,
      node,
      views: this.#pools.on(node),
      classes: this.#classes.byName,
      matches: this.#matches,
      isTaken: (id) => this.#taken.has(id),
      shares: this.#shares,
    });
  }

  /**
   * @param timeoutMs how long its devices may take to be ready
   * @returns whether a claim holds devices that are of no use to it
   */
  isGivenUp({ readiness: { isReady, failure, allocatedMs } }: ClaimRow, timeoutMs: number) {
    if (failure !== "") return true;
    return !isReady && allocatedMs !== null && allocatedMs + timeoutMs < this.nowMs;
  }

  /**
   * @param nodes all there are; undefined where a row is empty
   * @param timeoutMs how long devices may take to be ready
   * @returns a claim of the pod that nobody else uses and that some node can't reach, or that is
   * given up, "" = none
   */
  idleClaim(pod: PodRow, nodes: readonly (NodeRow | undefined)[], timeoutMs: number): string {
    const stale = this.staleClaim(pod);
    if (stale !== "") return stale;
    const found = pod.template.spec.devices.claims.find((key) => {
      const claim = this.#claims.get(key);
      if (!claim?.allocation || claim.reservedFor.some((uid) => uid !== pod.uid)) return false;
      const { allocation } = claim;
      if (this.isGivenUp(claim, timeoutMs)) return true;
      return nodes.some((node) => node !== undefined && !isUsableOn(allocation, node));
    });
    return found ?? "";
  }

  /**
   * Takes the devices for a pod that was placed; the search that passed the node finds the same
   * devices again. @returns false when the node has none, and nothing is taken
   */
  reserve(pod: PodRow, node: NodeRow): boolean {
    const states = pod.template.spec.devices.claims.map((key) => this.stateOf(key, pod));
    const open = states.flatMap((state) => state.kind === "open" ? [state.claim] : []);
    const need = this.extendedNeeds(pod)?.on(node);
    const extended = need?.kind === "claim" ? need.claim : null;
    const outcome = this.tryOn(extended === null ? open : [...open, extended.row], node);
    if (outcome.kind !== "allocated") return false;
    outcome.allocations.forEach((allocation, index) => {
      // What is not made yet has no key of its own.
      const claim = open[index] ?? extended!.row;
      const key = index < open.length ? claim.key : claim.uid;
      this.#pending.set(key, {
        claimUid: claim.uid,
        allocation,
        group: this.group,
        users: new Set(),
        isWritten: false,
      });
      this.#count(allocation, 1);
    });
    const bindings: ClaimBinding[] = [];
    const used: string[] = [];
    for (const state of states) {
      if (state.kind === "missing" || state.kind === "underWay") continue;
      const { key, uid } = state.claim;
      const pending = this.#pending.get(key);
      pending?.users.add(pod.uid);
      if (pending !== undefined) used.push(key);
      const allocation = pending?.allocation ?? null;
      bindings.push({ key, uid, allocation, extended: null });
    }
    if (extended !== null) {
      const key = extended.row.uid;
      const pending = this.#pending.get(key)!;
      pending.users.add(pod.uid);
      used.push(key);
      bindings.push({ key, uid: key, allocation: pending.allocation, extended });
    }
    this.#usedBy.set(pod.uid, used);
    this.#bindings.set(pod.uid, bindings);
    return true;
  }

  /** @returns what is to be written for a placed pod, in the order of its claims. */
  bindingsOf(uid: string): readonly ClaimBinding[] {
    return this.#bindings.get(uid) ?? [];
  }

  /** Says that the API has taken an allocation; the claim will show it. */
  confirm(key: string): void {
    const pending = this.#pending.get(key);
    if (pending !== undefined) pending.isWritten = true;
  }

  /** Says as which claim of the API one for extended resources was made and written. */
  confirmExtended(key: string, made: { readonly key: string; readonly uid: string }): void {
    const pending = this.#pending.get(key);
    if (pending === undefined) return;
    const isShown = this.#claims.get(made.key)?.allocation;
    if (isShown) return this.#drop(key, pending);
    this.#pending.delete(key);
    this.#pending.set(made.key, { ...pending, claimUid: made.uid, isWritten: true });
  }

  /** Gives up a pod's part in allocations that nobody has written. @returns whether one ended */
  release(uid: string): boolean {
    let freed = false;
    for (const key of this.#usedBy.get(uid) ?? []) {
      const pending = this.#pending.get(key);
      if (pending === undefined) continue;
      pending.users.delete(uid);
      if (pending.users.size > 0 || pending.isWritten) continue;
      this.#drop(key, pending);
      freed = true;
    }
    this.#usedBy.delete(uid);
    this.#bindings.delete(uid);
    return freed;
  }

  #drop(key: string, pending: Pending): void {
    this.#pending.delete(key);
    this.#count(pending.allocation, -1);
  }

  #count({ devices }: Allocation, sign: 1 | -1): void {
    for (const device of devices) {
      if (device.adminAccess) continue;
      const id = deviceId(device);
      if (device.share !== null) {
        if (sign === 1) this.#shares.add(id, device.share);
        else this.#shares.remove(id, device.share);
        continue;
      }
      const count = (this.#taken.get(id) ?? 0) + sign;
      if (count === 0) this.#taken.delete(id);
      else this.#taken.set(id, count);
    }
  }
}
