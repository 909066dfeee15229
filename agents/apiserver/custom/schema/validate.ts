/**
 * Checks a value against a schema: types, formats, ranges, patterns, required fields, choices.
 * In: a structural schema, a value, and on update the value before. Out: field errors.
 * Never: changes the value; a part that an update leaves as it was is not held to newer rules.
 * Source: kube-openapi's validation/validate and validation/errors, apiextensions-apiserver's
 * validation/ratcheting.go (v1.36).
 */
import { equalJson } from "../../../api/patch/json_patch.ts";
import type { FieldError } from "../../../api/resource.ts";
import { isKnownFormat, isOfFormat } from "../../../api/schema/formats.ts";
import { compileRegex } from "../../../cel/regex.ts";
import { isObject, itemsOf, type Schema, valuesOf } from "./prune.ts";

/** Two values at one place: now, and before where the same part was there. */
interface Pair {
  readonly value: unknown;
  readonly old?: unknown;
}

/** @param old the value before; undefined on create. */
export function validateValue(schema: Schema, value: unknown, old?: unknown): FieldError[] {
  return new Validation().check(schema, { value, old }, "");
}

/** Counts what fits, so that the nearest of several alternatives can be told. */
class Validation {
  check(schema: Schema, pair: Pair, at: string): FieldError[] {
    const { value, old } = pair;
    if (old !== undefined && equalJson(value, old)) return [];
    const typeError = checkType(schema, value, at);
    if (value === null) return [...typeError, ...checkEnum(schema, value, at)];
    return [
      ...typeError,
      ...this.#choices(schema, pair, at),
      ...checkText(schema, value, at),
      ...checkNumber(schema, value, at),
      ...this.#list(schema, pair, at),
      ...checkEnum(schema, value, at),
      ...this.#object(schema, pair, at),
    ];
  }

  #choices(schema: Schema, pair: Pair, at: string): FieldError[] {
    const errors: FieldError[] = [];
    const name = JSON.stringify(at);
    const results = (parts: readonly Schema[]) =>
      parts.map((part) => this.check(part, { value: pair.value }, at));
    const { anyOf = [], oneOf = [], allOf = [], not } = schema;
    if (anyOf.length > 0) {
      const found = results(anyOf);
      if (!found.some((result) => result.length === 0)) {
        errors.push(invalid(at, "", `${name} must validate at least one schema (anyOf)`));
        errors.push(...fewest(found));
      }
    }
    if (oneOf.length > 0) {
      const found = results(oneOf);
      const valid = found.filter((result) => result.length === 0).length;
      if (valid !== 1) {
        const why = valid === 0 ? "Found none valid" : `Found ${valid} valid alternatives`;
        const detail = `${name} must validate one and only one schema (oneOf). ${why}`;
        errors.push(invalid(at, "", detail));
        if (valid === 0) errors.push(...fewest(found));
      }
    }
    if (allOf.length > 0) {
      const found = results(allOf);
      const valid = found.filter((result) => result.length === 0).length;
      errors.push(...found.flat());
      if (valid !== allOf.length) {
        const why = valid === 0 ? ". None validated" : "";
        errors.push(invalid(at, "", `${name} must validate all the schemas (allOf)${why}`));
      }
    }
    if (not !== undefined && this.check(not, { value: pair.value }, at).length === 0) {
      errors.push(invalid(at, "", `${name} must not validate the schema (not)`));
    }
    return errors;
  }

  #list(schema: Schema, { value, old }: Pair, at: string): FieldError[] {
    if (!Array.isArray(value)) return [];
    const errors: FieldError[] = [];
    const items = itemsOf(schema);
    const before = Array.isArray(old) ? twins(schema, value, old) : undefined;
    if (items !== undefined) {
      value.forEach((item, index) => {
        errors.push(
          ...this.check(items, { value: item, old: before?.(item) }, `${at}[${index}]`),
        );
      });
    }
    const { minItems, maxItems } = schema;
    if (minItems !== undefined && value.length < minItems) {
      const detail = `${at} in body should have at least ${minItems} items`;
      errors.push(invalid(at, value.length, detail));
    }
    if (maxItems !== undefined && value.length > maxItems) {
      errors.push(tooMany(at, value.length, maxItems));
    }
    return errors;
  }

  #object(schema: Schema, { value, old }: Pair, at: string): FieldError[] {
    if (!isObject(value)) return [];
    const errors: FieldError[] = [];
    const count = Object.keys(value).length;
    const { minProperties, maxProperties, properties = {}, required = [] } = schema;
    if (minProperties !== undefined && count < minProperties) {
      const detail = `${at} in body should have at least ${minProperties} properties`;
      errors.push(invalid(at, count, detail));
    }
    if (maxProperties !== undefined && count > maxProperties) {
      errors.push(tooMany(at, count, maxProperties));
    }
    const before = isObject(old) ? old : {};
    const values = valuesOf(schema);
    for (const name of Object.keys(value)) {
      const part = Object.hasOwn(properties, name) ? properties[name] : values;
      if (part === undefined) continue;
      const path = at === "" ? name : `${at}.${name}`;
      const twin = Object.hasOwn(before, name) ? before[name] : undefined;
      errors.push(...this.check(part, { value: value[name], old: twin }, path));
    }
    for (const name of required) {
      if (Object.hasOwn(value, name)) continue;
      errors.push({ type: "required", path: at === "" ? name : `${at}.${name}`, detail: "" });
    }
    return errors;
  }
}

/** Of the alternatives that all fail, the one that fails least. */
function fewest(results: readonly FieldError[][]): readonly FieldError[] {
  return results.reduce((best, result) => result.length < best.length ? result : best);
}

/** Which item before is the same one, in a list whose items have keys. */
export function twins(
  schema: Schema,
  _now: readonly unknown[],
  before: readonly unknown[],
): ((item: unknown) => unknown) | undefined {
  const keys = schema["x-kubernetes-list-map-keys"] ?? [];
  if (schema["x-kubernetes-list-type"] !== "map" || keys.length === 0) return undefined;
  const byKey = new Map(before.map((item) => [keyOf(item, keys), item]));
  return (item) => byKey.get(keyOf(item, keys));
}

/** The values of an item's keys as one text. */
export function keyOf(item: unknown, keys: readonly string[]): string {
  return JSON.stringify(keys.map((key) => isObject(item) ? item[key] ?? null : null));
}

function invalid(path: string, value: unknown, detail: string): FieldError {
  return { type: "invalid", path: path === "" ? "<nil>" : path, value, detail };
}

function tooMany(path: string, count: number, limit: number): FieldError {
  return { type: "tooMany", path, value: count, detail: `must have at most ${limit} items` };
}

function typeOf(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "array";
  if (typeof value === "number") return Number.isInteger(value) ? "integer" : "number";
  return typeof value;
}

/** Numbers as Go prints them with %v. */
function number(value: number): string {
  return Math.abs(value) >= 1e21 || (value !== 0 && Math.abs(value) < 1e-4)
    ? value.toExponential().replace(/e([+-])(\d)$/, "e$10$2")
    : String(value);
}

function checkType(schema: Schema, value: unknown, at: string): FieldError[] {
  const wanted = schema["x-kubernetes-int-or-string"] === true
    ? ["integer", "string"]
    : schema.type
    ? [schema.type]
    : [];
  if (wanted.length === 0) return [];
  const found = typeOf(value);
  const fits = wanted.includes(found) || found === "null" && schema.nullable === true ||
    found === "integer" && wanted.includes("number");
  if (fits) return [];
  const detail = `${at} in body must be of type ${wanted.join(",")}: ${JSON.stringify(found)}`;
  return [{ type: "typeInvalid", path: at === "" ? "<nil>" : at, value: found, detail }];
}

function checkText(schema: Schema, value: unknown, at: string): FieldError[] {
  if (typeof value !== "string") return [];
  const errors: FieldError[] = [];
  const { maxLength, minLength, pattern, format } = schema;
  const length = Array.from(value).length;
  if (maxLength !== undefined && length > maxLength) {
    const detail = `may not be more than ${maxLength} bytes`;
    errors.push({ type: "tooLong", path: at, detail });
  }
  if (minLength !== undefined && length < minLength) {
    errors.push(invalid(at, value, `${at} in body should be at least ${minLength} chars long`));
  }
  if (pattern) {
    const compiled = compileRegex(pattern);
    if (compiled.kind === "error" || !compiled.regex.test(value)) {
      errors.push(invalid(at, value, `${at} in body should match '${pattern}'`));
    }
  }
  if (format && isKnownFormat(format) && !isOfFormat(format, value)) {
    const detail = `${at} in body must be of type ${format}: ${JSON.stringify(value)}`;
    errors.push({ type: "typeInvalid", path: at, value, detail });
  }
  return errors;
}

const RANGES: Readonly<Record<string, readonly [number, number]>> = {
  int32: [-(2 ** 31), 2 ** 31 - 1],
  uint32: [0, 2 ** 32 - 1],
};

function checkNumber(schema: Schema, value: unknown, at: string): FieldError[] {
  if (typeof value !== "number") return [];
  const errors: FieldError[] = [];
  const { maximum, minimum, multipleOf, exclusiveMaximum, exclusiveMinimum, format } = schema;
  const range = schema.type === "integer" ? RANGES[format ?? ""] : undefined;
  if (range !== undefined && (value < range[0] || value > range[1])) {
    const detail = `Checked value must be of type integer with format ${format}`;
    errors.push(invalid(at, value, detail));
  }
  if (multipleOf !== undefined && !isMultiple(value, multipleOf)) {
    const detail = `${at} in body should be a multiple of ${number(multipleOf)}`;
    errors.push(invalid(at, value, detail));
  }
  if (maximum !== undefined && (exclusiveMaximum ? value >= maximum : value > maximum)) {
    const word = exclusiveMaximum ? "less than" : "less than or equal to";
    errors.push(invalid(at, value, `${at} in body should be ${word} ${number(maximum)}`));
  }
  if (minimum !== undefined && (exclusiveMinimum ? value <= minimum : value < minimum)) {
    const word = exclusiveMinimum ? "greater than" : "greater than or equal to";
    errors.push(invalid(at, value, `${at} in body should be ${word} ${number(minimum)}`));
  }
  return errors;
}

function isMultiple(value: number, factor: number): boolean {
  const quotient = value / factor;
  return Math.abs(quotient - Math.round(quotient)) < 1e-9 * Math.max(1, Math.abs(quotient));
}

function checkEnum(schema: Schema, value: unknown, at: string): FieldError[] {
  const allowed = schema.enum ?? [];
  if (allowed.length === 0 || allowed.some((item) => equalJson(item, value))) return [];
  if (value === null && schema.nullable === true) return [];
  const shown = allowed.map((item) =>
    JSON.stringify(typeof item === "string" ? item : JSON.stringify(item))
  );
  const detail = `supported values: ${shown.join(", ")}`;
  return [{ type: "notSupported", path: at, value, detail }];
}

/** Items of sets, and keys of lists that are maps, stand once. */
export function validateLists(schema: Schema, value: unknown, at = ""): FieldError[] {
  if (Array.isArray(value)) {
    const items = itemsOf(schema);
    return [
      ...duplicates(schema, value, at),
      ...(items === undefined
        ? []
        : value.flatMap((item, index) => validateLists(items, item, `${at}[${index}]`))),
    ];
  }
  if (!isObject(value)) return [];
  const { properties = {} } = schema;
  const values = valuesOf(schema);
  return Object.keys(value).flatMap((name) => {
    const isNamed = Object.hasOwn(properties, name);
    const part = isNamed ? properties[name] : values;
    if (part === undefined) return [];
    const path = !isNamed ? `${at}[${name}]` : at === "" ? name : `${at}.${name}`;
    return validateLists(part, value[name], path);
  });
}

function duplicates(schema: Schema, list: readonly unknown[], at: string): FieldError[] {
  const listType = schema["x-kubernetes-list-type"];
  if (listType !== "set" && listType !== "map") return [];
  const keys = schema["x-kubernetes-list-map-keys"] ?? [];
  const counts = new Map<string, number>();
  const errors: FieldError[] = [];
  list.forEach((item, index) => {
    const identity = listType === "set" ? JSON.stringify(item) : keyOf(item, keys);
    const count = (counts.get(identity) ?? 0) + 1;
    counts.set(identity, count);
    if (count !== 2) return;
    const value = listType === "set" ? item : keyValues(item, keys);
    errors.push({ type: "duplicate", path: `${at}[${index}]`, value, detail: "" });
  });
  return errors;
}

function keyValues(item: unknown, keys: readonly string[]): unknown {
  if (!isObject(item)) return item;
  return Object.fromEntries(
    keys.filter((key) => Object.hasOwn(item, key)).map((key) => [key, item[key]]),
  );
}
