/**
 * One try to start a group: all the pods that it lacks get a place, or none keeps one.
 * In: the group's waiting pods, how many it lacks, ports to the machine. Out: what became of each.
 * Never: leaves a trace in the table of a group that does not start. Evicts nobody itself, and
 * proposes victims only when the group would start once they are gone.
 * Source: schedule_one_podgroup.go of Kubernetes v1.36 (default algorithm).
 */

import type { Outcome } from "../decide.ts";
import { explain, NO_NODES_MESSAGE } from "../explain.ts";
import type { PodRow } from "../pod_row.ts";
import type { TriedPreemption } from "../preemption/preemptor.ts";
import type { QueuedPod } from "../queue.ts";

export const GROUP_UNSCHEDULABLE = "pod group is unschedulable";
const WAITS_FOR_QUORUM =
  `${GROUP_UNSCHEDULABLE}, waiting for minCount pods from a gang to be scheduled`;
export const WAITS_FOR_PREEMPTION =
  `${GROUP_UNSCHEDULABLE}, pod group is waiting for preemption to complete`;

/** What an attempt does to the machine; each step can be taken back. */
export interface GangPorts {
  decide(entry: QueuedPod): Outcome;
  /** Puts a pod on a node as if it were bound. */
  hold(entry: QueuedPod, nodeName: string): void;
  /** Takes a held pod off again. */
  release(entry: QueuedPod): void;
  /** Looks for victims; evicts none. */
  preempt(entry: QueuedPod, outcome: Outcome): TriedPreemption;
  /** Takes a victim off its node in the table alone. @returns how to put it back. */
  lift(victim: PodRow): () => void;
}

/** One pod of the group and what was found for it. */
export interface TriedPod {
  readonly entry: QueuedPod;
  /** Where it is, or would be once its victims are gone; "" = nowhere. */
  readonly nodeName: string;
  readonly victims: readonly PodRow[];
  /** Why it is not bound; "" when it is. */
  readonly message: string;
  /** Plugins that kept it from fitting. */
  readonly rejectedBy: readonly string[];
}

export interface GangAttempt {
  /** "starts": held pods are to be bound. "waits": for victims to go. "fails": nothing is held. */
  readonly result: "starts" | "waits" | "fails";
  readonly tried: readonly TriedPod[];
}

interface Draft {
  readonly entry: QueuedPod;
  readonly outcome: Outcome;
  /** Whether it got its place without anyone's going. */
  readonly isHeld: boolean;
  nodeName: string;
  victims: readonly PodRow[];
  message: string;
}

/**
 * Tries the waiting pods of a group, in order. Yields after each look at one of them; whoever ends
 * it there finds nothing held.
 *
 * @param missing pods that must fit for the group to start
 */
export function* tryGang(
  entries: readonly QueuedPod[],
  missing: number,
  ports: GangPorts,
): Generator<void, GangAttempt> {
  const drafts: Draft[] = [];
  let starts = false;
  let clears = false;
  try {
    for (const entry of entries) {
      if (drafts.length > 0) yield;
      drafts.push(place(entry, ports));
    }
    const lacking = missing - drafts.filter(({ isHeld }) => isHeld).length;
    starts = lacking <= 0;
    if (!starts) clears = yield* clearRoom(drafts, lacking, ports);
  } finally {
    if (!starts) {
      for (const { entry, isHeld } of drafts) if (isHeld) ports.release(entry);
    }
  }
  if (starts) return { result: "starts", tried: drafts.map(finish) };
  for (const draft of drafts) {
    if (clears) {
      if (draft.nodeName !== "" && draft.message === "") draft.message = WAITS_FOR_PREEMPTION;
    } else {
      if (draft.nodeName !== "") draft.message = WAITS_FOR_QUORUM;
      draft.nodeName = "";
      draft.victims = [];
    }
  }
  return { result: clears ? "waits" : "fails", tried: drafts.map(finish) };
}

function place(entry: QueuedPod, ports: GangPorts): Draft {
  const outcome = ports.decide(entry);
  const { decision } = outcome;
  const draft = { entry, outcome, isHeld: false, nodeName: "", victims: [], message: "" };
  switch (decision.kind) {
    case "placed":
      ports.hold(entry, decision.nodeName);
      return { ...draft, isHeld: true, nodeName: decision.nodeName };
    case "noNodes":
      return { ...draft, message: NO_NODES_MESSAGE };
    case "unschedulable":
      return { ...draft, message: explain(decision.diagnosis) };
  }
}

/**
 * Looks for victims of the pods that fit nowhere, with the others in their places.
 *
 * @returns whether enough pods would fit; the table is as before.
 */
function* clearRoom(
  drafts: readonly Draft[],
  lacking: number,
  ports: GangPorts,
): Generator<void, boolean> {
  const undo: (() => void)[] = [];
  let left = lacking;
  try {
    for (const draft of drafts) {
      const { entry } = draft;
      if (draft.isHeld || !entry.profile.preemption || left === 0) continue;
      if (draft.outcome.decision.kind !== "unschedulable") continue;
      yield;
      // What is held by now may have changed the verdicts that the draft's outcome read.
      const outcome = ports.decide(entry);
      if (outcome.decision.kind !== "unschedulable") continue;
      const { preemption, message } = ports.preempt(entry, outcome);
      draft.message = message;
      // A pod whose victims are on their way out keeps the place that they leave.
      const nodeName = preemption.keepsNomination ? entry.pod.nominatedNode : preemption.nodeName;
      if (nodeName === "") continue;
      for (const victim of preemption.victims) undo.push(ports.lift(victim));
      ports.hold(entry, nodeName);
      undo.push(() => ports.release(entry));
      draft.nodeName = nodeName;
      draft.victims = preemption.victims;
      left--;
    }
  } finally {
    for (const step of undo.reverse()) step();
  }
  return left === 0;
}

function finish({ entry, outcome, nodeName, victims, message }: Draft): TriedPod {
  return { entry, nodeName, victims, message, rejectedBy: rejectors(outcome) };
}

/** A cluster without nodes rejects nothing, yet only a node can help: the name plugin's hint. */
function rejectors({ decision }: Outcome): readonly string[] {
  if (decision.kind === "noNodes") return ["NodeName"];
  return decision.kind === "unschedulable" ? [...decision.diagnosis.plugins] : [];
}
