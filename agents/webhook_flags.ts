/**
 * Flags that name servers outside which judge or hear of requests: authentication, authorization,
 * audit. In: raw flag values. Out: a checked WebhookFlags. Never: opens the files that flags name.
 * Source: kube-apiserver's flag reference (v1.36).
 */
import { z } from "zod";
import { type FlagProblem, path, wholeNumber } from "./flag_shapes.ts";

export const AUTHORIZATION_MODES = [
  "Node",
  "RBAC",
  "Webhook",
  "AlwaysAllow",
  "AlwaysDeny",
] as const;
export type AuthorizationMode = typeof AUTHORIZATION_MODES[number];

export interface AccessWebhookFlags {
  readonly file: string;
  readonly version: "v1" | "v1beta1";
  readonly authorizedTtlMillis: number;
  readonly unauthorizedTtlMillis: number;
}

export interface AuditWebhookFlags {
  readonly file: string;
  readonly bufferSize: number;
  readonly batchMaxSize: number;
  readonly batchMaxWaitMillis: number;
  readonly throttle: { readonly qps: number; readonly burst: number } | null;
  readonly initialBackoffMillis: number;
}

export interface WebhookFlags {
  /** Source: --authentication-token-webhook-*. Null = none. */
  readonly tokens: {
    readonly file: string;
    readonly version: "v1" | "v1beta1";
    readonly cacheTtlMillis: number;
  } | null;
  /** Source: --authorization-config, or --authorization-mode and --authorization-webhook-*. */
  readonly authorization:
    | { readonly kind: "file"; readonly file: string }
    | {
      readonly kind: "modes";
      readonly modes: readonly AuthorizationMode[];
      readonly webhook: AccessWebhookFlags | null;
    };
  /** Source: --audit-webhook-*. Null = none. */
  readonly audit: AuditWebhookFlags | null;
}

/** One row a flag: its name and value for the usage, and what it is for. */
export const WEBHOOK_OPTIONS: readonly (readonly [flags: string, help: string])[] = [
  ["--authentication-token-webhook-config-file <path>", "kubeconfig of who else knows tokens"],
  ["--authentication-token-webhook-cache-ttl <time>", "how long its word is kept (default: 2m)"],
  ["--authentication-token-webhook-version <version>", "of its reviews (default: v1beta1)"],
  ["--authorization-mode <list>", `who judges, in order (default: Node,RBAC)`],
  ["--authorization-config <path>", "the same as a file: an AuthorizationConfiguration"],
  ["--authorization-webhook-config-file <path>", "kubeconfig of the mode Webhook"],
  ["--authorization-webhook-version <version>", "of its reviews (default: v1beta1)"],
  ["--authorization-webhook-cache-authorized-ttl <time>", "how long its yes is kept (default: 5m)"],
  ["--authorization-webhook-cache-unauthorized-ttl <time>", "and all else (default: 30s)"],
  ["--audit-webhook-config-file <path>", "kubeconfig of who hears what is written down"],
  ["--audit-webhook-mode <mode>", "batch, the only one (default)"],
  ["--audit-webhook-batch-buffer-size <n>", "events that may wait (default: 10000)"],
  ["--audit-webhook-batch-max-size <n>", "events of one batch (default: 400)"],
  ["--audit-webhook-batch-max-wait <time>", "how long a small batch waits (default: 30s)"],
  ["--audit-webhook-batch-throttle-enable <true|false>", "limit batches (default: true)"],
  ["--audit-webhook-batch-throttle-qps <n>", "batches a second (default: 10)"],
  ["--audit-webhook-batch-throttle-burst <n>", "and so many at once (default: 15)"],
  ["--audit-webhook-initial-backoff <time>", "before the second try (default: 10s)"],
];

const UNIT_MILLIS: Readonly<Record<string, number>> = { h: 3_600_000, m: 60_000, s: 1000, ms: 1 };

/** `2m`, `1m30s`. */
const time = z.string().regex(/^(\d+(h|ms|m|s))+$/, "is not a time such as 30s or 1m30s")
  .transform((text) =>
    [...text.matchAll(/(\d+)(h|ms|m|s)/g)]
      .reduce((sum, [, value, unit]) => sum + Number(value) * UNIT_MILLIS[unit], 0)
  );

const version = z.enum(["v1", "v1beta1"], "must be v1 or v1beta1");

const modes = z.string().transform((text, context): AuthorizationMode[] => {
  const list = text.split(",").map((one) => one.trim());
  for (const one of list) {
    if ((AUTHORIZATION_MODES as readonly string[]).includes(one)) continue;
    const message = `"${one}" is none of ${AUTHORIZATION_MODES.join(", ")}`;
    context.addIssue({ code: "custom", message });
  }
  if (new Set(list).size !== list.length) {
    context.addIssue({ code: "custom", message: "names a mode twice" });
  }
  return list as AuthorizationMode[];
});

/** Members of the schema of all flags. */
export const WEBHOOK_SHAPE = {
  authenticationTokenWebhookConfigFile: path.optional(),
  authenticationTokenWebhookCacheTtl: time.default(120_000),
  authenticationTokenWebhookVersion: version.default("v1beta1"),
  authorizationMode: modes.optional(),
  authorizationConfig: path.optional(),
  authorizationWebhookConfigFile: path.optional(),
  authorizationWebhookVersion: version.default("v1beta1"),
  authorizationWebhookCacheAuthorizedTtl: time.default(300_000),
  authorizationWebhookCacheUnauthorizedTtl: time.default(30_000),
  auditWebhookConfigFile: path.optional(),
  auditWebhookMode: z.literal("batch", "must be batch: no request waits for a webhook here")
    .default("batch"),
  auditWebhookBatchBufferSize: wholeNumber(1, 10_000_000).default(10_000),
  auditWebhookBatchMaxSize: wholeNumber(1, 1_000_000).default(400),
  auditWebhookBatchMaxWait: time.default(30_000),
  auditWebhookBatchThrottleEnable: z.enum(["true", "false"], "must be true or false")
    .default("true"),
  auditWebhookBatchThrottleQps: wholeNumber(1, 1_000_000).default(10),
  auditWebhookBatchThrottleBurst: wholeNumber(1, 1_000_000).default(15),
  auditWebhookInitialBackoff: time.default(10_000),
};

const SHAPE = z.object(WEBHOOK_SHAPE);
type Flags = z.output<typeof SHAPE>;

/** What flags say together. @returns problems where one needs, or excludes, another */
export function webhookFlagsOf(flags: Flags): WebhookFlags | readonly FlagProblem[] {
  const problems: FlagProblem[] = [];
  const { authorizationConfig, authorizationMode, authorizationWebhookConfigFile } = flags;
  const asked = authorizationMode?.includes("Webhook") ?? false;
  if (authorizationConfig !== undefined) {
    if (authorizationMode !== undefined || authorizationWebhookConfigFile !== undefined) {
      problems.push({
        flag: "--authorization-config",
        message: "says what --authorization-mode and --authorization-webhook-* would: name one",
      });
    }
  } else if (asked && authorizationWebhookConfigFile === undefined) {
    problems.push({
      flag: "--authorization-mode",
      message: "Webhook needs --authorization-webhook-config-file beside it",
    });
  } else if (!asked && authorizationWebhookConfigFile !== undefined) {
    problems.push({
      flag: "--authorization-webhook-config-file",
      message: "needs Webhook among --authorization-mode",
    });
  }
  if (problems.length > 0) return problems;
  const { authenticationTokenWebhookConfigFile: tokenFile } = flags;
  return {
    tokens: tokenFile === undefined ? null : {
      file: tokenFile,
      version: flags.authenticationTokenWebhookVersion,
      cacheTtlMillis: flags.authenticationTokenWebhookCacheTtl,
    },
    authorization: authorizationConfig !== undefined
      ? { kind: "file", file: authorizationConfig }
      : { kind: "modes", modes: authorizationMode ?? ["Node", "RBAC"], webhook: accessOf(flags) },
    audit: auditOf(flags),
  };
}

function accessOf(flags: Flags): AccessWebhookFlags | null {
  const { authorizationWebhookConfigFile: file } = flags;
  return file === undefined ? null : {
    file,
    version: flags.authorizationWebhookVersion,
    authorizedTtlMillis: flags.authorizationWebhookCacheAuthorizedTtl,
    unauthorizedTtlMillis: flags.authorizationWebhookCacheUnauthorizedTtl,
  };
}

function auditOf(flags: Flags): AuditWebhookFlags | null {
  const { auditWebhookConfigFile: file } = flags;
  if (file === undefined) return null;
  const isLimited = flags.auditWebhookBatchThrottleEnable === "true";
  return {
    file,
    bufferSize: flags.auditWebhookBatchBufferSize,
    batchMaxSize: flags.auditWebhookBatchMaxSize,
    batchMaxWaitMillis: flags.auditWebhookBatchMaxWait,
    throttle: isLimited
      ? { qps: flags.auditWebhookBatchThrottleQps, burst: flags.auditWebhookBatchThrottleBurst }
      : null,
    initialBackoffMillis: flags.auditWebhookInitialBackoff,
  };
}
