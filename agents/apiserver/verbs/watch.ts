/**
 * WATCH: changes of the selected objects from a revision, or the state first and then changes.
 * In: a target and watch options. Out: a Watcher that the caller reads and closes.
 * Never: sends bytes. Source: the API conventions' watch semantics and watch-list (KEP-3157).
 */
import type { CallTarget, WatchOptions } from "../../api/call.ts";
import type { KubeObject, WatchEvent } from "../../api/meta.ts";
import type { FieldError, Resource } from "../../api/resource.ts";
import {
  badRequest,
  invalid,
  tooLargeResourceVersion,
  tooOldResourceVersion,
} from "../../api/status.ts";
import type { WatchStart } from "../cache/resource_cache.ts";
import type { Watcher } from "../cache/watcher.ts";
import { formatResourceVersion, parseResourceVersion } from "../registry.ts";
import { apiVersionOf, cacheOf, type Core, waitFresh } from "./core.ts";
import { invalidVersion, waitForVersion } from "./get.ts";
import { selectionOf } from "./selection.ts";

/** Marks the bookmark that ends the initial events of a watch-list. */
const INITIAL_EVENTS_END = "k8s.io/initial-events-end";

/** Errors: rejects with ApiError; 410 when the revision is no longer known. */
export async function watchObjects(
  core: Core,
  target: CallTarget,
  options: WatchOptions,
): Promise<Watcher> {
  refuseBadOptions(options);
  const selection = selectionOf(target, options);
  const start = await watchStart(core, options);
  const wantsBookmarks = options.allowWatchBookmarks === true;
  const initialEnd = options.sendInitialEvents === true && wantsBookmarks
    ? bookmarkOf(target.resource, core.feed.revision, { [INITIAL_EVENTS_END]: "true" })
    : undefined;
  const outcome = cacheOf(core, target.resource).watch(start, {
    selection,
    wantsBookmarks,
    initialEnd,
  });
  if (outcome.kind === "tooOld") {
    throw tooOldResourceVersion(options.resourceVersion ?? "", outcome.oldestRevision);
  }
  const { watcher } = outcome;
  if (options.timeoutSeconds !== undefined && options.timeoutSeconds > 0) {
    const stopTimer = core.clock.after(options.timeoutSeconds * 1000, () => watcher.close());
    watcher.onClosed(stopTimer);
  }
  return watcher;
}

async function watchStart(core: Core, options: WatchOptions): Promise<WatchStart> {
  const text = options.resourceVersion ?? "";
  if (options.sendInitialEvents === true) {
    await waitForVersion(core, text);
    return { kind: "state" };
  }
  if (text === "" || text === "0") {
    if (text === "") await waitFresh(core);
    // Asked to leave the state out, a watch without a version begins now.
    if (options.sendInitialEvents === false) return { kind: "after", revision: core.feed.revision };
    return { kind: "state" };
  }
  const revision = parseResourceVersion(text);
  if (revision === null) throw badRequest(invalidVersion(text));
  if (revision > core.feed.revision && !await core.feed.waitFor(revision)) {
    throw tooLargeResourceVersion(revision, core.feed.revision);
  }
  return { kind: "after", revision };
}

function refuseBadOptions(options: WatchOptions): void {
  const path = "resourceVersionMatch";
  const errors: FieldError[] = [];
  const match = options.resourceVersionMatch;
  if (options.sendInitialEvents !== undefined && match !== "NotOlderThan") {
    const detail = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan";
    errors.push({ type: "forbidden", path, detail });
  }
  if (match && options.sendInitialEvents === undefined) {
    const detail =
      "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided";
    errors.push({ type: "forbidden", path, detail });
  }
  if (match && match !== "NotOlderThan") {
    const detail = 'supported values: "NotOlderThan"';
    errors.push({ type: "notSupported", path, value: match, detail });
  }
  if (errors.length > 0) {
    throw invalid({ group: "meta.k8s.io", kind: "ListOptions" }, "", errors);
  }
}

/** An event that carries a revision and no object. */
export function bookmarkOf(
  resource: Pick<Resource, "group" | "version" | "kind">,
  revision: number,
  annotations?: Record<string, string>,
): WatchEvent {
  const object: KubeObject = {
    kind: resource.kind,
    apiVersion: apiVersionOf(resource),
    metadata: {
      resourceVersion: formatResourceVersion(revision),
      ...(annotations === undefined ? {} : { annotations }),
    },
  };
  return Object.freeze({ type: "BOOKMARK" as const, object: Object.freeze(object) });
}
