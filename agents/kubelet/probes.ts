/**
 * Liveness, readiness and startup probes of running containers.
 * In: pods with their running containers. Out: ProbeState in each pod's memory, and a call when one
 * changed. Never: restarts anything; the plan reads the state and does.
 * Source: the probe fields of core/v1 (initialDelay, period, timeout, thresholds).
 */
import type { KubeObject } from "../api/meta.ts";
import type { PodMemory, ProbeState } from "./pod_state.ts";
import type { Container, ContainerRuntime } from "./runtime_port.ts";

type Spec = KubeObject["spec"];
type ProbeKind = "startupProbe" | "livenessProbe" | "readinessProbe";

export interface ProbeClock {
  after(delayMillis: number, callback: () => void): () => void;
}

/** One running container with what probing it needs. */
export interface ProbeTarget {
  readonly pod: KubeObject;
  readonly spec: Spec;
  readonly container: Container;
  readonly memory: PodMemory;
  readonly podIP: string;
  readonly onChange: () => void;
}

interface Count {
  successes: number;
  failures: number;
}

const KINDS: readonly ProbeKind[] = ["startupProbe", "livenessProbe", "readinessProbe"];

/** Runs the probes of all containers of this machine, one timer per probe. */
export class Prober {
  readonly #clock: ProbeClock;
  readonly #runtime: ContainerRuntime;
  /** By container id. */
  readonly #running = new Map<string, (() => void)[]>();

  constructor(clock: ProbeClock, runtime: ContainerRuntime) {
    this.#clock = clock;
    this.#runtime = runtime;
  }

  /** Starts probing; a container already probed is left alone. */
  start(target: ProbeTarget): void {
    const { id } = target.container;
    const kinds = KINDS.filter((kind) => target.spec[kind] !== undefined);
    if (kinds.length === 0 || this.#running.has(id)) return;
    target.memory.probes.set(id, {
      started: target.spec.startupProbe === undefined,
      ready: target.spec.readinessProbe === undefined &&
        target.spec.startupProbe === undefined,
      killReason: "",
    });
    const stops: (() => void)[] = [];
    this.#running.set(id, stops);
    for (const kind of kinds) stops.push(this.#loop(target, kind));
  }

  /** Forgets containers that no longer run. */
  keepOnly(containerIds: ReadonlySet<string>): void {
    for (const [id, stops] of this.#running) {
      if (containerIds.has(id)) continue;
      for (const stop of stops) stop();
      this.#running.delete(id);
    }
  }

  #loop(target: ProbeTarget, kind: ProbeKind): () => void {
    const probe = target.spec[kind];
    const count: Count = { successes: 0, failures: 0 };
    let cancel = () => {};
    let isStopped = false;
    const next = (delaySeconds: number) => {
      if (isStopped) return;
      cancel = this.#clock.after(delaySeconds * 1000, () => void turn());
    };
    const turn = async () => {
      const state = target.memory.probes.get(target.container.id);
      if (state === undefined || isStopped) return;
      const isDue = kind === "startupProbe" ? !state.started : state.started;
      if (isDue) this.#note(target, kind, count, await this.#probe(target, probe));
      next(probe.periodSeconds ?? 10);
    };
    next(probe.initialDelaySeconds ?? 0);
    return () => {
      isStopped = true;
      cancel();
    };
  }

  #note(target: ProbeTarget, kind: ProbeKind, count: Count, succeeded: boolean): void {
    const before = target.memory.probes.get(target.container.id);
    if (before === undefined) return;
    const probe = target.spec[kind];
    count.successes = succeeded ? count.successes + 1 : 0;
    count.failures = succeeded ? 0 : count.failures + 1;
    const after = probeVerdict(before, kind, {
      passed: count.successes >= (probe.successThreshold ?? 1),
      failed: count.failures >= (probe.failureThreshold ?? 3),
      hasReadiness: target.spec.readinessProbe !== undefined,
    });
    if (after === before) return;
    target.memory.probes.set(target.container.id, after);
    target.onChange();
  }

  async #probe(target: ProbeTarget, probe: Spec): Promise<boolean> {
    const timeoutMillis = (probe.timeoutSeconds ?? 1) * 1000;
    try {
      if (probe.exec) {
        const { command = [] } = probe.exec;
        const timeout = timeoutMillis / 1000;
        return (await this.#runtime.execSync(target.container.id, command, timeout)).exitCode === 0;
      }
      if (probe.httpGet) return await probeHttp(target, probe.httpGet, timeoutMillis);
      if (probe.tcpSocket) return await probeTcp(target, probe.tcpSocket, timeoutMillis);
      return true;
    } catch {
      return false;
    }
  }
}

/** @returns the same object when nothing changed. */
export function probeVerdict(
  before: ProbeState,
  kind: ProbeKind,
  { passed, failed, hasReadiness }: {
    readonly passed: boolean;
    readonly failed: boolean;
    readonly hasReadiness: boolean;
  },
): ProbeState {
  if (kind === "readinessProbe") {
    if (passed && !before.ready) return { ...before, ready: true };
    if (failed && before.ready) return { ...before, ready: false };
    return before;
  }
  if (failed && before.killReason === "") return { ...before, killReason: "Unhealthy" };
  if (kind === "startupProbe" && passed && !before.started) {
    return { ...before, started: true, ready: !hasReadiness };
  }
  return before;
}

function portOf(spec: Spec, port: number | string): number {
  if (typeof port === "number") return port;
  const named = (spec.ports ?? []).find((one: Spec) => one.name === port);
  return named?.containerPort ?? Number(port);
}

async function probeHttp(target: ProbeTarget, get: Spec, timeoutMillis: number): Promise<boolean> {
  const scheme = (get.scheme ?? "HTTP").toLowerCase();
  const host = get.host ?? target.podIP;
  const path = (get.path ?? "/").replace(/^(?!\/)/, "/");
  const headers = new Headers({ "user-agent": "kube-probe/1.36", accept: "*/*" });
  for (const { name, value } of get.httpHeaders ?? []) headers.set(name, value);
  const url = `${scheme}://${host.includes(":") ? `[${host}]` : host}:${
    portOf(target.spec, get.port)
  }${path}`;
  const response = await fetch(url, {
    headers,
    redirect: "manual",
    signal: AbortSignal.timeout(timeoutMillis),
  });
  await response.body?.cancel();
  return response.status >= 200 && response.status < 400;
}

async function probeTcp(target: ProbeTarget, socket: Spec, timeoutMillis: number) {
  const connection = await Deno.connect({
    hostname: socket.host ?? target.podIP,
    port: portOf(target.spec, socket.port),
    signal: AbortSignal.timeout(timeoutMillis),
  });
  connection.close();
  return true;
}
