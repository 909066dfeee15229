/**
 * Who runs at once, who waits, who is told to come back: priority and fairness of requests.
 * In: flow schemas and priority levels from the caches, requests before their verb runs. Out: a
 * Pass to be left when the verb is done, at once or later; or 429.
 * Never: makes a promise while seats are free; counts watches beyond their beginning.
 * Source: apiserver's util/flowcontrol (v1.36).
 */
import type { UserInfo } from "../../api/meta.ts";
import type { Resource } from "../../api/resource.ts";
import { flowSchemas, priorityLevelConfigurations } from "../../api/resources.ts";
import type { FlowSchema, PriorityLevelConfiguration } from "../../api/kinds/flow/flow_control.ts";
import { tooManyRequests } from "../../api/status.ts";
import type { Clock } from "../ports.ts";
import { cacheOf, type Core, prefixOf } from "../verbs/core.ts";
import { defaultLevels, defaultSchemas } from "./defaults.ts";
import {
  LevelState,
  type RefusalReason,
  type SchemaCounts,
  type WaitingRun,
} from "./level_state.ts";
import {
  classify,
  classifyWhole,
  type FlowAsked,
  type FlowMatch,
  orderSchemas,
} from "./plan_classify.ts";
import { dealHand, type FairLevel, type Waiting } from "./plan_fair_queue.ts";
import { boundSeats, lendSeats } from "./plan_limits.ts";
import { tellDangling } from "./dangling.ts";
import { formatFlowMetrics } from "./flow_metrics.ts";

export interface FlowOptions {
  readonly core: Core;
  /** Seats of all levels together: --max-requests-inflight and --max-mutating-requests-inflight. */
  readonly serverSeats: number;
}

/** How often levels lend one another what they don't use. */
const LEND_MILLIS = 10_000;
/** A quarter of the 60 s that a request has. */
const WAIT_MILLIS = 15_000;
/** Part of a level's seats that one request may take. */
const WIDEST = 0.15;
const MOST_FLOWS = 4096;
const NO_HAND = new Int32Array(0);

/** The flows of one user. */
interface UserFlows {
  /** Of everything it asks; null where that depends on what. */
  readonly whole: Flow | null;
  readonly byRequest: Map<string, Flow>;
}

/** Requests that stand in one line. */
interface Flow {
  readonly level: LevelState;
  readonly counts: SchemaCounts;
  readonly fair: FairLevel<WaitingRun>;
  readonly hand: Int32Array;
}

export class FlowControl {
  readonly #core: Core;
  readonly #clock: Clock;
  readonly #serverSeats: number;
  readonly #levels = new Map<string, LevelState>();
  readonly #stops: (() => void)[] = [];
  #schemas: readonly FlowSchema[] = [];
  #telling: Promise<void> = Promise.resolve();
  /** Flows by user and by what is asked, until the settings change. */
  #flows = new WeakMap<UserInfo, UserFlows>();

  constructor({ core, serverSeats }: FlowOptions) {
    this.#core = core;
    this.#clock = core.clock;
    this.#serverSeats = serverSeats;
    this.#configure();
    this.#tell();
    this.#follow(flowSchemas);
    this.#follow(priorityLevelConfigurations);
    this.#stops.push(core.clock.every(LEND_MILLIS, () => this.#lend()));
  }

  /**
   * Asks for seats.
   * @param seats wanted; taken are no more than the level lets one request have
   * @returns a Pass to be left when done; a promise only of one that has to wait
   * Errors: throws or rejects with ApiError 429.
   */
  enter(user: UserInfo, asked: FlowAsked, seats: number): Pass | Promise<Pass> {
    const flow = this.#flowOf(user, asked);
    const { level, fair } = flow;
    if (level.isExempt) {
      level.holdExempt(seats);
      return new Pass(this.#clock, flow, seats, 0);
    }
    const now = this.#clock.nowMillis();
    level.observe(now);
    const taken = Math.min(seats, Math.max(1, Math.ceil(level.bounds.nominal * WIDEST)));
    if (fair.tryRun(taken)) return new Pass(this.#clock, flow, taken, now);
    return this.#wait(flow, taken, now);
  }

  /** Resolves when the flow schemas that stand have been told of. */
  settled(): Promise<void> {
    return this.#telling;
  }

  /** Lines of /metrics. */
  metrics(): string[] {
    return formatFlowMetrics(this.#levels);
  }

  close(): void {
    for (const stop of this.#stops) stop();
  }

  #wait(flow: Flow, seats: number, now: number): Promise<Pass> {
    const { counts, fair, hand } = flow;
    let run!: WaitingRun;
    const turn = new Promise<number>((resolve) => run = resolve);
    const arrival = fair.arrive(run, seats, hand);
    if (arrival.kind === "refuse") throw refusal(counts, arrival.reason);
    if (arrival.kind === "run") throw new Error("a request that found no seat found one");
    const { waiting } = arrival;
    counts.waitingRequests++;
    counts.waitingSeats += seats;
    const stopTimer = this.#clock.after(WAIT_MILLIS, () => {
      flow.level.observe(this.#clock.nowMillis());
      if (fair.giveUp(waiting)) run(-1);
    });
    return turn.then((started) => {
      stopTimer();
      counts.waitingRequests--;
      counts.waitingSeats -= seats;
      if (started < 0) throw refusal(counts, "time-out");
      counts.waited++;
      counts.waitedMillis += started - now;
      return new Pass(this.#clock, flow, seats, started, waiting);
    });
  }

  #flowOf(user: UserInfo, asked: FlowAsked): Flow {
    let flows = this.#flows.get(user);
    if (flows === undefined) {
      const match = classifyWhole(this.#schemas, user);
      const whole = match === null ? null : this.#makeFlow(match);
      this.#flows.set(user, flows = { whole, byRequest: new Map() });
    }
    if (flows.whole !== null) return flows.whole;
    const { byRequest } = flows;
    const key = asked.path === undefined
      ? `${asked.verb} ${asked.resource}.${asked.group}/${asked.subresource} ${asked.namespace}`
      : `${asked.verb} ${asked.path}`;
    let flow = byRequest.get(key);
    if (flow === undefined) {
      if (byRequest.size >= MOST_FLOWS) byRequest.clear();
      // The schema catch-all takes every user that was let in; an odd one counts as caught too.
      const match = classify(this.#schemas, user, asked) ??
        { schema: "catch-all", level: "catch-all", distinguisher: user.name };
      byRequest.set(key, flow = this.#makeFlow(match));
    }
    return flow;
  }

  #makeFlow(match: FlowMatch): Flow {
    const level = this.#levels.get(match.level)!;
    const { fair } = level;
    const hand = fair.shape === null
      ? NO_HAND
      : dealHand(`${match.schema}\0${match.distinguisher}`, fair.shape);
    return { level, fair, counts: level.countsOf(match.schema), hand };
  }

  /** Takes the settings as they are; mandatory ones are there even where the store lacks them. */
  #configure(): void {
    const levels = merged(this.#all<PriorityLevelConfiguration>(priorityLevelConfigurations), [
      ...defaultLevels() as PriorityLevelConfiguration[],
    ]);
    const schemas = merged(this.#all<FlowSchema>(flowSchemas), defaultSchemas() as FlowSchema[]);
    const now = this.#clock.nowMillis();
    const bounds = boundSeats(levels, this.#serverSeats);
    levels.forEach((level, i) => {
      const state = this.#levels.get(bounds[i].name);
      if (state !== undefined) state.configure(level, bounds[i]);
      else this.#levels.set(bounds[i].name, new LevelState(level, bounds[i], now));
    });
    const names = new Set(bounds.map(({ name }) => name));
    for (const name of [...this.#levels.keys()]) if (!names.has(name)) this.#levels.delete(name);
    this.#schemas = orderSchemas(schemas, (name) => names.has(name));
    this.#flows = new WeakMap();
    this.#lend();
  }

  /** Schemas say whether they lead anywhere; once for all changes of a moment. */
  #tell(): void {
    this.#telling = this.#telling.then(() =>
      tellDangling(
        this.#core,
        this.#all<FlowSchema>(flowSchemas),
        (name) => this.#levels.has(name),
      )
    ).catch((error) =>
      this.#core.log("error", "flow schemas can't be told of", { error: String(error) })
    );
  }

  #all<T>(resource: Resource): T[] {
    const cache = cacheOf(this.#core, resource);
    return cache.readable({ keyPrefix: prefixOf(resource) }) as T[];
  }

  #lend(): void {
    const levels = [...this.#levels.values()];
    const now = this.#clock.nowMillis();
    const seats = lendSeats(
      levels.map(({ bounds }) => bounds),
      levels.map((level) => level.takeDemand(now)),
    );
    levels.forEach((level, i) => {
      level.fair.limit = seats[i];
      dispatch(level, level.fair, now);
    });
  }

  #follow(resource: Resource): void {
    const cache = cacheOf(this.#core, resource);
    const selection = { keyPrefix: prefixOf(resource) };
    const start = { kind: "after", revision: this.#core.feed.revision } as const;
    const outcome = cache.watch(start, { selection, wantsBookmarks: false });
    if (outcome.kind !== "started") return;
    const { watcher } = outcome;
    this.#stops.push(() => watcher.close());
    const run = async () => {
      for await (const _ of watcher) {
        this.#configure();
        this.#tell();
      }
    };
    run().catch((error) =>
      this.#core.log("error", "flow settings can't be followed", { error: String(error) })
    );
  }
}

/** Seats that a request holds. */
export class Pass {
  readonly #clock: Clock;
  readonly #flow: Flow;
  readonly #seats: number;
  readonly #started: number;
  readonly #waiting: Waiting<WaitingRun> | undefined;

  constructor(
    clock: Clock,
    flow: Flow,
    seats: number,
    started: number,
    waiting?: Waiting<WaitingRun>,
  ) {
    this.#clock = clock;
    this.#flow = flow;
    this.#seats = seats;
    this.#started = started;
    this.#waiting = waiting;
    const { counts } = flow;
    counts.dispatched++;
    counts.executingRequests++;
    counts.executingSeats += seats;
  }

  /** Gives the seats back; to be called once. */
  leave(): void {
    const { level, fair, counts } = this.#flow;
    counts.executingRequests--;
    counts.executingSeats -= this.#seats;
    if (level.isExempt) return level.holdExempt(-this.#seats);
    const now = this.#clock.nowMillis();
    level.observe(now);
    if (this.#waiting === undefined) fair.finish(this.#seats);
    else fair.finishWaited(this.#waiting, now - this.#started);
    if (fair.waitingRequests > 0) dispatch(level, fair, now);
  }
}

function dispatch(level: LevelState, fair: FairLevel<WaitingRun>, now: number): void {
  level.observe(now);
  for (let waiting = fair.next(); waiting !== null; waiting = fair.next()) waiting.item(now);
}

function refusal(counts: SchemaCounts, reason: RefusalReason): Error {
  counts.refused[reason]++;
  return tooManyRequests("Too many requests, please try again later.");
}

/** What the store holds, and of the defaults what no cluster can do without. */
function merged<T extends { metadata: { name?: string } }>(
  stored: readonly T[],
  defaults: readonly T[],
): T[] {
  const names = new Set(stored.map(({ metadata }) => metadata.name));
  const isMissing = ({ metadata: { name } }: T) =>
    (name === "exempt" || name === "catch-all") && !names.has(name);
  return [...stored, ...defaults.filter(isMissing)];
}
