/**
 * `balsa up`: store, API server, controllers, scheduler and nodes of one machine in one process.
 * In: a checked UpConfig and where to say things. Out: a running cluster and how to stop it.
 * Never: decides anything of the cluster's; it starts parts in order and stops them in reverse.
 */
import { join, resolve } from "node:path";
import type { UserInfo } from "./api/meta.ts";
import {
  type ApiServer,
  type ApiServerPorts,
  createApiServer,
  DEFAULT_CONFIG,
  randomFrom,
  writeKubeconfig,
} from "./apiserver/mod.ts";
import type { Client } from "./client/client.ts";
import { systemClock } from "./client/clock.ts";
import { createInProcessClient } from "./client/in_process.ts";
import type { UpConfig } from "./config.ts";
import { runControllerManager } from "./controller_manager/run.ts";
import { runKubeScheduler } from "./kube_scheduler/run.ts";
import { KubeletDirectory, startNodes } from "./nodes.ts";
import { type Log, realClock, stderrLog } from "./ports.ts";
import { StartupError } from "./startup_error.ts";
import { type Datastore, openDatastore } from "./up/datastore.ts";
import { readSecurity } from "./up/security_files.ts";
import { parseTokenFile, type TokenEntry } from "./token_file.ts";

export interface RunningCluster {
  /** Resolves when a part failed in a way that the cluster can't go on from. */
  readonly failed: Promise<Error>;
  /** Stops everything, newest part first. */
  stop(): Promise<void>;
}

const NOT_STARTED: string | null = "not started";

/** A part that was started, by name. */
interface Part {
  readonly name: string;
  readonly stop: () => void | Promise<void>;
}

/**
 * Brings the cluster up.
 * @param say prints one line to the user
 * Errors: rejects with StartupError; parts already started are stopped first.
 */
export async function bringUp(
  config: UpConfig,
  say: (line: string) => void,
): Promise<RunningCluster> {
  const parts: Part[] = [];
  const stop = async () => {
    for (const part of parts.splice(0).reverse()) await part.stop();
  };
  const progress = new Progress(say);
  try {
    await start(config, parts, progress);
  } catch (error) {
    await stop();
    throw error;
  }
  progress.ready(config);
  return { failed: new Promise(() => {}), stop };
}

async function start(config: UpConfig, parts: Part[], progress: Progress): Promise<void> {
  const log = stderrLog("warn");
  const store = await progress.step("store", async () => {
    const value = await openDatastore(config);
    return { value, detail: value.detail };
  });
  parts.push({ name: "store", stop: () => store.value.close() });
  const kubelets = new KubeletDirectory();
  const health = new Map([["controller-manager", NOT_STARTED], ["scheduler", NOT_STARTED]]);
  const server = await progress.step("API server", () =>
    startApiServer(config, {
      datastore: store.value,
      kubelets,
      components: () => Array.from(health, ([name, problem]) => ({ name, problem })),
      log,
    }));
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
    const scheduler = await runKubeScheduler({
      client,
      clock,
      log: (message, fields) => log("warn", message, fields),
    });
    parts.push({ name: "scheduler", stop: () => scheduler.stop() });
    health.set("scheduler", null);
    return { value: scheduler, detail: "default-scheduler" };
  });

  await progress.step("nodes", async () => {
    const nodes = await startNodes(config, { clientOf, clock, kubelets, apiUrl: url, log });
    parts.push({ name: "nodes", stop: () => nodes.stop() });
    return { value: nodes, detail: nodes.detail };
  });
}

async function startApiServer(config: UpConfig, { datastore, kubelets, components, log }: {
  readonly datastore: Datastore;
  readonly kubelets: KubeletDirectory;
  readonly components: NonNullable<ApiServerPorts["components"]>;
  readonly log: Log;
}): Promise<Step<{ readonly api: ApiServer; readonly url: string }>> {
  const api = await createApiServer({
    ...DEFAULT_CONFIG,
    bindAddress: config.bind,
    port: config.port,
    pkiDirectory: join(config.dataDir, "pki"),
    staticTokens: await readTokens(config.tokenAuthFile),
    ...await readSecurity(config.security),
    enabledAdmission: config.enabledAdmission,
    disabledAdmission: config.disabledAdmission,
    consistentReads: datastore.consistentReads,
  }, {
    store: datastore.store,
    kubelets,
    components,
    log,
    clock: { ...realClock, nowMillis: () => realClock.wallNow() },
    random: randomFrom((bytes) => crypto.getRandomValues(bytes as Uint8Array<ArrayBuffer>)),
  });
  try {
    const port = await api.listen();
    const host = config.bind.includes(":") ? `[${config.bind}]` : config.bind;
    const url = `https://${host}:${port}`;
    await writeKubeconfig(config.kubeconfig, {
      server: url,
      ca: api.pki.ca.certificate,
      client: api.pki.admin,
    });
    return { value: { api, url }, detail: url };
  } catch (error) {
    await api.close();
    if (isAddressInUse(error)) {
      throw new StartupError(
        `port ${config.port} of ${config.bind} is already in use`,
        "stop what listens there, or choose another with --port (0 = any free one)",
      );
    }
    throw error;
  }
}

/** Errors: rejects with StartupError naming the file and every bad line. */
async function readTokens(path: string | null): Promise<readonly TokenEntry[]> {
  if (path === null) return [];
  const text = await Deno.readTextFile(path).catch((error: Error) => {
    throw new StartupError(
      `--token-auth-file ${path}: ${error.message}`,
      "name a file that can be read",
    );
  });
  const parsed = parseTokenFile(text);
  if (parsed.kind === "tokens") return parsed.tokens;
  throw new StartupError(
    `--token-auth-file ${path}: ${parsed.problems.join("; ")}`,
    "correct these lines",
  );
}

function isAddressInUse(error: unknown): boolean {
  return error instanceof Deno.errors.AddrInUse ||
    (error as { code?: string } | null)?.code === "EADDRINUSE";
}

/** Components of this process are trusted as the machine's administrator made them. */
function componentUser(name: string): UserInfo {
  return { name: `system:${name}`, groups: ["system:masters", "system:authenticated"] };
}

function describe(failure: unknown): string {
  return failure instanceof Error ? failure.message : JSON.stringify(failure);
}

/** What a step made, and what to tell the user of it. */
interface Step<T> {
  readonly value: T;
  readonly detail: string;
}

/** Says what is done as it is done, with times since the start. */
class Progress {
  readonly #say: (line: string) => void;
  readonly #started = performance.now();

  constructor(say: (line: string) => void) {
    this.#say = say;
  }

  async step<T>(name: string, run: () => Promise<Step<T>>): Promise<Step<T>> {
    const step = await run();
    const millis = Math.round(performance.now() - this.#started);
    this.#say(`${String(millis).padStart(6)} ms  ${name.padEnd(12)}${step.detail}`);
    return step;
  }

  /** The three lines that a user needs next. */
  ready({ dataDir, kubeconfig }: UpConfig): void {
    const seconds = ((performance.now() - this.#started) / 1000).toFixed(1);
    this.#say(`ready in ${seconds} s`);
    this.#say(`  kubeconfig  ${resolve(kubeconfig)}`);
    this.#say(`  try         kubectl --kubeconfig ${kubeconfig} get nodes -o wide`);
    this.#say(`  stop        Ctrl-C; everything is kept in ${dataDir}`);
  }
}
