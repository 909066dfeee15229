/**
 * The trail of one request: what is written of it, stage by stage.
 * In: who asks for what, decisions on the way, the answer. Out: audit.k8s.io/v1 Events as JSON
 * lines. Never: holds a credential; writes a body where the policy asks for less.
 * Source: apiserver's audit package and endpoints/filters/audit.go (v1.36).
 */
import type { KubeObject, UserInfo } from "../../api/meta.ts";
import type { Status } from "../../api/status.ts";
import { type AuditPlan, isAtLeast, type Stage } from "./plan_level.ts";

/** What is known of a request when it arrives. */
export interface TrailStart {
  readonly auditId: string;
  readonly receivedMillis: number;
  readonly requestUri: string;
  readonly verb: string;
  /** Null for whoever was not authenticated. */
  readonly user: UserInfo | null;
  readonly sourceIps: readonly string[];
  readonly userAgent: string;
  readonly objectRef: ObjectReference | null;
}

export interface ObjectReference {
  readonly resource: string;
  readonly namespace: string;
  readonly name: string;
  readonly apiGroup: string;
  readonly apiVersion: string;
  readonly subresource: string;
}

export interface TrailPorts {
  readonly nowMillis: () => number;
  readonly write: (line: string) => void;
}

/** An object of an answer, as it was sent. */
export type AnsweredObject =
  | { readonly kind: "object"; readonly object: unknown }
  | {
    readonly kind: "list";
    readonly head: Record<string, unknown>;
    readonly items: readonly KubeObject[];
  };

export class AuditTrail {
  readonly #start: TrailStart;
  readonly #plan: AuditPlan;
  readonly #ports: TrailPorts;
  /** For authorizers and admission plugins; `plugin.example.com/what` to a short text. */
  readonly annotations = new Map<string, string>();
  #impersonated: UserInfo | null = null;
  #objectMeta: Record<string, string> = {};
  #requestJson: string | null = null;
  #responseJson: string | null = null;
  #status: Record<string, unknown> | null = null;
  #isDone = false;

  constructor(start: TrailStart, plan: AuditPlan, ports: TrailPorts) {
    this.#start = start;
    this.#plan = plan;
    this.#ports = ports;
    this.#emit("RequestReceived");
  }

  get id(): string {
    return this.#start.auditId;
  }

  impersonated(user: UserInfo): void {
    this.#impersonated = user;
  }

  /** What an authorizer said. */
  decided(decision: { readonly allowed: boolean; readonly reason?: string }): void {
    this.annotations.set("authorization.k8s.io/decision", decision.allowed ? "allow" : "forbid");
    this.annotations.set("authorization.k8s.io/reason", decision.reason ?? "");
  }

  /** @param object what the client sent, before anything was filled in */
  requested(object: unknown): void {
    const metadata = (object as KubeObject | null)?.metadata;
    if (metadata !== undefined && metadata !== null) {
      const { name, namespace, uid, resourceVersion } = metadata;
      this.#objectMeta = { ...textsOf({ name, namespace, uid, resourceVersion }) };
    }
    if (isAtLeast(this.#plan.level, "Request")) this.#requestJson = this.#format(object);
  }

  /** @param answered made only where the policy asks for it */
  responded(answered: () => AnsweredObject): void {
    if (!isAtLeast(this.#plan.level, "RequestResponse")) return;
    const made = answered();
    if (made.kind === "object") {
      this.#responseJson = this.#format(made.object);
      return;
    }
    const head = JSON.stringify(made.head).slice(0, -1);
    this.#responseJson = `${head},"items":[${made.items.map((one) => this.#format(one))}]}`;
  }

  /** The request failed in a documented way. */
  failed(status: Status): void {
    const { message, reason, details, code } = status;
    this.#status = { metadata: {}, status: status.status, message, reason, details, code };
    if (isAtLeast(this.#plan.level, "RequestResponse")) {
      this.#responseJson = JSON.stringify(status);
    }
  }

  /** A long answer begins. @param code HTTP status */
  started(code: number): void {
    this.#status ??= { metadata: {}, code };
    this.#emit("ResponseStarted");
  }

  /** The answer is complete; only the first call counts. @param code HTTP status */
  complete(code: number): void {
    if (this.#isDone) return;
    this.#isDone = true;
    this.#status ??= { metadata: {}, code };
    this.#emit("ResponseComplete");
  }

  /** The server itself failed. */
  panicked(status: Status): void {
    if (this.#isDone) return;
    this.#isDone = true;
    this.failed(status);
    this.#emit("Panic");
  }

  #format(object: unknown): string {
    return JSON.stringify(this.#plan.omitManagedFields ? withoutManagedFields(object) : object) ??
      "null";
  }

  #emit(stage: Stage): void {
    if (this.#plan.omitStages.includes(stage)) return;
    const start = this.#start;
    const isEnd = stage === "ResponseComplete" || stage === "Panic";
    const { annotations } = this;
    const text = JSON.stringify({
      kind: "Event",
      apiVersion: "audit.k8s.io/v1",
      level: this.#plan.level,
      auditID: start.auditId,
      stage,
      requestURI: start.requestUri,
      verb: start.verb,
      user: start.user === null ? {} : describeUser(start.user),
      ...(this.#impersonated === null
        ? {}
        : { impersonatedUser: describeUser(this.#impersonated) }),
      sourceIPs: start.sourceIps,
      ...(start.userAgent === "" ? {} : { userAgent: start.userAgent }),
      ...(start.objectRef === null
        ? {}
        : { objectRef: { ...this.#objectMeta, ...textsOf({ ...start.objectRef }) } }),
      ...(this.#status === null ? {} : { responseStatus: this.#status }),
      requestReceivedTimestamp: formatMicroTime(start.receivedMillis),
      stageTimestamp: formatMicroTime(this.#ports.nowMillis()),
      ...(annotations.size === 0 ? {} : { annotations: Object.fromEntries(annotations) }),
    });
    this.#ports.write(isEnd ? text.slice(0, -1) + this.#bodies() + "}" : text);
  }

  /** Bodies are JSON already; they join the line as they are. */
  #bodies(): string {
    const request = this.#requestJson === null ? "" : `,"requestObject":${this.#requestJson}`;
    return this.#responseJson === null
      ? request
      : `${request},"responseObject":${this.#responseJson}`;
  }
}

function describeUser(user: UserInfo): Record<string, unknown> {
  const { name: username, uid, groups, extra } = user;
  return { username, ...(uid ? { uid } : {}), groups, ...(extra ? { extra } : {}) };
}

/** Members that say something. */
function textsOf(members: Record<string, string | undefined>): Record<string, string> {
  const texts: Record<string, string> = {};
  for (const [name, text] of Object.entries(members)) {
    if (typeof text === "string" && text !== "") texts[name] = text;
  }
  return texts;
}

function withoutManagedFields(object: unknown): unknown {
  const metadata = (object as KubeObject | null)?.metadata;
  if (metadata?.managedFields === undefined) return object;
  const { managedFields: _left, ...rest } = metadata;
  return { ...(object as KubeObject), metadata: rest };
}

/** `2026-01-02T03:04:05.678000Z` */
function formatMicroTime(millis: number): string {
  return `${new Date(millis).toISOString().slice(0, -1)}000Z`;
}
