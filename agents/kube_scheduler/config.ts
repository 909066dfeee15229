/**
 * KubeSchedulerConfiguration (kubescheduler.config.k8s.io/v1) to profiles and queue settings.
 * In: YAML text. Out: a `SchedulerConfig` and the same as a document, or every problem at once,
 * each naming its field.
 * Never: ignores what it can't honour: extenders and unknown plugins are refused by name. What
 * would limit upstream's work (percentageOfNodesToScore, parallelism, qps) limits nothing here.
 * Source: Kubernetes v1.36 scheduler apis/config/v1 and apis/config/validation.
 */
import { parse } from "yaml";
import { z } from "zod";
import { buildProfile } from "../../scheduler/mod.ts";
import type { PluginArgs, ProfileConfig, SchedulerConfig } from "../../scheduler/mod.ts";
import { ARGS } from "./config/plugin_args.ts";
import {
  atPoint,
  type Enabled,
  isKnown,
  multiPoint,
  plugins,
  problemsOfSets,
  weightOf,
} from "./config/plugin_sets.ts";
import { effectiveDocument, type GivenConfig, type SchedulerDocument } from "./config/effective.ts";
import {
  clientConnection,
  leaderElection,
  type ProcessPart,
  processPart,
} from "./config/process_part.ts";

export type { SchedulerConfig } from "../../scheduler/mod.ts";

export type ConfigResult =
  | {
    readonly kind: "ok";
    readonly config: SchedulerConfig;
    /** For a scheduler that is a process of its own. */
    readonly process: ProcessPart;
    /** The same as a KubeSchedulerConfiguration, with its defaults. */
    readonly document: SchedulerDocument;
  }
  | { readonly kind: "error"; readonly problems: readonly string[] };

const profileSchema = z.strictObject({
  schedulerName: z.string().min(1).optional(),
  percentageOfNodesToScore: z.int().min(0).max(100).optional(),
  plugins: plugins.optional(),
  pluginConfig: z.array(z.strictObject({ name: z.string(), args: z.unknown().optional() })).default(
    [],
  ),
});
type ProfileInput = z.infer<typeof profileSchema>;

const document = z.strictObject({
  apiVersion: z.literal("kubescheduler.config.k8s.io/v1"),
  kind: z.literal("KubeSchedulerConfiguration"),
  // Read one by one, so that what is wrong elsewhere hides nothing of theirs.
  profiles: z.array(z.unknown()).optional(),
  podInitialBackoffSeconds: z.int().min(1).default(1),
  podMaxBackoffSeconds: z.int().min(1).default(10),
  percentageOfNodesToScore: z.int().min(0).max(100).optional(),
  parallelism: z.int().min(1).optional(),
  extenders: z.array(z.unknown()).max(0, "are not supported").optional(),
  leaderElection: leaderElection.nullish(),
  clientConnection: clientConnection.nullish(),
  enableProfiling: z.boolean().optional(),
  enableContentionProfiling: z.boolean().optional(),
  delayCacheUntilActive: z.boolean().optional(),
}).refine(
  ({ podInitialBackoffSeconds: first, podMaxBackoffSeconds: longest }) => longest >= first,
  { path: ["podMaxBackoffSeconds"], message: "must not be less than podInitialBackoffSeconds" },
);

/** What there is without a file. */
const NOTHING_GIVEN: GivenConfig = {
  podInitialBackoffSeconds: 1,
  podMaxBackoffSeconds: 10,
  profiles: [{ pluginConfig: [] }],
};

/** Problems found so far, and where they are now. */
interface Finding {
  readonly problems: string[];
  /** Path of what is looked at. */
  readonly at: string;
}

/** @returns a path as kubectl writes it: names after dots, places in brackets. */
function pathOf(prefix: string, path: readonly PropertyKey[]): string {
  return path.reduce<string>((text, part) => {
    if (typeof part === "number") return `${text}[${part}]`;
    return text === "" ? String(part) : `${text}.${String(part)}`;
  }, prefix);
}

function note(error: z.ZodError, { problems, at }: Finding): void {
  for (const { path, message } of error.issues) problems.push(`${pathOf(at, path)}: ${message}`);
}

/** @returns the arguments by plugin. */
function readArgs(profile: ProfileInput, { problems, at }: Finding): PluginArgs {
  const args: Record<string, unknown> = {};
  const seen = new Set<string>();
  profile.pluginConfig.forEach(({ name, args: raw }, index) => {
    const place = `${at}.pluginConfig[${index}]`;
    if (seen.has(name)) problems.push(`${place}: Duplicate value: ${JSON.stringify(name)}`);
    seen.add(name);
    if (!Object.hasOwn(ARGS, name)) {
      const known = `plugin ${name} takes no arguments`;
      problems.push(`${place}: ${isKnown(name) ? known : `there is no plugin ${name}`}`);
      return;
    }
    const result = ARGS[name as keyof typeof ARGS].safeParse(raw ?? {});
    if (result.success) args[name] = result.data;
    else note(result.error, { problems, at: `${place}.args` });
  });
  return args as PluginArgs;
}

function toProfile(input: ProfileInput, finding: Finding): ProfileConfig {
  const sets = input.plugins ?? {};
  for (const problem of problemsOfSets(sets)) {
    finding.problems.push(`${finding.at}.plugins.${problem}`);
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
    args: readArgs(input, finding),
  };
}

interface ReadProfile {
  readonly input: ProfileInput;
  readonly profile: ProfileConfig;
}

/** Reads all profiles; one is there by default, and only a single one may be without a name. */
function readProfiles(raw: readonly unknown[], problems: string[]): ReadProfile[] {
  const places = new Map<string, string>();
  const inputs = raw.length === 0 ? [{}] : raw;
  return inputs.flatMap((input, index) => {
    const at = `profiles[${index}]`;
    const result = profileSchema.safeParse(input);
    if (!result.success) {
      note(result.error, { problems, at });
      return [];
    }
    const { schedulerName } = result.data;
    if (schedulerName === undefined) {
      if (inputs.length > 1) problems.push(`${at}.schedulerName: Required value`);
    } else {
      const place = places.get(schedulerName);
      if (place !== undefined) problems.push(`${at}.schedulerName: Duplicate value: ${place}`);
      places.set(schedulerName, `${at}.schedulerName`);
    }
    return [{ input: result.data, profile: toProfile(result.data, { problems, at }) }];
  });
}

function profilesOf(raw: unknown): readonly unknown[] {
  const profiles = (raw as { readonly profiles?: unknown } | null)?.profiles;
  return Array.isArray(profiles) ? profiles : [];
}

/**
 * Reads a configuration file.
 *
 * Errors: none; what is wrong comes back as problems.
 *
 * @param text undefined = no file, all defaults.
 */
export function parseSchedulerConfig(text: string | undefined): ConfigResult {
  if (text === undefined) {
    const document = effectiveDocument(NOTHING_GIVEN);
    return { kind: "ok", config: {}, process: processPart(), document };
  }
  let raw: unknown;
  try {
    raw = parse(text);
  } catch (error) {
    return { kind: "error", problems: [`not YAML: ${(error as Error).message}`] };
  }
  const problems: string[] = [];
  const result = document.safeParse(raw);
  if (!result.success) note(result.error, { problems, at: "" });
  const read = readProfiles(profilesOf(raw), problems);
  if (!result.success || problems.length > 0) return { kind: "error", problems };
  const { podInitialBackoffSeconds, podMaxBackoffSeconds } = result.data;
  const firstBackoffMs = podInitialBackoffSeconds * 1000;
  const longestBackoffMs = podMaxBackoffSeconds * 1000;
  const profiles = read.map(({ profile }) => profile);
  return {
    kind: "ok",
    config: { profiles, queue: { firstBackoffMs, longestBackoffMs } },
    process: processPart(result.data.leaderElection, result.data.clientConnection),
    document: effectiveDocument({ ...result.data, profiles: read.map(({ input }) => input) }),
  };
}
