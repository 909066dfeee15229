/**
 * Rows of what shapes the API server itself: admission, flow control, and resources of others.
 * In: the kinds' rules. Out: named rows. Never: behaviour.
 * Source: upstream's discovery documents (v1.36).
 */
import {
  mutatingBindingRules,
  mutatingPolicyRules,
  validatingBindingRules,
  validatingPolicyRules,
} from "../kinds/admission/policies.ts";
import { mutatingWebhookRules, validatingWebhookRules } from "../kinds/admission/webhooks.ts";
import { apiServiceRules } from "../kinds/extensions/api_service.ts";
import { customResourceDefinitionRules } from "../kinds/extensions/custom_resource_definition.ts";
import { flowSchemaRules, priorityLevelRules } from "../kinds/flow/flow_control.ts";
import type { Resource, Rules } from "../resource.ts";
import { defineResource, partOf } from "../row.ts";

function admissionRow(kind: string, plural: string, rules: Rules): Resource {
  return defineResource({
    group: "admissionregistration.k8s.io",
    kind,
    plural,
    categories: ["api-extensions"],
    scope: "Cluster",
    subresources: (parent) =>
      kind === "ValidatingAdmissionPolicy" ? [partOf(parent, "status")] : [],
    rules,
  });
}

export const mutatingAdmissionPolicies: Resource = admissionRow(
  "MutatingAdmissionPolicy",
  "mutatingadmissionpolicies",
  mutatingPolicyRules,
);

export const mutatingAdmissionPolicyBindings: Resource = admissionRow(
  "MutatingAdmissionPolicyBinding",
  "mutatingadmissionpolicybindings",
  mutatingBindingRules,
);

export const mutatingWebhookConfigurations: Resource = admissionRow(
  "MutatingWebhookConfiguration",
  "mutatingwebhookconfigurations",
  mutatingWebhookRules,
);

export const validatingAdmissionPolicies: Resource = admissionRow(
  "ValidatingAdmissionPolicy",
  "validatingadmissionpolicies",
  validatingPolicyRules,
);

export const validatingAdmissionPolicyBindings: Resource = admissionRow(
  "ValidatingAdmissionPolicyBinding",
  "validatingadmissionpolicybindings",
  validatingBindingRules,
);

export const validatingWebhookConfigurations: Resource = admissionRow(
  "ValidatingWebhookConfiguration",
  "validatingwebhookconfigurations",
  validatingWebhookRules,
);

export const flowSchemas: Resource = defineResource({
  group: "flowcontrol.apiserver.k8s.io",
  kind: "FlowSchema",
  plural: "flowschemas",
  scope: "Cluster",
  subresources: (parent) => [partOf(parent, "status")],
  rules: flowSchemaRules,
});

export const priorityLevelConfigurations: Resource = defineResource({
  group: "flowcontrol.apiserver.k8s.io",
  kind: "PriorityLevelConfiguration",
  plural: "prioritylevelconfigurations",
  scope: "Cluster",
  subresources: (parent) => [partOf(parent, "status")],
  rules: priorityLevelRules,
});

export const customResourceDefinitions: Resource = defineResource({
  group: "apiextensions.k8s.io",
  kind: "CustomResourceDefinition",
  plural: "customresourcedefinitions",
  shortNames: ["crd", "crds"],
  categories: ["api-extensions"],
  scope: "Cluster",
  subresources: (parent) => [partOf(parent, "status")],
  rules: customResourceDefinitionRules,
});

export const apiServices: Resource = defineResource({
  group: "apiregistration.k8s.io",
  kind: "APIService",
  plural: "apiservices",
  categories: ["api-extensions"],
  scope: "Cluster",
  subresources: (parent) => [partOf(parent, "status")],
  rules: apiServiceRules,
});

/** All of these groups, in order of their names. */
export const extensionRows: readonly Resource[] = [
  mutatingAdmissionPolicies,
  mutatingAdmissionPolicyBindings,
  mutatingWebhookConfigurations,
  validatingAdmissionPolicies,
  validatingAdmissionPolicyBindings,
  validatingWebhookConfigurations,
  customResourceDefinitions,
  apiServices,
  flowSchemas,
  priorityLevelConfigurations,
];
