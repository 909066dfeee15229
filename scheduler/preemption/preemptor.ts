/**
 * Preemption for pods that fit nowhere, and what one try leaves to the next.
 * In: refused pods with the outcome of their decision, budgets. Out: whom to evict and where, or
 * why that does not help, in the words that follow a refusal.
 * Never: evicts, promises a node, or tries twice for equal pods what did not help while nothing
 * changed.
 * Source: RunPostFilterPlugins of the Kubernetes v1.36 scheduling framework.
 */

import type { Outcome } from "../decide.ts";
import { explain } from "../explain.ts";
import type { NodeTable } from "../node_table.ts";
import type { PodRow } from "../pod_row.ts";
import type { SchedulerWatch } from "../scheduler_config.ts";
import type { Nominations } from "./nominations.ts";
import { preempt, preemptNobody } from "./preempt.ts";
import type { Preemption } from "./preempt.ts";
import type { DisruptionBudget } from "./trial.ts";
import type { TrialMemory } from "./tried_rows.ts";

/** A preemption that was tried and the words for it. */
export interface TriedPreemption {
  readonly preemption: Preemption;
  readonly message: string;
}

export interface RefusedPod {
  readonly pod: PodRow;
  /** Name of its profile. */
  readonly schedulerName: string;
  readonly outcome: Outcome;
  readonly nominations: Nominations;
  /** Where among the nodes the search starts; any 32-bit number. */
  readonly seed: number;
  /** @returns what plugins before this one say of the refusal, "" = nothing. */
  words(): string;
}

export class Preemptor {
  readonly #table: NodeTable;
  readonly #watch: SchedulerWatch | undefined;
  readonly #budgetByKey = new Map<string, DisruptionBudget>();
  /** The same array for as long as no budget changes. */
  #budgets: readonly DisruptionBudget[] = [];
  readonly #trials: TrialMemory = new WeakMap();
  /** What was said of pods that fit nowhere; equal pods get the same outcome from the decider. */
  readonly #refused = new WeakMap<Outcome, TriedPreemption>();

  constructor(table: NodeTable, watch?: SchedulerWatch) {
    this.#table = table;
    this.#watch = watch;
  }

  setBudget(key: string, budget: DisruptionBudget | null): void {
    if (budget === null) this.#budgetByKey.delete(key);
    else this.#budgetByKey.set(key, budget);
    this.#budgets = [...this.#budgetByKey.values()];
  }

  /** Looks for victims; what was found for the outcome before holds if it helped nobody. */
  lookFor(refused: RefusedPod): TriedPreemption {
    const watch = this.#watch;
    const known = this.#refused.get(refused.outcome);
    if (known !== undefined) {
      watch?.preempted(refused.schedulerName, false, 0);
      return known;
    }
    const started = watch?.now() ?? 0;
    const tried = this.#try(refused, refused.words());
    const helped = tried.preemption.nodeName !== "";
    watch?.preempted(refused.schedulerName, helped, watch.now() - started);
    return tried;
  }

  #try({ pod, outcome, nominations, seed }: RefusedPod, words: string): TriedPreemption {
    const { decision, filtering, helpable } = outcome;
    if (decision.kind !== "unschedulable") throw new Error("preempt: the pod was not refused");
    const table = this.#table;
    const preemption = preemptNobody({ table, pod, helpable }) ?? preempt({
      table,
      filtering,
      verdicts: outcome.verdicts(),
      pod,
      nominations,
      budgets: this.#budgets,
      memory: this.#trials,
      seed,
    });
    const { message } = preemption;
    const all = words === "" || message === "" ? message : `${words}, ${message}`;
    const tried = { preemption, message: explain(decision.diagnosis, all) };
    if (preemption.nodeName === "") this.#refused.set(outcome, tried);
    return tried;
  }
}
