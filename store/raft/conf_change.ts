/**
 * Membership changes: their bytes in the log and their effect on a configuration.
 * In: a ConfChange or its bytes, the current ConfState. Out: bytes, a ConfChange, the next
 * ConfState.
 * Never: touches progress or roles; that is the leader's and the skeleton's part.
 * Bytes: version, transition, count (2), count × (type, id (8)), then the context; big endian.
 * Source: Ongaro's thesis, chapter 4.
 */
import { assert } from "./assert.ts";
import type { ConfChange, ConfChangeSingle, ConfState } from "./types.ts";

const version = 1;
const headerBytes = 4;
const singleBytes = 9;
const transitions = ["auto", "jointImplicit", "jointExplicit"] as const;
const singleTypes = ["addVoter", "addLearner", "remove", "update"] as const;

/** The change that leaves a joint configuration. */
export const leaveJoint: ConfChange = {
  changes: [],
  transition: "auto",
  context: new Uint8Array(0),
};

/** @returns the bytes of a `confChange` entry. Errors: throws for more than 65,535 changes. */
export function encodeConfChange(change: ConfChange): Uint8Array {
  const count = change.changes.length;
  assert(count <= 0xffff, "a membership change names at most 65,535 members");
  const fixedBytes = headerBytes + count * singleBytes;
  const bytes = new Uint8Array(fixedBytes + change.context.length);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, version);
  view.setUint8(1, transitions.indexOf(change.transition));
  view.setUint16(2, count);
  for (let i = 0; i < count; i++) {
    const at = headerBytes + i * singleBytes;
    view.setUint8(at, singleTypes.indexOf(change.changes[i].type));
    view.setBigUint64(at + 1, change.changes[i].id);
  }
  bytes.set(change.context, fixedBytes);
  return bytes;
}

/**
 * Reads bytes that came from a peer or a disk. @returns null when they are no membership change.
 */
export function parseConfChange(bytes: Uint8Array): ConfChange | null {
  if (bytes.length < headerBytes || bytes[0] !== version) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const transition = transitions[view.getUint8(1)];
  const count = view.getUint16(2);
  const fixedBytes = headerBytes + count * singleBytes;
  if (transition === undefined || bytes.length < fixedBytes) return null;
  const changes: ConfChangeSingle[] = [];
  for (let i = 0; i < count; i++) {
    const at = headerBytes + i * singleBytes;
    const type = singleTypes[view.getUint8(at)];
    if (type === undefined) return null;
    changes.push({ type, id: view.getBigUint64(at + 1) });
  }
  return { changes, transition, context: bytes.slice(fixedBytes) };
}

/**
 * Reads the data of a committed `confChange` entry.
 * Errors: throws when it is none; followers refuse such entries before they enter the log.
 */
export function decodeConfChange(bytes: Uint8Array): ConfChange {
  const change = parseConfChange(bytes);
  assert(change !== null, "a committed membership change is well-formed");
  return change;
}

export function isJoint(conf: ConfState): boolean {
  return conf.votersOutgoing.length > 0;
}

/** Whether the change passes through a joint configuration. */
function entersJoint(change: ConfChange): boolean {
  return change.transition !== "auto" || change.changes.length > 1;
}

export type ConfChangeOutcome =
  | { readonly kind: "changed"; readonly conf: ConfState }
  | { readonly kind: "invalid"; readonly reason: string };

/** A configuration while it is being changed. */
interface Draft {
  readonly voters: Set<bigint>;
  readonly votersOutgoing: Set<bigint>;
  readonly learners: Set<bigint>;
  readonly learnersNext: Set<bigint>;
}

/**
 * The configuration after a change.
 * @returns the next configuration, or why there is none: a joint one must be left first, a plain
 * one can't be left, somebody must remain to vote, and ids are never zero.
 */
export function applyToConf(conf: ConfState, change: ConfChange): ConfChangeOutcome {
  const draft: Draft = {
    voters: new Set(conf.voters),
    votersOutgoing: new Set(conf.votersOutgoing),
    learners: new Set(conf.learners),
    learnersNext: new Set(conf.learnersNext),
  };
  if (change.changes.length === 0 && change.transition === "auto") {
    if (!isJoint(conf)) return invalid("the configuration is not joint");
    for (const id of draft.learnersNext) draft.learners.add(id);
    draft.learnersNext.clear();
    draft.votersOutgoing.clear();
    return { kind: "changed", conf: toConf(draft, false) };
  }
  if (isJoint(conf)) return invalid("the joint configuration must be left first");
  const joint = entersJoint(change);
  if (joint) { for (const id of conf.voters) draft.votersOutgoing.add(id); }
  for (const single of change.changes) {
    if (single.id === 0n) return invalid("a member's id is never zero");
    applySingle(draft, single);
  }
  if (draft.voters.size === 0) return invalid("no voter would remain");
  return { kind: "changed", conf: toConf(draft, joint && change.transition !== "jointExplicit") };
}

function applySingle(draft: Draft, single: ConfChangeSingle): void {
  const { type, id } = single;
  switch (type) {
    case "addVoter":
      draft.learners.delete(id);
      draft.learnersNext.delete(id);
      draft.voters.add(id);
      return;
    case "addLearner":
      draft.voters.delete(id);
      // One who still votes in the outgoing half becomes a learner when that half is left.
      if (draft.votersOutgoing.has(id)) draft.learnersNext.add(id);
      else draft.learners.add(id);
      return;
    case "remove":
      draft.voters.delete(id);
      draft.learners.delete(id);
      draft.learnersNext.delete(id);
      return;
    case "update":
      return;
  }
}

function invalid(reason: string): ConfChangeOutcome {
  return { kind: "invalid", reason };
}

function toConf(draft: Draft, autoLeave: boolean): ConfState {
  return {
    voters: sorted(draft.voters),
    votersOutgoing: sorted(draft.votersOutgoing),
    learners: sorted(draft.learners),
    learnersNext: sorted(draft.learnersNext),
    autoLeave,
  };
}

function sorted(ids: Set<bigint>): bigint[] {
  return [...ids].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
}
