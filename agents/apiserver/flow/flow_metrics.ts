/**
 * The numbers of priority and fairness in Prometheus' text format.
 * In: the levels as they stand. Out: lines of /metrics under upstream's names.
 * Never: counts; what is shown was counted where it happened.
 * Source: apiserver's util/flowcontrol/metrics (v1.36).
 */
import type { LevelState, SchemaCounts } from "./level_state.ts";

type PerLevel = readonly [name: string, help: string, value: (level: LevelState) => number];
type PerSchema = readonly [
  name: string,
  type: "counter" | "gauge",
  help: string,
  value: (counts: SchemaCounts) => number,
];

const PREFIX = "apiserver_flowcontrol_";

const PER_LEVEL: readonly PerLevel[] = [
  ["nominal_limit_seats", "Seats by a level's shares.", ({ bounds }) => bounds.nominal],
  ["lower_limit_seats", "Seats that a level never lends.", ({ bounds }) => bounds.least],
  ["upper_limit_seats", "Seats with all a level may borrow.", ({ bounds }) => bounds.most],
  ["current_limit_seats", "Seats of a level at the moment.", ({ fair }) => fair.limit],
];

const PER_SCHEMA: readonly PerSchema[] = [
  ["dispatched_requests_total", "counter", "Requests that ran.", (one) => one.dispatched],
  [
    "current_executing_requests",
    "gauge",
    "Requests that run now.",
    (one) => one.executingRequests,
  ],
  ["current_executing_seats", "gauge", "Seats taken now.", (one) => one.executingSeats],
  ["current_inqueue_requests", "gauge", "Requests that wait now.", (one) => one.waitingRequests],
  ["current_inqueue_seats", "gauge", "Seats waited for now.", (one) => one.waitingSeats],
];

export function formatFlowMetrics(levels: ReadonlyMap<string, LevelState>): string[] {
  const lines: string[] = [];
  const head = (name: string, type: string, help: string) =>
    lines.push(`# HELP ${PREFIX}${name} ${help}`, `# TYPE ${PREFIX}${name} ${type}`);
  const rows = [...levels].flatMap(([level, state]) =>
    [...state.counts.values()].map((counts) => ({
      labels: `priority_level="${level}",flow_schema="${counts.schema}"`,
      counts,
    }))
  );
  for (const [name, help, value] of PER_LEVEL) {
    head(name, "gauge", help);
    for (const [level, state] of levels) {
      lines.push(`${PREFIX}${name}{priority_level="${level}"} ${value(state)}`);
    }
  }
  for (const [name, type, help, value] of PER_SCHEMA) {
    head(name, type, help);
    for (const { labels, counts } of rows) {
      lines.push(`${PREFIX}${name}{${labels}} ${value(counts)}`);
    }
  }
  head("rejected_requests_total", "counter", "Requests that were turned away.");
  for (const { labels, counts } of rows) {
    for (const [reason, count] of Object.entries(counts.refused)) {
      if (count === 0) continue;
      lines.push(`${PREFIX}rejected_requests_total{${labels},reason="${reason}"} ${count}`);
    }
  }
  head("request_wait_duration_seconds", "summary", "How long requests waited that then ran.");
  for (const { labels, counts } of rows) {
    const name = `${PREFIX}request_wait_duration_seconds`;
    lines.push(`${name}_sum{${labels}} ${counts.waitedMillis / 1000}`);
    lines.push(`${name}_count{${labels}} ${counts.waited}`);
  }
  return lines;
}
