/**
 * Random clusters and pods, small on purpose: few labels, zones and ports, so that rules collide.
 * In: a seed. Out: node rows and pod specs.
 * Never: randomness of its own; the same seed gives the same cluster.
 */

import type { NodeRow, Taint } from "../node_row.ts";
import { EMPTY_NODE } from "../node_row.ts";
import type {
  Labels,
  NodeTerm,
  PodSpecRow,
  PodTerm,
  Requirement,
  SpreadConstraint,
  Toleration,
  VolumeNeeds,
} from "../pod_row.ts";
import { EMPTY_SPEC, NO_VOLUMES } from "../pod_row.ts";

const MEGABYTE = 1024 * 1024;
const GIGABYTE = 1024 * MEGABYTE;
const ZONE = "topology.kubernetes.io/zone";
const HOST = "kubernetes.io/hostname";

/** Seeded choices. */
export class Dice {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** @returns an integer 0..sides-1. */
  roll(sides: number): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * sides);
  }

  chance(percent: number): boolean {
    return this.roll(100) < percent;
  }

  pick<T>(choices: readonly T[]): T {
    return choices[this.roll(choices.length)];
  }

  /** @returns up to `most` things. */
  some<T>(most: number, make: () => T): T[] {
    return Array.from({ length: this.roll(most + 1) }, make);
  }
}

function labelsOf(dice: Dice): Labels {
  const labels: Record<string, string> = {};
  if (dice.chance(70)) labels.app = dice.pick(["web", "db", "job"]);
  if (dice.chance(50)) labels.tier = dice.pick(["front", "back"]);
  return labels;
}

function taintOf(dice: Dice): Taint {
  return {
    key: dice.pick(["dedicated", "gpu", "node.kubernetes.io/unschedulable"]),
    value: dice.pick(["", "a", "b"]),
    effect: dice.pick(["NoSchedule", "NoExecute", "PreferNoSchedule", "PreferNoSchedule"]),
  };
}

function tolerationOf(dice: Dice): Toleration {
  return {
    key: dice.pick(["", "dedicated", "gpu", "node.kubernetes.io/unschedulable"]),
    operator: dice.pick(["", "Equal", "Exists", "Gt"]),
    value: dice.pick(["", "a", "b"]),
    effect: dice.pick(["", "NoSchedule", "NoExecute", "PreferNoSchedule"]),
  };
}

export function randomNode(dice: Dice, name: string): NodeRow {
  const labels: Record<string, string> = {};
  if (dice.chance(90)) labels[HOST] = name;
  if (dice.chance(85)) labels[ZONE] = dice.pick(["a", "b", "c"]);
  if (dice.chance(60)) labels.disk = dice.pick(["ssd", "hdd"]);
  if (dice.chance(60)) labels.rank = dice.pick(["1", "5", "10", "x"]);
  return {
    ...EMPTY_NODE,
    name,
    labels,
    taints: dice.chance(35) ? dice.some(2, () => taintOf(dice)) : [],
    unschedulable: dice.chance(8),
    allocatable: {
      cpuMilli: dice.pick([0, 1000, 2000, 4000, 4000, 8000]),
      memoryBytes: dice.pick([2, 4, 8, 16]) * GIGABYTE,
      ephemeralBytes: dice.pick([0, 10, 20]) * GIGABYTE,
      scalars: dice.chance(40) ? [{ name: "example.com/gpu", amount: dice.roll(5) }] : [],
    },
    allowedPods: dice.pick([2, 5, 10, 110]),
    images: ["app:1", "app:2", "big:1"].filter(() => dice.chance(40)).map((image) => ({
      names: [image, `mirror/${image}`],
      sizeBytes: dice.pick([5, 80, 400, 3000]) * MEGABYTE,
    })),
    attachLimits: dice.chance(50) ? { ebs: dice.roll(4), disk: 2 + dice.roll(4) } : {},
    attached: dice.chance(30) ? HELD_VOLUMES.filter(() => dice.chance(20)) : [],
  };
}

function requirementOf(dice: Dice, keys: readonly string[], values: readonly string[]) {
  const operator = dice.pick(["In", "In", "NotIn", "Exists", "DoesNotExist"] as const);
  const plain = operator === "Exists" || operator === "DoesNotExist";
  return {
    key: dice.pick(keys),
    operator,
    values: plain ? [] : [dice.pick(values), ...dice.some(1, () => dice.pick(values))],
  };
}

function nodeRequirement(dice: Dice): Requirement {
  if (dice.chance(25)) {
    return { key: "rank", operator: dice.pick(["Gt", "Lt"]), values: [dice.pick(["1", "4", "5"])] };
  }
  return requirementOf(dice, ["disk", ZONE, "rank", "absent"], ["ssd", "hdd", "a", "b", "5"]);
}

function nodeTerm(dice: Dice): NodeTerm {
  const operator = dice.chance(70) ? "NotIn" : "In";
  const field = { key: "metadata.name", operator, values: [`n${dice.roll(8)}`] } as const;
  return {
    expressions: dice.some(2, () => nodeRequirement(dice)),
    fields: dice.chance(12) ? [field] : [],
  };
}

function podSelector(dice: Dice): readonly Requirement[] | null {
  if (dice.chance(5)) return null;
  const one = () => requirementOf(dice, ["app", "tier"], ["web", "db", "job", "front", "back"]);
  return dice.chance(10) ? [] : [one(), ...dice.some(1, one)];
}

function podTerm(dice: Dice): PodTerm {
  const selector = dice.chance(25)
    ? dice.pick([[], [{ key: "team", operator: "In", values: ["red"] }]] as const)
    : null;
  return {
    topologyKey: dice.pick([HOST, ZONE, "disk"]),
    namespaces: selector === null || dice.chance(30) ? [dice.pick(["one", "two"])] : [],
    namespaceSelector: selector,
    selector: podSelector(dice),
  };
}

function spreadOf(dice: Dice): SpreadConstraint {
  return {
    maxSkew: 1 + dice.roll(3),
    topologyKey: dice.pick([HOST, ZONE, ZONE, "disk"]),
    whenUnsatisfiable: dice.pick(["DoNotSchedule", "ScheduleAnyway"]),
    selector: podSelector(dice),
    minDomains: dice.pick([1, 1, 2, 5]),
    nodeAffinityPolicy: dice.pick(["Honor", "Ignore"]),
    nodeTaintsPolicy: dice.pick(["Honor", "Ignore"]),
  };
}

/** Volumes that nodes have attached, some of which pods use too. */
const HELD_VOLUMES = ["ebs", "disk", "free"].flatMap((driver) =>
  ["shared-0", "shared-1", "left-over"].map((handle) => ({ driver, handle }))
);

/** @returns needs of volumes, some of which other pods may use too. */
function volumesOf(dice: Dice): VolumeNeeds {
  if (dice.chance(70)) return NO_VOLUMES;
  const zones = { key: ZONE, values: dice.pick([["a"], ["b", "c"]]) };
  return {
    ...NO_VOLUMES,
    attachments: dice.some(3, () => ({
      driver: dice.pick(["ebs", "ebs", "disk", "free"]),
      handle: dice.chance(50) ? `shared-${dice.roll(4)}` : `own-${dice.roll(1_000_000)}`,
    })),
    disks: dice.chance(30)
      ? dice.some(2, () => ({ name: `disk-${dice.roll(4)}`, isReadOnly: dice.chance(50) }))
      : [],
    exclusiveClaims: dice.chance(15) ? [`one/claim-${dice.roll(4)}`] : [],
    boundTerms: dice.chance(30) ? [[nodeTerm(dice), ...dice.some(1, () => nodeTerm(dice))]] : [],
    zones: dice.chance(20) ? [zones] : [],
  };
}

/** @returns the same spec with volumes of its own where they are nobody else's. */
export function withOwnVolumes(dice: Dice, spec: PodSpecRow): PodSpecRow {
  const attachments = spec.volumes.attachments.map(({ driver, handle }) => ({
    driver,
    handle: handle.startsWith("own-") ? `own-${dice.roll(1_000_000)}` : handle,
  }));
  const [first] = spec.volumes.boundTerms;
  if (first === undefined || dice.chance(50)) {
    return { ...spec, volumes: { ...spec.volumes, attachments } };
  }
  const values = [`n${dice.roll(40)}`];
  const boundTerms = [[...first, {
    expressions: [],
    fields: [{ key: "metadata.name", operator: "NotIn" as const, values }],
  }]];
  return { ...spec, volumes: { ...spec.volumes, attachments, boundTerms } };
}

/** @returns a spec; `plain` leaves out what looks beyond one node. */
export function randomSpec(dice: Dice, plain = false): PodSpecRow {
  const cpuMilli = dice.pick([0, 0, 100, 250, 500, 1500]);
  const memoryBytes = dice.pick([0, 64, 256, 1024]) * MEGABYTE;
  const weighted = (make: Dice) => ({ weight: 1 + make.roll(100), term: podTerm(make) });
  const few = <T>(percent: number, make: () => T) => dice.chance(percent) ? dice.some(2, make) : [];
  const gpu = dice.chance(15) ? [{ name: "example.com/gpu", amount: dice.roll(3) }] : [];
  return {
    ...EMPTY_SPEC,
    namespace: dice.pick(["one", "two"]),
    labels: labelsOf(dice),
    priority: dice.pick([0, 0, 10, 100]),
    requests: {
      cpuMilli,
      memoryBytes,
      ephemeralBytes: dice.chance(20) ? GIGABYTE : 0,
      scalars: gpu,
    },
    nonzeroCpuMilli: cpuMilli === 0 ? 100 : cpuMilli,
    nonzeroMemoryBytes: memoryBytes === 0 ? 200 * MEGABYTE : memoryBytes,
    nodeSelector: dice.chance(15) ? { disk: dice.pick(["ssd", "hdd"]) } : null,
    requiredNodeTerms: dice.chance(15)
      ? [nodeTerm(dice), ...dice.some(1, () => nodeTerm(dice))]
      : null,
    preferredNodeTerms: few(40, () => ({ weight: dice.roll(100), term: nodeTerm(dice) })),
    tolerations: few(50, () => tolerationOf(dice)),
    hostPorts: few(15, () => ({
      ip: dice.pick(["0.0.0.0", "10.0.0.1", "10.0.0.2"]),
      protocol: dice.pick(["TCP", "UDP"]),
      port: dice.pick([80, 443]),
    })),
    images: [dice.pick(["app:1", "mirror/app:2", "big:1", "none:1"])],
    spread: plain ? [] : few(30, () => spreadOf(dice)),
    defaultSpreadSelector: !plain && dice.chance(30)
      ? [{ key: "app", operator: "In", values: [dice.pick(["web", "db"])] }]
      : [],
    requiredAffinity: plain ? [] : few(15, () => podTerm(dice)),
    requiredAntiAffinity: plain ? [] : few(15, () => podTerm(dice)),
    preferredAffinity: plain ? [] : few(15, () => weighted(dice)),
    preferredAntiAffinity: plain ? [] : few(15, () => weighted(dice)),
    volumes: volumesOf(dice),
  };
}
