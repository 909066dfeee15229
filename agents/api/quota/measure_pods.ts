/**
 * What a pod uses of a quota: itself while it lives, and what it requests and limits.
 * In: a pod. Out: amounts, scopes, what it fails to say.
 * Source: pkg/quota/v1/evaluator/core/pods.go (v1.36). Never: charges what has ended.
 */
import { qosClassOf } from "../kinds/pod/qos.ts";
import { podTotalWithOverhead } from "../kinds/pod/totals.ts";
import type { KubeObject } from "../meta.ts";
import { compareQuantities } from "../quantity.ts";
import type { PodSpec } from "../schema/generated/core_v1.ts";
import { parseMillis } from "../time.ts";
import type { QuotaAmounts } from "./amounts.ts";
import type { Measure } from "./measure.ts";
import { meetsTerm, type ScopeTerm } from "./scopes.ts";

type Spec = KubeObject["spec"];

const COMPUTE = ["cpu", "memory", "ephemeral-storage"];
const NAMES: ReadonlySet<string> = new Set([
  "count/pods",
  "pods",
  ...COMPUTE,
  ...COMPUTE.map((name) => `requests.${name}`),
  ...COMPUTE.map((name) => `limits.${name}`),
]);
/** What each container has to say where a quota limits it. */
const DEMANDED: ReadonlySet<string> = new Set([
  "cpu",
  "memory",
  "requests.cpu",
  "requests.memory",
  "limits.cpu",
  "limits.memory",
]);

export const POD_MEASURE: Measure = {
  handles: ({ operation, subresource, object, old }) => {
    if (subresource === "resize") return operation === "UPDATE";
    if (subresource !== "") return false;
    return operation === "CREATE" ||
      (operation === "UPDATE" && isTerminating(object) !== isTerminating(old!));
  },
  counts: (name) =>
    NAMES.has(name) || /^(requests\.)?hugepages-/.test(name) || isExtendedRequest(name),
  usage: (pod, nowMillis) => {
    if (!isAlive(pod, nowMillis)) return { "count/pods": "1" };
    const spec = withGivenResources(pod);
    const requests = podTotalWithOverhead(spec, "requests");
    return {
      "count/pods": "1",
      pods: "1",
      ...namesFor(requests, podTotalWithOverhead(spec, "limits")),
    };
  },
  isInScope,
  missing: ({ spec = {} }, names) => {
    if (spec.resources?.requests || spec.resources?.limits) return null;
    const demanded = names.filter((name) => DEMANDED.has(name)).sort();
    const all: readonly Spec[] = [...spec.containers ?? [], ...spec.initContainers ?? []];
    const lines = demanded.flatMap((name) => {
      const silent = all.filter(({ resources = {} }) =>
        !(name in namesFor(resources.requests ?? {}, resources.limits ?? {}))
      );
      if (silent.length === 0) return [];
      return [`${name} for: ${[...new Set(silent.map((one) => one.name))].sort().join(",")}`];
    });
    return lines.length === 0 ? null : `must specify ${lines.join("; ")}`;
  },
};

/** `requests.nvidia.com/gpu`: what is not the cluster's own is limited by request alone. */
export function isExtendedRequest(name: string): boolean {
  if (!name.startsWith("requests.")) return false;
  const isNative = !name.includes("/") || name.includes("kubernetes.io/");
  return !isNative || name.startsWith("requests.deviceclass.resource.kubernetes.io/");
}

/** Requests and limits by the names that quotas have for them. */
function namesFor(requests: QuotaAmounts, limits: QuotaAmounts): QuotaAmounts {
  const names: Record<string, string> = {};
  for (const [name, amount] of Object.entries(requests)) {
    if (COMPUTE.includes(name) || name.startsWith("hugepages-")) {
      names[name] = names[`requests.${name}`] = String(amount);
    } else if (name.includes("/")) names[`requests.${name}`] = String(amount);
  }
  for (const name of COMPUTE) {
    if (limits[name] !== undefined) names[`limits.${name}`] = String(limits[name]);
  }
  return names;
}

/** Ended pods use nothing, nor do those whose end is overdue, for their node may be lost. */
function isAlive({ metadata, status }: KubeObject, nowMillis: number): boolean {
  if (status?.phase === "Failed" || status?.phase === "Succeeded") return false;
  const { deletionTimestamp, deletionGracePeriodSeconds } = metadata;
  if (deletionTimestamp === undefined || deletionGracePeriodSeconds === undefined) return true;
  return nowMillis <= parseMillis(deletionTimestamp) + deletionGracePeriodSeconds * 1000;
}

/** While a resize is under way, what was given counts where it is more than what is asked for. */
function withGivenResources({ spec, status }: KubeObject): PodSpec {
  const statuses: readonly Spec[] = status?.containerStatuses ?? [];
  if (!statuses.some((one) => one.resources ?? one.allocatedResources)) return spec as PodSpec;
  const containers = spec.containers.map((container: Spec) => {
    const given = statuses.find((one) => one.name === container.name);
    if (given === undefined) return container;
    const resources = {
      requests: most([
        container.resources?.requests,
        given.resources?.requests,
        given.allocatedResources,
      ]),
      limits: most([container.resources?.limits, given.resources?.limits]),
    };
    return { ...container, resources };
  });
  return { ...spec, containers } as PodSpec;
}

function most(all: readonly (QuotaAmounts | undefined)[]): QuotaAmounts {
  const highest: Record<string, string> = {};
  for (const amounts of all) {
    for (const [name, amount] of Object.entries(amounts ?? {})) {
      const known = highest[name];
      if (known === undefined || compareQuantities(known, amount) < 0) highest[name] = amount;
    }
  }
  return highest;
}

function isTerminating({ spec }: KubeObject): boolean {
  return (spec?.activeDeadlineSeconds ?? -1) >= 0;
}

function isInScope(pod: KubeObject, term: ScopeTerm): boolean {
  switch (term.scopeName) {
    case "Terminating":
      return isTerminating(pod);
    case "NotTerminating":
      return !isTerminating(pod);
    case "BestEffort":
      return qosClassOf(pod.spec as PodSpec) === "BestEffort";
    case "NotBestEffort":
      return qosClassOf(pod.spec as PodSpec) !== "BestEffort";
    case "PriorityClass": {
      const name: string = pod.spec?.priorityClassName ?? "";
      return meetsTerm(term, name === "" ? [] : [name]);
    }
    case "CrossNamespacePodAffinity":
      return reachesOut(pod.spec?.affinity);
    default:
      return false;
  }
}

/** Whether an affinity looks at pods of other namespaces. */
function reachesOut(affinity: Spec): boolean {
  return [affinity?.podAffinity, affinity?.podAntiAffinity].some((one) => {
    const wanted: readonly Spec[] = [
      ...one?.requiredDuringSchedulingIgnoredDuringExecution ?? [],
      ...(one?.preferredDuringSchedulingIgnoredDuringExecution ?? [])
        .map((weighted: Spec) => weighted.podAffinityTerm ?? {}),
    ];
    return wanted.some(({ namespaces = [], namespaceSelector }) =>
      namespaces.length > 0 || namespaceSelector !== undefined
    );
  });
}
