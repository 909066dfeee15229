/**
 * Object <-> key, stored bytes <-> object, store revision <-> resourceVersion: the one bilingual
 * file between the API and the store.
 * In: resources, names, objects, key-value pairs. Out: keys, canonical JSON, frozen objects.
 * Never: asks the store anything. Stored JSON starts with kind, apiVersion, metadata and holds no
 * resourceVersion, so an answer is the stored bytes with the revision spliced in.
 * Source: upstream's storage layout (default_storage_factory_builder.go, v1.36).
 */
import type { KubeObject } from "../api/meta.ts";
import type { Resource } from "../api/resource.ts";
import { resources } from "../api/resources.ts";
import { type ApiError, internalError } from "../api/status.ts";
import { encodeUtf8 } from "../api/text/utf8.ts";

export const REGISTRY_ROOT = "/registry/";

/** Plurals whose place in the store is not their own name. */
const SPECIAL_PREFIXES: Readonly<Record<string, string>> = {
  replicationcontrollers: "controllers",
  endpoints: "services/endpoints",
  nodes: "minions",
  services: "services/specs",
  ingresses: "ingress",
};

/** Groups that upstream stores without their name; all others are custom and carry it. */
const BUILT_IN_GROUPS = new Set([
  "",
  "admissionregistration.k8s.io",
  "apps",
  "authentication.k8s.io",
  "authorization.k8s.io",
  "autoscaling",
  "batch",
  "certificates.k8s.io",
  "coordination.k8s.io",
  "discovery.k8s.io",
  "events.k8s.io",
  "flowcontrol.apiserver.k8s.io",
  "networking.k8s.io",
  "node.k8s.io",
  "policy",
  "rbac.authorization.k8s.io",
  "resource.k8s.io",
  "scheduling.k8s.io",
  "storage.k8s.io",
]);

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** `/registry/pods/`, `/registry/example.com/widgets/`. */
export function storagePrefix(resource: Pick<Resource, "group" | "plural">): string {
  const { group, plural } = resource;
  if (!BUILT_IN_GROUPS.has(group)) return `${REGISTRY_ROOT}${group}/${plural}/`;
  return `${REGISTRY_ROOT}${SPECIAL_PREFIXES[plural] ?? plural}/`;
}

/** `/registry/pods/default/web-0`; a cluster-scoped object has no namespace part. */
export function storageKey(prefix: string, namespace: string, name: string): string {
  return namespace === "" ? prefix + name : `${prefix}${namespace}/${name}`;
}

/**
 * The resource prefix of a stored key, or null when it lies outside of the registry.
 * @param key full key, such as `/registry/services/specs/default/kubernetes`
 */
export function prefixOfKey(key: string): string | null {
  if (!key.startsWith(REGISTRY_ROOT)) return null;
  const first = key.indexOf("/", REGISTRY_ROOT.length);
  if (first < 0) return null;
  const head = key.slice(REGISTRY_ROOT.length, first);
  const isNested = head === "services" || head.includes(".");
  if (!isNested) return key.slice(0, first + 1);
  const second = key.indexOf("/", first + 1);
  return second < 0 ? null : key.slice(0, second + 1);
}

/** Which resource a stored key belongs to; null for a key outside of the registry. */
export function groupResourceOfKey(
  key: string,
): { readonly group: string; readonly resource: string } | null {
  const prefix = prefixOfKey(key);
  if (prefix === null) return null;
  const row = rowOfPrefix(prefix);
  if (row !== undefined) return { group: row.group, resource: row.plural };
  const [group, resource = group] = prefix.slice(REGISTRY_ROOT.length, -1).split("/");
  return group === resource ? { group: "", resource } : { group, resource };
}

const ROWS_BY_PREFIX = new Map<string, Resource>();

/** The resource as which objects under a prefix are kept; undefined for a custom one. */
export function rowOfPrefix(prefix: string): Resource | undefined {
  if (ROWS_BY_PREFIX.size === 0) {
    for (const row of resources) {
      if (row.storedAs === undefined) ROWS_BY_PREFIX.set(storagePrefix(row), row);
    }
  }
  return ROWS_BY_PREFIX.get(prefix);
}

const SEALED_HEAD = encodeUtf8("k8s:enc:");

/** Whether stored bytes are sealed, and not the JSON of an object. */
export function isSealed(value: Uint8Array): boolean {
  if (value[0] !== SEALED_HEAD[0]) return false;
  for (let i = 1; i < SEALED_HEAD.length; i++) if (value[i] !== SEALED_HEAD[i]) return false;
  return true;
}

/** The failure of a read of bytes that no key of the configuration opens, or that are no object. */
export function unreadable(
  { key, value }: { readonly key: string; readonly value: Uint8Array },
): ApiError {
  const verb = isSealed(value) ? "transform" : "decode";
  const why = isSealed(value)
    ? "the provided value does not match any of the supported transformers"
    : "its value is not the JSON of an object of this kind";
  return internalError(`unable to ${verb} key ${JSON.stringify(key)}: ${why}`);
}

/** Keys are short and soon forgotten: they share room, which saves most of a microsecond each. */
const KEY_ROOM_BYTES = 16 * 1024;
let keyRoom = new Uint8Array(KEY_ROOM_BYTES);
let keyRoomUsed = 0;

export function encodeKey(key: string): Uint8Array {
  // No character takes more than three bytes.
  if (keyRoomUsed + 3 * key.length > keyRoom.length) {
    keyRoom = new Uint8Array(Math.max(KEY_ROOM_BYTES, 3 * key.length));
    keyRoomUsed = 0;
  }
  const start = keyRoomUsed;
  keyRoomUsed += encoder.encodeInto(key, keyRoom.subarray(start)).written;
  return keyRoom.subarray(start, keyRoomUsed);
}

export function decodeKey(key: Uint8Array): string {
  return decoder.decode(key);
}

/** The end of the range of all keys that start with `prefix`. */
export function encodePrefixEnd(prefix: string): Uint8Array {
  const end = encodeUtf8(prefix);
  end[end.length - 1]++;
  return end;
}

export function formatResourceVersion(revision: number): string {
  return String(revision);
}

/** @returns the revision, or null when the text is not one. */
export function parseResourceVersion(text: string): number | null {
  if (!/^\d{1,16}$/.test(text)) return null;
  const revision = Number(text);
  return Number.isSafeInteger(revision) ? revision : null;
}

/** Makes a draft what readers share: its revision set, frozen all the way down. */
export function sealStored(draft: KubeObject, revision: number): KubeObject {
  if (!Object.isFrozen(draft.metadata)) {
    draft.metadata.resourceVersion = formatResourceVersion(revision);
  }
  return deepFreeze(draft);
}

const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const METADATA_KEY = encodeUtf8('"metadata":');

/** Where in canonical bytes the members of metadata begin; -1 when the bytes are not canonical. */
function metadataStart(value: Uint8Array): number {
  const brace = value.indexOf(OPEN_BRACE, 1);
  const keyAt = brace - METADATA_KEY.length;
  if (keyAt < 0) return -1;
  for (let i = 0; i < METADATA_KEY.length; i++) {
    if (value[keyAt + i] !== METADATA_KEY[i]) return -1;
  }
  return brace + 1;
}

/**
 * The JSON that clients read: the stored bytes with the resourceVersion in their metadata.
 * @returns null for bytes that are not canonical
 */
export function spliceResourceVersion(value: Uint8Array, revision: number): Uint8Array | null {
  const at = metadataStart(value);
  if (at < 0) return null;
  const isEmpty = value[at] === CLOSE_BRACE;
  const member = `"resourceVersion":"${formatResourceVersion(revision)}"${isEmpty ? "" : ","}`;
  const out = new Uint8Array(value.length + member.length);
  out.set(value.subarray(0, at));
  for (let i = 0; i < member.length; i++) out[at + i] = member.charCodeAt(i);
  out.set(value.subarray(at), at + member.length);
  return out;
}

/** Freezes a JSON value; parts that are frozen already are taken as frozen all the way down. */
export function deepFreeze<T>(value: T): T {
  if (typeof value !== "object" || value === null || Object.isFrozen(value)) return value;
  Object.freeze(value);
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) deepFreeze(value[i]);
  } else {
    for (const name in value) deepFreeze(value[name]);
  }
  return value;
}

/** A private, mutable copy of a JSON value. */
export function copyJson<T>(value: T): T {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) {
    const out = new Array(value.length);
    for (let i = 0; i < value.length; i++) out[i] = copyJson(value[i]);
    return out as T;
  }
  const out: Record<string, unknown> = {};
  for (const name in value) {
    // Assigning this name would set the prototype; a ConfigMap may hold it as a key.
    if (name === "__proto__") defineMember(out, name, copyJson(value[name]));
    else out[name] = copyJson(value[name]);
  }
  return out as T;
}

function defineMember(out: object, name: string, value: unknown): void {
  Object.defineProperty(out, name, { value, enumerable: true, writable: true, configurable: true });
}
