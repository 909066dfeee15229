/**
 * Runs all controllers of a cluster in one process, over one set of informers.
 * In: a Client, a clock, the authority's certificate. Out: controllers that watch, plan and write.
 * Never: decides; one row a controller, and each row's plan does. Adding one: see README.md.
 */
import { customResourceDefinitions, events, resources } from "../api/resources.ts";
import type { Resource } from "../api/resource.ts";
import type { ApiError } from "../api/status.ts";
import type { Client } from "../client/client.ts";
import type { Clock } from "../client/clock.ts";
import { InformerSet, resourceName } from "../client/informer_set.ts";
import { deploymentController } from "./apps/plan_deployment.ts";
import { replicaSetController } from "./apps/plan_replica_set.ts";
import { namespaceController } from "./core/plan_namespace.ts";
import { resourceQuotaController } from "./core/plan_resource_quota.ts";
import { rootCaController, serviceAccountController } from "./core/plan_service_account.ts";
import { deviceTaintEvictionController } from "./devices/plan_device_taint_eviction.ts";
import { claimReleaseController, podClaimController } from "./devices/plan_resource_claim.ts";
import { garbageCollector } from "./garbage/plan_garbage_collector.ts";
import { endpointSliceController } from "./network/plan_endpoint_slice.ts";
import { endpointsController } from "./network/plan_endpoints.ts";
import { nodeLifecycleController } from "./nodes/plan_node_lifecycle.ts";
import { podGarbageCollector } from "./nodes/plan_pod_gc.ts";
import { taintEvictionController } from "./nodes/plan_taint_eviction.ts";
import {
  attributesProtectionController,
  claimProtectionController,
  volumeProtectionController,
} from "./storage/plan_storage_protection.ts";
import { followCustomResources } from "./custom_resources.ts";
import { ControlLoop } from "./control_loop.ts";
import type { Controller, Failure } from "./controller.ts";

export interface ControllerManagerConfig {
  /** PEM of the authority behind the API server's certificate; absent: none is published. */
  readonly caPem?: string;
  /** Silence after which a node counts as unreachable, milliseconds. Default 50,000. */
  readonly nodeGraceMillis?: number;
  /** Names of controllers to leave out. Default: none. */
  readonly disabled?: readonly string[];
}

export interface ControllerManagerOptions {
  readonly client: Client;
  readonly clock: Clock;
  readonly config?: ControllerManagerConfig;
  /** Told of failed performances and failed watches. */
  readonly onFailure?: (where: string, failure: Failure | ApiError) => void;
}

export interface ControllerManager {
  /** Resolves when all informers have synced and every controller plans. */
  readonly ready: Promise<void>;
  /** Nothing waits to be planned. */
  readonly idle: boolean;
  stop(): Promise<void>;
}

/** The rows: one a controller. */
export function controllerRows(config: ControllerManagerConfig): Controller[] {
  const rows: Controller[] = [
    deploymentController,
    replicaSetController,
    serviceAccountController,
    endpointsController,
    endpointSliceController,
    nodeLifecycleController(config.nodeGraceMillis),
    taintEvictionController(),
    deviceTaintEvictionController(),
    podGarbageCollector(),
    claimProtectionController,
    volumeProtectionController,
    attributesProtectionController,
    podClaimController,
    claimReleaseController,
  ];
  if (config.caPem !== undefined) rows.push(rootCaController(config.caPem));
  return enabled(rows, config);
}

/** The rows that look at every resource there is. */
export function wholeRows(
  config: ControllerManagerConfig,
  all: readonly Resource[],
): readonly Controller[] {
  const rows = [namespaceController(all), garbageCollector(all), resourceQuotaController(all)];
  return enabled(rows, config);
}

function enabled(rows: Controller[], config: ControllerManagerConfig): Controller[] {
  const disabled = new Set(config.disabled);
  return rows.filter((row) => !disabled.has(row.name));
}

/** Starts every controller; `stop` waits for the writes under way. */
export function runControllerManager(options: ControllerManagerOptions): ControllerManager {
  const { client, clock, config = {}, onFailure } = options;
  const informers = new InformerSet({
    client,
    clock,
    ...(onFailure && {
      onFailure: (resource: Resource, error: ApiError) =>
        onFailure(`watch of ${resource.plural}`, error),
    }),
  });
  const loopOf = (controller: Controller) =>
    new ControlLoop({
      client,
      clock,
      informers,
      events,
      controller,
      ...(onFailure && {
        onFailure: (name: string, key: string, failure: Failure) =>
          onFailure(`${name} ${key}`, failure),
      }),
    });
  const loops = controllerRows(config).map(loopOf);
  const whole = new WholeLoops(informers, (all) => wholeRows(config, all).map(loopOf));
  let stopped = false;
  informers.start();
  const ready = informers.whenSynced().then(async () => {
    if (stopped) return;
    for (const loop of loops) loop.start();
    await whole.start();
  });
  return {
    ready,
    get idle() {
      return whole.idle && loops.every((loop) => loop.idle);
    },
    async stop() {
      stopped = true;
      informers.stop();
      await Promise.all([whole.stop(), ...loops.map((loop) => loop.stop())]);
    },
  };
}

/** The loops over every resource: made again when definitions add resources or take them away. */
class WholeLoops {
  readonly #informers: InformerSet;
  readonly #make: (all: readonly Resource[]) => readonly ControlLoop[];
  #loops: readonly ControlLoop[];
  #custom: readonly Resource[] = [];
  #turn: Promise<void> = Promise.resolve();
  #unfollow: () => void = () => {};
  #isStopped = false;
  readonly #end = Promise.withResolvers<void>();

  constructor(
    informers: InformerSet,
    make: (all: readonly Resource[]) => readonly ControlLoop[],
  ) {
    this.#informers = informers;
    this.#make = make;
    informers.of(customResourceDefinitions);
    this.#loops = make(resources);
  }

  get idle(): boolean {
    return this.#loops.every((loop) => loop.idle);
  }

  async start(): Promise<void> {
    for (const loop of this.#loops) loop.start();
    this.#unfollow = followCustomResources(this.#informers, (rows) => {
      if (rows.length === 0 && this.#custom.length === 0) return;
      this.#turn = this.#turn.then(() => this.#change(rows));
    });
    await this.#turn;
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#end.resolve();
    this.#unfollow();
    await this.#turn;
    await Promise.all(this.#loops.map((loop) => loop.stop()));
  }

  async #change(rows: readonly Resource[]): Promise<void> {
    if (this.#isStopped) return;
    await Promise.all(this.#loops.map((loop) => loop.stop()));
    const kept = new Set(rows.map((row) => `${resourceName(row)}/${row.version}`));
    for (const row of this.#custom) {
      if (!kept.has(`${resourceName(row)}/${row.version}`)) this.#informers.drop(row);
    }
    this.#custom = rows;
    const loops = this.#make([...resources, ...rows]);
    this.#loops = loops;
    const synced = Promise.all(rows.map((row) => this.#informers.of(row).whenSynced()));
    await Promise.race([synced, this.#end.promise]);
    if (this.#isStopped) return;
    for (const loop of loops) loop.start();
  }
}
