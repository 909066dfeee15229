/**
 * The two writes of the API server: put one object if its key is as expected, delete likewise.
 * In: a key, a draft or nothing, the revision that must be there. Out: the new version, or null.
 * Never: retries; the verb that asked knows what a lost race means.
 */
import type { RequestOp, TxnRequest } from "../../../store/mod.ts";
import type { Resource } from "../../api/resource.ts";
import { requestEntityTooLarge } from "../../api/status.ts";
import type { KubeObject } from "../../api/meta.ts";
import { sharedJson } from "../cache/shared_specs.ts";
import { encodeStored, type StoredBytes } from "../cache/stored_bytes.ts";
import { convertDraft } from "../custom/webhook.ts";
import type { OwnWrite, WrittenDraft } from "../cache/own_writes.ts";
import { StoredObject } from "../cache/stored_object.ts";
import { copyJson, encodeKey } from "../registry.ts";
import { type Reservations, reservationsOf } from "./reservations.ts";
import {
  BODY_LIMIT_BYTES,
  cacheOf,
  type Core,
  groupResourceOf,
  storeError,
  type VerbAnswer,
} from "./core.ts";

export interface PutParts {
  readonly resource: Resource;
  readonly key: string;
  /** Private; must not be changed after the call. */
  readonly draft: KubeObject;
  /** Revision that the key must have; 0 = the key must not exist. */
  readonly expectedRevision: number;
  /** The version at that revision, where it is at hand. */
  readonly before?: StoredObject;
}

/**
 * @returns the new version, or null when the key was not at the expected revision or a number of
 *   the draft's has become another object's; the caches then hold the change that won
 * Errors: rejects with ApiError when the store can't write.
 */
export function commitPut(core: Core, parts: PutParts): Promise<StoredObject | null> {
  const { resource, draft } = parts;
  if (resource.storedAs !== undefined) {
    if (resource.custom?.asksWebhook) return commitConverted(core, parts);
    const kept = resource.storedAs.toStored(draft);
    return commitBytes(core, { ...parts, draft: kept }, encodeStored(kept));
  }
  const { before } = parts;
  return commitBytes(core, parts, encodeStored(draft, { spec: sharedJson(draft.spec), before }));
}

/** Once a webhook has brought the draft to the version that it is kept in. */
async function commitConverted(core: Core, parts: PutParts): Promise<StoredObject | null> {
  const { resource, draft } = parts;
  await convertDraft(core, resource, draft);
  const kept = copyJson(resource.storedAs!.toStored(draft));
  return await commitBytes(core, { ...parts, draft: kept }, encodeStored(kept));
}

/** As `commitPut`, for a draft whose bytes are known. */
export function commitBytes(
  core: Core,
  parts: PutParts,
  bytes: StoredBytes,
): Promise<StoredObject | null> {
  if (bytes.value.length > BODY_LIMIT_BYTES) throw requestEntityTooLarge(BODY_LIMIT_BYTES);
  if (parts.resource.plural !== "events") return putBytes(core, parts, bytes, 0n);
  // A put without a lease would take the object's time to live away.
  return core.eventLeases.take().then((lease) => putBytes(core, parts, bytes, lease));
}

function putBytes(
  core: Core,
  { resource, key, draft, expectedRevision }: PutParts,
  { value, layout }: StoredBytes,
  lease: bigint,
): Promise<StoredObject | null> {
  const keyBytes = encodeKey(key);
  const cache = cacheOf(core, resource);
  const old = () => expectedRevision === 0 ? null : cache.get(key)?.object ?? null;
  const reserved = reservationsOf(resource, { key, old, next: draft });
  const put: WrittenDraft = { value, layout, draft, stored: null };
  const write: OwnWrite = { key, keyBytes, cache, put, isTold: false };
  core.feed.writes.add(write);
  const operation: RequestOp = { kind: "put", key: keyBytes, value, lease };
  return core.store.txn(onlyAt(keyBytes, expectedRevision, operation, reserved)).then((answer) => {
    core.feed.writes.remove(write);
    if (answer.kind !== "txn") throw storeError(answer, groupResourceOf(resource), "write");
    if (!answer.succeeded) return core.feed.waitFor(answer.revision).then(nothing);
    if (put.stored?.revision === answer.revision) return put.stored;
    return new StoredObject(key, value, answer.revision, put);
  });
}

/** What a verb answers of what `commitPut` did. */
export function storedAnswer(stored: StoredObject | null): VerbAnswer | null {
  return stored === null ? null : { kind: "stored", stored, created: false };
}

/** @returns the deletion's revision, or null when the race was lost */
export function commitDelete(
  core: Core,
  { resource, current }: { readonly resource: Resource; readonly current: StoredObject },
): Promise<number | null> {
  const { key, revision } = current;
  const keyBytes = encodeKey(key);
  const reserved = reservationsOf(resource, { key, old: () => current.object, next: null });
  const cache = cacheOf(core, resource);
  const write: OwnWrite = { key, keyBytes, cache, put: null, isTold: false };
  core.feed.writes.add(write);
  const operation: RequestOp = { kind: "deleteRange", key: keyBytes };
  return core.store.txn(onlyAt(keyBytes, revision, operation, reserved)).then((answer) => {
    core.feed.writes.remove(write);
    if (answer.kind !== "txn") throw storeError(answer, groupResourceOf(resource), "delete");
    if (answer.succeeded) return answer.revision;
    return core.feed.waitFor(answer.revision).then(nothing);
  });
}

/** One operation on a key that must be at a revision, and what is reserved with it. */
function onlyAt(
  key: Uint8Array,
  revision: number,
  operation: RequestOp,
  { compare, operations }: Reservations,
): TxnRequest {
  return {
    kind: "txn",
    compare: [{ key, target: "mod", result: "equal", value: revision }, ...compare],
    success: [operation, ...operations],
    failure: [],
  };
}

function nothing(): null {
  return null;
}
