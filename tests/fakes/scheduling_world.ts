/**
 * A cluster to schedule in: an API server over a store in memory, the scheduler, a clock that is
 * driven by hand, and short ways to make nodes and pods.
 * In: what a test asks for. Out: the objects as the API tells of them.
 * Never: controllers or kubelets, unless a test starts them on the same clock.
 */
import assert from "node:assert/strict";
import type { KubeObject } from "../../agents/api/meta.ts";
import type { Client } from "../../agents/client/client.ts";
import type { Clock } from "../../agents/client/clock.ts";
import { createInProcessClient } from "../../agents/client/in_process.ts";
import { runKubeScheduler, type RunningKubeScheduler } from "../../agents/kube_scheduler/run.ts";
import { ADMIN, type FakeApi, startFakeApi } from "./api_server.ts";
import { settle } from "./timer.ts";

/** Nobody makes accounts here, or says that nodes are ready. */
const DISABLED = ["ServiceAccount", "TaintNodesByCondition"];
const STEP_MILLIS = 500;
/** It may do what its role says, and no more. */
const SCHEDULER = { name: "system:kube-scheduler", groups: ["system:authenticated"] };

export const PODS = "/api/v1/namespaces/default/pods";

export class SchedulingWorld {
  readonly api: FakeApi;
  readonly clock: Clock;
  scheduler!: RunningKubeScheduler;

  constructor(api: FakeApi) {
    this.api = api;
    this.clock = {
      nowMillis: () => api.clock.nowMillis(),
      after: (delayMillis, action) => api.clock.after(delayMillis, action),
      random: () => 0.5,
    };
  }

  get client(): Client {
    return createInProcessClient({ port: this.api.server.port, user: ADMIN });
  }

  async startScheduler(): Promise<void> {
    const client = createInProcessClient({ port: this.api.server.port, user: SCHEDULER });
    const starting = runKubeScheduler({ client, clock: this.clock });
    await this.pass(0);
    this.scheduler = await starting;
  }

  /** Lets time pass in small steps, with everything settling in between. */
  async pass(millis: number): Promise<void> {
    for (let left = millis; left >= 0; left -= STEP_MILLIS) {
      await settle(4);
      this.api.clock.advance(Math.min(STEP_MILLIS, left));
      await settle(4);
      this.api.clock.advance(0);
      await settle(4);
    }
  }

  async post(url: string, body: object): Promise<KubeObject> {
    const { status, json, text } = await this.api.ask("POST", url, body);
    assert.equal(status, 201, text);
    return json;
  }

  async get(url: string): Promise<KubeObject> {
    const { status, json, text } = await this.api.ask("GET", url);
    assert.equal(status, 200, text);
    return json;
  }

  async node(name: string, cpu = "1", labels: Record<string, string> = {}): Promise<void> {
    const amounts = { cpu, memory: "4Gi", pods: "10" };
    await this.post("/api/v1/nodes", {
      metadata: { name, labels: { "kubernetes.io/hostname": name, ...labels } },
      status: { capacity: amounts, allocatable: amounts },
    });
  }

  /** @param spec what the pod's spec says besides its one container */
  async pod(name: string, spec: object = {}, cpu = "800m"): Promise<KubeObject> {
    const resources = { requests: { cpu } };
    return await this.post(PODS, {
      metadata: { name },
      spec: { containers: [{ name: "c", image: "i", resources }], ...spec },
    });
  }

  /** @returns "pod@node" of each bound pod, by name. */
  async placements(): Promise<string[]> {
    const { items } = await this.get(PODS) as unknown as { items: KubeObject[] };
    return items.filter((pod) => pod.spec.nodeName)
      .map((pod) => `${pod.metadata.name}@${pod.spec.nodeName}`).sort();
  }

  async podMessage(name: string): Promise<string> {
    const { status } = await this.get(`${PODS}/${name}`);
    return status.conditions?.find(({ type }: { type: string }) => type === "PodScheduled")
      ?.message;
  }
}

/** A test in such a world, with the scheduler running. */
export function schedulingTest(
  name: string,
  body: (world: SchedulingWorld) => Promise<void>,
): void {
  Deno.test(name, async () => {
    const world = new SchedulingWorld(await startFakeApi({ disabledAdmission: DISABLED }));
    await world.startScheduler();
    try {
      await body(world);
    } finally {
      await world.scheduler.stop();
      await world.api.close();
    }
  });
}
