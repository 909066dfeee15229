/**
 * The nodes of `balsa up`: this machine where a container runtime answers, hollow ones otherwise.
 * In: the flags, clients, a clock. Out: running nodes, and the kubelets that the API server asks.
 * Never: runs a pod itself; the kubelet and the hollow fleet do.
 */
import { join, resolve } from "node:path";
import type {
  ByteDuplex,
  ExecOutcome,
  ExecStreams,
  KubeletPort,
  KubeletRequest,
} from "./apiserver/mod.ts";
import type { Client } from "./client/client.ts";
import type { Clock } from "./client/clock.ts";
import type { UpConfig } from "./config.ts";
import { connectCri } from "./kubelet/cri/cri_client.ts";
import { runHollowNodes } from "./kubelet/hollow/run.ts";
import { readMachine } from "./kubelet/node.ts";
import { runKubelet } from "./kubelet/run.ts";
import type { ContainerRuntime } from "./kubelet/runtime_port.ts";
import type { KubeletServer } from "./kubelet/server.ts";
import type { Log } from "./ports.ts";
import { StartupError } from "./startup_error.ts";
import { KUBELET_VERSION } from "./version.ts";

/** Where runtimes usually listen; the first that answers is taken. */
const USUAL_SOCKETS = ["/run/crio/crio.sock", "/run/containerd/containerd.sock"];
const HOLLOW_WITHOUT_RUNTIME = 3;

export interface NodesContext {
  readonly clientOf: (component: string) => Client;
  readonly clock: Clock;
  readonly kubelets: KubeletDirectory;
  /** Where pods of this machine reach the API server. */
  readonly apiUrl: string;
  readonly log: Log;
}

export interface RunningNodes {
  /** What to tell the user. */
  readonly detail: string;
  stop(): Promise<void>;
}

/** Errors: rejects with StartupError when the socket asked for does not answer. */
export async function startNodes(config: UpConfig, context: NodesContext): Promise<RunningNodes> {
  const found = await findRuntime(config.cri);
  const hollowCount = config.hollowNodes ?? (found === null ? HOLLOW_WITHOUT_RUNTIME : 0);
  const stops: (() => Promise<void>)[] = [];
  const told: string[] = [];
  if (found !== null) {
    const { name, stop } = await startKubelet(found, config, context);
    stops.push(stop);
    told.push(`${name} runs pods with ${found.identity.name} ${found.identity.version}`);
  } else if (config.cri.kind === "auto") told.push("no container runtime answers");
  if (hollowCount > 0) {
    const fleet = await startHollow(hollowCount, context);
    context.kubelets.addFleet((name) => fleet.resourceMetrics(name));
    stops.push(() => fleet.stop());
    told.push(`${hollowCount} hollow node${hollowCount === 1 ? "" : "s"}, which run nothing`);
  }
  return {
    detail: told.join("; ") || "none",
    stop: async () => {
      await Promise.all(stops.map((stop) => stop()));
    },
  };
}

interface FoundRuntime {
  readonly runtime: ContainerRuntime;
  readonly identity: { readonly name: string; readonly version: string };
}

/** Errors: rejects with StartupError when the socket asked for does not answer. */
export async function findRuntime(cri: UpConfig["cri"]): Promise<FoundRuntime | null> {
  if (cri.kind === "none") return null;
  const paths = cri.kind === "socket" ? [cri.path] : USUAL_SOCKETS;
  for (const path of paths) {
    if (!await exists(path)) continue;
    const runtime = connectCri(path);
    try {
      return { runtime, identity: await runtime.version() };
    } catch (error) {
      runtime.close();
      if (cri.kind === "socket") throw noRuntime(path, error);
    }
  }
  if (cri.kind === "socket") throw noRuntime(cri.path, new Error("no such socket"));
  return null;
}

function noRuntime(path: string, error: unknown): StartupError {
  const why = error instanceof Error ? error.message : String(error);
  return new StartupError(
    `no container runtime answers at unix://${path}: ${why}`,
    "start CRI-O or containerd, or choose --cri none for hollow nodes only",
  );
}

async function exists(path: string): Promise<boolean> {
  try {
    await Deno.stat(path);
    return true;
  } catch {
    return false;
  }
}

async function startKubelet(
  { runtime, identity }: FoundRuntime,
  config: UpConfig,
  { apiUrl, clientOf, clock, kubelets, log }: NodesContext,
) {
  const name = Deno.hostname().toLowerCase();
  const root = resolve(join(config.dataDir, "kubelet"));
  const { hostname, port } = new URL(apiUrl);
  const kubelet = await runKubelet({
    client: clientOf("kubelet"),
    runtime,
    clock,
    identity: { name, runtime: identity, kubeletVersion: KUBELET_VERSION },
    facts: readMachine(),
    root,
    logRoot: join(root, "logs"),
    dns: { clusterServers: [], clusterDomain: "cluster.local" },
    apiServer: { host: hostname, port: Number(port) },
    log,
  });
  kubelets.add(name, kubelet.server);
  return { name, stop: () => kubelet.stop() };
}

async function startHollow(count: number, { clientOf, clock, log }: NodesContext) {
  const fleet = runHollowNodes({
    client: clientOf("hollow-nodes"),
    clock,
    config: { nodes: count },
    onFailure: (where, error) => log("warn", `hollow nodes: ${where}: ${error.message}`),
  });
  await fleet.ready;
  return fleet;
}

/** The kubelets of this process, as the API server reaches them. */
export class KubeletDirectory implements KubeletPort {
  readonly #servers = new Map<string, KubeletServer>();
  #fleetMetrics: (nodeName: string) => string | undefined = () => undefined;

  add(nodeName: string, server: KubeletServer): void {
    this.#servers.set(nodeName, server);
  }

  knows(nodeName: string): boolean {
    return this.#servers.has(nodeName);
  }

  /** @param metrics what hollow nodes would use */
  addFleet(metrics: (nodeName: string) => string | undefined): void {
    this.#fleetMetrics = metrics;
  }

  async resourceMetrics(nodeName: string): Promise<string | null> {
    return await this.#servers.get(nodeName)?.resourceMetrics() ??
      this.#fleetMetrics(nodeName) ?? null;
  }

  logs(request: KubeletRequest, signal: AbortSignal): Promise<ReadableStream<Uint8Array>> {
    return this.#with(request, (server) => server.logs(request, signal));
  }

  exec(request: KubeletRequest, streams: ExecStreams): Promise<ExecOutcome> {
    return this.#with(request, (server) => server.exec(request, streams));
  }

  attach(request: KubeletRequest, streams: ExecStreams): Promise<ExecOutcome> {
    return this.#with(request, (server) => server.attach(request, streams));
  }

  portForward(request: KubeletRequest, port: number): Promise<ByteDuplex> {
    return this.#with(request, (server) => server.portForward(request, port));
  }

  #with<T>(request: KubeletRequest, use: (server: KubeletServer) => Promise<T>): Promise<T> {
    const server = this.#servers.get(request.nodeName);
    if (server !== undefined) return use(server);
    return Promise.reject(new Error(`node ${request.nodeName} is none of this process`));
  }
}
