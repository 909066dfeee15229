/**
 * LIST: the selected objects of a resource at one revision, whole or in pages.
 * In: a target and list options. Out: stored objects in key order and the list's metadata.
 * Never: mixes two revisions in one list; later pages come from history when the state moved on.
 * Source: the API conventions' table of resourceVersion and resourceVersionMatch.
 */
import type { CallTarget, ListOptions } from "../../api/call.ts";
import type { FieldError } from "../../api/resource.ts";
import { badRequest, continueExpired, expired, invalid } from "../../api/status.ts";
import type { ResourceCache } from "../cache/resource_cache.ts";
import { StoredObject } from "../cache/stored_object.ts";
import type { Selection } from "../cache/watcher.ts";
import {
  decodeKey,
  encodeKey,
  encodePrefixEnd,
  formatResourceVersion,
  parseResourceVersion,
  unreadable,
} from "../registry.ts";
import { TimeSlice } from "../time_slice.ts";
import { decodeContinue, encodeContinue } from "./continue_token.ts";
import { cacheOf, type Core, groupResourceOf, prefixOf, storeError } from "./core.ts";
import type { VerbAnswer } from "./core.ts";
import { invalidVersion, waitForVersion } from "./get.ts";
import { selectionOf } from "./selection.ts";

/** Objects looked at before the time is. */
const OBJECTS_A_LOOK = 100;

type ListAnswer = Extract<VerbAnswer, { kind: "list" }>;

interface Page {
  readonly items: StoredObject[];
  /** Key of the next page's first candidate; null at the end. */
  readonly nextKey: string | null;
}

export async function listObjects(
  core: Core,
  target: CallTarget,
  options: ListOptions,
): Promise<ListAnswer> {
  refuseBadOptions(options);
  const selection = selectionOf(target, options);
  const limit = options.limit && options.limit > 0 ? options.limit : 0;
  if (options.continue) return continueList(core, { target, selection, limit, options });
  const exact = exactRevision(options, limit);
  await waitForVersion(core, options.resourceVersion ?? "");
  const cache = cacheOf(core, target.resource);
  if (exact !== null && cache.lastChangeRevision > exact) {
    return pageAt(core, { target, selection, limit, revision: exact, from: "", options });
  }
  const revision = exact ?? core.feed.revision;
  const page = limit === 0 && cache.isLong(selection)
    ? { items: await selectInTurns(cache, selection), nextKey: null }
    : pageFromCache(core, { target, selection, limit, from: "" });
  return answerPage(core, { target, options, revision, selection, page });
}

/** All selected objects of this moment, without holding the thread for as long as that takes. */
async function selectInTurns(cache: ResourceCache, selection: Selection): Promise<StoredObject[]> {
  const { keyPrefix, matches } = selection;
  const state = cache.read(keyPrefix);
  const slice = new TimeSlice();
  const items: StoredObject[] = [];
  try {
    while (state.left > 0) {
      for (const stored of state.take(OBJECTS_A_LOOK)) {
        // What can't be read is known before a first byte leaves.
        if (stored.isUnreadable) throw unreadable(stored);
        if (matches === undefined || matches(stored.object)) items.push(stored);
      }
      if (slice.isOver) await slice.next();
    }
  } finally {
    state.close();
  }
  return items;
}

/** Errors: throws 422 for combinations that upstream forbids. */
function refuseBadOptions(options: ListOptions): void {
  const match = options.resourceVersionMatch;
  if (options.continue && options.resourceVersion && options.resourceVersion !== "0") {
    throw badRequest("specifying resource version is not allowed when using continue");
  }
  if (!match) return;
  const path = "resourceVersionMatch";
  const errors: FieldError[] = [];
  const forbid = (detail: string) => errors.push({ type: "forbidden", path, detail });
  if (!options.resourceVersion) {
    forbid("resourceVersionMatch is forbidden unless resourceVersion is provided");
  }
  if (options.continue) forbid("resourceVersionMatch is forbidden when continue is provided");
  if (match !== "Exact" && match !== "NotOlderThan") {
    const detail = 'supported values: "Exact", "NotOlderThan", ""';
    errors.push({ type: "notSupported", path, value: match, detail });
  }
  if (match === "Exact" && options.resourceVersion === "0") {
    forbid('resourceVersionMatch "exact" is forbidden for resourceVersion "0"');
  }
  if (errors.length > 0) {
    throw invalid({ group: "meta.k8s.io", kind: "ListOptions" }, "", errors);
  }
}

/** The one revision that the list must show, or null when "not older" will do. */
function exactRevision(options: ListOptions, limit: number): number | null {
  const text = options.resourceVersion;
  if (!text || text === "0") return null;
  const isExact = options.resourceVersionMatch === "Exact" ||
    (options.resourceVersionMatch === undefined && limit > 0);
  if (!isExact) return null;
  const revision = parseResourceVersion(text);
  if (revision === null) throw badRequest(invalidVersion(text));
  return revision;
}

interface ListParts {
  readonly target: CallTarget;
  readonly selection: Selection;
  /** 0 = all. */
  readonly limit: number;
  readonly options: ListOptions;
}

async function continueList(core: Core, parts: ListParts): Promise<ListAnswer> {
  const point = decodeContinue(parts.options.continue!);
  if (typeof point === "string") throw badRequest(point);
  const from = prefixOf(parts.target.resource) + point.start;
  if (point.revision < 0) {
    await waitForVersion(core, "");
    return answerPage(core, {
      ...parts,
      revision: core.feed.revision,
      page: pageFromCache(core, { ...parts, from }),
    });
  }
  if (cacheOf(core, parts.target.resource).lastChangeRevision <= point.revision) {
    const page = pageFromCache(core, { ...parts, from });
    return answerPage(core, { ...parts, revision: point.revision, page });
  }
  return pageAt(core, { ...parts, revision: point.revision, from });
}

function pageFromCache(
  core: Core,
  parts: { target: CallTarget; selection: Selection; limit: number; from: string },
): Page {
  const cache = cacheOf(core, parts.target.resource);
  // One more than the page tells whether there is a next one.
  const limit = parts.limit === 0 ? Infinity : parts.limit + 1;
  const page = parts.limit === 0 && parts.from === "" ? undefined : { from: parts.from, limit };
  const items = cache.select(parts.selection, page);
  for (const stored of items) if (stored.isUnreadable) throw unreadable(stored);
  return items.length < limit ? { items, nextKey: null } : { items, nextKey: items.pop()!.key };
}

/** A page of the past, from the store's history. */
async function pageAt(
  core: Core,
  parts: ListParts & { readonly revision: number; readonly from: string },
): Promise<ListAnswer> {
  const { selection, limit, revision, target } = parts;
  const rangeEnd = encodePrefixEnd(selection.keyPrefix);
  const items: StoredObject[] = [];
  let from = parts.from > selection.keyPrefix ? parts.from : selection.keyPrefix;
  for (;;) {
    const answer = await core.store.range({
      kind: "range",
      key: encodeKey(from),
      rangeEnd,
      revision,
      limit: limit === 0 ? 1000 : limit + 1,
    });
    if (answer.kind === "compacted") throw expiredAt(core, parts);
    if (answer.kind === "futureRevision") throw expiredAt(core, parts);
    if (answer.kind !== "range") throw storeError(answer, groupResourceOf(target.resource), "list");
    for (const kv of answer.kvs) {
      const key = decodeKey(kv.key);
      const stored = new StoredObject(key, kv.value, kv.modRevision);
      if (stored.isUnreadable) throw unreadable(stored);
      if (selection.matches !== undefined && !selection.matches(stored.object)) continue;
      if (limit > 0 && items.length === limit) {
        return answerPage(core, { ...parts, page: { items, nextKey: key } });
      }
      items.push(stored);
    }
    if (!answer.more) return answerPage(core, { ...parts, page: { items, nextKey: null } });
    from = decodeKey(answer.kvs[answer.kvs.length - 1].key) + "\0";
  }
}

function expiredAt(core: Core, parts: ListParts & { revision: number; from: string }): Error {
  if (!parts.options.continue) {
    return expired(
      "The provided continue parameter is too old to display a consistent list result. " +
        "You must start a new list without the continue parameter.",
    );
  }
  const start = parts.from.slice(prefixOf(parts.target.resource).length);
  void core;
  return continueExpired(encodeContinue({ revision: -1, start }));
}

function answerPage(
  core: Core,
  parts: {
    readonly target: CallTarget;
    readonly options: ListOptions;
    readonly selection: Selection;
    readonly revision: number;
    readonly page: Page;
  },
): ListAnswer {
  const { page, revision, target, selection } = parts;
  const resourceVersion = formatResourceVersion(revision);
  if (page.nextKey === null) {
    return { kind: "list", items: page.items, metadata: { resourceVersion } };
  }
  const start = page.nextKey.slice(prefixOf(target.resource).length);
  const isCounted = selection.matches === undefined;
  return {
    kind: "list",
    items: page.items,
    metadata: {
      resourceVersion,
      continue: encodeContinue({ revision, start }),
      ...(isCounted
        ? {
          remainingItemCount: Math.max(
            1,
            cacheOf(core, target.resource).countFrom(selection.keyPrefix, page.nextKey),
          ),
        }
        : {}),
    },
  };
}
