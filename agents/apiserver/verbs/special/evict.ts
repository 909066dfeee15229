/**
 * POST of an Eviction: a delete of a pod that its disruption budgets must allow.
 * In: a pod's name and delete options. Out: a Status of success.
 * Never: lets a budget go below zero: it is spent by a conditional write before the delete.
 * Source: pkg/registry/core/pod/storage/eviction.go (v1.36).
 */
import type { CallTarget, DeleteOptions } from "../../../api/call.ts";
import type { KubeObject } from "../../../api/meta.ts";
import { findResource } from "../../../api/resources.ts";
import { matchesLabelSelector } from "../../../api/selector.ts";
import { badRequest, internalError, success, tooManyRequests } from "../../../api/status.ts";
import { admitWhole } from "../../admission/admission.ts";
import { cacheOf, type Core, serve, storeError, type VerbAnswer } from "../core.ts";
import { commitPut } from "../commit.ts";
import { deleteObject } from "../delete.ts";
import { readStored } from "../get.ts";
import { formatTime } from "../meta_rules.ts";
import { selectionOf } from "../selection.ts";

const MAX_ATTEMPTS = 5;

/** Errors: rejects with ApiError; 429 when a budget is spent. */
export async function createEviction(
  core: Core,
  target: CallTarget,
  eviction: KubeObject,
  options: { readonly dryRun?: boolean },
): Promise<VerbAnswer> {
  if (eviction.metadata?.name && eviction.metadata.name !== target.name) {
    throw badRequest(
      `name in URL does not match name in Eviction object: ${target.name} ` +
        `vs ${eviction.metadata.name}`,
    );
  }
  await admitWhole(core, {
    ...target,
    operation: "CREATE",
    object: eviction,
    old: null,
    options,
    dryRun: options.dryRun === true,
  });
  const onPod = { ...target, subresource: "" };
  const pod = serve(target.resource, await readStored(core, onPod));
  const deletion: DeleteOptions = {
    ...eviction.deleteOptions,
    ...(options.dryRun ? { dryRun: ["All"] } : {}),
  };
  if (!isFree(pod)) await spendBudget(core, target, { pod, isDryRun: options.dryRun === true });
  await deleteObject(core, onPod, deletion);
  return {
    kind: "plain",
    object: success({ group: "", resource: "" }, "") as never,
    created: true,
  };
}

/** Pods that hold no budget: finished, not yet started, or already going. */
function isFree(pod: KubeObject): boolean {
  const phase = pod.status?.phase;
  return phase === "Succeeded" || phase === "Failed" || phase === "Pending" ||
    pod.metadata.deletionTimestamp !== undefined;
}

async function spendBudget(
  core: Core,
  target: CallTarget,
  parts: { readonly pod: KubeObject; readonly isDryRun: boolean },
): Promise<void> {
  const resource = findResource("policy", "v1", "poddisruptionbudgets");
  if (resource === undefined) return;
  const cache = cacheOf(core, resource);
  for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt++) {
    const budgets = cache.select(selectionOf({ resource, namespace: target.namespace }, {}))
      .filter(({ object }) =>
        matchesLabelSelector(object.spec?.selector, parts.pod.metadata.labels)
      );
    if (budgets.length === 0) return;
    if (budgets.length > 1) {
      throw internalError(
        "This pod has more than one PodDisruptionBudget, which the eviction " +
          "subresource does not support.",
      );
    }
    const [stored] = budgets;
    const draft = spent(core, stored.object, parts.pod);
    if (parts.isDryRun) return;
    const { key, revision } = stored;
    if (await commitPut(core, { resource, key, draft, expectedRevision: revision }) !== null) {
      return;
    }
  }
  throw storeError({ kind: "timeout" }, { group: "", resource: "pods" }, "eviction");
}

function spent(core: Core, budget: KubeObject, pod: KubeObject): KubeObject {
  const name = budget.metadata.name;
  const status = budget.status ?? {};
  const isStale = (status.observedGeneration ?? 0) < (budget.metadata.generation ?? 0);
  if (isStale) {
    throw refused(`The disruption budget ${name} is still being processed by the server.`, 10);
  }
  if ((status.disruptionsAllowed ?? 0) <= 0) {
    const { desiredHealthy = 0, currentHealthy = 0 } = status;
    throw refused(
      `The disruption budget ${name} needs ${desiredHealthy} healthy pods and has ` +
        `${currentHealthy} currently`,
      0,
    );
  }
  const now = formatTime(core.clock.nowMillis());
  return {
    ...budget,
    metadata: { ...budget.metadata },
    status: {
      ...status,
      disruptionsAllowed: status.disruptionsAllowed - 1,
      disruptedPods: { ...status.disruptedPods, [pod.metadata.name!]: now },
    },
  };
}

function refused(message: string, retryAfterSeconds: number): Error {
  return tooManyRequests(
    "Cannot evict pod as it would violate the pod's disruption budget.",
    retryAfterSeconds,
    [{ reason: "DisruptionBudget", message }],
  );
}
