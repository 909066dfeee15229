/**
 * The scheduler's hands: watches the cluster, lets the pure scheduler plan, performs its actions.
 * In: a client, a clock, configuration. Out: bindings, status patches, evictions, events.
 * Never: decides. Planning is cut into slices of a few milliseconds; writes don't hold up planning.
 * Source: Kubernetes v1.36 scheduler.go, eventhandlers.go, schedule_one.go.
 */
import type { KubeObject } from "../api/meta.ts";
import type { Resource } from "../api/resource.ts";
import { findResource, namespaces, nodes, podGroups, pods } from "../api/resources.ts";
import type { Pod as CorePod } from "../api/schema/generated/core_v1.ts";
import { ApiError } from "../api/status.ts";
import type { Client } from "../client/client.ts";
import type { Cancel, Clock } from "../client/clock.ts";
import type { Change } from "../client/informer.ts";
import { InformerSet } from "../client/informer_set.ts";
import { eventLabel, Scheduler } from "../../scheduler/mod.ts";
import type { Action, ClusterEvent, SchedulerConfig } from "../../scheduler/mod.ts";
import { type BindAction, type Cohort, toCohorts, WaitingCohorts } from "./binding/cohorts.ts";
import { createPreparation } from "./binding/preparation.ts";
import type { Preparation } from "./binding/cohorts.ts";
import { DeviceBinder } from "./devices/device_binder.ts";
import { DeviceWatch } from "./devices/device_watch.ts";
import { encodeBudget, encodeGroup, encodeNode, isFinished } from "./encode.ts";
import type { Node, Pod, PodDisruptionBudget, PodGroup, Selecting } from "./kinds.ts";
import { labelsOf } from "./metrics/pod_event.ts";
import { podResourceLines } from "./metrics/pod_resources.ts";
import { SchedulerMetrics } from "./metrics/scheduler_metrics.ts";
import { PodEncoder } from "./pod_encoder.ts";
import { PodReporter } from "./pod_reporter.ts";
import { SELECTING, selectorsOf } from "./selectors.ts";
import { NodeStorage } from "./storage/node_storage.ts";
import { StorageWatch } from "./storage/storage_watch.ts";
import { VolumeBinder } from "./volume_binder.ts";

/** Decisions between two looks at the clock. */
const CHUNK = 32;
/** Longest stretch of planning before other work gets the thread, milliseconds. */
const SLICE_MILLIS = 8;
/** Pods bound by one request. */
const BATCH = 512;
const BINDER = 'running Bind plugin "DefaultBinder"';

type RejectAction = Action & { readonly kind: "reject" };

export type SchedulerLog = (message: string, fields: Readonly<Record<string, unknown>>) => void;

/** Told how an attempt to schedule a pod ended, and milliseconds from its turn to that end. */
export type AttemptObserver = (
  result: "scheduled" | "unschedulable" | "error",
  millis: number,
) => void;

export interface KubeSchedulerOptions {
  readonly client: Client;
  readonly clock: Clock;
  /** Informers to share with other components of the process; the caller starts and stops them. */
  readonly informers?: InformerSet;
  readonly config?: SchedulerConfig;
  readonly log?: SchedulerLog;
  readonly onAttempt?: AttemptObserver;
}

export interface RunningKubeScheduler {
  /** The state that decisions are made on, for metrics and tests. */
  readonly scheduler: Scheduler;
  /** @returns lines of /metrics. */
  metrics(): readonly string[];
  /** @returns lines of /metrics/resources, some for every pod. */
  podResources(): readonly string[];
  /** Resolves when no pod waits to be tried and no write is under way. */
  whenIdle(): Promise<void>;
  /** Decides no more. Resolves when the writes under way have ended, so that another may begin. */
  stop(): Promise<void>;
}

class Runner implements RunningKubeScheduler {
  readonly scheduler: Scheduler;
  readonly #client: Client;
  readonly #clock: Clock;
  readonly #log: SchedulerLog;
  readonly #onAttempt: AttemptObserver;
  readonly #informers: InformerSet;
  readonly #ownsInformers: boolean;
  readonly #reporter: PodReporter;
  readonly #encoder: PodEncoder;
  /** Namespaces whose services or controllers changed what they select. */
  readonly #reselected = new Set<string>();
  readonly #binder: VolumeBinder;
  readonly #nodeStorage: NodeStorage;
  readonly #devices: DeviceWatch;
  readonly #deviceBinder: DeviceBinder;
  readonly #storage = new StorageWatch();
  readonly #preparation: Preparation;
  /** Placed pods that wait for volumes, and the gangs that wait with them. */
  readonly #cohorts: WaitingCohorts;
  readonly #metrics = new SchedulerMetrics();
  readonly #unsubscribe: (() => void)[] = [];
  #wakeUp: Cancel | undefined;
  #wakeUpMillis = Infinity;
  #writes = 0;
  #idle: (() => void)[] = [];
  #synced = false;
  #stopped = false;
  #ended: () => void = () => {};

  constructor(options: KubeSchedulerOptions) {
    this.#client = options.client;
    this.#clock = options.clock;
    this.#log = options.log ?? (() => {});
    this.#onAttempt = options.onAttempt ?? (() => {});
    this.#ownsInformers = options.informers === undefined;
    this.#informers = options.informers ?? new InformerSet(options);
    const seed = Math.floor(options.clock.random() * 2 ** 32);
    this.#devices = new DeviceWatch(this.#informers);
    const matchDevice = this.#devices.selector.matches;
    const { watch } = this.#metrics;
    this.scheduler = new Scheduler({ seed, matchDevice, watch, ...options.config });
    this.#deviceBinder = new DeviceBinder(options.client, options.clock, this.#informers);
    this.#reporter = new PodReporter(options, {
      pods: this.#informers.of<Pod>(pods).lister,
      groups: this.#informers.of<PodGroup>(podGroups).lister,
    });
    this.#binder = new VolumeBinder(this.#client, this.#informers);
    this.#nodeStorage = new NodeStorage(this.#informers);
    this.#preparation = createPreparation({
      scheduler: this.scheduler,
      volumes: this.#binder,
      devices: this.#deviceBinder,
      lookUp: (pod) => this.#reporter.lookUp(pod),
      announceWait: ({ entry: { pod, profile }, nodeName }) =>
        this.#reporter.announceWait(pod, profile.schedulerName, nodeName),
    });
    this.#cohorts = new WaitingCohorts(this.#preparation);
    const { templates } = this.scheduler;
    this.#encoder = new PodEncoder(templates, {
      selectors: selectorsOf(this.#informers),
      claims: this.#devices.lookUp,
    });
  }

  async start(): Promise<void> {
    this.#on<KubeObject>(namespaces, (change) => this.#observeNamespace(change));
    this.#on<Node>(nodes, (change) => this.#observeNode(change));
    this.#on<PodDisruptionBudget>(
      findResource("policy", "v1", "poddisruptionbudgets"),
      (change) => this.#observeBudget(change),
    );
    this.#on<PodGroup>(podGroups, (change) => this.#observeGroup(change));
    for (const resource of SELECTING) {
      this.#on<Selecting>(resource, (change) => this.#observeSelecting(change));
    }
    for (const [resource, observe] of this.#storage.handlers()) this.#on(resource, observe);
    for (const [resource, nodesOf] of this.#nodeStorage.sources()) {
      this.#on(resource, ({ object }) => nodesOf(object).flatMap((name) => this.#relook(name)));
    }
    const notify = (event: ClusterEvent) => this.scheduler.notify(event, this.#clock.nowMillis());
    const sink = { ledger: this.scheduler.devices, notify };
    for (const [resource, observe] of this.#devices.handlers(sink)) this.#on(resource, observe);
    this.#on<Pod>(pods, (change) => {
      this.#observePod(change);
      return labelsOf(change, this.scheduler.profiles);
    });
    if (this.#ownsInformers) this.#informers.start();
    await this.#informers.whenSynced();
    this.#synced = true;
    this.#wake(0);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#wakeUp?.();
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
    this.#reporter.stop();
    if (this.#ownsInformers) this.#informers.stop();
    if (this.#writes > 0) await new Promise<void>((resolve) => this.#ended = resolve);
  }

  metrics(): readonly string[] {
    return [...this.#metrics.lines(this.scheduler), ...this.#deviceBinder.claimsMade.lines()];
  }

  podResources(): readonly string[] {
    return podResourceLines(this.#informers.of<CorePod>(pods).lister.list());
  }

  whenIdle(): Promise<void> {
    if (this.#isIdle()) return Promise.resolve();
    return new Promise((resolve) => void this.#idle.push(resolve));
  }

  // ---- observe

  /** @param resource undefined where the API serves no such collection. */
  #on<T extends KubeObject>(
    resource: Resource | undefined,
    observe: (change: Change<T>) => readonly string[] | void,
  ): void {
    if (resource === undefined) return;
    const handle = (changes: readonly Change<T>[]) => {
      const started = this.#metrics.now();
      const labels: string[] = [];
      for (const change of changes) {
        for (const label of observe(change) ?? []) labels.push(label);
      }
      this.#metrics.handled(labels, started);
      if (this.#synced) this.#wake(0);
    };
    this.#unsubscribe.push(this.#informers.of<T>(resource).addHandler(handle));
  }

  #observeNamespace({ type, object }: Change): void {
    const labels = type === "delete" ? null : object.metadata.labels ?? {};
    this.scheduler.setNamespace(object.metadata.name ?? "", labels);
  }

  /** Something else than the node itself tells of it. @returns as `#observeNode` */
  #relook(name: string): readonly string[] {
    const object = this.#informers.of<Node>(nodes).lister.get({ name });
    return object === undefined ? [] : this.#observeNode({ type: "add", object });
  }

  /** @returns labels of the events that it was. */
  #observeNode({ type, object }: Change<Node>): readonly string[] {
    const nowMillis = this.#clock.nowMillis();
    const name = object.metadata.name ?? "";
    if (type === "delete") {
      this.scheduler.removeNode(name, nowMillis);
      return ["NodeDelete"];
    }
    const { table } = this.scheduler;
    const known = table.nodes[table.rowOf(name)];
    const row = encodeNode(object, this.#nodeStorage.of(name));
    // Most updates are heartbeats, which change nothing that a decision looks at.
    if (known !== undefined && JSON.stringify(known) === JSON.stringify(row)) return [];
    return this.scheduler.setNode(row, nowMillis).map(eventLabel);
  }

  #observeBudget({ type, object }: Change<PodDisruptionBudget>): void {
    const key = `${object.metadata.namespace}/${object.metadata.name}`;
    this.scheduler.setBudget(key, type === "delete" ? null : encodeBudget(object));
  }

  #observeGroup({ type, object }: Change<PodGroup>): void {
    const key = `${object.metadata.namespace}/${object.metadata.name}`;
    const policy = type === "delete" ? null : encodeGroup(object);
    this.scheduler.setGroup(key, policy, this.#clock.nowMillis());
  }

  #observeSelecting({ type, object, old }: Change<Selecting>): void {
    const before = JSON.stringify(old?.spec?.selector);
    if (type === "update" && before === JSON.stringify(object.spec?.selector)) return;
    this.#reselected.add(object.metadata.namespace ?? "");
  }

  #observePod({ type, object, old }: Change<Pod>): void {
    const nowMillis = this.#clock.nowMillis();
    const uid = object.metadata.uid ?? "";
    const found = this.#storage.forget(object);
    this.#devices.forget(uid);
    if (type === "delete" || isFinished(object)) return this.scheduler.removePod(uid, nowMillis);
    const { nodeName = "", schedulerName = "default-scheduler" } = object.spec;
    if (nodeName !== "") {
      const known = this.scheduler.table.pod(uid)?.pod;
      const { needs } = found ?? this.#binder.resolve(object);
      const row = this.#encoder.assigned(object, needs, { old, known });
      this.scheduler.setAssigned(row, nodeName, nowMillis);
    } else if (this.scheduler.profiles.has(schedulerName)) {
      const volumes = found ?? this.#binder.resolve(object);
      this.#storage.waits(object, volumes);
      this.#devices.waits(object);
      const row = this.#encoder.waiting(object, volumes.needs);
      const wasPromised = Boolean(old?.status?.nominatedNodeName);
      this.scheduler.setPending(row, schedulerName, nowMillis, wasPromised);
    }
  }

  /** Encodes again the waiting pods of namespaces where services or controllers changed. */
  #reselect(): void {
    if (this.#reselected.size === 0) return;
    const { lister } = this.#informers.of<Pod>(pods);
    for (const namespace of this.#reselected) {
      for (const pod of lister.list(namespace)) {
        if (this.scheduler.queue.find(pod.metadata.uid ?? "") !== undefined) {
          this.#observePod({ type: "add", object: pod });
        }
      }
    }
    this.#reselected.clear();
  }

  /** Binds the cohorts that have all they need, and takes back those that failed. */
  #settleCohorts(nowMillis: number): void {
    const { complete, failed } = this.#cohorts.settle(nowMillis);
    for (const { actions, startedMillis } of complete) {
      this.#metrics.passed(actions, { point: "PreBind", millis: nowMillis - startedMillis });
      this.#write(this.#bind(actions, startedMillis));
    }
    for (const cohort of failed) {
      const error = cohort.error!;
      const millis = nowMillis - cohort.startedMillis;
      const errors = cohort.actions.map(() => error);
      this.#metrics.passed(cohort.actions, { point: "PreBind", millis, errors });
      const words = cohort.actions.length === 1
        ? error.message
        : `another pod of the group can't be bound: ${error.message}`;
      for (const action of cohort.actions) this.#refused(action, words);
    }
  }

  /** Looks again at everything that hangs on claims and volumes. */
  #revolume(nowMillis: number): void {
    for (const object of this.#devices.takeChanged()) this.#observePod({ type: "add", object });
    const { pods: changed, events } = this.#storage.takeChanged();
    for (const object of changed) this.#observePod({ type: "add", object });
    for (const event of events) this.scheduler.notify(event, nowMillis);
  }

  // ---- plan

  /** Plans at a time, unless that is planned earlier already. */
  #wake(delayMillis: number): void {
    if (this.#stopped) return;
    const dueMillis = this.#clock.nowMillis() + delayMillis;
    if (this.#wakeUp !== undefined && this.#wakeUpMillis <= dueMillis) return;
    this.#wakeUp?.();
    this.#wakeUpMillis = dueMillis;
    this.#wakeUp = this.#clock.after(delayMillis, () => {
      this.#wakeUp = undefined;
      this.#plan();
    });
  }

  #plan(): void {
    if (this.#stopped) return;
    const startedMillis = this.#clock.nowMillis();
    this.#reselect();
    this.#settleCohorts(startedMillis);
    this.#revolume(startedMillis);
    this.#metrics.sample(this.scheduler, startedMillis);
    const actions: Action[] = [];
    let more = true;
    let nowMillis = startedMillis;
    while (more && actions.length < BATCH && nowMillis - startedMillis < SLICE_MILLIS) {
      const started = this.#metrics.now();
      const planned = this.scheduler.plan(nowMillis, CHUNK);
      this.#metrics.planned(planned.length, started);
      actions.push(...planned);
      more = planned.length >= CHUNK || this.scheduler.isTryingGroup;
      nowMillis = this.#clock.nowMillis();
    }
    this.#perform(actions, startedMillis);
    if (more) return this.#wake(0);
    const next = Math.min(this.scheduler.queue.nextTickMs(), this.#cohorts.dueMillis);
    if (next !== Infinity) this.#wake(Math.max(0, next - nowMillis));
    this.#settle();
  }

  #isIdle(): boolean {
    return this.#synced && this.#writes === 0 && this.scheduler.queue.sizes.active === 0 &&
      !this.scheduler.isTryingGroup;
  }

  #settle(): void {
    if (this.#writes === 0) this.#ended();
    if (!this.#isIdle()) return;
    const waiting = this.#idle;
    this.#idle = [];
    for (const resolve of waiting) resolve();
  }

  // ---- perform

  /** @param startedMillis when the first of the actions was begun to be planned */
  #perform(actions: readonly Action[], startedMillis: number): void {
    const bindings = actions.filter((action) => action.kind === "bind");
    const { free, cohorts } = toCohorts(bindings, this.#preparation, startedMillis);
    this.#metrics.passed(free, { point: "PreBind", millis: 0 });
    if (free.length > 0) this.#write(this.#bind(free, startedMillis));
    for (const cohort of cohorts) this.#write(this.#prepare(cohort));
    for (const [name, verdict] of this.scheduler.takeGroupVerdicts()) {
      this.#metrics.groupTried(verdict);
      this.#write(this.#reporter.reportGroup(name, verdict));
    }
    for (const { pod, profile } of this.scheduler.takeSkipped()) {
      this.#reporter.announceSkipped(pod, profile.schedulerName);
    }
    for (const action of actions) {
      if (action.kind !== "reject") continue;
      const millis = this.#clock.nowMillis() - startedMillis;
      this.#onAttempt("unschedulable", millis);
      this.#metrics.attempted(action.entry, action.isError ? "error" : "unschedulable", millis);
      this.#metrics.refused(action);
      this.#write(this.#reject(action));
    }
  }

  /** Lets a write run beside planning. What the API refuses is logged; anything else is a bug. */
  #write(writing: Promise<void>): void {
    this.#writes++;
    writing.catch((error) => {
      if (!(error instanceof ApiError)) throw error;
      this.#log("a write was refused", { reason: error.reason, message: error.message });
    }).finally(() => {
      this.#writes--;
      this.#settle();
    });
  }

  /** Has what placed pods need made ready; `#settleCohorts` goes on once it is. */
  async #prepare(cohort: Cohort): Promise<void> {
    await this.#reporter.announcePlaces(cohort.actions);
    await this.#cohorts.start(cohort);
    this.#wake(0);
  }

  /** Binds pods a slice at a time, so that a large gang doesn't keep others from the store. */
  async #bind(actions: readonly BindAction[], startedMillis: number): Promise<void> {
    for (let i = 0; i < actions.length; i += BATCH) {
      await this.#bindSlice(actions.slice(i, i + BATCH), startedMillis);
    }
  }

  async #bindSlice(actions: readonly BindAction[], startedMillis: number): Promise<void> {
    const bindings = actions.map(({ entry: { pod }, nodeName }) => ({
      namespace: pod.template.spec.namespace,
      name: pod.name,
      uid: pod.uid,
      nodeName,
    }));
    const begun = this.#metrics.now();
    const outcomes = await this.#client.bindMany(bindings).catch((error: unknown) => {
      if (!(error instanceof ApiError)) throw error;
      return bindings.map(() => error);
    });
    const millis = this.#clock.nowMillis() - startedMillis;
    const bindMillis = this.#metrics.now() - begun;
    this.#metrics.passed(actions, { point: "Bind", millis: bindMillis, errors: outcomes });
    for (let i = 0; i < actions.length; i++) {
      const outcome = outcomes[i];
      const result = outcome === null ? "scheduled" : "error";
      this.#onAttempt(result, millis);
      this.#metrics.attempted(actions[i].entry, result, millis);
      const { entry: { pod, profile }, nodeName } = actions[i];
      if (outcome !== null) this.#refused(actions[i], `${BINDER}: ${outcome.message}`);
      else {
        this.#metrics.bound(actions[i].entry, this.#clock.nowMillis());
        this.#reporter.announceBound(pod, profile.schedulerName, nodeName);
      }
    }
  }

  #refused(action: BindAction, message: string): void {
    const { entry } = action;
    if (this.#preparation.needs(action)) this.#write(this.#preparation.undo(action));
    this.scheduler.refuse(entry.pod.uid, this.#clock.nowMillis());
    this.#wake(0);
    // A pod that is gone, or that someone else bound, needs no word.
    const object = this.#reporter.lookUp(entry.pod);
    if (object === undefined || object.spec.nodeName) return;
    const why = { reason: "SchedulerError", message, nominatedNode: "" } as const;
    this.#write(this.#reporter.explain(entry.pod, entry.profile.schedulerName, why));
  }

  async #reject(action: RejectAction): Promise<void> {
    const { entry, message, nominatedNode, victims, displaced, isError, idleClaim = "" } = action;
    const { pod, profile: { schedulerName } } = entry;
    const reason = isError ? "SchedulerError" : "Unschedulable";
    const why = { reason, message, nominatedNode } as const;
    let isComplete = false;
    try {
      await this.#reporter.explain(pod, schedulerName, why, { victims, displaced });
      if (idleClaim !== "") await this.#deviceBinder.deallocate(idleClaim);
      isComplete = true;
    } finally {
      this.scheduler.evicted(pod.uid, isComplete);
      if (!isComplete) this.#wake(0);
    }
  }
}

/** Starts scheduling. @returns once every informer has its first state. */
export async function runKubeScheduler(
  options: KubeSchedulerOptions,
): Promise<RunningKubeScheduler> {
  const runner = new Runner(options);
  await runner.start();
  return runner;
}
