/**
 * Which pods are promised to which nodes, by a preemption that clears the node for them.
 * In: pods and the nodes promised to them. Out: the promised pods of each node.
 * Never: counts them in the table; filters ask about a row with and without them. A change marks
 * the row as changed, so that what was derived from it is looked at again.
 * Source: the pod nominator of Kubernetes v1.36.
 */

import type { NodeTable } from "../node_table.ts";
import type { PodRow } from "../pod_row.ts";

/** Pods that a preemption promised a node, by node name. */
export type Nominations = ReadonlyMap<string, readonly PodRow[]>;

export class NominatedPods {
  readonly #table: NodeTable;
  readonly #byNode = new Map<string, PodRow[]>();
  /** Uid of a promised pod -> its node. */
  readonly #nodeOf = new Map<string, string>();

  constructor(table: NodeTable) {
    this.#table = table;
  }

  get byNode(): Nominations {
    return this.#byNode;
  }

  /** @returns the pods promised to a node that are less important than a priority. */
  below(nodeName: string, priority: number): readonly PodRow[] {
    const promised = this.#byNode.get(nodeName) ?? [];
    return promised.filter(({ template }) => template.spec.priority < priority);
  }

  /** Promises a node to a pod in place of any earlier one. @param nodeName "" = none */
  set(pod: PodRow, nodeName: string): void {
    const before = this.#nodeOf.get(pod.uid);
    if (before === nodeName && this.#replace(pod, nodeName)) return;
    if (before !== undefined) {
      const others = this.#byNode.get(before)!.filter(({ uid }) => uid !== pod.uid);
      if (others.length === 0) this.#byNode.delete(before);
      else this.#byNode.set(before, others);
      this.#nodeOf.delete(pod.uid);
      this.#table.touch(before);
    }
    if (nodeName === "") return;
    this.#byNode.set(nodeName, [...this.#byNode.get(nodeName) ?? [], pod]);
    this.#nodeOf.set(pod.uid, nodeName);
    this.#table.touch(nodeName);
  }

  /** @returns whether the promise is the same as before: to a pod that asks for the same. */
  #replace(pod: PodRow, nodeName: string): boolean {
    const promised = this.#byNode.get(nodeName)!;
    const at = promised.findIndex(({ uid }) => uid === pod.uid);
    if (promised[at].template !== pod.template) return false;
    promised[at] = pod;
    return true;
  }
}

/** @returns the pods promised to a node that a pod may not displace. */
export function guestsOf(
  nominated: readonly PodRow[],
  pod: { readonly uid: string; readonly template: PodRow["template"] },
  table: NodeTable,
): PodRow[] {
  return nominated.filter((guest) =>
    guest.uid !== pod.uid && table.pod(guest.uid) === undefined &&
    guest.template.spec.priority >= pod.template.spec.priority
  );
}
