/**
 * One informer a resource, shared by all who watch it in one component.
 * In: a Client and a clock. Out: informers, started and stopped together.
 * Never: two watches on one resource.
 */
import type { KubeObject } from "../api/meta.ts";
import type { Resource } from "../api/resource.ts";
import type { ApiError } from "../api/status.ts";
import type { Client } from "./client.ts";
import type { Clock } from "./clock.ts";
import { Informer } from "./informer.ts";

export interface InformerSetOptions {
  readonly client: Client;
  readonly clock: Clock;
  readonly watchList?: boolean;
  readonly pageSize?: number;
  readonly onFailure?: (resource: Resource, error: ApiError) => void;
}

/** Names a resource within a cluster: `deployments.apps`, `pods`. */
export function resourceName(resource: Resource): string {
  return resource.group === "" ? resource.plural : `${resource.plural}.${resource.group}`;
}

export class InformerSet {
  readonly #options: InformerSetOptions;
  readonly #informers = new Map<string, Informer>();
  #started = false;

  constructor(options: InformerSetOptions) {
    this.#options = options;
  }

  /** The informer of a resource, made at the first call; started at once if the set runs. */
  of<T extends KubeObject>(resource: Resource): Informer<T> {
    const name = resourceName(resource);
    let informer = this.#informers.get(name);
    if (informer === undefined) {
      const { onFailure, ...options } = this.#options;
      informer = new Informer({
        ...options,
        resource,
        ...(onFailure && { onFailure: (error: ApiError) => onFailure(resource, error) }),
      });
      this.#informers.set(name, informer);
      if (this.#started) informer.start();
    }
    return informer as unknown as Informer<T>;
  }

  /** Ends the informer of a resource that is served no longer. */
  drop(resource: Resource): void {
    const name = resourceName(resource);
    this.#informers.get(name)?.stop();
    this.#informers.delete(name);
  }

  /** @returns undefined when nobody has asked for the resource. */
  find(resource: Resource): Informer | undefined {
    return this.#informers.get(resourceName(resource));
  }

  all(): readonly Informer[] {
    return [...this.#informers.values()];
  }

  start(): void {
    this.#started = true;
    for (const informer of this.#informers.values()) informer.start();
  }

  /** Resolves when each informer of this moment has its first state. */
  async whenSynced(): Promise<void> {
    await Promise.all(this.all().map((informer) => informer.whenSynced()));
  }

  stop(): void {
    for (const informer of this.#informers.values()) informer.stop();
  }
}
