/**
 * The runner against a cluster in memory: what it binds, refuses, explains and evicts.
 */
import assert from "node:assert/strict";
import type { Binding, PodReport } from "../api/call.ts";
import type { KubeObject, WatchEvent } from "../api/meta.ts";
import type { Resource } from "../api/resource.ts";
import { ApiError } from "../api/status.ts";
import type { Client } from "../client/client.ts";
import { reportPods } from "../client/report_pods.ts";
import type { Clock } from "../client/clock.ts";
import type { Pod } from "./kinds.ts";
import { runKubeScheduler } from "./run.ts";
import type { KubeSchedulerOptions, RunningKubeScheduler } from "./run.ts";

/** A clock that moves when told to. */
class HandClock implements Clock {
  #nowMillis = Date.UTC(2030, 0, 1);
  #timers = new Set<{ dueMillis: number; action: () => void }>();

  nowMillis(): number {
    return this.#nowMillis;
  }

  after(delayMillis: number, action: () => void): () => void {
    const timer = { dueMillis: this.#nowMillis + delayMillis, action };
    this.#timers.add(timer);
    return () => void this.#timers.delete(timer);
  }

  random(): number {
    return 0.5;
  }

  /** Moves on and runs what falls due, letting promises settle between. */
  async advance(millis: number): Promise<void> {
    this.#nowMillis += millis;
    for (let round = 0; round < 40; round++) {
      for (let i = 0; i < 20; i++) await Promise.resolve();
      const due = [...this.#timers].find(({ dueMillis }) => dueMillis <= this.#nowMillis);
      if (due === undefined) continue;
      this.#timers.delete(due);
      due.action();
    }
  }
}

type Pipe = (event: WatchEvent) => void;

/** Objects in memory behind the client's interface. */
class FakeCluster {
  readonly objects = new Map<string, KubeObject>();
  readonly events: KubeObject[] = [];
  readonly deleted: string[] = [];
  /** Whether deleted pods stay, on their way out. */
  isGraceful = false;
  refusals: (Error | null)[] = [];
  #version = 1;
  readonly #pipes = new Map<string, Set<Pipe>>();

  put(plural: string, object: KubeObject): void {
    const key = `${plural}/${object.metadata.namespace ?? ""}/${object.metadata.name}`;
    const type = this.objects.has(key) ? "MODIFIED" : "ADDED";
    const resourceVersion = String(++this.#version);
    const stored = { ...object, metadata: { ...object.metadata, resourceVersion } };
    this.objects.set(key, stored);
    for (const pipe of this.#pipes.get(plural) ?? []) pipe({ type, object: stored });
  }

  pod(name: string): Pod {
    return this.objects.get(`pods/default/${name}`) as Pod;
  }

  get client(): Client {
    const objectsOf = ({ plural }: Resource) =>
      [...this.objects].filter(([key]) => key.startsWith(`${plural}/`)).map(([, it]) => it);
    return {
      list: (resource: Resource) =>
        Promise.resolve({
          items: objectsOf(resource),
          metadata: { resourceVersion: String(this.#version) },
        }),
      watch: ({ plural }: Resource) => Promise.resolve(this.#stream(plural)),
      create: (_resource: Resource, object: KubeObject) => {
        this.events.push(object);
        return Promise.resolve(object);
      },
      // deno-lint-ignore no-explicit-any
      patch: ({ plural }: Resource, { namespace, name }: any, { body }: any) => {
        const before = this.objects.get(`${plural}/${namespace}/${name}`);
        if (before === undefined) return Promise.reject(notFound());
        const status = { ...before.status, ...body.status };
        this.put(plural, { ...before, status });
        return Promise.resolve(before);
      },
      delete: ({ plural }: Resource, { namespace, name }: { namespace?: string; name: string }) => {
        const key = `${plural}/${namespace ?? ""}/${name}`;
        const object = this.objects.get(key);
        if (object === undefined) return Promise.reject(notFound());
        this.deleted.push(name);
        if (this.isGraceful) {
          const metadata = { ...object.metadata, deletionTimestamp: "2030-01-01T00:00:30Z" };
          this.put(plural, { ...object, metadata });
          return Promise.resolve(object);
        }
        this.objects.delete(key);
        const resourceVersion = String(++this.#version);
        const last = { ...object, metadata: { ...object.metadata, resourceVersion } };
        for (const pipe of this.#pipes.get(plural) ?? []) pipe({ type: "DELETED", object: last });
        return Promise.resolve(object);
      },
      reportMany(reports: readonly PodReport[]) {
        return reportPods(this as unknown as Client, reports);
      },
      bindMany: (bindings: readonly Binding[]) =>
        Promise.resolve(bindings.map((binding) => this.#bind(binding))),
    } as unknown as Client;
  }

  #bind({ namespace, name, nodeName }: Binding): Error | null {
    const refusal = this.refusals.shift() ?? null;
    if (refusal !== null) return refusal;
    const pod = this.objects.get(`pods/${namespace}/${name}`)!;
    this.put("pods", { ...pod, spec: { ...pod.spec, nodeName } });
    return null;
  }

  #stream(plural: string) {
    const waiting: WatchEvent[] = [];
    let wake = () => {};
    let closed = false;
    const pipe: Pipe = (event) => {
      waiting.push(event);
      wake();
    };
    const pipes = this.#pipes.get(plural) ?? new Set();
    this.#pipes.set(plural, pipes.add(pipe));
    return {
      close() {
        closed = true;
        wake();
      },
      async *[Symbol.asyncIterator]() {
        while (!closed) {
          if (waiting.length > 0) yield waiting.splice(0);
          else await new Promise<void>((resolve) => void (wake = resolve));
        }
      },
    };
  }
}

function notFound(): ApiError {
  const message = "gone";
  return new ApiError({
    kind: "Status",
    apiVersion: "v1",
    metadata: {},
    status: "Failure",
    reason: "NotFound",
    message,
    code: 404,
  });
}

function node(name: string, cpu: string): KubeObject {
  return {
    apiVersion: "v1",
    kind: "Node",
    metadata: { name, uid: `uid-${name}`, labels: { "kubernetes.io/hostname": name } },
    spec: {},
    status: { allocatable: { cpu, memory: "8Gi", pods: "110" } },
  };
}

function pod(name: string, cpu: string, spec: object = {}): KubeObject {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { namespace: "default", name, uid: `uid-${name}`, generation: 1 },
    spec: {
      schedulerName: "default-scheduler",
      containers: [{ name: "c", image: "app", resources: { requests: { cpu, memory: "1Gi" } } }],
      ...spec,
    },
    status: { phase: "Pending" },
  };
}

async function withScheduler(
  options: Partial<KubeSchedulerOptions>,
  test: (world: {
    cluster: FakeCluster;
    clock: HandClock;
    runner: RunningKubeScheduler;
  }) => Promise<void>,
): Promise<void> {
  const cluster = new FakeCluster();
  const clock = new HandClock();
  const starting = runKubeScheduler({ client: cluster.client, clock, ...options });
  await clock.advance(0);
  const runner = await starting;
  try {
    await test({ cluster, clock, runner });
  } finally {
    runner.stop();
    await clock.advance(0);
  }
}

Deno.test("a pod is bound to the emptier node and an event says so", async () => {
  await withScheduler({}, async ({ cluster, clock, runner }) => {
    cluster.put("nodes", node("small", "2"));
    cluster.put("nodes", node("big", "8"));
    cluster.put("pods", pod("web", "1"));
    await clock.advance(10);
    assert.equal(cluster.pod("web").spec.nodeName, "big");
    await clock.advance(1000);
    const [event] = cluster.events;
    assert.equal(event.reason, "Scheduled");
    assert.equal(event.message, "Successfully assigned default/web to big");
    const metrics = runner.metrics();
    const labels = '{result="scheduled",profile="default-scheduler"}';
    for (
      const line of [
        `scheduler_schedule_attempts_total${labels} 1`,
        `scheduler_scheduling_attempt_duration_seconds_count${labels} 1`,
        'scheduler_pod_scheduling_attempts_bucket{le="1"} 1',
        'scheduler_pending_pods{queue="active"} 0',
        'scheduler_cache_size{type="nodes"} 2',
        'scheduler_cache_size{type="pods"} 1',
      ]
    ) assert(metrics.includes(line), line);
    await runner.whenIdle();
  });
});

Deno.test("a pod that fits nowhere says why, once, and is bound when a node comes", async () => {
  await withScheduler({}, async ({ cluster, clock }) => {
    cluster.put("nodes", node("n1", "1"));
    cluster.put("pods", pod("web", "2"));
    await clock.advance(10);
    const message = "0/1 nodes are available: 1 Insufficient cpu. no new claims to deallocate, " +
      "preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling.";
    const [condition] = cluster.pod("web").status!.conditions!;
    assert.deepEqual(condition, {
      type: "PodScheduled",
      status: "False",
      reason: "Unschedulable",
      message,
      observedGeneration: 1,
      lastTransitionTime: "2030-01-01T00:00:00Z",
    });
    await clock.advance(1000);
    assert.equal(cluster.events[0].reason, "FailedScheduling");
    assert.equal(cluster.events[0].message, message);
    assert.equal(cluster.events.length, 1);
    cluster.put("nodes", node("n2", "4"));
    await clock.advance(3000);
    assert.equal(cluster.pod("web").spec.nodeName, "n2");
  });
});

Deno.test("a refused binding is undone and tried again after a backoff", async () => {
  await withScheduler({}, async ({ cluster, clock, runner }) => {
    cluster.put("nodes", node("n1", "2"));
    cluster.refusals = [new Error("the store is busy")];
    cluster.put("pods", pod("web", "2"));
    await clock.advance(10);
    assert.equal(cluster.pod("web").spec.nodeName, undefined);
    assert.equal(runner.scheduler.table.podCount[0], 0);
    const [condition] = cluster.pod("web").status!.conditions!;
    assert.equal(condition.reason, "SchedulerError");
    assert.equal(condition.message, 'running Bind plugin "DefaultBinder": the store is busy');
    await clock.advance(3000);
    assert.equal(cluster.pod("web").spec.nodeName, "n1");
  });
});

Deno.test("a pod of another scheduler is left alone, but counts where it runs", async () => {
  await withScheduler({}, async ({ cluster, clock }) => {
    cluster.put("nodes", node("n1", "2"));
    cluster.put("pods", pod("other", "2", { schedulerName: "other" }));
    await clock.advance(10);
    assert.equal(cluster.pod("other").spec.nodeName, undefined);
    cluster.put("pods", pod("other", "2", { schedulerName: "other", nodeName: "n1" }));
    cluster.put("pods", pod("web", "2"));
    await clock.advance(10);
    assert.equal(cluster.pod("web").spec.nodeName, undefined);
  });
});

Deno.test("a more important pod evicts, waits for its promise, and gets the node", async () => {
  await withScheduler({}, async ({ cluster, clock }) => {
    cluster.put("nodes", node("n1", "2"));
    cluster.put("pods", pod("low", "2", { nodeName: "n1", priority: 0 }));
    cluster.put("pods", pod("high", "2", { priority: 1000 }));
    await clock.advance(10);
    assert.deepEqual(cluster.deleted, ["low"]);
    assert.equal(cluster.pod("high").status!.nominatedNodeName, "n1");
    await clock.advance(5000);
    assert.equal(cluster.pod("high").spec.nodeName, "n1");
    const reasons = cluster.events.map(({ reason }) => reason).sort();
    assert.deepEqual(reasons, ["FailedScheduling", "Preempted", "Scheduled"]);
    const { action, related, message } = cluster.events.find((it) => it.reason === "Preempted")!;
    assert.deepEqual([action, related.name], ["Preempting", "high"]);
    assert.equal(message, "Preempted by pod uid-high on node n1");
  });
});

Deno.test("who is promised a node that a better one takes is told that it is not any more", async () => {
  await withScheduler({}, async ({ cluster, clock }) => {
    cluster.isGraceful = true;
    cluster.put("nodes", node("n1", "2"));
    cluster.put("pods", pod("low", "1", { nodeName: "n1", priority: 0 }));
    cluster.put("pods", pod("fair", "1", { nodeName: "n1", priority: 5 }));
    cluster.put("pods", pod("mid", "1", { priority: 10 }));
    await clock.advance(10);
    assert.equal(cluster.pod("mid").status!.nominatedNodeName, "n1");
    cluster.put("pods", pod("high", "2", { priority: 1000 }));
    await clock.advance(10);
    assert.deepEqual(cluster.deleted, ["low", "fair"]);
    assert.equal(cluster.pod("high").status!.nominatedNodeName, "n1");
    assert.equal(cluster.pod("mid").status!.nominatedNodeName ?? "", "");
  });
});

Deno.test("a pod that waits for its volume says where it will go", async () => {
  await withScheduler({}, async ({ cluster, clock }) => {
    const named = (kind: string, name: string, more: object) =>
      ({ kind, metadata: { namespace: "default", name, uid: name }, ...more }) as KubeObject;
    const late = { provisioner: "csi.example.com", volumeBindingMode: "WaitForFirstConsumer" };
    cluster.put("storageclasses", { kind: "StorageClass", metadata: { name: "late" }, ...late });
    const wish = { storageClassName: "late", accessModes: ["ReadWriteOnce"] };
    cluster.put("persistentvolumeclaims", named("PersistentVolumeClaim", "data", { spec: wish }));
    cluster.put("nodes", node("n1", "4"));
    const volumes = [{ name: "v", persistentVolumeClaim: { claimName: "data" } }];
    cluster.put("pods", pod("web", "1", { volumes }));
    await clock.advance(10);
    assert.equal(cluster.pod("web").status?.nominatedNodeName, "n1");
    assert.equal(cluster.pod("web").spec.nodeName, undefined);
    cluster.put("persistentvolumes", {
      kind: "PersistentVolume",
      metadata: { name: "pv" },
      spec: {},
    });
    const bound = { spec: { ...wish, volumeName: "pv" }, status: { phase: "Bound" } };
    cluster.put("persistentvolumeclaims", named("PersistentVolumeClaim", "data", bound));
    await clock.advance(10);
    assert.equal(cluster.pod("web").spec.nodeName, "n1");
  });
});

Deno.test("a pod on its way out is not tried, and an event says so", async () => {
  await withScheduler({}, async ({ cluster, clock }) => {
    const web = pod("web", "1");
    const metadata = { ...web.metadata, deletionTimestamp: "2030-01-01T00:00:00Z" };
    cluster.put("nodes", node("n1", "4"));
    cluster.put("pods", { ...web, metadata });
    await clock.advance(10);
    const [event] = cluster.events;
    assert.equal(event.reason, "FailedScheduling");
    assert.equal(event.message, "skip schedule deleting pod: default/web");
    assert.equal(cluster.pod("web").spec.nodeName, undefined);
  });
});

Deno.test("a gated pod waits until its gates are gone", async () => {
  await withScheduler({}, async ({ cluster, clock, runner }) => {
    cluster.put("nodes", node("n1", "2"));
    cluster.put("pods", pod("web", "1", { schedulingGates: [{ name: "quota" }] }));
    await clock.advance(10);
    assert.equal(runner.scheduler.queue.sizes.gated, 1);
    cluster.put("pods", pod("web", "1"));
    await clock.advance(10);
    assert.equal(cluster.pod("web").spec.nodeName, "n1");
  });
});
