/**
 * Carries out one pod's plan on the machine: images, volumes, sandboxes, containers.
 * In: actions of plan_pod.ts. Out: calls to the runtime, files, events, notes in the pod's memory.
 * Never: decides what to do next; a failure is remembered and the next plan takes it from there.
 */
import { join } from "node:path";
import type { KubeObject } from "../api/meta.ts";
import type { EventRecorder } from "../client/events.ts";
import { type EnvironmentContext, expand, resolveEnvironment } from "./environment.ts";
import type { PodAction } from "./plan_pod.ts";
import { noteRestart, type Observed, type PodMemory, type StartFailure } from "./pod_state.ts";
import {
  containerConfig,
  containerLogPath,
  type DnsDefaults,
  podLogFolder,
  sandboxConfig,
} from "./runtime_config.ts";
import type { ContainerRuntime, SandboxConfig } from "./runtime_port.ts";
import { mountsOf, podFolder, prepareVolumes, type VolumeContext } from "./volumes.ts";

export interface PerformContext extends VolumeContext, EnvironmentContext {
  readonly runtime: ContainerRuntime;
  readonly events: EventRecorder;
  readonly logRoot: string;
  readonly dns: DnsDefaults;
  readonly nowMillis: () => number;
  /** Tells the API server that nothing of the pod is left here. */
  readonly deletePod: (pod: KubeObject) => Promise<void>;
}

export interface PodWork {
  readonly pod: KubeObject;
  readonly observed: Observed;
  readonly memory: PodMemory;
}

type StartAction = Extract<PodAction, { kind: "startContainer" }>;

/** A start that failed, with the reason that the status shows. */
class StartError extends Error {
  constructor(readonly reason: string, cause: unknown) {
    super(cause instanceof Error ? cause.message : String(cause));
  }
}

/**
 * Performs the actions in order; starts of containers go on after one of them failed.
 * Errors: rejects when the runtime or the API server fails otherwise.
 */
export async function perform(
  actions: readonly PodAction[],
  work: PodWork,
  context: PerformContext,
): Promise<void> {
  const stops = actions.filter((action) => action.kind === "stopContainer");
  await Promise.all(stops.map((action) => stopContainer(action, work, context)));
  for (const action of actions) {
    if (action.kind !== "stopContainer") await performOne(action, work, context);
  }
}

async function performOne(
  action: Exclude<PodAction, { kind: "stopContainer" }>,
  work: PodWork,
  context: PerformContext,
): Promise<void> {
  const { runtime } = context;
  switch (action.kind) {
    case "runSandbox":
      return await runSandbox(action.attempt, work, context);
    case "stopSandbox":
      return await runtime.stopSandbox(action.id);
    case "removeSandbox":
      return await runtime.removeSandbox(action.id);
    case "startContainer":
      return await startContainer(action, work, context);
    case "removeContainer":
      return await runtime.removeContainer(action.id);
    case "deletePod":
      await removeFiles(work.pod, context);
      return await context.deletePod(work.pod);
  }
}

async function stopContainer(
  action: Extract<PodAction, { kind: "stopContainer" }>,
  { pod, memory }: PodWork,
  { events, runtime }: PerformContext,
): Promise<void> {
  const { container, graceSeconds, reason } = action;
  const message = reason === "Unhealthy"
    ? `Container ${container.name} failed liveness probe, will be restarted`
    : `Stopping container ${container.name}`;
  record(events, pod, container.name, { reason: "Killing", message });
  await runtime.stopContainer(container.id, graceSeconds);
  memory.probes.delete(container.id);
}

async function runSandbox(attempt: number, { pod, memory }: PodWork, context: PerformContext) {
  const config = configOf(pod, attempt, context);
  try {
    await Deno.mkdir(config.logDirectory, { recursive: true, mode: 0o755 });
    await context.runtime.runSandbox(config, "");
    memory.sandboxFailure = null;
  } catch (error) {
    memory.sandboxFailure = failed(memory.sandboxFailure, {
      reason: "FailedCreatePodSandBox",
      message: error instanceof Error ? error.message : String(error),
      atMillis: context.nowMillis(),
    });
    context.events.record({
      about: pod,
      type: "Warning",
      reason: "FailedCreatePodSandBox",
      message: `Failed to create pod sandbox: ${memory.sandboxFailure.message}`,
    });
  }
}

function configOf(pod: KubeObject, attempt: number, context: PerformContext): SandboxConfig {
  return sandboxConfig(pod, { attempt, logRoot: context.logRoot, dns: context.dns });
}

function failed(before: StartFailure | null | undefined, now: Omit<StartFailure, "count">) {
  return { ...now, count: (before?.count ?? 0) + 1 };
}

async function startContainer(action: StartAction, work: PodWork, context: PerformContext) {
  const { name, spec } = action.container;
  const { memory, pod } = work;
  try {
    await ensureImage(pod, spec, context);
    const id = await create(action, work, context);
    await context.runtime.startContainer(id).catch((error) => {
      throw new StartError("RunContainerError", error);
    });
    if (action.isRestart) noteRestart(memory, name, context.nowMillis());
    memory.failures.delete(name);
    record(context.events, pod, name, { reason: "Started", message: `Started container ${name}` });
  } catch (error) {
    if (!(error instanceof StartError)) throw error;
    const { reason, message } = error;
    memory.failures.set(
      name,
      failed(memory.failures.get(name), { reason, message, atMillis: context.nowMillis() }),
    );
    const isPull = reason.startsWith("ErrImage");
    record(context.events, pod, name, {
      type: "Warning",
      reason: "Failed",
      message: isPull ? `Failed to pull image "${spec.image}": ${message}` : `Error: ${message}`,
    });
  }
}

async function ensureImage(
  pod: KubeObject,
  spec: KubeObject["spec"],
  { events, nowMillis, runtime }: PerformContext,
): Promise<void> {
  const { image, name } = spec;
  const policy = spec.imagePullPolicy ?? "IfNotPresent";
  if (policy !== "Always" && await runtime.hasImage(image)) {
    const message = `Container image "${image}" already present on machine`;
    record(events, pod, name, { reason: "Pulled", message });
    return;
  }
  if (policy === "Never") {
    const message = `Container image "${image}" is not present with pull policy of Never`;
    throw new StartError("ErrImageNeverPull", new Error(message));
  }
  record(events, pod, name, { reason: "Pulling", message: `Pulling image "${image}"` });
  const started = nowMillis();
  await runtime.pullImage(image).catch((error) => {
    throw new StartError("ErrImagePull", error);
  });
  const seconds = ((nowMillis() - started) / 1000).toFixed(3);
  const message = `Successfully pulled image "${image}" in ${seconds}s`;
  record(events, pod, name, { reason: "Pulled", message });
}

async function create(
  { attempt, container, sandboxId }: StartAction,
  { observed, pod }: PodWork,
  context: PerformContext,
): Promise<string> {
  const { spec } = container;
  const sandbox = observed.sandboxes.find((one) => one.id === sandboxId);
  const podIPs = pod.spec.hostNetwork ? [context.hostIP] : sandbox?.ips ?? [];
  const input = await prepare({ ...context, podIPs }).catch((error) => {
    throw new StartError("CreateContainerConfigError", error);
  });
  try {
    const id = await context.runtime.createContainer({
      sandboxId,
      config: containerConfig(pod, spec, { attempt, ...input }),
      sandboxConfig: configOf(pod, sandbox?.attempt ?? 0, context),
    });
    const message = `Created container: ${container.name}`;
    record(context.events, pod, container.name, { reason: "Created", message });
    return id;
  } catch (error) {
    throw new StartError("CreateContainerError", error);
  }

  async function prepare(inner: PerformContext) {
    const volumes = await prepareVolumes(pod, inner);
    const envs = await resolveEnvironment(pod, spec, inner);
    const values = new Map(envs.map(({ name, value }) => [name, value]));
    const expandAll = (list: readonly string[] = []) => list.map((text) => expand(text, values));
    const hosts = await hostsMount(pod, spec, inner);
    await Deno.mkdir(
      join(inner.logRoot, podLogFolder(pod), containerLogPath(spec.name, attempt), ".."),
      { recursive: true },
    );
    return {
      envs,
      mounts: [...mountsOf(spec, volumes, (text) => expand(text, values)), ...hosts],
      command: expandAll(spec.command),
      args: expandAll(spec.args),
    };
  }
}

/** /etc/hosts with the pod's own name and its host aliases, unless the container mounts one. */
async function hostsMount(pod: KubeObject, spec: KubeObject["spec"], context: PerformContext) {
  const path = "/etc/hosts";
  const isMounted = (spec.volumeMounts ?? []).some((one: { mountPath: string }) =>
    one.mountPath === path
  );
  if (isMounted || pod.spec.hostNetwork) return [];
  const aliases = (pod.spec.hostAliases ?? []).map(
    (alias: { ip: string; hostnames: string[] }) => `${alias.ip}\t${alias.hostnames.join("\t")}`,
  );
  const name = pod.spec.hostname ?? pod.metadata.name;
  const lines = [
    "# Kept by the kubelet.",
    "127.0.0.1\tlocalhost",
    "::1\tlocalhost ip6-localhost ip6-loopback",
    ...context.podIPs.map((ip) => `${ip}\t${name}`),
    ...aliases,
  ];
  const folder = podFolder(context.root, pod);
  await Deno.mkdir(folder, { recursive: true });
  const hostPath = join(folder, "etc-hosts");
  await Deno.writeTextFile(hostPath, `${lines.join("\n")}\n`, { mode: 0o644 });
  return [{ containerPath: path, hostPath, readonly: false, propagation: 0 }];
}

/** Logs and volumes of a pod that is gone. */
async function removeFiles(pod: KubeObject, context: PerformContext): Promise<void> {
  for (const path of [podFolder(context.root, pod), join(context.logRoot, podLogFolder(pod))]) {
    await Deno.remove(path, { recursive: true }).catch((error) => {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    });
  }
}

function record(
  events: EventRecorder,
  pod: KubeObject,
  containerName: string,
  note: {
    readonly type?: "Normal" | "Warning";
    readonly reason: string;
    readonly message: string;
  },
): void {
  const fieldPath = `spec.containers{${containerName}}`;
  events.record({ about: pod, type: note.type ?? "Normal", ...note, fieldPath });
}
