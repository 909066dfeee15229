/**
 * Which plugins a profile runs at which point: the defaults with its own lists worked in.
 * In: enabled and disabled plugins by point. Out: plugins of a point with their weights, problems.
 * Never: makes plugins.
 * Source: runtime.expandMultiPointPlugins of Kubernetes v1.36.
 */
import { z } from "zod";
import { buildProfile, PLUGINS } from "../../../scheduler/mod.ts";

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
  "placementGenerate",
  "placementScore",
  "multiPoint",
] as const;
export type Point = typeof POINTS[number];

export const plugins = z.strictObject(
  Object.fromEntries(POINTS.map((point) => [point, pluginSet.optional()])) as Record<
    Point,
    z.ZodOptional<typeof pluginSet>
  >,
);
export type Plugins = z.infer<typeof plugins>;

export interface Enabled {
  readonly name: string;
  /** 0 = the default weight. */
  readonly weight: number;
}

/** The default MultiPoint list with the profile's own enabled and disabled plugins worked in. */
export function multiPoint(set: PluginSet | undefined): Enabled[] {
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
export function atPoint(all: readonly Enabled[], set: PluginSet | undefined): Enabled[] {
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

export function weightOf({ name, weight }: Enabled): number {
  return weight || PLUGINS.find((entry) => entry.name === name)?.weight || 1;
}

const DEFAULTS = buildProfile();

/** Plugins that extend a point, where that can be told. */
const EXTENDING: Partial<Record<Point, (plugin: string) => boolean>> = {
  queueSort: (plugin) => plugin === "PrioritySort",
  filter: (plugin) => DEFAULTS.byName.get(plugin)?.prepareFilter !== undefined,
  postFilter: (plugin) => plugin === "DefaultPreemption" || plugin === "DynamicResources",
  score: (plugin) => DEFAULTS.byName.get(plugin)?.prepareScore !== undefined,
  bind: (plugin) => plugin === "DefaultBinder",
};

export function isKnown(plugin: string): boolean {
  return PLUGINS.some(({ name }) => name === plugin);
}

/** @returns what is wrong with the lists of a profile, each with its path below `plugins`. */
export function problemsOfSets(sets: Plugins): string[] {
  const problems: string[] = [];
  for (const point of POINTS) {
    const names = (sets[point]?.enabled ?? []).map(({ name }) => name);
    names.forEach((name, index) => {
      const at = `${point}.enabled[${index}]`;
      if (!isKnown(name)) problems.push(`${at}: there is no plugin ${name}`);
      else if (names.indexOf(name) < index) problems.push(`${at}: plugin ${name} is listed twice`);
      else if (EXTENDING[point]?.(name) === false) {
        problems.push(`${at}: plugin ${name} does not extend ${point}`);
      }
    });
  }
  const all = multiPoint(sets.multiPoint);
  const has = (point: "queueSort" | "bind", plugin: string) =>
    atPoint(all, sets[point]).some(({ name }) => name === plugin);
  if (!has("queueSort", "PrioritySort")) {
    problems.push("queueSort: at least one queue sort plugin is needed");
  }
  if (!has("bind", "DefaultBinder")) problems.push("bind: at least one bind plugin is needed");
  return problems;
}
