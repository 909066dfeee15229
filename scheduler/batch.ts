/**
 * Equal pods share one column of verdicts and scores, made once and then repaired row by row.
 * In: the same input as `decide`. Out: the same outcome, and for a pod that fits nowhere the same
 * object until something changes, so that what follows from it can be remembered too.
 * Never: guesses; what can't be shared exactly is decided in full.
 */

import { decide, Scratch } from "./decide.ts";
import type { DecideInput, Outcome } from "./decide.ts";
import { filterRows, fitsPromised } from "./decide.ts";
import { isRejection, verdictMark } from "./plugin.ts";
import type { PodTemplate } from "./pod_row.ts";
import type { Profile } from "./profile.ts";
import { SharedColumn } from "./sharing/shared_column.ts";
import type { SharedRefusal } from "./sharing/shared_column.ts";
import { VolumeTwins } from "./sharing/volume_twins.ts";

/** Rows times columns that a cache keeps at most: 8 Mi, about 200 MB. */
const MAX_CELLS = 8 * 1024 * 1024;
const MAX_COLUMNS = 64;
const MET = 16_384;
/** Decisions, for each column there is room for, after which a template counts as new again. */
const RECENT = 4;
/** The filters that look at where volumes can be reached from, and at nothing else. */
const PLACE_FILTERS: ReadonlySet<string> = new Set(["VolumeBinding", "VolumeZone"]);

/** Decides like `decide`, remembering columns of templates from pod to pod. */
export class BatchDecider {
  readonly #scratch = new Scratch();
  readonly #twins = new VolumeTwins();
  readonly #columns = new Map<Profile, Map<PodTemplate, SharedColumn>>();
  /** Ids of templates met lately, by their low bits: a column pays off from the second pod on. */
  readonly #met = new Float64Array(MET);
  /** At which decision that was; whoever comes back late would find its column dropped. */
  readonly #metAt = new Float64Array(MET);
  #decisions = 0;
  /** Templates that could not be shared while the nodes were as they are. */
  readonly #unshared = new WeakMap<PodTemplate, number>();
  readonly #refusals = new WeakMap<SharedRefusal, Outcome>();

  /** Whether the last decision came from a shared column. */
  wasShared = false;

  /** The column that the last full decision wrote. */
  get scratch(): Scratch {
    return this.#scratch;
  }

  /** @returns the outcome; its verdicts are good until the next decision. */
  decide(asked: DecideInput): Outcome {
    const input = this.#standingIn(asked);
    const { pod: { nominatedNode }, table } = input;
    this.wasShared = false;
    this.#decisions++;
    const column = this.#columnOf(input);
    // Where filters look further, a promise to another pod changes more than its row.
    const isAlone = column === undefined || (!column.seesGuests && mayMeetGuests(input));
    if (isAlone) return this.#pickReachable(input) ?? decide(asked, this.#scratch);
    if (nominatedNode !== "") {
      this.#scratch.fit(table.rows);
      const row = fitsPromised(input, column.filtering, this.#scratch.verdicts);
      if (row < 0) return decide(asked, this.#scratch);
      this.wasShared = true;
      return sharedOutcome(column, row, 1, table.nodeName(row));
    }
    this.wasShared = true;
    const row = column.pick(input.seed);
    if (row < 0) return this.#refusal(column, input);
    return sharedOutcome(column, row, column.feasibleCount, table.nodeName(row));
  }

  /** @returns the same question for a pod that more pods are equal to */
  #standingIn(input: DecideInput): DecideInput {
    const { pod, table } = input;
    const template = this.#twins.of(pod.template, table);
    return template === pod.template ? input : { ...input, pod: { ...pod, template } };
  }

  #columnOf(input: DecideInput): SharedColumn | undefined {
    const { pod: { template }, nominations } = input;
    const columns = this.#columnsOf(input.profile);
    const column = columns.get(template);
    if (column !== undefined) {
      if (column.repair(nominations)) return column;
      columns.delete(template);
      this.#metAt[template.id % MET] = this.#decisions;
    }
    return this.#make(columns, input);
  }

  /**
   * Pods whose volumes are each somewhere else share all but that: the column of the rest, and the
   * two filters that look at the volumes' places.
   *
   * @returns null when that does not settle it
   */
  #pickReachable(input: DecideInput): Outcome | null {
    const { pod, table, profile, seed } = input;
    const template = this.#twins.withoutPlaces(pod.template);
    if (template === null || pod.nominatedNode !== "") return null;
    const column = this.#columnOf({ ...input, pod: { ...pod, template } });
    if (column?.isFlat !== true) return null;
    this.#scratch.fit(table.rows);
    const { verdicts } = this.#scratch;
    verdicts.set(column.verdicts!);
    const cycle = { table, pod, spec: pod.template.spec, verdicts };
    for (const plugin of profile.filters) {
      if (!PLACE_FILTERS.has(plugin.name)) continue;
      const run = plugin.prepareFilter!(cycle);
      if (run !== null && isRejection(run)) return null;
      run?.filter(verdicts, { from: 0, to: table.rows }, verdictMark(1));
    }
    const { row, feasibleCount } = column.pickAmong(verdicts, seed);
    if (row < 0) return null;
    this.wasShared = true;
    return sharedOutcome(column, row, feasibleCount, table.nodeName(row));
  }

  #columnsOf(profile: Profile): Map<PodTemplate, SharedColumn> {
    let columns = this.#columns.get(profile);
    if (columns === undefined) this.#columns.set(profile, columns = new Map());
    return columns;
  }

  #make(columns: Map<PodTemplate, SharedColumn>, input: DecideInput): SharedColumn | undefined {
    const { pod: { template }, table } = input;
    if (table.nodeCount === 0) return undefined;
    const limit = Math.max(1, Math.min(MAX_COLUMNS, Math.floor(MAX_CELLS / table.rows)));
    const slot = template.id % MET;
    const isNew = this.#met[slot] !== template.id;
    const isLate = this.#decisions - this.#metAt[slot] > RECENT * limit;
    this.#met[slot] = template.id;
    this.#metAt[slot] = this.#decisions;
    if (isNew || isLate) return undefined;
    if (this.#unshared.get(template) === table.structureGeneration) return undefined;
    const column = SharedColumn.make(input, this.#scratch);
    if (column === null) {
      this.#unshared.set(template, table.structureGeneration);
      return undefined;
    }
    while (columns.size >= limit) columns.delete(columns.keys().next().value!);
    columns.set(template, column);
    return column;
  }

  #refusal(column: SharedColumn, { table }: DecideInput): Outcome {
    const refusal = column.refusal();
    let outcome = this.#refusals.get(refusal);
    if (outcome === undefined) {
      const { filtering } = column;
      const { diagnosis, helpable } = refusal;
      outcome = {
        decision: { kind: "unschedulable", diagnosis },
        filtering,
        scores: [],
        helpable,
        verdicts: () => {
          if (column.verdicts !== null) return column.verdicts;
          this.#scratch.fit(table.rows);
          const { verdicts } = this.#scratch;
          filterRows(table, filtering, verdicts, { from: 0, to: table.rows });
          return verdicts;
        },
      };
      this.#refusals.set(refusal, outcome);
    }
    return outcome;
  }
}

/** @returns whether room may be promised on some node to a pod that this one may not displace. */
function mayMeetGuests({ nominations, pod }: DecideInput): boolean {
  const { priority } = pod.template.spec;
  for (const guests of nominations.values()) {
    for (const guest of guests) if (guest.template.spec.priority >= priority) return true;
  }
  return false;
}

const NO_VERDICTS = new Uint32Array(0);
const noVerdicts = () => NO_VERDICTS;

function sharedOutcome(
  { filtering }: SharedColumn,
  row: number,
  feasibleCount: number,
  nodeName: string,
): Outcome {
  return {
    decision: { kind: "placed", row, nodeName, feasibleCount },
    filtering,
    scores: [],
    helpable: 0,
    verdicts: noVerdicts,
  };
}
