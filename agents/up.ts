/**
 * `balsa up`: store, API server, controllers, scheduler and nodes of one machine in one process.
 * In: a checked UpConfig and where to say things. Out: a running cluster and how to stop it.
 * Never: decides anything of the cluster's; it starts parts in order and stops them in reverse.
 */
import { join, resolve } from "node:path";
import type { UserInfo } from "./api/meta.ts";
import type { Client } from "./client/client.ts";
import { systemClock } from "./client/clock.ts";
import { createInProcessClient } from "./client/in_process.ts";
import type { UpConfig } from "./config.ts";
import { runControllerManager } from "./controller_manager/run.ts";
import { runKubeScheduler } from "./kube_scheduler/run.ts";
import { KubeletDirectory, startNodes } from "./nodes.ts";
import { stderrLog } from "./ports.ts";
import { startApiServer } from "./up/api_server.ts";
import { openDatastore } from "./up/datastore.ts";
import { type Part, Progress, type RunningCluster, runParts } from "./up/progress.ts";
import { readSchedulerConfig } from "./up/scheduler_file.ts";

const NOT_STARTED: string | null = "not started";

/**
 * Brings the cluster up.
 * @param say prints one line to the user
 * Errors: rejects with StartupError; parts already started are stopped first.
 */
export async function bringUp(
  config: UpConfig,
  say: (line: string) => void,
): Promise<RunningCluster> {
  const progress = new Progress(say);
  const running = await runParts((parts) => start(config, parts, progress));
  const { dataDir, kubeconfig } = config;
  progress.ready([
    ["kubeconfig", resolve(kubeconfig)],
    ["try", `kubectl --kubeconfig ${kubeconfig} get nodes -o wide`],
    ["stop", `Ctrl-C; everything is kept in ${dataDir}`],
  ]);
  return running;
}

async function start(config: UpConfig, parts: Part[], progress: Progress): Promise<void> {
  const log = stderrLog("warn");
  const store = await progress.step("store", async () => {
    const value = await openDatastore(config);
    return { value, detail: value.detail };
  });
  parts.push({ name: "store", stop: () => store.value.close() });
  const kubelets = new KubeletDirectory();
  let metrics: () => readonly string[] = () => [];
  const health = new Map([["controller-manager", NOT_STARTED], ["scheduler", NOT_STARTED]]);
  const server = await progress.step(
    "API server",
    () =>
      startApiServer({ ...config, pkiDirectory: join(config.dataDir, "pki") }, {
        datastore: store.value,
        kubelets,
        components: () => Array.from(health, ([name, problem]) => ({ name, problem })),
        metrics: () => metrics(),
        log,
      }),
  );
  const { api, url } = server.value;
  parts.push({ name: "API server", stop: () => api.close() });
  const clientOf = (name: string): Client =>
    createInProcessClient({ port: api.port, user: componentUser(name) });
  const clock = systemClock;

  await progress.step("controllers", async () => {
    const manager = runControllerManager({
      client: clientOf("kube-controller-manager"),
      clock,
      config: { caPem: api.pki.ca.certificate },
      onFailure: (where, failure) => log("warn", `${where}: ${describe(failure)}`),
    });
    parts.push({ name: "controllers", stop: () => manager.stop() });
    await manager.ready;
    health.set("controller-manager", null);
    return { value: manager, detail: "watching" };
  });

  await progress.step("scheduler", async () => {
    const client = clientOf("kube-scheduler");
    const loaded = await readSchedulerConfig(config.schedulerConfig);
    const scheduler = await runKubeScheduler({
      client,
      clock,
      config: loaded.config,
      log: (message, fields) => log("warn", message, fields),
    });
    parts.push({ name: "scheduler", stop: () => scheduler.stop() });
    health.set("scheduler", null);
    metrics = () => scheduler.metrics();
    const detail = [...scheduler.scheduler.profiles.keys()].join(", ");
    return { value: scheduler, detail };
  });

  await progress.step("nodes", async () => {
    const nodes = await startNodes(config, { clientOf, clock, kubelets, apiUrl: url, log });
    parts.push({ name: "nodes", stop: () => nodes.stop() });
    return { value: nodes, detail: nodes.detail };
  });
}

/** Components of this process are trusted as the machine's administrator made them. */
function componentUser(name: string): UserInfo {
  return { name: `system:${name}`, groups: ["system:masters", "system:authenticated"] };
}

function describe(failure: unknown): string {
  return failure instanceof Error ? failure.message : JSON.stringify(failure);
}
