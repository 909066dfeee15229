/**
 * GET of one object, or of its scale.
 * In: a target. Out: the stored version, fresh unless "any version" was allowed.
 * Never: asks the store; the cache that has caught up is the answer.
 */
import type { CallTarget } from "../../api/call.ts";
import { badRequest, notFound, tooLargeResourceVersion } from "../../api/status.ts";
import type { StoredObject } from "../cache/stored_object.ts";
import { convertStored } from "../custom/webhook.ts";
import { parseResourceVersion } from "../registry.ts";
import { cacheOf, type Core, groupResourceOf, keyOf, type VerbAnswer, waitFresh } from "./core.ts";

/** The stored object behind a target. Errors: throws ApiError 404. */
export async function readStored(core: Core, target: CallTarget): Promise<StoredObject> {
  if (!core.feed.isFresh) await waitFresh(core);
  const stored = readCached(core, target);
  const { resource } = target;
  if (resource.custom?.asksWebhook) await convertStored(core, resource, [stored.object]);
  return stored;
}

/** As `readStored`, at once where the caches are fresh: what needs no wait is written together. */
export function readNow(core: Core, target: CallTarget): StoredObject | Promise<StoredObject> {
  const waits = !core.feed.isFresh || target.resource.custom?.asksWebhook;
  return waits ? readStored(core, target) : readCached(core, target);
}

/** As `readStored`, from the caches as they are. */
export function readCached(core: Core, target: CallTarget): StoredObject {
  const stored = cacheOf(core, target.resource).get(keyOf(target));
  if (stored === undefined) throw notFound(groupResourceOf(target.resource), target.name);
  return stored;
}

export async function getObject(
  core: Core,
  target: CallTarget,
  resourceVersion = "",
): Promise<VerbAnswer> {
  await waitForVersion(core, resourceVersion);
  return { kind: "stored", stored: readCached(core, target), created: false };
}

/** Waits as a resourceVersion of a read asks: "" = fresh, "0" = anything, else not older. */
export async function waitForVersion(core: Core, resourceVersion: string): Promise<void> {
  if (resourceVersion === "") return waitFresh(core);
  const revision = parseResourceVersion(resourceVersion);
  if (revision === null) throw badRequest(invalidVersion(resourceVersion));
  if (revision <= core.feed.revision) return;
  if (!await core.feed.waitFor(revision)) {
    throw tooLargeResourceVersion(revision, core.feed.revision);
  }
}

export function invalidVersion(text: string): string {
  return `Invalid value: ${JSON.stringify(text)}: strconv.ParseUint: ` +
    `parsing ${JSON.stringify(text)}: invalid syntax`;
}
