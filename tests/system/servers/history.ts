/**
 * The store's own history of a namespace, and what writers and watchers saw, held against it.
 * In: a store, revisions, writes, events. Out: a failure at the first difference.
 * Never: asks an API server.
 */
import assert from "node:assert/strict";
import type { Store, WatchNotice } from "../../../store/mod.ts";
import type { Told, Written } from "./load.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Reads every change of a prefix after one revision, up to another. */
export function readHistory(
  store: Store,
  options: { readonly prefix: string; readonly after: number; readonly until: number },
): Promise<readonly Told[]> {
  const { prefix, after, until } = options;
  const told: Told[] = [];
  const values = new Map<string, string>();
  return new Promise((resolve, reject) => {
    const take = (notice: WatchNotice) => {
      if (notice.kind === "compacted" || notice.kind === "cancelled") {
        return reject(new Error(`no history: ${notice.kind}`));
      }
      for (const { type, kv } of notice.kind === "events" ? notice.events : []) {
        const name = decoder.decode(kv.key).slice(prefix.length);
        const revision = kv.modRevision;
        if (type === "put") {
          const value = JSON.parse(decoder.decode(kv.value)).data.value;
          values.set(name, value);
          told.push({ type: kv.version === 1 ? "ADDED" : "MODIFIED", name, revision, value });
        } else told.push({ type: "DELETED", name, revision, value: values.get(name)! });
      }
      if (notice.revision < until) return;
      handle.cancel();
      resolve(told.filter(({ revision }) => revision <= until));
    };
    const handle = store.watch({
      key: encoder.encode(prefix),
      rangeEnd: encoder.encode(prefix.slice(0, -1) + "0"),
      startRevision: after + 1,
    }, take);
    handle.requestProgress();
  });
}

/** A watch told each change after its beginning once, in order, and nothing else. */
export function checkWatch(
  history: readonly Told[],
  watch: { readonly from: number; readonly told: readonly Told[] },
): void {
  const expected = history.filter(({ revision }) => revision > watch.from);
  const told = watch.told.slice(0, expected.length);
  for (let i = 0; i < expected.length; i++) {
    assert.deepEqual(told[i], expected[i], `event ${i} of ${expected.length}`);
  }
}

/** Each write that was answered is in the history, where the answer said, in the writer's order. */
export function checkWrites(history: readonly Told[], written: readonly Written[]): void {
  const changes = new Map<string, Told[]>();
  for (const one of history) {
    changes.set(one.name, [...changes.get(one.name) ?? [], one]);
  }
  const seen = new Map<string, number>();
  let last = 0;
  for (const { kind, name, value, revision } of written) {
    const at = seen.get(name) ?? 0;
    seen.set(name, at + 1);
    const found = changes.get(name)?.[at];
    assert(found !== undefined, `${kind} ${value} of ${name} is lost`);
    assert.equal(found.type === "DELETED" ? "delete" : "put", kind, name);
    if (kind === "put") {
      assert.equal(found.value, value, `${name}: writes out of order`);
      assert.equal(found.revision, revision, `${name}: answered with another revision`);
    }
    assert(found.revision > last, `${name}: before a write that was answered earlier`);
    last = found.revision;
  }
}

/** The state that a history ends with: value by name. */
export function stateOf(history: readonly Told[]): Map<string, string> {
  const state = new Map<string, string>();
  for (const { type, name, value } of history) {
    if (type === "DELETED") state.delete(name);
    else state.set(name, value);
  }
  return state;
}
