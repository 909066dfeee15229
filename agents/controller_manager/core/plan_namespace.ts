/**
 * PURE. Empties a namespace that is being deleted, tells what is left, and then lets it go.
 * In: a namespace's key, the view, the namespaced resources. Out: collection deletes, conditions,
 * and the finalize write, which is guarded by a look at the API server itself.
 * Never: touches a namespace that is not being deleted.
 * Source: pkg/controller/namespace/deletion (v1.36), wording of conditions included.
 */
import { namespaces } from "../../api/resources.ts";
import { formatTime } from "../../api/time.ts";
import { resourceName } from "../../client/informer_set.ts";
import type { KubeObject } from "../../api/meta.ts";
import type { Resource } from "../../api/resource.ts";
import type { Action, Controller, PlanInput } from "../controller.ts";
import type { StatusCondition } from "../kinds.ts";

const FINALIZER = "kubernetes";
/** Content that waits for finalizers or grace is looked at again after this long. */
const CHECK_MILLIS = 1_000;

/**
 * The row of run.ts.
 * @param all every stored resource; those that are namespaced and deletable are emptied.
 */
export function namespaceController(all: readonly Resource[]): Controller {
  const content = all.filter((resource) =>
    resource.namespaced && resource.verbs.includes("deletecollection") &&
    resource.verbs.includes("list") && resource.verbs.includes("watch") &&
    // The same objects as core events.
    resource.group !== "events.k8s.io"
  );
  return {
    name: "namespace-controller",
    workers: 10,
    watches: [
      { resource: namespaces, keysOf: (namespace) => [namespace.metadata.name!] },
      ...content.filter(isWatched).map((resource) => ({
        resource,
        settleMillis: 20,
        keysOf: (object: KubeObject) =>
          object.metadata.deletionTimestamp === undefined ? [] : [object.metadata.namespace!],
      })),
    ],
    plan: (key, input) => planNamespace(key, input, content),
  };
}

/** @param key the namespace's name. @param content the resources to empty. */
export function planNamespace(
  key: string,
  input: PlanInput,
  content: readonly Resource[],
): Action[] {
  const namespace = input.view.get(namespaces, { name: key });
  if (namespace === undefined || namespace.metadata.deletionTimestamp === undefined) return [];
  const finalizers: string[] = namespace.spec?.finalizers ?? [];
  if (!finalizers.includes(FINALIZER)) return [];
  const left = content
    .filter(isWatched)
    .map((resource) => ({ resource, objects: input.view.list(resource, key) }))
    .filter(({ objects }) => objects.length > 0);
  const status = statusOf(namespace, left, input);
  const tell: Action[] = isNews(namespace, status)
    ? [{
      kind: "update",
      resource: namespaces,
      subresource: "status",
      object: { ...namespace, status },
    }]
    : [];
  if (left.length > 0) {
    const alive = left.filter(({ objects }) =>
      objects.some((object) => object.metadata.deletionTimestamp === undefined)
    );
    return [
      ...alive.map(({ resource }) => clear(resource, key)),
      ...tell,
      { kind: "requeue", afterMillis: CHECK_MILLIS },
    ];
  }
  // The status goes first and comes back; the write after it must start from what is stored.
  if (tell.length > 0) return tell;
  const unseen = content.filter((resource) => !isWatched(resource));
  return [...unseen.map((resource) => clear(resource, key)), {
    kind: "update",
    resource: namespaces,
    subresource: "finalize",
    object: {
      ...namespace,
      spec: {
        ...namespace.spec,
        finalizers: finalizers.filter((finalizer) => finalizer !== FINALIZER),
      },
    },
    guards: [{ kind: "empty", resources: content, namespace: key }],
  }];
}

/** Events are many and concern nobody here: they are cleared unseen, at the end. */
function isWatched(resource: Resource): boolean {
  return resource.plural !== "events";
}

function clear(resource: Resource, namespace: string): Action {
  return { kind: "deleteCollection", resource, namespace };
}

interface Left {
  readonly resource: Resource;
  readonly objects: readonly KubeObject[];
}

type Verdict = Omit<StatusCondition, "lastTransitionTime">;

function statusOf(namespace: KubeObject, left: readonly Left[], input: PlanInput): KubeObject {
  const wanted = [...settledVerdicts(), contentVerdict(input), ...remainderVerdicts(left)];
  const known: StatusCondition[] = namespace.status?.conditions ?? [];
  const now = formatTime(input.nowMillis);
  const conditions = wanted.map((condition) => {
    const old = known.find((one) => one.type === condition.type);
    const lastTransitionTime = old?.status === condition.status
      ? old.lastTransitionTime ?? now
      : now;
    return { ...condition, lastTransitionTime };
  });
  const others = known.filter((one) => !wanted.some((condition) => condition.type === one.type));
  return { ...namespace.status, phase: "Terminating", conditions: [...others, ...conditions] };
}

/** The resources are a table here: finding and parsing them can't fail. */
function settledVerdicts(): Verdict[] {
  return [
    {
      type: "NamespaceDeletionDiscoveryFailure",
      status: "False",
      reason: "ResourcesDiscovered",
      message: "All resources successfully discovered",
    },
    {
      type: "NamespaceDeletionGroupVersionParsingFailure",
      status: "False",
      reason: "ParsedGroupVersions",
      message: "All legacy kube types successfully parsed",
    },
  ];
}

function contentVerdict(input: PlanInput): Verdict {
  const type = "NamespaceDeletionContentFailure";
  const failure = input.failure?.during === "deleteCollection" ? input.failure : undefined;
  if (failure === undefined) {
    const message = "All content successfully deleted, may be waiting on finalization";
    return { type, status: "False", reason: "ContentDeleted", message };
  }
  const message = `Failed to delete all resource types, 1 remaining: ${failure.message}`;
  return { type, status: "True", reason: "ContentDeletionFailed", message };
}

function remainderVerdicts(left: readonly Left[]): Verdict[] {
  const remaining = left
    .map(({ resource, objects }) =>
      `${resourceNameOf(resource)} has ${objects.length} resource instances`
    )
    .sort();
  const byFinalizer = new Map<string, number>();
  for (const { objects } of left) {
    for (const finalizer of objects.flatMap((object) => object.metadata.finalizers ?? [])) {
      byFinalizer.set(finalizer, (byFinalizer.get(finalizer) ?? 0) + 1);
    }
  }
  const finalizing = [...byFinalizer]
    .map(([name, count]) => `${name} in ${count} resource instances`)
    .sort();
  const content = remaining.length > 0;
  const finalizers = finalizing.length > 0;
  return [
    {
      type: "NamespaceContentRemaining",
      status: content ? "True" : "False",
      reason: content ? "SomeResourcesRemain" : "ContentRemoved",
      message: content
        ? `Some resources are remaining: ${remaining.join(", ")}`
        : "All content successfully removed",
    },
    {
      type: "NamespaceFinalizersRemaining",
      status: finalizers ? "True" : "False",
      reason: finalizers ? "SomeFinalizersRemain" : "ContentHasNoFinalizers",
      message: finalizers
        ? `Some content in the namespace has finalizers remaining: ${finalizing.join(", ")}`
        : "All content-preserving finalizers finished",
    },
  ];
}

/** As conditions name it: `pods.`, `deployments.apps`. */
function resourceNameOf(resource: Resource): string {
  return resource.group === "" ? `${resource.plural}.` : resourceName(resource);
}

function isNews(namespace: KubeObject, status: KubeObject): boolean {
  const known: StatusCondition[] = namespace.status?.conditions ?? [];
  return namespace.status?.phase !== "Terminating" ||
    (status.conditions as StatusCondition[]).some((condition) => {
      const old = known.find((one) => one.type === condition.type);
      return old?.status !== condition.status || old.message !== condition.message;
    });
}
