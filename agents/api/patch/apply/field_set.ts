/**
 * A set of fields of one object: which of them a manager owns.
 * In: FieldsV1 documents and walks over objects. Out: sets, their algebra, paths as clients read
 * them. A set is a tree whose nodes are path elements, written as FieldsV1 writes them: `f:name`,
 * `k:{"name":"a"}`, `v:"x"`, `i:0`.
 * Never: changes a set after it was made; looks at a type.
 * Source: the FieldsV1 format of meta/v1 and structured-merge-diff's fieldpath (v6).
 */

/** One node. The root stands for the object and owns nothing itself. */
export interface FieldSet {
  /** The field itself is in the set. */
  readonly owned: boolean;
  readonly children: ReadonlyMap<string, FieldSet>;
}

/** FieldsV1 as JSON carries it. */
export interface FieldsV1 {
  [element: string]: FieldsV1;
}

const NO_CHILDREN: ReadonlyMap<string, FieldSet> = new Map();

export const EMPTY_SET: FieldSet = { owned: false, children: NO_CHILDREN };
export const LEAF_SET: FieldSet = { owned: true, children: NO_CHILDREN };

/** Deepest path that is read; an object can't nest deeper either. */
const MAX_DEPTH = 1000;

export function isEmptySet(set: FieldSet): boolean {
  return !set.owned && set.children.size === 0;
}

/** A node, or the shared one where it has no children. */
export function fieldNode(owned: boolean, children: ReadonlyMap<string, FieldSet>): FieldSet {
  if (children.size === 0) return owned ? LEAF_SET : EMPTY_SET;
  return { owned, children };
}

/**
 * Reads a FieldsV1 document.
 * @returns null when it is none
 */
export function parseFields(value: unknown, depth = 0): FieldSet | null {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return null;
  if (depth > MAX_DEPTH) return null;
  const children = new Map<string, FieldSet>();
  let owned = false;
  const elements = Object.keys(value);
  for (const element of elements) {
    const inner = (value as FieldsV1)[element];
    if (element === ".") {
      owned = true;
      continue;
    }
    if (!isElement(element)) return null;
    const child = parseFields(inner, depth + 1);
    if (child === null) return null;
    children.set(element, child);
  }
  // A field without parts is written as {}.
  return fieldNode(owned || (elements.length === 0 && depth > 0), children);
}

function isElement(element: string): boolean {
  switch (element.slice(0, 2)) {
    case "f:":
      return true;
    case "i:":
      return /^i:-?\d+$/.test(element);
    case "k:":
    case "v:":
      try {
        const value = JSON.parse(element.slice(2));
        return element[0] === "v" || (typeof value === "object" && value !== null);
      } catch {
        return false;
      }
    default:
      return false;
  }
}

/** The FieldsV1 document of a set. */
export function formatFields(set: FieldSet): FieldsV1 {
  const out: FieldsV1 = {};
  if (set.owned && set.children.size > 0) out["."] = {};
  for (const [element, child] of set.children) out[element] = formatFields(child);
  return out;
}

/** Fields of either set. */
export function union(a: FieldSet, b: FieldSet): FieldSet {
  if (a === b || isEmptySet(b)) return a;
  if (isEmptySet(a)) return b;
  const children = new Map(a.children);
  for (const [element, right] of b.children) {
    const left = children.get(element);
    children.set(element, left === undefined ? right : union(left, right));
  }
  return fieldNode(a.owned || b.owned, children);
}

/** Fields of both sets. */
export function intersection(a: FieldSet, b: FieldSet): FieldSet {
  const children = new Map<string, FieldSet>();
  for (const [element, left] of a.children) {
    const right = b.children.get(element);
    if (right === undefined) continue;
    const both = intersection(left, right);
    if (!isEmptySet(both)) children.set(element, both);
  }
  return fieldNode(a.owned && b.owned, children);
}

/** Fields of the first set that are not in the second; parts of a removed field stay. */
export function difference(a: FieldSet, b: FieldSet): FieldSet {
  if (isEmptySet(b)) return a;
  const children = new Map<string, FieldSet>();
  for (const [element, left] of a.children) {
    const right = b.children.get(element);
    const rest = right === undefined ? left : difference(left, right);
    if (!isEmptySet(rest)) children.set(element, rest);
  }
  return fieldNode(a.owned && !b.owned, children);
}

export function equalSets(a: FieldSet, b: FieldSet): boolean {
  if (a === b) return true;
  if (a.owned !== b.owned || a.children.size !== b.children.size) return false;
  for (const [element, left] of a.children) {
    const right = b.children.get(element);
    if (right === undefined || !equalSets(left, right)) return false;
  }
  return true;
}

/** Without some top-level fields, whatever stands below them. @param names without `f:` */
export function withoutTop(set: FieldSet, names: readonly string[]): FieldSet {
  if (!names.some((name) => set.children.has(`f:${name}`))) return set;
  const children = new Map(set.children);
  for (const name of names) children.delete(`f:${name}`);
  return fieldNode(set.owned, children);
}

/** Every field as clients read it, `.spec.containers[name="a"].image`; parents before parts. */
export function formatPaths(set: FieldSet): string[] {
  const out: string[] = [];
  collectPaths(set, "", out);
  return out;
}

function collectPaths(set: FieldSet, prefix: string, out: string[]): void {
  const elements = [...set.children.keys()].sort(compareElements);
  for (const element of elements) {
    if (set.children.get(element)!.owned) out.push(prefix + formatElement(element));
  }
  for (const element of elements) {
    const child = set.children.get(element)!;
    if (child.children.size > 0) collectPaths(child, prefix + formatElement(element), out);
  }
}

/** Names, then keys, then values, then positions. */
function compareElements(a: string, b: string): number {
  const order = "fkvi".indexOf(a[0]) - "fkvi".indexOf(b[0]);
  if (order !== 0) return order;
  return a < b ? -1 : a > b ? 1 : 0;
}

function formatElement(element: string): string {
  const rest = element.slice(2);
  switch (element[0]) {
    case "f":
      return `.${rest}`;
    case "k": {
      const key = JSON.parse(rest) as Record<string, unknown>;
      const parts = Object.keys(key).sort().map((name) => `${name}=${JSON.stringify(key[name])}`);
      return `[${parts.join(",")}]`;
    }
    case "v":
      return `[=${rest}]`;
    default:
      return `[${rest}]`;
  }
}
