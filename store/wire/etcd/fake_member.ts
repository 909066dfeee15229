/**
 * A member of one, without a log or a disk: a real state machine behind `MemberApi`.
 * In: what the services ask. Out: what a member alone in its cluster would answer.
 * Commands are applied together once the current turn of the thread is over, as a member does.
 * Never: durable, never expires a lease; tests of the wire alone use it.
 */
import { DurationHistogram } from "../../disk/duration_histogram.ts";
import { COMMAND, encodeCommand } from "../../mvcc/command.ts";
import type { AlarmMember, ApplyOutcome, Identity } from "../../mvcc/outcome.ts";
import { ProtoWriter } from "../../mvcc/proto.ts";
import { StateMachine } from "../../mvcc/state_machine.ts";
import type { StoreFailure } from "../../mvcc/types.ts";
import type {
  AuthApi,
  HashResult,
  LeaseInfo,
  MemberApi,
  MemberCounters,
  MemberFailure,
  MemberInfo,
  MemberList,
  MemberStatus,
  SnapshotStream,
  WireCommand,
} from "./member_api.ts";

const HASH_BUDGET_RECORDS = 1_000_000;
const SNAPSHOT_CHUNK_BYTES = 32 * 1024;

export class FakeMember implements MemberApi {
  readonly memberId = 0x8e9e05c52164694dn;
  readonly clusterId = 0xcdf818194e3a8c32n;
  raftTerm = 2;
  isLearner = false;
  /** Set to make every command and read index fail. */
  failure: MemberFailure | null = null;
  leaderId = this.memberId;
  readonly machine = new StateMachine();
  readonly auth: AuthApi = new FakeAuth(this.machine);
  readonly #queue: (() => void)[] = [];
  #index = 0;
  #members: MemberInfo[] = [{
    id: this.memberId,
    name: "default",
    peerUrls: ["http://localhost:2380"],
    clientUrls: ["http://localhost:2379"],
    isLearner: false,
  }];

  get revision(): number {
    return this.machine.revision;
  }

  readCounters(): MemberCounters {
    const walSyncs = new DurationHistogram();
    return { appliedCommands: this.#index, walSyncs, longestStallMillis: 0 };
  }

  submit(
    kind: WireCommand,
    bytes: Uint8Array,
    caller: Identity | null,
    done: (result: ApplyOutcome | MemberFailure) => void,
  ): void {
    const header = { kind: COMMAND[kind], requestId: ++this.#index };
    const command = encodeCommand(
      caller === null ? header : { ...header, identity: caller },
      bytes,
    );
    this.#later(() => done(this.failure ?? this.machine.apply(command)));
  }

  #later(task: () => void): void {
    if (this.#queue.push(task) > 1) return;
    queueMicrotask(() => {
      for (const each of this.#queue.splice(0)) each();
      while (this.machine.watches.catchUpStep(100_000));
    });
  }

  range: MemberApi["range"] = (bytes, caller, done) => {
    const request = bytes.slice();
    this.#later(() => {
      const writer = new ProtoWriter(4096);
      const failure = this.failure ??
        this.machine.encodeRangeInto(writer, request, this, caller ?? undefined);
      done(failure ?? writer.view());
    });
  };

  readTxn: MemberApi["readTxn"] = (request, options, done) => {
    this.#later(() =>
      done(this.failure ?? this.machine.readTxn(request, options.caller ?? undefined))
    );
  };

  readIndex(done: (failure: MemberFailure | null) => void): void {
    this.#later(() => done(this.failure));
  }

  watch: MemberApi["watch"] = (request, caller, onNotice) => {
    const watcher = this.machine.watch(request, onNotice, caller ?? undefined);
    this.#later(() => {});
    if ("kind" in watcher) return watcher;
    const caughtUp = (act: () => void) => () => {
      act();
      this.#later(() => {});
    };
    return {
      requestProgress: caughtUp(() => watcher.requestProgress()),
      get synced() {
        return watcher.synced;
      },
      resume: caughtUp(() => watcher.resume()),
      cancel: () => watcher.cancel(),
    };
  };

  leaseKeepAlive: MemberApi["leaseKeepAlive"] = (id, _caller, done) => {
    const lease = this.machine.leases.get(id);
    this.#later(() =>
      done(
        lease === undefined
          ? { kind: "leaseNotFound" }
          : { kind: "lease", id, ttlSeconds: lease.ttlSeconds },
      )
    );
  };

  leaseTimeToLive: MemberApi["leaseTimeToLive"] = (id, { keys }) => {
    const lease = this.machine.leases.get(id);
    const found = keys && lease !== undefined ? this.machine.leaseKeys(id) : [];
    const info: LeaseInfo = {
      kind: "lease",
      id,
      ttlSeconds: lease?.ttlSeconds ?? -1,
      grantedTtlSeconds: lease?.ttlSeconds ?? 0,
      keys: Array.isArray(found) ? found : [],
    };
    return Promise.resolve(info);
  };

  leases: MemberApi["leases"] = () =>
    Promise.resolve({ kind: "leases" as const, ids: this.machine.leases.ids() });

  #list(added?: MemberInfo): Promise<MemberList> {
    const list: MemberList = { kind: "members", members: this.#members };
    return Promise.resolve(added === undefined ? list : { ...list, added });
  }

  members: MemberApi["members"] = () => this.#list();

  memberAdd: MemberApi["memberAdd"] = ({ peerUrls, isLearner }) => {
    const id = BigInt(this.#members.length + 1);
    const added = { id, name: "", peerUrls, clientUrls: [], isLearner };
    this.#members = [...this.#members, added];
    return this.#list(added);
  };

  memberRemove: MemberApi["memberRemove"] = (id) =>
    this.#change(id, () => this.#members = this.#members.filter((member) => member.id !== id));

  memberUpdate: MemberApi["memberUpdate"] = (id, peerUrls) =>
    this.#change(
      id,
      () =>
        this.#members = this.#members.map((member) =>
          member.id === id ? { ...member, peerUrls } : member
        ),
    );

  memberPromote: MemberApi["memberPromote"] = (id) =>
    this.#change(
      id,
      () =>
        this.#members = this.#members.map((member) =>
          member.id === id ? { ...member, isLearner: false } : member
        ),
    );

  #change(id: bigint, act: () => void): Promise<MemberList | MemberFailure> {
    if (!this.#members.some((member) => member.id === id)) {
      return Promise.resolve({ kind: "member", reason: "memberNotFound" });
    }
    act();
    return this.#list();
  }

  status(): MemberStatus {
    const { dbSizeBytes, dbSizeInUseBytes } = this.machine.size();
    return {
      memberId: this.memberId,
      clusterId: this.clusterId,
      leaderId: this.leaderId,
      raftTerm: this.raftTerm,
      raftIndex: this.#index,
      raftAppliedIndex: this.#index,
      dbSizeBytes,
      dbSizeInUseBytes,
      isLearner: false,
      errors: [],
      version: "3.6.0",
      storageVersion: "3.6.0",
      dbSizeQuotaBytes: 2 * 1024 ** 3,
      downgrade: { enabled: false, targetVersion: "" },
    };
  }

  alarms(): readonly AlarmMember[] {
    return this.machine.alarms("none");
  }

  defragment: MemberApi["defragment"] = () => Promise.resolve({ kind: "done" as const });

  hashKv: MemberApi["hashKv"] = (revision) => {
    const reader = this.machine.openHash(revision);
    if ("kind" in reader) return Promise.resolve(reader);
    let outcome = reader.step(HASH_BUDGET_RECORDS);
    while (outcome === undefined) outcome = reader.step(HASH_BUDGET_RECORDS);
    reader.close();
    if (outcome.kind !== "hash") return Promise.resolve(outcome);
    const { hash, compactRevision, hashRevision } = outcome;
    const result: HashResult = { kind: "hash", hash, compactRevision, revision: hashRevision };
    return Promise.resolve(result);
  };

  hash: MemberApi["hash"] = () => this.hashKv(0);

  snapshot: MemberApi["snapshot"] = () => {
    const reader = this.machine.openSnapshot();
    const stream: SnapshotStream = {
      kind: "snapshot",
      totalBytes: this.machine.size().dbSizeInUseBytes,
      next: () => Promise.resolve(reader.next(SNAPSHOT_CHUNK_BYTES) ?? null),
      close: () => reader.close(),
    };
    return Promise.resolve(stream);
  };

  moveLeader: MemberApi["moveLeader"] = (target) =>
    Promise.resolve(
      target === this.memberId
        ? { kind: "done" as const }
        : { kind: "member" as const, reason: "badTransferee" as const },
    );

  downgrade: MemberApi["downgrade"] = (_action, version) =>
    Promise.resolve(
      /^\d+\.\d+\.\d+$/.test(version)
        ? { kind: "downgrade" as const, version }
        : { kind: "member" as const, reason: "badDowngradeVersion" as const },
    );
}

type Names = { readonly kind: "names"; readonly names: readonly string[] };

/** Hashes by reversing and issues tokens that name their user: enough to see what passes by. */
class FakeAuth implements AuthApi {
  readonly #machine: StateMachine;

  constructor(machine: StateMachine) {
    this.#machine = machine;
  }

  enabled(): boolean {
    return this.#machine.auth.enabled;
  }

  revision(): number {
    return this.#machine.auth.revision;
  }

  authenticate: AuthApi["authenticate"] = (name, password) => {
    const user = this.#machine.auth.authenticate(name);
    if ("kind" in user) return Promise.resolve(user);
    if (user.hashedPassword !== reversed(password)) {
      return Promise.resolve({ kind: "auth", reason: "authFailed" });
    }
    return Promise.resolve({ kind: "token", token: `${name}.${this.revision()}` });
  };

  hashPassword(password: string): Promise<string> {
    return Promise.resolve(reversed(password));
  }

  callerOfToken: AuthApi["callerOfToken"] = (token) => {
    const match = /^(.+)\.(\d+)$/.exec(token);
    if (match === null) return { kind: "auth", reason: "invalidAuthToken" };
    return { kind: "caller", caller: { user: match[1], authRevision: Number(match[2]) } };
  };

  callerOfCertificate(commonName: string): Identity {
    return { user: commonName, authRevision: this.revision() };
  }

  requireAdmin(caller: Identity | null): StoreFailure | null {
    return this.#machine.auth.checkAdmin(caller ?? undefined) ?? null;
  }

  #asAdmin<T>(caller: Identity | null, answer: () => T | StoreFailure): Promise<T | StoreFailure> {
    return Promise.resolve(this.requireAdmin(caller) ?? answer());
  }

  users: AuthApi["users"] = (caller) =>
    this.#asAdmin<Names>(caller, () => ({ kind: "names", names: this.#machine.auth.userNames() }));

  roles: AuthApi["roles"] = (caller) =>
    this.#asAdmin<Names>(caller, () => ({ kind: "names", names: this.#machine.auth.roleNames() }));

  user: AuthApi["user"] = (name, caller) =>
    this.#asAdmin<Names>(caller, () => {
      const user = this.#machine.auth.user(name);
      if (user === undefined) return { kind: "auth", reason: "userNotFound" };
      return { kind: "names", names: user.roles };
    });

  role: AuthApi["role"] = (name, caller) =>
    this.#asAdmin(caller, () => {
      const permissions = this.#machine.auth.role(name);
      if (permissions === undefined) return { kind: "auth", reason: "roleNotFound" };
      return { kind: "permissions" as const, permissions };
    });
}

function reversed(text: string): string {
  return [...text].reverse().join("");
}
