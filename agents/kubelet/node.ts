/**
 * This machine as a Node object: registration, heartbeat lease, conditions.
 * In: the client, the machine's facts, the runtime. Out: a Node and a Lease kept alive.
 * Never: touches labels or taints that others set after registration.
 * Source: kubelet's node status and lease controllers (10 s renewals, 5 min status).
 */
import type { Condition, KubeObject } from "../api/meta.ts";
import { leases, nodes } from "../api/resources.ts";
import { ApiError } from "../api/status.ts";
import { formatMicroTime, formatTime } from "../api/time.ts";
import type { Client } from "../client/client.ts";
import type { ContainerRuntime } from "./runtime_port.ts";

const LEASE_NAMESPACE = "kube-node-lease";
const LEASE_SECONDS = 40;
const MOST_PODS = 110;
const MOST_IMAGES = 50;

/** What the machine says of itself. */
export interface MachineFacts {
  readonly cpus: number;
  readonly memoryBytes: number;
  readonly diskBytes: number;
  readonly kernelVersion: string;
  readonly osImage: string;
  readonly architecture: "amd64" | "arm64";
  readonly machineId: string;
  readonly bootId: string;
  readonly address: string;
}

export interface NodeIdentity {
  readonly name: string;
  readonly runtime: { readonly name: string; readonly version: string };
  readonly kubeletVersion: string;
  /** Where this kubelet answers over HTTPS; absent = only in its own process. */
  readonly port?: number;
}

/** Reads the machine's facts. Errors: throws when /proc can't be read. */
export function readMachine(): MachineFacts {
  const read = (path: string) => {
    try {
      return Deno.readTextFileSync(path).trim();
    } catch {
      return "";
    }
  };
  const pretty = /^PRETTY_NAME="?(.*?)"?$/m.exec(read("/etc/os-release"));
  return {
    cpus: navigator.hardwareConcurrency,
    memoryBytes: Deno.systemMemoryInfo().total,
    diskBytes: 0,
    kernelVersion: Deno.osRelease(),
    osImage: pretty?.[1] ?? "Linux",
    architecture: Deno.build.arch === "aarch64" ? "arm64" : "amd64",
    machineId: read("/etc/machine-id"),
    bootId: read("/proc/sys/kernel/random/boot_id"),
    address: ownAddress(),
  };
}

/** The first address that others can reach, or the loopback's. */
function ownAddress(): string {
  const candidates = Deno.networkInterfaces().filter((one) =>
    one.family === "IPv4" && !one.address.startsWith("127.") &&
    !/^(docker|cni|veth|br-|flannel)/.test(one.name)
  );
  return candidates[0]?.address ?? "127.0.0.1";
}

/** The Node as it is first registered. */
export function newNode(identity: NodeIdentity, facts: MachineFacts): KubeObject {
  return {
    apiVersion: "v1",
    kind: "Node",
    metadata: {
      name: identity.name,
      labels: {
        "kubernetes.io/hostname": identity.name,
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": facts.architecture,
        "beta.kubernetes.io/os": "linux",
        "beta.kubernetes.io/arch": facts.architecture,
      },
    },
    spec: {},
  };
}

/** Status of the node; conditions keep their transition times while their status stays. */
export function nodeStatus(
  node: KubeObject,
  identity: NodeIdentity,
  facts: MachineFacts,
  { problems, images, nowMillis }: {
    readonly problems: readonly { type: string; message: string }[];
    readonly images: readonly { names: readonly string[]; sizeBytes: number }[];
    readonly nowMillis: number;
  },
): KubeObject["status"] {
  const resources = {
    cpu: String(facts.cpus),
    memory: `${Math.floor(facts.memoryBytes / 1024)}Ki`,
    pods: String(MOST_PODS),
    ...(facts.diskBytes > 0
      ? { "ephemeral-storage": `${Math.floor(facts.diskBytes / 1024)}Ki` }
      : {}),
  };
  const now = formatTime(nowMillis);
  const old: Condition[] = node.status?.conditions ?? [];
  const condition = (type: string, status: "True" | "False", reason: string, message: string) => {
    const before = old.find((one) => one.type === type);
    const lastTransitionTime = before?.status === status ? before.lastTransitionTime : now;
    return { type, status, reason, message, lastHeartbeatTime: now, lastTransitionTime };
  };
  const why = problems.map((one) => `${one.type}: ${one.message}`).join("; ");
  return {
    capacity: resources,
    allocatable: resources,
    addresses: [
      { type: "InternalIP", address: facts.address },
      { type: "Hostname", address: identity.name },
    ],
    conditions: [
      condition("MemoryPressure", "False", "KubeletHasSufficientMemory", "memory is sufficient"),
      condition("DiskPressure", "False", "KubeletHasNoDiskPressure", "disk is sufficient"),
      condition("PIDPressure", "False", "KubeletHasSufficientPID", "process ids are sufficient"),
      problems.length === 0
        ? condition("Ready", "True", "KubeletReady", "kubelet is posting ready status")
        : condition("Ready", "False", "KubeletNotReady", `container runtime not ready: ${why}`),
    ],
    images: images.slice(0, MOST_IMAGES),
    daemonEndpoints: identity.port === undefined
      ? node.status?.daemonEndpoints
      : { kubeletEndpoint: { Port: identity.port } },
    nodeInfo: {
      machineID: facts.machineId,
      systemUUID: facts.machineId,
      bootID: facts.bootId,
      kernelVersion: facts.kernelVersion,
      osImage: facts.osImage,
      containerRuntimeVersion: `${identity.runtime.name}://${identity.runtime.version}`,
      kubeletVersion: identity.kubeletVersion,
      kubeProxyVersion: "",
      operatingSystem: "linux",
      architecture: facts.architecture,
    },
  };
}

/** Registers the node, or takes up the one of an earlier start. */
export async function registerNode(client: Client, node: KubeObject): Promise<KubeObject> {
  try {
    return await client.create(nodes, node);
  } catch (error) {
    if (!(error instanceof ApiError) || error.reason !== "AlreadyExists") throw error;
    return await client.get(nodes, { name: node.metadata.name! });
  }
}

/** Posts the node's status. */
export async function reportNode(
  client: Client,
  identity: NodeIdentity,
  facts: MachineFacts,
  { nowMillis, runtime }: { readonly nowMillis: number; readonly runtime: ContainerRuntime },
): Promise<KubeObject> {
  const node = await client.get(nodes, { name: identity.name });
  const problems = await runtime.problems().catch((error: Error) => [
    { type: "RuntimeReady", message: error.message },
  ]);
  const images = (await runtime.listImages().catch(() => []))
    .map(({ names, sizeBytes }) => ({ names: [...names], sizeBytes }));
  const status = nodeStatus(node, identity, facts, { problems, images, nowMillis });
  return await client.patch(nodes, { name: identity.name, subresource: "status" }, {
    type: "application/strategic-merge-patch+json",
    body: { status },
  });
}

/** Renews the node's lease, making it first where there is none. */
export async function renewLease(client: Client, node: KubeObject, nowMillis: number) {
  const name = node.metadata.name!;
  const renewTime = formatMicroTime(nowMillis);
  try {
    await client.patch(leases, { namespace: LEASE_NAMESPACE, name }, {
      type: "application/merge-patch+json",
      body: { spec: { renewTime } },
    });
  } catch (error) {
    if (!(error instanceof ApiError) || error.reason !== "NotFound") throw error;
    await client.create(leases, {
      apiVersion: "coordination.k8s.io/v1",
      kind: "Lease",
      metadata: {
        name,
        namespace: LEASE_NAMESPACE,
        ownerReferences: [{ apiVersion: "v1", kind: "Node", name, uid: node.metadata.uid! }],
      },
      spec: { holderIdentity: name, leaseDurationSeconds: LEASE_SECONDS, renewTime },
    });
  }
}
