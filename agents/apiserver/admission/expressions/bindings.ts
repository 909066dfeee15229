/**
 * What expressions of admission see of a request.
 * In: a request, the resource by which it matched. Out: values by name.
 * Never: copies an object. Source: apiserver's admission/plugin/cel/activation.go (v1.36).
 */
import type { KubeObject, UserInfo } from "../../../api/meta.ts";
import type { Resource } from "../../../api/resource.ts";
import { namespaces } from "../../../api/resources.ts";
import {
  type AskAccess,
  authorizerValue,
  DYN,
  fromJson,
  requestResourceValue,
} from "../../../cel/mod.ts";
import type { Core } from "../../verbs/core.ts";
import type { AdmissionRequest } from "../admission.ts";
import { asShownBy, hasOwnKind, namespaceObjectOf } from "../matching/request_place.ts";
import { describeRequest } from "../webhooks/review.ts";
import type { Bindings } from "./expression.ts";

const NAMESPACE_META = [
  "name",
  "generateName",
  "namespace",
  "labels",
  "annotations",
  "creationTimestamp",
  "deletionGracePeriodSeconds",
  "deletionTimestamp",
  "generation",
  "resourceVersion",
  "finalizers",
] as const;

/** The objects, the request and the authorizer, as seen by way of a resource. */
export function bindingsOf(core: Core, request: AdmissionRequest, shown: Resource): Bindings {
  const { object, old, resource, subresource, namespace, name, user } = request;
  const isOwn = hasOwnKind(request);
  const show = (one: KubeObject | null) =>
    one === null || isOwn ? one : asShownBy(resource, shown, one);
  const ask = askOf(core, user);
  return {
    object: show(object),
    oldObject: show(old),
    request: describeRequest(request, shown),
    authorizer: authorizerValue(ask),
    "authorizer.requestResource": requestResourceValue(ask, {
      group: resource.group,
      resource: resource.plural,
      subresource,
      namespace,
      name,
    }),
  };
}

/** The namespace as policies see it; null where the request is in none. */
export function namespaceValue(core: Core, request: AdmissionRequest): unknown {
  if (request.resource === namespaces) return null;
  const found = namespaceObjectOf(core, request);
  if (found === null) return null;
  const { metadata, spec, status } = found;
  const known = NAMESPACE_META.flatMap((field) =>
    metadata[field] === undefined ? [] : [[field, metadata[field]]]
  );
  return {
    metadata: { ...Object.fromEntries(known), UID: metadata.uid ?? "" },
    spec: { finalizers: spec?.finalizers ?? [] },
    status: { phase: status?.phase ?? "", conditions: status?.conditions ?? [] },
  };
}

/** Null as a value of its own: a name that is bound to nothing can't be read at all. */
export const NOTHING = fromJson(null, DYN);

function askOf(core: Core, asker: UserInfo): AskAccess {
  return (question) => {
    const { verb, serviceAccount } = question;
    const user = serviceAccount === undefined ? asker : accountUser(serviceAccount);
    const decision = question.path === undefined
      ? core.authorizer.authorize({
        user,
        verb,
        group: question.group ?? "",
        resource: question.resource ?? "",
        subresource: question.subresource ?? "",
        namespace: question.namespace ?? "",
        name: question.name ?? "",
        ...(question.fieldSelector === undefined ? {} : { fieldSelector: question.fieldSelector }),
      })
      : core.authorizer.authorize({ user, verb, path: question.path });
    return { allowed: decision.allowed, reason: decision.reason ?? "" };
  };
}

function accountUser({ namespace, name }: { namespace: string; name: string }): UserInfo {
  return {
    name: `system:serviceaccount:${namespace}:${name}`,
    groups: [
      "system:serviceaccounts",
      `system:serviceaccounts:${namespace}`,
      "system:authenticated",
    ],
  };
}
