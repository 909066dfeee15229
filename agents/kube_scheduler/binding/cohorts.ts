/**
 * Placed pods on their way to be bound: each waits for what it needs, and a gang waits for all.
 * In: bindings as planned, a port that prepares one pod. Out: cohorts that may be bound, or that
 * failed as a whole.
 * Never: binds, or lets a gang go while one of its pods still waits.
 * Source: the PreBind and Permit steps of the Kubernetes v1.36 scheduling framework.
 */
import { ApiError } from "../../api/status.ts";
import type { Action } from "../../../scheduler/mod.ts";

export type BindAction = Action & { readonly kind: "bind" };

/** Why a pod can't be bound where it was placed, though nothing is wrong with the API. */
export class BindingFault extends Error {}

/** What a placed pod needs before it may be bound. */
export interface Preparation {
  /** Whether the pod needs anything at all. */
  needs(action: BindAction): boolean;
  /** Starts it. Errors: rejects with ApiError or BindingFault. */
  start(action: BindAction): Promise<void>;
  /**
   * Whether it is all there, once `start` has ended.
   *
   * Errors: throws BindingFault when it never will be, or takes longer than the profile allows.
   */
  isComplete(action: BindAction, waitedMillis: number): boolean;
  /** @returns after how many milliseconds it must be looked at, as time alone may have ended it */
  timeouts(action: BindAction): readonly number[];
  /** Gives back what was started for a pod that will not be bound. */
  undo(action: BindAction): Promise<void>;
}

/** Pods that are bound together: one, or those that start a gang. */
export interface Cohort {
  readonly actions: readonly BindAction[];
  readonly startedMillis: number;
  /** When time alone may end the wait, ascending; those to come. */
  due: readonly number[];
  /** Uids of those whose preparation was started and has not been found complete. */
  readonly waiting: Set<string>;
  /** Preparations under way. */
  underWay: number;
  error: Error | null;
}

/** Splits planned bindings by what they are bound with. */
export function toCohorts(
  actions: readonly BindAction[],
  preparation: Preparation,
  nowMillis: number,
): { readonly free: readonly BindAction[]; readonly cohorts: readonly Cohort[] } {
  const free: BindAction[] = [];
  const gangs = new Map<string, BindAction[]>();
  const together: BindAction[][] = [];
  for (const action of actions) {
    if (action.gang !== "") {
      const gang = gangs.get(action.gang);
      if (gang === undefined) gangs.set(action.gang, [action]);
      else gang.push(action);
    } else if (preparation.needs(action)) together.push([action]);
    else free.push(action);
  }
  for (const gang of gangs.values()) {
    if (gang.some((action) => preparation.needs(action))) together.push(gang);
    else free.push(...gang);
  }
  const cohorts = together.map((members) => ({
    actions: members,
    startedMillis: nowMillis,
    due: preparation.timeouts(members[0]).map((millis) => nowMillis + millis)
      .sort((a, b) => a - b),
    waiting: new Set<string>(),
    underWay: 0,
    error: null,
  }));
  return { free, cohorts };
}

export class WaitingCohorts {
  readonly #preparation: Preparation;
  readonly #cohorts = new Set<Cohort>();

  constructor(preparation: Preparation) {
    this.#preparation = preparation;
  }

  /** When the first of them may have waited for too long, milliseconds; Infinity = never. */
  get dueMillis(): number {
    let first = Infinity;
    for (const { due } of this.#cohorts) first = Math.min(first, due[0] ?? Infinity);
    return first;
  }

  /**
   * Prepares every pod of a cohort.
   *
   * Errors: none of the API's; they fail the cohort. Resolves when nothing is under way any more.
   */
  async start(cohort: Cohort): Promise<void> {
    this.#cohorts.add(cohort);
    const needing = cohort.actions.filter((action) => this.#preparation.needs(action));
    for (const { entry } of needing) cohort.waiting.add(entry.pod.uid);
    cohort.underWay = needing.length;
    await Promise.all(needing.map(async (action) => {
      try {
        await this.#preparation.start(action);
      } catch (error) {
        if (!(error instanceof ApiError || error instanceof BindingFault)) throw error;
        cohort.error ??= error;
      } finally {
        cohort.underWay--;
      }
    }));
  }

  /** @returns cohorts that are complete or have failed, which are forgotten. */
  settle(nowMillis: number): { readonly complete: Cohort[]; readonly failed: Cohort[] } {
    const complete: Cohort[] = [];
    const failed: Cohort[] = [];
    for (const cohort of this.#cohorts) {
      if (cohort.underWay > 0) continue;
      if (cohort.error === null) this.#look(cohort, nowMillis);
      if (cohort.error === null && cohort.waiting.size > 0) continue;
      this.#cohorts.delete(cohort);
      (cohort.error === null ? complete : failed).push(cohort);
    }
    return { complete, failed };
  }

  #look(cohort: Cohort, nowMillis: number): void {
    for (const action of cohort.actions) {
      const { uid } = action.entry.pod;
      if (!cohort.waiting.has(uid)) continue;
      try {
        const waitedMillis = nowMillis - cohort.startedMillis;
        if (this.#preparation.isComplete(action, waitedMillis)) cohort.waiting.delete(uid);
      } catch (error) {
        if (!(error instanceof BindingFault)) throw error;
        cohort.error = error;
        return;
      }
    }
    cohort.due = cohort.due.filter((millis) => millis > nowMillis);
  }
}
