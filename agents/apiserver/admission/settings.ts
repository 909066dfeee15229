/**
 * What admission plugins can be told, beside pod security.
 * In: nothing. Out: types and defaults. Never: a plugin's code.
 * Source: kube-apiserver's --admission-control-config-file (v1.36).
 */
import type { LimitedResource } from "../../api/quota/limited.ts";
import type { WebhookEndpoint } from "../outgoing/remote_webhook.ts";

export const EVENT_LIMIT_TYPES = ["Server", "Namespace", "User", "SourceAndObject"] as const;

/** How many events whoever may send. */
export interface EventLimit {
  readonly type: typeof EVENT_LIMIT_TYPES[number];
  /** Events a second. */
  readonly qps: number;
  /** And so many at once. */
  readonly burst: number;
  /** Namespaces, users or objects that are remembered. Default 4096. */
  readonly cacheSize: number;
}

export interface ImagePolicyConfig {
  readonly endpoint: WebhookEndpoint;
  /** How long a yes, and how long a no, is not asked about again; 0 = always asked. */
  readonly allowTtlMillis: number;
  readonly denyTtlMillis: number;
  /** Before the second try. */
  readonly retryBackoffMillis: number;
  /** What it means when it can't be asked. */
  readonly defaultAllow: boolean;
}

export interface Toleration {
  readonly key?: string;
  readonly operator?: string;
  readonly value?: string;
  readonly effect?: string;
  readonly tolerationSeconds?: number;
}

export interface AdmissionSettings {
  /** Of EventRateLimit; empty = it can't be enabled. */
  readonly eventLimits: readonly EventLimit[];
  /** Of ImagePolicyWebhook; null = it can't be enabled. */
  readonly imagePolicy: ImagePolicyConfig | null;
  /** Of PodTolerationRestriction, for namespaces that say nothing. */
  readonly podTolerations: {
    readonly default: readonly Toleration[];
    readonly whitelist: readonly Toleration[];
  };
  /** Of PodNodeSelector: selectors by namespace, and `clusterDefaultNodeSelector`. */
  readonly nodeSelectors: Readonly<Record<string, string>>;
  /** Of ResourceQuota: what is used only where a quota covers it. */
  readonly limitedResources: readonly LimitedResource[];
}

export const DEFAULT_ADMISSION: AdmissionSettings = {
  eventLimits: [],
  imagePolicy: null,
  podTolerations: { default: [], whitelist: [] },
  nodeSelectors: {},
  limitedResources: [],
};
