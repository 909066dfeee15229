/**
 * Flags of `balsa up` about who may come in and what is kept of it, under kube-apiserver's names.
 * In: raw flag values. Out: a checked SecurityConfig. Never: opens the files that flags name.
 * Source: kube-apiserver's flag reference (v1.36).
 */
import { z } from "zod";
import { isProblemList } from "./flag_shapes.ts";
import {
  WEBHOOK_OPTIONS,
  WEBHOOK_SHAPE,
  type WebhookFlags,
  webhookFlagsOf,
} from "./webhook_flags.ts";

export interface SecurityConfig {
  /** Null = no audit log. Source: --audit-policy-file, --audit-log-path and its bounds. */
  readonly audit: {
    readonly policyFile: string;
    /** Null = a webhook alone hears of requests. */
    readonly log: {
      readonly path: string;
      readonly maxSizeMegabytes: number;
      readonly maxAgeDays: number;
      readonly maxBackups: number;
    } | null;
  } | null;
  /** Servers outside that judge or hear of requests. */
  readonly webhooks: WebhookFlags;
  /** Null = values are stored as they are. Source: --encryption-provider-config. */
  readonly encryptionFile: string | null;
  /** Null = plugins by their defaults. Source: --admission-control-config-file. */
  readonly admissionFile: string | null;
  /**
   * Keys beside the signing one whose service account tokens are taken.
   * Source: --service-account-key-file, once a file.
   */
  readonly tokenKeyFiles: readonly string[];
  /** `iss` of service account tokens; null = the default. Source: --service-account-issuer. */
  readonly tokenIssuer: string | null;
  /** Who may come without a name. Default all. Source: --anonymous-auth. */
  readonly anonymous: "all" | "health" | "none";
  /** Null = no provider. Source: the --oidc-* flags. */
  readonly oidc: OidcFlags | null;
  /** Requests at a time, reading. Default 400. Source: --max-requests-inflight. */
  readonly maxRequestsInflight: number;
  /** And writing. Default 200. Source: --max-mutating-requests-inflight. */
  readonly maxMutatingRequestsInflight: number;
}

/** The provider of users outside of the cluster. */
export interface OidcFlags {
  readonly issuerUrl: string;
  readonly clientId: string;
  readonly usernameClaim: string;
  readonly usernamePrefix: string;
  readonly groupsClaim: string;
  readonly groupsPrefix: string;
  readonly requiredClaims: Readonly<Record<string, string>>;
  readonly signingAlgs: readonly string[];
  readonly caFile: string | null;
}

/** One row a flag: its name and value for the usage, what it is for, whether it may come again. */
export const SECURITY_OPTIONS: readonly (readonly [flags: string, help: string, "again"?])[] = [
  ["--audit-policy-file <path>", "which requests are written down: an audit.k8s.io/v1 Policy"],
  ["--audit-log-path <path>", "where they are written, as JSON lines; - = standard output"],
  ["--audit-log-maxsize <megabytes>", "begin a new audit log at this size (default: 100)"],
  ["--audit-log-maxage <days>", "remove audit logs older than this (default: keep)"],
  ["--audit-log-maxbackup <n>", "old audit logs to keep (default: all)"],
  ["--admission-control-config-file <path>", "what admission plugins are told"],
  ["--encryption-provider-config <path>", "which resources are sealed in the store, and how"],
  ["--service-account-key-file <path>", "take tokens signed with this key too", "again"],
  ["--service-account-issuer <url>", "who service account tokens say made them"],
  ["--anonymous-auth <true|false|health>", "let in who names nobody (default: true, for roles)"],
  ["--oidc-issuer-url <url>", "OpenID Connect provider of users: https://…"],
  ["--oidc-client-id <id>", "whom its ID tokens must be for"],
  ["--oidc-username-claim <name>", "claim that names the user (default: sub)"],
  ["--oidc-username-prefix <text>", "before the name; - = nothing (default: the issuer and #)"],
  ["--oidc-groups-claim <name>", "claim that names the user's groups"],
  ["--oidc-groups-prefix <text>", "before each group"],
  ["--oidc-ca-file <path>", "authority of the provider's certificate (default: the machine's)"],
  ["--oidc-required-claim <name=value>", "what an ID token must say", "again"],
  ["--oidc-signing-algs <list>", "how ID tokens may be signed (default: RS256)"],
  ["--max-requests-inflight <n>", "requests at a time (default: 400); priority levels share"],
  ["--max-mutating-requests-inflight <n>", "and so many more that write (default: 200)"],
  ...WEBHOOK_OPTIONS,
];

const wholeNumber = (least: number, most: number) =>
  z.string().regex(/^\d+$/, "is not a whole number").transform(Number)
    .refine((value) => value >= least && value <= most, `must lie between ${least} and ${most}`);

const path = z.string().min(1, "must not be empty")
  .refine((value) => !value.includes("\0"), "must not contain a zero byte");

const issuer = z.string().refine(
  (value) => /^https:\/\/[^\s?#]+$/.test(value),
  "must be https://HOST[/PATH], without a query",
);

const word = z.string().min(1, "must not be empty");

const claims = z.array(
  z.string().regex(/^[^=]+=.*$/s, "is not NAME=VALUE")
    .transform((text) => [text.slice(0, text.indexOf("=")), text.slice(text.indexOf("=") + 1)]),
);

const algorithms = z.string().transform((text, context): string[] => {
  const names = text.split(",").map((name) => name.trim());
  for (const name of names) {
    if (ALGORITHMS.includes(name)) continue;
    context.addIssue({ code: "custom", message: `"${name}" is none of ${ALGORITHMS.join(", ")}` });
  }
  return names;
});

const ALGORITHMS = ["RS", "ES", "PS"].flatMap((kind) =>
  ["256", "384", "512"].map((bits) => kind + bits)
);

const anonymous = z.enum(["true", "false", "health"], "must be true, false or health")
  .transform((value) => ({ true: "all", false: "none", health: "health" } as const)[value]);

/** Members of the schema of all flags. */
export const SECURITY_SHAPE = {
  serviceAccountKeyFile: z.array(path).default([]),
  serviceAccountIssuer: issuer.optional(),
  anonymousAuth: anonymous.default("all"),
  oidcIssuerUrl: issuer.optional(),
  oidcClientId: word.optional(),
  oidcUsernameClaim: word.default("sub"),
  oidcUsernamePrefix: z.string().default(""),
  oidcGroupsClaim: z.string().default(""),
  oidcGroupsPrefix: z.string().default(""),
  oidcCaFile: path.optional(),
  oidcRequiredClaim: claims.default([]),
  oidcSigningAlgs: algorithms.default(["RS256"]),
  auditPolicyFile: path.optional(),
  auditLogPath: path.optional(),
  auditLogMaxsize: wholeNumber(0, 1_000_000).default(0),
  auditLogMaxage: wholeNumber(0, 100_000).default(0),
  auditLogMaxbackup: wholeNumber(0, 1_000_000).default(0),
  encryptionProviderConfig: path.optional(),
  admissionControlConfigFile: path.optional(),
  maxRequestsInflight: wholeNumber(1, 1_000_000).default(400),
  maxMutatingRequestsInflight: wholeNumber(0, 1_000_000).default(200),
  ...WEBHOOK_SHAPE,
};

const SHAPE = z.object(SECURITY_SHAPE);
export type SecurityFlags = z.output<typeof SHAPE>;

/** What flags say together. @returns problems where one needs another */
export function securityConfigOf(
  flags: SecurityFlags,
): SecurityConfig | readonly { readonly flag: string; readonly message: string }[] {
  const problems: { flag: string; message: string }[] = [];
  const { auditPolicyFile, auditLogPath, auditWebhookConfigFile } = flags;
  if (auditPolicyFile === undefined && auditWebhookConfigFile !== undefined) {
    problems.push({
      flag: "--audit-webhook-config-file",
      message: "needs --audit-policy-file beside it",
    });
  }
  if (auditPolicyFile === undefined && auditLogPath !== undefined) {
    problems.push({ flag: "--audit-log-path", message: "needs --audit-policy-file beside it" });
  }
  if (
    auditPolicyFile !== undefined && auditLogPath === undefined &&
    auditWebhookConfigFile === undefined
  ) {
    problems.push({ flag: "--audit-policy-file", message: "needs --audit-log-path beside it" });
  }
  const { oidcIssuerUrl, oidcClientId } = flags;
  if (oidcIssuerUrl === undefined && oidcClientId !== undefined) {
    problems.push({ flag: "--oidc-client-id", message: "needs --oidc-issuer-url beside it" });
  }
  if (oidcIssuerUrl !== undefined && oidcClientId === undefined) {
    problems.push({ flag: "--oidc-issuer-url", message: "needs --oidc-client-id beside it" });
  }
  if (oidcIssuerUrl !== undefined && oidcIssuerUrl === flags.serviceAccountIssuer) {
    problems.push({
      flag: "--oidc-issuer-url",
      message: "must differ from --service-account-issuer: tokens of one are not the other's",
    });
  }
  const webhooks = webhookFlagsOf(flags);
  if (isProblemList(webhooks)) problems.push(...webhooks);
  if (problems.length > 0 || isProblemList(webhooks)) return problems;
  const { maxRequestsInflight, maxMutatingRequestsInflight } = flags;
  return {
    audit: auditOf(flags),
    webhooks,
    encryptionFile: flags.encryptionProviderConfig ?? null,
    admissionFile: flags.admissionControlConfigFile ?? null,
    tokenKeyFiles: flags.serviceAccountKeyFile,
    tokenIssuer: flags.serviceAccountIssuer ?? null,
    anonymous: flags.anonymousAuth,
    oidc: oidcOf(flags),
    maxRequestsInflight,
    maxMutatingRequestsInflight,
  };
}

function oidcOf(flags: SecurityFlags): OidcFlags | null {
  const { oidcIssuerUrl, oidcClientId } = flags;
  if (oidcIssuerUrl === undefined || oidcClientId === undefined) return null;
  return {
    issuerUrl: oidcIssuerUrl,
    clientId: oidcClientId,
    usernameClaim: flags.oidcUsernameClaim,
    usernamePrefix: flags.oidcUsernamePrefix,
    groupsClaim: flags.oidcGroupsClaim,
    groupsPrefix: flags.oidcGroupsPrefix,
    requiredClaims: Object.fromEntries(flags.oidcRequiredClaim),
    signingAlgs: flags.oidcSigningAlgs,
    caFile: flags.oidcCaFile ?? null,
  };
}

function auditOf(flags: SecurityFlags): SecurityConfig["audit"] {
  const { auditPolicyFile, auditLogPath } = flags;
  if (auditPolicyFile === undefined) return null;
  return {
    policyFile: auditPolicyFile,
    log: auditLogPath === undefined ? null : {
      path: auditLogPath,
      maxSizeMegabytes: flags.auditLogMaxsize,
      maxAgeDays: flags.auditLogMaxage,
      maxBackups: flags.auditLogMaxbackup,
    },
  };
}
