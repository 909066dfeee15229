/**
 * Strategic merge patch: lists merge by key where the field tables say so.
 * In: an object, a patch with its `$` directives, the type. Out: a new object, or why not.
 * Never: changes its inputs. Source: apimachinery util/strategicpatch (v1.36).
 */
import { type Field, mustTypeInfo, type TypeInfo } from "../schema/fields.ts";
import { equalJson } from "./json_patch.ts";
import { isObject, setOwn } from "./merge_patch.ts";
import type { Json, PatchOutcome } from "./outcome.ts";

type Draft = Record<string, Json>;

const DIRECTIVE = "$patch";
const RETAIN_KEYS = "$retainKeys";
const DELETE_PREFIX = "$deleteFromPrimitiveList/";
const ORDER_PREFIX = "$setElementOrder/";

class BadPatch extends Error {}

/**
 * Applies a patch.
 * @param typeName full name of the object's type in the field tables.
 * @param target the current object.
 * @param patch decoded patch document.
 */
export function applyStrategicMergePatch(
  typeName: string,
  target: Json,
  patch: Json,
): PatchOutcome {
  if (!isObject(patch)) return { kind: "malformed", message: "patch must be a JSON object" };
  try {
    const value = mergeObject(isObject(target) ? target : {}, patch, mustTypeInfo(typeName));
    return { kind: "patched", value };
  } catch (error) {
    if (error instanceof BadPatch) return { kind: "malformed", message: error.message };
    throw error;
  }
}

function mergeObject(target: Draft, patch: Draft, type: TypeInfo | undefined): Draft {
  const directive = patch[DIRECTIVE];
  if (directive === "delete") return {};
  if (directive === "replace") return withoutDirectives(patch);
  if (directive !== undefined && directive !== "merge") {
    throw new BadPatch(`unknown patch type found: ${directive}`);
  }
  const result = retainKeys({ ...target }, patch);
  for (const [name, value] of Object.entries(patch)) {
    if (name.startsWith(DELETE_PREFIX)) {
      deleteFromPrimitives(result, name.slice(DELETE_PREFIX.length), value);
    }
  }
  for (const [name, value] of Object.entries(patch)) {
    if (isDirective(name)) continue;
    if (value === null) delete result[name];
    else setOwn(result, name, mergeField(result, name, value, type));
  }
  for (const name of Object.keys(patch)) {
    if (name.startsWith(ORDER_PREFIX)) {
      orderElements(result, name.slice(ORDER_PREFIX.length), patch, type);
    }
  }
  return result;
}

function isDirective(name: string): boolean {
  return name === DIRECTIVE || name === RETAIN_KEYS || name.startsWith(DELETE_PREFIX) ||
    name.startsWith(ORDER_PREFIX);
}

function retainKeys(result: Draft, patch: Draft): Draft {
  const keys = patch[RETAIN_KEYS];
  if (keys === undefined) return result;
  if (!Array.isArray(keys)) throw new BadPatch(`invalid patch: ${RETAIN_KEYS} must be a list`);
  for (const name of Object.keys(result)) {
    if (!keys.includes(name)) delete result[name];
  }
  return result;
}

function deleteFromPrimitives(result: Draft, name: string, values: Json): void {
  if (!Array.isArray(values)) throw new BadPatch(`invalid patch: ${DELETE_PREFIX}${name}`);
  const list = result[name];
  if (!Array.isArray(list)) return;
  result[name] = list.filter((item) => !values.some((value) => equalJson(item, value)));
}

function mergeField(
  result: Draft,
  name: string,
  value: Json,
  type: TypeInfo | undefined,
): Json {
  const field = type?.byName.get(name);
  const old = Object.hasOwn(result, name) ? result[name] : undefined;
  if (isObject(value)) {
    if (field?.patchStrategies.includes("replace")) return withoutDirectives(value);
    if (field?.kind === "Raw" || !isObject(old)) {
      return mergeObject({}, value, messageType(field));
    }
    return mergeObject(old, value, field?.container === "map" ? undefined : messageType(field));
  }
  if (!Array.isArray(value)) return value;
  if (field === undefined || !field.patchStrategies.includes("merge")) return plainList(value);
  const current = Array.isArray(old) ? old : [];
  if (field.mergeKey === "") return mergePrimitives(current, value);
  return mergeKeyed(current, value, field);
}

function messageType(field: Field | undefined): TypeInfo | undefined {
  return field?.kind === "message" ? mustTypeInfo(field.ref) : undefined;
}

/** A list that replaces: its items may still carry directives, which have no meaning there. */
function plainList(list: readonly Json[]): Json[] {
  return list.filter((item) => !isBareDirective(item)).map(withoutDirectives);
}

function isBareDirective(item: Json): boolean {
  return isObject(item) && Object.hasOwn(item, DIRECTIVE) && Object.keys(item).length === 1;
}

function withoutDirectives(value: Json): Json {
  if (Array.isArray(value)) return plainList(value);
  if (!isObject(value)) return value;
  const result: Draft = {};
  for (const [name, inner] of Object.entries(value)) {
    if (!isDirective(name) && inner !== null) setOwn(result, name, withoutDirectives(inner));
  }
  return result;
}

function mergePrimitives(current: readonly Json[], added: readonly Json[]): Json[] {
  const result = [...current];
  for (const item of added) {
    if (!result.some((known) => equalJson(known, item))) result.push(item);
  }
  return result;
}

function mergeKeyed(
  current: readonly Json[],
  changes: readonly Json[],
  field: Field,
): Json[] {
  const replaces = changes.some((item) => isObject(item) && item[DIRECTIVE] === "replace");
  if (replaces) {
    return changes.filter((item) =>
      !isObject(item) || item[DIRECTIVE] !== "replace" ||
      Object.keys(item).length > 1
    ).map(withoutDirectives);
  }
  const result = [...current];
  const type = messageType(field);
  for (const change of changes) {
    if (!isObject(change)) {
      throw new BadPatch("expected every item of a keyed list to be an object");
    }
    const key = change[field.mergeKey];
    if (key === undefined || key === null) {
      if (isBareDirective(change) && change[DIRECTIVE] === "merge") continue;
      throw new BadPatch(
        `map: ${formatGoMap(change)} does not contain declared merge key: ${field.mergeKey}`,
      );
    }
    const at = result.findIndex((item) => isObject(item) && equalJson(item[field.mergeKey], key));
    if (change[DIRECTIVE] === "delete") {
      if (at >= 0) {
        const rest = result.filter((item) =>
          !isObject(item) || !equalJson(item[field.mergeKey], key)
        );
        result.splice(0, result.length, ...rest);
      }
    } else if (at < 0) result.push(mergeObject({}, change, type));
    else result[at] = mergeObject(result[at], change, type);
  }
  return result;
}

function formatGoMap(value: Draft): string {
  const parts = Object.keys(value).sort().map((key) => `${key}:${JSON.stringify(value[key])}`);
  return `map[${parts.join(" ")}]`;
}

/**
 * Puts listed elements in the listed order; those only the server has keep their place relative
 * to the neighbours they followed.
 */
function orderElements(
  result: Draft,
  name: string,
  patch: Draft,
  type: TypeInfo | undefined,
): void {
  const order = patch[`${ORDER_PREFIX}${name}`];
  if (!Array.isArray(order)) throw new BadPatch(`invalid patch: ${ORDER_PREFIX}${name}`);
  const list = result[name];
  if (!Array.isArray(list)) return;
  const mergeKey = type?.byName.get(name)?.mergeKey ?? "";
  const keyOf = (item: Json) => mergeKey !== "" && isObject(item) ? item[mergeKey] : item;
  const rank = (item: Json) => order.findIndex((wanted) => equalJson(keyOf(wanted), keyOf(item)));
  const listed = list.filter((item) => rank(item) >= 0).sort((a, b) => rank(a) - rank(b));
  const merged: Json[] = [];
  let next = 0;
  for (const item of list) {
    merged.push(rank(item) >= 0 ? listed[next++] : item);
  }
  result[name] = merged;
}
