/**
 * A member's figures as Prometheus text, under etcd's names where they mean the same.
 * In: a member. Out: the body of /metrics.
 * Never: shows keys or values.
 * Differs from etcd: proposals are the commands applied since the start, not log indexes, as one
 * entry of this log carries many.
 * Source: etcd's metrics of the same names; Prometheus' text format 0.0.4.
 */
import { BUCKET_SECONDS, type DurationHistogram } from "../../disk/duration_histogram.ts";
import type { MemberApi } from "./member_api.ts";

interface Metric {
  readonly name: string;
  readonly type: "gauge" | "counter";
  readonly help: string;
  readonly value: number;
}

/** @returns the text of one scrape; the longest stall starts anew with it */
export function memberMetrics(member: MemberApi): string {
  const { appliedCommands, walSyncs, longestStallMillis } = member.readCounters();
  const metrics: readonly Metric[] = [
    ...gauges(member),
    {
      name: "etcd_server_proposals_committed_total",
      type: "gauge",
      help: "Commands committed and applied since the start.",
      value: appliedCommands,
    },
    {
      name: "etcd_server_proposals_applied_total",
      type: "gauge",
      help: "Commands applied since the start.",
      value: appliedCommands,
    },
    {
      name: "balsa_longest_stall_seconds",
      type: "gauge",
      help: "Longest time since the last scrape that the member's thread served no timer.",
      value: longestStallMillis / 1000,
    },
  ];
  return metrics.map(formatMetric).join("") +
    formatHistogram("etcd_disk_wal_fsync_duration_seconds", "Syncs of the log.", walSyncs);
}

function gauges(member: MemberApi): Metric[] {
  const now = member.status();
  const found: [string, string, number][] = [
    [
      "etcd_server_has_leader",
      "Whether or not a leader exists. 1 is existence, 0 is not.",
      Number(now.leaderId !== 0n),
    ],
    [
      "etcd_server_is_leader",
      "Whether or not this member is a leader. 1 if is, 0 otherwise.",
      Number(now.leaderId === now.memberId),
    ],
    [
      "etcd_server_is_learner",
      "Whether or not this member is a learner. 1 if is, 0 otherwise.",
      Number(now.isLearner),
    ],
    ["etcd_server_quota_backend_bytes", "Storage limit in bytes.", now.dbSizeQuotaBytes],
    ["etcd_mvcc_db_total_size_in_bytes", "Bytes the store holds.", now.dbSizeBytes],
    ["etcd_mvcc_db_total_size_in_use_in_bytes", "Bytes of them in use.", now.dbSizeInUseBytes],
    ["etcd_debugging_mvcc_current_revision", "Current revision of the store.", member.revision],
  ];
  return found.map(([name, help, value]) => ({ name, type: "gauge", help, value }));
}

function formatMetric({ name, type, help, value }: Metric): string {
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${name} ${value}\n`;
}

function formatHistogram(name: string, help: string, histogram: DurationHistogram): string {
  const buckets = histogram.cumulative().map((count, i) =>
    `${name}_bucket{le="${BUCKET_SECONDS[i]}"} ${count}\n`
  );
  return `# HELP ${name} ${help}\n# TYPE ${name} histogram\n${buckets.join("")}` +
    `${name}_bucket{le="+Inf"} ${histogram.count}\n` +
    `${name}_sum ${histogram.sumSeconds}\n${name}_count ${histogram.count}\n`;
}
