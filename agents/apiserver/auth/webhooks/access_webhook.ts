/**
 * A webhook that judges access: it is sent a SubjectAccessReview, and its word is kept for a while.
 * In: what somebody wants. Out: allowed, denied, or no opinion.
 * Never: asks about what its conditions leave out; takes silence for a yes.
 * Source: apiserver's plugin/pkg/authorizer/webhook, authorization/cel (v1.36).
 */
import { z } from "zod";
import { BOOL, environment, listOf, mapOf, objectOf, STRING } from "../../../cel/mod.ts";
import { meetsAll } from "../../admission/expressions/conditions.ts";
import {
  compileExpression,
  compileProblem,
  type NamedExpression,
} from "../../admission/expressions/expression.ts";
import { ExpiringCache } from "../../outgoing/expiring_cache.ts";
import {
  QUICK_RETRIES,
  RemoteWebhook,
  type WebhookEndpoint,
} from "../../outgoing/remote_webhook.ts";
import type { Clock, Log } from "../../ports.ts";
import type { AccessAttributes, Decision } from "../authorize.ts";

export interface AccessWebhookConfig {
  readonly name: string;
  readonly endpoint: WebhookEndpoint;
  /** Of the SubjectAccessReview that is sent. */
  readonly version: "v1" | "v1beta1";
  readonly timeoutMillis: number;
  /** How long a yes, and how long anything else, is not asked about again; 0 = always asked. */
  readonly authorizedTtlMillis: number;
  readonly unauthorizedTtlMillis: number;
  /** What it means when it can't be asked. */
  readonly failurePolicy: "NoOpinion" | "Deny";
  /** All must hold for it to be asked. */
  readonly matchConditions: readonly string[];
}

const NO_OPINION: Decision = { allowed: false };

const REVIEW = z.object({
  status: z.object({
    allowed: z.boolean().optional(),
    denied: z.boolean().optional(),
    reason: z.string().optional(),
    evaluationError: z.string().optional(),
  }),
});

const REQUIREMENT = objectOf("kubernetes.SelectorRequirement", {
  key: STRING,
  operator: STRING,
  values: listOf(STRING),
});
const SELECTOR = objectOf("kubernetes.SelectorAttributes", {
  rawSelector: STRING,
  requirements: listOf(REQUIREMENT),
});

/** The spec of a SubjectAccessReview. */
const CONDITION_NAMES = environment({
  request: objectOf("kubernetes.SubjectAccessReviewSpec", {
    resourceAttributes: objectOf("kubernetes.ResourceAttributes", {
      namespace: STRING,
      verb: STRING,
      group: STRING,
      version: STRING,
      resource: STRING,
      subresource: STRING,
      name: STRING,
      fieldSelector: SELECTOR,
      labelSelector: SELECTOR,
    }),
    nonResourceAttributes: objectOf("kubernetes.NonResourceAttributes", {
      path: STRING,
      verb: STRING,
    }),
    user: STRING,
    groups: listOf(STRING),
    extra: mapOf(STRING, listOf(STRING)),
    uid: STRING,
  }),
});

/** Compiles a condition. @returns what is wrong with it, or null */
export function conditionProblem(source: string): string | null {
  return compileProblem(compileExpression(source, CONDITION_NAMES, [BOOL]));
}

export class AccessWebhook {
  readonly #config: AccessWebhookConfig;
  readonly #webhook: RemoteWebhook;
  readonly #log: Log;
  readonly #known: ExpiringCache<Decision>;
  readonly #conditions: readonly NamedExpression[];

  constructor(
    config: AccessWebhookConfig,
    { clock, log }: { readonly clock: Clock; readonly log: Log },
  ) {
    this.#config = config;
    this.#webhook = new RemoteWebhook(config.endpoint, clock);
    this.#log = log;
    this.#known = new ExpiringCache(() => clock.nowMillis());
    this.#conditions = config.matchConditions.map((source) => ({
      name: source,
      ...compileExpression(source, CONDITION_NAMES, [BOOL]),
    }));
  }

  /** What it says; a promise where it has to be asked. */
  decide(asked: AccessAttributes): Decision | Promise<Decision> {
    const spec = specOf(asked);
    const met = meetsAll(this.#conditions, { request: spec }, false);
    if (met.kind === "unmet") return NO_OPINION;
    if (met.kind === "failed") return this.#failed(met.message);
    return this.#known.get(
      JSON.stringify(spec),
      () => this.#ask(spec),
      ({ allowed, isFailure }) => {
        const { authorizedTtlMillis, unauthorizedTtlMillis } = this.#config;
        if (isFailure) return 0;
        return allowed ? authorizedTtlMillis : unauthorizedTtlMillis;
      },
    );
  }

  /** What it said a moment ago, for those who can't wait. */
  recall(asked: AccessAttributes): Decision {
    return this.#known.peek(JSON.stringify(specOf(asked))) ?? NO_OPINION;
  }

  close(): void {
    this.#webhook.close();
  }

  async #ask(spec: Record<string, unknown>): Promise<Decision> {
    const { timeoutMillis, version } = this.#config;
    const { groups, ...others } = spec;
    const body = JSON.stringify({
      kind: "SubjectAccessReview",
      apiVersion: `authorization.k8s.io/${version}`,
      metadata: { creationTimestamp: null },
      // The older version's name for groups lacks a letter.
      spec: version === "v1" ? spec : { ...others, group: groups },
      status: { allowed: false },
    });
    const answer = await this.#webhook.ask(body, timeoutMillis, QUICK_RETRIES);
    if (answer.kind === "failed") return this.#failed(answer.message);
    const review = REVIEW.safeParse(answer.value);
    if (!review.success) return this.#failed("the answer is no SubjectAccessReview");
    const { allowed = false, denied = false, reason } = review.data.status;
    if (allowed && denied) {
      return this.#failed("webhook subject access review returned both allow and deny response");
    }
    return {
      allowed,
      ...(denied ? { isDenied: true } : {}),
      ...(reason ? { reason } : {}),
    };
  }

  #failed(message: string): Decision {
    const { name, failurePolicy } = this.#config;
    this.#log("warn", "an authorization webhook failed", { webhook: name, error: message });
    return {
      allowed: false,
      isFailure: true,
      ...(failurePolicy === "Deny" ? { isDenied: true } : {}),
    };
  }
}

/** Absent members stay absent, so that conditions can ask for them with `has`. */
function specOf(asked: AccessAttributes): Record<string, unknown> {
  const { name, groups, uid, extra } = asked.user;
  const who = {
    ...(name === "" ? {} : { user: name }),
    ...(groups.length === 0 ? {} : { groups }),
    ...(uid ? { uid } : {}),
    ...(extra ? { extra } : {}),
  };
  const { verb } = asked;
  if (asked.path !== undefined) {
    return { nonResourceAttributes: { path: asked.path, verb }, ...who };
  }
  const { group, version = "*", resource, subresource, namespace, fieldSelector } = asked;
  const attributes = {
    namespace,
    verb,
    group,
    version,
    resource,
    subresource,
    name: asked.name,
  };
  const given = Object.entries(attributes).filter(([, value]) => value !== "");
  const requirements = requirementsOf(fieldSelector ?? "");
  return {
    resourceAttributes: {
      ...Object.fromEntries(given),
      ...(requirements.length === 0 ? {} : { fieldSelector: { requirements } }),
    },
    ...who,
  };
}

function requirementsOf(selector: string): readonly Record<string, unknown>[] {
  return selector.split(",").flatMap((part) => {
    const match = /^([^=!]+)(!=|==?)(.*)$/.exec(part);
    if (match === null) return [];
    const [, key, operator, value] = match;
    return [{ key, operator: operator === "!=" ? "NotIn" : "In", values: [value] }];
  });
}
