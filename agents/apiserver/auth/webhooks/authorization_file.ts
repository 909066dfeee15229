/**
 * Reads the list of authorizers: apiserver.config.k8s.io/v1 AuthorizationConfiguration.
 * In: the file's text. Out: its rows, webhooks still with the names of their kubeconfigs, or every
 * problem with its place. Never: opens a file; lets an unknown field pass.
 * Source: apiserver's apis/apiserver/v1 and its validation (v1.36).
 */
import { z } from "zod";
import { checkDns1123Subdomain } from "../../../api/names.ts";
import { readConfigDocument } from "../../config_document.ts";
import { type AccessWebhookConfig, conditionProblem } from "./access_webhook.ts";
import type { AuthorizerRow } from "./authorizer_chain.ts";

/** A row whose webhook's kubeconfig is yet to be read. */
export type AuthorizerFileRow =
  | Extract<AuthorizerRow, { type: "Node" | "RBAC" | "AlwaysAllow" | "AlwaysDeny" }>
  | {
    readonly type: "Webhook";
    readonly kubeconfigFile: string;
    readonly webhook: Omit<AccessWebhookConfig, "endpoint">;
  };

export type ReadAuthorization =
  | { readonly kind: "config"; readonly authorizers: readonly AuthorizerFileRow[] }
  | { readonly kind: "malformed"; readonly problems: readonly string[] };

const MINUTE_MILLIS = 60_000;
const MAX_TIMEOUT_MILLIS = 30_000;
const MAX_CONDITIONS = 64;
const UNIT_MILLIS: Readonly<Record<string, number>> = { h: 3_600_000, m: 60_000, s: 1000, ms: 1 };

/** `5m0s`, `300ms` as milliseconds; null for what is no duration. */
export function parseDuration(text: string): number | null {
  if (!/^(\d+(\.\d+)?(h|ms|m|s))+$/.test(text)) return null;
  let millis = 0;
  for (const [, value, unit] of text.matchAll(/(\d+(?:\.\d+)?)(h|ms|m|s)/g)) {
    millis += Number(value) * UNIT_MILLIS[unit];
  }
  return millis;
}

export const duration = z.string().transform((text, context) => {
  const millis = parseDuration(text);
  if (millis !== null) return millis;
  context.addIssue({ code: "custom", message: 'must be a duration such as "5m"' });
  return z.NEVER;
});

const condition = z.strictObject({
  expression: z.string().superRefine((source, context) => {
    const problem = source === "" ? "must not be empty" : conditionProblem(source);
    if (problem !== null) context.addIssue({ code: "custom", message: problem });
  }),
});

const name = z.string().superRefine((text, context) => {
  for (const message of checkDns1123Subdomain(text)) context.addIssue({ code: "custom", message });
});

const WEBHOOK = z.strictObject({
  authorizedTTL: duration.default(5 * MINUTE_MILLIS),
  cacheAuthorizedRequests: z.boolean().default(true),
  unauthorizedTTL: duration.default(MINUTE_MILLIS / 2),
  cacheUnauthorizedRequests: z.boolean().default(true),
  timeout: duration.refine(
    (millis) => millis > 0 && millis <= MAX_TIMEOUT_MILLIS,
    "must be positive and at most 30s",
  ),
  subjectAccessReviewVersion: z.enum(["v1", "v1beta1"]),
  matchConditionSubjectAccessReviewVersion: z.literal("v1").optional(),
  failurePolicy: z.enum(["NoOpinion", "Deny"]),
  connectionInfo: z.strictObject({
    type: z.literal("KubeConfigFile"),
    kubeConfigFile: z.string().startsWith("/", "must be an absolute path"),
  }),
  matchConditions: z.array(condition).max(MAX_CONDITIONS).default([]),
}).refine(
  ({ matchConditions, matchConditionSubjectAccessReviewVersion: version }) =>
    matchConditions.length === 0 || version !== undefined,
  "matchConditionSubjectAccessReviewVersion is required where there are matchConditions",
);

const ROW = z.discriminatedUnion("type", [
  z.strictObject({ type: z.enum(["Node", "RBAC", "AlwaysAllow", "AlwaysDeny"]), name }),
  z.strictObject({ type: z.literal("Webhook"), name, webhook: WEBHOOK }),
]);

const CONFIGURATION = z.strictObject({
  apiVersion: z.enum(["apiserver.config.k8s.io/v1", "apiserver.config.k8s.io/v1beta1"]),
  kind: z.literal("AuthorizationConfiguration"),
  authorizers: z.array(ROW).min(1, "at least one authorization mode must be defined")
    .superRefine((rows, context) => {
      const seen = new Set<string>();
      for (const [i, row] of rows.entries()) {
        const again = (what: string, at: string) =>
          context.addIssue({ code: "custom", path: [i, at], message: `names ${what} twice` });
        if (seen.has(`name ${row.name}`)) again(row.name, "name");
        if (row.type !== "Webhook" && seen.has(row.type)) again(row.type, "type");
        seen.add(`name ${row.name}`).add(row.type);
      }
    }),
});

/** @param text contents of the file */
export function parseAuthorization(text: string): ReadAuthorization {
  const read = readConfigDocument(text, CONFIGURATION);
  if (read.kind === "malformed") return read;
  const authorizers = read.value.authorizers.map((row): AuthorizerFileRow => {
    if (row.type !== "Webhook") return { type: row.type };
    const { webhook } = row;
    const ttl = (isKept: boolean, millis: number) => isKept ? millis : 0;
    return {
      type: "Webhook",
      kubeconfigFile: webhook.connectionInfo.kubeConfigFile,
      webhook: {
        name: row.name,
        version: webhook.subjectAccessReviewVersion,
        timeoutMillis: webhook.timeout,
        authorizedTtlMillis: ttl(webhook.cacheAuthorizedRequests, webhook.authorizedTTL),
        unauthorizedTtlMillis: ttl(webhook.cacheUnauthorizedRequests, webhook.unauthorizedTTL),
        failurePolicy: webhook.failurePolicy,
        matchConditions: webhook.matchConditions.map(({ expression }) => expression),
      },
    };
  });
  return { kind: "config", authorizers };
}
