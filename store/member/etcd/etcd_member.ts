/**
 * A member as the etcd API services see it.
 * In: requests as the wire decoded them. Out: outcomes through callbacks or promises.
 * Never: knows gRPC; makes a promise for a write or a read.
 */
import { BoltExport } from "../../bolt/export.ts";
import { COMMAND } from "../../mvcc/command.ts";
import type { AlarmMember } from "../../mvcc/outcome.ts";
import { ProtoWriter } from "../../mvcc/proto.ts";
import { decodeRange } from "../../mvcc/request_codec.ts";
import { HeaderEncoder } from "../../mvcc/response_codec.ts";
import type { HeaderFields, RangeCursor } from "../../mvcc/api.ts";
import type { StoreFailure } from "../../mvcc/types.ts";
import type { Timer } from "../../ports.ts";
import type {
  AuthApi,
  HashResult,
  MemberApi,
  MemberCounters,
  MemberFailure,
  MemberList,
  MemberStatus,
} from "../../wire/etcd/member_api.ts";
import type { ClusterRequest } from "../cluster.ts";
import { EtcdAuth } from "./etcd_auth.ts";
import type { Member } from "../member.ts";
import { memberStatus } from "../member_store.ts";
import type { OpenedMember } from "../open.ts";
import { Pace } from "./pace.ts";
import { StallMeter } from "./stall_meter.ts";
import { Tokens } from "./tokens.ts";

/** The etcd version whose API this follows. */
export const ETCD_VERSION = "3.6.0";
/** A longer list is encoded in parts, one a turn: about 1 ms. */
const SHORT_LIST_KEYS = 1_000;
const LIST_PART_BYTES = 512 * 1024;
/** Keys between two looks at a part's size. */
const LIST_STEP_KEYS = 128;
/** Records of a hash between two looks at the clock: about 0.2 ms. */
const HASH_STEP_RECORDS = 500;
const SNAPSHOT_CHUNK_BYTES = 64 * 1024;
/** A response buffer that one long list grew beyond this is given back. */
const KEPT_WRITER_BYTES = 1024 * 1024;

type RangeDone = Parameters<MemberApi["range"]>[2];

export class EtcdMember implements MemberApi {
  readonly memberId: bigint;
  readonly clusterId: bigint;
  readonly auth: AuthApi;
  readonly #opened: OpenedMember;
  readonly #member: Member;
  readonly #timer: Timer;
  readonly #stalls: StallMeter;
  readonly #headers = new HeaderEncoder();
  #header: HeaderFields;
  #writer = new ProtoWriter(16 * 1024);

  constructor(opened: OpenedMember, timer: Timer) {
    const { member } = opened;
    this.#opened = opened;
    this.#member = member;
    this.#timer = timer;
    this.#stalls = new StallMeter(timer);
    this.memberId = member.id;
    this.clusterId = member.clusterId;
    this.#header = { memberId: member.id, clusterId: member.clusterId, raftTerm: 0 };
    const tokens = new Tokens({
      auth: () => member.machine.auth,
      clusterId: member.clusterId,
      wallNow: () => timer.wallNow(),
    });
    this.auth = new EtcdAuth(member.machine, tokens);
  }

  get revision(): number {
    return this.#member.machine.revision;
  }

  get isLearner(): boolean {
    return this.#member.membership.get(this.memberId)?.isLearner === true;
  }

  get raftTerm(): number {
    return this.#member.raft.term;
  }

  submit: MemberApi["submit"] = (kind, bytes, caller, done) => {
    this.#member.submit(COMMAND[kind], bytes, caller ?? undefined, done);
  };

  range: MemberApi["range"] = (bytes, caller, done) => {
    if (this.#member.canReadNow) return this.#answerRange(bytes, caller, done);
    const request = decodeRange(bytes);
    if (request.kind !== "range") return done(request);
    if (request.serializable) return this.#answerRange(bytes, caller, done);
    const copy = bytes.slice();
    this.#member.readIndex((failure) => {
      if (failure !== null) done(failure);
      else this.#answerRange(copy, caller, done);
    });
  };

  readTxn: MemberApi["readTxn"] = (request, { serializable, caller }, done) => {
    const answer = () => this.#member.machine.readTxn(request, caller ?? undefined);
    if (serializable) return done(answer());
    this.#member.readIndex((failure) => done(failure ?? answer()));
  };

  readIndex(done: (failure: MemberFailure | null) => void): void {
    this.#member.readIndex(done);
  }

  watch: MemberApi["watch"] = (request, caller, onNotice) => {
    const watcher = this.#member.machine.watch(request, onNotice, caller ?? undefined);
    if ("kind" in watcher) return watcher;
    const member = this.#member;
    if (!watcher.synced) member.nudge();
    return {
      requestProgress() {
        watcher.requestProgress();
        member.nudge();
      },
      get synced() {
        return watcher.synced;
      },
      resume() {
        watcher.resume();
        member.nudge();
      },
      cancel: () => watcher.cancel(),
    };
  };

  /** As in etcd, whoever knows a lease may renew it. */
  leaseKeepAlive: MemberApi["leaseKeepAlive"] = (id, _caller, done) => {
    const outcome = this.#opened.leases.keepAliveNow(id);
    if (outcome !== null) done(outcome);
    else void this.#opened.leases.keepAlive(id).then(done);
  };

  leaseTimeToLive: MemberApi["leaseTimeToLive"] = async (id, { keys, caller }) => {
    const { machine } = this.#member;
    const refused = keys ? machine.checkLeaseKeysAccess(id, caller ?? undefined) : undefined;
    if (refused !== undefined) return refused;
    const time = await this.#opened.leases.timeToLive(id);
    if (time.kind !== "time") return time;
    const found = keys && time.remainingSeconds >= 0 ? machine.leaseKeys(id) : [];
    return {
      kind: "lease",
      id,
      ttlSeconds: time.remainingSeconds,
      grantedTtlSeconds: time.grantedSeconds,
      keys: Array.isArray(found) ? found : [],
    };
  };

  leases: MemberApi["leases"] = async () => {
    const failure = await this.#readIndexed();
    return failure ?? { kind: "leases", ids: this.#member.machine.leases.ids() };
  };

  members: MemberApi["members"] = async ({ linearizable }) => {
    const failure = linearizable ? await this.#readIndexed() : null;
    return failure ?? { kind: "members", members: this.#member.membership.list() };
  };

  memberAdd: MemberApi["memberAdd"] = (request) => this.#change({ ask: "memberAdd", ...request });

  memberRemove: MemberApi["memberRemove"] = (id) =>
    this.#change({ ask: "memberRemove", id: id.toString(16) });

  memberUpdate: MemberApi["memberUpdate"] = (id, peerUrls) =>
    this.#change({ ask: "memberUpdate", id: id.toString(16), peerUrls });

  memberPromote: MemberApi["memberPromote"] = (id) =>
    this.#change({ ask: "memberPromote", id: id.toString(16) });

  readCounters(): MemberCounters {
    return { ...this.#member.counters, longestStallMillis: this.#stalls.read() };
  }

  status(): MemberStatus {
    return {
      ...memberStatus(this.#member),
      version: ETCD_VERSION,
      storageVersion: ETCD_VERSION,
      dbSizeQuotaBytes: this.#member.config.quotaBytes,
      downgrade: { enabled: false, targetVersion: "" },
    };
  }

  /** A disk that is full right now counts as an alarm that ends by itself. */
  alarms(): readonly AlarmMember[] {
    const raised = this.#member.machine.alarms("none");
    const known = raised.some((one) => one.memberId === this.memberId && one.alarm === "noSpace");
    if (!this.#member.spaceLow || known) return raised;
    return [...raised, { memberId: this.memberId, alarm: "noSpace" }];
  }

  /** Segments are given back as compaction empties them, so there is nothing left to do. */
  defragment: MemberApi["defragment"] = () => {
    this.#member.nudge();
    return Promise.resolve({ kind: "done" as const });
  };

  hashKv: MemberApi["hashKv"] = async (revision) => {
    const reader = this.#member.machine.openHash(revision);
    if ("kind" in reader) return reader;
    try {
      const pace = this.#newPace();
      let outcome = reader.step(HASH_STEP_RECORDS);
      while (outcome === undefined) {
        await pace.step();
        outcome = reader.step(HASH_STEP_RECORDS);
      }
      if (outcome.kind !== "hash") return outcome;
      const { hash, compactRevision, hashRevision } = outcome;
      const result: HashResult = { kind: "hash", hash, compactRevision, revision: hashRevision };
      return result;
    } finally {
      reader.close();
    }
  };

  hash: MemberApi["hash"] = () => this.hashKv(0);

  /** A database file as etcd's own, so that its tools read and restore it. */
  snapshot: MemberApi["snapshot"] = async () => {
    const member = this.#member;
    const file = new BoltExport(member.machine.state, {
      index: member.applied,
      term: member.raft.term,
      members: member.membership.list(),
    });
    const pace = this.#newPace();
    try {
      while (file.prepare()) await pace.step();
    } catch (error) {
      file.close();
      throw error;
    }
    return {
      kind: "snapshot",
      totalBytes: file.totalBytes,
      next: async () => {
        await pace.step();
        return file.next(SNAPSHOT_CHUNK_BYTES) ?? null;
      },
      close: () => file.close(),
    };
  };

  moveLeader: MemberApi["moveLeader"] = async (target) => {
    const outcome = await this.#opened.cluster.moveLeader(target);
    return outcome.kind === "changed" ? { kind: "done" } : outcome;
  };

  /** There is one version of this store's data, so only that version is a valid target. */
  downgrade: MemberApi["downgrade"] = (action, version) => {
    const isVersion = /^\d+\.\d+\.\d+$/.test(version);
    const reason = action === "cancel"
      ? "noDowngrade"
      : isVersion
      ? "downgradeTarget"
      : "badDowngradeVersion";
    return Promise.resolve({ kind: "member" as const, reason });
  };

  async #change(request: ClusterRequest): Promise<MemberList | MemberFailure> {
    const outcome = await this.#opened.cluster.change(request);
    if (outcome.kind !== "changed") return outcome;
    // Where the leader made the change, it must arrive here before the list shows it.
    const isLeaving = request.ask === "memberRemove" && request.id === this.memberId.toString(16);
    if (!this.#member.isLeader && !isLeaving) await this.#readIndexed();
    const members = this.#member.membership.list();
    return outcome.added === undefined
      ? { kind: "members", members }
      : { kind: "members", added: outcome.added, members };
  }

  #readIndexed(): Promise<StoreFailure | null> {
    return new Promise((resolve) => this.#member.readIndex(resolve));
  }

  #newPace(): Pace {
    return new Pace(this.#timer, () => this.#member.isWriting);
  }

  /** One term, one object: the encoder keeps the bytes of the object it saw last. */
  #currentHeader(): HeaderFields {
    if (this.#header.raftTerm !== this.raftTerm) {
      this.#header = { ...this.#header, raftTerm: this.raftTerm };
    }
    return this.#header;
  }

  #answerRange(bytes: Uint8Array, caller: Parameters<MemberApi["range"]>[1], done: RangeDone) {
    const { machine } = this.#member;
    const request = decodeRange(bytes);
    if (request.kind !== "range") return done(request);
    const isLong = request.rangeEnd !== undefined && request.rangeEnd.length > 0 &&
      !request.countOnly && !(request.limit && request.limit <= SHORT_LIST_KEYS);
    if (isLong) {
      const cursor = machine.openRange(request, caller ?? undefined);
      return "kind" in cursor ? done(cursor) : this.#answerLong(cursor, done);
    }
    const writer = this.#writer;
    writer.reset();
    const header = this.#currentHeader();
    const failure = machine.encodeRangeInto(writer, bytes, header, caller ?? undefined);
    done(failure ?? writer.view());
    if (writer.bytes.length > KEPT_WRITER_BYTES) this.#writer = new ProtoWriter(16 * 1024);
  }

  /** Encodes a list part by part; writes go on between them, the list's revision stays. */
  #answerLong(cursor: RangeCursor, done: RangeDone): void {
    const parts: Uint8Array[] = [];
    const step = () => {
      // A little more than the part itself: the last key goes beyond it.
      const writer = new ProtoWriter(LIST_PART_BYTES + LIST_PART_BYTES / 8);
      if (parts.length === 0) {
        this.#headers.encode(writer, this.#currentHeader(), cursor.revision);
      }
      while (!cursor.done && writer.length < LIST_PART_BYTES) {
        cursor.encodeInto(writer, LIST_STEP_KEYS);
      }
      if (!cursor.done && !this.#member.stopped) {
        parts.push(writer.view());
        this.#timer.soon(step);
        return;
      }
      const stopped = !cursor.done;
      writer.boolField(3, cursor.more);
      writer.int64Field(4, cursor.count);
      cursor.close();
      // What is left of the last buffer is not kept while the client reads.
      parts.push(writer.finish());
      done(stopped ? { kind: "stopped" } : parts);
    };
    step();
  }
}
