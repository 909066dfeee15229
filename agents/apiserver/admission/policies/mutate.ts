/**
 * What a mutating policy makes of an object.
 * In: a compiled mutation, bindings, the object. Out: another object, or why there is none.
 * Never: changes the object it is given, or a list or map that has one owner.
 * Source: apiserver's admission/plugin/policy/mutating/patch (v1.36).
 */
import type { KubeObject } from "../../../api/meta.ts";
import type { Resource } from "../../../api/resource.ts";
import { applyJsonPatch } from "../../../api/patch/json_patch.ts";
import { mergeValues } from "../../../api/patch/apply/merge.ts";
import { type Shape, shapeOfType } from "../../../api/patch/apply/shape.ts";
import { BadValue } from "../../../api/patch/apply/walk.ts";
import {
  CelError,
  listOf,
  ListValue,
  MapValue,
  objectOf,
  toJson,
  type Value,
} from "../../../cel/mod.ts";
import {
  type Bindings,
  type Budget,
  compileExpression,
  type Expression,
  run,
} from "../expressions/expression.ts";
import { namesFor } from "../expressions/names.ts";
import { compileBase, type PolicyBase } from "./policy.ts";

export interface Mutation {
  readonly patchType: string;
  readonly expression: Expression;
}

export interface MutatingPolicy extends PolicyBase {
  readonly mutations: readonly Mutation[];
}

/** By which an object merges. */
type Typed = Pick<Resource, "typeName" | "custom">;

export type Mutated =
  | { readonly kind: "mutated"; readonly object: KubeObject }
  | { readonly kind: "error"; readonly message: string };

const PATCHES = listOf(objectOf("JSONPatch", {}));
const CONFIGURATION = objectOf("Object", {});

export function compileMutating(object: KubeObject): MutatingPolicy {
  const base = compileBase(object);
  const { hasParams: params, variableTypes: variables } = base;
  const names = namesFor({ params, authorizer: true, variables, mutates: true });
  return {
    ...base,
    mutations: (base.spec.mutations ?? []).map(
      ({ patchType, jsonPatch, applyConfiguration }: KubeObject): Mutation => ({
        patchType,
        expression: patchType === "JSONPatch"
          ? compileExpression(jsonPatch?.expression ?? "", names, [PATCHES])
          : compileExpression(applyConfiguration?.expression ?? "", names, [CONFIGURATION]),
      }),
    ),
  };
}

/** Errors: throws OutOfBudget. */
export function mutate(
  mutation: Mutation,
  parts: {
    readonly object: KubeObject;
    readonly type: Typed;
    readonly bindings: Bindings;
    readonly budget: Budget;
  },
): Mutated {
  const outcome = run(mutation.expression, parts.bindings, parts.budget);
  if (outcome.kind === "error") return outcome;
  try {
    return mutation.patchType === "JSONPatch"
      ? patchJson(outcome.value, parts.object)
      : applyConfiguration(outcome.value, parts);
  } catch (error) {
    if (error instanceof CelError) return { kind: "error", message: error.message };
    if (error instanceof BadValue) {
      return { kind: "error", message: `error applying patch: ${error.message}` };
    }
    throw error;
  }
}

/** Errors: throws CelError. */
function patchJson(value: Value, object: KubeObject): Mutated {
  if (!(value instanceof ListValue)) {
    return mismatch("JSONPatchType.expression should evaluate to array");
  }
  for (const operation of value) {
    if (!(operation instanceof MapValue)) {
      return mismatch("JSONPatchType.expression should evaluate to array of JSONPatch");
    }
    const made = operation.get("value");
    const wrong = made === undefined ? null : misnamed(made, null);
    if (wrong !== null) return mismatch(wrong);
  }
  const outcome = applyJsonPatch(object, toJson(value));
  if (outcome.kind === "patched") return { kind: "mutated", object: outcome.value };
  // A test that fails says that there is nothing to do.
  if (outcome.message.endsWith(": test failed")) return { kind: "mutated", object };
  return { kind: "error", message: `JSON Patch: ${outcome.message}` };
}

/** Errors: throws CelError, BadValue. */
function applyConfiguration(
  value: Value,
  { object, type }: { readonly object: KubeObject; readonly type: Typed },
): Mutated {
  const wrong = misnamed(value, "Object");
  if (wrong !== null) return mismatch(wrong);
  const shape = type.custom?.shape ?? shapeOfType(type.typeName);
  const config = toJson(value) as Record<string, unknown>;
  const atomic = atomicsIn(shape, config, "");
  if (atomic.length > 0) {
    const message = "error applying patch: invalid ApplyConfiguration: may not mutate atomic " +
      `arrays, maps or structs: ${atomic.join(", ")}`;
    return { kind: "error", message };
  }
  return { kind: "mutated", object: mergeValues(shape, object, config) };
}

function mismatch(message: string): Mutated {
  return { kind: "error", message: `type mismatch: ${message}` };
}

/**
 * Whether structures are called by where they stand: `Object.spec` under `spec`.
 * @param expected null where the first structure says where it stands
 */
function misnamed(value: Value, expected: string | null): string | null {
  if (value instanceof ListValue) {
    for (const item of value) {
      const wrong = misnamed(item, expected);
      if (wrong !== null) return wrong;
    }
    return null;
  }
  if (!(value instanceof MapValue)) return null;
  const { typeName } = value;
  if (typeName === undefined) return null;
  if (expected !== null && typeName !== expected) {
    return `unexpected type name "${typeName}", expected "${expected}", which matches field name ` +
      "path from root Object type";
  }
  for (const key of value.keys()) {
    const wrong = misnamed(value.get(key)!, `${typeName}.${key}`);
    if (wrong !== null) return wrong;
  }
  return null;
}

/** Paths at which a configuration would replace what has one owner. */
function atomicsIn(shape: Shape | undefined, value: unknown, path: string): readonly string[] {
  if (typeof value !== "object" || value === null || shape === undefined) return [];
  switch (shape.kind) {
    case "atomic":
      return [path];
    case "map":
      return Object.entries(value).flatMap(([name, member]) =>
        atomicsIn(shape.member(name), member, `${path}.${name}`)
      );
    case "set":
    case "keyed":
      return Array.isArray(value)
        ? value.flatMap((item) => atomicsIn(shape.item, item, `${path}[]`))
        : [];
    default:
      return [];
  }
}
