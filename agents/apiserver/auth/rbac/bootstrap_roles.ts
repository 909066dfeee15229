/**
 * The default roles and bindings of a new cluster, and of one that comes from an older version.
 * In: a Core whose caches are loaded. Out: the objects, created, or completed with what they lack.
 * Never: takes a right or a subject away, or touches an object whose `autoupdate` annotation is
 * "false". Source: pkg/registry/rbac/rest/storage_rbac.go and component-helpers' reconciliation
 * (v1.36).
 */
import type { KubeObject } from "../../../api/meta.ts";
import { equalJson } from "../../../api/patch/json_patch.ts";
import type { Resource } from "../../../api/resource.ts";
import { clusterRoleBindings, clusterRoles, roleBindings, roles } from "../../../api/resources.ts";
import type {
  ClusterRole,
  ClusterRoleBinding,
  Subject,
} from "../../../api/schema/generated/rbac_v1.ts";
import { ApiError } from "../../../api/status.ts";
import { copyJson } from "../../registry.ts";
import { cacheOf, type Core, keyOf } from "../../verbs/core.ts";
import { createObject } from "../../verbs/create.ts";
import { updateObject } from "../../verbs/update.ts";
import { APISERVER } from "../authorize.ts";
import { aggregatedRules } from "./aggregate.ts";
import { parseBindings, parseRoles } from "./parse_policy.ts";
import { CLUSTER_BINDINGS, NAMESPACE_BINDINGS } from "./policy/bindings.ts";
import { CLUSTER_ROLES } from "./policy/cluster_roles.ts";
import { CONTROLLER_ROLES } from "./policy/controller_roles.ts";
import { NAMESPACE_ROLES } from "./policy/namespace_roles.ts";
import { missingRights } from "./rules.ts";

const AUTO_UPDATE = "rbac.authorization.kubernetes.io/autoupdate";

/** The default cluster roles, gathering ones with the rules that they gather. */
export function defaultClusterRoles(): ClusterRole[] {
  const all = [...parseRoles(CLUSTER_ROLES), ...parseRoles(CONTROLLER_ROLES)];
  // A role may gather one that gathers itself: edit is part of admin.
  for (let round = 0; round < 3; round++) {
    for (const role of all) {
      if (role.aggregationRule !== undefined) role.rules = aggregatedRules(role, all);
    }
  }
  return all;
}

/** Errors: rejects with ApiError when the store can't write. */
export async function bootstrapRoles(core: Core): Promise<void> {
  await Promise.all([
    ...defaultClusterRoles().map((role) => ensure(core, clusterRoles, role)),
    ...parseRoles(NAMESPACE_ROLES).map((role) => ensure(core, roles, role)),
    ...parseBindings(CLUSTER_BINDINGS).map((one) => ensure(core, clusterRoleBindings, one)),
    ...parseBindings(NAMESPACE_BINDINGS).map((one) => ensure(core, roleBindings, one)),
  ]);
}

async function ensure(core: Core, resource: Resource, wanted: KubeObject): Promise<void> {
  const { namespace = "", name = "" } = wanted.metadata;
  const target = { resource, subresource: "", namespace, user: APISERVER };
  const found = cacheOf(core, resource).get(keyOf({ resource, namespace, name }))?.object;
  try {
    if (found === undefined) {
      await createObject(core, { ...target, name: "" }, copyJson(wanted), {});
      return;
    }
    const completed = complete(found, wanted);
    if (completed !== null) await updateObject(core, { ...target, name }, completed, {});
  } catch (error) {
    // Another server of the same store was faster.
    const isRace = error instanceof ApiError &&
      (error.reason === "AlreadyExists" || error.reason === "Conflict");
    if (!isRace) throw error;
  }
}

/** The object with the rights and subjects that it lacks; null when it lacks none. */
function complete(found: KubeObject, wanted: KubeObject): KubeObject | null {
  if (found.metadata.annotations?.[AUTO_UPDATE] === "false") return null;
  if (wanted.roleRef !== undefined) return completeBinding(found, wanted);
  const role = found as ClusterRole;
  // Gathered rules are the follower's.
  if (role.aggregationRule !== undefined) return null;
  const missing = missingRights(role.rules ?? [], (wanted as ClusterRole).rules ?? []);
  if (missing.length === 0) return null;
  return { ...copyJson(found), rules: [...copyJson(role.rules ?? []), ...missing] };
}

function completeBinding(found: KubeObject, wanted: KubeObject): KubeObject | null {
  const has = (found as ClusterRoleBinding).subjects ?? [];
  const isKnown = (subject: Subject) => has.some((one) => equalJson(one, subject));
  const missing = ((wanted as ClusterRoleBinding).subjects ?? []).filter((one) => !isKnown(one));
  if (missing.length === 0) return null;
  return { ...copyJson(found), subjects: [...copyJson(has), ...missing] };
}
