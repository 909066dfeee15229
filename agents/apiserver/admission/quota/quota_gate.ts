/**
 * Spends the quotas of namespaces: whoever waits is checked together and pays with one write.
 * In: changes. Out: admitted ones, charged to the quotas' status; refusals.
 * Never: lets two changes spend the same amount, in this server or in another one: the status is
 * written on the revision that was checked. Source: resourcequota/controller.go (v1.36).
 */
import type { KubeObject } from "../../../api/meta.ts";
import { equalAmounts, type QuotaAmounts } from "../../../api/quota/amounts.ts";
import { checkQuotas } from "../../../api/quota/check.ts";
import type { LimitedResource } from "../../../api/quota/limited.ts";
import type { Around, Measure } from "../../../api/quota/measure.ts";
import type { Resource } from "../../../api/resource.ts";
import { deviceClasses, pods, resourceClaims, resourceQuotas } from "../../../api/resources.ts";
import { conflict, forbidden } from "../../../api/status.ts";
import type { StoredObject } from "../../cache/stored_object.ts";
import { commitPut } from "../../verbs/commit.ts";
import { cacheOf, type Core, groupResourceOf, keyOf, prefixOf } from "../../verbs/core.ts";
import type { AdmissionRequest } from "../admission.ts";

interface Waiter {
  readonly request: AdmissionRequest;
  readonly measure: Measure;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** How often a batch is checked again because another writer was faster. */
const MAX_ATTEMPTS = 8;

export class QuotaGate {
  readonly #core: Core;
  readonly #around: Around;
  readonly #limits: readonly LimitedResource[];
  readonly #waiting = new Map<string, Waiter[]>();
  readonly #running = new Set<string>();

  constructor(core: Core, limits: readonly LimitedResource[]) {
    this.#core = core;
    const find = (resource: Resource, namespace: string, name: string) =>
      cacheOf(core, resource).get(keyOf({ resource, namespace, name }))?.object;
    this.#around = {
      deviceClass: (name) => find(deviceClasses, "", name),
      pod: (namespace, name) => find(pods, namespace, name),
      claims: (namespace) =>
        cacheOf(core, resourceClaims)
          .select({ keyPrefix: `${prefixOf(resourceClaims)}${namespace}/` })
          .map(({ object }) => object),
    };
    this.#limits = limits;
  }

  /** Errors: rejects with ApiError 403 for what does not fit. */
  pass(request: AdmissionRequest, measure: Measure): Promise<void> {
    const { namespace } = request;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const waiter = { request, measure, resolve, reject };
    const others = this.#waiting.get(namespace);
    if (others === undefined) this.#waiting.set(namespace, [waiter]);
    else others.push(waiter);
    if (!this.#running.has(namespace)) {
      this.#running.add(namespace);
      void this.#run(namespace);
    }
    return promise;
  }

  async #run(namespace: string): Promise<void> {
    // What arrives in the same turn is one batch.
    await Promise.resolve();
    for (;;) {
      const batch = this.#waiting.get(namespace);
      if (batch === undefined) break;
      this.#waiting.delete(namespace);
      try {
        await this.#settle(namespace, batch);
      } catch (error) {
        for (const { reject } of batch) reject(error);
      }
    }
    this.#running.delete(namespace);
  }

  /** Settles every waiter. Errors: rejects with ApiError where the store can't write. */
  async #settle(namespace: string, batch: readonly Waiter[]): Promise<void> {
    let waiting = batch;
    /** Quotas still to be paid; all of them at first. */
    let unpaid: ReadonlySet<string> | null = null;
    for (let attempt = 1; waiting.length > 0; attempt++) {
      const quotas = quotasIn(this.#core, namespace)
        .filter(({ object }) => unpaid === null || unpaid.has(object.metadata.name!));
      const { charged, paying } = this.#check(quotas, waiting);
      const failed = await this.#pay(quotas, charged);
      if (failed.size === 0) {
        for (const { resolve } of paying) resolve();
        return;
      }
      if (attempt === MAX_ATTEMPTS) {
        const [name] = failed;
        for (const { reject } of paying) reject(conflict(groupResourceOf(resourceQuotas), name));
        return;
      }
      waiting = paying;
      unpaid = failed;
    }
  }

  /** Checks one after the other, each on top of those before; settles who has nothing to pay. */
  #check(
    quotas: readonly StoredObject[],
    waiting: readonly Waiter[],
  ): { readonly charged: ReadonlyMap<string, QuotaAmounts>; readonly paying: readonly Waiter[] } {
    const charged = new Map<string, QuotaAmounts>();
    const paying: Waiter[] = [];
    for (const waiter of waiting) {
      const { request, measure, resolve, reject } = waiter;
      const running = quotas.map(({ object }) => ({
        quota: object,
        used: charged.get(object.metadata.name!) ?? object.status?.used ?? {},
      }));
      const change = { ...request, object: request.object! };
      const { nowMillis } = this.#core;
      const around = this.#around;
      const { group, plural } = request.resource;
      const limited = this.#limits.length === 0
        ? {}
        : { limited: { limits: this.#limits, group, resource: plural } };
      const outcome = checkQuotas(running, measure, { change, nowMillis, around, ...limited });
      if (outcome.kind === "refused") {
        reject(forbidden(groupResourceOf(request.resource), request.name, outcome.reason));
      } else if (request.dryRun || outcome.used.size === 0) resolve();
      else {
        for (const [name, used] of outcome.used) charged.set(name, used);
        paying.push(waiter);
      }
    }
    return { charged, paying };
  }

  /** @returns names of the quotas that another writer has changed */
  async #pay(
    quotas: readonly StoredObject[],
    charged: ReadonlyMap<string, QuotaAmounts>,
  ): Promise<ReadonlySet<string>> {
    const failed = new Set<string>();
    await Promise.all(quotas.map(async (stored) => {
      const { object, key, revision } = stored;
      const name = object.metadata.name!;
      const used = charged.get(name);
      if (used === undefined || equalAmounts(used, object.status?.used ?? {})) return;
      const draft: KubeObject = {
        ...object,
        metadata: { ...object.metadata },
        status: { ...object.status, used },
      };
      const written = await commitPut(this.#core, {
        resource: resourceQuotas,
        key,
        draft,
        expectedRevision: revision,
      });
      if (written === null) failed.add(name);
      // The next batch starts from what this one has paid.
      else await this.#core.feed.waitFor(written.revision);
    }));
    return failed;
  }
}

export function quotasIn(core: Core, namespace: string): readonly StoredObject[] {
  const keyPrefix = `${prefixOf(resourceQuotas)}${namespace}/`;
  return cacheOf(core, resourceQuotas).select({ keyPrefix });
}
