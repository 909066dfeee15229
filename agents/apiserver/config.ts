/**
 * What an API server can be told, with defaults, and the check of it.
 * In: an ApiServerConfig. Out: every problem at once, each naming its field.
 * Never: reads files or flags.
 */
import { ADMISSION_NAMES } from "./admission/plugins.ts";
import {
  DEFAULT_POD_SECURITY,
  type PodSecurityConfig,
} from "./admission/pod_security/namespace_policy.ts";
import { type AdmissionSettings, DEFAULT_ADMISSION } from "./admission/settings.ts";
import type { CredentialsFor } from "./admission/webhooks/caller.ts";
import type { AuditLogOptions } from "./audit/log_file.ts";
import type { AuditWebhookConfig } from "./audit/webhook_sink.ts";
import { type AuthorizerRow, DEFAULT_AUTHORIZERS } from "./auth/webhooks/authorizer_chain.ts";
import type { TokenWebhookConfig } from "./auth/webhooks/token_source.ts";
import type { EncryptionRule } from "./encryption/config.ts";
import type { AuditPolicy } from "./audit/plan_level.ts";
import type { OidcConfig } from "./auth/oidc.ts";
import { DEFAULT_KUBELET_CLIENT, type KubeletClientConfig } from "./kubelets/remote_kubelets.ts";
import type { AnonymousAccess, StaticToken } from "./auth/authenticate.ts";

export interface ApiServerConfig {
  /** Address to listen on. Default 127.0.0.1. */
  readonly bindAddress: string;
  /** Address of this server in the endpoints of the `kubernetes` service. Default 127.0.0.1. */
  readonly advertiseAddress: string;
  /** TCP port; 0 = any. Default 6443. */
  readonly port: number;
  /** Folder of keys and certificates. */
  readonly pkiDirectory: string;
  /** Further names and addresses that clients reach the server by. */
  readonly serverNames: readonly string[];
  /** Range of cluster IPs. Default 10.96.0.0/16. */
  readonly serviceCidr: string;
  /** First and last node port. Default 30000-32767. */
  readonly nodePorts: readonly [number, number];
  /** `iss` of service account tokens. Default https://kubernetes.default.svc.cluster.local. */
  readonly tokenIssuer: string;
  /**
   * PEM of keys beside the signing one whose service account tokens are taken: those that signed
   * before, or elsewhere. Default none.
   */
  readonly tokenVerificationKeys: readonly string[];
  /** Tokens that do not expire; a function where they may change. Default none. */
  readonly staticTokens: readonly StaticToken[] | (() => readonly StaticToken[]);
  /** The provider of users outside of the cluster; null = none. Default null. */
  readonly oidc: OidcConfig | null;
  /** Whether requests without a name are judged by roles, or let in at all. Default all. */
  readonly anonymous: AnonymousAccess;
  /** Seconds that events are kept. Default 3600. */
  readonly eventTtlSeconds: number;
  /** Changes of one resource kept for watches that resume. Default 16384. */
  readonly watchHistory: number;
  /** Events that may wait for one slow watcher. Default 8192. */
  readonly watchQueue: number;
  /**
   * "applied" where this process holds the store's only member, "quorum" otherwise.
   * Default "applied".
   */
  readonly consistentReads: "applied" | "quorum";
  /** Pod security where namespaces say nothing, and who is exempt. Default: privileged, nobody. */
  readonly podSecurity: PodSecurityConfig;
  /** What else admission plugins are told. Source: --admission-control-config-file. */
  readonly admission: AdmissionSettings;
  /** Admission plugins to run beside the default ones. Source: --enable-admission-plugins. */
  readonly enabledAdmission: readonly string[];
  /** Admission plugins to leave out. Default none. Source: --disable-admission-plugins. */
  readonly disabledAdmission: readonly string[];
  /**
   * Requests that run at a time, reading and writing; shared out by priority levels.
   * Default 400 and 200.
   */
  readonly maxRequestsInflight: number;
  readonly maxMutatingRequestsInflight: number;
  /** How kubelets of other machines are reached. Source: the --kubelet-* flags. */
  readonly kubelet: KubeletClientConfig;
  /** Which resources are sealed in the store; null = none. Default null. */
  readonly encryption: readonly EncryptionRule[] | null;
  /** What is written down of requests, and where; null = nothing. Default null. */
  readonly audit: {
    readonly policy: AuditPolicy;
    readonly log: AuditLogOptions | null;
    readonly webhook: AuditWebhookConfig | null;
  } | null;
  /** Who judges requests, in this order. Default: nodes, then roles. */
  readonly authorizers: readonly AuthorizerRow[];
  /** Who else knows bearer tokens; null = nobody. Default null. */
  readonly tokenWebhook: TokenWebhookConfig | null;
  /** What to show admission webhooks. Default nothing. */
  readonly webhookCredentials: CredentialsFor;
}

export const DEFAULT_CONFIG: Omit<ApiServerConfig, "pkiDirectory"> = {
  bindAddress: "127.0.0.1",
  advertiseAddress: "127.0.0.1",
  port: 6443,
  serverNames: [],
  serviceCidr: "10.96.0.0/16",
  nodePorts: [30000, 32767],
  tokenIssuer: "https://kubernetes.default.svc.cluster.local",
  tokenVerificationKeys: [],
  staticTokens: [],
  oidc: null,
  anonymous: "all",
  eventTtlSeconds: 3600,
  watchHistory: 16384,
  watchQueue: 8192,
  consistentReads: "applied",
  podSecurity: DEFAULT_POD_SECURITY,
  admission: DEFAULT_ADMISSION,
  enabledAdmission: [],
  disabledAdmission: [],
  maxRequestsInflight: 400,
  maxMutatingRequestsInflight: 200,
  kubelet: DEFAULT_KUBELET_CLIENT,
  encryption: null,
  audit: null,
  authorizers: DEFAULT_AUTHORIZERS,
  tokenWebhook: null,
  webhookCredentials: () => ({}),
};

/** @returns one line per problem, naming the field */
export function validateConfig(config: ApiServerConfig): string[] {
  const problems: string[] = [];
  const between = (field: keyof ApiServerConfig, low: number, high: number) => {
    const value = config[field];
    const isGood = typeof value === "number" && Number.isInteger(value) && value >= low &&
      value <= high;
    if (!isGood) problems.push(`${field}: must be an integer from ${low} to ${high}`);
  };
  between("port", 0, 65535);
  between("eventTtlSeconds", 60, 86_400 * 30);
  between("watchHistory", 16, 10_000_000);
  between("watchQueue", 16, 10_000_000);
  between("maxRequestsInflight", 0, 1_000_000);
  between("maxMutatingRequestsInflight", 0, 1_000_000);
  if (config.maxRequestsInflight + config.maxMutatingRequestsInflight === 0) {
    problems.push("maxRequestsInflight: with maxMutatingRequestsInflight, must let one request in");
  }
  if (config.pkiDirectory === "") problems.push("pkiDirectory: must name a folder");
  if (!/^\d+\.\d+\.\d+\.\d+\/([1-2]\d|30)$/.test(config.serviceCidr)) {
    problems.push("serviceCidr: must be an IPv4 range such as 10.96.0.0/16, from /10 to /30");
  }
  problems.push(...admissionProblems(config));
  const [first, last] = config.nodePorts;
  if (!(first >= 1 && first <= last && last <= 65535)) {
    problems.push("nodePorts: must be two ports, the lower one first");
  }
  return problems;
}

function admissionProblems(config: ApiServerConfig): string[] {
  const problems: string[] = [];
  for (const field of ["enabledAdmission", "disabledAdmission"] as const) {
    for (const name of config[field]) {
      if (ADMISSION_NAMES.includes(name)) continue;
      problems.push(
        `${field}: ${JSON.stringify(name)} is not one of ${ADMISSION_NAMES.join(", ")}`,
      );
    }
  }
  const has = (name: string) => config.enabledAdmission.includes(name);
  if (has("EventRateLimit") && config.admission.eventLimits.length === 0) {
    problems.push("admission.eventLimits: EventRateLimit needs limits");
  }
  if (has("ImagePolicyWebhook") && config.admission.imagePolicy === null) {
    problems.push("admission.imagePolicy: ImagePolicyWebhook needs a kubeconfig");
  }
  const twice = config.enabledAdmission.filter((name) => config.disabledAdmission.includes(name));
  for (const name of twice) {
    problems.push(`enabledAdmission: ${JSON.stringify(name)} is disabled as well`);
  }
  return problems;
}
