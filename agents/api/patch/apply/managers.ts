/**
 * Who manages which fields of an object: metadata.managedFields, read and written.
 * In: entries as JSON carries them. Out: managers with their field sets, and back, sorted.
 * Never: decides who owns what. Source: apimachinery's util/managedfields (managedfields,
 * capmanagers), v1.36.
 */
import type { ManagedFieldsEntry } from "../../meta.ts";
import { type FieldSet, formatFields, isEmptySet, parseFields, union } from "./field_set.ts";

export interface Manager {
  readonly name: string;
  readonly operation: "Apply" | "Update";
  /** Version whose fields are named, `apps/v1`. */
  readonly apiVersion: string;
  readonly subresource: string;
}

export interface Managed extends Manager {
  readonly fields: FieldSet;
  /** RFC 3339, or "" where nobody knows. */
  readonly time: string;
}

/** By identity; what an object has at one moment. */
export type Managers = Map<string, Managed>;

/** More managers of updates than these share one entry. */
export const MAX_UPDATE_MANAGERS = 10;
const ANCIENT = "ancient-changes";

/** Applying in another version is the same manager; updating is not. */
export function managerId(manager: Manager): string {
  const { name, operation, apiVersion, subresource } = manager;
  return JSON.stringify({
    ...(name === "" ? {} : { manager: name }),
    operation,
    ...(operation === "Apply" ? {} : { apiVersion }),
    ...(subresource === "" ? {} : { subresource }),
  });
}

/** @returns null when an entry is none */
export function parseManagers(entries: readonly ManagedFieldsEntry[] | undefined): Managers | null {
  const managers: Managers = new Map();
  for (const entry of entries ?? []) {
    const managed = parseEntry(entry);
    if (managed === null) return null;
    managers.set(managerId(managed), managed);
  }
  return managers;
}

function parseEntry(entry: ManagedFieldsEntry): Managed | null {
  if (typeof entry !== "object" || entry === null) return null;
  const { manager = "", operation, apiVersion, time = "", fieldsType, subresource = "" } = entry;
  if (operation !== "Apply" && operation !== "Update") return null;
  if (!apiVersion || fieldsType !== "FieldsV1") return null;
  const fields = parseFields(entry.fieldsV1 ?? {});
  return fields === null
    ? null
    : { name: manager, operation, apiVersion, subresource, time, fields };
}

/** Applies first, then by time. @returns undefined where nobody manages anything */
export function formatManagers(managers: Managers): ManagedFieldsEntry[] | undefined {
  if (managers.size === 0) return undefined;
  const sorted = [...managers.values()].sort((a, b) =>
    compareText(a.operation, b.operation) || compareText(a.time, b.time) ||
    compareText(a.name, b.name) || compareText(a.apiVersion, b.apiVersion) ||
    compareText(a.subresource, b.subresource)
  );
  return sorted.map(formatEntry);
}

function formatEntry(managed: Managed): ManagedFieldsEntry {
  return {
    ...(managed.name === "" ? {} : { manager: managed.name }),
    operation: managed.operation,
    apiVersion: managed.apiVersion,
    ...(managed.time === "" ? {} : { time: managed.time }),
    fieldsType: "FieldsV1",
    fieldsV1: formatFields(managed.fields),
    ...(managed.subresource === "" ? {} : { subresource: managed.subresource }),
  };
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Puts a set in place of a manager's; an empty one takes the manager out. */
export function setFields(managers: Managers, managed: Managed): void {
  const id = managerId(managed);
  if (isEmptySet(managed.fields)) managers.delete(id);
  else managers.set(id, managed);
}

/** Gathers the oldest managers of updates in one entry for each version. */
export function capManagers(managers: Managers): void {
  const updaters = [...managers].filter(([, managed]) => managed.operation === "Update");
  let count = updaters.length;
  if (count <= MAX_UPDATE_MANAGERS) return;
  updaters.sort(([a, left], [b, right]) => compareText(left.time, right.time) || compareText(a, b));
  const firstOfVersion = new Map<string, string>();
  for (const [id, managed] of updaters) {
    if (count <= MAX_UPDATE_MANAGERS) return;
    const first = firstOfVersion.get(managed.apiVersion);
    if (first === undefined) {
      firstOfVersion.set(managed.apiVersion, id);
      continue;
    }
    const { apiVersion, time } = managed;
    const bucket = { name: ANCIENT, operation: "Update" as const, apiVersion, subresource: "" };
    const bucketId = managerId(bucket);
    const gathered = managers.get(bucketId) ?? managers.get(first)!;
    if (!managers.has(bucketId)) managers.delete(first);
    managers.delete(id);
    managers.set(bucketId, { ...bucket, time, fields: union(managed.fields, gathered.fields) });
    count--;
  }
}
