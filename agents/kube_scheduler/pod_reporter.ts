/**
 * Tells the API what became of pods: events, status patches, evictions.
 * In: rows of pods and what happened to them. Out: writes through a client.
 * Never: decides. A pod that is gone by now, or changed in between, needs no word.
 * Source: Kubernetes v1.36 schedule_one.go (handleSchedulingFailure), preemption/executor.go.
 */
import type { PodReport } from "../api/call.ts";
import type { KubeObject } from "../api/meta.ts";
import { events, podGroups } from "../api/resources.ts";
import { ApiError } from "../api/status.ts";
import type { Client } from "../client/client.ts";
import type { Clock } from "../client/clock.ts";
import { EventRecorder } from "../client/events.ts";
import type { Lister } from "../client/lister.ts";
import { truncateNote } from "../../scheduler/mod.ts";
import type { GroupVerdict, PodRow } from "../../scheduler/mod.ts";
import type { Pod, PodGroup } from "./kinds.ts";
import { type ConditionWish, planGroupPatch, planReport } from "./pod_status.ts";

/** Why a pod has no node. */
export interface Explanation {
  readonly reason: "Unschedulable" | "SchedulerError";
  readonly message: string;
  /** Node promised to the pod; "" clears an earlier promise, null leaves it. */
  readonly nominatedNode: string | null;
}

/** What follows for others from one pod's having no node. */
export interface Consequences {
  /** Pods that have to go. */
  readonly victims?: readonly PodRow[];
  /** Pods that the node was promised to. */
  readonly displaced?: readonly PodRow[];
}

type Words = ReturnType<typeof planReport>;

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
      action: "Binding",
      message: `Successfully assigned ${namespace}/${pod.name} to ${nodeName}`,
    });
  }

  /**
   * Tells where pods are to go once they have what they need, for those who plan nodes. That it
   * can't be told keeps no pod from going there.
   */
  async announcePlaces(
    placed: readonly { readonly entry: { readonly pod: PodRow }; readonly nodeName: string }[],
  ): Promise<void> {
    const reports = placed.flatMap(({ entry: { pod }, nodeName }) => {
      const known = this.lookUp(pod)?.status?.nominatedNodeName;
      return known === nodeName
        ? []
        : [{ ...nameOf(pod), nominatedNodeName: nodeName, evicts: false }];
    });
    if (reports.length > 0) await this.#client.reportMany(reports);
  }

  announceSkipped(pod: PodRow, schedulerName: string): void {
    const { namespace } = pod.template.spec;
    this.#recorder(schedulerName).record({
      about: aboutPod(pod),
      type: "Warning",
      reason: "FailedScheduling",
      action: "Scheduling",
      message: `skip schedule deleting pod: ${namespace}/${pod.name}`,
    });
  }

  /**
   * Tells why a pod has no node; marks those that have to go for it as disrupted and deletes them,
   * and takes back what others were promised.
   *
   * Errors: rejects with ApiError when the API refuses what it is told of a pod that is there; what
   * it is told of the others is written all the same.
   */
  async explain(
    pod: PodRow,
    schedulerName: string,
    why: Explanation,
    { victims = [], displaced = [] }: Consequences = {},
  ): Promise<void> {
    const { reason, message, nominatedNode } = why;
    const recorder = this.#recorder(schedulerName);
    recorder.record({
      about: aboutPod(pod),
      type: "Warning",
      reason: "FailedScheduling",
      action: "Scheduling",
      message: truncateNote(message),
    });
    const staying = victims.filter(({ terminating }) => !terminating);
    const evictions = staying.map((victim) => this.#eviction(victim, schedulerName));
    const wish = { type: "PodScheduled", status: "False", reason, message } as const;
    const own = this.#report(pod, wish, nominatedNode);
    const words = [
      ...own === null ? [] : [own],
      ...displaced.flatMap((one) => this.#unpromise(one)),
    ];
    if (evictions.length + words.length === 0) return;
    const outcomes = await this.#client.reportMany([...words, ...evictions]);
    for (let i = 0; i < staying.length; i++) {
      if (outcomes[words.length + i] !== null) continue;
      recorder.record({
        about: aboutPod(staying[i]),
        type: "Normal",
        reason: "Preempted",
        action: "Preempting",
        message: `Preempted by pod ${pod.uid} on node ${nominatedNode}`,
        related: aboutPod(pod),
      });
    }
    const failed = outcomes.find((outcome, i) => !(i < words.length ? isGone : isMissing)(outcome));
    if (failed !== undefined) throw failed;
  }

  #eviction(victim: PodRow, schedulerName: string): PodReport {
    const message = `${schedulerName}: preempting to accommodate a higher priority pod`;
    const reason = "PreemptionByScheduler";
    const wish = { type: "DisruptionTarget", status: "True", reason, message } as const;
    return { ...nameOf(victim), ...this.#plan(victim, wish, null), evicts: true };
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

  /** Takes back what a pod was promised, if the API knows of it. */
  #unpromise(pod: PodRow): readonly PodReport[] {
    const isKnown = Boolean(this.lookUp(pod)?.status?.nominatedNodeName);
    return isKnown ? [{ ...nameOf(pod), nominatedNodeName: "", evicts: false }] : [];
  }

  /** @returns null when the pod is gone, or says so already. */
  #report(pod: PodRow, wish: ConditionWish, nominatedNode: string | null): PodReport | null {
    const words = this.#plan(pod, wish, nominatedNode);
    return words === null ? null : { ...nameOf(pod), ...words, evicts: false };
  }

  #plan(pod: PodRow, wish: ConditionWish, nominatedNode: string | null): Words {
    const object = this.lookUp(pod);
    return object === undefined
      ? null
      : planReport(object, wish, nominatedNode, this.#clock.nowMillis());
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

function nameOf({ name, uid, template: { spec: { namespace } } }: PodRow) {
  return { namespace, name, uid };
}

/** Whether there is nothing left to write: it is written, or the object is gone. */
function isMissing(error: unknown): boolean {
  return error === null || error instanceof ApiError && error.reason === "NotFound";
}

/** As `isMissing`, or the object changed in between. */
function isGone(error: unknown): boolean {
  return isMissing(error) || error instanceof ApiError && error.reason === "Conflict";
}

function ignoreGone(error: unknown): void {
  if (!isGone(error)) throw error;
}
