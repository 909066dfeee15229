/**
 * Opens everything that knows who somebody is.
 * In: configuration, the key that signs tokens, the caches. Out: the authority of service account
 * tokens, and the authenticator over all kinds of proof.
 * Never: waits for a provider outside of the cluster; that is asked when its first user comes.
 */
import type { Resource } from "../../api/resource.ts";
import { nodes, pods, secrets, serviceAccounts } from "../../api/resources.ts";
import type { Feed } from "../cache/feed.ts";
import type { ApiServerConfig } from "../config.ts";
import type { Clock, Log } from "../ports.ts";
import { cachedObject } from "../verbs/core.ts";
import { Authenticator, staticTokenSource, type TokenSource } from "./authenticate.ts";
import { bootstrapTokenSource } from "./bootstrap_tokens.ts";
import { OidcSource } from "./oidc.ts";
import { WebhookTokenSource } from "./webhooks/token_source.ts";
import { type IsAlive, TokenAuthority } from "./tokens.ts";

export interface Authentication {
  readonly tokens: TokenAuthority;
  readonly authenticator: Authenticator;
}

export interface AuthenticationPorts {
  readonly feed: Feed;
  readonly clock: Clock;
  readonly log: Log;
  /** PKCS #8 PEM of the key that signs service account tokens. */
  readonly signingKey: string;
}

/** What is deleted but not gone is still good for so long: clocks differ. */
const LEEWAY_MILLIS = 60_000;

/** Errors: rejects when a key of the configuration can't be read. */
export async function openAuthentication(
  config: ApiServerConfig,
  { feed, clock, log, signingKey }: AuthenticationPorts,
): Promise<Authentication> {
  const nowMillis = () => clock.nowMillis();
  const tokens = await TokenAuthority.open({
    keyPem: signingKey,
    verificationKeys: config.tokenVerificationKeys,
    issuer: config.tokenIssuer,
    nowMillis,
    isAlive: aliveIn(feed, nowMillis),
    catchUp: () => feed.isFresh ? Promise.resolve(false) : feed.waitFresh(),
  });
  const { anonymous, staticTokens, tokenIssuer: apiAudience } = config;
  const secret = (name: string) => cachedObject(feed, secrets, { namespace: "kube-system", name });
  const sources: TokenSource[] = [
    staticTokenSource(typeof staticTokens === "function" ? staticTokens : () => staticTokens),
    tokens,
    bootstrapTokenSource({ secret, nowMillis }),
    // Whoever is here knows its own tokens; a webhook would be told of all of them.
    ...(config.oidc === null ? [] : [new OidcSource(config.oidc, { nowMillis, log })]),
    ...(config.tokenWebhook === null
      ? []
      : [new WebhookTokenSource(config.tokenWebhook, { clock, log, apiAudience })]),
  ];
  return { tokens, authenticator: new Authenticator({ sources, anonymous, apiAudience }) };
}

const BINDABLE: Readonly<Record<string, Resource>> = {
  ServiceAccount: serviceAccounts,
  Pod: pods,
  Secret: secrets,
  Node: nodes,
};

function aliveIn(feed: Feed, nowMillis: () => number): IsAlive {
  return ({ kind, namespace, name, uid }) => {
    const resource = BINDABLE[kind];
    const object = resource && cachedObject(feed, resource, { namespace, name });
    if (object === undefined || object.metadata.uid !== uid) return false;
    const { deletionTimestamp } = object.metadata;
    return deletionTimestamp === undefined ||
      Date.parse(deletionTimestamp) + LEEWAY_MILLIS >= nowMillis();
  };
}
