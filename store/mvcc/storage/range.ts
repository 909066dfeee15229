/**
 * Which versions a range request names, in which order, and how many there are.
 * In: a request and the map. Out: version numbers, read again or encoded by the caller.
 * Never: builds key-value objects; changes anything.
 * Source: etcd's Range: count ignores limit and filters; a custom order or a filter looks at the
 * whole range before the limit cuts it.
 */
import type { RangeRequest, StoreFailure } from "../types.ts";
import { OrderCursor } from "./key_order.ts";
import { compareBytes, type Kv } from "./kv.ts";
import { RecordFields } from "./record.ts";

export interface RangeSelection {
  readonly kind: "selection";
  readonly versions: number[];
  readonly count: number;
  readonly more: boolean;
}

/**
 * Checks that a revision can be read.
 * @param kv the map.
 * @param revision 0 or below = now.
 * @returns the failure, or undefined.
 */
export function checkRevision(kv: Kv, revision: number): StoreFailure | undefined {
  if (revision > kv.readRevision) return { kind: "futureRevision", revision: kv.revision };
  if (revision > 0 && revision < kv.compactRevision) {
    return { kind: "compacted", compactRevision: kv.compactRevision, revision: kv.revision };
  }
  return undefined;
}

/** @returns whether the keys come out in the order in which they are stored. */
export function isKeyOrder(request: RangeRequest): boolean {
  const target = request.sortTarget ?? "key";
  const order = request.sortOrder ?? "none";
  return target === "key" && order !== "descend";
}

/** @returns whether some keys of the range may be left out. */
export function hasFilters(request: RangeRequest): boolean {
  return Boolean(
    request.minModRevision || request.maxModRevision || request.minCreateRevision ||
      request.maxCreateRevision,
  );
}

/**
 * Finds the versions that answer a request.
 * @param kv the map; reads see what the current command wrote.
 * @param request valid by `request_check.ts`.
 * @returns the selection. Errors: compacted, futureRevision.
 */
export function selectRange(kv: Kv, request: RangeRequest): RangeSelection | StoreFailure {
  const asked = request.revision ?? 0;
  const failure = checkRevision(kv, asked);
  if (failure !== undefined) return failure;
  const revision = asked > 0 ? asked : kv.readRevision;
  const end = request.rangeEnd;
  const limit = request.limit ?? 0;
  const simple = isKeyOrder(request) && !hasFilters(request);
  let found: { versions: number[]; count: number };
  if (end === undefined || end.length === 0) {
    const id = kv.find(request.key);
    const version = id < 0 ? 0 : kv.visible(id, revision);
    found = version === 0
      ? { versions: [], count: 0 }
      : { versions: request.countOnly ? [] : [version], count: 1 };
  } else if (request.countOnly === true) {
    found = { versions: [], count: countRange(kv, request.key, end, revision) };
  } else {
    found = scan(kv, request.key, end, revision, simple && limit > 0 ? limit + 1 : Infinity);
  }
  let { versions } = found;
  if (!simple) {
    if (hasFilters(request)) versions = filter(kv, request, versions);
    if (!isKeyOrder(request)) sort(kv, request, versions);
  }
  const more = limit > 0 && versions.length > limit;
  if (more) versions.length = limit;
  return { kind: "selection", versions, count: found.count, more };
}

/** @returns versions up to a maximum, and the count of all. */
function scan(
  kv: Kv,
  key: Uint8Array,
  rangeEnd: Uint8Array,
  revision: number,
  maximum: number,
): { versions: number[]; count: number } {
  const from = new OrderCursor();
  const to = new OrderCursor();
  const existing = kv.bounds(key, rangeEnd, from, to);
  const versions: number[] = [];
  while (versions.length < maximum) {
    const id = kv.order.next(from, to);
    if (id < 0) return { versions, count: versions.length };
    const version = kv.visible(id, revision);
    if (version !== 0) versions.push(version);
  }
  if (revision >= kv.readRevision) return { versions, count: existing };
  return { versions, count: versions.length + countVisible(kv, from, to, revision) };
}

/** Counts at an old revision, key by key. */
function countVisible(kv: Kv, from: OrderCursor, to: OrderCursor, revision: number): number {
  let count = 0;
  for (let id = kv.order.next(from, to); id >= 0; id = kv.order.next(from, to)) {
    if (kv.visible(id, revision) !== 0) count++;
  }
  return count;
}

/**
 * Counts the keys of a range.
 * @param kv the map.
 * @param key first key.
 * @param rangeEnd key after the last, or one zero byte.
 * @param revision readable main revision.
 * @returns how many keys existed then.
 */
export function countRange(
  kv: Kv,
  key: Uint8Array,
  rangeEnd: Uint8Array,
  revision: number,
): number {
  const from = new OrderCursor();
  const to = new OrderCursor();
  const existing = kv.bounds(key, rangeEnd, from, to);
  return revision >= kv.readRevision ? existing : countVisible(kv, from, to, revision);
}

/** @returns ids of the keys of a range that exist now, in key order. */
export function existingKeys(
  kv: Kv,
  key: Uint8Array,
  rangeEnd: Uint8Array | undefined,
): number[] {
  const selected = selectRange(kv, {
    kind: "range",
    key,
    ...(rangeEnd === undefined ? {} : { rangeEnd }),
  });
  if (selected.kind !== "selection") throw new Error("range: the present is always readable");
  return selected.versions.map((version) => kv.versions.keyOf(version));
}

function filter(kv: Kv, request: RangeRequest, versions: number[]): number[] {
  const maxMod = request.maxModRevision || Infinity;
  const minMod = request.minModRevision || -Infinity;
  const maxCreate = request.maxCreateRevision || Infinity;
  const minCreate = request.minCreateRevision || -Infinity;
  const fields = new RecordFields();
  return versions.filter((version) => {
    const { modRevision, createRevision } = kv.history.read(version, fields);
    return modRevision <= maxMod && modRevision >= minMod && createRevision <= maxCreate &&
      createRevision >= minCreate;
  });
}

/** Sorts in place; equal values stay in key order. */
function sort(kv: Kv, request: RangeRequest, versions: number[]): void {
  const descend = request.sortOrder === "descend";
  const target = request.sortTarget ?? "key";
  if (target === "key") {
    if (descend) versions.reverse();
    return;
  }
  const left = new RecordFields();
  const right = new RecordFields();
  const compare = (a: number, b: number): number => {
    kv.history.read(a, left);
    kv.history.read(b, right);
    switch (target) {
      case "version":
        return left.version - right.version;
      case "create":
        return left.createRevision - right.createRevision;
      case "mod":
        return left.modRevision - right.modRevision;
      case "value":
        return compareBytes(
          left.bytes.subarray(left.valueStart, left.valueEnd),
          right.bytes.subarray(right.valueStart, right.valueEnd),
        );
    }
  };
  versions.sort(descend ? (a, b) => compare(b, a) : compare);
}
