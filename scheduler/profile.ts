/**
 * THE list of plugins: order, default weight, how to make one. A plugin exists once it has a row.
 * In: a profile as configured. Out: plugins ready to run at their points, in order.
 * Never: reads YAML; `agents/kube_scheduler/config.ts` does.
 * Source: the default MultiPoint plugins of Kubernetes v1.36.
 */

import { DeviceLedger } from "./devices/ledger.ts";
import type { Plugin } from "./plugin.ts";
import { createDynamicResources, DYNAMIC_RESOURCES } from "./devices/dynamic_resources.ts";
import { createGangScheduling } from "./plugins/gang_scheduling.ts";
import { createImageLocality } from "./plugins/image_locality.ts";
import { createInterPodAffinity } from "./plugins/inter_pod_affinity.ts";
import type { InterPodAffinityArgs } from "./plugins/inter_pod_affinity.ts";
import { createNodeAffinity } from "./plugins/node_affinity.ts";
import type { NodeAffinityArgs } from "./plugins/node_affinity.ts";
import { createNodeDeclaredFeatures } from "./plugins/node_declared_features.ts";
import { createNodeName } from "./plugins/node_name.ts";
import { createNodePorts } from "./plugins/node_ports.ts";
import { createNodeResourcesBalanced } from "./plugins/node_resources_balanced.ts";
import type { BalancedArgs } from "./plugins/node_resources_balanced.ts";
import { createNodeResourcesFit } from "./plugins/node_resources_fit.ts";
import type { FitArgs } from "./plugins/node_resources_fit.ts";
import { createNodeUnschedulable } from "./plugins/node_unschedulable.ts";
import { createPodTopologySpread } from "./plugins/pod_topology_spread.ts";
import type { SpreadArgs } from "./plugins/pod_topology_spread.ts";
import { createSchedulingGates } from "./plugins/scheduling_gates.ts";
import { createTaintToleration } from "./plugins/taint_toleration.ts";
import {
  createNodeVolumeLimits,
  createVolumeBinding,
  createVolumeRestrictions,
  createVolumeZone,
} from "./plugins/volumes.ts";

/** Arguments of the plugins that take any. */
export interface PluginArgs {
  readonly NodeAffinity?: NodeAffinityArgs;
  readonly NodeResourcesFit?: FitArgs;
  readonly NodeResourcesBalancedAllocation?: BalancedArgs;
  readonly PodTopologySpread?: SpreadArgs;
  readonly InterPodAffinity?: InterPodAffinityArgs;
  readonly VolumeBinding?: VolumeBindingArgs;
  readonly DynamicResources?: DynamicResourcesArgs;
}

export interface DynamicResourcesArgs {
  /** How long a placed pod waits for its devices. Default 600,000 ms. */
  readonly bindTimeoutMs?: number;
}

export interface VolumeBindingArgs {
  /** How long a placed pod waits for its volumes. Default 600,000 ms. */
  readonly bindTimeoutMs?: number;
}

const BIND_TIMEOUT_MS = 600_000;

function deviceTimeoutOf({ DynamicResources: args }: PluginArgs): number {
  return args?.bindTimeoutMs ?? BIND_TIMEOUT_MS;
}

interface PluginEntry {
  readonly name: string;
  /** Default weight of its score; 0 = has no score. */
  readonly weight: number;
  /** Absent for the points that the scheduler's own code serves. */
  readonly create?: (args: PluginArgs, devices: DeviceLedger) => Plugin;
}

export const PLUGINS: readonly PluginEntry[] = [
  { name: "SchedulingGates", weight: 0, create: createSchedulingGates },
  { name: "PrioritySort", weight: 0 },
  { name: "NodeUnschedulable", weight: 0, create: createNodeUnschedulable },
  { name: "NodeName", weight: 0, create: createNodeName },
  { name: "TaintToleration", weight: 3, create: createTaintToleration },
  { name: "NodeAffinity", weight: 2, create: (args) => createNodeAffinity(args.NodeAffinity) },
  { name: "NodePorts", weight: 0, create: createNodePorts },
  {
    name: "NodeResourcesFit",
    weight: 1,
    create: (args, devices) =>
      createNodeResourcesFit(args.NodeResourcesFit, (name) => devices.isBacked(name)),
  },
  { name: "VolumeRestrictions", weight: 0, create: createVolumeRestrictions },
  { name: "NodeVolumeLimits", weight: 0, create: createNodeVolumeLimits },
  { name: "VolumeBinding", weight: 0, create: createVolumeBinding },
  { name: "VolumeZone", weight: 0, create: createVolumeZone },
  {
    name: "PodTopologySpread",
    weight: 2,
    create: (args) => createPodTopologySpread(args.PodTopologySpread),
  },
  {
    name: "InterPodAffinity",
    weight: 2,
    create: (args) => createInterPodAffinity(args.InterPodAffinity),
  },
  {
    name: DYNAMIC_RESOURCES,
    weight: 2,
    create: (args, devices) => createDynamicResources(devices, deviceTimeoutOf(args)),
  },
  { name: "DefaultPreemption", weight: 0 },
  {
    name: "NodeResourcesBalancedAllocation",
    weight: 1,
    create: (args) => createNodeResourcesBalanced(args.NodeResourcesBalancedAllocation),
  },
  { name: "ImageLocality", weight: 1, create: createImageLocality },
  { name: "NodeDeclaredFeatures", weight: 0, create: createNodeDeclaredFeatures },
  { name: "GangScheduling", weight: 0, create: createGangScheduling },
  { name: "DefaultBinder", weight: 0 },
];

/** One profile as configured. Absent fields mean the defaults. */
export interface ProfileConfig {
  /** Pods name it in spec.schedulerName. Default "default-scheduler". */
  readonly schedulerName?: string;
  /** Names of plugins that hold pods back from the queue. */
  readonly gates?: readonly string[];
  /** Names of filters, in order. */
  readonly filters?: readonly string[];
  /** Scores and their weights, in order. */
  readonly scores?: readonly { readonly name: string; readonly weight: number }[];
  /** Whether a pod that fits nowhere may evict others. Default true. */
  readonly preemption?: boolean;
  /** Whether a claim that idles in a pod's way is given up. Default true. */
  readonly deallocation?: boolean;
  readonly args?: PluginArgs;
}

export interface WeightedPlugin {
  readonly plugin: Plugin;
  readonly weight: number;
}

/** A profile ready to run. */
export interface Profile {
  readonly schedulerName: string;
  readonly gates: readonly Plugin[];
  /** The ordinal of a filter in verdicts is its place here plus 1. */
  readonly filters: readonly Plugin[];
  readonly scores: readonly WeightedPlugin[];
  readonly preemption: boolean;
  readonly deallocation: boolean;
  /** How long a placed pod waits for its volumes, milliseconds. */
  readonly bindTimeoutMs: number;
  /** How long it waits for its devices, milliseconds. */
  readonly deviceTimeoutMs: number;
  readonly byName: ReadonlyMap<string, Plugin>;
}

/**
 * Makes the plugins of a profile.
 *
 * @param devices what the plugin of devices looks at; one ledger for all profiles of a scheduler
 *
 * Errors: throws on a plugin name that has no row, on one that lacks the point it is listed for.
 */
export function buildProfile(
  config: ProfileConfig = {},
  devices: DeviceLedger = new DeviceLedger(),
): Profile {
  const args = config.args ?? {};
  const byName = new Map<string, Plugin>();
  for (const { name, create } of PLUGINS) if (create) byName.set(name, create(args, devices));
  const all = [...byName.values()];

  function named(name: string, point: "gate" | "prepareFilter" | "prepareScore"): Plugin {
    const plugin = byName.get(name);
    if (plugin?.[point] === undefined) throw new Error(`plugin ${name} has no ${point}`);
    return plugin;
  }

  return {
    schedulerName: config.schedulerName ?? "default-scheduler",
    gates: config.gates?.map((name) => named(name, "gate")) ?? all.filter((it) => it.gate),
    filters: config.filters?.map((name) => named(name, "prepareFilter")) ??
      all.filter((it) => it.prepareFilter),
    scores: (config.scores ?? PLUGINS.filter(({ weight }) => weight > 0)).map(
      ({ name, weight }) => ({ plugin: named(name, "prepareScore"), weight }),
    ),
    preemption: config.preemption ?? true,
    deallocation: config.deallocation ?? true,
    bindTimeoutMs: args.VolumeBinding?.bindTimeoutMs ?? BIND_TIMEOUT_MS,
    deviceTimeoutMs: deviceTimeoutOf(args),
    byName,
  };
}
