/**
 * Who leads: what one candidate does about the lease that all of them look at.
 * In: the lease as last read, since when it has been so, the time. Out: what to write, or nothing.
 * Never: trusts another machine's clock: a lease is over when it has not changed for as long as it
 * says, by this machine's clock.
 * Source: client-go tools/leaderelection (v1.36).
 */

/** A Lease's spec, as candidates use it. */
export interface LeaderRecord {
  /** "" = nobody. */
  readonly holder: string;
  readonly durationSeconds: number;
  /** Microtime texts. */
  readonly acquireTime: string;
  readonly renewTime: string;
  /** How often the lease has gone to another holder. */
  readonly transitions: number;
}

/** The lease as last read. */
export interface Observed {
  /** Null where there is none. */
  readonly record: LeaderRecord | null;
  /** When it was first seen as it is, milliseconds of this machine's clock. */
  readonly sinceMillis: number;
}

export interface Candidate {
  readonly identity: string;
  readonly durationSeconds: number;
}

export type ElectionAction =
  | { readonly kind: "create" | "update"; readonly record: LeaderRecord }
  /** Another one leads. */
  | { readonly kind: "wait" };

export const NOTHING_SEEN: Observed = { record: null, sinceMillis: 0 };

/** What is known after a read. */
export function observe(
  before: Observed,
  record: LeaderRecord | null,
  nowMillis: number,
): Observed {
  const isSame = before.record !== null && record !== null && equalRecords(before.record, record);
  return isSame ? before : { record, sinceMillis: nowMillis };
}

/** @param now the same moment as `nowMillis`, as a microtime text */
export function planElection(
  candidate: Candidate,
  observed: Observed,
  { nowMillis, now }: { readonly nowMillis: number; readonly now: string },
): ElectionAction {
  const { identity: holder, durationSeconds } = candidate;
  const { record, sinceMillis } = observed;
  const mine = { holder, durationSeconds, acquireTime: now, renewTime: now };
  if (record === null) return { kind: "create", record: { ...mine, transitions: 0 } };
  const { acquireTime, transitions } = record;
  if (record.holder === holder) {
    return { kind: "update", record: { ...mine, acquireTime, transitions } };
  }
  const isOver = record.holder === "" ||
    sinceMillis + record.durationSeconds * 1000 <= nowMillis;
  if (!isOver) return { kind: "wait" };
  return { kind: "update", record: { ...mine, transitions: transitions + 1 } };
}

/** What a leader that goes leaves behind, so that the next one need not wait. */
export function resigned(record: LeaderRecord, now: string): LeaderRecord {
  return { ...record, holder: "", durationSeconds: 1, acquireTime: now, renewTime: now };
}

function equalRecords(a: LeaderRecord, b: LeaderRecord): boolean {
  return a.holder === b.holder && a.durationSeconds === b.durationSeconds &&
    a.acquireTime === b.acquireTime && a.renewTime === b.renewTime &&
    a.transitions === b.transitions;
}
