/**
 * What the tests of kinds share: a draft as the API server would hand it over, and its faults.
 * In: a row and parts of an object. Out: drafts, messages, cells. Used by tests only.
 * Never: reads clocks or files.
 */
import type { KubeObject } from "../meta.ts";
import type { FieldError, Resource } from "../resource.ts";
import { fieldErrorBody } from "../status.ts";

/** A draft named x with its defaults. */
export function prepared(row: Resource, parts: Record<string, unknown>): KubeObject {
  const object = {
    metadata: { name: "x", ...(row.namespaced ? { namespace: "default" } : {}) },
    ...structuredClone(parts),
  } as KubeObject;
  row.rules.setDefaults?.(object);
  return object;
}

/** Errors as a client reads them. */
export function worded(errors: readonly FieldError[] = []): string[] {
  return errors.map((error) => `${error.path}: ${fieldErrorBody(error)}`);
}

export function problems(row: Resource, object: KubeObject): string[] {
  return worded(row.rules.validate?.(object));
}

export function updateProblems(row: Resource, draft: KubeObject, old: KubeObject): string[] {
  return worded(row.rules.validateUpdate?.(draft, old));
}

/** One minute after 1970 began. */
export function cells(row: Resource, object: KubeObject): unknown[] {
  return (row.rules.columns ?? []).map((column) => column.cell(object, 60_000));
}
