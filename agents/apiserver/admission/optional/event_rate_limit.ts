/**
 * Events beyond what a server, a namespace, a user or a source may send are refused.
 * In: events about to be written. Out: nothing, or 429 that names each limit that is reached.
 * Never: counts a dry run, or remembers more senders than it is told. Off by default.
 * Source: plugin/pkg/admission/eventratelimit (v1.36).
 */
import { tooManyRequests } from "../../../api/status.ts";
import type { AdmissionPlugin, AdmissionRequest } from "../admission.ts";
import type { EventLimit } from "../settings.ts";

export function eventRateLimit(limits: readonly EventLimit[]): AdmissionPlugin {
  const enforcers = limits.map((limit) => new Enforcer(limit));
  return {
    name: "EventRateLimit",
    validate(request, core) {
      const { resource: { kind, group }, operation, dryRun } = request;
      if (kind !== "Event" || (group !== "" && group !== "events.k8s.io") || dryRun) return;
      if (operation !== "CREATE" && operation !== "UPDATE") return;
      // All of them count it, whichever refuses.
      const reached = enforcers.map((one) => one.take(request, core.nowMillis))
        .filter((message) => message !== null);
      if (reached.length === 0) return;
      throw tooManyRequests(reached.length === 1 ? reached[0] : `[${reached.join(", ")}]`);
    },
  };
}

interface Bucket {
  tokens: number;
  filledMillis: number;
}

class Enforcer {
  readonly #limit: EventLimit;
  /** In the order of their last use. */
  readonly #buckets = new Map<string, Bucket>();

  constructor(limit: EventLimit) {
    this.#limit = limit;
  }

  /** @returns what is reached; null = the event passes */
  take(request: AdmissionRequest, nowMillis: number): string | null {
    const { type, qps, burst, cacheSize } = this.#limit;
    const key = keyOf(type, request);
    const bucket = this.#buckets.get(key) ?? { tokens: burst, filledMillis: nowMillis };
    this.#buckets.delete(key);
    if (this.#buckets.size >= cacheSize) {
      this.#buckets.delete(this.#buckets.keys().next().value!);
    }
    this.#buckets.set(key, bucket);
    const grown = Math.max(0, nowMillis - bucket.filledMillis) * qps / 1000;
    bucket.tokens = Math.min(burst, bucket.tokens + grown);
    bucket.filledMillis = nowMillis;
    if (bucket.tokens < 1) return `limit reached on type ${type} for key ${key}`;
    bucket.tokens--;
    return null;
  }
}

function keyOf(type: EventLimit["type"], { namespace, object, user }: AdmissionRequest): string {
  switch (type) {
    case "Server":
      return "";
    case "Namespace":
      return namespace;
    case "User":
      return user.name;
    case "SourceAndObject": {
      const { source, deprecatedSource, involvedObject, regarding } = object!;
      const { component = "", host = "" } = source ?? deprecatedSource ?? {};
      const about = involvedObject ?? regarding ?? {};
      const { kind = "", name = "", uid = "", apiVersion = "" } = about;
      return [component, host, kind, about.namespace ?? "", name, uid, apiVersion].join("");
    }
  }
}
