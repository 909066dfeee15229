/**
 * Pod groups: which pods belong together, how many it takes, how many there are.
 * In: groups with their least number of pods, pods that wait, pods that have a node. Out: why a
 * waiting pod is held back, and who is to be placed with it.
 * Never: places pods; the scheduler places a group whole or not at all.
 * Source: Kubernetes v1.36 scheduling.k8s.io PodGroup and the GangScheduling plugin.
 */

import type { PodRow } from "../pod_row.ts";

/** What a group asks for: pods that must be placed together, 0 = each on its own. */
export interface GroupPolicy {
  readonly minCount: number;
  /** Label of nodes; all pods of the group go where it has one value. Absent or "" = anywhere. */
  readonly topologyKey?: string;
}

interface Group {
  policy: GroupPolicy | null;
  readonly waiting: Set<string>;
  readonly placed: Set<string>;
}

const TOO_FEW = "waiting for minCount pods from a gang to appear in scheduling queue";

export class Gangs {
  readonly #groups = new Map<string, Group>();
  /** Uid -> the group that counts it. */
  readonly #groupOf = new Map<string, string>();
  /** Groups of which some pods have a node, but too few. */
  readonly #torn = new Set<string>();

  /** Sets what a group asks for; null forgets the group. */
  setPolicy(name: string, policy: GroupPolicy | null): void {
    this.#group(name).policy = policy;
    this.#settle(name);
  }

  /** Counts a pod that waits for a node. */
  wait(pod: PodRow): void {
    this.#count(pod, "waiting");
  }

  /** Counts a pod that has a node. */
  place(pod: PodRow): void {
    this.#count(pod, "placed");
  }

  /** Forgets a pod that is gone. */
  remove(uid: string): void {
    const name = this.#groupOf.get(uid);
    if (name === undefined) return;
    const group = this.#groups.get(name)!;
    group.waiting.delete(uid);
    group.placed.delete(uid);
    this.#groupOf.delete(uid);
    this.#settle(name);
  }

  /** @returns why the pod may not be tried yet, "" when it may. */
  gate({ group: name }: PodRow): string {
    if (name === "") return "";
    const group = this.#groups.get(name);
    if (group === undefined || group.policy === null) {
      const own = name.slice(name.indexOf("/") + 1);
      return `waiting for pods's pod group "${own}" to appear in scheduling queue`;
    }
    const count = group.waiting.size + group.placed.size;
    return count < group.policy.minCount ? TOO_FEW : "";
  }

  /** @returns how many more pods of the group must get a node before any may start. */
  missing(name: string): number {
    const group = this.#groups.get(name);
    return Math.max(0, (group?.policy?.minCount ?? 0) - (group?.placed.size ?? 0));
  }

  /** @returns the label that keeps the group's pods together, "" when none does. */
  topologyOf(name: string): string {
    return this.#groups.get(name)?.policy?.topologyKey ?? "";
  }

  /** @returns whether the waiting pods of the group are placed as one. */
  goesTogether(name: string): boolean {
    return name !== "" && (this.missing(name) > 0 || this.topologyOf(name) !== "");
  }

  /** @returns uids of the pods of a group that have a node. */
  placed(name: string): Iterable<string> {
    return this.#groups.get(name)?.placed ?? [];
  }

  /** @returns uids of the pods of a group that wait for a node. */
  waiting(name: string): readonly string[] {
    return [...this.#groups.get(name)?.waiting ?? []];
  }

  /**
   * A scheduler that ended between two bindings of a group leaves it torn; so does a pod of it that
   * is deleted. What it lacks goes before everything else.
   *
   * @returns one waiting pod of each torn group.
   */
  *torn(): Iterable<string> {
    for (const name of this.#torn) {
      const [first] = this.#groups.get(name)!.waiting;
      if (first !== undefined) yield first;
    }
  }

  #count(pod: PodRow, as: "waiting" | "placed"): void {
    this.remove(pod.uid);
    if (pod.group === "") return;
    this.#group(pod.group)[as].add(pod.uid);
    this.#groupOf.set(pod.uid, pod.group);
    this.#settle(pod.group);
  }

  #group(name: string): Group {
    let group = this.#groups.get(name);
    if (group === undefined) {
      group = { policy: null, waiting: new Set(), placed: new Set() };
      this.#groups.set(name, group);
    }
    return group;
  }

  #settle(name: string): void {
    const { policy, waiting, placed } = this.#groups.get(name)!;
    if (placed.size > 0 && placed.size < (policy?.minCount ?? 0)) this.#torn.add(name);
    else this.#torn.delete(name);
    if (policy === null && waiting.size === 0 && placed.size === 0) this.#groups.delete(name);
  }
}
