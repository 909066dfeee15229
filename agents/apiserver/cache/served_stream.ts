/**
 * A watch whose objects are kept under another face than the one asked for.
 * In: a Watcher of stored objects, the resource that was asked. Out: events as it serves them.
 * Never: wraps where there is nothing to convert.
 */
import type { WatchStream } from "../../api/call.ts";
import type { KubeObject, WatchEvent } from "../../api/meta.ts";
import type { Resource } from "../../api/resource.ts";
import type { Watcher } from "./watcher.ts";

/** @param prepare brings objects to the version asked for, where that takes a webhook */
export function servedStream(
  resource: Resource,
  watcher: Watcher,
  prepare?: (objects: readonly KubeObject[]) => Promise<void>,
): WatchStream {
  const fromStored = resource.storedAs?.fromStored;
  if (fromStored === undefined) return watcher;
  const convert = (event: WatchEvent): WatchEvent =>
    event.type === "BOOKMARK" || event.type === "ERROR"
      ? event
      : { type: event.type, object: fromStored(event.object) };
  return {
    close: () => watcher.close(),
    async *[Symbol.asyncIterator]() {
      for await (const batch of watcher) {
        const told = batch.filter(({ type }) => type !== "BOOKMARK" && type !== "ERROR");
        await prepare?.(told.map(({ object }) => object));
        yield batch.map(convert);
      }
    },
  };
}
