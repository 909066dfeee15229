/**
 * Pods waiting for a node: active, backing off, unschedulable until something changes, gated.
 * In: pods, what became of them, cluster events, the time in milliseconds. Out: the next pod.
 * Never: reads a clock; `tick` is told the time. Never tries a pod again before an event that the
 * hints of the plugins that rejected it find helpful, except after five minutes.
 * Source: the scheduling queue of Kubernetes v1.36, feature gates at their defaults.
 */

import type { ClusterEvent } from "./cluster_event.ts";
import { eventLabel, podEvents } from "./cluster_event.ts";
import type { NodeTable } from "./node_table.ts";
import { GANG_SCHEDULING } from "./plugins/gang_scheduling.ts";
import { goesFirst } from "./plugins/priority_sort.ts";
import type { PodRow } from "./pod_row.ts";
import type { Profile } from "./profile.ts";
import { countRejections, QueueCounts } from "./queueing/queue_counts.ts";
import type { RejectionCount } from "./queueing/queue_counts.ts";
import { KeyedHeap } from "./structures/heap.ts";
import { ParkedPods } from "./sharing/parked_pods.ts";

/** Backoffs end at whole windows, so that pods of one window come out by priority. */
const WINDOW_MS = 1000;

/** What brings a pod into a queue, where it is no event of the cluster. */
const ARRIVALS = {
  added: "UnschedulablePodAdd",
  failed: "ScheduleAttemptFailure",
  backoffOver: "BackoffComplete",
  backoffSkipped: "PopFromBackoffQ",
  patienceOver: "UnschedulableTimeout",
  released: "ForceActivate",
} as const;

export interface QueueConfig {
  /** First backoff. Default 1000 ms, as podInitialBackoffSeconds. */
  readonly firstBackoffMs?: number;
  /** Longest backoff; 0 = none. Default 10000 ms, as podMaxBackoffSeconds. */
  readonly longestBackoffMs?: number;
  /** After this long without a helpful event a pod is tried anyway. Default 5 minutes. */
  readonly patienceMs?: number;
}

/** A pod in the queue and what was learned about it. */
export interface QueuedPod {
  readonly pod: PodRow;
  readonly profile: Profile;
  readonly priority: number;
  readonly sequence: number;
  /** When it first could be tried, milliseconds; null = a gate has held it back ever since. */
  readonly triableMs: number | null;
  /** When it came in or last failed, milliseconds. */
  readonly sinceMs: number;
  /** Times it was taken out to be tried. */
  readonly attempts: number;
  readonly unschedulableCount: number;
  readonly errorCount: number;
  /** Plugins that rejected it last; none after an error. */
  readonly rejectedBy: ReadonlySet<string>;
  /** Why it is held back, "" when it is not. */
  readonly gate: string;
  /** The plugin that holds it back, "" when none does. */
  readonly gatedBy: string;
  /** Whether it was tried last, or is to be, for having waited too long without an event. */
  readonly outOfPatience: boolean;
}

const NOTHING: ReadonlySet<string> = new Set();

type Place = "active" | "backoff" | "unschedulable";

/** How many pods wait where. */
export interface QueueSizes {
  readonly active: number;
  readonly backoff: number;
  readonly unschedulable: number;
  readonly gated: number;
}

export class SchedulingQueue {
  readonly #firstBackoffMs: number;
  readonly #longestBackoffMs: number;
  readonly #patienceMs: number;
  readonly #table: NodeTable;
  #sequence = 0;
  readonly #active = new KeyedHeap<QueuedPod>(uidOf, goesFirst);
  readonly #backoff: KeyedHeap<QueuedPod>;
  /** After errors; not popped before their time. */
  readonly #errorBackoff: KeyedHeap<QueuedPod>;
  readonly #parked = new ParkedPods();
  readonly #counts = new QueueCounts();
  readonly #groupGate: (pod: PodRow) => string;
  /** Held back by name, whatever happens. */
  readonly #held = new Map<string, QueuedPod>();

  /** @param groupGate why a pod's group holds it back, "" when it does not */
  constructor(
    table: NodeTable,
    config: QueueConfig = {},
    groupGate: (pod: PodRow) => string = () => "",
  ) {
    this.#table = table;
    this.#groupGate = groupGate;
    this.#firstBackoffMs = config.firstBackoffMs ?? 1000;
    this.#longestBackoffMs = config.longestBackoffMs ?? 10_000;
    this.#patienceMs = config.patienceMs ?? 5 * 60_000;
    const earlier = (a: QueuedPod, b: QueuedPod) => {
      const untilA = this.backoffUntilMs(a);
      const untilB = this.backoffUntilMs(b);
      return untilA === untilB ? goesFirst(a, b) : untilA < untilB;
    };
    this.#backoff = new KeyedHeap<QueuedPod>(uidOf, earlier);
    this.#errorBackoff = new KeyedHeap<QueuedPod>(uidOf, earlier);
  }

  get sizes(): QueueSizes {
    return {
      active: this.#active.size,
      backoff: this.#backoff.size + this.#errorBackoff.size,
      unschedulable: this.#parked.waitingCount,
      gated: this.#parked.gatedCount + this.#held.size,
    };
  }

  /** Pods that came into each queue so far, by the label of what brought them. */
  get arrivals(): QueueCounts["arrivals"] {
    return this.#counts.arrivals;
  }

  /** @returns how many waiting pods each plugin rejected. */
  rejections(): readonly RejectionCount[] {
    return countRejections([
      ...this.#active.items(),
      ...this.#backoff.items(),
      ...this.#errorBackoff.items(),
      ...this.#parked.items(),
      ...this.#held.values(),
    ]);
  }

  /** @returns where a pod waits, undefined when it does not. */
  find(uid: string): { readonly place: Place; readonly entry: QueuedPod } | undefined {
    const active = this.#active.get(uid);
    if (active !== undefined) return { place: "active", entry: active };
    const backoff = this.#backoff.get(uid) ?? this.#errorBackoff.get(uid);
    if (backoff !== undefined) return { place: "backoff", entry: backoff };
    const entry = this.#parked.get(uid) ?? this.#held.get(uid);
    return entry === undefined ? undefined : { place: "unschedulable", entry };
  }

  /** Takes in a pod that was never tried. */
  add(pod: PodRow, profile: Profile, nowMs: number): void {
    this.remove(pod.uid);
    const entry = {
      pod,
      profile,
      priority: pod.template.spec.priority,
      sequence: this.#sequence++,
      triableMs: nowMs,
      sinceMs: nowMs,
      attempts: 0,
      unschedulableCount: 0,
      errorCount: 0,
      rejectedBy: NOTHING,
      gate: "",
      gatedBy: "",
      outOfPatience: false,
    };
    this.#activate(entry, nowMs, ARRIVALS.added);
  }

  /** Replaces what is known of a waiting pod. @returns false when it does not wait here. */
  update(pod: PodRow, nowMs: number): boolean {
    const found = this.find(pod.uid);
    if (found === undefined) return false;
    const { place, entry } = found;
    const updated = { ...entry, pod, priority: pod.template.spec.priority };
    if (place === "active") this.#active.add(updated);
    else if (place === "backoff") this.#backoffOf(updated).add(updated);
    else if (this.#held.has(pod.uid)) this.#held.set(pod.uid, updated);
    else {
      this.#parked.replace(updated);
      for (const event of podEvents(entry.pod, pod, false)) {
        if (this.#isWorthRetrying(updated, event)) {
          this.#requeue(updated, nowMs, eventLabel(event));
          break;
        }
      }
    }
    return true;
  }

  /** Forgets a pod that is gone or has a node. */
  remove(uid: string): void {
    this.#active.remove(uid);
    this.#backoff.remove(uid);
    this.#errorBackoff.remove(uid);
    this.#parked.take(uid);
    this.#held.delete(uid);
  }

  /** Lets a held pod wait for events again, or be tried at once. */
  release(uid: string, isUrgent: boolean): void {
    const entry = this.#held.get(uid);
    if (entry === undefined) return;
    this.#held.delete(uid);
    const free = { ...entry, gate: "" };
    if (isUrgent) this.#activate(free, free.sinceMs, ARRIVALS.released);
    else this.#parked.park(free);
  }

  /** @returns the waiting pod, taken out to be tried; undefined when it may not be tried. */
  take(uid: string): QueuedPod | undefined {
    const entry = this.find(uid)?.entry;
    if (entry === undefined || this.#held.has(uid)) return undefined;
    if (this.#gateOf(entry) !== null) return undefined;
    this.remove(uid);
    return { ...entry, gate: "", gatedBy: "", attempts: entry.attempts + 1 };
  }

  /** @returns the pod that is next in turn, left where it is. */
  peek(): QueuedPod | undefined {
    return this.#active.peek();
  }

  /** @returns the next pod to try; with none active, one that backs off though it need not. */
  pop(): QueuedPod | undefined {
    const entry = this.#active.pop() ?? this.#popBackoff();
    return entry === undefined ? undefined : { ...entry, attempts: entry.attempts + 1 };
  }

  #popBackoff(): QueuedPod | undefined {
    const entry = this.#backoff.pop();
    if (entry !== undefined) this.#counts.arrive("active", ARRIVALS.backoffSkipped);
    return entry;
  }

  /**
   * Takes back a popped pod that got no node.
   *
   * @param rejectedBy plugins that rejected it; empty after an error, which is retried by time.
   * @param hold why it is held back from every event until it is released, "" when it is not
   */
  failed(entry: QueuedPod, rejectedBy: ReadonlySet<string>, nowMs: number, hold = ""): void {
    const isError = rejectedBy.size === 0;
    const failed: QueuedPod = {
      ...entry,
      sinceMs: nowMs,
      rejectedBy,
      unschedulableCount: entry.unschedulableCount + (isError ? 0 : 1),
      errorCount: isError ? entry.errorCount + 1 : 0,
      outOfPatience: false,
    };
    if (isError) this.#requeue(failed, nowMs, ARRIVALS.failed);
    else if (hold === "") this.#park(failed, ARRIVALS.failed);
    else {
      this.#counts.arrive("unschedulable", ARRIVALS.failed);
      this.#held.set(entry.pod.uid, { ...failed, gate: hold });
    }
  }

  /** Takes back a pod that was taken out and was not tried to the end. */
  giveBack(entry: QueuedPod, nowMs: number): void {
    this.#activate({ ...entry, attempts: entry.attempts - 1 }, nowMs, ARRIVALS.failed);
  }

  /** Moves the pods that an event may help. @returns how many moved. */
  notify(event: ClusterEvent, nowMs: number): number {
    const label = eventLabel(event);
    let moved = 0;
    for (const uids of this.#asked(event)) {
      // Pods that are alike ask the same of an event, so one answer is enough.
      const [first] = uids;
      if (!this.#isWorthRetrying(this.#parked.get(first)!, event)) continue;
      for (const uid of [...uids]) {
        this.#requeue(this.#parked.get(uid)!, nowMs, label);
        moved++;
      }
    }
    return moved;
  }

  /** @returns groups of parked pods that all answer the event alike; what concerns few asks few. */
  *#asked(event: ClusterEvent): Iterable<Iterable<string>> {
    if (event.resource !== "persistentVolumeClaim") return yield* this.#parked.alike();
    for (const uid of event.users) if (this.#parked.get(uid) !== undefined) yield [uid];
  }

  /** Ends backoffs and patience that are over. */
  tick(nowMs: number): void {
    for (const heap of [this.#backoff, this.#errorBackoff]) {
      for (let entry = heap.peek(); entry !== undefined; entry = heap.peek()) {
        if (this.#isBackingOff(entry, nowMs)) break;
        heap.pop();
        this.#counts.arrive("active", ARRIVALS.backoffOver);
        this.#active.add(entry);
      }
    }
    for (;;) {
      const oldest = this.#parked.oldest();
      if (oldest === undefined || nowMs - oldest.sinceMs <= this.#patienceMs) break;
      this.#requeue({ ...oldest, outOfPatience: true }, nowMs, ARRIVALS.patienceOver);
    }
  }

  /** @returns when `tick` has something to do next, milliseconds; Infinity = never. */
  nextTickMs(): number {
    let next = Infinity;
    for (const heap of [this.#backoff, this.#errorBackoff]) {
      const first = heap.peek();
      if (first !== undefined) next = Math.min(next, this.backoffUntilMs(first) + WINDOW_MS);
    }
    const oldest = this.#parked.oldest();
    if (oldest !== undefined) next = Math.min(next, oldest.sinceMs + this.#patienceMs + 1);
    return next;
  }

  /** @returns the end of a pod's backoff, milliseconds; 0 = it never failed. */
  backoffUntilMs({ errorCount, unschedulableCount, sinceMs }: QueuedPod): number {
    const count = errorCount > 0 ? errorCount : unschedulableCount;
    if (count === 0 || this.#longestBackoffMs === 0) return 0;
    const doubled = this.#firstBackoffMs * 2 ** (count - 1);
    return toWindow(sinceMs + Math.min(doubled, this.#longestBackoffMs));
  }

  #isBackingOff(entry: QueuedPod, nowMs: number): boolean {
    const until = this.backoffUntilMs(entry);
    return until !== 0 && until >= toWindow(nowMs);
  }

  #isWorthRetrying(entry: QueuedPod, event: ClusterEvent): boolean {
    const { pod, profile, priority } = entry;
    if (event.resource === "any") return entry.gate === "";
    if (event.resource === "pod" && priority > (event.upToPriority ?? Infinity)) return false;
    const mayHelp = (name: string) => profile.byName.get(name)?.hint?.(pod, event, this.#table);
    // What does not open the gate helps nobody behind it.
    if (entry.gatedBy !== "") return mayHelp(entry.gatedBy) === true;
    if (entry.rejectedBy.size === 0) return true;
    for (const name of entry.rejectedBy) if (mayHelp(name)) return true;
    return false;
  }

  #requeue(entry: QueuedPod, nowMs: number, label: string): void {
    this.#parked.take(entry.pod.uid);
    if (!this.#isBackingOff(entry, nowMs)) return this.#activate(entry, nowMs, label);
    if (this.#holdBack(entry, label)) return;
    this.#counts.arrive("backoff", label);
    const free = { ...entry, gate: "", gatedBy: "" };
    this.#backoffOf(free).add(free);
  }

  #backoffOf({ rejectedBy }: QueuedPod): KeyedHeap<QueuedPod> {
    return rejectedBy.size === 0 ? this.#errorBackoff : this.#backoff;
  }

  #activate(entry: QueuedPod, nowMs: number, label: string): void {
    if (this.#holdBack(entry, label)) return;
    this.#counts.arrive("active", label);
    const { gatedBy, triableMs } = entry;
    const wasFree = gatedBy === "" && triableMs !== null;
    this.#active.add(
      wasFree ? entry : { ...entry, gate: "", gatedBy: "", triableMs: triableMs ?? nowMs },
    );
  }

  #park(entry: QueuedPod, label: string): void {
    this.#counts.arrive("unschedulable", label);
    this.#parked.park(entry);
  }

  /** Parks a pod that a gate holds back. */
  #holdBack(entry: QueuedPod, label: string): boolean {
    const held = this.#gateOf(entry);
    if (held === null) return false;
    const rejectedBy = new Set([...entry.rejectedBy, held.by]);
    const triableMs = entry.attempts === 0 ? null : entry.triableMs;
    this.#park({ ...entry, gate: held.gate, gatedBy: held.by, rejectedBy, triableMs }, label);
    return true;
  }

  #gateOf({ profile, pod }: QueuedPod): { readonly gate: string; readonly by: string } | null {
    for (const plugin of profile.gates) {
      const gate = plugin.gate!(pod.template.spec);
      if (gate !== null) return { gate, by: plugin.name };
    }
    const gate = this.#groupGate(pod);
    return gate === "" ? null : { gate, by: GANG_SCHEDULING };
  }
}

function uidOf(entry: QueuedPod): string {
  return entry.pod.uid;
}

function toWindow(timeMs: number): number {
  return Math.floor(timeMs / WINDOW_MS) * WINDOW_MS;
}
