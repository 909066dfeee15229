/**
 * `balsa controller-manager` and `balsa scheduler`: components apart from the API server, of which
 * any number may run; one of each works, by a lease.
 * In: a checked ComponentConfig. Out: a running component that tells of itself on a port of its
 * own, and how to stop it.
 * Never: works without the lease; a lead that is lost ends the process, which starts anew clean.
 */
import {
  type ElectionConfig,
  electionOf,
  type ElectionWish,
  mergeWishes,
  problemOfTimes,
  wordProblem,
} from "../client/election/election_config.ts";
import { acquireLeadership, type Leadership } from "../client/election/leader_election.ts";
import type { Client } from "../client/client.ts";
import { systemClock } from "../client/clock.ts";
import { createHttpsClient, type HttpsClientOptions } from "../client/https.ts";
import { parseKubeconfig } from "../client/kubeconfig.ts";
import type { ComponentConfig } from "../component_flags.ts";
import { runControllerManager } from "../controller_manager/run.ts";
import type { HealthChecks } from "../api/text/health.ts";
import { formatDuration } from "../api/time.ts";
import { TIME_FIELDS } from "../kube_scheduler/config/process_part.ts";
import { runKubeScheduler } from "../kube_scheduler/run.ts";
import { type Log, stderrLog } from "../ports.ts";
import { type ComponentFace, jsonAnswer, metricsAnswer } from "../serving/component_server.ts";
import { processMetrics } from "../serving/process_metrics.ts";
import { StartupError } from "../startup_error.ts";
import { serveComponent } from "./component_serving.ts";
import { Progress, type RunningCluster } from "./progress.ts";
import { readSchedulerConfig } from "./scheduler_file.ts";

const DEFAULT_KUBECONFIG = ".balsa/kubeconfig";

/** What a component does once it leads. */
interface Work {
  stop(): Promise<void>;
  /** @returns lines of /metrics. */
  metrics?(): readonly string[];
  /** @returns lines of /metrics/resources, for those who serve that. */
  podResources?(): readonly string[];
}

/** What starts once this process leads. */
interface Component {
  /** Of the lease, as upstream names it. */
  readonly name: string;
  /** Where its health and metrics are, as upstream has it. */
  readonly port: number;
  readonly kubeconfig: string;
  readonly election: ElectionConfig;
  /** What it tells beside health and metrics, by path. @param work null before it leads */
  readonly documents?: (work: () => Work | null) => ComponentFace["documents"];
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
    kubeconfig: config.kubeconfig ?? DEFAULT_KUBECONFIG,
    election: electionOf(config.election),
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
  const kubeconfig = config.kubeconfig ?? loaded.process.kubeconfig ?? DEFAULT_KUBECONFIG;
  const election = mergeElection(config, loaded.process.election);
  return await bringUpComponent(config, say, {
    name,
    port: 10_259,
    kubeconfig,
    election,
    documents: (work) => ({
      "/configz": () =>
        jsonAnswer({
          componentconfig: {
            ...loaded.document,
            leaderElection: describeElection(election, name),
            clientConnection: { kubeconfig, contentType: "application/json" },
          },
        }),
      "/metrics/resources": () => metricsAnswer(work()?.podResources?.() ?? []),
    }),
    start: ({ client, log }) =>
      runKubeScheduler({
        client,
        clock: systemClock,
        config: loaded.config,
        log: (message, fields) => log("warn", message, fields),
      }),
  });
}

/** What flags say goes before what the file says. Errors: throws StartupError. */
function mergeElection(
  { election, schedulerConfig }: ComponentConfig,
  inFile: ElectionWish,
): ElectionConfig {
  const merged = electionOf(mergeWishes(election, inFile));
  const problem = merged.leaderElect ? problemOfTimes(merged) : null;
  if (problem === null) return merged;
  const { name, message } = wordProblem(problem, TIME_FIELDS);
  throw new StartupError(
    `${schedulerConfig}: ${name}: ${message}`,
    "correct it there, or by a --leader-elect flag",
  );
}

/** As a LeaderElectionConfiguration. */
function describeElection(election: ElectionConfig, name: string): object {
  const duration = (seconds: number) => formatDuration(seconds * 1e9);
  return {
    leaderElect: election.leaderElect,
    leaseDuration: duration(election.durationSeconds),
    renewDeadline: duration(election.renewSeconds),
    retryPeriod: duration(election.retrySeconds),
    resourceLock: "leases",
    resourceName: election.name ?? name,
    resourceNamespace: election.namespace,
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
  const { election } = component;
  const options = await readKubeconfig(component.kubeconfig);
  const client = createHttpsClient({ ...options, userAgent: component.name });
  const giveUp = new AbortController();
  const failed = Promise.withResolvers<Error>();
  const standing: Standing = { leadership: null, isLost: false, work: null };
  const open = await serveComponent(config.serving, {
    defaultPort: component.port,
    face: faceOf(component, standing),
    client,
    log,
  });
  const work = async () => {
    if (election.leaderElect) {
      standing.leadership = await acquireLeadership({
        client,
        clock: systemClock,
        ...election,
        name: election.name ?? component.name,
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
  { name, documents, election: { leaderElect } }: Component,
  standing: Standing,
): ComponentFace {
  const leads = () => leaderElect ? standing.leadership !== null && !standing.isLost : null;
  const leaderElection = () => standing.isLost ? "the lead is lost" : null;
  const lead: HealthChecks = leaderElect ? { leaderElection } : {};
  const isSynced = () => standing.work === null ? "handlers are not fully synchronized" : null;
  return {
    health: {
      healthz: lead,
      livez: {},
      readyz: { ...lead, "informer-sync": isSynced },
    },
    documents: {
      "/metrics": () =>
        metricsAnswer([
          ...processMetrics({ name, leads: leads() }),
          ...standing.work?.metrics?.() ?? [],
        ]),
      ...documents?.(() => standing.work),
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
