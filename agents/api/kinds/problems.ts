/**
 * Collects what is wrong with an object, field by field.
 * In: a path, a value, a sentence. Out: FieldErrors. Never: decides; kinds do.
 * Source: apimachinery util/validation/field (types and details).
 */
import type { NameCheck } from "../names.ts";
import type { FieldError } from "../resource.ts";

/** A growing list of field errors; the kinds' validators share one per object. */
export class Problems {
  readonly errors: FieldError[] = [];

  required(path: string, detail = ""): void {
    this.errors.push({ type: "required", path, detail });
  }

  invalid(path: string, value: unknown, detail: string): void {
    this.errors.push({ type: "invalid", path, value, detail });
  }

  /** @param supported in the order to be shown. */
  notSupported(path: string, value: unknown, supported: readonly string[]): void {
    const shown = supported.map((item) => JSON.stringify(item)).join(", ");
    const detail = supported.length === 0 ? "" : `supported values: ${shown}`;
    this.errors.push({ type: "notSupported", path, value, detail });
  }

  duplicate(path: string, value: unknown): void {
    this.errors.push({ type: "duplicate", path, value, detail: "" });
  }

  forbidden(path: string, detail: string): void {
    this.errors.push({ type: "forbidden", path, detail });
  }

  tooLong(path: string, limitBytes: number): void {
    const detail = `may not be more than ${limitBytes} bytes`;
    this.errors.push({ type: "tooLong", path, detail });
  }

  notFound(path: string, value: unknown): void {
    this.errors.push({ type: "notFound", path, value, detail: "" });
  }

  /** One "Invalid value" for each sentence of a syntax check. */
  checkName(path: string, value: string, check: NameCheck): void {
    for (const detail of check(value)) this.invalid(path, value, detail);
  }

  /** Required, then of one of the values. An absent value is reported once. */
  oneOf(path: string, value: string | undefined, supported: readonly string[]): void {
    if (value === undefined || value === "") this.required(path);
    else if (!supported.includes(value)) this.notSupported(path, value, [...supported].sort());
  }

  nonNegative(path: string, value: number | undefined): void {
    if (value !== undefined && value < 0) {
      this.invalid(path, value, "must be greater than or equal to 0");
    }
  }

  /** For values that may not change once set. */
  immutable(path: string, value: unknown, old: unknown): void {
    if (!sameJson(value, old)) this.invalid(path, value ?? "", "field is immutable");
  }
}

/** Deep equality where absent, null and empty containers count as one. */
export function sameJson(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (isEmpty(a) || isEmpty(b)) return isEmpty(a) && isEmpty(b);
  if (Array.isArray(a) && Array.isArray(b)) {
    return a.length === b.length && a.every((item, index) => sameJson(item, b[index]));
  }
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (Array.isArray(a) || Array.isArray(b)) return false;
  const left = a as Record<string, unknown>;
  const right = b as Record<string, unknown>;
  for (const key of new Set([...Object.keys(left), ...Object.keys(right)])) {
    const inLeft = Object.hasOwn(left, key) ? left[key] : undefined;
    const inRight = Object.hasOwn(right, key) ? right[key] : undefined;
    if (!sameJson(inLeft, inRight)) return false;
  }
  return true;
}

function isEmpty(value: unknown): boolean {
  if (value === undefined || value === null) return true;
  if (Array.isArray(value)) return value.length === 0;
  return typeof value === "object" && Object.keys(value).length === 0;
}
