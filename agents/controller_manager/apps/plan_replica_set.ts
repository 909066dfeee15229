/**
 * PURE. Keeps a ReplicaSet's number of pods: adopts, creates, deletes, and reports.
 * In: a ReplicaSet's key and the view. Out: writes to pods and to its status.
 * Never: more than 500 creates or deletes a plan; never for one that is being deleted.
 * Source: pkg/controller/replicaset (v1.36), wording of events and conditions included.
 */
import { pods, replicaSets } from "../../api/resources.ts";
import { fromLabelSelector, matchesLabels } from "../../api/selector.ts";
import { formatTime } from "../../api/time.ts";
import { parseObjectKey } from "../../client/lister.ts";
import type { KubeObject } from "../../api/meta.ts";
import type { Action, Controller, Failure, PlanInput, View, Write } from "../controller.ts";
import type { Pod, ReplicaSet, ReplicaSetStatus, StatusCondition } from "../kinds.ts";
import {
  BY_CONTROLLER,
  claim,
  controllerIndex,
  controllerOf,
  controllerReference,
} from "../ownership.ts";
import { isActive, isReady, isTerminating, untilAvailableMillis } from "../pod_state.ts";
import { chooseVictims } from "./victims.ts";

const BURST = 500;
/** Many pods change together; one plan answers them all. */
const SETTLE_MILLIS = 10;

/** The row of run.ts. */
export const replicaSetController: Controller = {
  name: "replicaset-controller",
  workers: 8,
  watches: [
    {
      resource: replicaSets,
      keysOf: keyOfSelf,
      indexes: { [BY_CONTROLLER]: controllerIndex },
    },
    {
      resource: pods,
      keysOf: replicaSetsOfPod,
      settleMillis: SETTLE_MILLIS,
      indexes: { [BY_CONTROLLER]: controllerIndex },
    },
  ],
  plan: planReplicaSet,
};

/** Plans one ReplicaSet. @param key `namespace/name`. */
export function planReplicaSet(key: string, input: PlanInput): Action[] {
  const replicaSet = input.view.get<ReplicaSet>(replicaSets, parseObjectKey(key));
  if (replicaSet === undefined) return [];
  const selector = fromLabelSelector(replicaSet.spec.selector);
  if (selector === null) return [];
  const all = candidatePods(replicaSet, input.view);
  const { owned, writes } = claim({
    owner: replicaSet,
    ownerResource: replicaSets,
    selector,
    resource: pods,
    candidates: all.filter(isActive),
  });
  const terminating = all.filter((pod) =>
    isTerminating(pod) && controllerOf(pod)?.uid === replicaSet.metadata.uid &&
    matchesLabels(selector, pod.metadata.labels)
  );
  const actions: Action[] = [...writes];
  const status = statusOf({ replicaSet, active: owned, terminating, input });
  if (isNews(replicaSet, status)) {
    actions.push({
      kind: "update",
      resource: replicaSets,
      subresource: "status",
      object: {
        ...replicaSet,
        status: { ...status, observedGeneration: replicaSet.metadata.generation ?? 0 },
      },
    });
  }
  const wait = nextCheckMillis(replicaSet, owned, input.nowMillis);
  if (wait !== undefined) actions.push({ kind: "requeue", afterMillis: wait });
  if (replicaSet.metadata.deletionTimestamp === undefined) {
    actions.push(...planPods(replicaSet, owned, input));
  }
  return actions;
}

function planPods(replicaSet: ReplicaSet, active: readonly Pod[], input: PlanInput): Action[] {
  const missing = (replicaSet.spec.replicas ?? 1) - active.length;
  if (missing > 0) {
    const create = createPod(replicaSet);
    const writes = new Array<Write>(Math.min(missing, BURST)).fill(create);
    return [{ kind: "batch", writes, slowStart: true }];
  }
  if (missing === 0) return [];
  const victims = chooseVictims({
    pods: active,
    related: relatedPods(replicaSet, active, input.view),
    count: Math.min(-missing, BURST),
    nowMillis: input.nowMillis,
  });
  return [{
    kind: "batch",
    slowStart: false,
    writes: victims.map((pod) => ({
      kind: "delete",
      resource: pods,
      object: pod,
      announce: {
        about: replicaSet,
        success: { reason: "SuccessfulDelete", message: "Deleted pod: {name}" },
        failure: { reason: "FailedDelete", message: "Error deleting: {error}" },
      },
    })),
  }];
}

/** All pods of one ReplicaSet are equal, so one write serves for each of them. */
function createPod(replicaSet: ReplicaSet): Write {
  const { metadata = {}, spec } = replicaSet.spec.template;
  const { name, namespace } = replicaSet.metadata;
  const { labels, annotations, finalizers } = metadata;
  return {
    kind: "create",
    resource: pods,
    object: {
      apiVersion: "v1",
      kind: "Pod",
      metadata: {
        generateName: `${name}-`,
        namespace,
        ...(labels === undefined ? {} : { labels }),
        ...(annotations === undefined ? {} : { annotations }),
        ...(finalizers === undefined ? {} : { finalizers }),
        ownerReferences: [controllerReference(replicaSets, replicaSet)],
      },
      spec,
    },
    announce: {
      about: replicaSet,
      success: { reason: "SuccessfulCreate", message: "Created pod: {name}" },
      failure: { reason: "FailedCreate", message: "Error creating: {error}" },
    },
  };
}

interface StatusOptions {
  readonly replicaSet: ReplicaSet;
  readonly active: readonly Pod[];
  readonly terminating: readonly Pod[];
  readonly input: PlanInput;
}

function statusOf(options: StatusOptions): ReplicaSetStatus {
  const { replicaSet, active, terminating, input } = options;
  const { minReadySeconds = 0, template } = replicaSet.spec;
  const templateLabels = Object.entries(template.metadata?.labels ?? {});
  let fullyLabeled = 0;
  let ready = 0;
  let available = 0;
  for (const pod of active) {
    const labels = pod.metadata.labels ?? {};
    if (templateLabels.every(([name, value]) => labels[name] === value)) fullyLabeled++;
    if (!isReady(pod)) continue;
    ready++;
    const wait = untilAvailableMillis(pod, { minReadySeconds, nowMillis: input.nowMillis });
    if (wait !== undefined && wait <= 0) available++;
  }
  const conditions = conditionsOf(replicaSet, active.length, input);
  return {
    replicas: active.length,
    fullyLabeledReplicas: fullyLabeled,
    readyReplicas: ready,
    availableReplicas: available,
    terminatingReplicas: terminating.length,
    ...(replicaSet.status?.observedGeneration === undefined
      ? {}
      : { observedGeneration: replicaSet.status.observedGeneration }),
    ...(conditions.length === 0 ? {} : { conditions }),
  };
}

function conditionsOf(
  replicaSet: ReplicaSet,
  activeCount: number,
  input: PlanInput,
): StatusCondition[] {
  const known = replicaSet.status?.conditions ?? [];
  const others = known.filter((condition) => condition.type !== "ReplicaFailure");
  const failure: Failure | undefined = input.failure?.during === "batch"
    ? input.failure
    : undefined;
  if (failure === undefined) return others;
  if (others.length < known.length) return [...known];
  const creating = activeCount < (replicaSet.spec.replicas ?? 1);
  return [...others, {
    type: "ReplicaFailure",
    status: "True",
    lastTransitionTime: formatTime(input.nowMillis),
    reason: creating ? "FailedCreate" : "FailedDelete",
    message: failure.message,
  }];
}

function isNews(replicaSet: ReplicaSet, next: ReplicaSetStatus): boolean {
  const old: Partial<ReplicaSetStatus> = replicaSet.status ?? {};
  const failed = (status: Partial<ReplicaSetStatus>) =>
    status.conditions?.some((condition) => condition.type === "ReplicaFailure") ?? false;
  return (old.replicas ?? 0) !== next.replicas ||
    (old.fullyLabeledReplicas ?? 0) !== next.fullyLabeledReplicas ||
    (old.readyReplicas ?? 0) !== next.readyReplicas ||
    (old.availableReplicas ?? 0) !== next.availableReplicas ||
    (old.terminatingReplicas ?? 0) !== next.terminatingReplicas ||
    (old.observedGeneration ?? 0) !== (replicaSet.metadata.generation ?? 0) ||
    failed(old) !== failed(next);
}

/** When the next ready pod becomes available; undefined when all are. */
function nextCheckMillis(
  replicaSet: ReplicaSet,
  active: readonly Pod[],
  nowMillis: number,
): number | undefined {
  const { minReadySeconds = 0 } = replicaSet.spec;
  if (minReadySeconds === 0) return undefined;
  const waits = active
    .map((pod) => untilAvailableMillis(pod, { minReadySeconds, nowMillis }) ?? 0)
    .filter((wait) => wait > 0);
  return waits.length === 0 ? undefined : Math.min(...waits);
}

function candidatePods(replicaSet: ReplicaSet, view: View): Pod[] {
  const { uid = "", namespace = "" } = replicaSet.metadata;
  const owned = view.byIndex<Pod>(pods, { index: BY_CONTROLLER, value: uid });
  const orphans = view.byIndex<Pod>(pods, { index: BY_CONTROLLER, value: `orphan:${namespace}` });
  return [...owned, ...orphans];
}

/** Pods of all ReplicaSets that share this one's owner. */
function relatedPods(replicaSet: ReplicaSet, own: readonly Pod[], view: View): readonly Pod[] {
  const owner = controllerOf(replicaSet);
  if (owner === undefined) return own;
  const siblings = view.byIndex<ReplicaSet>(replicaSets, {
    index: BY_CONTROLLER,
    value: owner.uid,
  });
  return siblings.flatMap((sibling) =>
    view.byIndex<Pod>(pods, { index: BY_CONTROLLER, value: sibling.metadata.uid ?? "" })
  );
}

function keyOfSelf(object: KubeObject): string[] {
  return [`${object.metadata.namespace}/${object.metadata.name}`];
}

function replicaSetsOfPod(pod: KubeObject, view: View): string[] {
  const controller = controllerOf(pod);
  const namespace = pod.metadata.namespace ?? "";
  if (controller !== undefined) {
    return controller.kind === "ReplicaSet" ? [`${namespace}/${controller.name}`] : [];
  }
  // An orphan concerns every ReplicaSet that might adopt it.
  if (pod.metadata.deletionTimestamp !== undefined || pod.metadata.labels === undefined) return [];
  return view.list<ReplicaSet>(replicaSets, namespace)
    .filter((replicaSet) => {
      const selector = fromLabelSelector(replicaSet.spec.selector);
      return selector !== null && matchesLabels(selector, pod.metadata.labels);
    })
    .flatMap(keyOfSelf);
}
