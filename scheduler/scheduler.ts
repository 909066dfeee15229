/**
 * The scheduler as one machine: what the cluster looks like goes in, actions come out.
 * In: node, namespace and pod rows as the API tells of them; the time. Out: bindings, failures,
 * evictions, each already assumed in the table.
 * Never: talks to anyone. The runner performs actions and reports those that were refused.
 * Source: the scheduling loop of Kubernetes v1.36 (schedule_one, event handlers).
 */

import type { Action, GroupVerdict } from "./action.ts";
import { BatchDecider } from "./batch.ts";
import { isSamePlace, nodeEvents, podAdded, podEvents, podGone } from "./cluster_event.ts";
import type { ClusterEvent } from "./cluster_event.ts";
import { decide, pickRank } from "./decide.ts";
import type { Diagnosis, Outcome } from "./decide.ts";
import { explain, NO_NODES_MESSAGE } from "./explain.ts";
import type { TriedPod } from "./gangs/gang_attempt.ts";
import { Gangs } from "./gangs/gangs.ts";
import type { GroupPolicy } from "./gangs/gangs.ts";
import { GroupTries } from "./gangs/group_tries.ts";
import type { GroupPorts } from "./gangs/group_tries.ts";
import { DeviceLedger } from "./devices/ledger.ts";
import { TemplateTable } from "./intern.ts";
import type { NodeRow } from "./node_row.ts";
import { NodeTable } from "./node_table.ts";
import { DYNAMIC_RESOURCES } from "./devices/dynamic_resources.ts";
import type { PodRow } from "./pod_row.ts";
import { PendingEvictions, WAITING_FOR_EVICTIONS } from "./preemption/evictions.ts";
import { NominatedPods } from "./preemption/nominations.ts";
import type { Nominations } from "./preemption/nominations.ts";
import { Preemptor } from "./preemption/preemptor.ts";
import type { TriedPreemption } from "./preemption/preemptor.ts";
import type { DisruptionBudget } from "./preemption/trial.ts";
import { buildProfile } from "./profile.ts";
import type { Profile } from "./profile.ts";
import { SchedulingQueue } from "./queue.ts";
import type { QueuedPod } from "./queue.ts";
import type { SchedulerConfig } from "./scheduler_config.ts";

/**
 * The scheduler.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { EMPTY_NODE, EMPTY_POD, EMPTY_SPEC } from "./mod.ts";
 *
 * const scheduler = new Scheduler({ seed: 7 });
 * const allocatable = { cpuMilli: 4000, memoryBytes: 8e9, ephemeralBytes: 0, scalars: [] };
 * scheduler.setNode({ ...EMPTY_NODE, name: "n1", allocatable, allowedPods: 110 }, 0);
 *
 * const template = scheduler.templates.intern({
 *   ...EMPTY_SPEC,
 *   requests: { cpuMilli: 500, memoryBytes: 1e9, ephemeralBytes: 0, scalars: [] },
 * });
 * const pod = { ...EMPTY_POD, uid: "u1", name: "web", template };
 * scheduler.setPending(pod, "default-scheduler", 0);
 * const [action] = scheduler.plan(0, 10);
 * assert.equal(action.kind === "bind" && action.nodeName, "n1");
 * ```
 */
export class Scheduler {
  readonly table = new NodeTable();
  /** Devices and claims; whoever changes them here also calls `notify`. */
  readonly devices: DeviceLedger;
  readonly templates = new TemplateTable();
  readonly queue: SchedulingQueue;
  readonly profiles: ReadonlyMap<string, Profile>;
  readonly #batch = new BatchDecider();
  readonly #gangs = new Gangs();
  readonly #shareColumns: boolean;
  #seed: number;
  readonly #nominated = new NominatedPods(this.table);
  readonly #preemptor: Preemptor;
  readonly #evictions = new PendingEvictions();
  /** Pods placed by us and not yet seen placed: uid -> entry to try again with if refused. */
  readonly #assumed = new Map<string, QueuedPod>();
  readonly #skipped: QueuedPod[] = [];
  readonly #groups: GroupTries;
  readonly #groupPorts: GroupPorts = {
    table: this.table,
    templates: this.templates,
    roll: (sides) => pickRank(this.#seed, sides),
    decide: (entry) => this.#decide(entry),
    hold: ({ pod }, nodeName) => {
      this.#nominated.set(pod, "");
      this.#put(pod, nodeName);
    },
    release: ({ pod }) => {
      this.#take(pod.uid);
      this.#nominated.set(pod, pod.nominatedNode);
    },
    preempt: (entry, outcome) => this.#preempt(entry, outcome),
    lift: ({ uid }) => {
      const { pod, nodeName } = this.table.pod(uid)!;
      this.table.removePod(uid);
      return () => this.table.addPod(pod, nodeName);
    },
    share: (group) => void (this.devices.group = group),
    assume: (entry, nodeName, group) => this.#assume(entry, nodeName, group),
    reject: (tried, rejectedBy, nowMs) => this.#rejectMember(tried, rejectedBy, nowMs),
    takeBack: (entry, nowMs) => this.#takeBack(entry, new Set(), nowMs),
  };

  /** Errors: throws on a profile that `buildProfile` refuses. */
  constructor(config: SchedulerConfig = {}) {
    this.devices = new DeviceLedger(config.matchDevice, () => this.table.reconsider());
    const profiles = (config.profiles ?? [{}]).map((it) => buildProfile(it, this.devices));
    this.profiles = new Map(profiles.map((profile) => [profile.schedulerName, profile]));
    this.queue = new SchedulingQueue(this.table, config.queue, (pod) => this.#gangs.gate(pod));
    this.#groups = new GroupTries(this.#gangs, this.queue, this.#groupPorts, config.watch);
    this.#preemptor = new Preemptor(this.table, config.watch);
    this.#shareColumns = config.shareColumns ?? true;
    this.#seed = config.seed ?? 1;
  }

  // ---- what the cluster looks like

  /** @returns what the change was taken for. */
  setNode(node: NodeRow, nowMs: number): readonly ClusterEvent[] {
    this.#groups.interrupt(nowMs);
    const row = this.table.rowOf(node.name);
    const before = row < 0 ? null : this.table.nodes[row]!;
    const events: readonly ClusterEvent[] = before === null
      ? [{ resource: "node", change: "add", before, after: node }]
      : nodeEvents(before, node);
    this.table.setNode(node);
    for (const event of events) this.#tell(event, nowMs);
    return events;
  }

  removeNode(name: string, nowMs: number): void {
    const row = this.table.rowOf(name);
    if (row < 0) return;
    this.#groups.interrupt(nowMs);
    const before = this.table.nodes[row]!;
    this.table.removeNode(name);
    this.#tell({ resource: "node", change: "delete", before, after: null }, nowMs);
  }

  setNamespace(name: string, labels: Readonly<Record<string, string>> | null): void {
    this.table.setNamespace(name, labels);
  }

  setBudget(key: string, budget: DisruptionBudget | null): void {
    this.#preemptor.setBudget(key, budget);
  }

  /** Sets what a pod group asks for; null when it is gone. @param name "namespace/name" */
  setGroup(name: string, policy: GroupPolicy | null, nowMs: number): void {
    this.#groups.interrupt(nowMs);
    this.#gangs.setPolicy(name, policy);
    this.#tellGroup(name, nowMs);
  }

  #tellGroup(group: string, nowMs: number): void {
    this.#tell({ resource: "podGroup", group }, nowMs);
  }

  /**
   * A pod without a node that names one of our profiles.
   *
   * @param wasPromised whether the API said until now that a node is promised to it
   */
  setPending(pod: PodRow, schedulerName: string, nowMs: number, wasPromised = false): void {
    const profile = this.profiles.get(schedulerName);
    if (profile === undefined) return;
    if (this.#groups.isTried(pod.uid)) {
      if (this.#groups.isTriedAs(pod) && !wasPromised) return;
      this.#groups.interrupt(nowMs);
    }
    const placed = this.#assumed.get(pod.uid);
    if (placed !== undefined) return this.#recall(placed, pod, nowMs);
    // A promise of ours may not have reached the API yet.
    const promised = this.queue.find(pod.uid)?.entry.pod.nominatedNode ?? "";
    const isAhead = pod.nominatedNode === "" && promised !== "" && !wasPromised;
    const row = isAhead ? { ...pod, nominatedNode: promised } : pod;
    if (promised !== row.nominatedNode) {
      this.#breakPromise({ ...pod, nominatedNode: promised }, nowMs);
    }
    this.#gangs.wait(row);
    if (!this.queue.update(row, nowMs)) {
      this.queue.add(row, profile, nowMs);
      // While the group holds its pods back, one more changes nothing for the others.
      if (row.group !== "" && this.#gangs.gate(row) === "") this.#tellGroup(row.group, nowMs);
    }
    this.#nominated.set(row, row.nominatedNode);
  }

  /** A pod on its way out gives its place back, whether or not its binding still comes through. */
  #recall(placed: QueuedPod, pod: PodRow, nowMs: number): void {
    if (!pod.terminating || placed.pod.terminating) return;
    this.#groups.interrupt(nowMs);
    this.#assumed.set(pod.uid, { ...placed, pod });
    if (this.#take(pod.uid)) this.notify({ resource: "claim", key: "", freed: true }, nowMs);
    this.#tellGone(pod, nowMs);
  }

  /** What was promised to a pod is free for its equals and those below, as if it had left. */
  #breakPromise(pod: PodRow, nowMs: number): void {
    if (pod.nominatedNode !== "") this.#tellGone(pod, nowMs, pod.template.spec.priority);
  }

  #tellGone(pod: PodRow, nowMs: number, upToPriority?: number): void {
    this.#tell(podGone(pod, upToPriority), nowMs);
  }

  /** A pod that the API says is on a node: ours confirmed, or anyone's. */
  setAssigned(pod: PodRow, nodeName: string, nowMs: number): void {
    const isTried = this.#groups.isTried(pod.uid);
    const isKnown = isSamePlace(this.table.pod(pod.uid), pod, nodeName);
    const wasAssumed = this.#assumed.delete(pod.uid);
    if (isKnown && !isTried && !wasAssumed) return;
    if (!isKnown || isTried) this.#groups.interrupt(nowMs);
    const before = this.table.pod(pod.uid);
    this.queue.remove(pod.uid);
    this.#evictions.end(pod.uid);
    if (pod.terminating) this.#leaves(pod.uid);
    this.#gangs.place(pod);
    this.#nominated.set(pod, "");
    if (isSamePlace(before, pod, nodeName)) return;
    this.table.addPod(pod, nodeName);
    const events = before === undefined ? [podAdded(pod)] : podEvents(before.pod, pod, true);
    for (const event of events) this.#tell(event, nowMs);
  }

  /** A pod that is gone or finished. */
  removePod(uid: string, nowMs: number): void {
    let waiting = this.queue.find(uid)?.entry.pod;
    if (waiting === undefined && this.#groups.isUnderWay) {
      // Who doesn't wait has a place, or had one until a try thought it away, which is put back.
      this.#groups.interrupt(nowMs);
      waiting = this.queue.find(uid)?.entry.pod;
    }
    const known = this.table.pod(uid)?.pod;
    if (waiting !== undefined) this.queue.remove(uid);
    this.#assumed.delete(uid);
    this.#evictions.end(uid);
    this.#leaves(uid);
    this.#gangs.remove(uid);
    const pod = known ?? waiting;
    if (pod === undefined) return;
    this.#take(uid);
    this.#nominated.set(pod, "");
    if (known !== undefined) this.#tellGone(pod, nowMs);
    else this.#breakPromise(pod, nowMs);
    if (this.#gangs.topologyOf(pod.group) !== "") this.#tellGroup(pod.group, nowMs);
  }

  /** The evictions for a pod have been asked for. @param isComplete false when one failed */
  evicted(uid: string, isComplete: boolean): void {
    if (this.#evictions.end(uid)) this.queue.release(uid, !isComplete);
  }

  /** A pod makes room: whoever it was evicted for listens to events again. */
  #leaves(uid: string): void {
    const freed = this.#evictions.leave(uid);
    if (freed !== "") this.queue.release(freed, false);
  }

  /** Anything else that may help waiting pods. */
  notify(event: ClusterEvent, nowMs: number): void {
    // Devices that a try holds may be another's by now.
    if (event.resource === "claim" || event.resource === "devices") this.#groups.interrupt(nowMs);
    this.#tell(event, nowMs);
  }

  #tell(event: ClusterEvent, nowMs: number): void {
    this.#groups.missEvent();
    this.queue.notify(event, nowMs);
  }

  /** @returns pods promised to nodes, by node name. */
  get nominations(): Nominations {
    return this.#nominated.byNode;
  }

  /** Pods placed here that the API does not show as placed yet. */
  get assumedCount(): number {
    return this.#assumed.size;
  }

  // ---- what to do

  /** Whether a group is being tried: `plan` has more to do, whatever waits. */
  get isTryingGroup(): boolean {
    return this.#groups.isUnderWay;
  }

  /**
   * Decides for up to `limit` waiting pods. Of a group there are no actions before the last of its
   * pods was looked at, which may take several calls.
   *
   * @returns one action for each pod tried; bindings are assumed until confirmed or refused.
   */
  plan(nowMs: number, limit: number): Action[] {
    this.queue.tick(nowMs);
    this.devices.nowMs = nowMs;
    const actions: Action[] = [];
    for (let left = limit; left > 0;) {
      if (this.#groups.isUnderWay) {
        const { looks, actions: ended } = this.#groups.advance(left, nowMs);
        actions.push(...ended);
        left -= looks;
        continue;
      }
      const entry = this.#takeTorn() ?? this.queue.pop();
      if (entry === undefined) break;
      if (entry.pod.terminating) this.#skipped.push(entry);
      else if (this.#gangs.goesTogether(entry.pod.group)) {
        this.#groups.begin(entry);
      } else {
        actions.push(this.#decideOne(entry, nowMs));
        left--;
      }
    }
    return actions;
  }

  /** Takes back a binding that the API refused; the pod is tried again after a backoff. */
  refuse(uid: string, nowMs: number): void {
    const entry = this.#assumed.get(uid);
    if (entry === undefined) return;
    this.#groups.interrupt(nowMs);
    this.#assumed.delete(uid);
    const { pod } = entry;
    if (this.#take(uid)) this.notify({ resource: "claim", key: "", freed: true }, nowMs);
    this.#gangs.wait(pod);
    this.#tellGone(pod, nowMs);
    this.queue.failed(withoutPromise(entry), new Set(), nowMs);
  }

  /** @returns pods that were not tried since this was asked last, as they are on their way out. */
  takeSkipped(): readonly QueuedPod[] {
    return this.#skipped.splice(0);
  }

  /** @returns what became of groups since this was asked last, by name. */
  takeGroupVerdicts(): ReadonlyMap<string, GroupVerdict> {
    return this.#groups.takeVerdicts();
  }

  /** @returns a pod of a group that must be made whole again, if one may be tried now. */
  #takeTorn(): QueuedPod | undefined {
    for (const uid of this.#gangs.torn()) {
      if (this.queue.find(uid)?.place === "active") return this.queue.take(uid);
    }
    return undefined;
  }

  #rejectMember(tried: TriedPod, rejectedBy: Iterable<string>, nowMs: number): Action {
    const { entry, nodeName, victims, message } = tried;
    const promised = { ...entry.pod, nominatedNode: nodeName };
    if (nodeName !== entry.pod.nominatedNode) this.#breakPromise(entry.pod, nowMs);
    this.queue.failed({ ...entry, pod: promised }, new Set(rejectedBy), nowMs);
    this.#nominated.set(promised, nodeName);
    return { kind: "reject", entry, message, nominatedNode: nodeName, victims };
  }

  /** Puts a pod where it was decided to be, with the devices of its claims. */
  #put(pod: PodRow, nodeName: string): void {
    this.table.addPod(pod, nodeName);
    if (!this.devices.isAskedBy(pod)) return;
    const node = this.table.nodes[this.table.rowOf(nodeName)];
    if (node !== undefined) this.devices.reserve(pod, node);
  }

  /** Takes a pod off its node. @returns whether devices became free */
  #take(uid: string): boolean {
    this.table.removePod(uid);
    return this.devices.release(uid);
  }

  /** Keeps to a placement that is in the table already. */
  #assume(entry: QueuedPod, nodeName: string, gang = ""): Action {
    const { pod } = entry;
    this.#nominated.set(pod, "");
    this.#gangs.place(pod);
    this.#assumed.set(pod.uid, entry);
    this.#groups.note(entry, true);
    return { kind: "bind", entry, nodeName, gang };
  }

  #decide({ pod, profile }: QueuedPod): Outcome {
    this.#seed = (Math.imul(this.#seed, 1664525) + 1013904223) >>> 0;
    const input = {
      table: this.table,
      profile,
      pod,
      nominations: this.nominations,
      seed: this.#seed,
    };
    return this.#shareColumns ? this.#batch.decide(input) : decide(input, this.#batch.scratch);
  }

  #decideOne(entry: QueuedPod, nowMs: number): Action {
    const outcome = this.#decide(entry);
    const { decision } = outcome;
    switch (decision.kind) {
      case "placed":
        this.#put(entry.pod, decision.nodeName);
        return this.#assume(entry, decision.nodeName);
      case "noNodes": {
        // Nothing rejected it, yet only a node can help: the name plugin's hint is just that.
        this.#takeBack(entry, new Set(["NodeName"]), nowMs);
        const message = NO_NODES_MESSAGE;
        return { kind: "reject", entry, message, nominatedNode: "", victims: [] };
      }
      case "unschedulable":
        return this.#reject(entry, outcome, decision.diagnosis, nowMs);
    }
  }

  #reject(entry: QueuedPod, outcome: Outcome, diagnosis: Diagnosis, nowMs: number): Action {
    const { pod, profile } = entry;
    this.#groups.note(entry, false);
    const idleClaim = this.#idleClaim(entry, diagnosis);
    const rejected = { kind: "reject", entry, victims: [], idleClaim } as const;
    if (!profile.preemption) {
      this.#takeBack(entry, diagnosis.plugins, nowMs);
      const message = explain(diagnosis, this.#idleClaimWords(entry, diagnosis));
      return { ...rejected, message, nominatedNode: "" };
    }
    const { preemption, message } = this.#preempt(entry, outcome);
    if (preemption.nodeName === "") {
      if (preemption.keepsNomination) this.queue.failed(entry, diagnosis.plugins, nowMs);
      else this.#takeBack(entry, diagnosis.plugins, nowMs);
      return { ...rejected, message, nominatedNode: preemption.keepsNomination ? null : "" };
    }
    const nominatedNode = preemption.nodeName;
    const promised = { ...pod, nominatedNode };
    if (nominatedNode !== pod.nominatedNode) this.#breakPromise(pod, nowMs);
    const { victims } = preemption;
    const isWaiting = this.#evictions.begin(pod.uid, victims);
    // Tried again before they leave, it might choose more of them elsewhere.
    const hold = isWaiting ? WAITING_FOR_EVICTIONS : "";
    this.queue.failed({ ...entry, pod: promised }, diagnosis.plugins, nowMs, hold);
    this.#nominated.set(promised, nominatedNode);
    if (!isWaiting) return { ...rejected, message, nominatedNode, victims };
    const displaced = this.#displace(pod, nominatedNode, nowMs);
    return { ...rejected, message, nominatedNode, victims, displaced };
  }

  /** Takes back a pod that no node is promised to any more. */
  #takeBack(entry: QueuedPod, rejectedBy: ReadonlySet<string>, nowMs: number): void {
    this.#nominated.set(entry.pod, "");
    this.#breakPromise(entry.pod, nowMs);
    this.queue.failed(withoutPromise(entry), rejectedBy, nowMs);
  }

  /** @returns a claim of the pod that idles on nodes where it can't go, "" = none. */
  #idleClaim({ pod, profile }: QueuedPod, { plugins }: Diagnosis): string {
    const isInTheWay = profile.deallocation && plugins.has(DYNAMIC_RESOURCES);
    return isInTheWay ? this.devices.idleClaim(pod, this.table.nodes, profile.deviceTimeoutMs) : "";
  }

  /** What the plugin of devices says after a refusal, before eviction is tried. */
  #idleClaimWords(entry: QueuedPod, diagnosis: Diagnosis): string {
    if (!entry.profile.deallocation) return "";
    return this.devices.wordsOn(entry.pod, this.#idleClaim(entry, diagnosis));
  }

  /** Tries eviction, once for all equal pods while nothing changes and it does not help. */
  #preempt(entry: QueuedPod, outcome: Outcome): TriedPreemption {
    const { decision } = outcome;
    return this.#preemptor.lookFor({
      pod: entry.pod,
      schedulerName: entry.profile.schedulerName,
      outcome,
      nominations: this.nominations,
      seed: this.#seed,
      words: () =>
        decision.kind === "unschedulable" ? this.#idleClaimWords(entry, decision.diagnosis) : "",
    });
  }

  /**
   * A node is taken by preemption: those below that it was promised to look for another place
   * before they would find it full.
   *
   * @returns those pods
   */
  #displace({ template }: PodRow, nodeName: string, nowMs: number): readonly PodRow[] {
    const displaced = this.#nominated.below(nodeName, template.spec.priority);
    for (const pod of displaced) {
      const waiting = this.queue.find(pod.uid)?.entry.pod;
      this.#nominated.set(pod, "");
      if (waiting !== undefined) this.queue.update({ ...waiting, nominatedNode: "" }, nowMs);
      this.#breakPromise(pod, nowMs);
    }
    return displaced;
  }
}

function withoutPromise(entry: QueuedPod): QueuedPod {
  const { pod } = entry;
  return pod.nominatedNode === "" ? entry : { ...entry, pod: { ...pod, nominatedNode: "" } };
}
