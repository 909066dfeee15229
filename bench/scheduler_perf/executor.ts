/**
 * Runs one workload: its operations in order, with what it is told to measure.
 * In: a client, informers, a workload. Out: DataItems. Errors: rejects when the API refuses
 * something or pods don't get where they should within five minutes.
 * Never: knows a workload by name. Source: executor.go of kube-scheduler's scheduler_perf (v1.36).
 */
import type { KubeObject } from "../../agents/api/meta.ts";
import type { Resource } from "../../agents/api/resource.ts";
import { findResource, namespaces, nodes, pods, resources } from "../../agents/api/resources.ts";
import { ApiError } from "../../agents/api/status.ts";
import type { Client } from "../../agents/client/client.ts";
import { systemClock } from "../../agents/client/clock.ts";
import type { InformerSet } from "../../agents/client/informer_set.ts";
import { type HollowNodes, runHollowNodes } from "../../agents/kubelet/hollow/run.ts";
import type { DataItem } from "../result.ts";
import { type Meters, readingItems } from "./meters.ts";
import { Progress } from "./progress.ts";
import { ThroughputCollector } from "./throughput.ts";
import {
  type Churn,
  type CreateNodes,
  type CreatePods,
  type DeletePods,
  type Operation,
  resolveCount,
  type Selected,
  type Template,
} from "./workload.ts";
import { nodeDefault } from "./workloads/nodes.ts";

/** Creations under way at the same time. */
const IN_FLIGHT = 256;
const HOSTNAME = "kubernetes.io/hostname";
/** As the default node; leases as long as their holders may leave them. */
const HOLLOW_NODE = { cpu: "4", memory: "32Gi", pods: 110, leaseIntervalMillis: 39_000 } as const;

/** What a run reaches the cluster with. */
export interface Reach {
  /** Makes the workload's objects. */
  readonly client: Client;
  /** The scheduler's, which the harness watches too, as upstream's does. */
  readonly informers: InformerSet;
}

export class Executor {
  readonly #reach: Reach;
  readonly #selected: Selected;
  readonly #meters: Meters;
  readonly #progress: Progress;
  readonly #items: DataItem[] = [];
  /** Pods that no operation has waited for yet, by namespace. */
  readonly #pending = new Map<string, number>();
  readonly #namespaces = new Set<string>();
  readonly #background: Promise<void>[] = [];
  readonly #fleets: HollowNodes[] = [];
  #isOver = false;
  #nodeCount = 0;

  constructor(reach: Reach, selected: Selected, meters: Meters) {
    this.#reach = reach;
    this.#selected = selected;
    this.#meters = meters;
    this.#progress = new Progress(reach.informers.of(pods));
  }

  async run(): Promise<readonly DataItem[]> {
    try {
      let index = 0;
      for (const operation of this.#selected.testCase.operations) {
        await this.#perform(operation, index++);
      }
    } finally {
      this.#isOver = true;
      await Promise.all(this.#background);
      await Promise.all(this.#fleets.map((fleet) => fleet.stop()));
      this.#progress.close();
    }
    return this.#items;
  }

  async #perform(operation: Operation, index: number): Promise<void> {
    switch (operation.opcode) {
      case "createNodes":
        return this.#createNodes(operation, index);
      case "createNamespaces": {
        const count = this.#count(operation.count);
        for (let i = 0; i < count; i++) {
          await this.#createNamespace(`${operation.prefix}-${i}`, operation.template);
        }
        return;
      }
      case "createPods":
        return this.#createPods(operation, operation.namespace ?? `namespace-${index}`);
      case "createPodSets": {
        const count = this.#count(operation.count);
        for (let i = 0; i < count; i++) {
          await this.#createPods(operation.createPods, `${operation.namespacePrefix}-${i}`);
        }
        return;
      }
      case "createAny":
        if (operation.namespace) await this.#createNamespace(operation.namespace);
        await this.#create(operation.template, { namespace: operation.namespace });
        return;
      case "churn":
        return this.#churn(operation, `namespace-${index}`);
      case "barrier":
        return this.#barrier(operation.stageRequirement ?? "Scheduled", operation.namespaces);
      case "sleep":
        return pause(operation.durationMillis);
      case "deletePods":
        return this.#deletePods(operation);
    }
  }

  async #createNodes(operation: CreateNodes, index: number): Promise<void> {
    const { label, attachable } = operation;
    const template = operation.template ?? {
      ...nodeDefault,
      metadata: { generateName: `node-${index}-` },
    };
    const count = this.#count(operation.count);
    this.#nodeCount += count;
    if (operation.hollow) return this.#startHollowNodes(count);
    await inParallel(count, async (i) => {
      const name = template.metadata.name ?? `${template.metadata.generateName}${i}`;
      const labels = {
        ...template.metadata.labels,
        [HOSTNAME]: name,
        ...(label === undefined ? {} : { [label.key]: label.values[i % label.values.length] }),
      };
      await this.#create(template, { name, labels });
      if (attachable === undefined) return;
      const { driver: driverName, count } = attachable;
      const driver = { name: driverName, nodeID: name, allocatable: { count } };
      await this.#create(
        {
          apiVersion: "storage.k8s.io/v1",
          kind: "CSINode",
          metadata: {},
          spec: { drivers: [driver] },
        },
        { name },
      );
    });
  }

  async #startHollowNodes(count: number): Promise<void> {
    const { client } = this.#reach;
    const config = { ...HOLLOW_NODE, nodes: count };
    const fleet = runHollowNodes({ client, clock: systemClock, config });
    this.#fleets.push(fleet);
    await fleet.ready;
  }

  async #createPods(operation: CreatePods, namespace: string): Promise<void> {
    await this.#createNamespace(namespace);
    const template = operation.template ?? this.#selected.testCase.podTemplate;
    if (template === undefined) throw new Error("neither operation nor case has a pod template");
    const count = this.#count(operation.count);
    const before = this.#progress.present.get(namespace) ?? 0;
    const { reported } = this.#meters;
    const collector = operation.collectMetrics ? this.#startCollecting(namespace) : undefined;
    const { volume } = operation;
    const gangSize = operation.gangSize === undefined ? 0 : this.#count(operation.gangSize);
    for (let i = 0; gangSize > 0 && i * gangSize < count; i++) {
      await this.#createGang(namespace, i, Math.min(gangSize, count - i * gangSize));
    }
    await inParallel(count, async (i) => {
      const group = gangSize > 0 ? gangName(Math.floor(i / gangSize)) : undefined;
      // As upstream makes them: each pod right after its own volume and claim.
      if (volume !== undefined) await this.#createVolume(volume, namespace, i);
      await this.#createPod(template, namespace, { claim: volume && `pvc-${i}`, group });
    });
    if (operation.skipWaitToCompletion) {
      this.#pending.set(namespace, before + count);
      return;
    }
    await this.#progress.whenScheduled(namespace, before + count);
    // The watch tells of the last bindings a moment before the scheduler hears of its success.
    await this.#meters.whenReported(reported + count);
    if (collector === undefined) return;
    await pause(0);
    this.#stopCollecting(collector, namespace);
  }

  async #createPod(
    template: Template,
    namespace: string,
    { claim, group }: { readonly claim?: string; readonly group?: string },
  ): Promise<void> {
    if (claim === undefined && group === undefined) {
      await this.#create(template, { namespace });
      return;
    }
    const spec: Record<string, unknown> = { ...template.spec as object };
    if (claim !== undefined) {
      spec.volumes = [{ name: "vol", persistentVolumeClaim: { claimName: claim } }];
    }
    if (group !== undefined) spec.schedulingGroup = { podGroupName: group };
    await this.#create({ ...template, spec }, { namespace });
  }

  async #createGang(namespace: string, index: number, minCount: number): Promise<void> {
    await this.#create({
      apiVersion: "scheduling.k8s.io/v1alpha2",
      kind: "PodGroup",
      metadata: {},
      spec: { schedulingPolicy: { gang: { minCount } } },
    }, { namespace, name: gangName(index) });
  }

  /** A claim and a volume that are bound to each other already. */
  async #createVolume(
    { volume, claim }: NonNullable<CreatePods["volume"]>,
    namespace: string,
    index: number,
  ): Promise<void> {
    const claimName = `pvc-${index}`;
    const name = `${namespace}-pv-${index}`;
    const spec = volume.spec as { readonly csi?: object };
    const claimRef = {
      apiVersion: "v1",
      kind: "PersistentVolumeClaim",
      namespace,
      name: claimName,
    };
    const csi = spec.csi && { csi: { ...spec.csi, volumeHandle: name } };
    const bound = { status: { phase: "Bound" } };
    const claimSpec = { ...claim.spec as object, volumeName: name };
    await this.#create(
      { ...claim, spec: claimSpec, ...bound },
      { namespace, name: claimName },
      true,
    );
    await this.#create(
      { ...volume, spec: { ...spec, ...csi, claimRef }, ...bound },
      { name },
      true,
    );
  }

  #startCollecting(namespace: string): ThroughputCollector {
    const collector = new ThroughputCollector(performance.now());
    this.#progress.onBound = (where, count) => {
      if (where === namespace) collector.add(count, performance.now());
    };
    this.#meters.start();
    return collector;
  }

  #stopCollecting(collector: ThroughputCollector, namespace: string): void {
    this.#progress.onBound = () => {};
    const name = `${this.#selected.name}/${namespace}`;
    const reading = this.#meters.stop();
    this.#items.push(collector.toItem(name), ...readingItems(name, reading, this.#nodeCount));
  }

  async #churn(operation: Churn, namespace: string): Promise<void> {
    await this.#createNamespace(namespace);
    const { mode, number = 0, templates, intervalMillis } = operation;
    const alive: KubeObject[][] = templates.map(() => []);
    const turn = async (template: Template, at: number) => {
      const old = alive[at];
      if (mode === "recreate" && old.length === number) {
        for (const object of old.splice(0)) await this.#delete(object);
      } else if (number === 0 || old.length < number) {
        old.push(await this.#create(template, { namespace }));
      }
    };
    this.#background.push((async () => {
      for (;;) {
        await pause(intervalMillis);
        if (this.#isOver) return;
        for (let i = 0; i < templates.length; i++) await turn(templates[i], i);
      }
    })());
  }

  async #barrier(stage: "Scheduled" | "Attempted", names?: readonly string[]): Promise<void> {
    for (const [namespace, count] of [...this.#pending]) {
      if (names !== undefined && !names.includes(namespace)) continue;
      if (stage === "Attempted") await this.#progress.whenAttempted(namespace, count);
      else {
        await this.#progress.whenScheduled(namespace, count);
        this.#pending.delete(namespace);
      }
    }
  }

  async #deletePods(operation: DeletePods): Promise<void> {
    const { namespace, deletePodsPerSecond: rate = 0 } = operation;
    const doomed = this.#reach.informers.of(pods).lister.list(namespace);
    if (rate === 0) {
      await this.#reach.client.deleteCollection(pods, { namespace });
      return;
    }
    const deleting = (async () => {
      for (const pod of doomed) {
        await pause(1000 / rate);
        if (this.#isOver) return;
        await this.#delete(pod);
      }
    })();
    if (operation.skipWaitToCompletion) this.#background.push(deleting);
    else await deleting;
  }

  async #createNamespace(name: string, template?: Template): Promise<void> {
    if (this.#namespaces.has(name)) return;
    this.#namespaces.add(name);
    const base = template ?? { apiVersion: "v1", kind: "Namespace", metadata: {} };
    await this.#reach.client.create(namespaces, {
      ...base,
      metadata: { ...base.metadata, name },
    } as KubeObject);
  }

  /** @param setsStatus writes the status too, which a create ignores for some kinds. */
  async #create(
    template: Template,
    { name, namespace, labels }: {
      readonly name?: string;
      readonly namespace?: string;
      readonly labels?: Readonly<Record<string, string>>;
    },
    setsStatus = false,
  ): Promise<KubeObject> {
    const resource = resourceOf(template);
    const metadata: Record<string, unknown> = { ...template.metadata };
    if (name !== undefined) metadata.name = name;
    if (labels !== undefined) metadata.labels = labels;
    if (resource.namespaced) metadata.namespace = namespace;
    const object: KubeObject = { ...template, metadata };
    const created = await this.#reach.client.create(resource, object);
    if (!setsStatus) return created;
    return this.#reach.client.update(resource, { ...created, status: object.status }, {
      subresource: "status",
    });
  }

  async #delete(object: KubeObject): Promise<void> {
    const { namespace, name } = object.metadata;
    try {
      await this.#reach.client.delete(resourceOf(object), { namespace, name: name! });
    } catch (error) {
      if (!(error instanceof ApiError) || error.code !== 404) throw error;
    }
  }

  #count(count: CreatePods["count"]): number {
    return resolveCount(count, this.#selected.workload.params);
  }
}

function gangName(index: number): string {
  return `gang-${index}`;
}

/** Resources found so far, by version and kind. */
const found = new Map<string, Resource>();

/** Errors: throws when the API server serves no such kind. */
function resourceOf({ apiVersion = "", kind = "" }: KubeObject | Template): Resource {
  const key = `${apiVersion}/${kind}`;
  let resource = found.get(key);
  if (resource === undefined) found.set(key, resource = findByKind(apiVersion, kind));
  return resource;
}

function findByKind(apiVersion: string, kind: string): Resource {
  if (kind === pods.kind) return pods;
  if (kind === nodes.kind) return nodes;
  const [version, group = ""] = apiVersion.split("/").reverse();
  const row = resources.find((candidate) =>
    candidate.kind === kind && candidate.group === group && candidate.version === version
  );
  if (row === undefined) throw new NotServed(`the API serves no ${kind} of ${apiVersion}`);
  return findResource(group, version, row.plural) ?? row;
}

/** A workload that needs a kind which the API server does not have. */
export class NotServed extends Error {}

async function inParallel(count: number, work: (index: number) => Promise<unknown>): Promise<void> {
  let next = 0;
  const lane = async () => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: Math.min(IN_FLIGHT, count) }, lane));
}

function pause(millis: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, millis));
}
