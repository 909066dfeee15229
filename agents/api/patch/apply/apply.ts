/**
 * Server-side apply, and the ownership that other writes leave behind.
 * In: the live object, a configuration or a changed object, who writes, when. Out: the merged
 * object and its managedFields, or the conflicts.
 * Never: changes its inputs, defaults or validates.
 * Source: structured-merge-diff's merge.Updater and apimachinery's util/managedfields (v1.36).
 */
import type { KubeObject, ManagedFieldsEntry } from "../../meta.ts";
import { equalJson } from "../json_patch.ts";
import { isObject } from "../merge_patch.ts";
import type { Json } from "../outcome.ts";
import {
  difference,
  EMPTY_SET,
  equalSets,
  fieldNode,
  type FieldSet,
  formatPaths,
  intersection,
  isEmptySet,
  LEAF_SET,
  union,
  withoutTop,
} from "./field_set.ts";
import { createdFields } from "./created.ts";
import {
  capManagers,
  formatManagers,
  type Manager,
  managerId,
  type Managers,
  parseManagers,
  setFields,
} from "./managers.ts";
import { mergeValues, removeFields, withStructs } from "./merge.ts";
import { type Shape, shapeOfType } from "./shape.ts";
import { BadValue, compareValues, type Comparison, fieldsOf } from "./walk.ts";

/** One field that another manager owns with another value. */
export interface ApplyConflict {
  readonly manager: Manager;
  /** `.spec.replicas` */
  readonly path: string;
}

export type ApplyOutcome =
  | { readonly kind: "applied"; readonly object: KubeObject }
  /** Neither the object nor who manages it changes. */
  | { readonly kind: "unchanged" }
  | { readonly kind: "conflict"; readonly conflicts: readonly ApplyConflict[] }
  /** The configuration breaks its type. */
  | { readonly kind: "malformed"; readonly message: string };

export interface ApplyParts {
  readonly typeName: string;
  /** Of a type without a table. */
  readonly shape?: Shape;
  /** The object as it is; null where there is none. */
  readonly live: KubeObject | null;
  readonly config: KubeObject;
  readonly manager: Omit<Manager, "operation">;
  readonly force: boolean;
  /** RFC 3339, whole seconds. */
  readonly time: string;
  /** Top-level fields that this endpoint does not write. */
  readonly ignored: readonly string[];
}

/** The annotation that client-side apply keeps. */
export const LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration";
const BEFORE_APPLY = "before-first-apply";

/** Identity and bookkeeping that nobody owns. */
const UNOWNED: FieldSet = namedSet({
  apiVersion: LEAF_SET,
  kind: LEAF_SET,
  metadata: namedSet({
    name: LEAF_SET,
    namespace: LEAF_SET,
    creationTimestamp: LEAF_SET,
    selfLink: LEAF_SET,
    uid: LEAF_SET,
    generation: LEAF_SET,
    managedFields: LEAF_SET,
    resourceVersion: LEAF_SET,
  }, true),
});

function namedSet(fields: Record<string, FieldSet>, owned = false): FieldSet {
  return fieldNode(owned, new Map(Object.entries(fields).map(([name, set]) => [`f:${name}`, set])));
}

/** Applies a configuration. */
export function applyConfig(parts: ApplyParts): ApplyOutcome {
  try {
    return apply(parts);
  } catch (error) {
    if (error instanceof BadValue) return { kind: "malformed", message: error.message };
    throw error;
  }
}

function apply(parts: ApplyParts): ApplyOutcome {
  const { live, time } = parts;
  const config = withoutIgnored(parts);
  const shape = parts.shape ?? shapeOfType(parts.typeName);
  const base = live === null ? {} : withoutManagers(live);
  const before = managersOf(parts, shape, base);
  const manager: Manager = { ...parts.manager, operation: "Apply" };
  const id = managerId(manager);
  const last = before.get(id);
  const merged = mergeValues(shape, base, config);
  const fields = difference(fieldsOf(shape, config), UNOWNED);
  const managers: Managers = new Map(before);
  setFields(managers, { ...manager, time, fields });
  const next = last === undefined ? merged : prune({ shape, merged, last: last.fields, managers });
  const compared = compareValues(shape, base, next);
  const conflicts = conflictsOf(managers, id, compared);
  if (conflicts.length > 0) {
    const isForced = parts.force || isAllowed(parts, conflicts);
    if (!isForced) return { kind: "conflict", conflicts: refusedOf(parts, conflicts) };
  }
  takeFromOthers(managers, id, compared);
  const isSame = live !== null && equalJson(base, next);
  const isOwned = last === undefined ? isEmptySet(fields) : equalSets(last.fields, fields);
  if (isSame && isOwned && conflicts.length === 0) return { kind: "unchanged" };
  return { kind: "applied", object: withManagers(next, managers, parts) };
}

/** The configuration as far as this endpoint writes it. */
function withoutIgnored({ config, ignored }: ApplyParts): KubeObject {
  if (!ignored.some((name) => Object.hasOwn(config, name))) return config;
  const kept = { ...config };
  for (const name of ignored) delete kept[name];
  return kept;
}

/** The managers so far; an object that nobody managed belongs to a time before. */
function managersOf(parts: ApplyParts, shape: Shape, base: Json): Managers {
  const managers = parseManagers(parts.live?.metadata.managedFields) ?? new Map();
  if (managers.size > 0 || parts.live === null) return managers;
  const fields = difference(compareValues(shape, {}, base).added, UNOWNED);
  const { apiVersion, subresource } = parts.manager;
  const manager = { name: BEFORE_APPLY, operation: "Update" as const, apiVersion, subresource };
  setFields(managers, { ...manager, time: parts.time, fields });
  return managers;
}

function withoutManagers(object: KubeObject): Json {
  const { managedFields: _, ...metadata } = object.metadata;
  return { ...object, metadata };
}

function withManagers(next: Json, managers: Managers, parts: ApplyParts): KubeObject {
  const managedFields = formatManagers(managers);
  const metadata = { ...next.metadata, ...(managedFields === undefined ? {} : { managedFields }) };
  const isTold = parts.manager.name === "kubectl" && metadata.annotations?.[LAST_APPLIED];
  if (isTold) {
    metadata.annotations = { ...metadata.annotations, [LAST_APPLIED]: lastApplied(parts.config) };
  }
  return { ...next, metadata };
}

/** What a later client-side apply takes for its own last word. */
function lastApplied(config: KubeObject): string {
  const { annotations, ...metadata } = config.metadata;
  const { [LAST_APPLIED]: _, ...others } = annotations ?? {};
  const kept = annotations === undefined ? metadata : { ...metadata, annotations: others };
  return JSON.stringify({ ...config, metadata: kept }) + "\n";
}

interface PruneParts {
  readonly shape: Shape;
  readonly merged: Json;
  /** What this manager applied before. */
  readonly last: FieldSet;
  /** Everybody, this manager with its new set. */
  readonly managers: Managers;
}

/** Removes what the manager applied before and no longer does, unless another owns it. */
function prune({ shape, merged, last, managers }: PruneParts): Json {
  const named = (fields: FieldSet) => withStructs(shape, fields);
  const lastNamed = named(last);
  const pruned = removeFields(shape, merged, lastNamed);
  let owned = EMPTY_SET;
  for (const managed of managers.values()) owned = union(owned, managed.fields);
  const mergedSet = named(fieldsOf(shape, merged));
  const kept = union(named(fieldsOf(shape, pruned)), named(owned));
  const restored = removeFields(shape, merged, difference(mergedSet, kept));
  // Items that nobody owned stood below something that went: they come back.
  const restoredSet = named(fieldsOf(shape, restored));
  const gone = intersection(difference(mergedSet, restoredSet), lastNamed);
  return removeFields(shape, merged, gone);
}

function conflictsOf(managers: Managers, self: string, compared: Comparison): ApplyConflict[] {
  const changed = union(compared.modified, compared.added);
  const conflicts: ApplyConflict[] = [];
  for (const id of [...managers.keys()].sort()) {
    if (id === self) continue;
    const manager = managers.get(id)!;
    for (const path of formatPaths(intersection(manager.fields, changed))) {
      conflicts.push({ manager, path });
    }
  }
  return conflicts;
}

/** Others lose what was changed or removed; who has nothing left goes. */
function takeFromOthers(managers: Managers, self: string, compared: Comparison): void {
  const taken = union(union(compared.modified, compared.added), compared.removed);
  if (isEmptySet(taken)) return;
  for (const [id, managed] of [...managers]) {
    if (id === self) continue;
    const fields = difference(managed.fields, taken);
    if (fields !== managed.fields) setFields(managers, { ...managed, fields });
  }
}

/** Conflicts about values that client-side apply itself wrote are kubectl's own. */
function isAllowed(parts: ApplyParts, conflicts: readonly ApplyConflict[]): boolean {
  return refusedOf(parts, conflicts).length === 0;
}

function refusedOf(
  parts: ApplyParts,
  conflicts: readonly ApplyConflict[],
): readonly ApplyConflict[] {
  const allowed = new Set(parts.manager.name === "kubectl" ? lastAppliedPaths(parts) : []);
  return conflicts.filter((conflict) => !allowed.has(conflict.path));
}

/** Paths whose live value is what the annotation says. */
function lastAppliedPaths(parts: ApplyParts): readonly string[] {
  const text = parts.live?.metadata.annotations?.[LAST_APPLIED];
  if (!text) return [];
  let object: Json;
  try {
    object = JSON.parse(text);
  } catch {
    return [];
  }
  if (!isObject(object) || object.apiVersion !== parts.manager.apiVersion) return [];
  const shape = parts.shape ?? shapeOfType(parts.typeName);
  try {
    const { added, modified, removed } = compareValues(shape, object, withoutManagers(parts.live!));
    const differing = union(union(added, modified), removed);
    return formatPaths(difference(fieldsOf(shape, object), differing));
  } catch (error) {
    if (error instanceof BadValue) return [];
    throw error;
  }
}

export interface UpdateParts {
  readonly typeName: string;
  /** Of a type without a table. */
  readonly shape?: Shape;
  /** null on create. */
  readonly old: KubeObject | null;
  /** The object as it will be; its managedFields are what the client sent. */
  readonly next: KubeObject;
  readonly manager: Omit<Manager, "operation">;
  readonly time: string;
  readonly ignored: readonly string[];
}

/**
 * The managedFields after a create, an update or another patch.
 * @returns undefined for an object that nobody tracks
 */
export function trackUpdate(parts: UpdateParts): readonly ManagedFieldsEntry[] | undefined {
  const { old, next } = parts;
  if (old === null && next.metadata.managedFields === undefined) return trackCreate(parts);
  const managers = sentManagers(parts);
  if (managers === null) return undefined;
  if (old !== null && managers.size === 0) return undefined;
  const shape = parts.shape ?? shapeOfType(parts.typeName);
  let compared: Comparison;
  try {
    compared = compareValues(
      shape,
      old === null ? {} : withoutManagers(old),
      withoutManagers(next),
    );
  } catch (error) {
    // Lists with items that can't be told apart are the validation's to refuse.
    if (error instanceof BadValue) return old?.metadata.managedFields;
    throw error;
  }
  const manager: Manager = { ...parts.manager, operation: "Update" };
  const id = managerId(manager);
  takeFromOthers(managers, id, compared);
  const known = managers.get(id);
  const changed = withoutTop(union(compared.modified, compared.added), parts.ignored);
  const gained = difference(changed, UNOWNED);
  const kept = known === undefined ? EMPTY_SET : difference(known.fields, compared.removed);
  const time = isEmptySet(gained) ? known?.time ?? parts.time : parts.time;
  setFields(managers, { ...manager, time, fields: union(kept, gained) });
  capManagers(managers);
  return formatManagers(managers);
}

function trackCreate(parts: UpdateParts): readonly ManagedFieldsEntry[] | undefined {
  const { next, time, ignored, manager: { name, apiVersion, subresource } } = parts;
  try {
    const fieldsV1 = createdFields(parts.shape ?? shapeOfType(parts.typeName), next, ignored);
    if (fieldsV1 === null) return undefined;
    return [{
      manager: name,
      operation: "Update",
      apiVersion,
      time,
      fieldsType: "FieldsV1",
      fieldsV1,
      ...(subresource === "" ? {} : { subresource }),
    }];
  } catch (error) {
    if (error instanceof BadValue) return undefined;
    throw error;
  }
}

/** What the client sent wins over what is there; `[]` forgets everybody. */
function sentManagers({ old, next, manager }: UpdateParts): Managers | null {
  const live = () => parseManagers(old?.metadata.managedFields) ?? new Map();
  const sent = next.metadata.managedFields;
  if (manager.subresource !== "" || sent === undefined || sent === null) return live();
  const isReset = sent.length === 0 || (sent.length === 1 && Object.keys(sent[0]).length === 0);
  if (isReset) return new Map();
  const managers = parseManagers(sent);
  return managers === null || managers.size === 0 ? live() : managers;
}
