/**
 * PURE. What a node without a machine says about itself and about the pods bound to it.
 * In: the configuration, node numbers, pods, the time. Out: Node, Lease and pod status objects,
 * and what to do with each pod. Never: runs anything. Source: the kubelet's node status, lease and
 * pod status (v1.36).
 */
import type { KubeObject } from "../../api/meta.ts";
import { formatMicroTime, formatTime, parseMillis } from "../../api/time.ts";

export interface HollowConfig {
  /** How many nodes, 1 or more. */
  readonly nodes: number;
  /** Nodes are named `<prefix><number>`, from 0. Default `hollow-`. */
  readonly namePrefix: string;
  /** Quantities of one node. Defaults: 32, 256Gi, 100Gi. */
  readonly cpu: string;
  readonly memory: string;
  readonly ephemeralStorage: string;
  /** Pods a node takes. Default 110. */
  readonly pods: number;
  /** Nodes are dealt to zones in turn: `<region>-a`, `-b`… Default 3, 1..26. */
  readonly zones: number;
  /** Default `region-1`. */
  readonly region: string;
  /** Labels that all nodes get beside the well-known ones. */
  readonly labels: Readonly<Record<string, string>>;
  /** Milliseconds between bound and Running. Default 0. */
  readonly startMillis: number;
  /** Milliseconds between two renewals of a lease. Default 10,000. */
  readonly leaseIntervalMillis: number;
  /** Milliseconds between two reports of a node's status. Default 300,000. */
  readonly statusIntervalMillis: number;
  /** Status writes in flight at the same time. Default 128. */
  readonly concurrency: number;
  /** Nodes that record events about their pods, the first ones. Default 10. */
  readonly eventNodes: number;
}

export const HOLLOW_DEFAULTS: HollowConfig = {
  nodes: 3,
  namePrefix: "hollow-",
  cpu: "32",
  memory: "256Gi",
  ephemeralStorage: "100Gi",
  pods: 110,
  zones: 3,
  region: "region-1",
  labels: {},
  startMillis: 0,
  leaseIntervalMillis: 10_000,
  statusIntervalMillis: 300_000,
  concurrency: 128,
  eventNodes: 10,
};

export const LEASE_NAMESPACE = "kube-node-lease";
const LEASE_SECONDS = 40;
const VERSION = "v1.36.0+balsa";
/** Seconds its containers run before they exit; absent: until the pod is deleted. */
export const RUN_SECONDS = "balsa/run-seconds";
/** What they exit with. Default 0. */
export const EXIT_CODE = "balsa/exit-code";

/** Every problem of a configuration, each naming its field. */
export function validateHollowConfig(config: HollowConfig): string[] {
  const problems: string[] = [];
  const whole = (field: keyof HollowConfig, least: number, most: number) => {
    const value = config[field] as number;
    if (!Number.isInteger(value) || value < least || value > most) {
      problems.push(`${field}: must be a whole number from ${least} to ${most}, not ${value}`);
    }
  };
  whole("nodes", 1, 50_000);
  whole("pods", 1, 254);
  whole("zones", 1, 26);
  whole("concurrency", 1, 10_000);
  whole("startMillis", 0, 86_400_000);
  whole("leaseIntervalMillis", 100, LEASE_SECONDS * 1000 - 1);
  whole("statusIntervalMillis", 1_000, 86_400_000);
  whole("eventNodes", 0, 50_000);
  if (!/^[a-z0-9]([-a-z0-9.]*)$/.test(config.namePrefix)) {
    problems.push(`namePrefix: must begin a DNS name, not "${config.namePrefix}"`);
  }
  return problems;
}

export function nodeName(config: HollowConfig, index: number): string {
  return `${config.namePrefix}${index}`;
}

/** The address of a node: 172.16.0.1 and on. */
export function nodeAddress(index: number): string {
  const host = index + 1;
  return `172.${16 + (host >> 16)}.${(host >> 8) & 255}.${host & 255}`;
}

/** The first three numbers of a node's pods: 10.244.0 and on, 254 nodes to each second number. */
export function podPrefix(index: number): string {
  return `10.${(244 + Math.floor(index / 254)) % 256}.${index % 254}`;
}

/** The object a node registers as. */
export function hollowNode(config: HollowConfig, index: number, nowMillis: number): KubeObject {
  const name = nodeName(config, index);
  const zone = String.fromCharCode(97 + index % config.zones);
  const cidr = `${podPrefix(index)}.0/24`;
  return {
    apiVersion: "v1",
    kind: "Node",
    metadata: {
      name,
      labels: {
        "beta.kubernetes.io/arch": "amd64",
        "beta.kubernetes.io/os": "linux",
        "kubernetes.io/arch": "amd64",
        "kubernetes.io/hostname": name,
        "kubernetes.io/os": "linux",
        "topology.kubernetes.io/region": config.region,
        "topology.kubernetes.io/zone": `${config.region}-${zone}`,
        ...config.labels,
      },
    },
    spec: { podCIDR: cidr, podCIDRs: [cidr] },
    status: nodeStatus(config, { index, nowMillis, startedMillis: nowMillis }),
  };
}

/** What a healthy node reports. @param at.startedMillis when its conditions became true. */
export function nodeStatus(
  config: HollowConfig,
  at: { readonly index: number; readonly nowMillis: number; readonly startedMillis: number },
): Record<string, unknown> {
  const resources = {
    cpu: config.cpu,
    memory: config.memory,
    "ephemeral-storage": config.ephemeralStorage,
    "hugepages-1Gi": "0",
    "hugepages-2Mi": "0",
    pods: String(config.pods),
  };
  const name = nodeName(config, at.index);
  const machine = String(at.index).padStart(32, "0");
  return {
    capacity: resources,
    allocatable: resources,
    conditions: nodeConditions(at),
    addresses: [
      { type: "InternalIP", address: nodeAddress(at.index) },
      { type: "Hostname", address: name },
    ],
    nodeInfo: {
      architecture: "amd64",
      bootID: machine,
      containerRuntimeVersion: "hollow://1.0",
      kernelVersion: "0.0.0-hollow",
      kubeProxyVersion: "",
      kubeletVersion: VERSION,
      machineID: machine,
      operatingSystem: "linux",
      osImage: "Balsa hollow node",
      systemUUID: machine,
    },
  };
}

/** The conditions of a healthy node, with the time of this report. */
export function nodeConditions(
  at: { readonly nowMillis: number; readonly startedMillis: number },
): Record<string, string>[] {
  const since = formatTime(at.startedMillis);
  const now = formatTime(at.nowMillis);
  const condition = (type: string, status: string, reason: string, message: string) => ({
    type,
    status,
    lastHeartbeatTime: now,
    lastTransitionTime: since,
    reason,
    message,
  });
  const memory = "kubelet has sufficient memory available";
  const pid = "kubelet has sufficient PID available";
  return [
    condition("MemoryPressure", "False", "KubeletHasSufficientMemory", memory),
    condition("DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
    condition("PIDPressure", "False", "KubeletHasSufficientPID", pid),
    condition("Ready", "True", "KubeletReady", "kubelet is posting ready status"),
  ];
}

/** A node's lease, new or renewed. @param old as it was last answered. */
export function hollowLease(node: KubeObject, nowMillis: number, old?: KubeObject): KubeObject {
  const name = node.metadata.name!;
  const renewTime = formatMicroTime(nowMillis);
  if (old !== undefined) return { ...old, spec: { ...old.spec, renewTime } };
  const owner = { apiVersion: "v1", kind: "Node", name, uid: node.metadata.uid! };
  return {
    apiVersion: "coordination.k8s.io/v1",
    kind: "Lease",
    metadata: { name, namespace: LEASE_NAMESPACE, ownerReferences: [owner] },
    spec: { holderIdentity: name, leaseDurationSeconds: LEASE_SECONDS, renewTime },
  };
}

export type PodAction =
  | { readonly kind: "none" }
  /** Look again when the time has come. */
  | { readonly kind: "wait"; readonly millis: number }
  | { readonly kind: "report"; readonly status: Record<string, unknown>; readonly started: boolean }
  /** Its time of grace needs no waiting: nothing runs. */
  | { readonly kind: "remove" };

export interface PodPlace {
  readonly hostAddress: string;
  readonly podAddress: string;
  readonly nowMillis: number;
  readonly startMillis: number;
}

/** What to do with a pod that is bound to a hollow node. */
export function planPod(pod: KubeObject, place: PodPlace): PodAction {
  if (pod.metadata.deletionTimestamp !== undefined) return { kind: "remove" };
  const { nowMillis, startMillis } = place;
  const phase = pod.status?.phase ?? "Pending";
  if (phase === "Succeeded" || phase === "Failed") return { kind: "none" };
  if (phase !== "Running") {
    const boundMillis = boundSince(pod);
    const wait = Number.isNaN(boundMillis) ? 0 : boundMillis + startMillis - nowMillis;
    if (startMillis > 0 && wait > 0) return { kind: "wait", millis: Math.min(wait, startMillis) };
    return { kind: "report", status: runningStatus(pod, place), started: true };
  }
  const gates = isReadyNow(pod, pod.status.conditions ?? []);
  const ready = pod.status.conditions?.find((one: { type: string }) => one.type === "Ready");
  if (ready?.status !== (gates ? "True" : "False")) {
    return { kind: "report", status: runningStatus(pod, place), started: false };
  }
  return planExit(pod, nowMillis);
}

/** When the scheduler bound it, in whole seconds; NaN when that is not known. */
function boundSince(pod: KubeObject): number {
  const scheduled = pod.status?.conditions?.find((one: { type: string }) =>
    one.type === "PodScheduled"
  );
  return parseMillis(scheduled?.lastTransitionTime);
}

/** Containers of a pod that says how long they run exit all at once. */
function planExit(pod: KubeObject, nowMillis: number): PodAction {
  const runSeconds = Number(pod.metadata.annotations?.[RUN_SECONDS] ?? NaN);
  if (!(runSeconds >= 0)) return { kind: "none" };
  const [first] = pod.status.containerStatuses ?? [];
  const startedMillis = parseMillis(first?.state?.running?.startedAt);
  if (Number.isNaN(startedMillis)) return { kind: "none" };
  const wait = startedMillis + runSeconds * 1000 - nowMillis;
  if (wait > 0) return { kind: "wait", millis: wait };
  const exitCode = Number(pod.metadata.annotations?.[EXIT_CODE] ?? 0) || 0;
  const policy = pod.spec.restartPolicy ?? "Always";
  const restarts = policy === "Always" || (policy === "OnFailure" && exitCode !== 0);
  return {
    kind: "report",
    started: restarts,
    status: exitedStatus(pod, { exitCode, restarts, nowMillis }),
  };
}

function runningStatus(pod: KubeObject, place: PodPlace): Record<string, unknown> {
  const now = formatTime(place.nowMillis);
  const podIP = pod.spec.hostNetwork ? place.hostAddress : place.podAddress;
  const known: { type: string; status: string; lastTransitionTime?: string }[] =
    pod.status?.conditions ?? [];
  const ready = isReadyNow(pod, known);
  const ours: Record<string, boolean> = {
    PodReadyToStartContainers: true,
    Initialized: true,
    Ready: ready,
    ContainersReady: true,
    PodScheduled: true,
  };
  const conditions = Object.entries(ours).map(([type, value]) => {
    const status = value ? "True" : "False";
    const old = known.find((one) => one.type === type);
    if (old?.status === status) return old;
    return {
      type,
      status,
      lastProbeTime: null,
      lastTransitionTime: now,
      ...(value ? {} : { reason: "ReadinessGatesNotReady" }),
    };
  });
  const foreign = known.filter((one) => ours[one.type] === undefined);
  const generation = pod.metadata.generation;
  return {
    ...(generation === undefined ? {} : { observedGeneration: generation }),
    phase: "Running",
    conditions: [...conditions, ...foreign],
    hostIP: place.hostAddress,
    hostIPs: [{ ip: place.hostAddress }],
    podIP,
    podIPs: [{ ip: podIP }],
    startTime: pod.status?.startTime ?? now,
    ...(pod.spec.initContainers?.length
      ? {
        initContainerStatuses: pod.spec.initContainers.map((container: HollowContainer) =>
          container.restartPolicy === "Always"
            ? runningContainer(pod, container, now)
            : finishedContainer(pod, container, now)
        ),
      }
      : {}),
    containerStatuses: pod.status?.containerStatuses ??
      pod.spec.containers.map((container: HollowContainer) =>
        runningContainer(pod, container, now)
      ),
  };
}

interface HollowContainer {
  readonly name: string;
  readonly image?: string;
  readonly restartPolicy?: string;
}

function runningContainer(pod: KubeObject, container: HollowContainer, now: string) {
  return {
    name: container.name,
    image: container.image ?? "",
    imageID: `hollow://${container.image ?? ""}`,
    containerID: containerId(pod, container, 0),
    ready: true,
    started: true,
    restartCount: 0,
    state: { running: { startedAt: now } },
    lastState: {},
  };
}

function finishedContainer(pod: KubeObject, container: HollowContainer, now: string) {
  const containerID = containerId(pod, container, 0);
  const terminated = {
    exitCode: 0,
    reason: "Completed",
    startedAt: now,
    finishedAt: now,
    containerID,
  };
  return { ...runningContainer(pod, container, now), started: false, state: { terminated } };
}

interface Exit {
  readonly exitCode: number;
  readonly restarts: boolean;
  readonly nowMillis: number;
}

function exitedStatus(pod: KubeObject, exit: Exit): Record<string, unknown> {
  const { exitCode, restarts, nowMillis } = exit;
  const now = formatTime(nowMillis);
  // deno-lint-ignore no-explicit-any
  const containerStatuses = pod.status.containerStatuses.map((status: any) => {
    const terminated = {
      exitCode,
      reason: exitCode === 0 ? "Completed" : "Error",
      startedAt: status.state?.running?.startedAt ?? now,
      finishedAt: now,
      containerID: status.containerID,
    };
    if (!restarts) return { ...status, ready: false, started: false, state: { terminated } };
    const restartCount = status.restartCount + 1;
    return {
      ...status,
      restartCount,
      containerID: containerId(pod, status, restartCount),
      state: { running: { startedAt: now } },
      lastState: { terminated },
    };
  });
  if (restarts) return { containerStatuses };
  const done = exitCode === 0;
  const conditions = pod.status.conditions.map((one: { type: string; status: string }) =>
    one.type !== "Ready" && one.type !== "ContainersReady" ? one : {
      ...one,
      status: "False",
      reason: done ? "PodCompleted" : "PodFailed",
      lastTransitionTime: now,
    }
  );
  return { phase: done ? "Succeeded" : "Failed", conditions, containerStatuses };
}

function containerId(
  pod: KubeObject,
  container: { readonly name: string },
  restartCount: number,
): string {
  const uid = (pod.metadata.uid ?? "").replaceAll("-", "");
  return `hollow://${uid}-${container.name}-${restartCount}`;
}

/** Containers are ready at once; readiness gates are for others to set. */
function isReadyNow(
  pod: KubeObject,
  conditions: readonly { readonly type: string; readonly status: string }[],
): boolean {
  const gates: { conditionType: string }[] = pod.spec.readinessGates ?? [];
  return gates.every((gate) =>
    conditions.some((one) => one.type === gate.conditionType && one.status === "True")
  );
}
