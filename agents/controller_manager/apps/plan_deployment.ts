/**
 * PURE. Rolls a Deployment's template out through ReplicaSets, and scales, pauses and cleans up.
 * In: a Deployment's key and the view. Out: writes to ReplicaSets and to the Deployment's status.
 * Never: touches pods; never acts on a ReplicaSet twice in one plan.
 * Source: pkg/controller/deployment (v1.36), wording of events and conditions included.
 */
import { deployments, pods, replicaSets } from "../../api/resources.ts";
import { fromLabelSelector, matchesLabels } from "../../api/selector.ts";
import { parseObjectKey } from "../../client/lister.ts";
import type { KubeObject } from "../../api/meta.ts";
import type { Action, Controller, PlanInput, View } from "../controller.ts";
import type { Deployment, DeploymentStatus, Pod, ReplicaSet } from "../kinds.ts";
import { BY_CONTROLLER, claim, controllerIndex, controllerOf } from "../ownership.ts";
import { isTerminal } from "../pod_state.ts";
import {
  annotatedNumber,
  DESIRED_REPLICAS,
  hasProgressDeadline,
  isRolling,
  replicasOf,
  REVISION,
} from "./deployment_math.ts";
import { draftSet, newSetName, nextRevision, splitSets } from "./deployment_revision.ts";
import { active, cleanUp, rollForward, scaleAll } from "./deployment_scaling.ts";
import {
  type Conditions,
  countedStatus,
  isComplete,
  isStatusNews,
  progressCheckMillis,
  rolloutStatus,
  type StatusInput,
  withCondition,
  withPause,
} from "./deployment_status.ts";
import { Rollout } from "./rollout.ts";

/** The row of run.ts. */
export const deploymentController: Controller = {
  name: "deployment-controller",
  workers: 4,
  watches: [
    { resource: deployments, keysOf: keyOfSelf },
    {
      resource: replicaSets,
      keysOf: deploymentsOfSet,
      indexes: { [BY_CONTROLLER]: controllerIndex },
    },
    // A Recreate rollout waits for the last old pod to go; nothing else here depends on pods.
    {
      resource: pods,
      keysOf: recreatesOfPod,
      settleMillis: 10,
      indexes: { [BY_CONTROLLER]: controllerIndex },
    },
  ],
  plan: planDeployment,
};

/** Plans one Deployment. @param key `namespace/name`. */
export function planDeployment(key: string, input: PlanInput): Action[] {
  const deployment = input.view.get<Deployment>(deployments, parseObjectKey(key));
  if (deployment === undefined) return [];
  const selector = fromLabelSelector(deployment.spec.selector);
  if (selector === null) return [];
  if (selector.length === 0) return refuseToSelectAll(deployment);
  const { uid = "", namespace = "" } = deployment.metadata;
  const candidates = [uid, `orphan:${namespace}`].flatMap((value) =>
    input.view.byIndex<ReplicaSet>(replicaSets, { index: BY_CONTROLLER, value })
  );
  const claimed = claim({
    owner: deployment,
    ownerResource: deployments,
    selector,
    resource: replicaSets,
    candidates,
  });
  // Adopted and released ReplicaSets come back changed; the rollout goes on from there.
  if (claimed.writes.length > 0) return claimed.writes;
  const rollout = new Rollout({ deployment, ...splitSets(deployment, claimed.owned) });
  if (deployment.metadata.deletionTimestamp !== undefined) {
    const conditions = deployment.status?.conditions ?? [];
    return statusActions(deployment, countedStatus(statusInput(rollout, conditions, input)));
  }
  return planLive(rollout, input);
}

function planLive(rollout: Rollout, input: PlanInput): Action[] {
  const { deployment } = rollout;
  const { nowMillis } = input;
  let conditions = withPause(deployment, nowMillis);
  rollout.syncNewSet();
  const paused = deployment.spec.paused === true;
  if (paused || isScaled(rollout)) {
    conditions = withFoundSet(rollout, conditions, nowMillis);
    scaleAll(rollout);
    if (paused) cleanUp(rollout);
    const status = countedStatus(statusInput(rollout, conditions, input));
    return [
      ...rollout.writes(),
      ...statusActions(deployment, status),
      ...revisionActions(rollout),
    ];
  }
  if (rollout.newSet === undefined && mayCreate(rollout, input.view)) {
    return createSet(rollout, conditions, input);
  }
  conditions = withFoundSet(rollout, conditions, nowMillis);
  const scaled = isRolling(deployment) ? rollForward(rollout) : recreate(rollout, input.view);
  if (!scaled && isComplete(deployment, deployment.status ?? {})) cleanUp(rollout);
  const status = rolloutStatus(statusInput(rollout, conditions, input));
  const reports = statusActions(deployment, status);
  const wait = reports.length === 0
    ? progressCheckMillis(deployment, status, nowMillis)
    : undefined;
  return [
    ...rollout.writes(),
    ...reports,
    ...revisionActions(rollout),
    ...(wait === undefined ? [] : [{ kind: "requeue", afterMillis: wait } as const]),
  ];
}

/** Whether the Deployment's size was changed since its ReplicaSets were sized. */
function isScaled(rollout: Rollout): boolean {
  return active(rollout.all).some((set) => {
    const desired = annotatedNumber(set, DESIRED_REPLICAS);
    return desired !== undefined && desired !== replicasOf(rollout.deployment);
  });
}

/** A rolling update starts beside the old pods; Recreate first waits for their end. */
function mayCreate(rollout: Rollout, view: View): boolean {
  if (isRolling(rollout.deployment)) return true;
  return active(rollout.oldSets).length === 0 && !hasOldPods(rollout, view);
}

function recreate(rollout: Rollout, view: View): boolean {
  let scaled = false;
  for (const set of active(rollout.oldSets)) scaled = rollout.scale(set, 0) || scaled;
  if (scaled || rollout.newSet === undefined || hasOldPods(rollout, view)) return true;
  rollout.scale(rollout.newSet, replicasOf(rollout.deployment));
  return false;
}

function hasOldPods(rollout: Rollout, view: View): boolean {
  return rollout.oldSets.some((set) =>
    (set.status?.replicas ?? 0) > 0 ||
    view.byIndex<Pod>(pods, { index: BY_CONTROLLER, value: set.metadata.uid ?? "" })
      .some((pod) => !isTerminal(pod))
  );
}

function createSet(rollout: Rollout, conditions: Conditions, input: PlanInput): Action[] {
  const { deployment, oldSets } = rollout;
  const { namespace } = deployment.metadata;
  const name = newSetName(deployment);
  if (input.view.get(replicaSets, { namespace, name }) !== undefined) {
    // The name is taken by another template: with one more collision comes another hash.
    const collisionCount = (deployment.status?.collisionCount ?? 0) + 1;
    const status = { ...deployment.status, collisionCount };
    return [updateStatus(deployment, status)];
  }
  const draft = draftSet(deployment, oldSets);
  const deadline = hasProgressDeadline(deployment);
  const actions: Action[] = [];
  const refused = input.failure?.during === "create" ? input.failure : undefined;
  if (refused !== undefined && deadline) {
    const message = `Failed to create new replica set "${name}": ${refused.message}`;
    const failed = withCondition(conditions, {
      type: "Progressing",
      status: "False",
      reason: "ReplicaSetCreateError",
      message,
    }, input.nowMillis);
    const status = { ...deployment.status, conditions: [...failed] };
    // Said first and alone: the next plan tries again with the Deployment as it then is.
    if (isStatusNews(deployment.status, status)) {
      return [updateStatus(deployment, status), { kind: "requeue", afterMillis: 1_000 }];
    }
  }
  const replicas = replicasOf(draft);
  const prefix = `Failed to create new replica set "${name}"`;
  actions.push({
    kind: "create",
    resource: replicaSets,
    object: draft,
    announce: {
      about: deployment,
      ...(replicas === 0 ? {} : {
        success: {
          reason: "ScalingReplicaSet",
          message: `Scaled up replica set ${name} from 0 to ${replicas}`,
        },
      }),
      failure: { reason: "ReplicaSetCreateError", message: `${prefix}: {error}` },
    },
  });
  const noted = deadline
    ? withCondition(conditions, {
      type: "Progressing",
      status: "True",
      reason: "NewReplicaSetCreated",
      message: `Created new replica set "${name}"`,
    }, input.nowMillis)
    : conditions;
  rollout.newSet = draft;
  const status = rolloutStatus(statusInput(rollout, noted, input));
  return [...actions, ...statusActions(deployment, status), ...revisionActions(rollout)];
}

/** Where nothing was noted before, progress counts from when the new ReplicaSet was first seen. */
function withFoundSet(rollout: Rollout, conditions: Conditions, nowMillis: number): Conditions {
  const { newSet, deployment } = rollout;
  const known = conditions.some((condition) => condition.type === "Progressing");
  if (newSet === undefined || known || !hasProgressDeadline(deployment)) return conditions;
  return withCondition(conditions, {
    type: "Progressing",
    status: "True",
    reason: "FoundNewReplicaSet",
    message: `Found new replica set "${newSet.metadata.name}"`,
  }, nowMillis);
}

function statusInput(rollout: Rollout, conditions: Conditions, input: PlanInput): StatusInput {
  const { deployment, newSet, oldSets } = rollout;
  const { nowMillis } = input;
  const collisionCount = deployment.status?.collisionCount;
  return { deployment, newSet, oldSets, conditions, collisionCount, nowMillis };
}

function statusActions(deployment: Deployment, status: DeploymentStatus): Action[] {
  return isStatusNews(deployment.status, status) ? [updateStatus(deployment, status)] : [];
}

function updateStatus(deployment: Deployment, status: DeploymentStatus): Action {
  return {
    kind: "update",
    resource: deployments,
    subresource: "status",
    object: { ...deployment, status },
  };
}

/** Shows the newest ReplicaSet's revision on the Deployment. */
function revisionActions(rollout: Rollout): Action[] {
  const { deployment, newSet, oldSets } = rollout;
  if (newSet === undefined) return [];
  const revision = newSet.metadata.annotations?.[REVISION] ?? String(nextRevision(oldSets));
  if (deployment.metadata.annotations?.[REVISION] === revision) return [];
  const { namespace, name, uid } = deployment.metadata;
  return [{
    kind: "patch",
    resource: deployments,
    place: { namespace, name: name! },
    body: { metadata: { uid, annotations: { [REVISION]: revision } } },
  }];
}

function refuseToSelectAll(deployment: Deployment): Action[] {
  const { generation = 0 } = deployment.metadata;
  const event: Action = {
    kind: "event",
    about: deployment,
    type: "Warning",
    reason: "SelectingAll",
    message: "This deployment is selecting all pods. A non-empty selector is required.",
  };
  if ((deployment.status?.observedGeneration ?? 0) >= generation) return [event];
  const status = { ...deployment.status, observedGeneration: generation };
  return [event, updateStatus(deployment, status)];
}

function keyOfSelf(object: KubeObject): string[] {
  return [`${object.metadata.namespace}/${object.metadata.name}`];
}

function deploymentsOfSet(set: KubeObject, view: View): string[] {
  const controller = controllerOf(set);
  const namespace = set.metadata.namespace ?? "";
  if (controller !== undefined) {
    return controller.kind === "Deployment" ? [`${namespace}/${controller.name}`] : [];
  }
  if (set.metadata.deletionTimestamp !== undefined || set.metadata.labels === undefined) return [];
  return view.list<Deployment>(deployments, namespace)
    .filter((deployment) => {
      const selector = fromLabelSelector(deployment.spec.selector);
      return selector !== null && selector.length > 0 &&
        matchesLabels(selector, set.metadata.labels);
    })
    .flatMap(keyOfSelf);
}

function recreatesOfPod(pod: KubeObject, view: View): string[] {
  const owner = controllerOf(pod);
  if (owner?.kind !== "ReplicaSet") return [];
  const { namespace } = pod.metadata;
  const set = view.get<ReplicaSet>(replicaSets, { namespace, name: owner.name });
  const parent = set === undefined ? undefined : controllerOf(set);
  if (parent?.kind !== "Deployment") return [];
  const deployment = view.get<Deployment>(deployments, { namespace, name: parent.name });
  return deployment === undefined || isRolling(deployment) ? [] : keyOfSelf(deployment);
}
