/**
 * The state machine as the database file of an etcd member, for `etcdctl snapshot save`.
 * In: the state as it is now, the members, the log's position. Out: the file's pages, in slices.
 * Never: blocks writes; history is pinned and everything small is copied at once.
 * Source: etcd's buckets (server/storage/schema) and their messages (authpb, leasepb).
 */
import { encodePermission } from "../mvcc/admin_codec.ts";
import { writeLease } from "../mvcc/lease/lease_codec.ts";
import type { LeaseCopy } from "../mvcc/lease/lease_table.ts";
import { ProtoWriter } from "../mvcc/proto.ts";
import type { MachineState } from "../mvcc/snapshot.ts";
import { encodeRevision, RevisionOrder } from "./revision_walk.ts";
import { BoltWriter, type BucketSource, type EntryWalk } from "./writer.ts";

const ALARM_TYPES = ["none", "noSpace", "corrupt"] as const;
/** Entries measured in one slice: about 0.1 ms. */
const MEASURED_ENTRIES = 500;

/** What the file says besides the data. */
export interface ExportHead {
  /** Log index of the last command applied, and its term. */
  readonly index: number;
  readonly term: number;
  readonly members: readonly {
    readonly id: bigint;
    readonly name: string;
    readonly peerUrls: readonly string[];
    readonly clientUrls: readonly string[];
    readonly isLearner: boolean;
  }[];
}

export class BoltExport {
  readonly #order: RevisionOrder;
  readonly #writer: BoltWriter;

  constructor(state: MachineState, head: ExportHead) {
    this.#order = new RevisionOrder(state.kv);
    this.#writer = new BoltWriter([
      { name: "key", walk: () => this.#order.walk() },
      ...smallBuckets(state, head),
    ]);
  }

  /** A slice of the work before the first byte. @returns true when there is more of it */
  prepare(): boolean {
    return this.#order.sort() || this.#writer.measure(MEASURED_ENTRIES);
  }

  /** Bytes of the whole file; known once `prepare` returned false. */
  get totalBytes(): number {
    return this.#writer.totalBytes;
  }

  /** @returns about `budgetBytes` of the file, valid until the next call; undefined at its end */
  next(budgetBytes: number): Uint8Array | undefined {
    return this.#writer.next(budgetBytes);
  }

  /** Must be called: history is held back until then. */
  close(): void {
    this.#order.close();
  }
}

type Pair = readonly [key: Uint8Array, value: Uint8Array];

function smallBuckets(state: MachineState, head: ExportHead): BucketSource[] {
  return [
    bucket("meta", metaPairs(state, head)),
    leaseBucket(state),
    bucket("alarm", alarmPairs(state)),
    bucket("auth", [
      [text("authEnabled"), Uint8Array.of(state.auth.enabled ? 1 : 0)],
      [text("authRevision"), bigEndian(BigInt(state.auth.revision))],
    ]),
    bucket("authUsers", userPairs(state)),
    bucket("authRoles", rolePairs(state)),
    bucket("members", memberPairs(head)),
    bucket("members_removed", []),
    bucket("cluster", [[text("clusterVersion"), text("3.5.0")]]),
  ];
}

function bucket(name: string, pairs: readonly Pair[]): BucketSource {
  const sorted = [...pairs].sort(([a], [b]) => compareBytes(a, b));
  return { name, walk: () => new PairWalk(sorted) };
}

class PairWalk implements EntryWalk {
  readonly #pairs: readonly Pair[];
  #at = -1;

  constructor(pairs: readonly Pair[]) {
    this.#pairs = pairs;
  }

  next(): boolean {
    return ++this.#at < this.#pairs.length;
  }

  get keyBytes(): number {
    return this.key.length;
  }

  get valueBytes(): number {
    return this.value.length;
  }

  get key(): Uint8Array {
    return this.#pairs[this.#at][0];
  }

  get value(): Uint8Array {
    return this.#pairs[this.#at][1];
  }
}

function metaPairs({ kv }: MachineState, head: ExportHead): Pair[] {
  const pairs: Pair[] = [
    [text("consistent_index"), bigEndian(BigInt(head.index))],
    [text("term"), bigEndian(BigInt(head.term))],
    [text("confState"), text(confState(head))],
  ];
  const mark = (name: string, revision: number) => {
    if (revision > 0) pairs.push([text(name), encodeRevision(revision, 0, false)]);
  };
  mark("scheduledCompactRev", kv.compactRevision);
  mark("finishedCompactRev", kv.compaction.finishedRevision);
  return pairs;
}

/** Ids stand in the JSON as numbers beyond what a double holds, so it is put together by hand. */
function confState({ members }: ExportHead): string {
  const ids = (isLearner: boolean) =>
    members.filter((member) => member.isLearner === isLearner).map(({ id }) => id).join(",");
  const learners = ids(true) === "" ? "" : `"learners":[${ids(true)}],`;
  return `{"voters":[${ids(false)}],${learners}"auto_leave":false}`;
}

/** There may be many leases: their numbers are copied at once, their messages made on the way. */
function leaseBucket({ leases }: MachineState): BucketSource {
  const copy = leases.copy();
  return { name: "lease", walk: () => new LeaseWalk(copy) };
}

class LeaseWalk implements EntryWalk {
  readonly #leases: LeaseCopy;
  readonly keyBytes = 8;
  #at = -1;

  constructor(leases: LeaseCopy) {
    this.#leases = leases;
  }

  next(): boolean {
    return ++this.#at < this.#leases.count;
  }

  get valueBytes(): number {
    return this.value.length;
  }

  get key(): Uint8Array {
    return bigEndian(this.#leases.at(this.#at).id);
  }

  get value(): Uint8Array {
    return message((writer) => writeLease(writer, this.#leases.at(this.#at)));
  }
}

function alarmPairs({ alarms }: MachineState): Pair[] {
  return alarms.list("none").map(({ memberId, alarm }): Pair => [
    message((writer) => {
      writer.bigField(1, memberId);
      writer.int64Field(2, ALARM_TYPES.indexOf(alarm));
    }),
    new Uint8Array(0),
  ]);
}

function userPairs({ auth }: MachineState): Pair[] {
  return auth.userNames().map((name): Pair => {
    const { hashedPassword, noPassword, roles } = auth.user(name)!;
    const value = message((writer) => {
      writer.stringField(1, name);
      writer.stringField(2, hashedPassword);
      for (const role of roles) writer.stringField(3, role);
      const start = writer.beginMessage(4);
      writer.boolField(1, noPassword);
      writer.endMessage(start);
    });
    return [text(name), value];
  });
}

function rolePairs({ auth }: MachineState): Pair[] {
  return auth.roleNames().map((name): Pair => {
    const value = message((writer) => {
      writer.stringField(1, name);
      for (const permission of auth.storedRole(name)) encodePermission(writer, 2, permission);
    });
    return [text(name), value];
  });
}

function memberPairs({ members }: ExportHead): Pair[] {
  return members.map(({ id, name, peerUrls, clientUrls, isLearner }): Pair => {
    const known = JSON.stringify({
      peerURLs: peerUrls,
      ...(isLearner ? { isLearner } : {}),
      ...(name === "" ? {} : { name }),
      ...(clientUrls.length === 0 ? {} : { clientURLs: clientUrls }),
    });
    return [text(id.toString(16)), text(`{"id":${id},${known.slice(1)}`)];
  });
}

function message(fill: (writer: ProtoWriter) => void): Uint8Array {
  const writer = new ProtoWriter();
  fill(writer);
  return writer.finish();
}

function bigEndian(value: bigint): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt.asUintN(64, value));
  return bytes;
}

function text(value: string): Uint8Array {
  return new TextEncoder().encode(value);
}

function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const shared = Math.min(a.length, b.length);
  for (let i = 0; i < shared; i++) {
    if (a[i] !== b[i]) return a[i] - b[i];
  }
  return a.length - b.length;
}
