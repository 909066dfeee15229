/**
 * Reviews: questions about identity and permission that are answered and not kept.
 * In: a review's spec and who asks. Out: the review with its status.
 * Never: tells about others to whoever may not ask; the route was authorized before.
 * Source: authentication.k8s.io/v1 and authorization.k8s.io/v1 (v1.36).
 */
import type { CallTarget } from "../../../api/call.ts";
import type { KubeObject, UserInfo } from "../../../api/meta.ts";
import { badRequest, invalid } from "../../../api/status.ts";
import { admitWhole } from "../../admission/admission.ts";
import type { AccessAttributes } from "../../auth/authorize.ts";
import type { Core, VerbAnswer } from "../core.ts";
import { adoptIdentity } from "../create.ts";
import { reviewProblems, selectorText } from "./review_rules.ts";

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
      refuseInvalid(target, review);
      return await decide(core, target.user, spec);
    case "LocalSubjectAccessReview":
    case "SubjectAccessReview":
      refuseInvalid(target, review);
      return await decide(core, subjectOf(spec), spec);
    case "SelfSubjectRulesReview":
      if (!spec.namespace) throw badRequest("no namespace on request");
      return core.authorizer.rulesFor(target.user, spec.namespace);
    default:
      throw badRequest(`${target.resource.kind} can't be reviewed`);
  }
}

/** Errors: throws ApiError 422. */
function refuseInvalid({ resource }: CallTarget, review: KubeObject): void {
  const problems = reviewProblems(resource.kind, review);
  if (problems.length > 0) throw invalid(resource, "", problems);
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

async function decide(
  core: Core,
  user: UserInfo,
  spec: Record<string, unknown>,
): Promise<Record<string, unknown>> {
  const decision = await core.authorizer.decide(attributesOf(user, spec));
  return {
    allowed: decision.allowed,
    ...(decision.isDenied ? { denied: true } : {}),
    ...(decision.reason ? { reason: decision.reason } : {}),
  };
}

/** The attributes that a review asks about. */
interface ReviewedAccess {
  readonly verb?: string;
  readonly group?: string;
  readonly resource?: string;
  readonly subresource?: string;
  readonly namespace?: string;
  readonly name?: string;
  readonly fieldSelector?: Parameters<typeof selectorText>[0];
  readonly path?: string;
}

function attributesOf(user: UserInfo, spec: Record<string, unknown>): AccessAttributes {
  const path = spec.nonResourceAttributes as ReviewedAccess | undefined;
  if (path) return { user, verb: path.verb ?? "", path: path.path ?? "" };
  const asked = spec.resourceAttributes as ReviewedAccess;
  const { verb = "", group = "", namespace = "", name = "", subresource = "" } = asked;
  const fieldSelector = selectorText(asked.fieldSelector);
  return {
    user,
    verb,
    group,
    resource: asked.resource ?? "",
    subresource,
    namespace,
    name,
    ...(fieldSelector === "" ? {} : { fieldSelector }),
  };
}
