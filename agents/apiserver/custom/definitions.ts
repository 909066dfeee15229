/**
 * Follows the definitions: accepts their names, establishes them, and empties what is deleted.
 * In: the cache of definitions. Out: their status; deletions of their objects.
 * Never: serves; the table reads the same cache. Several servers may do this at once: every write
 * names the version it was made from. Source: apiextensions-apiserver's controllers (v1.36).
 */
import {
  CLEANUP_FINALIZER,
  type CustomResourceDefinition,
} from "../../api/kinds/extensions/custom_resource_definition.ts";
import type { KubeObject } from "../../api/meta.ts";
import type { Resource } from "../../api/resource.ts";
import { customResourceDefinitions } from "../../api/resources.ts";
import { ApiError } from "../../api/status.ts";
import { APISERVER } from "../auth/authorize.ts";
import { follow } from "../follow.ts";
import { copyJson, storagePrefix } from "../registry.ts";
import { cacheOf, type Core, prefixOf, waitFresh } from "../verbs/core.ts";
import { deleteObject } from "../verbs/delete.ts";
import { updateObject } from "../verbs/update.ts";
import { planStatus, withCondition } from "./plan_definition.ts";

/** Objects that wait for finalizers are looked at again after this long. */
const CHECK_MILLIS = 1_000;

type Definition = CustomResourceDefinition;

/** Keeps every definition right from now on; ends when the caches close. */
export function followDefinitions(core: Core): void {
  follow(core, { resource: customResourceDefinitions }, () => settleDefinitions(core));
}

/** One round over all definitions. */
export async function settleDefinitions(core: Core): Promise<void> {
  const cache = cacheOf(core, customResourceDefinitions);
  const names = cache.readable({ keyPrefix: prefixOf(customResourceDefinitions) })
    .map(({ metadata }) => metadata.name!);
  for (const name of names) {
    try {
      await settle(core, name);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      // Another writer was faster, or the store is away; the next round is due with its event.
      core.log("debug", "a definition was not settled", { name, error: error.message });
    }
  }
}

async function settle(core: Core, name: string): Promise<void> {
  const cache = cacheOf(core, customResourceDefinitions);
  const all = cache.readable({ keyPrefix: prefixOf(customResourceDefinitions) }) as Definition[];
  const definition = all.find(({ metadata }) => metadata.name === name);
  if (definition === undefined) return;
  if (definition.metadata.deletionTimestamp !== undefined) return await empty(core, definition);
  const { group } = definition.spec!;
  const others = all.filter((other) => other !== definition && other.spec?.group === group);
  const status = planStatus(definition, others, core.nowMillis);
  if (status !== null) await writeStatus(core, definition, status);
}

async function writeStatus(
  core: Core,
  definition: Definition,
  status: Definition["status"],
): Promise<void> {
  const draft = { ...copyJson(definition), status: copyJson(status) } as KubeObject;
  await updateObject(core, targetOf(definition, "status"), draft, {});
}

function targetOf(definition: Definition, subresource: string) {
  const name = definition.metadata.name!;
  const resource = customResourceDefinitions;
  return { resource, subresource, namespace: "", name, user: APISERVER };
}

async function tellTerminating(
  core: Core,
  definition: Definition,
  verdict: { readonly status: "True" | "False"; readonly reason: string; readonly message: string },
): Promise<void> {
  const conditions = withCondition(
    definition.status?.conditions ?? [],
    { type: "Terminating", ...verdict },
    core.nowMillis,
  );
  const old = definition.status?.conditions?.find(({ type }) => type === "Terminating");
  if (old?.status === verdict.status && old.reason === verdict.reason) return;
  await writeStatus(core, definition, { ...definition.status!, conditions });
}

/** Deletes the objects of a definition, and when none is left lets the definition go. */
async function empty(core: Core, definition: Definition): Promise<void> {
  const { finalizers = [] } = definition.metadata;
  if (!finalizers.includes(CLEANUP_FINALIZER)) return;
  await tellTerminating(core, definition, {
    status: "True",
    reason: "InstanceDeletionInProgress",
    message: "CustomResource deletion is in progress",
  });
  const { group, names } = definition.spec!;
  const prefix = storagePrefix({ group, plural: names.plural });
  const cache = core.feed.cache(prefix);
  const row = core.custom.rows.find((one) => one.group === group && one.plural === names.plural);
  if (row !== undefined) await deleteAll(core, row, prefix);
  await waitFresh(core);
  if (row !== undefined && cache.size > 0) {
    core.clock.after(CHECK_MILLIS, () => void settleDefinitions(core));
    return;
  }
  const current = cacheOf(core, customResourceDefinitions)
    .get(prefixOf(customResourceDefinitions) + definition.metadata.name!)?.object;
  if (current === undefined) return;
  const draft = copyJson(current);
  draft.metadata.finalizers = finalizers.filter((one) => one !== CLEANUP_FINALIZER);
  await updateObject(core, targetOf(definition, ""), draft, {});
  // Nobody will tell these watchers anything more.
  cache.closeWatchers();
}

async function deleteAll(core: Core, resource: Resource, prefix: string): Promise<void> {
  for (const { object } of core.feed.cache(prefix).select({ keyPrefix: prefix })) {
    const { name = "", namespace = "", deletionTimestamp } = object.metadata;
    if (deletionTimestamp !== undefined) continue;
    const target = { resource, subresource: "", namespace, name, user: APISERVER };
    try {
      await deleteObject(core, target, {});
    } catch (error) {
      if (!(error instanceof ApiError) || error.status.code !== 404) throw error;
    }
  }
}
