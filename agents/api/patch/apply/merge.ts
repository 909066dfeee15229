/**
 * The two changes that an apply makes: lay a configuration over an object, take fields away.
 * In: JSON values, their shape, a field set. Out: new values that share untouched parts.
 * Never: changes its inputs or knows managers.
 * Source: structured-merge-diff's typed package (merge, remove), EnsureNamedFieldsAreMembers.
 */
import { isObject, setOwn } from "../merge_patch.ts";
import type { Json } from "../outcome.ts";
import { EMPTY_SET, fieldNode, type FieldSet, isEmptySet } from "./field_set.ts";
import type { Shape } from "./shape.ts";
import { BadValue, elementOf, itemsByElement, located, memberShape, resolveShape } from "./walk.ts";

type Associative = Extract<Shape, { kind: "set" | "keyed" }>;

/**
 * The live object with everything that the configuration says.
 * @param live undefined where the object has no such part
 * Errors: throws BadValue for a list item without its keys, or twice.
 */
export function mergeValues(shape: Shape, live: Json, config: Json): Json {
  if (config === undefined) return live;
  switch (resolveShape(shape, config)) {
    case "leaf":
      return config;
    case "map":
      return mergeMembers(shape, isObject(live) ? live : {}, config);
    case "list":
      return mergeItems(shape as Associative, Array.isArray(live) ? live : [], config);
  }
}

function mergeMembers(shape: Shape, live: Json, config: Json): Json {
  const out: Record<string, Json> = { ...live };
  for (const name of Object.keys(config)) {
    const inner = memberShape(shape, name);
    if (inner === undefined) throw new BadValue(`.${name}`, "field not declared in schema");
    const old = Object.hasOwn(live, name) ? live[name] : undefined;
    if (config[name] === null) {
      // Nothing laid over a list or an object leaves it as it was.
      if (inner.kind === "scalar" || inner.kind === "atomic") delete out[name];
      continue;
    }
    setOwn(out, name, located(`.${name}`, () => mergeValues(inner, old, config[name])));
  }
  return out;
}

/**
 * Configured items stand in the configuration's order; the others keep their place among those
 * that both sides have.
 */
function mergeItems(shape: Associative, live: readonly Json[], config: readonly Json[]): Json[] {
  const right = itemsByElement(shape, config);
  for (const [element, items] of right) {
    if (items.length > 1) throw new BadValue("", `duplicate entries for key ${shown(element)}`);
  }
  const left = itemsByElement(shape, live);
  const merged = (element: string) => {
    const old = left.get(element);
    const [item] = right.get(element)!;
    return located(
      shown(element),
      () => mergeValues(shape.item, old?.length === 1 ? old[0] : undefined, item),
    );
  };
  const wanted = [...right.keys()];
  const out: Json[] = [];
  let next = 0;
  live.forEach((item, position) => {
    const element = elementOf(shape, item, position);
    if (!right.has(element)) return void out.push(item);
    const at = wanted.indexOf(element);
    // Whatever the configuration puts before this shared item goes before it.
    while (next <= at) out.push(merged(wanted[next++]));
  });
  while (next < wanted.length) out.push(merged(wanted[next++]));
  return out;
}

const shown = (element: string) => `[${element.slice(2)}]`;

/** Takes fields away; what they leave empty stays as an empty object or list. */
export function removeFields(shape: Shape, value: Json, fields: FieldSet): Json {
  if (fields.children.size === 0) return value;
  switch (resolveShape(shape, value)) {
    case "leaf":
      return value;
    case "map":
      return removeMembers(shape, value, fields);
    case "list":
      return removeItems(shape as Associative, value, fields);
  }
}

function removeMembers(shape: Shape, value: Record<string, Json>, fields: FieldSet): Json {
  const out: Record<string, Json> = {};
  for (const name of Object.keys(value)) {
    const node = fields.children.get(`f:${name}`);
    if (node?.owned) continue;
    const inner = memberShape(shape, name);
    const isTouched = node !== undefined && inner !== undefined;
    setOwn(out, name, isTouched ? removeFields(inner, value[name], node) : value[name]);
  }
  return out;
}

function removeItems(shape: Associative, value: readonly Json[], fields: FieldSet): Json[] {
  const out: Json[] = [];
  value.forEach((item, position) => {
    const node = fields.children.get(elementOf(shape, item, position));
    if (node?.owned) return;
    out.push(node === undefined ? item : removeFields(shape.item, item, node));
  });
  return out;
}

/** The set, with every struct on the way to a field as a member of its own. */
export function withStructs(shape: Shape | undefined, fields: FieldSet): FieldSet {
  if (shape === undefined || isEmptySet(fields)) return fields;
  const children = new Map<string, FieldSet>();
  for (const [element, child] of fields.children) {
    const name = element.slice(2);
    const isName = element.startsWith("f:");
    const inner = isName
      ? memberShape(shape, name)
      : shape.kind === "keyed" || shape.kind === "set"
      ? shape.item
      : undefined;
    const deeper = withStructs(inner, child);
    const isStruct = isName && shape.kind === "map" && shape.isField(name);
    const owned = deeper.owned || (isStruct && deeper.children.size > 0);
    children.set(element, owned === deeper.owned ? deeper : fieldNode(owned, deeper.children));
  }
  return children.size === 0 && !fields.owned ? EMPTY_SET : fieldNode(fields.owned, children);
}
