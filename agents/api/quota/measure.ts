/**
 * What an object uses of its namespace's quotas, kind by kind.
 * In: an object, and for claims to devices what stands around it. Out: amounts by the names that
 * quotas limit. Never: reads anything by itself.
 * Source: pkg/quota/v1/evaluator/core, apiserver's quota/v1/generic (v1.36).
 */
import { CLAIM_MEASURE, DEVICE_CLAIM_MEASURE } from "./measure_claims.ts";
import { POD_MEASURE } from "./measure_pods.ts";
import type { KubeObject } from "../meta.ts";
import type { QuotaAmounts } from "./amounts.ts";
import type { ScopeTerm } from "./scopes.ts";

/** What is asked of one collection. */
export interface QuotaChange {
  readonly operation: string;
  readonly subresource: string;
  readonly object: KubeObject;
  readonly old: KubeObject | null;
}

/** Objects that say how much of a claim to devices another object is charged for already. */
export interface Around {
  readonly deviceClass: (name: string) => KubeObject | undefined;
  readonly pod: (namespace: string, name: string) => KubeObject | undefined;
  readonly claims: (namespace: string) => readonly KubeObject[];
}

export interface Measure {
  /** Whether a change of the collection could use more. */
  readonly handles: (change: QuotaChange) => boolean;
  readonly usage: (object: KubeObject, nowMillis: number, around: Around) => QuotaAmounts;
  /** Whether the collection uses anything by this name. */
  readonly counts: (name: string) => boolean;
  /** Whether an object is in a scope; absent: in none. */
  readonly isInScope?: (object: KubeObject, term: ScopeTerm) => boolean;
  /** What an object lacks that a quota on these names wants it to say; null where nothing. */
  readonly missing?: (object: KubeObject, names: readonly string[]) => string | null;
}

/** `count/pods`, `count/deployments.apps` */
export function countName(group: string, plural: string): string {
  return group === "" ? `count/${plural}` : `count/${plural}.${group}`;
}

/** Collections that had names of their own before all could be counted. */
const ALIASES: ReadonlySet<string> = new Set([
  "configmaps",
  "resourcequotas",
  "replicationcontrollers",
  "secrets",
]);

const SERVICE_NAMES = ["services", "services.nodeports", "services.loadbalancers"];

const SERVICE_MEASURE: Measure = {
  handles: ({ operation, subresource }) =>
    subresource === "" && (operation === "CREATE" || operation === "UPDATE"),
  counts: (name) => name === "count/services" || SERVICE_NAMES.includes(name),
  usage: ({ spec = {} }) => {
    const ports: readonly { nodePort?: number }[] = spec.ports ?? [];
    const isBalanced = spec.type === "LoadBalancer";
    const given = isBalanced && spec.allocateLoadBalancerNodePorts === false
      ? ports.filter(({ nodePort }) => nodePort).length
      : isBalanced || spec.type === "NodePort"
      ? ports.length
      : 0;
    return {
      "count/services": "1",
      services: "1",
      "services.nodeports": String(given),
      "services.loadbalancers": isBalanced ? "1" : "0",
    };
  },
};

const SPECIAL: ReadonlyMap<string, Measure> = new Map([
  ["/pods", POD_MEASURE],
  ["/services", SERVICE_MEASURE],
  ["/persistentvolumeclaims", CLAIM_MEASURE],
  ["resource.k8s.io/resourceclaims", DEVICE_CLAIM_MEASURE],
]);

/** Collections that nobody counts. */
const IGNORED: ReadonlySet<string> = new Set([
  "/bindings",
  "/componentstatuses",
  "/events",
  "events.k8s.io/events",
]);
const counters = new Map<string, Measure>();

/** @returns undefined for a collection that no quota limits */
export function measureOf(group: string, plural: string): Measure | undefined {
  const key = `${group}/${plural}`;
  if (IGNORED.has(key) || group.startsWith("auth")) return undefined;
  let measure = SPECIAL.get(key) ?? counters.get(key);
  if (measure === undefined) {
    measure = counter(group, plural);
    counters.set(key, measure);
  }
  return measure;
}

/** Each object is one. */
function counter(group: string, plural: string): Measure {
  const own = countName(group, plural);
  const names = group === "" && ALIASES.has(plural) ? [own, plural] : [own];
  const usage: QuotaAmounts = Object.fromEntries(names.map((name) => [name, "1"]));
  return {
    handles: ({ operation, subresource }) => operation === "CREATE" && subresource === "",
    counts: (name) => names.includes(name),
    usage: () => usage,
  };
}
