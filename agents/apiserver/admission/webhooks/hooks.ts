/**
 * The webhooks of a cluster as they stand configured.
 * In: the cached configurations. Out: hooks in order of their configurations' names.
 * Never: compiles a configuration twice. Source: apiserver's admission/configuration (v1.36).
 */
import type { KubeObject } from "../../../api/meta.ts";
import type { Resource } from "../../../api/resource.ts";
import type { MutatingWebhook } from "../../../api/schema/generated/admissionregistration_v1.ts";
import type { ResourceCache } from "../../cache/resource_cache.ts";
import { cacheOf, type Core, prefixOf } from "../../verbs/core.ts";
import { compileConditions } from "../expressions/conditions.ts";
import type { NamedExpression } from "../expressions/expression.ts";
import { namesFor } from "../expressions/names.ts";
import { compileMatcher, type Matcher } from "../matching/match_request.ts";

export interface Hook {
  /** Unique among all hooks of its kind. */
  readonly id: string;
  readonly configuration: string;
  readonly name: string;
  readonly config: MutatingWebhook;
  readonly matcher: Matcher;
  readonly conditions: readonly NamedExpression[];
}

interface Known {
  readonly revision: number;
  readonly hooks: readonly Hook[];
}

const NONE: readonly Hook[] = [];
const known = new WeakMap<ResourceCache, Known>();

/** The hooks of one kind of configuration. */
export function hooksIn(core: Core, resource: Resource): readonly Hook[] {
  const cache = cacheOf(core, resource);
  if (cache.size === 0) return NONE;
  const found = known.get(cache);
  const revision = cache.lastChangeRevision;
  if (found?.revision === revision) return found.hooks;
  // The order of keys is the order of names.
  const hooks = cache.select({ keyPrefix: prefixOf(resource) })
    .flatMap(({ object }) => hooksOf(object));
  known.set(cache, { revision, hooks });
  return hooks;
}

/** Of the conditions of webhooks. */
export const CONDITION_NAMES = namesFor({ authorizer: true });

const compiled = new WeakMap<KubeObject, readonly Hook[]>();

function hooksOf(object: KubeObject): readonly Hook[] {
  const ready = compiled.get(object);
  if (ready !== undefined) return ready;
  const configuration = object.metadata.name!;
  const used = new Map<string, number>();
  const hooks = ((object.webhooks ?? []) as MutatingWebhook[]).map((config): Hook => {
    const { name, rules = [], matchPolicy, namespaceSelector, objectSelector } = config;
    const index = used.get(name) ?? 0;
    used.set(name, index + 1);
    return {
      id: `${configuration}/${name}/${index}`,
      configuration,
      name,
      config,
      matcher: compileMatcher({ rules, matchPolicy, namespaceSelector, objectSelector }),
      conditions: compileConditions(config.matchConditions ?? [], CONDITION_NAMES),
    };
  });
  compiled.set(object, hooks);
  return hooks;
}
