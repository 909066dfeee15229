/**
 * What a store must refuse: growth while a NOSPACE alarm stands, and what auth does not allow.
 * In: when an alarm or a change of auth was known to hold, and when the next was asked for; the
 * operations of a run. Out: nothing, or the broken rule.
 * Never: judges what overlaps a change, or a `serializable` read, which may be old.
 * Source: etcd's capped applier and auth design (a token older than the last change is refused).
 */
import type { OpRecord } from "./history.ts";
import { Violation } from "./history.ts";
import { isInRange, type KvOp, show } from "./model.ts";

/** What auth was told last. */
export interface AuthRule {
  readonly enabled: boolean;
  /** `[from, end)` that guests may read and write, null = nothing. */
  readonly guestKeys: readonly [string, string] | null;
  /** Auth revision after the change. */
  readonly revision: number;
}

/** World milliseconds during which something certainly held. */
interface Span<T> {
  readonly from: number;
  to: number;
  readonly rule: T;
}

export class RuleBook {
  readonly #alarms: Span<null>[] = [];
  readonly #auth: Span<AuthRule>[] = [];
  /** Refusals that a rule explains, for coverage. */
  refused = 0;

  /** A member was seen to have applied an alarm. */
  alarmRaised(now: number): void {
    this.#alarms.push({ from: now, to: Number.POSITIVE_INFINITY, rule: null });
  }

  /** From now on the alarm may end at any moment. */
  alarmMayEnd(now: number): void {
    end(this.#alarms, now);
  }

  authHolds(now: number, rule: AuthRule): void {
    this.#auth.push({ from: now, to: Number.POSITIVE_INFINITY, rule });
  }

  /** From now on auth may be another at any moment. */
  authMayChange(now: number): void {
    end(this.#auth, now);
  }

  /** Errors: throws a Violation. */
  check(ops: readonly OpRecord[]): void {
    for (const record of ops) {
      if (isOld(record.op)) continue;
      if (record.outcome.kind === "ok") this.#checkAllowed(record);
      else if (record.outcome.kind === "refused") this.#checkRefused(record, record.outcome.reason);
    }
  }

  #checkAllowed(record: OpRecord): void {
    if (grows(record) && during(this.#alarms, record) !== undefined) {
      throw broken(record, "grew the store while a NOSPACE alarm stood");
    }
    const rule = during(this.#auth, record);
    if (!rule?.enabled) return;
    if (record.authRevision < rule.revision) {
      throw broken(record, `was allowed at auth revision ${rule.revision}`);
    }
    if (record.user === "guest" && !isGranted(record.op, rule)) {
      throw broken(record, `was allowed to a guest of ${show(rule.guestKeys)}`);
    }
  }

  #checkRefused(record: OpRecord, reason: string): void {
    if (reason === "noSpace" || reason.startsWith("auth ")) this.refused++;
    if (reason !== "auth permissionDenied" && reason !== "auth userEmpty") return;
    if (record.user === "root") throw broken(record, "was refused to root");
    const rule = during(this.#auth, record);
    if (rule === undefined) return;
    if (!rule.enabled || isGranted(record.op, rule)) {
      throw broken(record, `was refused although ${show(rule)} held`);
    }
  }
}

function end(spans: readonly Span<unknown>[], now: number): void {
  const last = spans.at(-1);
  if (last !== undefined) last.to = Math.min(last.to, now);
}

/** @returns what held during the whole of an operation, if that is known */
function during<T>(spans: readonly Span<T>[], { invoked, completed }: OpRecord): T | undefined {
  return spans.find(({ from, to }) => from <= invoked && completed <= to)?.rule;
}

function isOld(op: KvOp): boolean {
  return op.kind === "get" && op.serializable;
}

function grows({ op, outcome }: OpRecord): boolean {
  if (op.kind === "put") return true;
  if (op.kind !== "txn" || outcome.kind !== "ok" || outcome.answer.kind !== "txn") return false;
  // etcd's rule looks at both branches, but only the one that ran can be held against the store.
  return (outcome.answer.succeeded ? op.success : op.failure).some(({ kind }) => kind === "put");
}

function isGranted(op: KvOp, { guestKeys }: AuthRule): boolean {
  if (guestKeys === null) return false;
  const [from, end] = guestKeys;
  return rangesOf(op).every(([key, last]) =>
    isInRange(key, from, end) && (last === "" || (last !== "\0" && last <= end))
  );
}

function rangesOf(op: KvOp): (readonly [string, string])[] {
  if (op.kind === "put") return [[op.key, ""]];
  if (op.kind !== "txn") return [[op.key, op.end]];
  const compared = op.compare.map(({ key }) => [key, ""] as const);
  return [...compared, ...[...op.success, ...op.failure].flatMap(rangesOf)];
}

function broken(record: OpRecord, what: string): Violation {
  return new Violation(`operation ${show(record)} ${what}`);
}
