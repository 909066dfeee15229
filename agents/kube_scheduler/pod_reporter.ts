/**
 * Tells the API what became of pods: events, status patches, evictions.
 * In: rows of pods and what happened to them. Out: writes through a client.
 * Never: decides. A pod that is gone by now, or changed in between, needs no word.
 * Source: Kubernetes v1.36 schedule_one.go (handleSchedulingFailure), preemption/executor.go.
 */
import type { KubeObject } from "../api/meta.ts";
import { events, podGroups, pods } from "../api/resources.ts";
import { ApiError } from "../api/status.ts";
import type { Client } from "../client/client.ts";
import type { Clock } from "../client/clock.ts";
import { EventRecorder } from "../client/events.ts";
import type { Lister } from "../client/lister.ts";
import { truncateNote } from "../../scheduler/mod.ts";
import type { GroupVerdict, PodRow } from "../../scheduler/mod.ts";
import type { Pod, PodGroup } from "./kinds.ts";
import { type ConditionWish, planGroupPatch, planStatusPatch } from "./pod_status.ts";

/** Why a pod has no node. */
export interface Explanation {
  readonly reason: "Unschedulable" | "SchedulerError";
  readonly message: string;
  /** Node promised to the pod; "" clears an earlier promise, null leaves it. */
  readonly nominatedNode: string | null;
}

/** For whom a pod has to go. */
export interface Preemptor {
  readonly uid: string;
  readonly schedulerName: string;
  readonly nodeName: string;
}

const STRATEGIC = "application/strategic-merge-patch+json";

export class PodReporter {
  readonly #client: Client;
  readonly #clock: Clock;
  readonly #pods: Lister<Pod>;
  readonly #groups: Lister<PodGroup>;
  readonly #recorders = new Map<string, EventRecorder>();

  /** @param seen pods and groups as they were seen last */
  constructor(
    options: { readonly client: Client; readonly clock: Clock },
    seen: { readonly pods: Lister<Pod>; readonly groups: Lister<PodGroup> },
  ) {
    this.#client = options.client;
    this.#clock = options.clock;
    this.#pods = seen.pods;
    this.#groups = seen.groups;
  }

  stop(): void {
    for (const recorder of this.#recorders.values()) recorder.stop();
  }

  /** @returns the pod as last seen, undefined when it is gone or another took its name. */
  lookUp(pod: PodRow): Pod | undefined {
    const object = this.#pods.get({ namespace: pod.template.spec.namespace, name: pod.name });
    return object?.metadata.uid === pod.uid ? object : undefined;
  }

  announceWait(pod: PodRow, schedulerName: string, nodeName: string): void {
    this.#recorder(schedulerName).record({
      about: aboutPod(pod),
      type: "Normal",
      reason: "BindingConditionsPending",
      message: `waiting for binding conditions for device on node ${nodeName}`,
    });
  }

  announceBound(pod: PodRow, schedulerName: string, nodeName: string): void {
    const { namespace } = pod.template.spec;
    this.#recorder(schedulerName).record({
      about: aboutPod(pod),
      type: "Normal",
      reason: "Scheduled",
      message: `Successfully assigned ${namespace}/${pod.name} to ${nodeName}`,
    });
  }

  /** Errors: rejects with ApiError when the API refuses the patch of a pod that is there. */
  async explain(pod: PodRow, schedulerName: string, why: Explanation): Promise<void> {
    const { reason, message, nominatedNode } = why;
    this.#recorder(schedulerName).record({
      about: aboutPod(pod),
      type: "Warning",
      reason: "FailedScheduling",
      message: truncateNote(message),
    });
    const wish = { type: "PodScheduled", status: "False", reason, message } as const;
    await this.#patchStatus(pod, wish, nominatedNode);
  }

  /** Marks a pod as disrupted, then deletes it. Errors: as `explain`. */
  async evict(victim: PodRow, by: Preemptor): Promise<void> {
    if (victim.terminating) return;
    const message = `${by.schedulerName}: preempting to accommodate a higher priority pod`;
    const reason = "PreemptionByScheduler";
    const wish = { type: "DisruptionTarget", status: "True", reason, message } as const;
    await this.#patchStatus(victim, wish, null);
    const { namespace } = victim.template.spec;
    await this.#client.delete(pods, { namespace, name: victim.name }, {
      preconditions: { uid: victim.uid },
    }).catch(ignoreGone);
    this.#recorder(by.schedulerName).record({
      about: aboutPod(victim),
      type: "Normal",
      reason: "Preempted",
      message: `Preempted by pod ${by.uid} on node ${by.nodeName}`,
    });
  }

  /**
   * Writes into a group's status whether its pods could be placed.
   *
   * @param name "namespace/name". Errors: as `explain`.
   */
  async reportGroup(name: string, verdict: GroupVerdict): Promise<void> {
    const [namespace, own] = name.split("/");
    const group = this.#groups.get({ namespace, name: own });
    const body = group && planGroupPatch(group, verdict, this.#clock.nowMillis());
    if (!body) return;
    const target = { namespace, name: own, subresource: "status" };
    await this.#client.patch(podGroups, target, { type: STRATEGIC, body }).catch(ignoreGone);
  }

  async #patchStatus(pod: PodRow, wish: ConditionWish, nominatedNode: string | null) {
    const object = this.lookUp(pod);
    if (object === undefined) return;
    const body = planStatusPatch(object, wish, nominatedNode, this.#clock.nowMillis());
    if (body === null) return;
    const { namespace } = pod.template.spec;
    const target = { namespace, name: pod.name, subresource: "status" };
    await this.#client.patch(pods, target, { type: STRATEGIC, body }).catch(ignoreGone);
  }

  #recorder(component: string): EventRecorder {
    let recorder = this.#recorders.get(component);
    if (recorder === undefined) {
      const [client, clock] = [this.#client, this.#clock];
      recorder = new EventRecorder({ client, clock, resource: events, component });
      this.#recorders.set(component, recorder);
    }
    return recorder;
  }
}

function aboutPod(pod: PodRow): KubeObject {
  const { namespace } = pod.template.spec;
  const metadata = { namespace, name: pod.name, uid: pod.uid };
  return { apiVersion: "v1", kind: "Pod", metadata };
}

function ignoreGone(error: unknown): void {
  if (error instanceof ApiError && (error.reason === "NotFound" || error.reason === "Conflict")) {
    return;
  }
  throw error;
}
