/**
 * Who belongs to the cluster: names, URLs and the configuration Raft counts votes with.
 * In: the initial members, then the contexts of applied membership changes. Out: the list, and the
 * bytes that travel in a change's context and in a snapshot's head.
 * Never: decides a change; Raft does.
 */
import type { ConfChange, ConfState } from "../raft/types.ts";

export interface MemberRecord {
  readonly id: bigint;
  /** Empty until the member has started once. */
  readonly name: string;
  readonly peerUrls: readonly string[];
  readonly clientUrls: readonly string[];
  readonly isLearner: boolean;
}

const NO_CONF: ConfState = {
  voters: [],
  votersOutgoing: [],
  learners: [],
  learnersNext: [],
  autoLeave: false,
};

/** @returns the configuration in which all of `voters` vote */
export function confOf(voters: readonly bigint[]): ConfState {
  return { ...NO_CONF, voters: [...voters].sort((a, b) => (a < b ? -1 : 1)) };
}

export class Membership {
  readonly #members = new Map<bigint, MemberRecord>();
  /** Ids are never used again, so that a removed member can't come back with its old log. */
  readonly #removed = new Set<bigint>();

  constructor(members: readonly MemberRecord[] = []) {
    for (const member of members) this.#members.set(member.id, member);
  }

  /** By id, ascending. */
  list(): MemberRecord[] {
    return [...this.#members.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  get(id: bigint): MemberRecord | undefined {
    return this.#members.get(id);
  }

  isRemoved(id: bigint): boolean {
    return this.#removed.has(id);
  }

  /**
   * Follows an applied change.
   * @returns the ids that left
   */
  apply(change: ConfChange): bigint[] {
    const record = change.context.length > 0 ? decodeMember(change.context) : null;
    const left: bigint[] = [];
    for (const { type, id } of change.changes) {
      if (type === "remove") {
        this.#members.delete(id);
        this.#removed.add(id);
        left.push(id);
        continue;
      }
      const known = this.#members.get(id);
      const base = record !== null && record.id === id ? record : known;
      const isLearner = type === "addLearner" || (type === "update" && known?.isLearner === true);
      this.#members.set(id, {
        id,
        name: base?.name || known?.name || "",
        peerUrls: base?.peerUrls ?? [],
        clientUrls: base?.clientUrls.length ? base.clientUrls : known?.clientUrls ?? [],
        isLearner,
      });
    }
    return left;
  }

  /** @returns bytes for a snapshot's head */
  encode(conf: ConfState): Uint8Array {
    return encodeJson({
      conf: {
        voters: conf.voters,
        votersOutgoing: conf.votersOutgoing,
        learners: conf.learners,
        learnersNext: conf.learnersNext,
        autoLeave: conf.autoLeave,
      },
      members: this.list(),
      removed: [...this.#removed],
    });
  }

  /** @returns the list and configuration in a snapshot's head, or null when the bytes are none */
  static decode(bytes: Uint8Array): { membership: Membership; conf: ConfState } | null {
    const value = decodeJson(bytes);
    if (!isRecord(value) || !isRecord(value.conf) || !Array.isArray(value.members)) return null;
    const members = value.members.map(toMember);
    const conf: ConfState = {
      voters: toIds(value.conf.voters),
      votersOutgoing: toIds(value.conf.votersOutgoing),
      learners: toIds(value.conf.learners),
      learnersNext: toIds(value.conf.learnersNext),
      autoLeave: value.conf.autoLeave === true,
    };
    const known = members.filter((member) => member !== null);
    const membership = new Membership(known);
    for (const id of toIds(value.removed)) membership.#removed.add(id);
    return known.length === members.length ? { membership, conf } : null;
  }
}

/** @returns the context of a membership change */
export function encodeMember(member: MemberRecord): Uint8Array {
  return encodeJson(member);
}

/** @returns the member in a change's context, or null when the bytes are none */
export function decodeMember(bytes: Uint8Array): MemberRecord | null {
  return toMember(decodeJson(bytes));
}

function encodeJson(value: unknown): Uint8Array {
  const text = JSON.stringify(
    value,
    (_, field) => typeof field === "bigint" ? field.toString(16) : field,
  );
  return new TextEncoder().encode(text);
}

function decodeJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return null;
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

function toIds(value: unknown): bigint[] {
  if (!Array.isArray(value)) return [];
  return value.filter((id) => /^[0-9a-f]{1,16}$/.test(String(id))).map((id) => BigInt(`0x${id}`));
}

function toMember(value: unknown): MemberRecord | null {
  if (!isRecord(value)) return null;
  const [id] = toIds([value.id]);
  if (id === undefined || typeof value.name !== "string") return null;
  return {
    id,
    name: value.name,
    peerUrls: toTexts(value.peerUrls),
    clientUrls: toTexts(value.clientUrls),
    isLearner: value.isLearner === true,
  };
}

function toTexts(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((text) => typeof text === "string") : [];
}
