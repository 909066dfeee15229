/**
 * The server's own numbers in Prometheus' text format.
 * In: the caches and the store, and who else has numbers. Out: the text of /metrics.
 * Never: counts per request on the hot path; what is shown is read when asked.
 */
import type { Core } from "./verbs/core.ts";

/** @returns a function that writes the text of now */
export function createMetrics(
  core: Core,
  others: readonly (() => readonly string[])[] = [],
): () => string {
  return () => {
    const lines: string[] = [];
    const gauge = (name: string, help: string) => {
      lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} gauge`);
    };
    gauge("apiserver_storage_objects", "Stored objects by resource prefix.");
    for (const cache of core.feed.caches) {
      lines.push(`apiserver_storage_objects{resource="${nameOf(cache.prefix)}"} ${cache.size}`);
    }
    gauge("apiserver_longrunning_requests", "Watches now running by resource prefix.");
    for (const cache of core.feed.caches) {
      const label = `verb="WATCH",resource="${nameOf(cache.prefix)}"`;
      lines.push(`apiserver_longrunning_requests{${label}} ${cache.watcherCount}`);
    }
    gauge("apiserver_watch_cache_revision", "Store revision that the caches have reached.");
    lines.push(`apiserver_watch_cache_revision ${core.feed.revision}`);
    const { dbSizeBytes } = core.store.status();
    gauge("apiserver_storage_size_bytes", "Size of the store.");
    lines.push(`apiserver_storage_size_bytes ${dbSizeBytes}`);
    for (const other of others) lines.push(...other());
    return lines.join("\n") + "\n";
  };
}

function nameOf(prefix: string): string {
  return prefix.slice("/registry/".length, -1);
}
