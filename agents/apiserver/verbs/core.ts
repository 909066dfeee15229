/**
 * What every verb works with, and what every verb answers.
 * In: nothing. Out: types, and the small conversions that all verbs share.
 * Never: a verb.
 */
import type { Store, StoreFailure } from "../../../store/mod.ts";
import type { ApiAnswer, CallTarget } from "../../api/call.ts";
import type { KubeObject, ListMeta, UserInfo } from "../../api/meta.ts";
import type { Resource, RuleContext } from "../../api/resource.ts";
import {
  type ApiError,
  type GroupResource,
  internalError,
  requestEntityTooLarge,
  serverTimeout,
  serviceUnavailable,
  timeout,
  tooManyRequests,
} from "../../api/status.ts";
import type { AdmissionChain } from "../admission/admission.ts";
import type { WebhookCaller } from "../admission/webhooks/caller.ts";
import type { Authenticator } from "../auth/authenticate.ts";
import type { Authorizer } from "../auth/authorize.ts";
import type { TokenAuthority } from "../auth/tokens.ts";
import type { Feed } from "../cache/feed.ts";
import type { ResourceCache } from "../cache/resource_cache.ts";
import type { SharedSpecs } from "../cache/shared_specs.ts";
import type { StoredObject } from "../cache/stored_object.ts";
import type { CustomTable } from "../custom/table.ts";
import type { Clock, ComponentHealth, Log, Random } from "../ports.ts";
import { storageKey, storagePrefix } from "../registry.ts";
import type { UsageCollector } from "../usage/usage_collector.ts";
import type { LeasePool } from "./lease_pool.ts";

/** Largest body, and largest object, in bytes. */
export const BODY_LIMIT_BYTES = 3 * 1024 * 1024;

/** The API server without its faces. */
export interface Core extends RuleContext {
  readonly store: Store;
  readonly feed: Feed;
  readonly podSpecs: SharedSpecs;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly admission: AdmissionChain;
  readonly webhooks: WebhookCaller;
  readonly eventLeases: LeasePool;
  readonly authorizer: Authorizer;
  readonly tokens: TokenAuthority;
  readonly authenticator: Authenticator;
  /** The resources that definitions add to those of the table. */
  readonly custom: CustomTable;
  /** Whether stored bytes should be written again though the object is the same. */
  readonly isStale: (key: string) => boolean;
  /** What nodes and pods use. */
  readonly usage: UsageCollector;
  /** How the parts of the control plane are, now. */
  readonly components: () => readonly ComponentHealth[];
}

/** What a verb answers: objects of the store keep their bytes, so that HTTP need not encode. */
export type VerbAnswer =
  | { readonly kind: "stored"; readonly stored: StoredObject; readonly created: boolean }
  | { readonly kind: "plain"; readonly object: KubeObject; readonly created: boolean }
  | { readonly kind: "list"; readonly items: readonly StoredObject[]; readonly metadata: ListMeta }
  /** Of a collection that no store is behind. */
  | {
    readonly kind: "plainList";
    readonly items: readonly KubeObject[];
    readonly metadata: ListMeta;
  };

/** What a kind's rules may know about a request. */
export function ruleContextOf(core: Core, user: UserInfo): RuleContext {
  return { nowMillis: core.nowMillis, newUid: core.newUid, user };
}

export function groupResourceOf(resource: Resource): GroupResource {
  return { group: resource.group, resource: resource.plural };
}

/** `apps/v1`, or `v1` for core. */
export function apiVersionOf(resource: { group: string; version: string }): string {
  return resource.group === "" ? resource.version : `${resource.group}/${resource.version}`;
}

const prefixes = new WeakMap<Resource, string>();

/** Key prefix of a resource's objects, where another face of them is served too. */
export function prefixOf(resource: Resource): string {
  let prefix = prefixes.get(resource);
  if (prefix === undefined) {
    prefix = storagePrefix(resource.storedAs ?? resource);
    prefixes.set(resource, prefix);
  }
  return prefix;
}

/** The object as the watch cache has it now. @param namespace "" = the resource has none */
export function cachedObject(
  feed: Feed,
  resource: Resource,
  { namespace, name }: { readonly namespace: string; readonly name: string },
): KubeObject | undefined {
  const prefix = prefixOf(resource);
  return feed.cache(prefix).get(storageKey(prefix, namespace, name))?.object;
}

export function cacheOf(core: Core, resource: Resource): ResourceCache {
  return core.feed.cache(prefixOf(resource));
}

export function keyOf(target: Pick<CallTarget, "resource" | "namespace" | "name">): string {
  return storageKey(prefixOf(target.resource), target.namespace, target.name);
}

/** The object as a resource serves it. */
export function serve(resource: Resource, stored: StoredObject): KubeObject {
  return resource.storedAs?.fromStored(stored.object) ?? stored.object;
}

/** The same answer for a caller in this process. */
export function toApiAnswer(resource: Resource, answer: VerbAnswer): ApiAnswer {
  switch (answer.kind) {
    case "stored":
      return { kind: "object", object: serve(resource, answer.stored), created: answer.created };
    case "plain":
      return { kind: "object", object: answer.object, created: answer.created };
    case "plainList":
      return { kind: "list", items: answer.items, metadata: answer.metadata };
    case "list": {
      const items = answer.items.map((stored) => serve(resource, stored));
      return { kind: "list", items, metadata: answer.metadata };
    }
  }
}

/** Waits until the caches hold everything written before now. Throws ApiError when they lag. */
export async function waitFresh(core: Core): Promise<void> {
  if (core.feed.isFresh) return;
  if (!await core.feed.waitFresh()) throw timeout("the watch cache is behind the store", 1);
}

/** The Status of a store that can't do what was asked. */
export function storeError(failure: StoreFailure, of: GroupResource, operation: string): ApiError {
  switch (failure.kind) {
    case "requestTooLarge":
      return requestEntityTooLarge(BODY_LIMIT_BYTES);
    case "tooManyRequests":
      return tooManyRequests("Too many requests, please try again later.");
    case "timeout":
      return serverTimeout(of, operation, 1);
    case "noLeader":
    case "notLeader":
    case "stopped":
      return serviceUnavailable("the store has no leader at the moment");
    case "noSpace":
      return internalError("etcdserver: mvcc: database space exceeded");
    default:
      return internalError(`the store answered ${failure.kind}`);
  }
}
