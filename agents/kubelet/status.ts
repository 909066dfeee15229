/**
 * The status that the kubelet reports of a pod.
 * In: the pod, what the runtime shows of it, what is remembered, the time. Out: a PodStatus.
 * Never: I/O (PURE); conditions keep their transition times while their status stays.
 * Source: kubelet's generateAPIPodStatus and getPhase, pod lifecycle documentation.
 */
import type { Condition, KubeObject } from "../api/meta.ts";
import { formatDuration, formatTime } from "../api/time.ts";
import type { Container } from "./runtime_port.ts";
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

type JsonObject = Record<string, unknown>;

export interface ContainerStatus {
  readonly name: string;
  readonly state: Readonly<Record<"waiting" | "running" | "terminated", JsonObject | undefined>>;
  readonly lastState: JsonObject;
  readonly ready: boolean;
  readonly restartCount: number;
  readonly image: string;
  readonly imageID: string;
  readonly containerID?: string;
  readonly started: boolean;
}

/** Facts of the machine that a status shows, and the time. */
export interface StatusContext {
  readonly nowMillis: number;
  readonly hostIP: string;
  /** Scheme of container ids: the runtime's name. */
  readonly runtimeName: string;
}

export function podStatus(
  pod: KubeObject,
  observed: Observed,
  memory: PodMemory,
  context: StatusContext,
): JsonObject {
  const sandbox = currentSandbox(observed);
  const specs = containersOf(pod);
  const statuses = new Map(
    specs.map((spec) => [spec.name, containerStatus(pod, spec, { observed, memory, context })]),
  );
  const pick = (roles: readonly string[]) =>
    specs.filter((spec) => roles.includes(spec.role)).map((spec) => statuses.get(spec.name)!);
  const inits = pick(["init", "sidecar"]);
  const mains = pick(["main"]);
  const initialized = specs.every((spec) =>
    spec.role === "main" || isInitDone(spec, statuses.get(spec.name)!)
  );
  const phase = phaseOf(pod, mains, initialized);
  const ips = pod.spec.hostNetwork ? [context.hostIP] : sandbox?.ips ?? [];
  return {
    phase,
    hostIP: context.hostIP,
    hostIPs: [{ ip: context.hostIP }],
    ...(ips.length > 0 ? { podIP: ips[0], podIPs: ips.map((ip) => ({ ip })) } : {}),
    startTime: pod.status?.startTime ?? formatTime(context.nowMillis),
    ...(inits.length > 0 ? { initContainerStatuses: inits } : {}),
    containerStatuses: mains,
    conditions: conditionsOf(pod, [...mains, ...pick(["sidecar"])], {
      phase,
      initialized,
      sandboxReady: sandbox?.ready === true,
      nowMillis: context.nowMillis,
    }),
  };
}

function isInitDone(spec: SpecContainer, status: ContainerStatus): boolean {
  if (spec.role === "sidecar") return status.started;
  return status.state.terminated?.exitCode === 0;
}

function phaseOf(pod: KubeObject, mains: readonly ContainerStatus[], initialized: boolean): string {
  const policy = pod.spec.restartPolicy ?? "Always";
  const hasRun = (one: ContainerStatus) => one.lastState.terminated !== undefined;
  if (!initialized && !mains.some((one) => one.state.running || hasRun(one))) {
    const failedInit = policy === "Never" &&
      (pod.spec.initContainers ?? []).length > 0 && pod.status?.phase === "Failed";
    return failedInit ? "Failed" : "Pending";
  }
  if (mains.some((one) => one.state.running)) return "Running";
  if (mains.some((one) => one.state.waiting && !hasRun(one))) return "Pending";
  if (policy === "Always" || mains.some((one) => one.state.waiting)) return "Running";
  return mains.every((one) => one.state.terminated?.exitCode === 0) ? "Succeeded" : "Failed";
}

interface StatusInput {
  readonly observed: Observed;
  readonly memory: PodMemory;
  readonly context: StatusContext;
}

function containerStatus(
  pod: KubeObject,
  spec: SpecContainer,
  { observed, memory, context }: StatusInput,
): ContainerStatus {
  const [latest, previous] = runsOf(observed, spec.name);
  const base = {
    name: spec.name,
    image: latest?.image || spec.spec.image,
    imageID: latest?.imageId ?? "",
    restartCount: latest === undefined ? 0 : latest.attempt,
    ...(latest === undefined ? {} : { containerID: `${context.runtimeName}://${latest.id}` }),
  };
  const last = previous === undefined ? {} : { terminated: terminated(previous, context) };
  if (latest?.state === "running") {
    const probe = memory.probes.get(latest.id);
    const startedAt = formatTime(latest.startedAtMillis);
    return {
      ...base,
      state: stateOf("running", { startedAt }),
      lastState: last,
      ready: probe?.ready ?? spec.spec.readinessProbe === undefined,
      started: probe?.started ?? spec.spec.startupProbe === undefined,
    };
  }
  const waiting = waitingReason(pod, spec, { latest, memory, nowMillis: context.nowMillis });
  if (latest?.state === "exited" && waiting === null) {
    const isDone = spec.role === "init" && latest.exitCode === 0;
    return {
      ...base,
      state: stateOf("terminated", terminated(latest, context)),
      lastState: last,
      ready: isDone,
      started: false,
    };
  }
  return {
    ...base,
    state: stateOf("waiting", waiting ?? { reason: firstReason(pod, spec) }),
    lastState: latest?.state === "exited" ? { terminated: terminated(latest, context) } : last,
    ready: false,
    started: false,
  };
}

/** Why a container that does not run will run later; null when it won't. */
function waitingReason(
  pod: KubeObject,
  spec: SpecContainer,
  { latest, memory, nowMillis }: {
    readonly latest: Container | undefined;
    readonly memory: PodMemory;
    readonly nowMillis: number;
  },
): JsonObject | null {
  const failure = memory.failures.get(spec.name);
  if (failure !== undefined) {
    const backingOff = failure.reason === "ErrImagePull" && failure.count > 1 &&
      retryAtMillis(failure) > nowMillis;
    return backingOff
      ? {
        reason: "ImagePullBackOff",
        message: `Back-off pulling image "${spec.spec.image}": ${failure.message}`,
      }
      : { reason: failure.reason, message: failure.message };
  }
  if (latest?.state !== "exited" || !shouldRestart(pod, spec, latest.exitCode)) return null;
  const dueAt = restartAtMillis(memory, spec.name, latest.finishedAtMillis);
  if (dueAt <= nowMillis) return null;
  const delay = formatDuration((dueAt - latest.finishedAtMillis) * 1_000_000);
  const { name, namespace, uid } = pod.metadata;
  return {
    reason: "CrashLoopBackOff",
    message: `back-off ${delay} restarting failed container=${spec.name} ` +
      `pod=${name}_${namespace}(${uid})`,
  };
}

function firstReason(pod: KubeObject, spec: SpecContainer): string {
  const hasInits = (pod.spec.initContainers ?? []).length > 0;
  return hasInits && (spec.role === "main" || spec.spec !== pod.spec.initContainers[0])
    ? "PodInitializing"
    : "ContainerCreating";
}

function stateOf(
  kind: "waiting" | "running" | "terminated",
  value: JsonObject,
): ContainerStatus["state"] {
  return { [kind]: value } as unknown as ContainerStatus["state"];
}

function terminated(container: Container, context: StatusContext): JsonObject {
  const { exitCode, message } = container;
  return {
    exitCode,
    reason: container.reason || (exitCode === 0 ? "Completed" : "Error"),
    ...(message === "" ? {} : { message }),
    startedAt: formatTime(container.startedAtMillis),
    finishedAt: formatTime(container.finishedAtMillis),
    containerID: `${context.runtimeName}://${container.id}`,
  };
}

interface ConditionInput {
  readonly phase: string;
  readonly initialized: boolean;
  readonly sandboxReady: boolean;
  readonly nowMillis: number;
}

/** The kubelet's own conditions; those of others (PodScheduled, gates) are left as they are. */
function conditionsOf(
  pod: KubeObject,
  containers: readonly ContainerStatus[],
  { phase, initialized, sandboxReady, nowMillis }: ConditionInput,
): Condition[] {
  const done = phase === "Succeeded" || phase === "Failed";
  const unready = containers.filter((one) => !one.ready).map((one) => one.name);
  const reason = phase === "Succeeded"
    ? "PodCompleted"
    : phase === "Failed"
    ? "PodFailed"
    : "ContainersNotReady";
  const message = done ? "" : `containers with unready status: [${unready.join(" ")}]`;
  const old: Condition[] = pod.status?.conditions ?? [];
  const gates: { conditionType: string }[] = pod.spec.readinessGates ?? [];
  const openGates = gates.filter((gate) =>
    old.find((one) => one.type === gate.conditionType)?.status !== "True"
  );
  const allReady = unready.length === 0 && !done;
  const make = (type: string, holds: boolean, why: Partial<Condition> = {}): Condition => {
    const status = holds ? "True" : "False";
    const before = old.find((one) => one.type === type);
    const lastTransitionTime = before?.status === status
      ? before.lastTransitionTime
      : formatTime(nowMillis);
    return { type, status, lastProbeTime: null, lastTransitionTime, ...(holds ? {} : why) };
  };
  const notInitialized = {
    reason: "ContainersNotInitialized",
    message: "containers with incomplete status: [" +
      (pod.spec.initContainers ?? []).map((one: { name: string }) => one.name).join(" ") + "]",
  };
  const why = { reason, ...(message === "" ? {} : { message }) };
  const gateWhy = {
    reason: "ReadinessGatesNotReady",
    message: "the status of pod readiness gate " +
      openGates.map((gate) => `"${gate.conditionType}"`).join(", ") + ' is not "True"',
  };
  return [
    make("PodReadyToStartContainers", sandboxReady),
    make("Initialized", initialized || done, notInitialized),
    make("Ready", allReady && openGates.length === 0, allReady ? gateWhy : why),
    make("ContainersReady", allReady, why),
  ];
}
