/**
 * PURE. Removes pods that nobody will end: on nodes that vanished, never bound, or ended long ago.
 * In: the view, the time. Out: deletes without grace, after a word in the pod's status.
 * Never: touches a pod of a node that exists, except the oldest of too many ended ones.
 * Source: pkg/controller/podgc (v1.36): every 20 s, 40 s of quarantine, 12,500 ended pods.
 */
import { nodes, pods } from "../../api/resources.ts";
import { parseMillis } from "../../api/time.ts";
import type { Action, Controller, PlanInput, Write } from "../controller.ts";
import type { Pod } from "../kinds.ts";
import { isTerminal } from "../pod_state.ts";
import { withDisruption } from "./plan_taint_eviction.ts";

const LOOK_MILLIS = 20_000;
const QUARANTINE_MILLIS = 40_000;
const ENDED_LIMIT = 12_500;
/** One key stands for the whole cluster. */
const KEY = "all";

/** The row of run.ts. */
export function podGarbageCollector(): Controller {
  const missing = new Map<string, number>();
  return {
    name: "pod-garbage-collector-controller",
    workers: 1,
    watches: [
      // Any node or namespace starts the rounds; the plan keeps them going.
      { resource: nodes, keysOf: () => [KEY], ignoreUpdate: () => true },
      { resource: pods, keysOf: () => [KEY], settleMillis: LOOK_MILLIS },
    ],
    plan: (_key, input) => planPodGc(input, missing),
  };
}

/** @param missing when each vanished node was first missed, by name; the plan alone writes it. */
export function planPodGc(input: PlanInput, missing: Map<string, number>): Action[] {
  const all = input.view.list<Pod>(pods);
  const doomed = new Set<Pod>([
    ...oldestEnded(all),
    ...orphaned(all, input, missing),
    ...all.filter((pod) =>
      pod.metadata.deletionTimestamp !== undefined && !pod.spec.nodeName && !isTerminal(pod)
    ),
  ]);
  const marks: Write[] = [];
  const deletes: Write[] = [];
  for (const pod of doomed) {
    const nodeName = pod.spec.nodeName ?? "";
    const guards = nodeName === "" || isTerminal(pod)
      ? []
      : [{ kind: "noneNamed", resource: nodes, place: { name: nodeName } } as const];
    if (!isTerminal(pod)) marks.push({ ...markFailed(pod, input.nowMillis), guards });
    deletes.push({
      kind: "delete",
      resource: pods,
      object: pod,
      options: { gracePeriodSeconds: 0, preconditions: { uid: pod.metadata.uid! } },
      guards,
    });
  }
  const batches = [marks, deletes]
    .filter((writes) => writes.length > 0)
    .map((writes): Action => ({ kind: "batch", writes, slowStart: false }));
  return [...batches, { kind: "requeue", afterMillis: LOOK_MILLIS }];
}

function oldestEnded(all: readonly Pod[]): Pod[] {
  const ended = all.filter((pod) =>
    isTerminal(pod) && pod.metadata.deletionTimestamp === undefined
  );
  if (ended.length <= ENDED_LIMIT) return [];
  const created = (pod: Pod) => parseMillis(pod.metadata.creationTimestamp);
  return ended
    .sort((left, right) => created(left) - created(right))
    .slice(0, ended.length - ENDED_LIMIT);
}

/** Pods of nodes that have been missing for as long as the quarantine lasts. */
function orphaned(
  all: readonly Pod[],
  input: PlanInput,
  missing: Map<string, number>,
): Pod[] {
  const { nowMillis, view } = input;
  const named = new Set(all.map((pod) => pod.spec.nodeName ?? ""));
  for (const name of missing.keys()) if (!named.has(name)) missing.delete(name);
  const lost = new Set<string>();
  for (const name of named) {
    if (name === "") continue;
    if (view.get(nodes, { name }) !== undefined) {
      missing.delete(name);
      continue;
    }
    const since = missing.get(name) ?? nowMillis;
    missing.set(name, since);
    if (nowMillis - since >= QUARANTINE_MILLIS) lost.add(name);
  }
  return lost.size === 0 ? [] : all.filter((pod) => lost.has(pod.spec.nodeName ?? ""));
}

function markFailed(pod: Pod, nowMillis: number): Write {
  const marked = pod.spec.nodeName
    ? withDisruption(pod, nowMillis, {
      reason: "DeletionByPodGC",
      message: "PodGC: node no longer exists",
    })
    : pod;
  return {
    kind: "update",
    resource: pods,
    subresource: "status",
    object: { ...marked, status: { ...marked.status, phase: "Failed" } },
  };
}
