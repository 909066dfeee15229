/**
 * Rows of rbac.authorization.k8s.io and certificates.k8s.io: who may do what, and who is who.
 * In: the kinds' rules. Out: named rows. Never: behaviour.
 * Source: upstream's discovery documents (v1.36).
 */
import {
  clusterRoleBindingRules,
  clusterRoleRules,
  roleBindingRules,
  roleRules,
} from "../kinds/access/rbac.ts";
import { signingRequestRules } from "../kinds/access/signing_request.ts";
import type { Resource } from "../resource.ts";
import { defineResource, partOf } from "../row.ts";

const group = "rbac.authorization.k8s.io";

export const roles: Resource = defineResource({
  group,
  kind: "Role",
  plural: "roles",
  rules: roleRules,
});

export const clusterRoles: Resource = defineResource({
  group,
  kind: "ClusterRole",
  plural: "clusterroles",
  scope: "Cluster",
  rules: clusterRoleRules,
});

export const roleBindings: Resource = defineResource({
  group,
  kind: "RoleBinding",
  plural: "rolebindings",
  rules: roleBindingRules,
});

export const clusterRoleBindings: Resource = defineResource({
  group,
  kind: "ClusterRoleBinding",
  plural: "clusterrolebindings",
  scope: "Cluster",
  rules: clusterRoleBindingRules,
});

export const certificateSigningRequests: Resource = defineResource({
  group: "certificates.k8s.io",
  kind: "CertificateSigningRequest",
  plural: "certificatesigningrequests",
  shortNames: ["csr"],
  scope: "Cluster",
  subresources: (parent) => [partOf(parent, "approval"), partOf(parent, "status")],
  rules: signingRequestRules,
});

/** All of both groups. */
export const accessRows: readonly Resource[] = [
  clusterRoleBindings,
  clusterRoles,
  roleBindings,
  roles,
  certificateSigningRequests,
];
