/**
 * What to do next for one pod: the kubelet's whole decision, as a function.
 * In: the pod, what the runtime shows of it, what is remembered, the time. Out: actions for
 * `perform.ts`, in order, and when to look again. After they ran, the pod is observed and planned
 * anew, so a plan needs only the next steps.
 * Never: I/O (PURE). Source: kubelet's computePodActions and pod lifecycle documentation.
 */
import type { KubeObject } from "../api/meta.ts";
import type { Container, Sandbox } from "./runtime_port.ts";
import {
  containersOf,
  currentSandbox,
  type Observed,
  type PodMemory,
  restartAtMillis,
  retryAtMillis,
  runsOf,
  shouldRestart,
  type SpecContainer,
} from "./pod_state.ts";

export type PodAction =
  | { readonly kind: "runSandbox"; readonly attempt: number }
  | { readonly kind: "stopSandbox"; readonly id: string }
  | { readonly kind: "removeSandbox"; readonly id: string }
  | {
    readonly kind: "startContainer";
    readonly sandboxId: string;
    readonly container: SpecContainer;
    readonly attempt: number;
    readonly isRestart: boolean;
  }
  | {
    readonly kind: "stopContainer";
    readonly container: Container;
    readonly graceSeconds: number;
    readonly reason: string;
  }
  | { readonly kind: "removeContainer"; readonly id: string }
  /** The API server may forget the pod: nothing of it is left on this machine. */
  | { readonly kind: "deletePod" };

export interface PodPlan {
  readonly actions: readonly PodAction[];
  /** Look again then even if nothing happens; null = only when something does. */
  readonly wakeAtMillis: number | null;
}

const DEFAULT_GRACE_SECONDS = 30;
const NOTHING: PodPlan = { actions: [], wakeAtMillis: null };

export function planPod(
  pod: KubeObject,
  observed: Observed,
  memory: PodMemory,
  nowMillis: number,
): PodPlan {
  if (pod.metadata.deletionTimestamp !== undefined) return planTeardown(pod, observed, true);
  const phase = pod.status?.phase;
  if (phase === "Succeeded" || phase === "Failed") return planTeardown(pod, observed, false);
  return planRunning(pod, observed, memory, nowMillis);
}

/** Stops containers, then sandboxes; a deleted pod's remains are removed as well. */
function planTeardown(pod: KubeObject, observed: Observed, remove: boolean): PodPlan {
  const running = observed.containers.filter((one) => one.state === "running");
  if (running.length > 0) {
    const graceSeconds = graceOf(pod);
    return planOf(running.map((container) => ({
      kind: "stopContainer",
      container,
      graceSeconds,
      reason: "Killing",
    })));
  }
  const ready = observed.sandboxes.filter((one) => one.ready);
  if (ready.length > 0) return planOf(ready.map(({ id }) => ({ kind: "stopSandbox", id })));
  if (!remove) return NOTHING;
  if (observed.containers.length + observed.sandboxes.length > 0) {
    return planOf([
      ...observed.containers.map(({ id }) => ({ kind: "removeContainer", id }) as const),
      ...observed.sandboxes.map(({ id }) => ({ kind: "removeSandbox", id }) as const),
    ]);
  }
  return planOf([{ kind: "deletePod" }]);
}

function graceOf(pod: KubeObject): number {
  return pod.metadata.deletionGracePeriodSeconds ?? pod.spec.terminationGracePeriodSeconds ??
    DEFAULT_GRACE_SECONDS;
}

function planRunning(
  pod: KubeObject,
  observed: Observed,
  memory: PodMemory,
  nowMillis: number,
): PodPlan {
  const sandbox = currentSandbox(observed);
  if (sandbox === null || !sandbox.ready) {
    return planSandbox(pod, observed, memory, { sandbox, nowMillis });
  }
  const draft = new Draft(memory, nowMillis, sandbox.id);
  for (const container of containersOf(pod)) {
    const [latest, , ...old] = runsOf(observed, container.name);
    for (const run of old) draft.actions.push({ kind: "removeContainer", id: run.id });
    const mayGoOn = draft.consider(pod, container, latest);
    if (!mayGoOn) break;
  }
  return { actions: draft.actions, wakeAtMillis: draft.wakeAtMillis };
}

/** A pod without a living sandbox gets one, unless everything in it has run its course. */
function planSandbox(
  pod: KubeObject,
  observed: Observed,
  memory: PodMemory,
  { sandbox, nowMillis }: { readonly sandbox: Sandbox | null; readonly nowMillis: number },
): PodPlan {
  const stillNeeded = containersOf(pod).some((container) => {
    const [latest] = runsOf(observed, container.name);
    if (container.role !== "main") return false;
    return latest === undefined || latest.state !== "exited" ||
      shouldRestart(pod, container, latest.exitCode);
  });
  if (!stillNeeded) return NOTHING;
  if (memory.sandboxFailure !== null) {
    const retryAt = retryAtMillis(memory.sandboxFailure);
    if (retryAt > nowMillis) return { actions: [], wakeAtMillis: retryAt };
  }
  const dead = observed.containers.filter((one) => one.state === "running");
  return planOf([
    ...dead.map((container) =>
      ({ kind: "stopContainer", container, graceSeconds: 0, reason: "SandboxChanged" }) as const
    ),
    ...(sandbox === null ? [] : [{ kind: "stopSandbox", id: sandbox.id } as const]),
    { kind: "runSandbox", attempt: sandbox === null ? 0 : sandbox.attempt + 1 },
  ]);
}

/** Collects the actions of one pass over a pod's containers. */
class Draft {
  readonly actions: PodAction[] = [];
  wakeAtMillis: number | null = null;

  constructor(
    readonly memory: PodMemory,
    readonly nowMillis: number,
    readonly sandboxId: string,
  ) {}

  /** @returns whether containers after this one may start. */
  consider(pod: KubeObject, container: SpecContainer, latest: Container | undefined): boolean {
    const isInit = container.role !== "main";
    if (latest === undefined || (isInit && latest.sandboxId !== this.sandboxId)) {
      this.#start(container, latest, latest === undefined ? 0 : latest.attempt + 1);
      return !isInit;
    }
    if (latest.state === "running") return this.#considerRunning(pod, container, latest);
    if (latest.state === "created") {
      // Left behind by a kubelet that stopped between create and start.
      this.actions.push({ kind: "removeContainer", id: latest.id });
      this.#start(container, undefined, latest.attempt);
      return !isInit;
    }
    if (container.role === "init" && latest.exitCode === 0) return true;
    if (!shouldRestart(pod, container, latest.exitCode)) return !isInit;
    this.#restart(container, latest);
    return !isInit;
  }

  #considerRunning(pod: KubeObject, container: SpecContainer, latest: Container): boolean {
    const probe = this.memory.probes.get(latest.id);
    if (probe !== undefined && probe.killReason !== "") {
      const graceSeconds = graceOf(pod);
      const reason = probe.killReason;
      this.actions.push({ kind: "stopContainer", container: latest, graceSeconds, reason });
      return true;
    }
    if (container.role === "init") return false;
    return container.role === "main" || container.spec.startupProbe === undefined ||
      probe?.started === true;
  }

  #restart(container: SpecContainer, latest: Container): void {
    const dueAt = restartAtMillis(this.memory, container.name, latest.finishedAtMillis);
    if (dueAt > this.nowMillis) this.#wakeAt(dueAt);
    else this.#start(container, latest, latest.attempt + 1);
  }

  #start(container: SpecContainer, latest: Container | undefined, attempt: number): void {
    const failure = this.memory.failures.get(container.name);
    if (failure !== undefined && retryAtMillis(failure) > this.nowMillis) {
      this.#wakeAt(retryAtMillis(failure));
      return;
    }
    this.actions.push({
      kind: "startContainer",
      sandboxId: this.sandboxId,
      container,
      attempt,
      isRestart: latest !== undefined,
    });
  }

  #wakeAt(millis: number): void {
    this.wakeAtMillis = Math.min(this.wakeAtMillis ?? Infinity, millis);
  }
}

function planOf(actions: readonly PodAction[]): PodPlan {
  return { actions, wakeAtMillis: null };
}
