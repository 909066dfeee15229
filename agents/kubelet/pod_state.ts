/**
 * What the kubelet knows of one pod beside its spec: what the runtime shows and what it remembers.
 * In: sandboxes and containers as listed. Out: the newest of each name, crash and pull back-offs.
 * Never: I/O or a clock; the time comes as an argument (PURE).
 * Source: kubelet's back-off of 10 s doubling to 5 min, forgotten after 10 min of quiet.
 */
import type { KubeObject } from "../api/meta.ts";
import type { Container, Sandbox } from "./runtime_port.ts";

/** The runtime's view of one pod. */
export interface Observed {
  readonly sandboxes: readonly Sandbox[];
  readonly containers: readonly Container[];
}

export interface StartFailure {
  /** ErrImagePull, CreateContainerError, RunContainerError, CreateContainerConfigError. */
  readonly reason: string;
  readonly message: string;
  readonly atMillis: number;
  readonly count: number;
}

export interface ProbeState {
  readonly started: boolean;
  readonly ready: boolean;
  /** Set when a liveness or startup probe gave up: the container must be restarted. */
  readonly killReason: string;
}

/** What must survive from one sync to the next, but not a restart of the kubelet. */
export interface PodMemory {
  readonly crashes: Map<string, { readonly delayMillis: number; readonly startedMillis: number }>;
  readonly failures: Map<string, StartFailure>;
  /** By container id. */
  readonly probes: Map<string, ProbeState>;
  sandboxFailure: StartFailure | null;
}

export function newPodMemory(): PodMemory {
  return { crashes: new Map(), failures: new Map(), probes: new Map(), sandboxFailure: null };
}

const FIRST_DELAY_MILLIS = 10_000;
const LONGEST_DELAY_MILLIS = 300_000;
const FORGET_AFTER_MILLIS = 600_000;

/** A container of the spec, with the part it plays. */
export interface SpecContainer {
  readonly name: string;
  readonly role: "init" | "sidecar" | "main";
  readonly spec: KubeObject["spec"];
}

/** All containers of a pod in the order in which they start. */
export function containersOf(pod: KubeObject): SpecContainer[] {
  const inits = (pod.spec.initContainers ?? []).map((spec: KubeObject["spec"]) => ({
    name: spec.name,
    role: spec.restartPolicy === "Always" ? "sidecar" : "init",
    spec,
  }));
  const mains = (pod.spec.containers ?? []).map((spec: KubeObject["spec"]) => ({
    name: spec.name,
    role: "main",
    spec,
  }));
  return [...inits, ...mains];
}

/** @returns the sandbox in use, or the newest dead one, or null. */
export function currentSandbox(observed: Observed): Sandbox | null {
  return observed.sandboxes.reduce<Sandbox | null>((best, one) => {
    if (best === null || one.ready !== best.ready) return best?.ready ? best : one;
    return one.attempt > best.attempt ? one : best;
  }, null);
}

/** @returns the container's runs, newest first. */
export function runsOf(observed: Observed, name: string): Container[] {
  return observed.containers.filter((one) => one.name === name)
    .sort((a, b) => b.attempt - a.attempt || b.createdAtMillis - a.createdAtMillis);
}

/** Whether a stopped container is to run again. */
export function shouldRestart(
  pod: KubeObject,
  container: SpecContainer,
  exitCode: number,
): boolean {
  if (container.role === "sidecar") return true;
  const policy = pod.spec.restartPolicy ?? "Always";
  if (container.role === "init") return exitCode !== 0 && policy !== "Never";
  return policy === "Always" || (policy === "OnFailure" && exitCode !== 0);
}

/** When a container that stopped at `finishedAtMillis` may start again. */
export function restartAtMillis(memory: PodMemory, name: string, finishedAtMillis: number): number {
  const crash = memory.crashes.get(name);
  return crash === undefined ? finishedAtMillis : finishedAtMillis + crash.delayMillis;
}

/** A restart happened: the next one waits twice as long, unless this one lasts. */
export function noteRestart(memory: PodMemory, name: string, nowMillis: number): void {
  const crash = memory.crashes.get(name);
  const forgotten = crash === undefined || nowMillis - crash.startedMillis > FORGET_AFTER_MILLIS;
  const delayMillis = forgotten
    ? FIRST_DELAY_MILLIS
    : Math.min(crash.delayMillis * 2, LONGEST_DELAY_MILLIS);
  memory.crashes.set(name, { delayMillis, startedMillis: nowMillis });
}

/** When a failed start (image, config) may be tried again. */
export function retryAtMillis(failure: StartFailure): number {
  const delay = FIRST_DELAY_MILLIS * 2 ** Math.min(failure.count - 1, 10);
  return failure.atMillis + Math.min(delay, LONGEST_DELAY_MILLIS);
}
