/**
 * PURE. Which pods a ReplicaSet gives up first when it has too many.
 * In: its active pods, the pods of its siblings, the time. Out: the pods to delete, in order.
 * Never: looks at names. Source: pkg/controller ActivePodsWithRanks (v1.36).
 */
import { parseMillis } from "../../api/time.ts";
import type { ContainerStatus, Pod } from "../kinds.ts";
import { isActive, isReady, readySinceMillis } from "../pod_state.ts";

const DELETION_COST = "controller.kubernetes.io/pod-deletion-cost";
const PHASE_ORDER: Readonly<Record<string, number>> = { Pending: 0, Unknown: 1, Running: 2 };

interface Ranked {
  readonly pod: Pod;
  readonly assigned: boolean;
  readonly phase: number;
  readonly ready: boolean;
  readonly cost: number;
  /** Active pods of the same owner's ReplicaSets on the same node. */
  readonly colocated: number;
  readonly readyMillis: number | undefined;
  readonly restarts: number;
  readonly sidecarRestarts: number;
  readonly createdMillis: number;
}

export interface VictimOptions {
  readonly pods: readonly Pod[];
  /** All pods of the ReplicaSets of the same owner; a superset of `pods`. */
  readonly related: readonly Pod[];
  readonly count: number;
  /** Wall clock, milliseconds since 1970. */
  readonly nowMillis: number;
}

/** @returns `count` pods, those to give up first in front. */
export function chooseVictims(options: VictimOptions): Pod[] {
  const { pods, related, count, nowMillis } = options;
  if (count >= pods.length) return [...pods];
  const onNode = new Map<string, number>();
  for (const pod of related) {
    const node = pod.spec.nodeName ?? "";
    if (isActive(pod)) onNode.set(node, (onNode.get(node) ?? 0) + 1);
  }
  return pods
    .map((pod) => rank(pod, onNode.get(pod.spec.nodeName ?? "") ?? 0))
    .sort((left, right) => compare(left, right, nowMillis))
    .slice(0, count)
    .map((ranked) => ranked.pod);
}

function rank(pod: Pod, colocated: number): Ranked {
  const cost = pod.metadata.annotations?.[DELETION_COST] ?? "0";
  const statuses = pod.status?.containerStatuses ?? [];
  const sidecars = new Set(
    (pod.spec.initContainers ?? [])
      .filter((container) => container.restartPolicy === "Always")
      .map((container) => container.name),
  );
  const initStatuses: ContainerStatus[] = pod.status?.initContainerStatuses ?? [];
  const sidecarStatuses = initStatuses.filter((status) => sidecars.has(status.name));
  return {
    pod,
    assigned: Boolean(pod.spec.nodeName),
    phase: PHASE_ORDER[pod.status?.phase ?? "Pending"] ?? 0,
    ready: isReady(pod),
    cost: /^(0|-?[1-9]\d*)$/.test(cost) ? Number(cost) : 0,
    colocated,
    readyMillis: readySinceMillis(pod),
    restarts: mostRestarts(statuses),
    sidecarRestarts: mostRestarts(sidecarStatuses),
    createdMillis: parseMillis(pod.metadata.creationTimestamp),
  };
}

function mostRestarts(statuses: readonly ContainerStatus[]): number {
  return statuses.reduce((most, status) => Math.max(most, status.restartCount), 0);
}

/** Below 0 when `left` goes first. */
function compare(left: Ranked, right: Ranked, nowMillis: number): number {
  if (left.assigned !== right.assigned) return left.assigned ? 1 : -1;
  if (left.phase !== right.phase) return left.phase - right.phase;
  if (left.ready !== right.ready) return left.ready ? 1 : -1;
  if (left.cost !== right.cost) return left.cost - right.cost;
  if (left.colocated !== right.colocated) return right.colocated - left.colocated;
  if (left.ready && left.readyMillis !== right.readyMillis) {
    return compareAges(left, right, {
      left: left.readyMillis ?? NaN,
      right: right.readyMillis ?? NaN,
      nowMillis,
    });
  }
  if (left.restarts !== right.restarts) return right.restarts - left.restarts;
  if (left.sidecarRestarts !== right.sidecarRestarts) {
    return right.sidecarRestarts - left.sidecarRestarts;
  }
  if (left.createdMillis === right.createdMillis) return 0;
  return compareAges(left, right, {
    left: left.createdMillis,
    right: right.createdMillis,
    nowMillis,
  });
}

/**
 * The younger goes first, but ages are compared by their order of magnitude only, so that of two
 * old pods not always the same one is taken.
 */
function compareAges(
  left: Ranked,
  right: Ranked,
  ages: { readonly left: number; readonly right: number; readonly nowMillis: number },
): number {
  if (Number.isNaN(ages.left)) return -1;
  if (Number.isNaN(ages.right)) return 1;
  const difference = magnitude(ages.nowMillis - ages.left) - magnitude(ages.nowMillis - ages.right);
  if (difference !== 0) return difference;
  const [leftUid, rightUid] = [left.pod.metadata.uid ?? "", right.pod.metadata.uid ?? ""];
  return leftUid < rightUid ? -1 : leftUid > rightUid ? 1 : 0;
}

/** The power of two of an age in nanoseconds. */
function magnitude(ageMillis: number): number {
  return ageMillis > 0 ? Math.trunc(Math.log2(ageMillis * 1e6)) : -1;
}
