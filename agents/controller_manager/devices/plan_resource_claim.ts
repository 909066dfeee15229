/**
 * PURE. Makes the claims to devices that pods want from templates, and frees claims once nobody
 * uses them.
 * In: the key of a pod or of a claim, the view. Out: claims, the pod's list of them, reservations
 * that ended, finalizers and claims that may go.
 * Never: allocates; the scheduler does. Takes nothing from a pod that might still be there: the API
 * server is asked first.
 * Source: pkg/controller/resourceclaim (v1.36).
 */
import type { KubeObject } from "../../api/meta.ts";
import { pods, resourceClaims, resourceClaimTemplates } from "../../api/resources.ts";
import type { Pod, PodResourceClaim } from "../../api/schema/generated/core_v1.ts";
import type {
  ResourceClaim,
  ResourceClaimConsumerReference,
  ResourceClaimTemplate,
} from "../../api/schema/generated/resource_v1.ts";
import type { Action, Controller, Guard, PlanInput, View } from "../controller.ts";

const FINALIZER = "resource.kubernetes.io/delete-protection";
const FOR_ENTRY = "resource.kubernetes.io/pod-claim-name";
/** A generated name ends in a hyphen and five characters, and has 63 at most. */
const MOST_BASE = 57;
const MOST_CONSUMERS = 256;
/** Index of claims by the uid of the pod that they were made for. */
const BY_OWNER = "owner";
/** Index of pods by the templates that they use. */
const BY_TEMPLATE = "template";

type Update = Extract<Action, { readonly kind: "update" }>;

const EVENT_REASON = "FailedResourceClaimCreation";

function ownerOf({ metadata }: KubeObject): { name: string; uid: string } | undefined {
  return metadata.ownerReferences?.find((it) => it.controller && it.kind === "Pod");
}

function entriesOf({ spec }: Pod): readonly PodResourceClaim[] {
  return spec?.resourceClaims ?? [];
}

function isDone({ metadata, spec, status }: Pod): boolean {
  if (status?.phase === "Succeeded" || status?.phase === "Failed") return true;
  return metadata.deletionTimestamp !== undefined && !spec?.nodeName;
}

/** @returns names of the pod's claims, as far as they are made. */
function claimNames(pod: Pod): string[] {
  const made = (name: string) =>
    pod.status?.resourceClaimStatuses?.find((it) => it.name === name)?.resourceClaimName;
  return entriesOf(pod).flatMap(({ name, resourceClaimName }) =>
    resourceClaimName ?? made(name) ?? []
  );
}

/** @returns the pod's claims, and the one that the scheduler made for its extended resources. */
function allClaimNames(pod: Pod): string[] {
  const extended = pod.status?.extendedResourceClaimStatus?.resourceClaimName;
  return extended === undefined ? claimNames(pod) : [...claimNames(pod), extended];
}

const keyOf = ({ metadata: { namespace, name } }: KubeObject) => [`${namespace}/${name}`];

/** The row of run.ts that makes claims for pods. */
export const podClaimController: Controller = {
  name: "resource-claim-controller",
  workers: 4,
  watches: [
    {
      resource: pods,
      keysOf: (pod) => entriesOf(pod as Pod).length === 0 ? [] : keyOf(pod),
      indexes: {
        [BY_TEMPLATE]: (pod) =>
          entriesOf(pod as Pod).flatMap(({ resourceClaimTemplateName }) =>
            resourceClaimTemplateName === undefined
              ? []
              : [`${pod.metadata.namespace}/${resourceClaimTemplateName}`]
          ),
      },
    },
    {
      resource: resourceClaims,
      keysOf: (claim) => {
        const owner = ownerOf(claim);
        return owner === undefined ? [] : [`${claim.metadata.namespace}/${owner.name}`];
      },
      indexes: { [BY_OWNER]: (claim) => [ownerOf(claim)?.uid ?? []].flat() },
    },
    {
      resource: resourceClaimTemplates,
      keysOf: (template, view) =>
        view.byIndex(pods, { index: BY_TEMPLATE, value: keyOf(template)[0] }).flatMap(keyOf),
    },
  ],
  plan: (key, { view }) => planPod(key, view),
};

/** The row of run.ts that frees claims. */
export const claimReleaseController: Controller = {
  name: "resource-claim-release-controller",
  workers: 4,
  watches: [
    { resource: resourceClaims, keysOf: keyOf },
    {
      resource: pods,
      keysOf: (pod) => allClaimNames(pod as Pod).map((name) => `${pod.metadata.namespace}/${name}`),
    },
  ],
  plan: planClaim,
};

function planPod(key: string, view: View): Action[] {
  const [namespace, name] = key.split("/");
  const pod = view.get<Pod>(pods, { namespace, name });
  if (pod === undefined || pod.metadata.deletionTimestamp !== undefined || isDone(pod)) return [];
  const made: { name: string; resourceClaimName: string }[] = [];
  const actions: Action[] = [];
  for (const entry of entriesOf(pod)) {
    if (entry.resourceClaimTemplateName === undefined || isSettled(pod, entry, view)) continue;
    const claim = orphanOf(pod, entry, view);
    if (claim !== undefined) {
      made.push({ name: entry.name, resourceClaimName: claim.metadata.name! });
    } else actions.push(makeClaim(pod, entry, view));
  }
  if (made.length > 0) {
    const body = { metadata: { uid: pod.metadata.uid }, status: { resourceClaimStatuses: made } };
    const type = "application/strategic-merge-patch+json";
    const place = { namespace, name };
    actions.push({ kind: "patch", resource: pods, place, subresource: "status", type, body });
  }
  return [...actions, ...reservations(pod, view)];
}

/** Whether the claim of an entry is known to the pod and still its own, or not needed at all. */
function isSettled(pod: Pod, { name }: PodResourceClaim, view: View): boolean {
  const known = pod.status?.resourceClaimStatuses?.find((it) => it.name === name);
  if (known === undefined) return false;
  if (known.resourceClaimName === undefined) return true;
  const { namespace, uid } = pod.metadata;
  const claim = view.get<ResourceClaim>(resourceClaims, {
    namespace,
    name: known.resourceClaimName,
  });
  return claim !== undefined && ownerOf(claim)?.uid === uid;
}

/** A claim that was made for the entry and that the pod does not show yet. */
function orphanOf(pod: Pod, { name }: PodResourceClaim, view: View): ResourceClaim | undefined {
  return view.byIndex<ResourceClaim>(resourceClaims, {
    index: BY_OWNER,
    value: pod.metadata.uid ?? "",
  }).find(({ metadata }) => metadata.annotations?.[FOR_ENTRY] === name);
}

function makeClaim(pod: Pod, entry: PodResourceClaim, view: View): Action {
  const { namespace, name: podName = "", uid = "" } = pod.metadata;
  const { name, resourceClaimTemplateName: templateName = "" } = entry;
  const template = view.get<ResourceClaimTemplate>(resourceClaimTemplates, {
    namespace,
    name: templateName,
  });
  if (template === undefined) {
    const message = `PodResourceClaim ${name}: resource claim template "${templateName}": ` +
      `resourceclaimtemplate.resource.k8s.io "${templateName}" not found`;
    return { kind: "event", about: pod, type: "Warning", reason: EVENT_REASON, message };
  }
  const { metadata = {}, spec } = template.spec;
  const owner = { apiVersion: "v1", kind: "Pod", name: podName, uid, controller: true };
  const object: ResourceClaim = {
    apiVersion: "resource.k8s.io/v1",
    kind: "ResourceClaim",
    metadata: {
      namespace,
      generateName: baseName(podName, name),
      ownerReferences: [owner],
      annotations: { ...metadata.annotations, [FOR_ENTRY]: name },
      ...(metadata.labels === undefined ? {} : { labels: metadata.labels }),
    },
    spec,
  };
  const failure = { reason: EVENT_REASON, message: `PodResourceClaim ${name}: {error}` };
  return { kind: "create", resource: resourceClaims, object, announce: { about: pod, failure } };
}

/** Both names are cut in proportion where they are too long together. */
function baseName(podName: string, entryName: string): string {
  const whole = `${podName}-${entryName}-`;
  if (whole.length <= MOST_BASE) return whole;
  const cut = (name: string) => name.slice(0, Math.floor(name.length * MOST_BASE / whole.length));
  return `${cut(podName)}-${cut(entryName)}`;
}

/** A pod that got its node from someone else than the scheduler still uses its claims. */
function reservations(pod: Pod, view: View): Action[] {
  const { namespace, name = "", uid = "" } = pod.metadata;
  if (!pod.spec?.nodeName) return [];
  return claimNames(pod).flatMap((claimName): Action[] => {
    const claim = view.get<ResourceClaim>(resourceClaims, { namespace, name: claimName });
    const { allocation, reservedFor = [] } = claim?.status ?? {};
    const isReserved = reservedFor.some((consumer) => consumer.uid === uid);
    if (claim === undefined || allocation === undefined || isReserved) return [];
    if (reservedFor.length >= MOST_CONSUMERS) return [];
    const status = {
      ...claim.status,
      reservedFor: [...reservedFor, { resource: "pods", name, uid }],
    };
    return [updateStatus(claim, status)];
  });
}

function updateStatus(claim: ResourceClaim, status: object): Update {
  const object = { ...claim, status };
  return { kind: "update", resource: resourceClaims, object, subresource: "status" };
}

function planClaim(key: string, { view }: PlanInput): Action[] {
  const [namespace, name] = key.split("/");
  const claim = view.get<ResourceClaim>(resourceClaims, { namespace, name });
  if (claim === undefined) return [];
  const { reservedFor = [], allocation } = claim.status ?? {};
  const guards: Guard[] = [];
  const remaining = reservedFor.filter((consumer) => isKept(consumer, claim, view, guards));
  const isHeld = claim.metadata.finalizers?.includes(FINALIZER) === true;
  if (remaining.length < reservedFor.length) return [freed(claim, remaining, guards)];
  if (remaining.length > 0) return [];
  const isGoing = claim.metadata.deletionTimestamp !== undefined;
  if (isGoing && isHeld) {
    // Who deletes a claim before anyone used it frees what was allocated for nobody.
    return allocation === undefined ? [unprotected(claim)] : [freed(claim, [], [])];
  }
  return isGoing ? [] : unneeded(claim, view);
}

/** @param guards gets one for each consumer that seems to be gone */
function isKept(
  { apiGroup, resource, name, uid }: ResourceClaimConsumerReference,
  { metadata: { namespace } }: ResourceClaim,
  view: View,
  guards: Guard[],
): boolean {
  if (apiGroup || resource !== "pods") return true;
  const pod = view.get<Pod>(pods, { namespace, name });
  if (pod?.metadata.uid === uid) return !isDone(pod);
  guards.push({ kind: "absent", resource: pods, place: { namespace, name }, uid });
  return false;
}

/** A claim whose last user went gives its devices back at once. */
function freed(
  claim: ResourceClaim,
  remaining: readonly ResourceClaimConsumerReference[],
  guards: readonly Guard[],
): Action {
  const { allocation, devices, reservedFor: _, ...rest } = claim.status ?? {};
  const keeps = remaining.length > 0 || !claim.metadata.finalizers?.includes(FINALIZER);
  const status = {
    ...rest,
    ...(remaining.length === 0 ? {} : { reservedFor: remaining }),
    ...(keeps && allocation !== undefined ? { allocation } : {}),
    ...(keeps && devices !== undefined ? { devices } : {}),
  };
  return { ...updateStatus(claim, status), guards };
}

function unprotected(claim: ResourceClaim): Action {
  const finalizers = claim.metadata.finalizers!.filter((it) => it !== FINALIZER);
  const object = { ...claim, metadata: { ...claim.metadata, finalizers } };
  return { kind: "update", resource: resourceClaims, object };
}

/** A claim that was made for a pod which will not run any more is of no use to anyone. */
function unneeded(claim: ResourceClaim, view: View): Action[] {
  const owner = ownerOf(claim);
  if (owner === undefined) return [];
  const { namespace } = claim.metadata;
  const pod = view.get<Pod>(pods, { namespace, name: owner.name });
  if (pod === undefined || (pod.metadata.uid === owner.uid && !isDone(pod))) return [];
  return [{ kind: "delete", resource: resourceClaims, object: claim }];
}
