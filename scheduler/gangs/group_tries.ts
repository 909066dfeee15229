/**
 * Tries to start groups, a few pods at a time, so that a large group doesn't keep others from the
 * thread.
 * In: the first pod of a group whose turn it is, steps to take, news that the cluster changed. Out:
 * actions once a try has ended, verdicts on groups.
 * Never: lets anyone be placed between the steps of a try, or keeps half of one: when the cluster
 * changes under way, all is put back before the change is taken in, and the group is tried anew.
 */

import type { Action, GroupVerdict } from "../action.ts";
import { GANG_SCHEDULING } from "../plugins/gang_scheduling.ts";
import { goesFirst } from "../plugins/priority_sort.ts";
import type { PodRow } from "../pod_row.ts";
import type { QueuedPod, SchedulingQueue } from "../queue.ts";
import type { SchedulerWatch } from "../scheduler_config.ts";
import { GROUP_UNSCHEDULABLE } from "./gang_attempt.ts";
import type { TriedPod } from "./gang_attempt.ts";
import type { Gangs } from "./gangs.ts";
import { tryGroup } from "./group_attempt.ts";
import type { GroupAttempt, PlacementPorts } from "./group_attempt.ts";

/** A group that was put back so often is tried in one go, or it might never come to an end. */
const MOST_INTERRUPTIONS = 3;

const RESULTS = {
  starts: "scheduled",
  waits: "waitingOnPreemption",
  fails: "unschedulable",
  error: "error",
} as const;

/** What a try does to the machine, and what follows once it has ended. */
export interface GroupPorts extends PlacementPorts {
  /** The group whose pods may share claims from now on, "" = none. */
  share(group: string): void;
  /** Keeps to a placement that is held. */
  assume(entry: QueuedPod, nodeName: string, group: string): Action;
  reject(tried: TriedPod, rejectedBy: Iterable<string>, nowMs: number): Action;
  /** Takes back a pod that could not even be tried. */
  takeBack(entry: QueuedPod, nowMs: number): void;
}

interface GroupTry {
  readonly group: string;
  readonly entries: ReadonlyMap<string, QueuedPod>;
  readonly steps: Generator<void, GroupAttempt>;
  /** Whether something happened that may help its pods, which wait nowhere while they are tried. */
  missedEvents: boolean;
  /** By the watch. */
  readonly startedMillis: number;
}

export class GroupTries {
  readonly #gangs: Gangs;
  readonly #queue: SchedulingQueue;
  readonly #ports: GroupPorts;
  readonly #now: () => number;
  readonly #verdicts = new Map<string, GroupVerdict>();
  /** How often a group was put back since its last try that came to an end. */
  readonly #interruptions = new Map<string, number>();
  #current: GroupTry | null = null;

  /** @param watch told the time by it; without one all tries take none */
  constructor(gangs: Gangs, queue: SchedulingQueue, ports: GroupPorts, watch?: SchedulerWatch) {
    this.#gangs = gangs;
    this.#queue = queue;
    this.#ports = ports;
    this.#now = () => watch?.now() ?? 0;
  }

  get isUnderWay(): boolean {
    return this.#current !== null;
  }

  isTried(uid: string): boolean {
    return this.#current?.entries.has(uid) === true;
  }

  /** Whether a pod is being tried as it is wanted; a promise may have been taken up by the try. */
  isTriedAs({ uid, template, terminating, group, nominatedNode }: PodRow): boolean {
    const tried = this.#current?.entries.get(uid)?.pod;
    return tried !== undefined && tried.template === template && tried.group === group &&
      tried.terminating === terminating &&
      (nominatedNode === "" || nominatedNode === tried.nominatedNode);
  }

  /** @returns what became of groups since this was asked last, by name. */
  takeVerdicts(): ReadonlyMap<string, GroupVerdict> {
    const verdicts = new Map(this.#verdicts);
    this.#verdicts.clear();
    return verdicts;
  }

  /** Notes how a group fared by what one of its pods came to. */
  note({ pod: { group }, profile: { schedulerName } }: QueuedPod, isScheduled: boolean): void {
    if (group === "") return;
    if (isScheduled) {
      this.#verdicts.set(group, { result: "scheduled", message: "", schedulerName, time: null });
    } else if (!this.#verdicts.has(group)) {
      const message = GROUP_UNSCHEDULABLE;
      this.#verdicts.set(group, { result: "unschedulable", message, schedulerName, time: null });
    }
  }

  /** Takes all waiting pods of a group out of the queue. */
  begin(first: QueuedPod): void {
    const { group } = first.pod;
    const others = this.#gangs.waiting(group).filter((uid) => uid !== first.pod.uid)
      .flatMap((uid) => this.#queue.take(uid) ?? []);
    const entries = [first, ...others].filter(({ pod }) => !pod.terminating)
      .sort((a, b) => goesFirst(a, b) ? -1 : 1);
    this.#current = {
      group,
      entries: new Map(entries.map((entry) => [entry.pod.uid, entry])),
      steps: tryGroup(entries, { group, gangs: this.#gangs, ports: this.#ports }),
      missedEvents: false,
      startedMillis: this.#now(),
    };
  }

  /**
   * Goes on with the try that is under way.
   *
   * @param limit pods to look at, at most
   * @returns how many were looked at; what is to be done, once the try has ended
   */
  advance(limit: number, nowMs: number): { readonly looks: number; readonly actions: Action[] } {
    const { group, steps } = this.#current!;
    const inOneGo = (this.#interruptions.get(group) ?? 0) >= MOST_INTERRUPTIONS;
    this.#ports.share(group);
    let looks = 0;
    let end: GroupAttempt | undefined;
    while (end === undefined && (inOneGo || looks < limit)) {
      const step = steps.next();
      looks++;
      if (step.done) end = step.value;
    }
    this.#ports.share("");
    return { looks, actions: end === undefined ? [] : this.#end(end, nowMs) };
  }

  /** Puts back all that the try under way holds: the cluster is about to change. */
  interrupt(nowMs: number): void {
    const current = this.#current;
    if (current === null) return;
    this.#ports.share(current.group);
    current.steps.return(undefined as never);
    this.#ports.share("");
    this.#redo(current, nowMs);
  }

  /** Something happened that changes no placement, but may help those that found none. */
  missEvent(): void {
    if (this.#current !== null) this.#current.missedEvents = true;
  }

  #redo({ group, entries }: GroupTry, nowMs: number): void {
    this.#current = null;
    this.#interruptions.set(group, (this.#interruptions.get(group) ?? 0) + 1);
    for (const entry of entries.values()) this.#queue.giveBack(entry, nowMs);
  }

  #end({ result, tried, message }: GroupAttempt, nowMs: number): Action[] {
    const current = this.#current!;
    const { group, entries } = current;
    if (result !== "starts" && current.missedEvents) {
      this.#redo(current, nowMs);
      return [];
    }
    this.#current = null;
    this.#interruptions.delete(group);
    const [{ profile: { schedulerName } }] = entries.values();
    const { startedMillis } = current;
    const time = { startedMillis, millis: this.#now() - startedMillis };
    this.#verdicts.set(group, { result: RESULTS[result], message, schedulerName, time });
    if (result === "starts") {
      return tried.map((pod): Action =>
        pod.nodeName === ""
          ? this.#ports.reject(pod, pod.rejectedBy, nowMs)
          : this.#ports.assume(pod.entry, pod.nodeName, group)
      );
    }
    if (result === "error") return this.#refuse([...entries.values()], message, nowMs);
    const rejectedBy = new Set([GANG_SCHEDULING, ...tried.flatMap((pod) => pod.rejectedBy)]);
    return tried.map((pod) => this.#ports.reject(pod, rejectedBy, nowMs));
  }

  #refuse(entries: readonly QueuedPod[], message: string, nowMs: number): Action[] {
    return entries.map((entry): Action => {
      this.#ports.takeBack(entry, nowMs);
      return { kind: "reject", entry, message, nominatedNode: "", victims: [], isError: true };
    });
  }
}
