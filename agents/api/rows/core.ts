/**
 * Rows of core's limits and templates, of apps' revisions, and of classes of runtimes.
 * In: the kinds' rules. Out: named rows. Never: behaviour.
 * Source: upstream's discovery documents (v1.36).
 */
import { limitRangeRules } from "../kinds/core/limit_range.ts";
import { resourceQuotaRules } from "../kinds/core/resource_quota.ts";
import { controllerRevisionRules, podTemplateRules } from "../kinds/core/templates.ts";
import { runtimeClassRules } from "../kinds/other/runtime_class.ts";
import type { Resource } from "../resource.ts";
import { defineResource, partOf } from "../row.ts";

export const limitRanges: Resource = defineResource({
  kind: "LimitRange",
  plural: "limitranges",
  shortNames: ["limits"],
  rules: limitRangeRules,
});

export const resourceQuotas: Resource = defineResource({
  kind: "ResourceQuota",
  plural: "resourcequotas",
  shortNames: ["quota"],
  subresources: (parent) => [partOf(parent, "status")],
  rules: resourceQuotaRules,
});

export const podTemplates: Resource = defineResource({
  kind: "PodTemplate",
  plural: "podtemplates",
  rules: podTemplateRules,
});

export const controllerRevisions: Resource = defineResource({
  group: "apps",
  kind: "ControllerRevision",
  plural: "controllerrevisions",
  rules: controllerRevisionRules,
});

export const runtimeClasses: Resource = defineResource({
  group: "node.k8s.io",
  kind: "RuntimeClass",
  plural: "runtimeclasses",
  scope: "Cluster",
  rules: runtimeClassRules,
});
