/**
 * Runs all controllers of a cluster in one process, over one set of informers.
 * In: a Client, a clock, the authority's certificate. Out: controllers that watch, plan and write.
 * Never: decides; one row a controller, and each row's plan does. Adding one: see README.md.
 */
import { events, resources } from "../api/resources.ts";
import type { Resource } from "../api/resource.ts";
import type { ApiError } from "../api/status.ts";
import type { Client } from "../client/client.ts";
import type { Clock } from "../client/clock.ts";
import { InformerSet } from "../client/informer_set.ts";
import { deploymentController } from "./apps/plan_deployment.ts";
import { replicaSetController } from "./apps/plan_replica_set.ts";
import { namespaceController } from "./core/plan_namespace.ts";
import { resourceQuotaController } from "./core/plan_resource_quota.ts";
import { rootCaController, serviceAccountController } from "./core/plan_service_account.ts";
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
    namespaceController(resources),
    serviceAccountController,
    resourceQuotaController(resources),
    endpointsController,
    endpointSliceController,
    garbageCollector(resources),
    nodeLifecycleController(config.nodeGraceMillis),
    taintEvictionController(),
    podGarbageCollector(),
    claimProtectionController,
    volumeProtectionController,
    attributesProtectionController,
    podClaimController,
    claimReleaseController,
  ];
  if (config.caPem !== undefined) rows.push(rootCaController(config.caPem));
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
  const loops = controllerRows(config).map((controller) =>
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
    })
  );
  let stopped = false;
  informers.start();
  const ready = informers.whenSynced().then(() => {
    if (stopped) return;
    for (const loop of loops) loop.start();
  });
  return {
    ready,
    get idle() {
      return loops.every((loop) => loop.idle);
    },
    async stop() {
      stopped = true;
      informers.stop();
      await Promise.all(loops.map((loop) => loop.stop()));
    },
  };
}
