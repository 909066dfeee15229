/**
 * Everything that a pod demands of its node, one by one, and the pod without each.
 * In: a spec, the taints that nodes have. Out: demands in words, with the plugin that upholds each.
 * Never: judges; `relax.ts` tries what each costs.
 */

import type { Taint } from "../node_row.ts";
import { toleratesTaint } from "../plugins/tolerations.ts";
import type { NodeTerm, PodSpecRow, PodTerm, Requirement, Resources } from "../pod_row.ts";
import { type AmountKey, amountName, amountsOf, formatAmount } from "../structures/amounts.ts";

export interface Demand {
  readonly plugin: string;
  /** In words that can be found again in the pod's manifest. */
  readonly words: string;
  /** The same pod without it. */
  readonly without: PodSpecRow;
  /** Set where less of it might do. */
  readonly amount?: AmountKey;
}

const CORDON: Taint = {
  key: "node.kubernetes.io/unschedulable",
  value: "",
  effect: "NoSchedule",
};

function requirementWords({ key, operator, values }: Requirement): string {
  return values.length === 0 ? `${key} ${operator}` : `${key} ${operator} (${values.join(", ")})`;
}

/** @returns a selector in words. */
function selectorWords(selector: readonly Requirement[] | null): string {
  if (selector === null) return "no pods";
  return selector.length === 0 ? "all pods" : selector.map(requirementWords).join(" and ");
}

function omit<T>(list: readonly T[], index: number): T[] {
  return list.filter((_, at) => at !== index);
}

function selectorDemands(spec: PodSpecRow): Demand[] {
  const selector = spec.nodeSelector ?? {};
  return Object.keys(selector).map((key) => {
    const { [key]: value, ...nodeSelector } = selector;
    const words = `nodeSelector ${key}=${value}`;
    return { plugin: "NodeAffinity", words, without: { ...spec, nodeSelector } };
  });
}

/** The parts of a single term can be given up one by one; of several terms any one is enough. */
function affinityDemands(spec: PodSpecRow): Demand[] {
  const terms = spec.requiredNodeTerms ?? [];
  const plugin = "NodeAffinity";
  const whole = (words: string) => ({
    plugin,
    words,
    without: { ...spec, requiredNodeTerms: null },
  });
  if (terms.length === 0) return [];
  if (terms.length > 1) return [whole(`any of ${terms.length} required terms of nodeAffinity`)];
  const [{ expressions, fields }] = terms;
  if (expressions.length + fields.length <= 1) {
    return [whole(`nodeAffinity ${[...expressions, ...fields].map(requirementWords).join("")}`)];
  }
  const without = (term: NodeTerm) => ({ ...spec, requiredNodeTerms: [term] });
  return [
    ...expressions.map((it, index) => ({
      plugin,
      words: `nodeAffinity ${requirementWords(it)}`,
      without: without({ expressions: omit(expressions, index), fields }),
    })),
    ...fields.map((it, index) => ({
      plugin,
      words: `nodeAffinity ${requirementWords(it)}`,
      without: without({ expressions, fields: omit(fields, index) }),
    })),
  ];
}

function taintDemands(spec: PodSpecRow, taints: readonly Taint[]): Demand[] {
  const { tolerations } = spec;
  return [CORDON, ...taints].filter((taint) =>
    taint.effect !== "PreferNoSchedule" && !toleratesTaint(tolerations, taint)
  ).map(({ key, value, effect }) => ({
    plugin: key === CORDON.key ? "NodeUnschedulable" : "TaintToleration",
    words: `untolerated taint ${key}${value === "" ? "" : `=${value}`}:${effect}`,
    without: {
      ...spec,
      tolerations: [...tolerations, { key, operator: "Equal", value, effect }],
    },
  }));
}

function portDemands(spec: PodSpecRow): Demand[] {
  return spec.hostPorts.map(({ port, protocol }, index) => ({
    plugin: "NodePorts",
    words: `hostPort ${port}/${protocol}`,
    without: { ...spec, hostPorts: omit(spec.hostPorts, index) },
  }));
}

function amountDemands(spec: PodSpecRow): Demand[] {
  const { requests } = spec;
  return amountsOf(requests).map(({ key, amount }) => ({
    plugin: "NodeResourcesFit",
    words: `requests ${amountName(key)} ${formatAmount(key, amount)}`,
    without: { ...spec, requests: withoutAmount(requests, key) },
    amount: key,
  }));
}

function withoutAmount(requests: Resources, key: AmountKey): Resources {
  if (key === "cpu") return { ...requests, cpuMilli: 0 };
  if (key === "memory") return { ...requests, memoryBytes: 0 };
  if (key === "ephemeral-storage") return { ...requests, ephemeralBytes: 0 };
  return { ...requests, scalars: requests.scalars.filter(({ name }) => name !== key.scalar) };
}

function volumeDemands(spec: PodSpecRow): Demand[] {
  const { volumes } = spec;
  const demand = (plugin: string, words: string, less: Partial<typeof volumes>): Demand => ({
    plugin,
    words,
    without: { ...spec, volumes: { ...volumes, ...less } },
  });
  const drivers = [...new Set(volumes.attachments.map(({ driver }) => driver))];
  return [
    ...(volumes.rejection === ""
      ? []
      : [demand("VolumeBinding", "its claims to volumes", { rejection: "" })]),
    ...volumes.disks.map(({ name }) =>
      demand("VolumeRestrictions", `disk ${name}`, {
        disks: volumes.disks.filter((disk) => disk.name !== name),
      })
    ),
    ...volumes.exclusiveClaims.map((claim, index) =>
      demand("VolumeRestrictions", `ReadWriteOncePod claim ${claim}`, {
        exclusiveClaims: omit(volumes.exclusiveClaims, index),
      })
    ),
    ...drivers.map((name) =>
      demand("NodeVolumeLimits", `volumes of ${name}`, {
        attachments: volumes.attachments.filter(({ driver }) => driver !== name),
      })
    ),
    ...volumes.boundTerms.map((_, index) =>
      demand("VolumeBinding", `reach of bound volume ${index + 1}`, {
        boundTerms: omit(volumes.boundTerms, index),
      })
    ),
    ...volumes.waitingTerms.map((_, index) =>
      demand("VolumeBinding", `a volume for unbound claim ${index + 1}`, {
        waitingTerms: omit(volumes.waitingTerms, index),
        roomTerms: omit(volumes.roomTerms, index),
      })
    ),
    ...(volumes.zones.length === 0
      ? []
      : [demand("VolumeZone", "zones of its volumes", { zones: [] })]),
  ];
}

function spreadDemands(spec: PodSpecRow): Demand[] {
  return spec.spread.flatMap(({ topologyKey, maxSkew, whenUnsatisfiable }, index) =>
    whenUnsatisfiable !== "DoNotSchedule" ? [] : [{
      plugin: "PodTopologySpread",
      words: `topologySpreadConstraint over ${topologyKey}, maxSkew ${maxSkew}`,
      without: { ...spec, spread: omit(spec.spread, index) },
    }]
  );
}

function podTermDemands(spec: PodSpecRow): Demand[] {
  const all = (field: "requiredAffinity" | "requiredAntiAffinity", name: string) =>
    spec[field].map(({ selector, topologyKey }: PodTerm, index): Demand => ({
      plugin: "InterPodAffinity",
      words: `${name} ${selectorWords(selector)} by ${topologyKey}`,
      without: { ...spec, [field]: omit(spec[field], index) },
    }));
  return [
    ...all("requiredAffinity", "podAffinity"),
    ...all("requiredAntiAffinity", "podAntiAffinity"),
  ];
}

function deviceDemands(spec: PodSpecRow): Demand[] {
  const { devices } = spec;
  return devices.claims.map((claim, index) => ({
    plugin: "DynamicResources",
    words: `resourceClaim ${claim}`,
    without: { ...spec, devices: { ...devices, claims: omit(devices.claims, index) } },
  }));
}

function otherDemands(spec: PodSpecRow): Demand[] {
  const { requiredFeatures } = spec;
  const features = requiredFeatures.map((feature, index) => ({
    plugin: "NodeDeclaredFeatures",
    words: `feature ${feature} of the kubelet`,
    without: { ...spec, requiredFeatures: omit(requiredFeatures, index) },
  }));
  if (spec.requiredNode === "") return features;
  const words = `nodeName ${spec.requiredNode}`;
  return [...features, { plugin: "NodeName", words, without: { ...spec, requiredNode: "" } }];
}

/** @param taints distinct ones of all nodes; the mark of cordoned nodes is always thought of */
export function demandsOf(spec: PodSpecRow, taints: readonly Taint[]): Demand[] {
  const others = taints.filter(({ key }) => key !== CORDON.key);
  return [
    ...taintDemands(spec, others),
    ...selectorDemands(spec),
    ...affinityDemands(spec),
    ...portDemands(spec),
    ...amountDemands(spec),
    ...volumeDemands(spec),
    ...spreadDemands(spec),
    ...podTermDemands(spec),
    ...deviceDemands(spec),
    ...otherDemands(spec),
  ];
}
