/**
 * A pod's spec in the runtime's words: sandbox and container configurations of CRI v1.
 * In: the pod, a container, its resolved environment and mounts. Out: plain configuration objects.
 * Never: I/O. Source: kubelet's kuberuntime (labels, security context, cgroup shares), CRI v1.
 */
import type { KubeObject } from "../api/meta.ts";
import { milliOf, unitsOf } from "../api/quantity.ts";
import {
  CONTAINER_NAME_LABEL,
  type ContainerConfig,
  POD_NAME_LABEL,
  POD_NAMESPACE_LABEL,
  POD_UID_LABEL,
  type SandboxConfig,
} from "./runtime_port.ts";

type Spec = KubeObject["spec"];

const NAMESPACE_POD = 0;
const NAMESPACE_CONTAINER = 1;
const NAMESPACE_NODE = 2;
const PROTOCOLS = ["TCP", "UDP", "SCTP"];
const PROPAGATIONS = ["None", "HostToContainer", "Bidirectional"];
const SECCOMP_TYPES = ["RuntimeDefault", "Unconfined", "Localhost"];
const CPU_PERIOD_MICROS = 100_000;
const SHARES_PER_CPU = 1024;
const LEAST_SHARES = 2;
const LEAST_QUOTA_MICROS = 1_000;
/** Paths that a container must not read or write unless it asks for procMount: Unmasked. */
const MASKED_PATHS = [
  "/proc/asound",
  "/proc/acpi",
  "/proc/interrupts",
  "/proc/kcore",
  "/proc/keys",
  "/proc/latency_stats",
  "/proc/timer_list",
  "/proc/timer_stats",
  "/proc/sched_debug",
  "/proc/scsi",
  "/sys/firmware",
  "/sys/devices/virtual/powercap",
];
const READONLY_PATHS = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

export interface DnsDefaults {
  /** Addresses of the cluster's DNS; empty = pods use the machine's resolver. */
  readonly clusterServers: readonly string[];
  readonly clusterDomain: string;
}

/** Folder of a pod's container logs below the log root, named as every kubelet names it. */
export function podLogFolder(pod: KubeObject): string {
  const { namespace, name, uid } = pod.metadata;
  return `${namespace}_${name}_${uid}`;
}

/** File of one run's log below the pod's folder. */
export function containerLogPath(containerName: string, attempt: number): string {
  return `${containerName}/${attempt}.log`;
}

export function sandboxConfig(
  pod: KubeObject,
  { attempt, logRoot, dns }: {
    readonly attempt: number;
    readonly logRoot: string;
    readonly dns: DnsDefaults;
  },
): SandboxConfig {
  const { name = "", namespace = "", uid = "" } = pod.metadata;
  const spec: Spec = pod.spec;
  const security = spec.securityContext ?? {};
  const dnsConfig = dnsOf(pod, dns);
  return {
    metadata: { name, namespace, uid, attempt },
    hostname: spec.hostNetwork ? "" : (spec.hostname ?? name).slice(0, 63),
    logDirectory: `${logRoot}/${podLogFolder(pod)}`,
    ...(dnsConfig === undefined ? {} : { dnsConfig }),
    portMappings: portMappings(spec),
    labels: { ...pod.metadata.labels, ...podLabels(pod) },
    annotations: { ...pod.metadata.annotations },
    linux: {
      sysctls: Object.fromEntries(
        (security.sysctls ?? []).map((one: Spec) => [one.name, one.value]),
      ),
      securityContext: {
        namespaceOptions: namespaceOptions(spec),
        ...userOf(security),
        supplementalGroups: supplementalGroups(security),
        privileged: (spec.containers ?? []).some((one: Spec) => one.securityContext?.privileged),
        seccomp: seccomp(security.seccompProfile) ?? { profileType: 0 },
      },
    },
  };
}

function podLabels(pod: KubeObject): Record<string, string> {
  return {
    [POD_NAME_LABEL]: pod.metadata.name ?? "",
    [POD_NAMESPACE_LABEL]: pod.metadata.namespace ?? "",
    [POD_UID_LABEL]: pod.metadata.uid ?? "",
  };
}

function portMappings(spec: Spec): SandboxConfig["portMappings"] {
  if (spec.hostNetwork) return [];
  return (spec.containers ?? []).flatMap((container: Spec) =>
    (container.ports ?? [])
      .filter((port: Spec) => port.hostPort)
      .map((port: Spec) => ({
        protocol: Math.max(0, PROTOCOLS.indexOf(port.protocol ?? "TCP")),
        containerPort: port.containerPort,
        hostPort: port.hostPort,
        hostIp: port.hostIP ?? "",
      }))
  );
}

/** undefined leaves the machine's own resolver in place. */
function dnsOf(pod: KubeObject, dns: DnsDefaults): SandboxConfig["dnsConfig"] {
  const policy = pod.spec.dnsPolicy ?? "ClusterFirst";
  const own = pod.spec.dnsConfig ?? {};
  const options = (own.options ?? []).map((one: Spec) =>
    one.value === undefined ? one.name : `${one.name}:${one.value}`
  );
  const usesCluster = policy === "ClusterFirstWithHostNet" ||
    (policy === "ClusterFirst" && !pod.spec.hostNetwork);
  if (policy === "None" || (usesCluster && dns.clusterServers.length > 0)) {
    const namespace = pod.metadata.namespace;
    const domain = dns.clusterDomain;
    const isNone = policy === "None";
    return {
      servers: [...(isNone ? [] : dns.clusterServers), ...(own.nameservers ?? [])],
      searches: [
        ...(isNone ? [] : [`${namespace}.svc.${domain}`, `svc.${domain}`, domain]),
        ...(own.searches ?? []),
      ],
      options: [...(isNone ? [] : ["ndots:5"]), ...options],
    };
  }
  return undefined;
}

function namespaceOptions(spec: Spec): object {
  return {
    network: spec.hostNetwork ? NAMESPACE_NODE : NAMESPACE_POD,
    pid: spec.hostPID
      ? NAMESPACE_NODE
      : spec.shareProcessNamespace
      ? NAMESPACE_POD
      : NAMESPACE_CONTAINER,
    ipc: spec.hostIPC ? NAMESPACE_NODE : NAMESPACE_POD,
  };
}

export interface ContainerInput {
  readonly attempt: number;
  readonly envs: readonly { readonly name: string; readonly value: string }[];
  readonly mounts: ContainerConfig["mounts"];
  /** Command and args with `$(VAR)` replaced. */
  readonly command: readonly string[];
  readonly args: readonly string[];
}

export function containerConfig(
  pod: KubeObject,
  spec: Spec,
  { attempt, envs, mounts, command, args }: ContainerInput,
): ContainerConfig {
  const encoder = new TextEncoder();
  return {
    metadata: { name: spec.name, attempt },
    image: { image: spec.image },
    command,
    args,
    workingDir: spec.workingDir ?? "",
    envs: envs.map(({ name, value }) => ({ key: name, value: encoder.encode(value) })),
    mounts,
    labels: { ...podLabels(pod), [CONTAINER_NAME_LABEL]: spec.name },
    annotations: { "io.kubernetes.container.restartCount": String(attempt) },
    logPath: containerLogPath(spec.name, attempt),
    stdin: spec.stdin === true,
    stdinOnce: spec.stdinOnce === true,
    tty: spec.tty === true,
    linux: {
      resources: linuxResources(pod, spec),
      securityContext: containerSecurity(pod, spec),
    },
  };
}

function linuxResources(pod: KubeObject, spec: Spec): object {
  const limits = spec.resources?.limits ?? {};
  const requests = { ...limits, ...(spec.resources?.requests ?? {}) };
  const requestMilli = milliOf(requests.cpu);
  const limitMilli = milliOf(limits.cpu);
  const limitBytes = unitsOf(limits.memory);
  return {
    cpuPeriod: CPU_PERIOD_MICROS,
    cpuQuota: limitMilli === 0
      ? 0
      : Math.max(LEAST_QUOTA_MICROS, Math.floor(limitMilli * CPU_PERIOD_MICROS / 1000)),
    cpuShares: Math.max(LEAST_SHARES, Math.floor(requestMilli * SHARES_PER_CPU / 1000)),
    memoryLimitInBytes: limitBytes,
    oomScoreAdj: pod.status?.qosClass === "Guaranteed" ? -997 : 1000,
  };
}

function containerSecurity(pod: KubeObject, spec: Spec): object {
  const outer = pod.spec.securityContext ?? {};
  const inner = spec.securityContext ?? {};
  const privileged = inner.privileged === true;
  const unmasked = privileged || inner.procMount === "Unmasked";
  return {
    capabilities: {
      addCapabilities: inner.capabilities?.add ?? [],
      dropCapabilities: inner.capabilities?.drop ?? [],
    },
    privileged,
    namespaceOptions: namespaceOptions(pod.spec),
    ...userOf({ ...outer, ...inner }),
    readonlyRootfs: inner.readOnlyRootFilesystem === true,
    supplementalGroups: supplementalGroups(outer),
    noNewPrivs: inner.allowPrivilegeEscalation === false,
    maskedPaths: unmasked ? [] : MASKED_PATHS,
    readonlyPaths: unmasked ? [] : READONLY_PATHS,
    seccomp: seccomp(inner.seccompProfile ?? outer.seccompProfile) ?? { profileType: 1 },
  };
}

function userOf(security: Spec): object {
  const { runAsUser, runAsGroup } = security;
  return {
    ...(runAsUser === undefined ? {} : { runAsUser: { value: runAsUser } }),
    ...(runAsGroup === undefined || runAsUser === undefined
      ? {}
      : { runAsGroup: { value: runAsGroup } }),
  };
}

function supplementalGroups(security: Spec): number[] {
  const groups: number[] = [...(security.supplementalGroups ?? [])];
  if (security.fsGroup !== undefined) groups.push(security.fsGroup);
  return groups;
}

function seccomp(profile: Spec): object | undefined {
  if (profile === undefined) return undefined;
  return {
    profileType: Math.max(0, SECCOMP_TYPES.indexOf(profile.type)),
    localhostRef: profile.localhostProfile ?? "",
  };
}

/** CRI's number for a mount's propagation. */
export function propagationOf(mount: Spec): number {
  return Math.max(0, PROPAGATIONS.indexOf(mount.mountPropagation ?? "None"));
}
