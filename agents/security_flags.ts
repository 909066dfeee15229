/**
 * Flags of `balsa up` about who may come in and what is kept of it, under kube-apiserver's names.
 * In: raw flag values. Out: a checked SecurityConfig. Never: opens the files that flags name.
 * Source: kube-apiserver's flag reference (v1.36).
 */
import { z } from "zod";

export interface SecurityConfig {
  /** Null = no audit log. Source: --audit-policy-file, --audit-log-path and its bounds. */
  readonly audit: {
    readonly policyFile: string;
    readonly log: {
      readonly path: string;
      readonly maxSizeMegabytes: number;
      readonly maxAgeDays: number;
      readonly maxBackups: number;
    };
  } | null;
  /** Null = values are stored as they are. Source: --encryption-provider-config. */
  readonly encryptionFile: string | null;
  /** Requests at a time, reading. Default 400. Source: --max-requests-inflight. */
  readonly maxRequestsInflight: number;
  /** And writing. Default 200. Source: --max-mutating-requests-inflight. */
  readonly maxMutatingRequestsInflight: number;
}

/** One row a flag: its name and value for the usage, and what it is for. */
export const SECURITY_OPTIONS: readonly (readonly [flags: string, help: string])[] = [
  ["--audit-policy-file <path>", "which requests are written down: an audit.k8s.io/v1 Policy"],
  ["--audit-log-path <path>", "where they are written, as JSON lines; - = standard output"],
  ["--audit-log-maxsize <megabytes>", "begin a new audit log at this size (default: 100)"],
  ["--audit-log-maxage <days>", "remove audit logs older than this (default: keep)"],
  ["--audit-log-maxbackup <n>", "old audit logs to keep (default: all)"],
  ["--encryption-provider-config <path>", "which resources are sealed in the store, and how"],
  ["--max-requests-inflight <n>", "requests at a time (default: 400); priority levels share"],
  ["--max-mutating-requests-inflight <n>", "and so many more that write (default: 200)"],
];

const wholeNumber = (least: number, most: number) =>
  z.string().regex(/^\d+$/, "is not a whole number").transform(Number)
    .refine((value) => value >= least && value <= most, `must lie between ${least} and ${most}`);

const path = z.string().min(1, "must not be empty")
  .refine((value) => !value.includes("\0"), "must not contain a zero byte");

/** Members of the schema of all flags. */
export const SECURITY_SHAPE = {
  auditPolicyFile: path.optional(),
  auditLogPath: path.optional(),
  auditLogMaxsize: wholeNumber(0, 1_000_000).default(0),
  auditLogMaxage: wholeNumber(0, 100_000).default(0),
  auditLogMaxbackup: wholeNumber(0, 1_000_000).default(0),
  encryptionProviderConfig: path.optional(),
  maxRequestsInflight: wholeNumber(1, 1_000_000).default(400),
  maxMutatingRequestsInflight: wholeNumber(0, 1_000_000).default(200),
};

const SHAPE = z.object(SECURITY_SHAPE);
export type SecurityFlags = z.output<typeof SHAPE>;

/** What flags say together. @returns problems where one needs another */
export function securityConfigOf(
  flags: SecurityFlags,
): SecurityConfig | readonly { readonly flag: string; readonly message: string }[] {
  const problems: { flag: string; message: string }[] = [];
  const { auditPolicyFile, auditLogPath } = flags;
  if (auditPolicyFile === undefined && auditLogPath !== undefined) {
    problems.push({ flag: "--audit-log-path", message: "needs --audit-policy-file beside it" });
  }
  if (auditPolicyFile !== undefined && auditLogPath === undefined) {
    problems.push({ flag: "--audit-policy-file", message: "needs --audit-log-path beside it" });
  }
  if (problems.length > 0) return problems;
  const { maxRequestsInflight, maxMutatingRequestsInflight } = flags;
  return {
    audit: auditOf(flags),
    encryptionFile: flags.encryptionProviderConfig ?? null,
    maxRequestsInflight,
    maxMutatingRequestsInflight,
  };
}

function auditOf(flags: SecurityFlags): SecurityConfig["audit"] {
  const { auditPolicyFile, auditLogPath } = flags;
  if (auditPolicyFile === undefined || auditLogPath === undefined) return null;
  return {
    policyFile: auditPolicyFile,
    log: {
      path: auditLogPath,
      maxSizeMegabytes: flags.auditLogMaxsize,
      maxAgeDays: flags.auditLogMaxage,
      maxBackups: flags.auditLogMaxbackup,
    },
  };
}
