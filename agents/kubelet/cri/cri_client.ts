/**
 * A ContainerRuntime over the CRI v1 gRPC socket of CRI-O, containerd or any other runtime.
 * In: a unix socket. Out: the port's verbs. Never: retries or decides; the kubelet's plan does.
 * Statuses of containers are read once per state, for a stopped one never changes again.
 * Source: the runtime.v1 services (cri-api 0.36).
 */
import * as grpc from "@grpc/grpc-js";
import {
  type Container,
  CONTAINER_NAME_LABEL,
  type ContainerRuntime,
  POD_UID_LABEL,
  type RuntimeUsage,
  type Sandbox,
} from "../runtime_port.ts";
import { decodeMessage, encodeMessage } from "./messages.ts";

/** Sandboxes pull images and set up networks; anything else should answer soon. */
const SLOW_TIMEOUT_MILLIS = 240_000;
const TIMEOUT_MILLIS = 30_000;
const PULL_TIMEOUT_MILLIS = 1_800_000;
const CONTAINER_STATES = ["created", "running", "exited", "unknown"] as const;
const NANOS_PER_MILLI = 1_000_000n;

interface CallOptions {
  readonly service?: "RuntimeService" | "ImageService";
  readonly timeoutMillis?: number;
}

type Metadata = { name: string; uid: string; attempt: number };
interface SandboxMessage {
  id: string;
  metadata: Metadata;
  state: number;
  createdAt: string;
  labels: Record<string, string>;
}
interface ContainerMessage {
  id: string;
  podSandboxId: string;
  metadata: { name: string; attempt: number };
  state: number;
  createdAt: string;
  labels: Record<string, string>;
}
interface StatusMessage {
  status: {
    startedAt: string;
    finishedAt: string;
    exitCode: number;
    image: { image: string } | null;
    imageRef: string;
    imageId: string;
    reason: string;
    message: string;
    logPath: string;
  };
}

/** @param socketPath absolute path of the runtime's socket. */
export function connectCri(socketPath: string): ContainerRuntime {
  return new CriClient(socketPath);
}

class CriClient implements ContainerRuntime {
  readonly #client: grpc.Client;
  /** Container id and state → what ContainerStatus said. */
  readonly #statuses = new Map<string, { state: number; status: StatusMessage["status"] }>();
  /** Sandbox id → addresses, which don't change during its life. */
  readonly #ips = new Map<string, readonly string[]>();

  constructor(socketPath: string) {
    this.#client = new grpc.Client(`unix://${socketPath}`, grpc.credentials.createInsecure(), {
      "grpc.max_receive_message_length": 16 * 1024 * 1024,
    });
  }

  #call<T>(
    method: string,
    [requestName, responseName]: readonly [string, string],
    request: object,
    { service = "RuntimeService", timeoutMillis = TIMEOUT_MILLIS }: CallOptions = {},
  ): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#client.makeUnaryRequest(
        `/runtime.v1.${service}/${method}`,
        (value: object) => encodeMessage(requestName, value) as never,
        (bytes: Uint8Array) => decodeMessage<T & object>(responseName, bytes),
        request,
        new grpc.Metadata(),
        { deadline: Date.now() + timeoutMillis },
        (error, answer) => {
          if (error) reject(new Error(error.details || error.message));
          else resolve(answer as T);
        },
      );
    });
  }

  async version() {
    const answer = await this.#call<{ runtimeName: string; runtimeVersion: string }>(
      "Version",
      ["VersionRequest", "VersionResponse"],
      { version: "v1" },
      { timeoutMillis: 2_000 },
    );
    return { name: answer.runtimeName, version: answer.runtimeVersion };
  }

  async problems() {
    type Conditions = { type: string; status: boolean; message: string }[];
    const answer = await this.#call<{ status: { conditions: Conditions } | null }>(
      "Status",
      ["StatusRequest", "StatusResponse"],
      {},
    );
    return (answer.status?.conditions ?? []).filter((condition) => !condition.status);
  }

  async listSandboxes(): Promise<readonly Sandbox[]> {
    const { items } = await this.#call<{ items: SandboxMessage[] }>(
      "ListPodSandbox",
      ["ListPodSandboxRequest", "ListPodSandboxResponse"],
      {},
    );
    const own = items.filter((item) => item.labels[POD_UID_LABEL] !== undefined);
    const ids = new Set(own.map((item) => item.id));
    for (const id of this.#ips.keys()) if (!ids.has(id)) this.#ips.delete(id);
    return Promise.all(own.map(async (item) => ({
      id: item.id,
      podUid: item.labels[POD_UID_LABEL],
      attempt: item.metadata.attempt,
      ready: item.state === 0,
      createdAtMillis: toMillis(item.createdAt),
      ips: item.state === 0 ? await this.#sandboxIps(item.id) : [],
    })));
  }

  async #sandboxIps(id: string): Promise<readonly string[]> {
    const known = this.#ips.get(id);
    if (known) return known;
    type Network = { ip: string; additionalIps: { ip: string }[] } | null;
    const { status } = await this.#call<{ status: { network: Network } }>(
      "PodSandboxStatus",
      ["PodSandboxIdRequest", "PodSandboxStatusResponse"],
      { podSandboxId: id },
    );
    const network = status.network;
    const ips = [network?.ip ?? "", ...(network?.additionalIps ?? []).map((more) => more.ip)]
      .filter((ip) => ip !== "");
    this.#ips.set(id, ips);
    return ips;
  }

  async listContainers(): Promise<readonly Container[]> {
    const { containers } = await this.#call<{ containers: ContainerMessage[] }>(
      "ListContainers",
      ["ListContainersRequest", "ListContainersResponse"],
      {},
    );
    const own = containers.filter((one) => one.labels[POD_UID_LABEL] !== undefined);
    const ids = new Set(own.map((one) => one.id));
    for (const id of this.#statuses.keys()) if (!ids.has(id)) this.#statuses.delete(id);
    const all = await Promise.all(own.map((one) => this.#container(one)));
    return all.filter((one): one is Container => one !== null);
  }

  async listUsage(): Promise<readonly RuntimeUsage[]> {
    type Figure = { timestamp: string } & Record<string, { value: string } | null>;
    type Stats = { attributes: { id: string }; cpu: Figure | null; memory: Figure | null };
    const { stats } = await this.#call<{ stats: Stats[] }>(
      "ListContainerStats",
      ["ListContainerStatsRequest", "ListContainerStatsResponse"],
      {},
    );
    return stats.flatMap(({ attributes, cpu, memory }) => {
      const nanos = cpu?.usageCoreNanoSeconds;
      const workingSet = memory?.workingSetBytes;
      // A container that has just ended has no figures left.
      if (!cpu || !nanos || !workingSet) return [];
      return [{
        containerId: attributes.id,
        atMillis: toMillis(cpu.timestamp),
        cpuSeconds: Number(nanos.value) / 1e9,
        memoryBytes: Number(workingSet.value),
      }];
    });
  }

  /** Null when the container vanished between the list and the status. */
  async #container(listed: ContainerMessage): Promise<Container | null> {
    const status = await this.#status(listed.id, listed.state);
    if (status === null) return null;
    return {
      id: listed.id,
      sandboxId: listed.podSandboxId,
      podUid: listed.labels[POD_UID_LABEL],
      name: listed.labels[CONTAINER_NAME_LABEL] ?? listed.metadata.name,
      attempt: listed.metadata.attempt,
      state: CONTAINER_STATES[listed.state] ?? "unknown",
      createdAtMillis: toMillis(listed.createdAt),
      startedAtMillis: toMillis(status.startedAt),
      finishedAtMillis: toMillis(status.finishedAt),
      exitCode: status.exitCode,
      reason: status.reason,
      message: status.message,
      image: status.image?.image ?? "",
      imageId: status.imageRef || status.imageId,
      logPath: status.logPath,
    };
  }

  async #status(id: string, state: number): Promise<StatusMessage["status"] | null> {
    const known = this.#statuses.get(id);
    if (known?.state === state) return known.status;
    try {
      const { status } = await this.#call<StatusMessage>(
        "ContainerStatus",
        ["ContainerStatusRequest", "ContainerStatusResponse"],
        { containerId: id },
      );
      this.#statuses.set(id, { state, status });
      return status;
    } catch (error) {
      if (/not found/i.test(String(error))) return null;
      throw error;
    }
  }

  async runSandbox(config: object, runtimeHandler: string): Promise<string> {
    const answer = await this.#call<{ podSandboxId: string }>(
      "RunPodSandbox",
      ["RunPodSandboxRequest", "RunPodSandboxResponse"],
      { config, runtimeHandler },
      { timeoutMillis: SLOW_TIMEOUT_MILLIS },
    );
    return answer.podSandboxId;
  }

  async stopSandbox(id: string): Promise<void> {
    await this.#call("StopPodSandbox", ["PodSandboxIdRequest", "Empty"], { podSandboxId: id }, {
      timeoutMillis: SLOW_TIMEOUT_MILLIS,
    });
  }

  async removeSandbox(id: string): Promise<void> {
    await this.#call("RemovePodSandbox", ["PodSandboxIdRequest", "Empty"], { podSandboxId: id });
  }

  async createContainer(
    { sandboxId, config, sandboxConfig }: Parameters<ContainerRuntime["createContainer"]>[0],
  ): Promise<string> {
    const answer = await this.#call<{ containerId: string }>(
      "CreateContainer",
      ["CreateContainerRequest", "ContainerIdMessage"],
      { podSandboxId: sandboxId, config, sandboxConfig },
      { timeoutMillis: SLOW_TIMEOUT_MILLIS },
    );
    return answer.containerId;
  }

  async startContainer(id: string): Promise<void> {
    await this.#call("StartContainer", ["ContainerIdMessage", "Empty"], { containerId: id }, {
      timeoutMillis: SLOW_TIMEOUT_MILLIS,
    });
  }

  async stopContainer(id: string, graceSeconds: number): Promise<void> {
    await this.#call(
      "StopContainer",
      ["StopContainerRequest", "Empty"],
      { containerId: id, timeout: graceSeconds },
      { timeoutMillis: graceSeconds * 1000 + TIMEOUT_MILLIS },
    );
  }

  async removeContainer(id: string): Promise<void> {
    await this.#call("RemoveContainer", ["ContainerIdMessage", "Empty"], { containerId: id });
  }

  async hasImage(image: string): Promise<boolean> {
    const answer = await this.#call<{ image: { id: string } | null }>(
      "ImageStatus",
      ["ImageStatusRequest", "ImageStatusResponse"],
      { image: { image } },
      { service: "ImageService" },
    );
    return answer.image !== null && answer.image.id !== "";
  }

  async listImages() {
    type ImageMessage = { repoTags: string[]; repoDigests: string[]; size: string };
    const { images } = await this.#call<{ images: ImageMessage[] }>(
      "ListImages",
      ["ListImagesRequest", "ListImagesResponse"],
      {},
      { service: "ImageService" },
    );
    return images.map((image) => ({
      names: [...image.repoDigests, ...image.repoTags],
      sizeBytes: Number(image.size),
    }));
  }

  async pullImage(image: string): Promise<void> {
    await this.#call(
      "PullImage",
      ["PullImageRequest", "PullImageResponse"],
      { image: { image } },
      { service: "ImageService", timeoutMillis: PULL_TIMEOUT_MILLIS },
    );
  }

  async execSync(containerId: string, command: readonly string[], timeoutSeconds: number) {
    const answer = await this.#call<{ stdout: Uint8Array; stderr: Uint8Array; exitCode: number }>(
      "ExecSync",
      ["ExecSyncRequest", "ExecSyncResponse"],
      { containerId, cmd: command, timeout: timeoutSeconds },
      { timeoutMillis: timeoutSeconds * 1000 + TIMEOUT_MILLIS },
    );
    const decoder = new TextDecoder();
    const output = decoder.decode(answer.stdout) + decoder.decode(answer.stderr);
    return { exitCode: answer.exitCode, output };
  }

  execUrl(options: Parameters<ContainerRuntime["execUrl"]>[0]): Promise<string> {
    return this.#url("Exec", "ExecRequest", { ...options, cmd: options.command });
  }

  attachUrl(options: Parameters<ContainerRuntime["attachUrl"]>[0]): Promise<string> {
    return this.#url("Attach", "AttachRequest", options);
  }

  portForwardUrl(sandboxId: string, port: number): Promise<string> {
    return this.#url("PortForward", "PortForwardRequest", {
      podSandboxId: sandboxId,
      port: [port],
    });
  }

  async #url(method: string, requestName: string, request: object): Promise<string> {
    return (await this.#call<{ url: string }>(method, [requestName, "UrlResponse"], request)).url;
  }

  close(): void {
    this.#client.close();
  }
}

/** Nanoseconds as a decimal string to whole milliseconds; 0 stays 0. */
function toMillis(nanos: string): number {
  const value = BigInt(nanos);
  return value <= 0n ? 0 : Number(value / NANOS_PER_MILLI);
}
