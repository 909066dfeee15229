/**
 * A container runtime as the kubelet sees it: the verbs of CRI v1 with times in milliseconds.
 * In: nothing. Out: types only; `cri/cri_client.ts` speaks to a real one, tests use a fake.
 * Never: knows whether CRI-O, containerd or a fake stands behind it.
 */

/** Names a sandbox and, by its labels, the pod it belongs to. */
export interface SandboxConfig {
  readonly metadata: { name: string; uid: string; namespace: string; attempt: number };
  readonly hostname: string;
  readonly logDirectory: string;
  readonly dnsConfig?: { servers: string[]; searches: string[]; options: string[] };
  readonly portMappings: readonly {
    protocol: number;
    containerPort: number;
    hostPort: number;
    hostIp: string;
  }[];
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly linux: Record<string, unknown>;
}

export interface ContainerConfig {
  readonly metadata: { name: string; attempt: number };
  readonly image: { image: string };
  readonly command: readonly string[];
  readonly args: readonly string[];
  readonly workingDir: string;
  readonly envs: readonly { key: string; value: Uint8Array }[];
  readonly mounts: readonly {
    containerPath: string;
    hostPath: string;
    readonly: boolean;
    propagation: number;
  }[];
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  /** Relative to the sandbox's log directory. */
  readonly logPath: string;
  readonly stdin: boolean;
  readonly stdinOnce: boolean;
  readonly tty: boolean;
  readonly linux: Record<string, unknown>;
}

export interface Sandbox {
  readonly id: string;
  readonly podUid: string;
  readonly attempt: number;
  readonly ready: boolean;
  readonly createdAtMillis: number;
  /** Empty until known, and for pods on the host's network. */
  readonly ips: readonly string[];
}

export interface Container {
  readonly id: string;
  readonly sandboxId: string;
  readonly podUid: string;
  readonly name: string;
  readonly attempt: number;
  readonly state: "created" | "running" | "exited" | "unknown";
  readonly createdAtMillis: number;
  /** 0 while not reached. */
  readonly startedAtMillis: number;
  readonly finishedAtMillis: number;
  readonly exitCode: number;
  readonly reason: string;
  readonly message: string;
  /** As asked for, and as resolved to a digest. */
  readonly image: string;
  readonly imageId: string;
  readonly logPath: string;
}

/** What one running container uses. */
export interface RuntimeUsage {
  readonly containerId: string;
  /** When the runtime looked, milliseconds since 1970. */
  readonly atMillis: number;
  /** Core-seconds since it started. */
  readonly cpuSeconds: number;
  /** Working set. */
  readonly memoryBytes: number;
}

export interface ExecOptions {
  readonly containerId: string;
  readonly command: readonly string[];
  readonly tty: boolean;
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
}

/** Errors: every method rejects with an Error whose message is the runtime's own. */
export interface ContainerRuntime {
  version(): Promise<{ name: string; version: string }>;
  /** Conditions that are not met, such as a network that is not ready; empty when all is well. */
  problems(): Promise<readonly { type: string; message: string }[]>;
  /** Every sandbox and container that carries the kubelet's labels. */
  listSandboxes(): Promise<readonly Sandbox[]>;
  listContainers(): Promise<readonly Container[]>;
  /** Of the containers that the runtime has figures for. */
  listUsage(): Promise<readonly RuntimeUsage[]>;
  runSandbox(config: SandboxConfig, runtimeHandler: string): Promise<string>;
  stopSandbox(id: string): Promise<void>;
  removeSandbox(id: string): Promise<void>;
  createContainer(options: {
    readonly sandboxId: string;
    readonly config: ContainerConfig;
    readonly sandboxConfig: SandboxConfig;
  }): Promise<string>;
  startContainer(id: string): Promise<void>;
  /** Asks politely, kills after `graceSeconds`; resolves once stopped. */
  stopContainer(id: string, graceSeconds: number): Promise<void>;
  removeContainer(id: string): Promise<void>;
  hasImage(image: string): Promise<boolean>;
  listImages(): Promise<readonly { names: readonly string[]; sizeBytes: number }[]>;
  pullImage(image: string): Promise<void>;
  execSync(
    containerId: string,
    command: readonly string[],
    timeoutSeconds: number,
  ): Promise<{ exitCode: number; output: string }>;
  /** URL of the runtime's own streaming server. */
  execUrl(options: ExecOptions): Promise<string>;
  attachUrl(options: Omit<ExecOptions, "command">): Promise<string>;
  portForwardUrl(sandboxId: string, port: number): Promise<string>;
  close(): void;
}

/** Labels on sandboxes and containers, as every kubelet writes them, so that crictl shows names. */
export const POD_NAME_LABEL = "io.kubernetes.pod.name";
export const POD_NAMESPACE_LABEL = "io.kubernetes.pod.namespace";
export const POD_UID_LABEL = "io.kubernetes.pod.uid";
export const CONTAINER_NAME_LABEL = "io.kubernetes.container.name";
