/**
 * What the plugins' own parts of admission's configuration file may say.
 * In: nothing. Out: zod schemas, with defaults. Never: opens the files that they name.
 * Source: the configuration types of each plugin under plugin/pkg/admission and
 * apiserver's admission/plugin (v1.36).
 */
import { z } from "zod";
import { EVENT_LIMIT_TYPES } from "./settings.ts";

const CONFIG_GROUP = "apiserver.config.k8s.io/v1";
const SECOND = 1000;
const MINUTE = 60 * SECOND;

export const WEBHOOK_ADMISSION = z.strictObject({
  apiVersion: z.literal(CONFIG_GROUP),
  kind: z.literal("WebhookAdmissionConfiguration"),
  kubeConfigFile: z.string().min(1, "must not be empty"),
});

const count = z.number().int("must be a whole number").min(1, "must be positive");

export const EVENT_RATE_LIMIT = z.strictObject({
  apiVersion: z.literal("eventratelimit.admission.k8s.io/v1alpha1"),
  kind: z.literal("Configuration"),
  limits: z.array(z.strictObject({
    type: z.enum(EVENT_LIMIT_TYPES),
    qps: count,
    burst: count,
    cacheSize: z.number().int().min(0, "must not be negative").default(0)
      .transform((size) => size === 0 ? 4096 : size),
  })).min(1, "must not be empty"),
});

/** Numbers of a unit: 0 = the default, -1 = none at all. */
const span = (unitMillis: number, defaultMillis: number, mostMillis: number) =>
  z.number().default(0).transform((value, context) => {
    if (value === -1) return 0;
    if (value === 0) return defaultMillis;
    const millis = value * unitMillis;
    if (millis >= unitMillis && millis <= mostMillis) return millis;
    const message = `must be -1, 0, or from 1 to ${mostMillis / unitMillis}`;
    context.addIssue({ code: "custom", message });
    return z.NEVER;
  });

export const IMAGE_POLICY = z.strictObject({
  imagePolicy: z.strictObject({
    kubeConfigFile: z.string().min(1, "must not be empty"),
    allowTTL: span(SECOND, 5 * MINUTE, 30 * MINUTE),
    denyTTL: span(SECOND, MINUTE / 2, 30 * MINUTE),
    retryBackoff: span(1, SECOND / 2, 5 * MINUTE),
    defaultAllow: z.boolean().default(false),
  }).transform(({ kubeConfigFile, allowTTL, denyTTL, retryBackoff, defaultAllow }) => ({
    kubeconfigFile: kubeConfigFile,
    allowTtlMillis: allowTTL,
    denyTtlMillis: denyTTL,
    retryBackoffMillis: retryBackoff,
    defaultAllow,
  })),
});

const toleration = z.strictObject({
  key: z.string().optional(),
  operator: z.enum(["Equal", "Exists", "Lt", "Gt"]).optional(),
  value: z.string().optional(),
  effect: z.enum(["NoSchedule", "PreferNoSchedule", "NoExecute"]).optional(),
  tolerationSeconds: z.number().int().optional(),
}).transform((one) =>
  Object.fromEntries(Object.entries(one).filter(([, value]) => value !== undefined)) as typeof one
);

export const POD_TOLERATIONS = z.strictObject({
  apiVersion: z.literal("podtolerationrestriction.admission.k8s.io/v1alpha1"),
  kind: z.literal("Configuration"),
  default: z.array(toleration).default([]),
  whitelist: z.array(toleration).default([]),
});

export const POD_NODE_SELECTOR = z.strictObject({
  podNodeSelectorPluginConfig: z.record(
    z.string(),
    z.string().regex(
      /^( *[^=,! ]+ *=[^=,]*(,|$))*$/,
      "must be LABEL=VALUE pairs, separated by commas",
    ),
  ),
});

const scope = z.strictObject({
  scopeName: z.string().min(1, "must not be empty"),
  operator: z.enum(["In", "NotIn", "Exists", "DoesNotExist"]),
  values: z.array(z.string()).default([]),
});

export const RESOURCE_QUOTA = z.strictObject({
  apiVersion: z.literal(CONFIG_GROUP),
  kind: z.literal("ResourceQuotaConfiguration"),
  limitedResources: z.array(z.strictObject({
    apiGroup: z.string().default(""),
    resource: z.string().min(1, "must not be empty"),
    matchContains: z.array(z.string()).default([]),
    matchScopes: z.array(scope).default([]),
  })).default([]),
});
