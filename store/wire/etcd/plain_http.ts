/**
 * What an etcd port answers to plain HTTP: health, readiness, version, metrics.
 * In: method and path. Out: status, type and body in etcd's form.
 * Never: shows keys or values.
 * Source: etcd's etcdhttp package (paths and JSON shapes).
 */
import type { PlainAnswer, PlainHandler } from "../http1.ts";
import type { MemberApi } from "./member_api.ts";
import { memberMetrics } from "./metrics.ts";

export interface PlainHttpOptions {
  /** Prometheus text of what the process uses, told after the member's figures. */
  readonly processMetrics?: () => string;
}

const text = (body: string, status = 200): PlainAnswer => ({
  status,
  contentType: "text/plain; charset=utf-8",
  body,
});

const json = (value: unknown, status = 200): PlainAnswer => ({
  status,
  contentType: "application/json",
  body: JSON.stringify(value),
});

/** @returns the handler of a member's plain HTTP requests */
export function plainHttpHandler(member: MemberApi, options: PlainHttpOptions): PlainHandler {
  return ({ method, path, query }) => {
    if (method !== "GET" && method !== "HEAD") return text("Method Not Allowed\n", 405);
    switch (path) {
      case "/health":
        return health(member, query);
      case "/readyz":
      case "/livez":
        return check(member, path, query);
      case "/version": {
        const { version } = member.status();
        const cluster = `${version.split(".").slice(0, 2).join(".")}.0`;
        return json({ etcdserver: version, etcdcluster: cluster, storage: cluster });
      }
      case "/metrics":
        return {
          status: 200,
          contentType: "text/plain; version=0.0.4; charset=utf-8",
          body: memberMetrics(member) + (options.processMetrics?.() ?? ""),
        };
      default:
        return text("404 page not found\n", 404);
    }
  };
}

/** A linearizable read must succeed, unless `?serializable=true`; `?exclude=` skips an alarm. */
async function health(member: MemberApi, query: URLSearchParams): Promise<PlainAnswer> {
  const unhealthy = (reason: string) => json({ health: "false", reason }, 503);
  const excluded = new Set(query.getAll("exclude"));
  for (const { alarm } of member.alarms()) {
    const name = alarm === "noSpace" ? "NOSPACE" : "CORRUPT";
    if (!excluded.has(name)) return unhealthy(`ALARM ${name}`);
  }
  if (query.get("serializable") !== "true") {
    if (member.status().leaderId === 0n) return unhealthy("RAFT NO LEADER");
    const failed = await readIndexFails(member);
    if (failed) return unhealthy("RANGE ERROR");
  }
  return json({ health: "true", reason: "" });
}

async function check(
  member: MemberApi,
  path: "/readyz" | "/livez",
  query: URLSearchParams,
): Promise<PlainAnswer> {
  const excluded = new Set(query.getAll("exclude"));
  const corrupt = member.alarms().some(({ alarm }) => alarm === "corrupt");
  const checks: [string, () => boolean | Promise<boolean>][] = path === "/livez"
    ? [["serializable_read", () => true]]
    : [
      ["data_corruption", () => !corrupt],
      ["serializable_read", () => true],
      ["linearizable_read", async () => !(await readIndexFails(member))],
      ["non_learner", () => !member.status().isLearner],
    ];
  const lines: string[] = [];
  let ok = true;
  for (const [name, passes] of checks) {
    if (excluded.has(name)) continue;
    const passed = await passes();
    ok &&= passed;
    lines.push(passed ? `[+]${name} ok` : `[-]${name} failed`);
  }
  if (ok && !query.has("verbose")) return text("ok\n");
  return text(
    `${lines.join("\n")}\n${ok ? "ok" : `${path.slice(1)} check failed`}\n`,
    ok ? 200 : 503,
  );
}

function readIndexFails(member: MemberApi): Promise<boolean> {
  return new Promise((resolve) => member.readIndex((failure) => resolve(failure !== null)));
}
