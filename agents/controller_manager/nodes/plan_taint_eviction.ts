/**
 * PURE. Evicts pods from nodes with NoExecute taints when their time of toleration is over.
 * In: a pod's key, the view, the time. Out: a condition, a delete, or when to look again.
 * Never: deletes a pod before the last second it asked for.
 * Source: pkg/controller/tainteviction (v1.36), wording of events and conditions included.
 */
import { nodes, pods } from "../../api/resources.ts";
import { formatTime, parseMillis } from "../../api/time.ts";
import { objectKey, parseObjectKey } from "../../client/lister.ts";
import type { KubeObject } from "../../api/meta.ts";
import type { Action, Controller, PlanInput, View } from "../controller.ts";
import type { Node, Pod, Taint } from "../kinds.ts";
import { isTerminal } from "../pod_state.ts";
import { BY_NODE, nodeIndex } from "./plan_node_lifecycle.ts";
import { tolerationSeconds } from "./taints.ts";

/** The row of run.ts. */
export function taintEvictionController(): Controller {
  const pending = new Map<string, number>();
  return {
    name: "taint-eviction-controller",
    workers: 8,
    watches: [
      {
        resource: nodes,
        keysOf: podsOfNode,
        ignoreUpdate: (node, old) =>
          JSON.stringify(node.spec?.taints) === JSON.stringify(old.spec?.taints),
      },
      {
        resource: pods,
        keysOf: (pod, view) => isOnTainted(pod, view) ? [objectKey(pod)] : [],
        indexes: { [BY_NODE]: nodeIndex },
      },
    ],
    plan: (key, input) => planEviction(key, input, pending),
  };
}

/**
 * @param key `namespace/name` of a pod.
 * @param pending when each pod's time began, milliseconds since 1970, by uid; the plan alone
 *   writes it.
 */
export function planEviction(
  key: string,
  input: PlanInput,
  pending: Map<string, number>,
): Action[] {
  const pod = input.view.get<Pod>(pods, parseObjectKey(key));
  if (pod === undefined) return [];
  const uid = pod.metadata.uid ?? "";
  const taints = noExecuteTaints(input.view.get<Node>(nodes, { name: pod.spec.nodeName ?? "" }));
  const seconds = tolerationSeconds(taints, pod.spec.tolerations ?? []);
  const over = pod.metadata.deletionTimestamp !== undefined || isTerminal(pod);
  if (taints.length === 0 || over || seconds === Infinity) {
    const cancelled = pending.delete(uid) && !over;
    return cancelled ? [event(pod, `Cancelling deletion of Pod ${key}`)] : [];
  }
  const since = pending.get(uid) ?? startOf(taints, input.nowMillis);
  const wait = since + seconds * 1000 - input.nowMillis;
  if (wait > 0) {
    pending.set(uid, since);
    return [{ kind: "requeue", afterMillis: wait }];
  }
  pending.delete(uid);
  return [
    event(pod, `Marking for deletion Pod ${key}`),
    {
      kind: "update",
      resource: pods,
      subresource: "status",
      object: withDisruption(pod, input.nowMillis, {
        reason: "DeletionByTaintManager",
        message: "Taint manager: deleting due to NoExecute taint",
      }),
    },
    { kind: "delete", resource: pods, object: pod },
  ];
}

/** A pod whose status tells that others ended it, and why. */
export function withDisruption(
  pod: Pod,
  nowMillis: number,
  why: { readonly reason: string; readonly message: string },
): Pod {
  const others = (pod.status?.conditions ?? []).filter((one) => one.type !== "DisruptionTarget");
  return {
    ...pod,
    status: {
      ...pod.status,
      conditions: [...others, {
        type: "DisruptionTarget",
        status: "True",
        lastTransitionTime: formatTime(nowMillis),
        ...why,
      }],
    },
  };
}

/** Toleration counts from when the last of the taints came. */
function startOf(taints: readonly Taint[], nowMillis: number): number {
  const times = taints.map((taint) => parseMillis(taint.timeAdded));
  return times.some(Number.isNaN) ? nowMillis : Math.min(nowMillis, Math.max(...times));
}

function noExecuteTaints(node: Node | undefined): Taint[] {
  return (node?.spec?.taints ?? []).filter((taint) => taint.effect === "NoExecute");
}

function podsOfNode(node: KubeObject, view: View): string[] {
  if (noExecuteTaints(node as Node).length === 0) return [];
  const value = node.metadata.name!;
  return view.byIndex(pods, { index: BY_NODE, value }).map(objectKey);
}

function isOnTainted(pod: KubeObject, view: View): boolean {
  const node = view.get<Node>(nodes, { name: pod.spec?.nodeName ?? "" });
  return noExecuteTaints(node).length > 0;
}

function event(about: Pod, message: string): Action {
  return { kind: "event", about, type: "Normal", reason: "TaintManagerEviction", message };
}
