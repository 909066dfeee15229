/**
 * Cluster roles that gather the rules of others: `admin`, `edit`, `view`, and whatever users add.
 * In: cluster roles. Out: the rules that a gathering role should have; a follower that keeps them.
 * Never: touches a role without an aggregationRule.
 * Source: pkg/controller/clusterroleaggregation (v1.36).
 */
import type { KubeObject } from "../../../api/meta.ts";
import { equalJson } from "../../../api/patch/json_patch.ts";
import { clusterRoles } from "../../../api/resources.ts";
import { fromLabelSelector, matchesLabels } from "../../../api/selector.ts";
import type { ClusterRole, PolicyRule } from "../../../api/schema/generated/rbac_v1.ts";
import { follow } from "../../follow.ts";
import { copyJson } from "../../registry.ts";
import { cacheOf, type Core, prefixOf } from "../../verbs/core.ts";
import { updateObject } from "../../verbs/update.ts";
import { APISERVER } from "../authorize.ts";

/** The rules of all roles that a role's selectors match, each once, by the roles' names. */
export function aggregatedRules(role: ClusterRole, all: Iterable<ClusterRole>): PolicyRule[] {
  const selectors = (role.aggregationRule?.clusterRoleSelectors ?? [])
    .map(fromLabelSelector).filter((selector) => selector !== null);
  const sources = [...all].filter((source) =>
    source.metadata.name !== role.metadata.name &&
    selectors.some((selector) => matchesLabels(selector, source.metadata.labels ?? {}))
  );
  sources.sort((a, b) => a.metadata.name! < b.metadata.name! ? -1 : 1);
  const rules: PolicyRule[] = [];
  for (const rule of sources.flatMap((source) => source.rules ?? [])) {
    if (!rules.some((known) => equalJson(known, rule))) rules.push(rule);
  }
  return rules;
}

/** Keeps every gathering role right from now on; ends when the caches close. */
export function followClusterRoles(core: Core): void {
  follow(core, { resource: clusterRoles }, () => aggregateAll(core));
}

/** One round over all gathering roles. */
export async function aggregateAll(core: Core): Promise<void> {
  const cache = cacheOf(core, clusterRoles);
  const all = cache.readable({ keyPrefix: prefixOf(clusterRoles) }) as ClusterRole[];
  for (const role of all) {
    if (role.aggregationRule === undefined) continue;
    const rules = aggregatedRules(role, all);
    if (equalJson(role.rules ?? [], rules)) continue;
    await writeRules(core, role, rules);
  }
}

async function writeRules(core: Core, role: KubeObject, rules: PolicyRule[]): Promise<void> {
  const draft = { ...copyJson(role), rules: copyJson(rules) };
  const name = role.metadata.name!;
  const target = { resource: clusterRoles, subresource: "", namespace: "", name, user: APISERVER };
  try {
    await updateObject(core, target, draft, {});
  } catch (error) {
    // Another writer was faster; its event brings the next round.
    core.log("debug", "an aggregated role changed meanwhile", { name, error: String(error) });
  }
}
