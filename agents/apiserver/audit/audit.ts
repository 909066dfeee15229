/**
 * Opens a trail for each request that the policy wants to hear of.
 * In: the policy, a sink, requests as they arrive. Out: trails, and the numbers of /metrics.
 * Never: answers a request; trusts what a client says of its address beyond writing it down.
 * Source: apiserver's audit package (v1.36).
 */
import type { UserInfo } from "../../api/meta.ts";
import { requestInfoOf } from "../http/request_info.ts";
import type { AuditSink } from "./log_file.ts";
import { type AuditPolicy, type Level, LEVELS, planLevel } from "./plan_level.ts";
import { AuditTrail, type ObjectReference } from "./trail.ts";

/** The part of a request that exists before its body is read. */
export interface RequestHead {
  readonly method: string;
  readonly path: string;
  readonly query: string;
  readonly header: (name: string) => string | undefined;
  /** Address of the peer, without its port. */
  readonly remoteAddress?: string;
  /** Null for whoever was not authenticated. */
  readonly user: UserInfo | null;
}

export interface AuditParts {
  readonly policy: AuditPolicy;
  readonly sink: AuditSink;
  readonly nowMillis: () => number;
  readonly newId: () => string;
}

const MAX_USER_AGENT = 1024;
const MAX_ID = 256;

export class Audit {
  readonly #parts: AuditParts;
  readonly #levels = new Map<Level, number>(LEVELS.map((level) => [level, 0]));

  constructor(parts: AuditParts) {
    this.#parts = parts;
  }

  /** @returns undefined for a request that leaves no trail */
  begin(request: RequestHead): AuditTrail | undefined {
    const { policy, sink, nowMillis, newId } = this.#parts;
    const info = requestInfoOf(request);
    const plan = planLevel(policy, { ...info, user: request.user });
    this.#levels.set(plan.level, this.#levels.get(plan.level)! + 1);
    if (plan.level === "None") return undefined;
    const asked = request.header("audit-id") ?? "";
    const { path, query, user } = request;
    return new AuditTrail(
      {
        auditId: asked !== "" && asked.length <= MAX_ID ? asked : newId(),
        receivedMillis: nowMillis(),
        requestUri: query === "" ? path : `${path}?${query}`,
        verb: info.verb,
        user,
        sourceIps: sourceIpsOf(request),
        userAgent: shorten(request.header("user-agent") ?? ""),
        objectRef: info.isResource ? referenceOf(info) : null,
      },
      plan,
      { nowMillis, write: (line) => sink.write(line) },
    );
  }

  /** A request whose sender was not let in: written, and over. */
  refused(request: RequestHead, code: number): void {
    const trail = this.begin({ ...request, user: null });
    if (trail === undefined) return;
    const [scheme, token] = (request.header("authorization") ?? "").trim().split(/ +/);
    const message = scheme?.toLowerCase() === "bearer" && token !== undefined
      ? "Authentication failed, attempted: bearer"
      : "Authentication failed, no credentials provided";
    trail.failed({
      kind: "Status",
      apiVersion: "v1",
      metadata: {},
      status: "Failure",
      reason: "Unauthorized",
      message,
      code,
    });
    trail.started(code);
    trail.complete(code);
  }

  /** Lines of /metrics. */
  metrics(): string[] {
    const { sink } = this.#parts;
    return [
      "# HELP apiserver_audit_event_total Audit events written.",
      "# TYPE apiserver_audit_event_total counter",
      `apiserver_audit_event_total ${sink.written}`,
      "# HELP apiserver_audit_error_total Audit events that were lost.",
      "# TYPE apiserver_audit_error_total counter",
      ...(sink.parts ?? [sink]).map(({ plugin, dropped }) =>
        `apiserver_audit_error_total{plugin="${plugin}"} ${dropped}`
      ),
      "# HELP apiserver_audit_level_total Requests by the level that the policy gave them.",
      "# TYPE apiserver_audit_level_total counter",
      ...[...this.#levels].map(([level, count]) =>
        `apiserver_audit_level_total{level="${level}"} ${count}`
      ),
    ];
  }

  close(): Promise<void> {
    return this.#parts.sink.close();
  }
}

function referenceOf(info: ReturnType<typeof requestInfoOf>): ObjectReference {
  const { resource, namespace, name, group, version, subresource } = info;
  return { resource, namespace, name, apiGroup: group, apiVersion: version, subresource };
}

/** Proxies as they name themselves, then the peer, whose address alone is certain. */
function sourceIpsOf({ header, remoteAddress = "" }: RequestHead): string[] {
  const forwarded = (header("x-forwarded-for") ?? "").split(",");
  const named = [...forwarded, header("x-real-ip") ?? ""].map((text) => text.trim())
    .filter((text) => /^[0-9a-fA-F.:]{2,45}$/.test(text));
  const list = [...new Set(named)];
  if (remoteAddress !== "" && list[list.length - 1] !== remoteAddress) list.push(remoteAddress);
  return list;
}

function shorten(text: string): string {
  return text.length <= MAX_USER_AGENT ? text : `${text.slice(0, MAX_USER_AGENT)}...TRUNCATED`;
}
