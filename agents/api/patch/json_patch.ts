/**
 * JSON patch (RFC 6902) with JSON pointers (RFC 6901).
 * In: a document and a list of operations, both decoded. Out: a new document, or why not.
 * Never: changes its inputs. Limits: 10,000 operations and 3 MiB of copies, as the API server's.
 */
import { isObject, setOwn } from "./merge_patch.ts";
import type { Json, PatchOutcome } from "./outcome.ts";

/** More operations than this are refused. */
export const MAX_OPERATIONS = 10_000;

/** Letters of JSON that all copies of a patch may add; each may hold what the last one made. */
const MAX_COPIED = 3 * 1024 * 1024;

class Unappliable extends Error {}

interface Operation {
  readonly op: "add" | "remove" | "replace" | "move" | "copy" | "test";
  readonly path: readonly string[];
  readonly pathText: string;
  readonly from: readonly string[];
  readonly value: Json;
}

/**
 * Applies all operations in order, or none.
 * @param document the current object; it stays as it is.
 * @param patch an array of operations.
 * Errors: malformed for a patch that is no patch, oversized for one too long, unappliable for a
 * failed test or missing path.
 */
export function applyJsonPatch(document: Json, patch: Json): PatchOutcome {
  if (!Array.isArray(patch)) {
    return { kind: "malformed", message: "json patch must be an array of operations" };
  }
  if (patch.length > MAX_OPERATIONS) {
    const message = `The allowed maximum operations in a JSON patch is ${MAX_OPERATIONS}, ` +
      `got ${patch.length}`;
    return { kind: "oversized", message };
  }
  const operations: Operation[] = [];
  for (const raw of patch) {
    const operation = decodeOperation(raw);
    if (typeof operation === "string") return { kind: "malformed", message: operation };
    operations.push(operation);
  }
  let value = structuredClone(document);
  try {
    let copied = 0;
    for (const operation of operations) {
      if (operation.op === "copy") copied = refuseLargeCopies(value, operation, copied);
      value = perform(value, operation);
    }
  } catch (error) {
    if (error instanceof Unappliable) return { kind: "unappliable", message: error.message };
    throw error;
  }
  return { kind: "patched", value };
}

const OPERATIONS: ReadonlySet<string> = new Set([
  "add",
  "remove",
  "replace",
  "move",
  "copy",
  "test",
]);

function decodeOperation(raw: Json): Operation | string {
  if (!isObject(raw)) return "json patch operation must be an object";
  const { op, path, from } = raw;
  if (typeof op !== "string" || !OPERATIONS.has(op)) {
    return `Unexpected kind: ${typeof op === "string" ? op : "unknown"}`;
  }
  const pathParts = decodePointer(path);
  if (pathParts === null) return `${op} operation has an invalid path`;
  const needsFrom = op === "move" || op === "copy";
  const fromParts = needsFrom ? decodePointer(from) : [];
  if (fromParts === null) return `${op} operation has an invalid from`;
  const needsValue = op === "add" || op === "replace" || op === "test";
  if (needsValue && !Object.hasOwn(raw, "value")) return `${op} operation misses its value`;
  return {
    op: op as Operation["op"],
    path: pathParts,
    pathText: path,
    from: fromParts,
    value: raw.value,
  };
}

function decodePointer(pointer: Json): string[] | null {
  if (typeof pointer !== "string") return null;
  if (pointer === "") return [];
  if (!pointer.startsWith("/")) return null;
  return pointer.slice(1).split("/").map((part) =>
    part.replaceAll("~1", "/").replaceAll("~0", "~")
  );
}

/** @returns letters copied so far */
function refuseLargeCopies(document: Json, operation: Operation, copied: number): number {
  const all = copied + JSON.stringify(read(document, operation.from, "copy")).length;
  if (all <= MAX_COPIED) return all;
  throw new Unappliable(
    `Unable to complete the copy, the accumulated size increase of copy is ${all}, ` +
      `exceeding the limit ${MAX_COPIED}`,
  );
}

function perform(document: Json, operation: Operation): Json {
  const { path, pathText } = operation;
  switch (operation.op) {
    case "add":
      return add(document, path, structuredClone(operation.value), pathText);
    case "remove":
      return remove(document, path, pathText);
    case "replace":
      if (path.length === 0) return structuredClone(operation.value);
      return replace(document, path, structuredClone(operation.value), pathText);
    case "move": {
      if (isProperPrefix(operation.from, path)) {
        throw new Unappliable("move operation: a value can't be moved into itself");
      }
      const moved = read(document, operation.from, "move");
      return add(remove(document, operation.from, pathText), path, moved, pathText);
    }
    case "copy":
      return add(document, path, structuredClone(read(document, operation.from, "copy")), pathText);
    case "test":
      if (!equalJson(readOrUndefined(document, path), operation.value)) {
        throw new Unappliable(`testing value ${pathText} failed: test failed`);
      }
      return document;
  }
}

function isProperPrefix(short: readonly string[], long: readonly string[]): boolean {
  return short.length < long.length && short.every((part, index) => part === long[index]);
}

function readOrUndefined(document: Json, path: readonly string[]): Json {
  let value = document;
  for (const part of path) {
    if (Array.isArray(value)) {
      value = /^(0|[1-9]\d*)$/.test(part) ? value[Number(part)] : undefined;
    } else if (isObject(value)) value = Object.hasOwn(value, part) ? value[part] : undefined;
    else return undefined;
  }
  return value;
}

function read(document: Json, path: readonly string[], op: string): Json {
  const value = readOrUndefined(document, path);
  if (value === undefined) missing(op, `/${path.join("/")}`);
  return value;
}

function missing(op: string, path: string): never {
  throw new Unappliable(
    `${op} operation does not apply: doc is missing path: ${path}: missing value`,
  );
}

function parentOf(document: Json, path: readonly string[], op: string, pathText: string): Json {
  const parent = readOrUndefined(document, path.slice(0, -1));
  if (typeof parent !== "object" || parent === null) missing(op, pathText);
  return parent;
}

function arrayIndex(part: string, limit: number, op: string, pathText: string): number {
  const index = /^(0|[1-9]\d*)$/.test(part) ? Number(part) : -1;
  if (index < 0 || index > limit) {
    throw new Unappliable(
      `${op} operation does not apply: doc is missing path: ${pathText}: ` +
        `Unable to access invalid index: ${part}: invalid index referenced`,
    );
  }
  return index;
}

function add(document: Json, path: readonly string[], value: Json, pathText: string): Json {
  if (path.length === 0) return value;
  const parent = parentOf(document, path, "add", pathText);
  const last = path[path.length - 1];
  if (Array.isArray(parent)) {
    const at = last === "-" ? parent.length : arrayIndex(last, parent.length, "add", pathText);
    parent.splice(at, 0, value);
  } else {
    setOwn(parent, last, value);
  }
  return document;
}

function remove(document: Json, path: readonly string[], pathText: string): Json {
  if (path.length === 0) return null;
  const parent = parentOf(document, path, "remove", pathText);
  const last = path[path.length - 1];
  if (Array.isArray(parent)) {
    parent.splice(arrayIndex(last, parent.length - 1, "remove", pathText), 1);
  } else {
    if (!Object.hasOwn(parent, last)) {
      throw new Unappliable(
        `remove operation does not apply: doc is missing path: ${pathText}: ` +
          `Unable to remove nonexistent key: ${last}: missing value`,
      );
    }
    delete parent[last];
  }
  return document;
}

function replace(document: Json, path: readonly string[], value: Json, pathText: string): Json {
  const parent = parentOf(document, path, "replace", pathText);
  const last = path[path.length - 1];
  if (Array.isArray(parent)) {
    parent[arrayIndex(last, parent.length - 1, "replace", pathText)] = value;
  } else {
    if (!Object.hasOwn(parent, last)) missing("replace", pathText);
    setOwn(parent, last, value);
  }
  return document;
}

/** Deep equality of JSON values; absent and null are the same, as upstream compares them. */
export function equalJson(a: Json, b: Json): boolean {
  if (a === b) return true;
  if (!isJsonTree(a) || !isJsonTree(b)) return (a ?? null) === (b ?? null);
  if (Array.isArray(a) || Array.isArray(b)) return equalItems(a, b);
  let fields = 0;
  for (const name in a) {
    if (!Object.hasOwn(b, name) || !equalJson(a[name], b[name])) return false;
    fields++;
  }
  for (const _ in b) fields--;
  return fields === 0;
}

function isJsonTree(value: Json): boolean {
  return typeof value === "object" && value !== null;
}

function equalItems(a: Json, b: Json): boolean {
  if (!Array.isArray(a) || !Array.isArray(b) || a.length !== b.length) return false;
  for (let at = 0; at < a.length; at++) if (!equalJson(a[at], b[at])) return false;
  return true;
}
