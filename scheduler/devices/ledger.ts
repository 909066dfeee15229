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
import {
  type Allocation,
  type ClaimRow,
  type ClassRow,
  deviceId,
  type DeviceMatcher,
  isUsableOn,
  type SliceRow,
} from "./device_row.ts";
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
  readonly #classes = new Map<string, ClassRow>();
  readonly #claims = new Map<string, ClaimRow>();
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

  /** @param matches what selectors mean; without one, no device is ever selected */
  constructor(matches: DeviceMatcher = () => false) {
    this.#matches = matches;
  }

  setSlice(slice: SliceRow): void {
    this.#pools.set(slice);
  }

  removeSlice(name: string): void {
    this.#pools.remove(name);
  }

  setClass(name: string, row: ClassRow | null): void {
    if (row === null) this.#classes.delete(name);
    else this.#classes.set(name, row);
  }

  hasClass(name: string): boolean {
    return this.#classes.has(name);
  }

  claim(key: string): ClaimRow | undefined {
    return this.#claims.get(key);
  }

  /** @returns whether devices became free. */
  setClaim(key: string, row: ClaimRow | null): boolean {
    const before = this.#claims.get(key);
    if (before?.allocation) this.#count(before.allocation, -1);
    if (row === null) this.#claims.delete(key);
    else this.#claims.set(key, row);
    if (row?.allocation) this.#count(row.allocation, 1);
    const pending = this.#pending.get(key);
    const isSettled = row === null || row.uid !== pending?.claimUid || row.allocation !== null;
    if (pending !== undefined && isSettled) this.#drop(key, pending);
    const held = before !== undefined && before.allocation !== null;
    return held && (row === null || row.allocation === null);
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
      classes: this.#classes,
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
    const outcome = this.tryOn(open, node);
    if (outcome.kind !== "allocated") return false;
    open.forEach((claim, index) => {
      const allocation = outcome.allocations[index];
      this.#pending.set(claim.key, {
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
      bindings.push({ key, uid, allocation: pending?.allocation ?? null });
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
