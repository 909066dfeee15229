/**
 * Nobody hands out rights that it does not hold.
 * In: drafts of roles and bindings. Out: a refusal that lists the missing rights.
 * Never: minds what leaves the rules and the subject of a role as they were, or masters.
 * Source: pkg/registry/rbac policybased storages (v1.36); the verbs escalate and bind.
 */
import type { KubeObject } from "../../api/meta.ts";
import { equalJson } from "../../api/patch/json_patch.ts";
import { clusterRoleBindings, clusterRoles, roleBindings, roles } from "../../api/resources.ts";
import type { PolicyRule, RoleRef } from "../../api/schema/generated/rbac_v1.ts";
import { forbidden, notFound } from "../../api/status.ts";
import { isMaster, type PolicyAuthorizer } from "../auth/rbac/policy_authorizer.ts";
import { groupResourceOf } from "../verbs/core.ts";
import type { AdmissionPlugin, AdmissionRequest } from "./admission.ts";

const FULL: readonly PolicyRule[] = [
  { verbs: ["*"], apiGroups: ["*"], resources: ["*"] },
  { verbs: ["*"], nonResourceURLs: ["*"] },
];

export function roleEscalation(authorizer: PolicyAuthorizer): AdmissionPlugin {
  return {
    name: "RoleEscalation",
    admit(request) {
      const { object, resource } = request;
      if (object === null || isMaster(request.user)) return;
      if (resource === roles || resource === clusterRoles) {
        checkRole(authorizer, request, object);
      } else if (resource === roleBindings || resource === clusterRoleBindings) {
        checkBinding(authorizer, request, object);
      }
    },
  };
}

/** Errors: throws ApiError 403. */
function checkRole(
  authorizer: PolicyAuthorizer,
  request: AdmissionRequest,
  role: KubeObject,
): void {
  const { user, namespace, old, resource } = request;
  const isSame = old !== null && equalJson(old.rules ?? [], role.rules ?? []) &&
    equalJson(old.aggregationRule ?? null, role.aggregationRule ?? null);
  if (isSame) return;
  const { group, plural } = resource;
  const name = role.metadata.name ?? "";
  const place = { group, resource: plural, subresource: "", namespace, name };
  if (authorizer.authorize({ user, verb: "escalate", ...place }).allowed) return;
  // Whoever gathers rules may come to any.
  const rules = role.aggregationRule === undefined ? role.rules ?? [] : FULL;
  refuse(request, name, authorizer.roles.escalation(user, namespace, rules));
}

/** Errors: throws ApiError 403, 404. */
function checkBinding(
  authorizer: PolicyAuthorizer,
  request: AdmissionRequest,
  binding: KubeObject,
): void {
  const { user, namespace, old } = request;
  const isSame = old !== null && equalJson(old.roleRef, binding.roleRef) &&
    equalJson(old.subjects ?? [], binding.subjects ?? []);
  if (isSame) return;
  const ref = (binding.roleRef ?? {}) as RoleRef;
  const resource = ref.kind === "ClusterRole" ? clusterRoles : roles;
  const { group, plural } = resource;
  const place = { group, resource: plural, subresource: "", namespace, name: ref.name };
  if (authorizer.authorize({ user, verb: "bind", ...place }).allowed) return;
  const rules = authorizer.roles.referencedRules(ref, namespace);
  if (rules === null) throw notFound(groupResourceOf(resource), ref.name);
  const name = binding.metadata.name ?? "";
  refuse(request, name, authorizer.roles.escalation(user, namespace, rules));
}

function refuse(request: AdmissionRequest, name: string, reason: string | null): void {
  if (reason !== null) throw forbidden(groupResourceOf(request.resource), name, reason);
}
