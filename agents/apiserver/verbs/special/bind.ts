/**
 * Binds pods to nodes: one at a time over HTTP, many at once for the scheduler in this process.
 * In: pod and node names. Out: per pod null, or the failure.
 * Never: moves a bound pod, or stores two bindings under one revision: a watcher that resumes from
 * a revision would miss the rest of it. Writes of one call still share the store's batch.
 * Source: pkg/registry/core/pod/storage (assignPod, v1.36).
 */
import type { Binding, CallTarget, WriteOptions } from "../../../api/call.ts";
import type { Condition, KubeObject, UserInfo } from "../../../api/meta.ts";
import { pods } from "../../../api/resources.ts";
import { badRequest, conflict, success, uidConflict } from "../../../api/status.ts";
import { type AdmissionRequest, admitWhole } from "../../admission/admission.ts";
import { sharedJson } from "../../cache/shared_specs.ts";
import { encodeStored, type KnownSpec } from "../../cache/stored_bytes.ts";
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
  options: WriteOptions,
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
  const { namespace } = target;
  body.metadata = { ...body.metadata, namespace, name };
  await bindOne(core, { ...target, resource: pods, subresource: "binding", name }, body, options);
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
  for (const { namespace, name, nodeName, uid } of bindings) {
    const target = { resource: pods, subresource: "binding", namespace, name, user };
    const body: KubeObject = {
      kind: "Binding",
      apiVersion: "v1",
      metadata: uid === undefined ? { namespace, name } : { namespace, name, uid },
      target: { kind: "Node", name: nodeName },
    };
    outcomes.push(bindOne(core, target, body, {}).then(nothing, failure));
  }
  return Promise.all(outcomes);
}

function nothing(): null {
  return null;
}

function failure(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}

/** @param body a Binding of this call; admission may add to it */
async function bindOne(
  core: Core,
  target: CallTarget,
  body: KubeObject,
  options: WriteOptions,
): Promise<void> {
  const pending = admitBinding(core, target, body, options);
  // What waits for nobody is written with the other bindings of its call.
  if (pending !== undefined) await pending;
  const { name } = target;
  const { uid, annotations, labels } = body.metadata;
  for (let attempt = 1;; attempt++) {
    const stored = readCached(core, target);
    const pod = stored.object;
    if (uid && uid !== pod.metadata.uid) {
      throw uidConflict(BINDING, name, { wanted: uid, found: pod.metadata.uid ?? "" });
    }
    refuseUnbindable(pod, name);
    if (options.dryRun) return;
    const nodeName: string = body.target.name;
    const draft = boundPod(pod, nodeName, formatTime(core.clock.nowMillis()));
    if (annotations !== undefined) {
      draft.metadata.annotations = { ...pod.metadata.annotations, ...annotations };
    }
    if (labels !== undefined) draft.metadata.labels = { ...pod.metadata.labels, ...labels };
    const parts = { resource: pods, key: stored.key, draft, expectedRevision: stored.revision };
    const spec = boundSpec(pod, nodeName);
    const bytes = encodeStored(draft, { spec, before: stored });
    if (await commitBytes(core, parts, bytes) !== null) return;
    if (attempt === MAX_ATTEMPTS) throw conflict(BINDING, name);
  }
}

function admitBinding(
  core: Core,
  target: CallTarget,
  body: KubeObject,
  options: WriteOptions,
): void | Promise<void> {
  const request: AdmissionRequest = {
    ...target,
    operation: "CREATE",
    object: body,
    old: null,
    options,
    dryRun: options.dryRun === true,
  };
  return admitWhole(core, request);
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
    lastProbeTime: null,
    lastTransitionTime: standing?.status === "True" ? standing.lastTransitionTime : now,
    ...(pod.metadata.generation ? { observedGeneration: pod.metadata.generation } : {}),
  };
  const status: Record<string, unknown> = {
    ...pod.status,
    conditions: standing === undefined
      ? [...before, scheduled]
      : before.map((condition) => condition === standing ? scheduled : condition),
  };
  // What was promised is kept or broken now; whoever reads it later would be misled.
  if (status.nominatedNodeName !== undefined) delete status.nominatedNodeName;
  return {
    ...pod,
    metadata: { ...pod.metadata },
    spec: { ...pod.spec, nodeName },
    status,
  };
}
