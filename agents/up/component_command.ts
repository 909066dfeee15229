/**
 * `balsa controller-manager` and `balsa scheduler`: components apart from the API server, of which
 * any number may run; one of each works, by a lease.
 * In: a checked ComponentConfig. Out: a running component that tells of itself on a port of its
 * own, and how to stop it.
 * Never: works without the lease; a lead that is lost ends the process, which starts anew clean.
 */
import { acquireLeadership, type Leadership } from "../client/election/leader_election.ts";
import type { Client } from "../client/client.ts";
import { systemClock } from "../client/clock.ts";
import { createHttpsClient, type HttpsClientOptions } from "../client/https.ts";
import { parseKubeconfig } from "../client/kubeconfig.ts";
import type { ComponentConfig } from "../component_flags.ts";
import { runControllerManager } from "../controller_manager/run.ts";
import type { HealthChecks } from "../api/text/health.ts";
import { formatDuration } from "../api/time.ts";
import { runKubeScheduler } from "../kube_scheduler/run.ts";
import { type Log, stderrLog } from "../ports.ts";
import { type ComponentFace, jsonAnswer, metricsAnswer } from "../serving/component_server.ts";
import { processMetrics } from "../serving/process_metrics.ts";
import { StartupError } from "../startup_error.ts";
import { serveComponent } from "./component_serving.ts";
import { Progress, type RunningCluster } from "./progress.ts";
import { readSchedulerConfig } from "./scheduler_file.ts";

/** What a component does once it leads. */
interface Work {
  stop(): Promise<void>;
  /** @returns lines of /metrics. */
  metrics?(): readonly string[];
}

/** What starts once this process leads. */
interface Component {
  /** Of the lease, as upstream names it. */
  readonly name: string;
  /** Where its health and metrics are, as upstream has it. */
  readonly port: number;
  /** Its configuration as `/configz` tells it; absent where there is none to tell. */
  readonly configz?: object;
  /** Resolves once all that it watches is known. */
  readonly start: (parts: {
    readonly client: Client;
    readonly options: HttpsClientOptions;
    readonly log: Log;
  }) => Promise<Work>;
}

/** Errors: rejects with StartupError. */
export function bringUpControllerManager(
  config: ComponentConfig,
  say: (line: string) => void,
): Promise<RunningCluster> {
  return bringUpComponent(config, say, {
    name: "kube-controller-manager",
    port: 10_257,
    start: async ({ client, options, log }) => {
      const manager = runControllerManager({
        client,
        clock: systemClock,
        config: { caPem: options.ca },
        onFailure: (where, failure) => log("warn", where, { failure: String(failure) }),
      });
      await manager.ready;
      return manager;
    },
  });
}

/** Errors: rejects with StartupError. */
export async function bringUpScheduler(
  config: ComponentConfig,
  say: (line: string) => void,
): Promise<RunningCluster> {
  const name = "kube-scheduler";
  const loaded = await readSchedulerConfig(config.schedulerConfig);
  return await bringUpComponent(config, say, {
    name,
    port: 10_259,
    configz: {
      componentconfig: {
        ...loaded.document,
        leaderElection: describeElection(config, name),
        clientConnection: { kubeconfig: config.kubeconfig, contentType: "application/json" },
      },
    },
    start: ({ client, log }) =>
      runKubeScheduler({
        client,
        clock: systemClock,
        config: loaded.config,
        log: (message, fields) => log("warn", message, fields),
      }),
  });
}

/** As a LeaderElectionConfiguration. */
function describeElection({ leaderElect, lease }: ComponentConfig, name: string): object {
  const duration = (seconds: number) => formatDuration(seconds * 1e9);
  return {
    leaderElect,
    leaseDuration: duration(lease.durationSeconds),
    renewDeadline: duration(lease.renewSeconds),
    retryPeriod: duration(lease.retrySeconds),
    resourceLock: "leases",
    resourceName: lease.name ?? name,
    resourceNamespace: lease.namespace,
  };
}

/** How far a component is. */
interface Standing {
  leadership: Leadership | null;
  isLost: boolean;
  work: Work | null;
}

async function bringUpComponent(
  config: ComponentConfig,
  say: (line: string) => void,
  component: Component,
): Promise<RunningCluster> {
  const progress = new Progress(say);
  const log = stderrLog("warn");
  const options = await readKubeconfig(config.kubeconfig);
  const client = createHttpsClient({ ...options, userAgent: component.name });
  const giveUp = new AbortController();
  const failed = Promise.withResolvers<Error>();
  const standing: Standing = { leadership: null, isLost: false, work: null };
  const open = await serveComponent(config.serving, {
    defaultPort: component.port,
    face: faceOf(component, config, standing),
    client,
    log,
  });
  const work = async () => {
    if (config.leaderElect) {
      standing.leadership = await acquireLeadership({
        client,
        clock: systemClock,
        ...config.lease,
        name: config.lease.name ?? component.name,
        identity: `${Deno.hostname()}_${crypto.randomUUID()}`,
        onFailure: (error) => log("warn", "the lease can't be had", { error: error.message }),
      }, giveUp.signal);
      void standing.leadership.lost.then(() => {
        standing.isLost = true;
        failed.resolve(new Error("the lead is lost"));
      });
      say(`leading: ${component.name}`);
    }
    standing.work = await component.start({ client, options, log });
  };
  work().catch((error) => failed.resolve(error instanceof Error ? error : new Error(`${error}`)));
  progress.ready([
    ["server", options.server],
    ["health", open === null ? "not served" : `https, port ${open.port}: /readyz, /metrics`],
    ["stop", "Ctrl-C; another one may go on"],
  ]);
  return {
    failed: failed.promise,
    async stop() {
      giveUp.abort();
      await standing.work?.stop();
      await standing.leadership?.resign();
      await open?.close();
      client.close();
    },
  };
}

/** What a component tells of itself. */
function faceOf(
  { name, configz }: Component,
  { leaderElect }: ComponentConfig,
  standing: Standing,
): ComponentFace {
  const leads = () => leaderElect ? standing.leadership !== null && !standing.isLost : null;
  const leaderElection = () => standing.isLost ? "the lead is lost" : null;
  const election: HealthChecks = leaderElect ? { leaderElection } : {};
  const isSynced = () => standing.work === null ? "handlers are not fully synchronized" : null;
  return {
    health: {
      healthz: election,
      livez: {},
      readyz: { ...election, "informer-sync": isSynced },
    },
    documents: {
      "/metrics": () =>
        metricsAnswer([
          ...processMetrics({ name, leads: leads() }),
          ...standing.work?.metrics?.() ?? [],
        ]),
      ...(configz === undefined ? {} : { "/configz": () => jsonAnswer(configz) }),
    },
  };
}

/** Errors: rejects with StartupError. */
export async function readKubeconfig(path: string): Promise<HttpsClientOptions> {
  const text = await Deno.readTextFile(path).catch((error: Error) => {
    throw new StartupError(`${path}: ${error.message}`, "name it with --kubeconfig");
  });
  const connection = parseKubeconfig(text);
  if (connection.kind === "ok") return connection.options;
  throw new StartupError(`${path}: ${connection.message}`, "correct it, or name another file");
}
