/**
 * What the API server asks of a kubelet: logs, exec, attach, port-forward, what is used.
 * In: a pod, a container's name, the request's query. Out: byte streams, sessions, figures.
 * Never: authorizes; the API server did. Errors: rejects with a message fit for the client.
 */
import { join } from "node:path";
import type { KubeObject } from "../api/meta.ts";
import { badRequest } from "../api/status.ts";
import { openPort, runSession } from "../spdy/client_sessions.ts";
import type { ByteDuplex, ExecOutcome, ExecStreams } from "../spdy/streams.ts";
import { openLog, parseLogOptions } from "./logs.ts";
import { type Observed, runsOf } from "./pod_state.ts";
import { containerLogPath, podLogFolder } from "./runtime_config.ts";
import type { Container, ContainerRuntime } from "./runtime_port.ts";
import { formatResourceMetrics, type Usage } from "./usage/resource_metrics.ts";

export interface KubeletServerOptions {
  readonly runtime: ContainerRuntime;
  readonly logRoot: string;
  readonly nowMillis: () => number;
  /** The runtime's state of one pod as of the last look. */
  readonly observe: (pod: KubeObject) => Observed;
  /** Every container of the machine's pods as of the last look, by id. */
  readonly containers: () => ReadonlyMap<string, PodContainer>;
  /** What the machine itself uses, now. */
  readonly machineUsage: (nowMillis: number) => Promise<Usage>;
}

/** A container of one of this machine's pods. */
export interface PodContainer {
  readonly pod: KubeObject;
  readonly container: Container;
}

export interface PodRequest {
  readonly pod: KubeObject;
  /** "" = the pod's only or default container. */
  readonly container: string;
  readonly query: URLSearchParams;
}

export class KubeletServer {
  readonly #options: KubeletServerOptions;

  constructor(options: KubeletServerOptions) {
    this.#options = options;
  }

  /** The log of one run of a container: the latest, or the one before with `previous`. */
  async logs(request: PodRequest, signal: AbortSignal): Promise<ReadableStream<Uint8Array>> {
    const { logRoot, nowMillis, observe } = this.#options;
    const name = containerName(request);
    const previous = request.query.get("previous") === "true";
    const run = runsOf(observe(request.pod), name)[previous ? 1 : 0];
    if (run === undefined) {
      throw badRequest(
        previous
          ? `previous terminated container "${name}" in pod "${request.pod.metadata.name}" not found`
          : `container "${name}" in pod "${request.pod.metadata.name}" is waiting to start: ` +
            waitingReason(request.pod, name),
      );
    }
    const hasEnded = () =>
      observe(request.pod).containers.find((one) => one.id === run.id)?.state !== "running";
    const options = parseLogOptions(request.query, nowMillis(), hasEnded);
    const path = join(logRoot, podLogFolder(request.pod), containerLogPath(name, run.attempt));
    return await openLog(path, options, signal);
  }

  /** What the machine and its pods use, as `/metrics/resource` tells it. */
  async resourceMetrics(): Promise<string> {
    const { containers, machineUsage, nowMillis, runtime } = this.#options;
    const [node, usages] = await Promise.all([
      machineUsage(nowMillis()),
      runtime.listUsage().catch(() => null),
    ]);
    const known = containers();
    const named = usages?.flatMap(({ containerId, ...usage }) => {
      const found = known.get(containerId);
      if (found?.container.state !== "running") return [];
      const { name = "", namespace = "" } = found.pod.metadata;
      const { name: container, startedAtMillis } = found.container;
      return [{ ...usage, namespace, pod: name, container, startedAtMillis }];
    });
    return formatResourceMetrics(node, named ?? null);
  }

  async exec(request: PodRequest, streams: ExecStreams): Promise<ExecOutcome> {
    const url = await this.#options.runtime.execUrl({
      containerId: this.#running(request).id,
      command: request.query.getAll("command"),
      ...wanted(request.query),
    });
    return await runSession(url, streams);
  }

  async attach(request: PodRequest, streams: ExecStreams): Promise<ExecOutcome> {
    const containerId = this.#running(request).id;
    const url = await this.#options.runtime.attachUrl({ containerId, ...wanted(request.query) });
    return await runSession(url, streams);
  }

  /** Opens a connection to one port of the pod. */
  async portForward(request: PodRequest, port: number): Promise<ByteDuplex> {
    const sandbox = this.#options.observe(request.pod).sandboxes.find((one) => one.ready);
    if (sandbox === undefined) {
      throw new Error(`pod "${request.pod.metadata.name}" has no running sandbox`);
    }
    return await openPort(await this.#options.runtime.portForwardUrl(sandbox.id, port), port);
  }

  #running(request: PodRequest): Container {
    const name = containerName(request);
    const [latest] = runsOf(this.#options.observe(request.pod), name);
    if (latest?.state !== "running") throw new Error(`container not found ("${name}")`);
    return latest;
  }
}

function wanted(query: URLSearchParams) {
  const flag = (name: string) => query.get(name) === "true" || query.get(name) === "1";
  const tty = flag("tty");
  return { tty, stdin: flag("stdin"), stdout: flag("stdout"), stderr: flag("stderr") && !tty };
}

function containerName({ container, pod }: PodRequest): string {
  if (container !== "") return container;
  const annotated = pod.metadata.annotations?.["kubectl.kubernetes.io/default-container"];
  return annotated ?? pod.spec.containers[0].name;
}

function waitingReason(pod: KubeObject, name: string): string {
  const statuses: KubeObject["status"][] = pod.status?.containerStatuses ?? [];
  return statuses.find((one) => one.name === name)?.state?.waiting?.reason ?? "ContainerCreating";
}
