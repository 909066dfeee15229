/**
 * Bearer tokens that a webhook knows: it is sent a TokenReview, and its word is kept for a while.
 * In: a token and whom it should be for. Out: its user, or not ours.
 * Never: keeps or logs a token: answers are found by its hash; takes silence for a user.
 * Source: apiserver's plugin/pkg/authenticator/token/webhook, token/cache (v1.36).
 */
import { createHash, createHmac, randomBytes } from "node:crypto";
import { z } from "zod";
import type { UserInfo } from "../../../api/meta.ts";
import { ExpiringCache } from "../../outgoing/expiring_cache.ts";
import {
  QUICK_RETRIES,
  RemoteWebhook,
  type WebhookEndpoint,
} from "../../outgoing/remote_webhook.ts";
import type { Clock, Log } from "../../ports.ts";
import type { TokenSource, TokenVerdict } from "../authenticate.ts";
import { AUTHENTICATED_GROUP } from "../authorize.ts";

export interface TokenWebhookConfig {
  readonly endpoint: WebhookEndpoint;
  /** Of the TokenReview that is sent: v1 or v1beta1. Default v1beta1. */
  readonly version: "v1" | "v1beta1";
  /** How long a user's token is not asked about again. Default two minutes. */
  readonly cacheTtlMillis: number;
}

/** A token that nobody knew is asked about again sooner. */
const UNKNOWN_TTL_MILLIS = 10_000;
const TIMEOUT_MILLIS = 30_000;

const REVIEW = z.object({
  status: z.object({
    authenticated: z.boolean().optional(),
    audiences: z.array(z.string()).nullish(),
    error: z.string().optional(),
    user: z.object({
      username: z.string().optional(),
      uid: z.string().optional(),
      groups: z.array(z.string()).nullish(),
      extra: z.record(z.string(), z.array(z.string())).nullish(),
    }).optional(),
  }),
});

type Known = TokenVerdict | "unknown";

export class WebhookTokenSource implements TokenSource {
  readonly knowsAudiences = true;
  readonly #config: TokenWebhookConfig;
  readonly #webhook: RemoteWebhook;
  readonly #log: Log;
  readonly #known: ExpiringCache<Known>;
  readonly #apiAudience: string;
  /** Hashes of tokens are of no use to whoever sees them. */
  readonly #pepper = randomBytes(32);

  constructor(
    config: TokenWebhookConfig,
    ports: { readonly clock: Clock; readonly log: Log; readonly apiAudience: string },
  ) {
    this.#config = config;
    this.#webhook = new RemoteWebhook(config.endpoint, ports.clock);
    this.#log = ports.log;
    this.#known = new ExpiringCache(() => ports.clock.nowMillis());
    this.#apiAudience = ports.apiAudience;
  }

  async verify(token: string, asked: readonly string[]): Promise<TokenVerdict | null> {
    const audiences = asked.length === 0 ? [this.#apiAudience] : asked;
    const key = createHmac("sha256", this.#pepper)
      .update(createHash("sha256").update(token).digest()).update(JSON.stringify(audiences))
      .digest("base64");
    try {
      const known = await this.#known.get(
        key,
        () => this.#ask(token, audiences),
        (verdict) => verdict === "unknown" ? UNKNOWN_TTL_MILLIS : this.#config.cacheTtlMillis,
      );
      return known === "unknown" ? null : known;
    } catch (error) {
      this.#log("warn", "the token webhook failed", { error: (error as Error).message });
      return null;
    }
  }

  close(): void {
    this.#webhook.close();
  }

  /** Errors: rejects where the webhook gave no answer; that is not kept. */
  async #ask(token: string, audiences: readonly string[]): Promise<Known> {
    const body = JSON.stringify({
      kind: "TokenReview",
      apiVersion: `authentication.k8s.io/${this.#config.version}`,
      metadata: { creationTimestamp: null },
      spec: { token, audiences },
      status: { user: {} },
    });
    const answer = await this.#webhook.ask(body, TIMEOUT_MILLIS, QUICK_RETRIES);
    if (answer.kind === "failed") throw new Error(answer.message);
    const review = REVIEW.safeParse(answer.value);
    if (!review.success) throw new Error("the answer is no TokenReview");
    const { authenticated, audiences: named, user = {} } = review.data.status;
    if (authenticated !== true) return "unknown";
    // One that names no audience does not know them: the token is for the API server.
    const own = named ?? [];
    const meant = own.length === 0 ? [this.#apiAudience] : own;
    const shared = audiences.filter((one) => meant.includes(one));
    if (shared.length === 0) return "unknown";
    return { kind: "accepted", user: userOf(user), audiences: shared };
  }
}

type Named = NonNullable<z.output<typeof REVIEW>["status"]["user"]>;

function userOf({ username = "", uid, groups, extra }: Named): UserInfo {
  return {
    name: username,
    groups: [...new Set([...groups ?? [], AUTHENTICATED_GROUP])],
    ...(uid ? { uid } : {}),
    ...(extra ? { extra } : {}),
  };
}
