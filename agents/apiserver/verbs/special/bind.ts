/**
 * Binds pods to nodes: one at a time over HTTP, many at once for the scheduler in this process.
 * In: pod and node names. Out: per pod null, or the failure.
 * Never: moves a bound pod, or stores two bindings under one revision: a watcher that resumes from
 * a revision would miss the rest of it. Writes of one call still share the store's batch.
 * Source: pkg/registry/core/pod/storage (assignPod, v1.36).
 */
import type { Binding, CallTarget } from "../../../api/call.ts";
import type { Condition, KubeObject, UserInfo } from "../../../api/meta.ts";
import { pods } from "../../../api/resources.ts";
import { badRequest, conflict, success, uidConflict } from "../../../api/status.ts";
import { sharedJson } from "../../cache/shared_specs.ts";
import { encodeStored, type KnownSpec } from "../../registry.ts";
import { commitBytes } from "../commit.ts";
import { type Core, type VerbAnswer, waitFresh } from "../core.ts";
import { readCached } from "../get.ts";
import { formatTime } from "../meta_rules.ts";

const BINDING = { group: "", resource: "pods/binding" } as const;
const MAX_ATTEMPTS = 5;

/** POST of a Binding. Errors: rejects with ApiError. */
export async function createBinding(
  core: Core,
  target: CallTarget,
  body: KubeObject,
  options: { readonly dryRun?: boolean },
): Promise<VerbAnswer> {
  const name = target.name || body.metadata?.name || "";
  const { kind = "", name: nodeName = "" } = body.target ?? {};
  if (body.metadata?.name && body.metadata.name !== name) {
    throw badRequest("the name of the object does not match the name on the URL");
  }
  if ((kind !== "" && kind !== "Node") || nodeName === "") {
    throw badRequest("Binding.target: only a node can be bound to, and it must be named");
  }
  await waitFresh(core);
  const annotations = body.metadata?.annotations;
  const uid = body.metadata?.uid;
  await bindOne(
    core,
    target.user,
    { namespace: target.namespace, name, nodeName, ...(uid ? { uid } : {}) },
    { annotations, dryRun: options.dryRun },
  );
  return {
    kind: "plain",
    object: success({ group: "", resource: "" }, "") as never,
    created: true,
  };
}

/** Outcome per binding, in order: null, or the failure. */
export async function bindMany(
  core: Core,
  user: UserInfo,
  bindings: readonly Binding[],
): Promise<readonly (null | Error)[]> {
  if (!core.feed.isFresh) await waitFresh(core);
  const outcomes: Promise<null | Error>[] = [];
  for (const binding of bindings) {
    outcomes.push(bindOne(core, user, binding).then(nothing, failure));
  }
  return Promise.all(outcomes);
}

function nothing(): null {
  return null;
}

function failure(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}

async function bindOne(
  core: Core,
  user: UserInfo,
  binding: Binding,
  extra?: { readonly annotations?: Record<string, string>; readonly dryRun?: boolean },
): Promise<void> {
  const { namespace, name, nodeName, uid } = binding;
  const target: CallTarget = { resource: pods, subresource: "", namespace, name, user };
  for (let attempt = 1;; attempt++) {
    const stored = readCached(core, target);
    const pod = stored.object;
    if (uid !== undefined && uid !== pod.metadata.uid) {
      throw uidConflict(BINDING, name, { wanted: uid, found: pod.metadata.uid ?? "" });
    }
    refuseUnbindable(pod, name);
    if (extra?.dryRun) return;
    const draft = boundPod(pod, nodeName, formatTime(core.clock.nowMillis()));
    if (extra?.annotations) {
      draft.metadata.annotations = { ...pod.metadata.annotations, ...extra.annotations };
    }
    const parts = { resource: pods, key: stored.key, draft, expectedRevision: stored.revision };
    const value = encodeStored(draft, boundSpec(pod, nodeName));
    if (await commitBytes(core, parts, value) !== null) return;
    if (attempt === MAX_ATTEMPTS) throw conflict(BINDING, name);
  }
}

/** @returns JSON of the bound pod's spec, where the unbound one's is known; no spec is empty. */
function boundSpec({ spec }: KubeObject, nodeName: string): KnownSpec | undefined {
  const json = sharedJson(spec);
  if (json === undefined) return undefined;
  const tail = `,"nodeName":${JSON.stringify(nodeName)}}`;
  return { bytes: json.bytes.subarray(0, json.bytes.length - 1), tail };
}

function refuseUnbindable(pod: KubeObject, name: string): void {
  if (pod.metadata.deletionTimestamp !== undefined) {
    throw conflict(BINDING, name, `pod ${name} is being deleted, cannot be assigned to a host`);
  }
  if (pod.spec.nodeName) {
    const detail = `pod ${name} is already assigned to node ${JSON.stringify(pod.spec.nodeName)}`;
    throw conflict(BINDING, name, detail);
  }
  if (pod.spec.schedulingGates?.length > 0) {
    throw conflict(BINDING, name, `pod ${name} has non-empty .spec.schedulingGates`);
  }
}

/** The pod on its node, sharing all that the binding does not touch. */
function boundPod(pod: KubeObject, nodeName: string, now: string): KubeObject {
  const before: readonly Condition[] = pod.status?.conditions ?? [];
  const standing = before.find((condition) => condition.type === "PodScheduled");
  const scheduled: Condition = {
    type: "PodScheduled",
    status: "True",
    lastTransitionTime: standing?.status === "True" ? standing.lastTransitionTime : now,
    ...(pod.metadata.generation ? { observedGeneration: pod.metadata.generation } : {}),
  };
  return {
    ...pod,
    metadata: { ...pod.metadata },
    spec: { ...pod.spec, nodeName },
    status: {
      ...pod.status,
      conditions: standing === undefined
        ? [...before, scheduled]
        : before.map((condition) => condition === standing ? scheduled : condition),
    },
  };
}
