/**
 * What a member does for itself from time to time: raise NOSPACE, compact old revisions, tell idle
 * watchers how far the store is.
 * In: ticks. Out: alarm and compaction commands through the log.
 * Never: takes an alarm back; that is the operator's word.
 * Source: etcd's quota and auto-compaction (server/etcdserver/api/v3compactor).
 */
import { encodeAlarm, encodeCompaction } from "../mvcc/admin_codec.ts";
import { COMMAND } from "../mvcc/command.ts";
import type { Member } from "./member.ts";

/** Watchers that asked for it hear of the revision this often. */
const PROGRESS_MILLIS = 10 * 60 * 1000;
/** By revisions, the store is compacted this often. */
const REVISION_PERIOD_MILLIS = 5 * 60 * 1000;
/** Periodic compaction samples the revision at most this often. */
const MAX_SAMPLE_MILLIS = 60 * 60 * 1000;
const SAMPLES_PER_RETENTION = 10;

/** Starts a member's upkeep; it ends with the member's ticks. */
export function startUpkeep(member: Member): void {
  const compactor = new AutoCompactor(member);
  let nextProgress = member.now() + PROGRESS_MILLIS;
  let alarmUntil = 0;
  member.onTick(() => {
    const now = member.now();
    if (now >= nextProgress) {
      nextProgress = now + PROGRESS_MILLIS;
      member.machine.watches.progressTick();
    }
    if (now >= alarmUntil && exceedsQuota(member)) {
      alarmUntil = now + member.config.requestTimeoutMillis;
      const alarm = { action: "activate", memberId: member.id, alarm: "noSpace" } as const;
      member.submit(COMMAND.alarm, encodeAlarm(alarm), undefined, () => {});
    }
    compactor.tick(now);
  });
}

function exceedsQuota(member: Member): boolean {
  if (member.machine.size().dbSizeBytes <= member.config.quotaBytes) return false;
  return member.machine.alarms("noSpace").every(({ memberId }) => memberId !== member.id);
}

class AutoCompactor {
  readonly #member: Member;
  readonly #sampleMillis: number;
  #nextSample: number;
  /** Revisions at past samples, oldest first. */
  #samples: number[] = [];

  constructor(member: Member) {
    this.#member = member;
    const { autoCompactionMode: mode, autoCompactionRetention: retention } = member.config;
    const period = mode === "revision" ? REVISION_PERIOD_MILLIS : retention;
    this.#sampleMillis = mode === "revision"
      ? period
      : Math.min(period / SAMPLES_PER_RETENTION, MAX_SAMPLE_MILLIS);
    this.#nextSample = member.now() + this.#sampleMillis;
  }

  tick(now: number): void {
    const { autoCompactionMode: mode, autoCompactionRetention: retention } = this.#member.config;
    if (retention === 0 || now < this.#nextSample) return;
    this.#nextSample = now + this.#sampleMillis;
    if (mode === "revision") {
      this.#compact(this.#member.machine.revision - retention);
      return;
    }
    this.#samples.push(this.#member.machine.revision);
    if (this.#samples.length <= Math.ceil(retention / this.#sampleMillis)) return;
    this.#compact(this.#samples.shift() ?? 0);
  }

  #compact(revision: number): void {
    if (!this.#member.isServingLeader || revision <= this.#member.machine.compactRevision) return;
    const body = encodeCompaction({ revision, physical: false });
    this.#member.submit(COMMAND.compaction, body, undefined, () => {});
  }
}
