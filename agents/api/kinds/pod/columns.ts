/**
 * What `kubectl get pods` shows of a pod.
 * In: a pod and the time. Out: cells. Never: changes the pod.
 * Source: pkg/printers/internalversion (v1.36): the rules of Status, Ready and Restarts.
 */
import type { KubeObject } from "../../meta.ts";
import type { TableColumn } from "../../resource.ts";
import type { ContainerStatus, Pod } from "../../schema/generated/core_v1.ts";
import { formatAge, parseMillis } from "../../time.ts";
import { ageColumn, column, nameColumn } from "../columns.ts";

interface Summary {
  reason: string;
  ready: number;
  total: number;
  restarts: number;
  /** Milliseconds since 1970 of the latest finished run; 0 for none. */
  lastRestart: number;
  /** Some init container has not done its part yet. */
  initializing: boolean;
}

const summaries = new WeakMap<KubeObject, Summary>();

/** Objects are frozen and shared, so that the columns of one row summarise once. */
function summaryOf(object: KubeObject): Summary {
  const known = Object.isFrozen(object) ? summaries.get(object) : undefined;
  if (known !== undefined) return known;
  const summary = summarise(object as Pod);
  if (Object.isFrozen(object)) summaries.set(object, summary);
  return summary;
}

function hasCondition(pod: Pod, type: string): boolean {
  return (pod.status?.conditions ?? []).some((c) => c.type === type && c.status === "True");
}

function finishedMillis(status: ContainerStatus): number {
  return parseMillis(status.lastState?.terminated?.finishedAt) || 0;
}

function summarise(pod: Pod): Summary {
  const status = pod.status ?? {};
  const gated = (status.conditions ?? []).some((condition) =>
    condition.type === "PodScheduled" && condition.reason === "SchedulingGated"
  );
  const sidecars = new Set(
    (pod.spec.initContainers ?? []).filter((c) => c.restartPolicy === "Always").map((c) => c.name),
  );
  const summary: Summary = {
    reason: gated ? "SchedulingGated" : status.reason || status.phase || "",
    ready: 0,
    total: (pod.spec.containers ?? []).length + sidecars.size,
    restarts: 0,
    lastRestart: 0,
    initializing: false,
  };
  const sidecarRestarts = readInitStatuses(pod, sidecars, summary);
  if (!summary.initializing || hasCondition(pod, "Initialized")) {
    summary.restarts = sidecarRestarts.restarts;
    summary.lastRestart = sidecarRestarts.lastRestart;
    readStatuses(pod, summary);
  }
  const terminal = status.phase === "Succeeded" || status.phase === "Failed";
  if (pod.metadata.deletionTimestamp !== undefined) {
    if (status.reason === "NodeLost") summary.reason = "Unknown";
    else if (!terminal) summary.reason = "Terminating";
  }
  return summary;
}

function exitReason(
  prefix: string,
  run: { reason?: string; signal?: number; exitCode: number },
): string {
  if (run.reason) return `${prefix}${run.reason}`;
  return run.signal ? `${prefix}Signal:${run.signal}` : `${prefix}ExitCode:${run.exitCode}`;
}

/** Walks init containers up to the first that is not done. @returns what sidecars add. */
function readInitStatuses(
  pod: Pod,
  sidecars: ReadonlySet<string>,
  summary: Summary,
): { restarts: number; lastRestart: number } {
  const ofSidecars = { restarts: 0, lastRestart: 0 };
  const statuses = pod.status?.initContainerStatuses ?? [];
  for (const [index, status] of statuses.entries()) {
    const isSidecar = sidecars.has(status.name);
    const { terminated, waiting } = status.state ?? {};
    for (const target of isSidecar ? [summary, ofSidecars] : [summary]) {
      target.restarts += status.restartCount ?? 0;
      target.lastRestart = Math.max(target.lastRestart, finishedMillis(status));
    }
    if (terminated && (terminated.exitCode ?? 0) === 0) continue;
    if (isSidecar && status.started) {
      if (status.ready) summary.ready++;
      continue;
    }
    if (terminated) summary.reason = exitReason("Init:", terminated);
    else if (waiting?.reason && waiting.reason !== "PodInitializing") {
      summary.reason = `Init:${waiting.reason}`;
    } else summary.reason = `Init:${index}/${(pod.spec.initContainers ?? []).length}`;
    summary.initializing = true;
    break;
  }
  return ofSidecars;
}

function readStatuses(pod: Pod, summary: Summary): void {
  let hasRunning = false;
  let errorReason = "";
  for (const status of [...pod.status?.containerStatuses ?? []].reverse()) {
    const { waiting, terminated, running } = status.state ?? {};
    summary.restarts += status.restartCount ?? 0;
    summary.lastRestart = Math.max(summary.lastRestart, finishedMillis(status));
    if (waiting?.reason) summary.reason = waiting.reason;
    else if (terminated) {
      summary.reason = exitReason("", terminated);
      if ((terminated.exitCode ?? 0) !== 0) errorReason = summary.reason;
    } else if (status.ready && running) {
      hasRunning = true;
      summary.ready++;
    }
  }
  if (summary.reason !== "Completed") return;
  if (hasRunning && hasCondition(pod, "Ready")) summary.reason = "Running";
  else if (errorReason !== "") summary.reason = errorReason;
  else if (hasRunning) summary.reason = "NotReady";
}

function restartsCell(object: KubeObject, nowMillis: number): string {
  const { restarts, lastRestart } = summaryOf(object);
  if (restarts === 0 || lastRestart === 0) return String(restarts);
  return `${restarts} (${formatAge(nowMillis - lastRestart)} ago)`;
}

function readinessGates(object: KubeObject): string {
  const pod = object as Pod;
  const gates = pod.spec.readinessGates ?? [];
  if (gates.length === 0) return "<none>";
  const open = gates.filter((gate) => hasCondition(pod, gate.conditionType)).length;
  return `${open}/${gates.length}`;
}

const none = (value: string | undefined) => value || "<none>";
const wide = { wide: true };

export const podColumns: readonly TableColumn[] = [
  nameColumn,
  column("Ready", "Containers that are ready, of all.", (object) => {
    const { ready, total } = summaryOf(object);
    return `${ready}/${total}`;
  }),
  column("Status", "The state of the containers in one word.", (pod) => summaryOf(pod).reason),
  column("Restarts", "Restarts of all containers, and how long ago the last was.", restartsCell),
  ageColumn,
  column("IP", "The pod's address.", (pod) => none(pod.status?.podIPs?.[0]?.ip), wide),
  column("Node", "The node the pod is bound to.", (pod) => none(pod.spec?.nodeName), wide),
  column(
    "Nominated Node",
    "The node that preemption is making room on.",
    (pod) => none(pod.status?.nominatedNodeName),
    wide,
  ),
  column("Readiness Gates", "Gates that are open, of all.", readinessGates, wide),
];
