/**
 * PURE. Notices nodes that fell silent, and keeps their taints in line with their conditions.
 * In: a node's key, the view, the time. Out: Unknown conditions, taints, pods marked not ready.
 * Never: trusts the clock of a node: silence is counted from when a change was last seen here.
 * Source: pkg/controller/nodelifecycle (v1.36): looks every 5 s, 50 s of grace, 60 s for new nodes.
 * A node that is well is looked at half as often, and at the very moment when its grace would end:
 * silence is noticed within the same 60 s.
 */
import { leases, nodes, pods } from "../../api/resources.ts";
import { formatTime, parseMillis } from "../../api/time.ts";
import type { KubeObject } from "../../api/meta.ts";
import type { Action, Controller, PlanInput, View } from "../controller.ts";
import type { Node, Pod, StatusCondition, Taint } from "../kinds.ts";
import { conditionOf, isReady } from "../pod_state.ts";
import { isSameTaint, NOT_READY, UNREACHABLE } from "./taints.ts";

/** Index: the node a pod is bound to. */
export const BY_NODE = "node";
const LEASE_NAMESPACE = "kube-node-lease";
const LOOK_MILLIS = 5_000;
/** As often as a kubelet renews its lease. */
const LOOK_MILLIS_WHEN_WELL = 10_000;
const STARTUP_GRACE_MILLIS = 60_000;
const WATCHED = ["Ready", "MemoryPressure", "DiskPressure", "PIDPressure"];

/** Conditions that, when True, taint a node with NoSchedule. */
const PRESSURE_TAINTS: Readonly<Record<string, string>> = {
  MemoryPressure: "node.kubernetes.io/memory-pressure",
  DiskPressure: "node.kubernetes.io/disk-pressure",
  PIDPressure: "node.kubernetes.io/pid-pressure",
  NetworkUnavailable: "node.kubernetes.io/network-unavailable",
};
const UNSCHEDULABLE = "node.kubernetes.io/unschedulable";

interface Seen {
  /** Renewal and heartbeat as they were last seen. */
  readonly signs: string;
  readonly sinceMillis: number;
}

export function nodeIndex(pod: KubeObject): readonly string[] {
  return pod.spec?.nodeName ? [pod.spec.nodeName] : [];
}

/**
 * The row of run.ts.
 * @param graceMillis silence after which a node counts as unreachable.
 */
export function nodeLifecycleController(graceMillis = 50_000): Controller {
  const seen = new Map<string, Seen>();
  return {
    name: "node-controller",
    workers: 8,
    watches: [
      { resource: nodes, keysOf: (node) => [node.metadata.name!] },
      { resource: leases },
      { resource: pods, indexes: { [BY_NODE]: nodeIndex } },
    ],
    plan: (key, input) => planNode(key, input, { graceMillis, seen }),
  };
}

interface Monitor {
  readonly graceMillis: number;
  /** What the monitor remembers of each node; the plan alone writes it. */
  readonly seen: Map<string, Seen>;
}

/** @param key the node's name. */
export function planNode(key: string, input: PlanInput, monitor: Monitor): Action[] {
  const node = input.view.get<Node>(nodes, { name: key });
  if (node === undefined) {
    monitor.seen.delete(key);
    return [];
  }
  const silent = isSilent(node, input, monitor);
  const afterMillis = silent ? LOOK_MILLIS : lookAgainMillis(node, input, monitor);
  const again: Action = { kind: "requeue", afterMillis };
  if (silent) {
    const conditions = unknownConditions(node, input.nowMillis);
    if (conditions !== undefined) {
      return [
        {
          kind: "update",
          resource: nodes,
          subresource: "status",
          object: { ...node, status: { ...node.status, conditions } },
        },
        {
          kind: "event",
          about: node,
          type: "Normal",
          reason: "NodeNotReady",
          message: `Node ${key} status is now: NodeNotReady`,
        },
        again,
      ];
    }
  }
  return [...planTaints(node, input.nowMillis), ...planPods(node, input), again];
}

function isSilent(node: Node, input: PlanInput, monitor: Monitor): boolean {
  const { nowMillis, view } = input;
  const name = node.metadata.name!;
  const ready = conditionOf(node.status?.conditions, "Ready");
  const signs = `${renewalOf(name, view)} ${ready?.lastHeartbeatTime}`;
  let seen = monitor.seen.get(name);
  // A change that the monitor itself made (Unknown) carries no new heartbeat.
  if (seen?.signs !== signs) monitor.seen.set(name, seen = { signs, sinceMillis: nowMillis });
  if (ready === undefined) {
    const created = parseMillis(node.metadata.creationTimestamp);
    const since = Number.isNaN(created) ? seen.sinceMillis : created;
    return nowMillis - since > STARTUP_GRACE_MILLIS;
  }
  return nowMillis - seen.sinceMillis > monitor.graceMillis;
}

/** How long a look at a node that is not silent holds. */
function lookAgainMillis(node: Node, { nowMillis }: PlanInput, monitor: Monitor): number {
  const seen = monitor.seen.get(node.metadata.name!);
  if (seen === undefined || conditionOf(node.status?.conditions, "Ready")?.status !== "True") {
    return LOOK_MILLIS;
  }
  const graceLeft = seen.sinceMillis + monitor.graceMillis - nowMillis + 1;
  return Math.min(LOOK_MILLIS_WHEN_WELL, Math.max(1, graceLeft));
}

function renewalOf(name: string, view: View): string {
  const lease = view.get(leases, { namespace: LEASE_NAMESPACE, name });
  return lease?.spec?.renewTime ?? "";
}

/** @returns undefined when all of them are Unknown already. */
function unknownConditions(node: Node, nowMillis: number): StatusCondition[] | undefined {
  const conditions = [...node.status?.conditions ?? []];
  const now = formatTime(nowMillis);
  let changed = false;
  for (const type of WATCHED) {
    const index = conditions.findIndex((condition) => condition.type === type);
    if (index < 0) {
      changed = true;
      conditions.push({
        type,
        status: "Unknown",
        reason: "NodeStatusNeverUpdated",
        message: "Kubelet never posted node status.",
        lastHeartbeatTime: node.metadata.creationTimestamp,
        lastTransitionTime: now,
      });
    } else if (conditions[index].status !== "Unknown") {
      changed = true;
      conditions[index] = {
        ...conditions[index],
        status: "Unknown",
        reason: "NodeStatusUnknown",
        message: "Kubelet stopped posting node status.",
        lastTransitionTime: now,
      };
    }
  }
  return changed ? conditions : undefined;
}

/** The taints that follow from a node's conditions. */
export function wantedTaints(node: Node): Taint[] {
  const conditions = node.status?.conditions;
  const wanted: Taint[] = [];
  const ready = conditionOf(conditions, "Ready")?.status;
  if (ready !== "True") {
    // A node that has said nothing yet is not ready; it is unreachable once it is given up.
    const key = ready === "Unknown" ? UNREACHABLE : NOT_READY;
    wanted.push({ key, effect: "NoSchedule" });
    if (ready !== undefined) wanted.push({ key, effect: "NoExecute" });
  }
  for (const [type, key] of Object.entries(PRESSURE_TAINTS)) {
    if (conditionOf(conditions, type)?.status === "True") {
      wanted.push({ key, effect: "NoSchedule" });
    }
  }
  if (node.spec?.unschedulable === true) wanted.push({ key: UNSCHEDULABLE, effect: "NoSchedule" });
  return wanted;
}

function isManaged(taint: Taint): boolean {
  if (taint.key === NOT_READY || taint.key === UNREACHABLE) {
    return taint.effect === "NoSchedule" || taint.effect === "NoExecute";
  }
  return taint.effect === "NoSchedule" &&
    (taint.key === UNSCHEDULABLE || Object.values(PRESSURE_TAINTS).includes(taint.key));
}

function planTaints(node: Node, nowMillis: number): Action[] {
  const current = node.spec?.taints ?? [];
  const wanted = wantedTaints(node);
  const kept = current.filter((taint) =>
    !isManaged(taint) || wanted.some((one) => isSameTaint(one, taint))
  );
  const added = wanted
    .filter((taint) => !current.some((one) => isSameTaint(one, taint)))
    .map((taint) => ({ ...taint, timeAdded: formatTime(nowMillis) }));
  if (added.length === 0 && kept.length === current.length) return [];
  const taints = [...kept, ...added];
  const { uid, resourceVersion, name } = node.metadata;
  return [{
    kind: "patch",
    resource: nodes,
    place: { name: name! },
    body: {
      metadata: { uid, resourceVersion },
      spec: { taints: taints.length === 0 ? null : taints },
    },
  }];
}

/** Pods of a node that is not ready stop being endpoints, though nobody is there to say so. */
function planPods(node: Node, input: PlanInput): Action[] {
  const ready = conditionOf(node.status?.conditions, "Ready")?.status;
  if (ready === "True" || ready === undefined) return [];
  const name = node.metadata.name!;
  const lost = input.view.byIndex<Pod>(pods, { index: BY_NODE, value: name }).filter(isReady);
  if (lost.length === 0) return [];
  const now = formatTime(input.nowMillis);
  return [
    {
      kind: "batch",
      slowStart: false,
      writes: lost.map((pod) => ({
        kind: "update",
        resource: pods,
        subresource: "status",
        object: {
          ...pod,
          status: {
            ...pod.status,
            conditions: pod.status!.conditions!.map((condition) =>
              condition.type === "Ready"
                ? { ...condition, status: "False", lastTransitionTime: now }
                : condition
            ),
          },
        },
      })),
    },
    ...lost.map((about): Action => ({
      kind: "event",
      about,
      type: "Warning",
      reason: "NodeNotReady",
      message: "Node is not ready",
    })),
  ];
}
