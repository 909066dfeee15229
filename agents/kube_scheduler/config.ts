/**
 * KubeSchedulerConfiguration (kubescheduler.config.k8s.io/v1) to profiles and queue settings.
 * In: YAML text. Out: a `SchedulerConfig`, or every problem at once, each naming its field.
 * Never: ignores what it can't honour: extenders and unknown plugins are refused by name. Fields
 * that concern a process of its own (leader election, ports, client) are read and have no effect.
 * Source: Kubernetes v1.36 scheduler apis/config/v1 and runtime.expandMultiPointPlugins.
 */
import { parse } from "yaml";
import { z } from "zod";
import { buildProfile, PLUGINS } from "../../scheduler/mod.ts";
import type { PluginArgs, ProfileConfig, SchedulerConfig } from "../../scheduler/mod.ts";
import { parseDuration } from "../api/time.ts";
import { encodeNodeTerm } from "./encode.ts";
import type { NodeSelectorTerm } from "./kinds.ts";

export type { SchedulerConfig } from "../../scheduler/mod.ts";

export type ConfigResult =
  | { readonly kind: "ok"; readonly config: SchedulerConfig }
  | { readonly kind: "error"; readonly problems: readonly string[] };

const pluginRef = z.strictObject({
  name: z.string().min(1),
  weight: z.int().min(0).optional(),
});
const pluginSet = z.strictObject({
  enabled: z.array(pluginRef).default([]),
  disabled: z.array(pluginRef).default([]),
});
type PluginSet = z.infer<typeof pluginSet>;

const POINTS = [
  "preEnqueue",
  "queueSort",
  "preFilter",
  "filter",
  "postFilter",
  "preScore",
  "score",
  "reserve",
  "permit",
  "preBind",
  "bind",
  "postBind",
  "multiPoint",
] as const;
type Point = typeof POINTS[number];

const plugins = z.strictObject(
  Object.fromEntries(POINTS.map((point) => [point, pluginSet.optional()])) as Record<
    Point,
    z.ZodOptional<typeof pluginSet>
  >,
);
type Plugins = z.infer<typeof plugins>;

const header = { apiVersion: z.string().optional(), kind: z.string().optional() };
const resources = z.array(z.strictObject({
  name: z.string().min(1),
  weight: z.int().min(0).max(100).transform((weight) => weight === 0 ? 1 : weight).default(1),
})).min(1);
const shape = z.array(z.strictObject({
  utilization: z.int().min(0).max(100),
  score: z.int().min(0).max(10),
})).min(1).refine(
  (points) => points.every((it, i) => i === 0 || it.utilization > points[i - 1].utilization),
  "utilization must rise from point to point",
);
const plainStrategy = z.strictObject({
  type: z.enum(["LeastAllocated", "MostAllocated"]),
  resources: resources.optional(),
});
const curveStrategy = z.strictObject({
  type: z.literal("RequestedToCapacityRatio"),
  resources: resources.optional(),
  requestedToCapacityRatio: z.strictObject({ shape }),
}).transform(({ type, resources, requestedToCapacityRatio }) => ({
  type,
  resources,
  shape: requestedToCapacityRatio.shape,
}));
const fitArgs = z.strictObject({
  ...header,
  ignoredResources: z.array(z.string()).optional(),
  ignoredResourceGroups: z.array(z.string().regex(/^[^/]+$/, "must not contain /")).optional(),
  scoringStrategy: z.union([plainStrategy, curveStrategy]).optional(),
}).transform(({ ignoredResources, ignoredResourceGroups, scoringStrategy }) => ({
  ignoredResources,
  ignoredResourceGroups,
  strategy: scoringStrategy,
}));

const requirement = z.strictObject({
  key: z.string(),
  operator: z.enum(["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"]),
  values: z.array(z.string()).optional(),
});
const nodeTerm = z.strictObject({
  matchExpressions: z.array(requirement).optional(),
  matchFields: z.array(requirement).optional(),
}).transform((term) => encodeNodeTerm(term as NodeSelectorTerm));
const nodeAffinityArgs = z.strictObject({
  ...header,
  addedAffinity: z.strictObject({
    requiredDuringSchedulingIgnoredDuringExecution: z.strictObject({
      nodeSelectorTerms: z.array(nodeTerm),
    }).optional(),
    preferredDuringSchedulingIgnoredDuringExecution: z.array(z.strictObject({
      weight: z.int().min(1).max(100),
      preference: nodeTerm,
    })).optional(),
  }).optional(),
}).transform(({ addedAffinity }) => ({
  addedRequired: addedAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms,
  addedPreferred: addedAffinity?.preferredDuringSchedulingIgnoredDuringExecution?.map(
    ({ weight, preference }) => ({ weight, term: preference }),
  ),
}));

const defaultConstraint = z.strictObject({
  maxSkew: z.int().min(1),
  topologyKey: z.string().min(1),
  whenUnsatisfiable: z.enum(["DoNotSchedule", "ScheduleAnyway"]),
}).transform((constraint) => ({
  ...constraint,
  selector: [],
  minDomains: 1,
  nodeAffinityPolicy: "Honor" as const,
  nodeTaintsPolicy: "Ignore" as const,
}));
const spreadArgs = z.strictObject({
  ...header,
  defaultConstraints: z.array(defaultConstraint).default([]),
  defaultingType: z.enum(["System", "List"]).default("System"),
}).refine(
  ({ defaultConstraints, defaultingType }) =>
    defaultingType === "List" || defaultConstraints.length === 0,
  "defaultConstraints need defaultingType List",
).transform(({ defaultConstraints, defaultingType }) => ({
  defaultConstraints: defaultingType === "List" ? defaultConstraints : undefined,
}));
const affinityArgs = z.strictObject({
  ...header,
  hardPodAffinityWeight: z.int().min(0).max(100).optional(),
  ignorePreferredTermsOfExistingPods: z.boolean().optional(),
});
const balancedArgs = z.strictObject({ ...header, resources: resources.optional() });

const bindingArgs = z.strictObject({
  ...header,
  bindTimeoutSeconds: z.int().min(0).default(600),
  // Scores by storage capacity are behind a gate that is off.
  shape: z.array(z.unknown()).max(0, "is not supported").optional(),
}).transform(({ bindTimeoutSeconds }) => ({ bindTimeoutMs: bindTimeoutSeconds * 1000 }));
/** How far a search for victims goes; every node is looked at here, so it changes nothing. */
const preemptionArgs = z.strictObject({
  ...header,
  minCandidateNodesPercentage: z.int().min(0).max(100).optional(),
  minCandidateNodesAbsolute: z.int().min(0).optional(),
});
const duration = z.string().transform((text, context) => {
  const nanos = parseDuration(text);
  if (nanos === null) context.addIssue(`invalid duration ${JSON.stringify(text)}`);
  return (nanos ?? 0) / 1e6;
});
/** A search for devices ends after so many steps instead of after a time. */
const devicesArgs = z.strictObject({
  ...header,
  filterTimeout: duration.refine((millis) => millis >= 0, "must be zero or positive").optional(),
  bindingTimeout: duration.refine((millis) => millis >= 1000, "must be at least 1 second")
    .optional(),
}).transform(({ bindingTimeout }) => ({ bindTimeoutMs: bindingTimeout }));

const ARGS = {
  NodeAffinity: nodeAffinityArgs,
  NodeResourcesFit: fitArgs,
  NodeResourcesBalancedAllocation: balancedArgs,
  PodTopologySpread: spreadArgs,
  InterPodAffinity: affinityArgs,
  VolumeBinding: bindingArgs,
  DefaultPreemption: preemptionArgs,
  DynamicResources: devicesArgs,
} as const;

const profileSchema = z.strictObject({
  schedulerName: z.string().min(1).optional(),
  percentageOfNodesToScore: z.int().min(0).max(100).optional(),
  plugins: plugins.optional(),
  pluginConfig: z.array(z.strictObject({ name: z.string(), args: z.unknown() })).default([]),
});
type ProfileInput = z.infer<typeof profileSchema>;

const document = z.strictObject({
  apiVersion: z.literal("kubescheduler.config.k8s.io/v1"),
  kind: z.literal("KubeSchedulerConfiguration"),
  profiles: z.array(profileSchema).default([{ pluginConfig: [] }]),
  podInitialBackoffSeconds: z.int().min(1).default(1),
  podMaxBackoffSeconds: z.int().min(1).default(10),
  percentageOfNodesToScore: z.int().min(0).max(100).optional(),
  parallelism: z.int().min(1).optional(),
  extenders: z.array(z.unknown()).max(0, "are not supported").optional(),
  leaderElection: z.unknown().optional(),
  clientConnection: z.unknown().optional(),
  enableProfiling: z.boolean().optional(),
  enableContentionProfiling: z.boolean().optional(),
  delayCacheUntilActive: z.boolean().optional(),
});

interface Enabled {
  readonly name: string;
  /** 0 = the default weight. */
  readonly weight: number;
}

/** The default MultiPoint list with the profile's own enabled and disabled plugins worked in. */
function multiPoint(set: PluginSet | undefined): Enabled[] {
  const disabled = new Set(set?.disabled.map(({ name }) => name));
  const custom = new Map(set?.enabled.map(({ name, weight }) => [name, weight ?? 0]));
  const kept: Enabled[] = [];
  for (const { name, weight } of disabled.has("*") ? [] : PLUGINS) {
    if (disabled.has(name)) continue;
    kept.push({ name, weight: custom.has(name) ? custom.get(name)! || weight : weight });
    custom.delete(name);
  }
  return [...kept, ...[...custom].map(([name, weight]) => ({ name, weight }))];
}

/** Plugins of one point: those listed for it that MultiPoint has too, MultiPoint's, the rest. */
function atPoint(all: readonly Enabled[], set: PluginSet | undefined): Enabled[] {
  const disabled = new Set(set?.disabled.map(({ name }) => name));
  const own = (set?.enabled ?? []).map(({ name, weight }) => ({ name, weight: weight ?? 0 }));
  const shared = disabled.has("*") ? [] : all.filter(({ name }) => !disabled.has(name));
  const has = (list: readonly Enabled[], name: string) => list.some((it) => it.name === name);
  return [
    ...own.filter(({ name }) => has(shared, name)),
    ...shared.filter(({ name }) => !has(own, name)),
    ...own.filter(({ name }) => !has(shared, name)),
  ];
}

function weightOf({ name, weight }: Enabled): number {
  return weight || PLUGINS.find((entry) => entry.name === name)?.weight || 1;
}

/** @returns the arguments by plugin; problems are added to the list. */
function parseArgs(profile: ProfileInput, problems: string[]): PluginArgs {
  const args: Record<string, unknown> = {};
  for (const { name, args: raw } of profile.pluginConfig) {
    if (!Object.hasOwn(ARGS, name)) {
      const isKnown = PLUGINS.some((entry) => entry.name === name);
      problems.push(isKnown ? `pluginConfig.${name}: takes no arguments` : unknown(name));
      continue;
    }
    const result = ARGS[name as keyof typeof ARGS].safeParse(raw ?? {});
    if (result.success) args[name] = result.data;
    else problems.push(...issuesOf(result.error, `pluginConfig.${name}.args`));
  }
  return args as PluginArgs;
}

function unknown(name: string): string {
  return `profiles.plugins: there is no plugin ${name}`;
}

function issuesOf(error: z.ZodError, prefix: string): string[] {
  return error.issues.map(({ path, message }) => {
    const field = [prefix, ...path].filter((part) => part !== "").join(".");
    return `${field}: ${message}`;
  });
}

function toProfile(input: ProfileInput, problems: string[]): ProfileConfig {
  const sets: Plugins = input.plugins ?? {};
  for (const set of Object.values(sets)) {
    for (const { name } of set?.enabled ?? []) {
      if (!PLUGINS.some((entry) => entry.name === name)) problems.push(unknown(name));
    }
  }
  const all = multiPoint(sets.multiPoint);
  const defaults = buildProfile();
  const able = (point: "gate" | "prepareFilter" | "prepareScore") => ({ name }: Enabled) =>
    defaults.byName.get(name)?.[point] !== undefined;
  const nameOf = ({ name }: Enabled) => name;
  const afterwards = atPoint(all, sets.postFilter);
  const helps = (plugin: string) => afterwards.some(({ name }) => name === plugin);
  return {
    schedulerName: input.schedulerName,
    gates: atPoint(all, sets.preEnqueue).filter(able("gate")).map(nameOf),
    filters: atPoint(all, sets.filter).filter(able("prepareFilter")).map(nameOf),
    scores: atPoint(all, sets.score).filter(able("prepareScore"))
      .map((it) => ({ name: it.name, weight: weightOf(it) })),
    preemption: helps("DefaultPreemption"),
    deallocation: helps("DynamicResources"),
    args: parseArgs(input, problems),
  };
}

/**
 * Reads a configuration file.
 *
 * Errors: none; what is wrong comes back as problems.
 *
 * @param text undefined = no file, all defaults.
 */
export function parseSchedulerConfig(text: string | undefined): ConfigResult {
  if (text === undefined) return { kind: "ok", config: {} };
  let raw: unknown;
  try {
    raw = parse(text);
  } catch (error) {
    return { kind: "error", problems: [`not YAML: ${(error as Error).message}`] };
  }
  const result = document.safeParse(raw);
  if (!result.success) return { kind: "error", problems: issuesOf(result.error, "") };
  const { profiles: inputs, podInitialBackoffSeconds, podMaxBackoffSeconds } = result.data;
  const problems: string[] = [];
  const profiles = inputs.map((input) => toProfile(input, problems));
  const names = profiles.map(({ schedulerName = "default-scheduler" }) => schedulerName);
  if (new Set(names).size < names.length) problems.push("profiles: schedulerName must be unique");
  if (podMaxBackoffSeconds < podInitialBackoffSeconds) {
    problems.push("podMaxBackoffSeconds: must not be less than podInitialBackoffSeconds");
  }
  if (problems.length > 0) return { kind: "error", problems };
  const firstBackoffMs = podInitialBackoffSeconds * 1000;
  const longestBackoffMs = podMaxBackoffSeconds * 1000;
  return { kind: "ok", config: { profiles, queue: { firstBackoffMs, longestBackoffMs } } };
}
