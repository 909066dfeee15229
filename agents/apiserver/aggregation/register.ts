/**
 * Registers what is served here: an API service for each group and version.
 * In: the tables of resources, the cache of API services. Out: API services.
 * Never: registers the group of API services itself, which is always there.
 * Source: kube-aggregator's controllers/autoregister, kube-apiserver's crdregistration (v1.36).
 */
import type { APIService } from "../../api/kinds/extensions/api_service.ts";
import type { KubeObject } from "../../api/meta.ts";
import { apiServices, metricsRows, resources, virtualResources } from "../../api/resources.ts";
import { ApiError } from "../../api/status.ts";
import { APISERVER } from "../auth/authorize.ts";
import { copyJson } from "../registry.ts";
import { apiVersionOf, cacheOf, type Core, prefixOf } from "../verbs/core.ts";
import { createObject } from "../verbs/create.ts";
import { deleteObject } from "../verbs/delete.ts";
import { updateObject } from "../verbs/update.ts";
import { ALWAYS, MANAGED, ON_START, planRegister } from "./plan_register.ts";
import { priorityOf, REGISTRATION_GROUP } from "./priorities.ts";

/** Target of a write to an API service in this server's own name. */
export function targetOf(name: string, subresource = "") {
  return { resource: apiServices, subresource, namespace: "", name, user: APISERVER };
}

/** Another server may have been faster; its event brings the next round. */
export async function attempt(core: Core, write: () => Promise<unknown>): Promise<boolean> {
  try {
    await write();
    return true;
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    core.log("debug", "an API service was not written", { error: error.message });
    return false;
  }
}

export class Registration {
  readonly #core: Core;
  readonly #atStart: ReadonlySet<string>;
  readonly #synced = new Set<string>();

  constructor(core: Core) {
    this.#core = core;
    this.#atStart = new Set(this.#current().keys());
  }

  /** Brings the API services in line with what is served now. */
  async sync(): Promise<void> {
    const wanted = this.#wanted();
    const current = this.#current();
    for (const name of new Set([...wanted.keys(), ...current.keys()])) {
      const isSettled = await this.#settle(name, current.get(name), wanted.get(name));
      if (isSettled) this.#synced.add(name);
    }
  }

  #settle(
    name: string,
    current: APIService | undefined,
    wanted: APIService | undefined,
  ): Promise<boolean> {
    const core = this.#core;
    const action = planRegister({
      current,
      wanted,
      wasAtStart: this.#atStart.has(name),
      hasSynced: this.#synced.has(name),
    });
    switch (action) {
      case "none":
        return Promise.resolve(true);
      case "create":
        return attempt(core, () => createObject(core, targetOf(""), draftOf(wanted!), {}));
      case "delete":
        return attempt(core, () => deleteObject(core, targetOf(name), {}));
      case "update": {
        const draft = { ...draftOf(current!), spec: draftOf(wanted!).spec };
        return attempt(core, () => updateObject(core, targetOf(name), draft, {}));
      }
    }
  }

  #wanted(): Map<string, APIService> {
    const found = new Map<string, APIService>();
    const add = (row: { group: string; version: string }, managed: string) => {
      const name = `${row.version}.${row.group}`;
      if (row.group !== REGISTRATION_GROUP && !found.has(name)) {
        found.set(name, localService(row, managed));
      }
    };
    for (const row of [...resources, ...virtualResources]) {
      // The charts of a metrics-server would trip over a service that is there already.
      if (!metricsRows.includes(row)) add(row, ON_START);
    }
    for (const row of this.#core.custom.rows) add(row, ALWAYS);
    return found;
  }

  #current(): Map<string, APIService> {
    const found = cacheOf(this.#core, apiServices).readable({ keyPrefix: prefixOf(apiServices) });
    return new Map(found.map((object) => [object.metadata.name!, object as APIService]));
  }
}

function localService(
  { group, version }: { readonly group: string; readonly version: string },
  managed: string,
): APIService {
  const priority = priorityOf(group, version);
  return {
    kind: apiServices.kind,
    apiVersion: apiVersionOf(apiServices),
    metadata: { name: `${version}.${group}`, labels: { [MANAGED]: managed } },
    spec: {
      ...(group === "" ? {} : { group }),
      version,
      groupPriorityMinimum: priority.group,
      versionPriority: priority.version,
    },
  } as APIService;
}

const draftOf = (service: APIService): KubeObject => copyJson(service as KubeObject) as KubeObject;
