/**
 * Canonical stored bytes of an object, put together from as many known bytes as there are.
 * In: a draft, JSON of its spec where many objects share it, the version that it replaces.
 * Out: its bytes, and where its parts begin in them.
 * Never: takes over a part that the draft does not share with that version.
 */
import type { KubeObject } from "../../api/meta.ts";
import { joinBytes } from "../../api/text/join_bytes.ts";
import { encodeUtf8 } from "../../api/text/utf8.ts";

/** JSON of a spec that is known already: bytes that many objects share, and what follows them. */
export interface KnownSpec {
  readonly bytes: Uint8Array;
  readonly tail: string;
}

/** Offsets of what stands before a member's name: a comma. The status comes last. */
export interface Layout {
  readonly specAt: number;
  /** Of the closing brace, where there is no status. */
  readonly statusAt: number;
}

export interface StoredBytes {
  readonly value: Uint8Array;
  /** null where it is not known; the bytes are canonical all the same. */
  readonly layout: Layout | null;
}

/** A version that a draft replaces. */
export interface Replaced extends StoredBytes {
  readonly object: KubeObject;
}

type Part = string | Uint8Array;

/**
 * JSON that starts with kind, apiVersion and metadata; drops metadata.resourceVersion from the
 * draft.
 * @param draft a private, mutable object with kind and apiVersion set
 * @param known.spec JSON of its spec
 * @param known.before its bytes stand for what the draft shares with it: the very same values
 */
export function encodeStored(
  draft: KubeObject,
  { spec, before }: { readonly spec?: KnownSpec; readonly before?: Replaced } = {},
): StoredBytes {
  draft.metadata.resourceVersion = undefined;
  const layout = before?.layout ?? null;
  if (before !== undefined && layout !== null) {
    const { value, object } = before;
    const hasHead = hasHeadOf(draft, object);
    if (sharesAllBut(["metadata", "status"], draft, object)) {
      if (hasHead) {
        const added = addedConditions(draft.status, object.status);
        const parts = added === null
          ? [value.subarray(0, layout.statusAt), endOf(draft)]
          : [value.subarray(0, value.length - CONDITIONS_END.length), added];
        return { value: join(parts), layout };
      }
      return encodeParts(headOf(draft), [value.subarray(layout.specAt, layout.statusAt)], draft);
    }
    if (hasHead && spec !== undefined) {
      return encodeAround(value.subarray(0, layout.specAt), spec, draft);
    }
  }
  if (spec !== undefined) return encodeAround(headOf(draft), spec, draft);
  const { kind, apiVersion, metadata, ...fields } = draft;
  const text = JSON.stringify({ kind, apiVersion, metadata, ...fields });
  return { value: encodeUtf8(text), layout: null };
}

/** @param head what comes before the spec */
function encodeAround(head: Part, { bytes, tail }: KnownSpec, draft: KubeObject): StoredBytes {
  const { kind: _, apiVersion: __, metadata: ___, spec: ____, status: _____, ...others } = draft;
  const text = JSON.stringify(others);
  const rest = text === "{}" ? tail : `${tail},${text.slice(1, -1)}`;
  return encodeParts(head, [',"spec":', bytes, rest], draft);
}

/** @param middle from the spec to the status */
function encodeParts(head: Part, middle: readonly Part[], draft: KubeObject): StoredBytes {
  const parts = [head, ...middle, endOf(draft)];
  const value = joinAscii(parts);
  if (value === null) return { value: join(parts), layout: null };
  const specAt = head.length;
  const statusAt = middle.reduce((at, part) => at + part.length, specAt);
  return { value, layout: { specAt, statusAt } };
}

function headOf({ kind, apiVersion, metadata }: KubeObject): string {
  return JSON.stringify({ kind, apiVersion, metadata }).slice(0, -1);
}

function endOf({ status }: KubeObject): string {
  return status === undefined ? "}" : `,"status":${JSON.stringify(status)}}`;
}

/** Ends a status whose conditions come last. */
const CONDITIONS_END = "]}}";

/**
 * What takes the place of the end of the bytes, where a status has a few conditions more than the
 * one before and is the same otherwise; null where it is not, or where conditions don't come last.
 */
function addedConditions(
  now: KubeObject["status"],
  before: KubeObject["status"],
): string | null {
  const has = now?.conditions;
  const had = before?.conditions;
  if (!Array.isArray(has) || !Array.isArray(had) || had.length === 0) return null;
  if (has.length <= had.length || had.some((condition, i) => has[i] !== condition)) return null;
  if (lastOf(before!) !== "conditions" || !sharesAllBut(["conditions"], now!, before!)) return null;
  return `,${JSON.stringify(has.slice(had.length)).slice(1, -1)}${CONDITIONS_END}`;
}

/** The name of the last member that JSON shows. */
function lastOf(status: NonNullable<KubeObject["status"]>): string {
  let last = "";
  for (const name in status) if (status[name] !== undefined) last = name;
  return last;
}

function hasHeadOf(draft: KubeObject, before: KubeObject): boolean {
  return draft.kind === before.kind && draft.apiVersion === before.apiVersion &&
    sharesAllBut(["resourceVersion"], draft.metadata, before.metadata);
}

/** Whether both hold the same values under the same names, others than those left out. */
function sharesAllBut<T extends object>(names: readonly string[], now: T, before: T): boolean {
  for (const name in now) if (now[name] !== before[name] && !names.includes(name)) return false;
  for (const name in before) if (now[name] !== before[name] && !names.includes(name)) return false;
  return true;
}

function join(parts: readonly Part[]): Uint8Array {
  return joinAscii(parts) ??
    joinBytes(parts.map((part) => typeof part === "string" ? encodeUtf8(part) : part));
}

/** @returns null when a text has other characters, which take more than a byte each */
function joinAscii(parts: readonly Part[]): Uint8Array | null {
  let size = 0;
  for (const part of parts) size += part.length;
  const out = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    if (typeof part !== "string") out.set(part, at);
    else if (!writeAscii(part, out.subarray(at))) return null;
    at += part.length;
  }
  return out;
}

const encoder = new TextEncoder();

function writeAscii(text: string, out: Uint8Array): boolean {
  const { read, written } = encoder.encodeInto(text, out);
  return read === text.length && written === text.length;
}
