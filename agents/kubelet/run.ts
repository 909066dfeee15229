/**
 * The kubelet of one machine: observes its pods and its runtime, plans each pod, performs the plan.
 * In: a Client, a ContainerRuntime, a clock. Out: containers that run, statuses, a node that lives,
 * and the logs and sessions that the API server asks for.
 * Never: decides (plan_pod.ts does), or runs two plans of one pod at a time.
 */
import type { KubeObject } from "../api/meta.ts";
import {
  configMaps,
  events as eventResource,
  pods,
  secrets,
  serviceAccounts,
} from "../api/resources.ts";
import { ApiError } from "../api/status.ts";
import type { Client } from "../client/client.ts";
import type { Clock } from "../client/clock.ts";
import { EventRecorder } from "../client/events.ts";
import { Informer } from "../client/informer.ts";
import { objectKey } from "../client/lister.ts";
import { type Lookup, serviceEnvironment } from "./environment.ts";
import {
  type MachineFacts,
  newNode,
  type NodeIdentity,
  registerNode,
  renewLease,
  reportNode,
} from "./node.ts";
import { perform, type PerformContext } from "./perform.ts";
import { planPod } from "./plan_pod.ts";
import { containersOf, newPodMemory, type Observed, type PodMemory } from "./pod_state.ts";
import { Prober } from "./probes.ts";
import type { DnsDefaults } from "./runtime_config.ts";
import type { Container, ContainerRuntime, Sandbox } from "./runtime_port.ts";
import { KubeletServer, type PodContainer } from "./server.ts";
import { podStatus } from "./status.ts";
import { readMachineUsage } from "./usage/machine_usage.ts";

export interface KubeletConfig {
  readonly client: Client;
  readonly runtime: ContainerRuntime;
  readonly clock: Clock;
  readonly identity: NodeIdentity;
  readonly facts: MachineFacts;
  /** Folder of volumes. */
  readonly root: string;
  /** Folder of container logs; `/var/log/pods` on a machine that is a node and nothing else. */
  readonly logRoot: string;
  readonly dns: DnsDefaults;
  /** Service variables that every container gets beside its namespace's own. */
  readonly apiServer: { readonly host: string; readonly port: number };
  readonly log: (level: "info" | "warn", message: string, fields?: Record<string, unknown>) => void;
}

const RELIST_MILLIS = 1_000;
const LEASE_MILLIS = 10_000;
const STATUS_MILLIS = 300_000;
const RETRY_MILLIS = 1_000;
const NO_RUNTIME_STATE: Observed = { sandboxes: [], containers: [] };

/** One pod of this machine, with at most one sync under way. */
interface PodWorker {
  pod: KubeObject;
  readonly memory: PodMemory;
  isBusy: boolean;
  isDirty: boolean;
  cancelWake: () => void;
}

export interface RunningKubelet {
  readonly server: KubeletServer;
  /** The pods of this node as they were last seen. */
  readonly pods: () => readonly KubeObject[];
  stop(): Promise<void>;
}

/** Registers the node and starts; resolves once the node is ready for pods. */
export async function runKubelet(config: KubeletConfig): Promise<RunningKubelet> {
  const kubelet = new Kubelet(config);
  await kubelet.start();
  return kubelet;
}

class Kubelet implements RunningKubelet {
  readonly server: KubeletServer;
  readonly #config: KubeletConfig;
  readonly #events: EventRecorder;
  readonly #pods: Informer;
  readonly #workers = new Map<string, PodWorker>();
  readonly #prober: Prober;
  readonly #cancels = new Map<string, () => void>();
  readonly #syncs = new Set<Promise<void>>();
  #sandboxes = new Map<string, Sandbox[]>();
  #containers = new Map<string, Container[]>();
  /** What the last relist showed, to see which pods changed. */
  #fingerprints = new Map<string, string>();
  #node: KubeObject = { metadata: {} };
  #isStopped = false;

  constructor(config: KubeletConfig) {
    this.#config = config;
    const { client, clock, identity } = config;
    this.#events = new EventRecorder({
      client,
      clock,
      resource: eventResource,
      component: "kubelet",
      host: identity.name,
    });
    this.#pods = new Informer({
      client,
      resource: pods,
      clock,
      fieldSelector: `spec.nodeName=${identity.name}`,
    });
    this.#prober = new Prober(clock, config.runtime);
    this.server = new KubeletServer({
      runtime: config.runtime,
      logRoot: config.logRoot,
      nowMillis: () => clock.nowMillis(),
      observe: (pod) => this.#observed(String(pod.metadata.uid)),
      containers: () => this.#podContainers(),
      machineUsage: readMachineUsage,
    });
  }

  pods(): readonly KubeObject[] {
    return Array.from(this.#workers.values(), ({ pod }) => pod);
  }

  async start(): Promise<void> {
    const { client, clock, facts, identity, runtime } = this.#config;
    await registerNode(client, newNode(identity, facts));
    this.#node = await reportNode(client, identity, facts, {
      nowMillis: clock.nowMillis(),
      runtime,
    });
    await renewLease(client, this.#node, clock.nowMillis());
    await this.#relist();
    this.#pods.addHandler((changes) => {
      for (const { type, object } of changes) this.#onPod(object, type === "delete");
    });
    this.#pods.start();
    this.#repeat("relist", RELIST_MILLIS, () => this.#relist());
    this.#repeat("lease", LEASE_MILLIS, () => renewLease(client, this.#node, clock.nowMillis()));
    this.#repeat("status", STATUS_MILLIS, async () => {
      await reportNode(client, identity, facts, { nowMillis: clock.nowMillis(), runtime });
    });
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    for (const cancel of this.#cancels.values()) cancel();
    for (const worker of this.#workers.values()) worker.cancelWake();
    this.#prober.keepOnly(new Set());
    this.#pods.stop();
    await Promise.allSettled(this.#syncs);
    this.#config.runtime.close();
  }

  /** Runs `turn` again and again, one pause after it ended; a failure is logged and survived. */
  #repeat(name: string, pauseMillis: number, turn: () => Promise<void>): void {
    const next = () => {
      if (this.#isStopped) return;
      this.#cancels.set(
        name,
        this.#config.clock.after(pauseMillis, () => {
          turn().catch((error: Error) => this.#warn(`${name} failed`, error)).finally(next);
        }),
      );
    };
    next();
  }

  #warn(message: string, error: Error): void {
    if (!this.#isStopped) this.#config.log("warn", message, { error: error.message });
  }

  /** Reads the runtime's whole state; pods whose part of it changed are planned anew. */
  async #relist(): Promise<void> {
    const { runtime } = this.#config;
    const [sandboxes, containers] = await Promise.all([
      runtime.listSandboxes(),
      runtime.listContainers(),
    ]);
    this.#sandboxes = Map.groupBy(sandboxes, (one) => one.podUid);
    this.#containers = Map.groupBy(containers, (one) => one.podUid);
    const before = this.#fingerprints;
    this.#fingerprints = new Map();
    for (const uid of new Set([...this.#sandboxes.keys(), ...this.#containers.keys()])) {
      this.#fingerprints.set(uid, fingerprint(this.#observed(uid)));
    }
    for (const [uid, now] of this.#fingerprints) if (before.get(uid) !== now) this.#wake(uid);
    for (const uid of before.keys()) if (!this.#fingerprints.has(uid)) this.#wake(uid);
    this.#prober.keepOnly(
      new Set(containers.filter((one) => one.state === "running").map((one) => one.id)),
    );
    await this.#removeOrphans();
  }

  /** Sandboxes of pods that the API server no longer knows: their pod was removed by force. */
  async #removeOrphans(): Promise<void> {
    if (!this.#pods.hasSynced) return;
    for (const [uid, sandboxes] of this.#sandboxes) {
      if (this.#workers.has(uid)) continue;
      for (const { id } of sandboxes) {
        await this.#config.runtime.stopSandbox(id);
        await this.#config.runtime.removeSandbox(id);
      }
    }
  }

  #podContainers(): Map<string, PodContainer> {
    const found = new Map<string, PodContainer>();
    for (const [uid, { pod }] of this.#workers) {
      for (const container of this.#containers.get(uid) ?? []) {
        found.set(container.id, { pod, container });
      }
    }
    return found;
  }

  #observed(uid: string): Observed {
    const sandboxes = this.#sandboxes.get(uid);
    const containers = this.#containers.get(uid);
    if (sandboxes === undefined && containers === undefined) return NO_RUNTIME_STATE;
    return { sandboxes: sandboxes ?? [], containers: containers ?? [] };
  }

  #onPod(pod: KubeObject, isGone: boolean): void {
    const uid = String(pod.metadata.uid);
    const worker = this.#workers.get(uid);
    if (isGone) {
      worker?.cancelWake();
      this.#workers.delete(uid);
      return;
    }
    if (worker === undefined) {
      this.#workers.set(uid, {
        pod,
        memory: newPodMemory(),
        isBusy: false,
        isDirty: false,
        cancelWake: () => {},
      });
    } else worker.pod = pod;
    this.#wake(uid);
  }

  #wake(uid: string): void {
    const worker = this.#workers.get(uid);
    if (worker === undefined || this.#isStopped) return;
    if (worker.isBusy) {
      worker.isDirty = true;
      return;
    }
    worker.isBusy = true;
    worker.isDirty = false;
    const sync = this.#sync(uid, worker)
      .catch((error: Error) => {
        this.#warn(`sync of pod ${objectKey(worker.pod)} failed`, error);
        worker.cancelWake = this.#config.clock.after(RETRY_MILLIS, () => this.#wake(uid));
      })
      .finally(() => {
        this.#syncs.delete(sync);
        worker.isBusy = false;
        if (worker.isDirty) this.#wake(uid);
      });
    this.#syncs.add(sync);
  }

  async #sync(uid: string, worker: PodWorker): Promise<void> {
    const { clock } = this.#config;
    worker.cancelWake();
    const { memory, pod } = worker;
    const observed = this.#observed(uid);
    this.#probe(worker, observed);
    await this.#report(worker, observed);
    const plan = planPod(pod, observed, memory, clock.nowMillis());
    if (plan.actions.length > 0) {
      await perform(plan.actions, { pod, observed, memory }, this.#performContext(pod));
      await this.#relist();
      if (this.#workers.get(uid) === worker) worker.isDirty = true;
    } else if (plan.wakeAtMillis !== null) {
      const delay = Math.max(0, plan.wakeAtMillis - clock.nowMillis());
      worker.cancelWake = clock.after(delay, () => this.#wake(uid));
    }
  }

  #probe(worker: PodWorker, observed: Observed): void {
    const podIP = this.#podIPs(worker.pod, observed)[0] ?? "";
    for (const { name, spec } of containersOf(worker.pod)) {
      const container = observed.containers.find((one) =>
        one.name === name && one.state === "running"
      );
      if (container === undefined) continue;
      const onChange = () => this.#wake(container.podUid);
      const { memory, pod } = worker;
      this.#prober.start({ pod, spec, container, memory, podIP, onChange });
    }
  }

  #podIPs(pod: KubeObject, observed: Observed): readonly string[] {
    if (pod.spec.hostNetwork) return [this.#config.facts.address];
    return observed.sandboxes.find((one) => one.ready)?.ips ?? [];
  }

  /** Posts the pod's status where it differs from what the API server has. */
  async #report(worker: PodWorker, observed: Observed): Promise<void> {
    const { client, clock, facts, identity } = this.#config;
    const { memory, pod } = worker;
    if (pod.metadata.deletionTimestamp !== undefined && observed === NO_RUNTIME_STATE) return;
    const status = podStatus(pod, observed, memory, {
      nowMillis: clock.nowMillis(),
      hostIP: facts.address,
      runtimeName: identity.runtime.name,
    });
    if (isSubset(status, pod.status ?? {})) return;
    const { name = "", namespace, uid } = pod.metadata;
    try {
      worker.pod = await client.patch(pods, { namespace, name, subresource: "status" }, {
        type: "application/strategic-merge-patch+json",
        body: { metadata: { uid }, status: withoutStaleState(status) },
      });
    } catch (error) {
      const isGone = error instanceof ApiError &&
        (error.reason === "NotFound" || error.reason === "Conflict");
      if (!isGone) throw error;
    }
  }

  #performContext(pod: KubeObject): PerformContext {
    const { client, clock, dns, facts, logRoot, root, runtime } = this.#config;
    return {
      runtime,
      events: this.#events,
      root,
      logRoot,
      dns,
      hostIP: facts.address,
      podIPs: this.#podIPs(pod, this.#observed(String(pod.metadata.uid))),
      nowMillis: () => clock.nowMillis(),
      lookup: lookupIn(client, pod.metadata.namespace ?? ""),
      services: this.#services,
      token: async (target, request) => {
        const { name, namespace, uid } = target.metadata;
        const account = target.spec.serviceAccountName ?? "default";
        const answer = await client.create<KubeObject>(serviceAccounts, {
          apiVersion: "authentication.k8s.io/v1",
          kind: "TokenRequest",
          metadata: { namespace, name: account },
          spec: {
            audiences: request.audience === undefined ? undefined : [request.audience],
            expirationSeconds: request.expirationSeconds,
            boundObjectRef: { apiVersion: "v1", kind: "Pod", name, uid },
          },
        }, { subresource: "token", name: account });
        return answer.status.token;
      },
      deletePod: async (target) => {
        const { name = "", namespace, uid } = target.metadata;
        try {
          await client.delete(pods, { namespace, name }, {
            gracePeriodSeconds: 0,
            preconditions: { uid },
          });
        } catch (error) {
          const isGone = error instanceof ApiError &&
            (error.reason === "NotFound" || error.reason === "Conflict");
          if (!isGone) throw error;
        }
      },
    };
  }

  /** Where a container finds the API server; other services are found by DNS. */
  get #services(): Record<string, string> {
    const { host, port } = this.#config.apiServer;
    return serviceEnvironment([{
      metadata: { name: "kubernetes" },
      spec: { clusterIP: host, ports: [{ name: "https", port, protocol: "TCP" }] },
    }]);
  }
}

function lookupIn(client: Client, namespace: string): Lookup {
  return async (kind, name) => {
    const resource = kind === "secret" ? secrets : configMaps;
    try {
      return await client.get(resource, { namespace, name });
    } catch (error) {
      if (error instanceof ApiError && error.reason === "NotFound") return null;
      throw error;
    }
  };
}

function fingerprint({ containers, sandboxes }: Observed): string {
  return [
    ...sandboxes.map((one) => `${one.id}:${one.ready}`),
    ...containers.map((one) => `${one.id}:${one.state}`),
  ].sort().join(" ");
}

/** Container states are unions: the two forms that no longer hold are removed by a null. */
function withoutStaleState(status: Record<string, unknown>): Record<string, unknown> {
  const clear = (list: unknown) =>
    (list as { state: object; lastState: object }[] | undefined)?.map((one) => ({
      ...one,
      state: { waiting: null, running: null, terminated: null, ...one.state },
    }));
  return {
    ...status,
    containerStatuses: clear(status.containerStatuses),
    ...(status.initContainerStatuses === undefined
      ? {}
      : { initContainerStatuses: clear(status.initContainerStatuses) }),
  };
}

/**
 * Whether everything in `part` is in `whole` already; lists of named items match by name or type.
 */
export function isSubset(part: unknown, whole: unknown): boolean {
  if (Array.isArray(part)) {
    if (!Array.isArray(whole)) return false;
    return part.every((item, index) => {
      const twin = isKeyed(item)
        ? whole.find((one) => one?.type === item.type && one?.name === item.name)
        : whole[index];
      return isSubset(item, twin);
    });
  }
  if (typeof part !== "object" || part === null) return part === whole;
  if (typeof whole !== "object" || whole === null) return false;
  const theirs = whole as Record<string, unknown>;
  return Object.entries(part).every(([key, value]) =>
    value === undefined || isSubset(value, theirs[key])
  ) &&
    !hasStaleState(part, theirs);
}

function isKeyed(item: unknown): item is { type?: string; name?: string } {
  return typeof item === "object" && item !== null && ("type" in item || "name" in item);
}

/** A container's state went from one form to another. */
function hasStaleState(part: object, whole: Record<string, unknown>): boolean {
  if (!("waiting" in part || "running" in part || "terminated" in part)) return false;
  return Object.keys(whole).some((key) => !(key in part));
}
