/**
 * PURE. Revisions: which ReplicaSet is the Deployment's newest, its annotations, and a new one.
 * In: a Deployment and its ReplicaSets. Out: the new and the old ones, annotations, a draft.
 * Never: writes. Source: pkg/controller/deployment/util (v1.36).
 */
import { deployments, replicaSets } from "../../api/resources.ts";
import type { Deployment, ReplicaSet } from "../kinds.ts";
import { apiVersionOf, controllerReference } from "../ownership.ts";
import {
  byAge,
  DESIRED_REPLICAS,
  MAX_REPLICAS,
  maxSurge,
  newReplicas,
  replicasOf,
  REVISION,
  REVISION_HISTORY,
  revisionOf,
} from "./deployment_math.ts";
import { equalTemplates, TEMPLATE_HASH_LABEL, templateHash } from "./template_hash.ts";

const LONGEST_HISTORY = 2_000;
const LONGEST_NAME = 253;

/** Annotations of the Deployment that its ReplicaSets do not get. */
const NOT_COPIED = new Set([
  "kubectl.kubernetes.io/last-applied-configuration",
  "deprecated.deployment.rollback.to",
  REVISION,
  REVISION_HISTORY,
  DESIRED_REPLICAS,
  MAX_REPLICAS,
]);

/** Finds the ReplicaSet of the current template (the oldest of equals) and all others. */
export function splitSets(
  deployment: Deployment,
  sets: readonly ReplicaSet[],
): { newSet: ReplicaSet | undefined; oldSets: ReplicaSet[] } {
  const sorted = [...sets].sort(byAge);
  const newSet = sorted.find((set) => equalTemplates(set.spec.template, deployment.spec.template));
  return { newSet, oldSets: sorted.filter((set) => set !== newSet) };
}

/** The revision that the newest ReplicaSet has to carry. */
export function nextRevision(oldSets: readonly ReplicaSet[]): number {
  return oldSets.reduce((highest, set) => Math.max(highest, revisionOf(set)), 0) + 1;
}

/** The annotations the newest ReplicaSet should have; the same object when nothing changes. */
export function newestAnnotations(
  deployment: Deployment,
  current: Readonly<Record<string, string>>,
  revision: number,
): Readonly<Record<string, string>> {
  const next: Record<string, string> = { ...current };
  for (const [name, value] of Object.entries(deployment.metadata.annotations ?? {})) {
    if (!NOT_COPIED.has(name)) next[name] = value;
  }
  const old = current[REVISION];
  if (old !== undefined && !/^\d+$/.test(old)) return current;
  if (Number(old ?? 0) < revision) {
    next[REVISION] = String(revision);
    // A revision that comes back, by rollback, keeps the numbers it had.
    if (old !== undefined) next[REVISION_HISTORY] = lengthen(current[REVISION_HISTORY], old);
  }
  const changed = Object.keys(next).some((name) => next[name] !== current[name]);
  return changed ? next : current;
}

function lengthen(history: string | undefined, revision: string): string {
  const revisions = history ? history.split(",") : [];
  revisions.push(revision);
  while (revisions.length > 1 && revisions.join(",").length > LONGEST_HISTORY) revisions.shift();
  return revisions.join(",");
}

/** The annotations by which a later plan notices that the Deployment was scaled. */
export function sizeAnnotations(deployment: Deployment): Record<string, string> {
  const wanted = replicasOf(deployment);
  return {
    [DESIRED_REPLICAS]: String(wanted),
    [MAX_REPLICAS]: String(wanted + maxSurge(deployment)),
  };
}

export function newSetName(deployment: Deployment): string {
  const hash = templateHash(deployment.spec.template, deployment.status?.collisionCount);
  return `${deployment.metadata.name!.slice(0, LONGEST_NAME - 1 - hash.length)}-${hash}`;
}

/** A ReplicaSet for the current template, with as many replicas as it may have at once. */
export function draftSet(deployment: Deployment, oldSets: readonly ReplicaSet[]): ReplicaSet {
  const { template, selector, minReadySeconds = 0 } = deployment.spec;
  const hash = templateHash(template, deployment.status?.collisionCount);
  const labels = { ...template.metadata?.labels, [TEMPLATE_HASH_LABEL]: hash };
  const annotations = newestAnnotations(deployment, {}, nextRevision(oldSets));
  return {
    apiVersion: apiVersionOf(replicaSets),
    kind: "ReplicaSet",
    metadata: {
      name: newSetName(deployment),
      namespace: deployment.metadata.namespace,
      labels,
      annotations: { ...annotations, ...sizeAnnotations(deployment) },
      ownerReferences: [controllerReference(deployments, deployment)],
    },
    spec: {
      replicas: newReplicas(deployment, oldSets, 0),
      ...(minReadySeconds === 0 ? {} : { minReadySeconds }),
      selector: {
        ...selector,
        matchLabels: { ...selector.matchLabels, [TEMPLATE_HASH_LABEL]: hash },
      },
      template: { ...template, metadata: { ...template.metadata, labels } },
    },
  };
}
