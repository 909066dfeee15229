/**
 * Reviews: questions about identity and permission that are answered and not kept.
 * In: a review's spec and who asks. Out: the review with its status.
 * Never: tells about others to whoever may not ask; the route was authorized before.
 * Source: authentication.k8s.io/v1 and authorization.k8s.io/v1 (v1.36).
 */
import type { CallTarget } from "../../../api/call.ts";
import type { KubeObject, UserInfo } from "../../../api/meta.ts";
import { badRequest } from "../../../api/status.ts";
import { admitWhole } from "../../admission/admission.ts";
import type { AccessAttributes } from "../../auth/authorize.ts";
import type { Core, VerbAnswer } from "../core.ts";
import { adoptIdentity } from "../create.ts";

/** Errors: rejects with ApiError. */
export async function createReview(
  core: Core,
  target: CallTarget,
  review: KubeObject,
): Promise<VerbAnswer> {
  adoptIdentity(target, review);
  await admitWhole(core, {
    ...target,
    operation: "CREATE",
    object: review,
    old: null,
    options: {},
    dryRun: false,
  });
  const status = await statusOf(core, target, review);
  return { kind: "plain", object: { ...review, status }, created: true };
}

async function statusOf(
  core: Core,
  target: CallTarget,
  review: KubeObject,
): Promise<Record<string, unknown>> {
  const spec = review.spec ?? {};
  switch (target.resource.kind) {
    case "SelfSubjectReview":
      return { userInfo: describeUser(target.user) };
    case "TokenReview":
      return await reviewToken(core, spec);
    case "SelfSubjectAccessReview":
      return decide(core, target.user, spec);
    case "LocalSubjectAccessReview":
      refuseElsewhere(target.namespace, spec);
      return decide(core, subjectOf(spec), spec);
    case "SubjectAccessReview":
      return decide(core, subjectOf(spec), spec);
    case "SelfSubjectRulesReview":
      return core.authorizer.rulesFor(target.user, spec.namespace ?? "");
    default:
      throw badRequest(`${target.resource.kind} can't be reviewed`);
  }
}

/** A review in a namespace is about that namespace. Errors: throws ApiError 400. */
function refuseElsewhere(namespace: string, spec: Record<string, unknown>): void {
  const asked = spec.resourceAttributes as { namespace?: string } | undefined;
  if (asked?.namespace === namespace) return;
  throw badRequest(
    `spec.resourceAttributes.namespace must match namespace: ${JSON.stringify(namespace)}`,
  );
}

function describeUser(user: UserInfo): Record<string, unknown> {
  return {
    username: user.name,
    ...(user.uid ? { uid: user.uid } : {}),
    groups: user.groups,
    ...(user.extra ? { extra: user.extra } : {}),
  };
}

async function reviewToken(
  core: Core,
  spec: { token?: string; audiences?: string[] },
): Promise<Record<string, unknown>> {
  const { token = "", audiences: asked = [] } = spec;
  if (token === "") throw badRequest("token is required for TokenReview in authentication");
  const verified = await core.authenticator.verify(token, asked);
  if (verified.kind === "refused") return { authenticated: false, error: verified.reason };
  // Of a token that names nobody, the server's own name is what it is for.
  const own = verified.audiences ?? [core.tokens.issuer];
  const audiences = asked.length === 0
    ? [core.tokens.issuer]
    : asked.filter((one) => own.includes(one));
  return { authenticated: true, user: describeUser(verified.user), audiences };
}

function subjectOf(spec: Record<string, unknown>): UserInfo {
  const { user = "", groups = [], uid, extra } = spec as {
    user?: string;
    groups?: string[];
    uid?: string;
    extra?: Record<string, string[]>;
  };
  return { name: user, groups, ...(uid ? { uid } : {}), ...(extra ? { extra } : {}) };
}

function decide(
  core: Core,
  user: UserInfo,
  spec: Record<string, unknown>,
): Record<string, unknown> {
  const decision = core.authorizer.authorize(attributesOf(user, spec));
  return {
    allowed: decision.allowed,
    ...(decision.reason ? { reason: decision.reason } : {}),
  };
}

function attributesOf(user: UserInfo, spec: Record<string, unknown>): AccessAttributes {
  const resource = spec.resourceAttributes as Record<string, string> | undefined;
  const path = spec.nonResourceAttributes as Record<string, string> | undefined;
  if ((resource === undefined) === (path === undefined)) {
    throw badRequest(
      "exactly one of nonResourceAttributes or resourceAttributes must be specified",
    );
  }
  if (path !== undefined) return { user, verb: path.verb ?? "", path: path.path ?? "" };
  const { verb = "", group = "", namespace = "", name = "", subresource = "" } = resource!;
  return { user, verb, group, resource: resource!.resource ?? "", subresource, namespace, name };
}
