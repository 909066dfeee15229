/**
 * The configuration that a scheduler works by, written out as a KubeSchedulerConfiguration.
 * In: what a configuration file said, checked. Out: a document with the defaults filled in.
 * Never: shows what has no effect here as if it had; what a process is told apart from the file
 * (its lease, its way to the cluster) is for the caller to add.
 * Source: apis/config/v1/defaults.go and default_plugins.go of Kubernetes v1.36.
 */
import { multiPoint, type Plugins } from "./plugin_sets.ts";

/** A profile as a file gives it. */
export interface GivenProfile {
  readonly schedulerName?: string;
  readonly plugins?: Plugins;
  readonly pluginConfig: readonly { readonly name: string; readonly args?: unknown }[];
}

export interface GivenConfig {
  readonly podInitialBackoffSeconds: number;
  readonly podMaxBackoffSeconds: number;
  readonly profiles: readonly GivenProfile[];
}

/** A KubeSchedulerConfiguration, ready to be written as JSON. */
export type SchedulerDocument = Readonly<Record<string, unknown>>;

const API_VERSION = "kubescheduler.config.k8s.io/v1";
const CPU_AND_MEMORY = [{ name: "cpu", weight: 1 }, { name: "memory", weight: 1 }];

/** By plugin; a search for devices ends after so many steps, so there is no filterTimeout. */
const DEFAULT_ARGS: Readonly<Record<string, object>> = {
  DefaultPreemption: { minCandidateNodesPercentage: 10, minCandidateNodesAbsolute: 100 },
  DynamicResources: { bindingTimeout: "10m0s" },
  InterPodAffinity: { hardPodAffinityWeight: 1 },
  NodeAffinity: {},
  NodeResourcesBalancedAllocation: { resources: CPU_AND_MEMORY },
  NodeResourcesFit: { scoringStrategy: { type: "LeastAllocated", resources: CPU_AND_MEMORY } },
  PodTopologySpread: { defaultingType: "System" },
  VolumeBinding: { bindTimeoutSeconds: 600 },
};

/** @returns the document of a scheduler that was given this. */
export function effectiveDocument(given: GivenConfig): SchedulerDocument {
  return {
    apiVersion: API_VERSION,
    kind: "KubeSchedulerConfiguration",
    // Every node is scored, and a scheduler that waits for the lease watches nothing.
    percentageOfNodesToScore: 100,
    delayCacheUntilActive: true,
    podInitialBackoffSeconds: given.podInitialBackoffSeconds,
    podMaxBackoffSeconds: given.podMaxBackoffSeconds,
    profiles: given.profiles.map(effectiveProfile),
  };
}

function effectiveProfile({ schedulerName, plugins = {}, pluginConfig }: GivenProfile): object {
  const enabled = multiPoint(plugins.multiPoint).map(({ name, weight }) =>
    weight === 0 ? { name } : { name, weight }
  );
  const named = new Set(Object.values(plugins).flatMap((set) => set?.enabled ?? []).map(nameOf));
  const runs = (plugin: string) => named.has(plugin) || enabled.some(({ name }) => name === plugin);
  const given = new Set(pluginConfig.map(nameOf));
  const others = Object.keys(DEFAULT_ARGS).filter((name) => runs(name) && !given.has(name));
  return {
    schedulerName: schedulerName ?? "default-scheduler",
    plugins: {
      ...plugins,
      multiPoint: { ...plugins.multiPoint, enabled },
    },
    pluginConfig: [...pluginConfig, ...others.map((name) => ({ name }))].map(effectiveArgs),
  };
}

function nameOf({ name }: { readonly name: string }): string {
  return name;
}

function effectiveArgs(
  { name, args }: { readonly name: string; readonly args?: unknown },
): object {
  const given = Object.entries(args ?? {}).filter(([, value]) => !isEmptyList(value));
  const merged: Record<string, unknown> = { ...DEFAULT_ARGS[name], ...Object.fromEntries(given) };
  if (name === "NodeResourcesFit") {
    const strategy = merged.scoringStrategy as { readonly resources?: readonly unknown[] };
    const resources = strategy.resources?.length ? strategy.resources : CPU_AND_MEMORY;
    merged.scoringStrategy = { ...strategy, resources };
  }
  return { name, args: { ...merged, apiVersion: API_VERSION, kind: `${name}Args` } };
}

/** Upstream takes an empty list for one that was left out. */
function isEmptyList(value: unknown): boolean {
  return Array.isArray(value) && value.length === 0;
}
