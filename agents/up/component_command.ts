/**
 * `balsa controller-manager` and `balsa scheduler`: components apart from the API server, of which
 * any number may run; one of each works, by a lease.
 * In: a checked ComponentConfig. Out: a running component and how to stop it.
 * Never: works without the lease; a lead that is lost ends the process, which starts anew clean.
 */
import { acquireLeadership, type Leadership } from "../client/election/leader_election.ts";
import type { Client } from "../client/client.ts";
import { systemClock } from "../client/clock.ts";
import { createHttpsClient, type HttpsClientOptions } from "../client/https.ts";
import { parseKubeconfig } from "../client/kubeconfig.ts";
import type { ComponentConfig } from "../component_flags.ts";
import { runControllerManager } from "../controller_manager/run.ts";
import { runKubeScheduler } from "../kube_scheduler/run.ts";
import { type Log, stderrLog } from "../ports.ts";
import { StartupError } from "../startup_error.ts";
import { Progress, type RunningCluster } from "./progress.ts";
import { readSchedulerConfig } from "./scheduler_file.ts";

/** What starts once this process leads. */
interface Component {
  /** Of the lease, as upstream names it. */
  readonly name: string;
  readonly start: (parts: {
    readonly client: Client;
    readonly options: HttpsClientOptions;
    readonly log: Log;
  }) => Promise<{ stop(): Promise<void> }>;
}

/** Errors: rejects with StartupError. */
export function bringUpControllerManager(
  config: ComponentConfig,
  say: (line: string) => void,
): Promise<RunningCluster> {
  return bringUpComponent(config, say, {
    name: "kube-controller-manager",
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
  const schedulerConfig = await readSchedulerConfig(config.schedulerConfig);
  return await bringUpComponent(config, say, {
    name: "kube-scheduler",
    start: ({ client, log }) =>
      runKubeScheduler({
        client,
        clock: systemClock,
        config: schedulerConfig,
        log: (message, fields) => log("warn", message, fields),
      }),
  });
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
  let leadership: Leadership | null = null;
  let running: { stop(): Promise<void> } | null = null;
  const work = async () => {
    if (config.leaderElect) {
      leadership = await acquireLeadership({
        client,
        clock: systemClock,
        ...config.lease,
        name: config.lease.name ?? component.name,
        identity: `${Deno.hostname()}_${crypto.randomUUID()}`,
        onFailure: (error) => log("warn", "the lease can't be had", { error: error.message }),
      }, giveUp.signal);
      void leadership.lost.then(() => failed.resolve(new Error("the lead is lost")));
      say(`leading: ${component.name}`);
    }
    running = await component.start({ client, options, log });
  };
  work().catch((error) => failed.resolve(error instanceof Error ? error : new Error(`${error}`)));
  progress.ready([["server", options.server], ["stop", "Ctrl-C; another one may go on"]]);
  return {
    failed: failed.promise,
    async stop() {
      giveUp.abort();
      await running?.stop();
      await leadership?.resign();
      client.close();
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
