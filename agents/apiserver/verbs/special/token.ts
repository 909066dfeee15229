/**
 * POST of a TokenRequest: a signed token for a service account, bound to an object if asked.
 * In: a service account's name, audiences, a lifetime. Out: the TokenRequest with its status.
 * Never: stores or logs the token. Source: pkg/registry/core/serviceaccount/storage/token.go.
 */
import type { CallTarget } from "../../../api/call.ts";
import type { KubeObject } from "../../../api/meta.ts";
import { findKind, nodes } from "../../../api/resources.ts";
import { badRequest, conflict, invalid, notFound } from "../../../api/status.ts";
import { admitWhole } from "../../admission/admission.ts";
import { cacheOf, type Core, keyOf, serve, type VerbAnswer } from "../core.ts";
import { readStored } from "../get.ts";
import { formatTime } from "../meta_rules.ts";

const DEFAULT_SECONDS = 3600;
const MIN_SECONDS = 600;
const MAX_SECONDS = 2 ** 32;
const REQUEST = { group: "authentication.k8s.io", kind: "TokenRequest" } as const;

/** Errors: rejects with ApiError. */
export async function createToken(
  core: Core,
  target: CallTarget,
  request: KubeObject,
): Promise<VerbAnswer> {
  const { namespace, name } = target;
  const account = serve(target.resource, await readStored(core, { ...target, subresource: "" }));
  await admitWhole(core, {
    ...target,
    operation: "CREATE",
    object: request,
    old: null,
    options: {},
    dryRun: false,
  });
  const spec = request.spec ?? {};
  const seconds = spec.expirationSeconds ?? DEFAULT_SECONDS;
  refuseLifetime(seconds, name);
  const bound = boundObject(core, target, spec.boundObjectRef);
  const audiences = spec.audiences?.length ? spec.audiences : [core.tokens.issuer];
  const expirationSeconds = Math.floor(core.clock.nowMillis() / 1000) + seconds;
  const id = core.random.uuid();
  const token = await core.tokens.sign({
    namespace,
    name,
    uid: account.metadata.uid ?? "",
    audiences,
    expirationSeconds,
    bound,
    id,
  });
  target.auditAnnotations?.set("authentication.kubernetes.io/issued-credential-id", `JTI=${id}`);
  const object: KubeObject = {
    kind: "TokenRequest",
    apiVersion: "authentication.k8s.io/v1",
    metadata: {
      name,
      namespace,
      creationTimestamp: formatTime(core.clock.nowMillis()),
    },
    spec: { ...spec, audiences, expirationSeconds: seconds },
    status: { token, expirationTimestamp: formatTime(expirationSeconds * 1000) },
  };
  return { kind: "plain", object, created: true };
}

function refuseLifetime(seconds: unknown, name: string): void {
  const path = "spec.expirationSeconds";
  if (typeof seconds !== "number" || !Number.isInteger(seconds)) {
    throw badRequest(`${path} must be an integer`);
  }
  if (seconds >= MIN_SECONDS && seconds <= MAX_SECONDS) return;
  const detail = seconds < MIN_SECONDS
    ? "may not specify a duration less than 10 minutes"
    : "may not specify a duration larger than 2^32 seconds";
  throw invalid(REQUEST, name, [{ type: "invalid", path, value: seconds, detail }]);
}

/** Whom the token lives and dies with. */
export interface BoundObject {
  readonly kind: "Pod" | "Secret" | "Node";
  readonly name: string;
  readonly uid: string;
  /** Of a pod's token, where the pod runs. */
  readonly node?: { readonly name: string; readonly uid?: string };
}

function boundObject(
  core: Core,
  target: CallTarget,
  reference: { kind?: string; apiVersion?: string; name?: string; uid?: string } | undefined,
): BoundObject | undefined {
  if (!reference) return undefined;
  const { kind, name = "", uid } = reference;
  const isKnown = kind === "Pod" || kind === "Secret" || kind === "Node";
  if (!isKnown || (reference.apiVersion ?? "v1") !== "v1") {
    throw badRequest(`cannot bind token for serviceaccount to a ${kind ?? ""}`);
  }
  const resource = findKind("", "v1", kind)!;
  const namespace = resource.namespaced ? target.namespace : "";
  const stored = cacheOf(core, resource).get(keyOf({ resource, namespace, name }));
  const of = { group: "", resource: resource.plural };
  if (stored === undefined) throw notFound(of, name);
  const { object } = stored;
  const found = object.metadata.uid ?? "";
  if (uid && uid !== found) {
    const detail = `the UID in the bound object reference (${uid}) does not match the UID in ` +
      `record. The object might have been deleted and then recreated`;
    throw conflict(of, name, detail);
  }
  if (kind === "Pod" && object.spec.serviceAccountName !== target.name) {
    throw badRequest(
      `cannot bind token for serviceaccount ${JSON.stringify(target.name)} to pod running ` +
        `with different serviceaccount name.`,
    );
  }
  const nodeName: string = (kind === "Pod" ? object.spec.nodeName : "") ?? "";
  if (nodeName === "") return { kind, name, uid: found };
  const nodeKey = keyOf({ resource: nodes, namespace: "", name: nodeName });
  const nodeUid = cacheOf(core, nodes).get(nodeKey)?.object.metadata.uid;
  return { kind, name, uid: found, node: { name: nodeName, uid: nodeUid } };
}
