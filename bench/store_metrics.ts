/**
 * What a member says of itself at /metrics, Balsa's or etcd's.
 * In: a port. Out: single figures by name.
 * Never: asks more often than it is called; Balsa's longest stall starts anew with each question.
 */

/** @returns the values of all samples without labels, by name */
export async function readMetrics(port: number): Promise<ReadonlyMap<string, number>> {
  const response = await fetch(`http://127.0.0.1:${port}/metrics`);
  const found = new Map<string, number>();
  for (const [, name, value] of (await response.text()).matchAll(/^([a-z_]+) (\S+)$/gm)) {
    found.set(name, Number(value));
  }
  return found;
}

/** Commands a member committed and syncs of its log, since its start. */
export interface LogCounts {
  readonly commands: number;
  readonly syncs: number;
}

/** @returns what both sides count under the same names */
export async function readLogCounts(port: number): Promise<LogCounts> {
  const metrics = await readMetrics(port);
  return {
    commands: metrics.get("etcd_server_proposals_committed_total") ?? NaN,
    syncs: metrics.get("etcd_disk_wal_fsync_duration_seconds_count") ?? NaN,
  };
}

/** @returns milliseconds since the last call, 0 from a side that does not measure it */
export async function readLongestStall(port: number): Promise<number> {
  const metrics = await readMetrics(port);
  return (metrics.get("balsa_longest_stall_seconds") ?? 0) * 1000;
}
