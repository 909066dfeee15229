/**
 * Runs any number of nodes without machines in one loop: one timer, one watch on pods.
 * In: a Client, a clock, how many nodes of which size. Out: Node and Lease objects that stay
 * alive, and bound pods that become Running, exit and go. Never: starts a container.
 */
import { events, leases, nodes, pods } from "../../api/resources.ts";
import type { KubeObject } from "../../api/meta.ts";
import { ApiError } from "../../api/status.ts";
import type { Client } from "../../client/client.ts";
import type { Cancel, Clock } from "../../client/clock.ts";
import { EventRecorder } from "../../client/events.ts";
import { type Change, Informer } from "../../client/informer.ts";
import { objectKey, parseObjectKey } from "../../client/lister.ts";
import { runWorkers, WorkQueue } from "../../client/work_queue.ts";
import {
  HOLLOW_DEFAULTS,
  type HollowConfig,
  hollowLease,
  hollowNode,
  LEASE_NAMESPACE,
  nodeAddress,
  nodeConditions,
  nodeName,
  nodeStatus,
  planPod,
  podPrefix,
  validateHollowConfig,
} from "./plan_hollow.ts";
import { newUsageMemory, planUsage, type UsageMemory } from "./plan_usage.ts";
import { formatResourceMetrics } from "../usage/resource_metrics.ts";

export interface HollowOptions {
  readonly client: Client;
  readonly clock: Clock;
  readonly config?: Partial<HollowConfig>;
  /** Told of failed writes and watches; all of them are tried again. */
  readonly onFailure?: (where: string, error: ApiError) => void;
}

export interface HollowNodes {
  readonly names: readonly string[];
  /** Resolves when every node is registered and pods are watched. */
  readonly ready: Promise<void>;
  /** What a node would use, as `/metrics/resource` tells it; undefined for nodes of others. */
  resourceMetrics(nodeName: string): string | undefined;
  stop(): Promise<void>;
}

interface HollowNode {
  readonly index: number;
  readonly name: string;
  node?: KubeObject;
  lease?: KubeObject;
  startedMillis: number;
  leaseDueMillis: number;
  statusDueMillis: number;
  /** A write for the node is under way. */
  busy: boolean;
  /** Last numbers of the addresses that pods hold, by uid. */
  readonly addresses: Map<string, number>;
  /** What it used so far; absent until somebody asks. */
  usage?: UsageMemory;
}

/** The loop looks at its nodes no more often than this. */
const SHORTEST_TICK_MILLIS = 100;
const LONGEST_TICK_MILLIS = 1_000;
const RETRY_MILLIS = 1_000;
const BY_NODE = "node";
const REGISTRATIONS_IN_FLIGHT = 32;

/** Starts the nodes. Errors: throws TypeError naming every problem of the configuration. */
export function runHollowNodes(options: HollowOptions): HollowNodes {
  const config = { ...HOLLOW_DEFAULTS, ...options.config };
  const problems = validateHollowConfig(config);
  if (problems.length > 0) throw new TypeError(problems.join("; "));
  const fleet = new Fleet(options, config);
  const ready = fleet.start();
  return {
    names: fleet.names,
    ready,
    resourceMetrics: (name) => fleet.resourceMetrics(name),
    stop: () => fleet.stop(),
  };
}

class Fleet {
  readonly #client: Client;
  readonly #clock: Clock;
  readonly #config: HollowConfig;
  readonly #onFailure: (where: string, error: ApiError) => void;
  readonly #nodes: HollowNode[];
  readonly #byName = new Map<string, HollowNode>();
  readonly #pods: Informer;
  readonly #queue: WorkQueue;
  readonly #recorder: EventRecorder;
  /** Uids of pods whose start has been reported. */
  readonly #told = new Set<string>();
  #stopWorkers: () => Promise<void> = () => Promise.resolve();
  #cancelTick: Cancel = () => {};
  #stopped = false;

  constructor(options: HollowOptions, config: HollowConfig) {
    const { client, clock } = options;
    this.#client = client;
    this.#clock = clock;
    this.#config = config;
    this.#onFailure = options.onFailure ?? (() => {});
    this.#nodes = Array.from({ length: config.nodes }, (_, index) => newNode(config, index));
    for (const node of this.#nodes) this.#byName.set(node.name, node);
    this.#queue = new WorkQueue({ clock, baseDelayMillis: 50, maxDelayMillis: 10_000 });
    this.#recorder = new EventRecorder({ client, clock, resource: events, component: "kubelet" });
    this.#pods = new Informer({
      client,
      clock,
      resource: pods,
      fieldSelector: "spec.nodeName!=",
      indexes: { [BY_NODE]: (pod) => [pod.spec.nodeName ?? ""] },
      onFailure: (error) => this.#onFailure("watch of pods", error),
    });
  }

  get names(): string[] {
    return this.#nodes.map((node) => node.name);
  }

  async start(): Promise<void> {
    this.#pods.addHandler((changes) => this.#observe(changes));
    this.#pods.start();
    let next = 0;
    const register = async () => {
      while (next < this.#nodes.length && !this.#stopped) {
        const node = this.#nodes[next++];
        while (!this.#stopped && !await this.#attempt(node, () => this.#register(node))) {
          await new Promise<void>((resolve) => this.#clock.after(RETRY_MILLIS, resolve));
        }
      }
    };
    await Promise.all(Array.from({ length: REGISTRATIONS_IN_FLIGHT }, register));
    await this.#pods.whenSynced();
    if (this.#stopped) return;
    this.#stopWorkers = runWorkers({
      queue: this.#queue,
      workers: this.#config.concurrency,
      work: (key) => this.#work(key),
    });
    this.#tick();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancelTick();
    this.#pods.stop();
    this.#recorder.stop();
    await this.#stopWorkers();
  }

  resourceMetrics(name: string): string | undefined {
    const node = this.#byName.get(name);
    if (node === undefined) return undefined;
    const nowMillis = this.#clock.nowMillis();
    node.usage ??= newUsageMemory(nowMillis);
    const bound = this.#pods.lister.byIndex(BY_NODE, name);
    const usage = planUsage(bound, node.usage, nowMillis);
    return formatResourceMetrics(usage.node, usage.containers);
  }

  /** Renews what is due; nodes are dealt evenly over the interval, so a tick has little to do. */
  #tick(): void {
    if (this.#stopped) return;
    const nowMillis = this.#clock.nowMillis();
    for (const node of this.#nodes) {
      if (node.busy) continue;
      if (nowMillis >= node.statusDueMillis) {
        node.statusDueMillis = nowMillis + this.#config.statusIntervalMillis;
        void this.#attempt(node, () => this.#report(node));
      } else if (nowMillis >= node.leaseDueMillis) {
        node.leaseDueMillis = nowMillis + this.#config.leaseIntervalMillis;
        void this.#attempt(node, () => this.#renew(node));
      }
    }
    const share = this.#config.leaseIntervalMillis / this.#nodes.length;
    const wait = Math.min(LONGEST_TICK_MILLIS, Math.max(SHORTEST_TICK_MILLIS, share));
    this.#cancelTick = this.#clock.after(wait, () => this.#tick());
  }

  /** @returns false when the API server refused; the next due time tries again, or earlier. */
  async #attempt(node: HollowNode, write: () => Promise<void>): Promise<boolean> {
    node.busy = true;
    try {
      await write();
      return true;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.#onFailure(node.name, error);
      node.leaseDueMillis = Math.min(
        node.leaseDueMillis,
        this.#clock.nowMillis() + RETRY_MILLIS,
      );
      return false;
    } finally {
      node.busy = false;
    }
  }

  async #register(node: HollowNode): Promise<void> {
    const nowMillis = this.#clock.nowMillis();
    const { index, name } = node;
    node.startedMillis = nowMillis;
    const draft = hollowNode(this.#config, index, nowMillis);
    try {
      node.node = await this.#client.create(nodes, draft);
    } catch (error) {
      if (!(error instanceof ApiError) || error.reason !== "AlreadyExists") throw error;
      node.node = await this.#client.get<KubeObject>(nodes, { name });
    }
    // A node that was there before, or a server that takes no status at creation.
    const heard = node.node.status?.conditions?.[0]?.lastHeartbeatTime;
    if (heard !== draft.status.conditions[0].lastHeartbeatTime) {
      const status = nodeStatus(this.#config, { index, nowMillis, startedMillis: nowMillis });
      node.node = await this.#patchStatus(name, status);
    }
    await this.#renew(node);
    const { leaseIntervalMillis, statusIntervalMillis, nodes: count } = this.#config;
    node.leaseDueMillis = nowMillis + leaseIntervalMillis * (index + 1) / count;
    node.statusDueMillis = nowMillis + statusIntervalMillis * (index + 1) / count;
  }

  async #renew(node: HollowNode): Promise<void> {
    const nowMillis = this.#clock.nowMillis();
    if (node.lease !== undefined) {
      try {
        node.lease = await this.#client.update(
          leases,
          hollowLease(node.node!, nowMillis, node.lease),
        );
        return;
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
        if (error.code !== 404 && error.code !== 409) throw error;
        node.lease = undefined;
      }
    }
    try {
      node.lease = await this.#client.create(leases, hollowLease(node.node!, nowMillis));
    } catch (error) {
      if (!(error instanceof ApiError) || error.reason !== "AlreadyExists") throw error;
      const place = { namespace: LEASE_NAMESPACE, name: node.name };
      const old = await this.#client.get<KubeObject>(leases, place);
      node.lease = await this.#client.update(leases, hollowLease(node.node!, nowMillis, old));
    }
  }

  async #report(node: HollowNode): Promise<void> {
    const nowMillis = this.#clock.nowMillis();
    const { startedMillis } = node;
    try {
      const known: { type: string }[] = node.node?.status?.conditions ?? [];
      const own = nodeConditions({ nowMillis, startedMillis });
      const foreign = known.filter((one) => !own.some((mine) => mine.type === one.type));
      node.node = await this.#patchStatus(node.name, { conditions: [...own, ...foreign] });
    } catch (error) {
      if (!(error instanceof ApiError) || error.code !== 404) throw error;
      // Someone deleted the node; a kubelet that lives on registers again.
      await this.#register(node);
    }
  }

  #patchStatus(name: string, status: Record<string, unknown>): Promise<KubeObject> {
    return this.#client.patch<KubeObject>(nodes, { name, subresource: "status" }, {
      type: "application/merge-patch+json",
      body: { status },
    });
  }

  #observe(changes: readonly Change[]): void {
    for (const { type, object } of changes) {
      const node = this.#byName.get(object.spec?.nodeName ?? "");
      if (node === undefined) continue;
      if (type === "delete") {
        node.addresses.delete(object.metadata.uid!);
        this.#told.delete(object.metadata.uid!);
      } else {
        this.#queue.add(objectKey(object));
      }
    }
  }

  async #work(key: string): Promise<void> {
    const pod = this.#pods.lister.get(parseObjectKey(key));
    const node = this.#byName.get(pod?.spec.nodeName ?? "");
    if (pod === undefined || node === undefined) return;
    const action = planPod(pod, {
      hostAddress: nodeAddress(node.index),
      podAddress: `${podPrefix(node.index)}.${addressOf(node, pod)}`,
      nowMillis: this.#clock.nowMillis(),
      startMillis: this.#config.startMillis,
    });
    try {
      switch (action.kind) {
        case "none":
          break;
        case "wait":
          this.#queue.addAfter(key, action.millis);
          break;
        case "remove":
          await this.#remove(pod);
          break;
        case "report":
          await this.#client.patch(pods, { ...place(pod), subresource: "status" }, {
            type: "application/merge-patch+json",
            body: { metadata: { uid: pod.metadata.uid }, status: action.status },
          });
          if (action.started) this.#tell(node, pod);
      }
      this.#queue.forget(key);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      // Gone, or another pod by the same name: the watch will tell.
      if (error.code === 404 || error.code === 409) return;
      this.#onFailure(key, error);
      this.#queue.addRateLimited(key);
    }
  }

  async #remove(pod: KubeObject): Promise<void> {
    // Finalizers may hold it longer; then there is nothing left to do here.
    if (pod.metadata.deletionGracePeriodSeconds === 0) return;
    await this.#client.delete(pods, place(pod), {
      gracePeriodSeconds: 0,
      preconditions: { uid: pod.metadata.uid! },
    });
  }

  #tell(node: HollowNode, pod: KubeObject): void {
    if (node.index >= this.#config.eventNodes || this.#told.has(pod.metadata.uid!)) return;
    this.#told.add(pod.metadata.uid!);
    for (const { name, image } of pod.spec.containers) {
      const about = {
        about: pod,
        type: "Normal" as const,
        fieldPath: `spec.containers{${name}}`,
        host: node.name,
      };
      const pulled = `Container image "${image}" already present on machine`;
      this.#recorder.record({ ...about, reason: "Pulled", message: pulled });
      this.#recorder.record({ ...about, reason: "Created", message: "Container created" });
      this.#recorder.record({ ...about, reason: "Started", message: "Container started" });
    }
  }
}

function newNode(config: HollowConfig, index: number): HollowNode {
  return {
    index,
    name: nodeName(config, index),
    startedMillis: 0,
    leaseDueMillis: Infinity,
    statusDueMillis: Infinity,
    busy: false,
    addresses: new Map(),
  };
}

function place(pod: KubeObject): { namespace: string; name: string } {
  return { namespace: pod.metadata.namespace!, name: pod.metadata.name! };
}

/** The last number of a pod's address: the one it has, or the lowest that is free, from 2. */
function addressOf(node: HollowNode, pod: KubeObject): number {
  const uid = pod.metadata.uid!;
  const known = node.addresses.get(uid);
  if (known !== undefined) return known;
  const taken = new Set(node.addresses.values());
  const stored = Number(pod.status?.podIP?.split(".")[3]);
  let number = stored >= 2 && !taken.has(stored) ? stored : 2;
  while (taken.has(number) && number < 254) number++;
  node.addresses.set(uid, number);
  return number;
}
