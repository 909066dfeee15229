/**
 * Watches of the server's own on what it keeps, for as long as it runs.
 * In: a resource, whom to call. Out: calls, for what there is and for each change.
 * Never: gives up on what nobody can read: once that is gone, it goes on.
 */
import type { KubeObject, WatchEvent } from "../api/meta.ts";
import type { Resource } from "../api/resource.ts";
import { ApiError, type Status } from "../api/status.ts";
import { cacheOf, type Core, prefixOf } from "./verbs/core.ts";

/** How long something unreadable is left alone. */
const RETRY_MILLIS = 1_000;

/**
 * @param matches which objects; absent = all
 * @param changed called after one or several changes; the next call waits for it
 */
export function follow(
  core: Core,
  { resource, matches }: {
    readonly resource: Resource;
    readonly matches?: (object: KubeObject) => boolean;
  },
  changed: () => void | Promise<void>,
): void {
  const cache = cacheOf(core, resource);
  const selection = {
    keyPrefix: prefixOf(resource),
    ...(matches === undefined ? {} : { matches }),
  };
  const once = async () => {
    const outcome = cache.watch({ kind: "state" }, { selection, wantsBookmarks: false });
    if (outcome.kind !== "started") return;
    for await (const batch of outcome.watcher) {
      refuseFailure(batch);
      await changed();
    }
  };
  const run = async () => {
    let told = "";
    while (!core.feed.isClosed) {
      try {
        await once();
      } catch (error) {
        // Once a second would fill the log while somebody looks for the key.
        if (`${error}` !== told) {
          core.log("error", `${resource.plural} are not followed`, { error: `${error}` });
        }
        told = `${error}`;
        await new Promise<void>((resolve) => void core.clock.after(RETRY_MILLIS, resolve));
      }
    }
  };
  void run();
}

/** Errors: throws ApiError where a watch tells why it ends. */
function refuseFailure(batch: readonly WatchEvent[]): void {
  for (const { type, object } of batch) {
    if (type === "ERROR") throw new ApiError(object as unknown as Status);
  }
}
