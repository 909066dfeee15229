/**
 * Rows of resource.k8s.io: devices and claims to them.
 * In: the kinds' rules. Out: named rows. Never: behaviour.
 * Source: upstream's discovery documents (v1.36).
 */
import {
  deviceClassRules,
  resourceClaimRules,
  resourceClaimTemplateRules,
} from "../kinds/devices/claims.ts";
import { resourceSliceRules } from "../kinds/devices/resource_slice.ts";
import type { Resource } from "../resource.ts";
import { defineResource, partOf } from "../row.ts";

const group = "resource.k8s.io";

export const deviceClasses: Resource = defineResource({
  group,
  kind: "DeviceClass",
  plural: "deviceclasses",
  scope: "Cluster",
  rules: deviceClassRules,
});

export const resourceClaims: Resource = defineResource({
  group,
  kind: "ResourceClaim",
  plural: "resourceclaims",
  subresources: (parent) => [partOf(parent, "status")],
  rules: resourceClaimRules,
});

export const resourceClaimTemplates: Resource = defineResource({
  group,
  kind: "ResourceClaimTemplate",
  plural: "resourceclaimtemplates",
  rules: resourceClaimTemplateRules,
});

export const resourceSlices: Resource = defineResource({
  group,
  kind: "ResourceSlice",
  plural: "resourceslices",
  scope: "Cluster",
  rules: resourceSliceRules,
});

/** All of the group, in order of their names. */
export const deviceRows: readonly Resource[] = [
  deviceClasses,
  resourceClaims,
  resourceClaimTemplates,
  resourceSlices,
];
