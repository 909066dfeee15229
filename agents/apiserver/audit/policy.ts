/**
 * Reads the audit policy file: audit.k8s.io/v1 Policy, YAML or JSON.
 * In: the file's text. Out: an AuditPolicy, or every problem with its place in the file.
 * Never: opens the file; lets an unknown field pass.
 * Source: apiserver's apis/audit/v1 types and validation (v1.36).
 */
import { z } from "zod";
import { readConfigDocument } from "../config_document.ts";
import { type AuditPolicy, LEVELS, STAGES } from "./plan_level.ts";

const words = z.array(z.string()).default([]);
const stages = z.array(z.enum(STAGES)).default([]);

const url = z.string().superRefine((value, context) => {
  const refuse = (message: string) => context.addIssue({ code: "custom", message });
  if (value === "*") return;
  if (!value.startsWith("/")) refuse("non-resource URL rules must begin with a '/' character");
  if (value.slice(0, -1).includes("*")) {
    refuse("non-resource URL wildcards '*' must be the final character of the rule");
  }
});

const resources = z.strictObject({
  group: z.string().regex(/^(\*|[a-z0-9]([-.a-z0-9]*[a-z0-9])?)?$/, "is not an API group")
    .default(""),
  resources: words,
  resourceNames: words,
}).refine((of) => of.resourceNames.length === 0 || of.resources.length > 0, {
  message: "using resourceNames requires at least one resource",
});

const rule = z.strictObject({
  level: z.enum(LEVELS),
  users: words,
  userGroups: words,
  verbs: words,
  resources: z.array(resources).default([]),
  namespaces: words,
  nonResourceURLs: z.array(url).default([]),
  omitStages: stages,
  omitManagedFields: z.boolean().optional(),
}).refine(
  (one) =>
    one.nonResourceURLs.length === 0 || (one.resources.length === 0 && one.namespaces.length === 0),
  { message: "rules cannot apply to both regular resources and non-resource URLs" },
);

const POLICY = z.strictObject({
  apiVersion: z.literal("audit.k8s.io/v1"),
  kind: z.literal("Policy"),
  metadata: z.looseObject({}).optional(),
  rules: z.array(rule).min(1, "a policy without rules writes nothing"),
  omitStages: stages,
  omitManagedFields: z.boolean().default(false),
});

export type ReadPolicy =
  | { readonly kind: "policy"; readonly policy: AuditPolicy }
  | { readonly kind: "malformed"; readonly problems: readonly string[] };

/** @param text contents of the file */
export function parseAuditPolicy(text: string): ReadPolicy {
  const read = readConfigDocument(text, POLICY);
  return read.kind === "malformed" ? read : { kind: "policy", policy: read.value };
}
