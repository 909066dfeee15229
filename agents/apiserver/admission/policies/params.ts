/**
 * The parameters of a policy, as one of its bindings names them.
 * In: a policy's kind of parameters, a binding's reference, a request. Out: objects, or what is
 * wrong. Never: waits. Source: CollectParams of apiserver's policy/generic (v1.36).
 */
import type { KubeObject } from "../../../api/meta.ts";
import type { Resource } from "../../../api/resource.ts";
import { findKind } from "../../../api/resources.ts";
import type { ParamKind } from "../../../api/schema/generated/admissionregistration_v1.ts";
import { matchesLabelSelector } from "../../../api/selector.ts";
import { cacheOf, type Core, keyOf, prefixOf, serve } from "../../verbs/core.ts";
import type { AdmissionRequest } from "../admission.ts";
import { namespaceOf } from "../matching/request_place.ts";
import type { PolicyBase, PolicyBinding } from "./policy.ts";

export type Params =
  /** One evaluation for each; null = the policy is evaluated without. */
  | { readonly kind: "found"; readonly params: readonly (KubeObject | null)[] }
  | { readonly kind: "policyWrong"; readonly message: string }
  | { readonly kind: "bindingWrong"; readonly message: string };

const NONE: Params = { kind: "found", params: [null] };

export function paramsOf(
  core: Core,
  policy: PolicyBase,
  parts: { readonly binding: PolicyBinding; readonly request: AdmissionRequest },
): Params {
  const paramKind: ParamKind | undefined = policy.spec.paramKind;
  const { paramRef } = parts.binding;
  if (paramKind === undefined) return NONE;
  const resource = paramResource(core, paramKind);
  if (resource === undefined) {
    const named = `${paramKind.apiVersion}, Kind=${paramKind.kind}`;
    const message = `failed to find resource referenced by paramKind: '${named}'`;
    return { kind: "policyWrong", message };
  }
  if (paramRef === undefined) return NONE;
  const wrong = (message: string): Params => ({ kind: "bindingWrong", message });
  let namespace = "";
  if (!resource.namespaced) {
    if (paramRef.namespace) {
      return wrong("paramRef.namespace must not be provided for a cluster-scoped `paramKind`");
    }
  } else {
    namespace = paramRef.namespace || namespaceOf(parts.request);
    if (namespace === "") {
      return wrong(
        "cannot use namespaced paramRef in policy binding that matches cluster-scoped resources",
      );
    }
  }
  const params = select(core, resource, { namespace, paramRef });
  if (params.length === 0 && paramRef.parameterNotFoundAction === "Deny") {
    return wrong("no params found for policy binding with `Deny` parameterNotFoundAction");
  }
  return { kind: "found", params };
}

/** The resource whose objects are a policy's parameters. */
export function paramResource(
  core: Core,
  { apiVersion = "", kind = "" }: ParamKind,
): Resource | undefined {
  const [group, version] = apiVersion.includes("/") ? apiVersion.split("/") : ["", apiVersion];
  return findKind(group, version, kind) ??
    core.custom.rows.find((row) =>
      row.group === group && row.version === version && row.kind === kind
    );
}

function select(
  core: Core,
  resource: Resource,
  parts: { readonly namespace: string; readonly paramRef: NonNullable<PolicyBinding["paramRef"]> },
): readonly KubeObject[] {
  const { namespace, paramRef: { name, selector } } = parts;
  const cache = cacheOf(core, resource);
  if (name) {
    const stored = cache.get(keyOf({ resource, namespace, name }));
    return stored === undefined ? [] : [serve(resource, stored)];
  }
  const keyPrefix = prefixOf(resource) + (namespace === "" ? "" : `${namespace}/`);
  return cache.select({
    keyPrefix,
    matches: ({ metadata }) => matchesLabelSelector(selector, metadata.labels),
  }).map((stored) => serve(resource, stored));
}
