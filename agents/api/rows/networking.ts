/**
 * Rows of networking.k8s.io.
 * In: the kinds' rules. Out: named rows. Never: behaviour.
 * Source: upstream's discovery documents (v1.36).
 */
import { ipAddressRules, serviceCidrRules } from "../kinds/networking/addresses.ts";
import { ingressClassRules, ingressRules } from "../kinds/networking/ingress.ts";
import { networkPolicyRules } from "../kinds/networking/network_policy.ts";
import type { Resource } from "../resource.ts";
import { defineResource, partOf } from "../row.ts";

const group = "networking.k8s.io";

export const ingresses: Resource = defineResource({
  group,
  kind: "Ingress",
  plural: "ingresses",
  shortNames: ["ing"],
  subresources: (parent) => [partOf(parent, "status")],
  rules: ingressRules,
});

export const ingressClasses: Resource = defineResource({
  group,
  kind: "IngressClass",
  plural: "ingressclasses",
  scope: "Cluster",
  rules: ingressClassRules,
});

export const networkPolicies: Resource = defineResource({
  group,
  kind: "NetworkPolicy",
  plural: "networkpolicies",
  shortNames: ["netpol"],
  rules: networkPolicyRules,
});

export const ipAddresses: Resource = defineResource({
  group,
  kind: "IPAddress",
  plural: "ipaddresses",
  shortNames: ["ip"],
  scope: "Cluster",
  rules: ipAddressRules,
});

export const serviceCidrs: Resource = defineResource({
  group,
  kind: "ServiceCIDR",
  plural: "servicecidrs",
  scope: "Cluster",
  subresources: (parent) => [partOf(parent, "status")],
  rules: serviceCidrRules,
});

/** All of the group, in order of their names. */
export const networkingRows: readonly Resource[] = [
  ingressClasses,
  ingresses,
  ipAddresses,
  networkPolicies,
  serviceCidrs,
];
