/**
 * What a member starts from: its first configuration, or what its data directory holds.
 * In: a configuration, the disk, an empty state machine. Out: an open log, Raft's initial state,
 * the membership, and the state machine as of the newest intact snapshot.
 * Never: starts on damaged data; the refusal names file and offset.
 * A new cluster starts from a snapshot at index 1 that holds its membership, so that a member that
 * joins later can't replay the log without having received it.
 */
import {
  listSnapshots,
  openSnapshot,
  type SnapshotReader,
  SnapshotWriter,
} from "../disk/snapshot_file.ts";
import { createWal, type Wal, type WalIdentity, type WalOptions } from "../disk/wal.ts";
import { openWal, type WalContents, walExists } from "../disk/wal_open.ts";
import type { SnapshotMarker } from "../disk/wal_record.ts";
import type { StateMachineApi } from "../mvcc/api.ts";
import type { Disk, Log, Timer } from "../ports.ts";
import type { ConfState, HardState, RaftInitialState } from "../raft/types.ts";
import type { StoreConfig } from "./config.ts";
import { computeClusterId, computeMemberId } from "./identity.ts";
import { confOf, type MemberRecord, Membership } from "./membership.ts";

const LOG_DIRECTORY = "log";
const SNAPSHOT_DIRECTORY = "snapshots";
/** The thread is given back after this long. */
const SLICE_MILLIS = 8;
const FIRST: SnapshotMarker = { index: 1, term: 1 };

export interface BootstrapParts {
  readonly config: StoreConfig;
  readonly disk: Disk;
  readonly timer: Timer;
  readonly log: Log;
  readonly machine: StateMachineApi;
  readonly newSalt: () => number;
  /** The cluster that a member with `initialClusterState` "existing" joins, as its peers know. */
  readonly joined: WalIdentity | null;
}

export interface Bootstrapped {
  readonly wal: Wal;
  readonly identity: WalIdentity;
  readonly initial: RaftInitialState;
  readonly membership: Membership;
  readonly snapshotDirectory: string;
  readonly kept: readonly SnapshotMarker[];
}

export type BootstrapOutcome =
  | { readonly kind: "ready"; readonly parts: Bootstrapped }
  | { readonly kind: "refused"; readonly problem: string };

/** @returns whether the data directory holds a member's log already */
export function hasLog(disk: Disk, dataDirectory: string): boolean {
  disk.makeDirectory(`${dataDirectory}/${LOG_DIRECTORY}`);
  return walExists(disk, `${dataDirectory}/${LOG_DIRECTORY}`);
}

/**
 * Opens or creates a member's data. The caller holds the directory's lock.
 * Errors: rejects with the platform's error.
 */
export async function bootstrap(parts: BootstrapParts): Promise<BootstrapOutcome> {
  const { config, disk } = parts;
  const logDirectory = `${config.dataDirectory}/${LOG_DIRECTORY}`;
  const snapshotDirectory = `${config.dataDirectory}/${SNAPSHOT_DIRECTORY}`;
  disk.makeDirectory(logDirectory);
  disk.makeDirectory(snapshotDirectory);
  await disk.syncDirectory(config.dataDirectory);
  const options: WalOptions = {
    segmentBytes: config.segmentBytes,
    newSalt: parts.newSalt,
    now: () => parts.timer.now(),
  };
  if (!walExists(disk, logDirectory)) {
    const identity = parts.joined ?? newIdentity(config);
    const wal = await createWal(disk, logDirectory, { identity, options });
    return await beginEmpty(parts, { wal, identity, snapshotDirectory });
  }
  const opened = await openWal(disk, logDirectory, options);
  if (opened.kind === "damaged") {
    const { path, offset, detail } = opened;
    const problem = `the log is damaged: ${path} at offset ${offset}: ${detail}`;
    return { kind: "refused", problem };
  }
  const { wal, contents } = opened;
  if (contents.tornBytes > 0) {
    parts.log("warn", "cut off a write that was never finished", { bytes: contents.tornBytes });
  }
  if (contents.markers.length === 0) {
    const { identity, hardState } = contents;
    return await beginEmpty(parts, { wal, identity, snapshotDirectory, hardState });
  }
  return await resume(parts, { wal, contents, snapshotDirectory });
}

function newIdentity(config: StoreConfig): WalIdentity {
  const members = initialMembers(config);
  const memberId = computeMemberId(config.advertisePeerUrls, config.initialClusterToken);
  return { memberId, clusterId: computeClusterId(members.map((member) => member.id)) };
}

/**
 * The members a new cluster starts with: the same list on each of them, so client URLs, which each
 * knows only of itself, follow through the log.
 */
export function initialMembers(config: StoreConfig): MemberRecord[] {
  const isAlone = config.initialCluster.length === 1;
  return config.initialCluster.map(({ name, peerUrls }) => ({
    id: computeMemberId(peerUrls, config.initialClusterToken),
    name,
    peerUrls,
    clientUrls: isAlone ? config.advertiseClientUrls : [],
    isLearner: false,
  }));
}

/** A first start, or one that was interrupted before anything was promised. */
async function beginEmpty(
  parts: BootstrapParts,
  opened: {
    wal: Wal;
    identity: WalIdentity;
    snapshotDirectory: string;
    /** Term and vote of a member that was joining when it stopped. */
    hardState?: HardState;
  },
): Promise<BootstrapOutcome> {
  const { wal, identity, snapshotDirectory } = opened;
  if (parts.config.initialClusterState === "existing") {
    const snapshot = { index: 0, term: 0, conf: confOf([]) };
    const hardState = opened.hardState ?? { term: 0, vote: 0n, commit: 0 };
    const initial = { hardState, snapshot, entries: [], applied: 0 };
    const membership = new Membership();
    return {
      kind: "ready",
      parts: { wal, identity, initial, membership, snapshotDirectory, kept: [] },
    };
  }
  const members = initialMembers(parts.config);
  const membership = new Membership(members);
  const conf = confOf(members.map((member) => member.id));
  const head = { ...FIRST, membership: membership.encode(conf) };
  const writer = new SnapshotWriter(parts.disk, snapshotDirectory, head);
  const reader = parts.machine.openSnapshot();
  for (let chunk = reader.next(65536); chunk !== undefined; chunk = reader.next(65536)) {
    writer.write(chunk);
  }
  reader.close();
  await writer.finish();
  const hardState = { term: FIRST.term, vote: 0n, commit: FIRST.index };
  if (await wal.append({ hardState, entries: [], marker: FIRST }) === "noSpace") {
    return { kind: "refused", problem: `no space in ${parts.config.dataDirectory}` };
  }
  const initial: RaftInitialState = {
    hardState,
    snapshot: { ...FIRST, conf },
    entries: [],
    applied: FIRST.index,
  };
  const kept = [FIRST];
  return { kind: "ready", parts: { wal, identity, initial, membership, snapshotDirectory, kept } };
}

async function resume(
  parts: BootstrapParts,
  opened: { wal: Wal; contents: WalContents; snapshotDirectory: string },
): Promise<BootstrapOutcome> {
  const { wal, contents, snapshotDirectory } = opened;
  const files = listSnapshots(parts.disk, snapshotDirectory);
  const usable = files.filter((file) =>
    contents.markers.some((marker) => marker.index === file.index && marker.term === file.term)
  );
  const problems: string[] = [];
  for (const marker of usable) {
    const loaded = await loadSnapshot(parts, snapshotDirectory, marker);
    if (loaded.kind === "refused") {
      parts.log("error", "a snapshot can't be used; trying an older one", loaded);
      problems.push(loaded.problem);
      continue;
    }
    const entries = contents.entries.filter((entry) => entry.index > marker.index);
    if (entries.length > 0 && entries[0].index !== marker.index + 1) {
      problems.push(`the log starts at ${entries[0].index}, the snapshot ends at ${marker.index}`);
      break;
    }
    // A received snapshot replaced the log before it: without its file, what this member
    // acknowledged is gone.
    const end = entries.at(-1)?.index ?? marker.index;
    const named = contents.markers.reduce((most, { index }) => Math.max(most, index), 0);
    if (end < named) {
      problems.push(`the log ends at ${end}, yet it names a snapshot of ${named}`);
      break;
    }
    const commit = Math.max(contents.hardState.commit, marker.index);
    const term = Math.max(contents.hardState.term, marker.term);
    const initial: RaftInitialState = {
      hardState: { ...contents.hardState, term, commit },
      snapshot: { ...marker, conf: loaded.conf },
      entries,
      applied: marker.index,
    };
    const { membership } = loaded;
    const { identity } = contents;
    const kept = usable.filter((file) => file.index <= marker.index);
    return {
      kind: "ready",
      parts: { wal, identity, initial, membership, snapshotDirectory, kept },
    };
  }
  wal.close();
  const detail = problems.length > 0 ? problems.join("; ") : "no snapshot file is left";
  return { kind: "refused", problem: `${snapshotDirectory}: ${detail}` };
}

/** What a snapshot file held besides the state machine, which now holds the rest. */
export type LoadedSnapshot =
  | { readonly kind: "loaded"; readonly membership: Membership; readonly conf: ConfState }
  | { readonly kind: "refused"; readonly problem: string };

/**
 * Replaces the state machine by a snapshot file, a slice at a time.
 * Errors: rejects with the platform's error when the file can't be read.
 */
export async function loadSnapshot(
  parts: Pick<BootstrapParts, "disk" | "timer" | "machine">,
  directory: string,
  marker: SnapshotMarker,
): Promise<LoadedSnapshot> {
  const opened = openSnapshot(parts.disk, directory, marker);
  if (opened.kind === "damaged") {
    return { kind: "refused", problem: `${opened.path}: ${opened.detail}` };
  }
  const { reader, head } = opened;
  try {
    const described = Membership.decode(head.membership);
    if (described === null) {
      return { kind: "refused", problem: `${reader.path}: the membership is unreadable` };
    }
    const problem = await restore(parts, reader);
    return problem === null ? { kind: "loaded", ...described } : { kind: "refused", problem };
  } finally {
    reader.close();
  }
}

async function restore(
  parts: Pick<BootstrapParts, "timer" | "machine">,
  reader: SnapshotReader,
): Promise<string | null> {
  const writer = parts.machine.openRestore();
  let sliceEnd = parts.timer.now() + SLICE_MILLIS;
  while (true) {
    const read = reader.next();
    if (read.kind === "damaged") return `${reader.path} at offset ${read.offset}: ${read.detail}`;
    const failure = read.kind === "end" ? writer.finish() : writer.push(read.bytes);
    if (failure !== undefined) {
      return `${reader.path}: the content is no snapshot (${failure.kind})`;
    }
    if (read.kind === "end") return null;
    if (parts.timer.now() < sliceEnd) continue;
    await new Promise<void>((resolve) => parts.timer.soon(resolve));
    sliceEnd = parts.timer.now() + SLICE_MILLIS;
  }
}
