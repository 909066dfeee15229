/**
 * JSON merge patch (RFC 7386): objects merge, null removes, everything else replaces.
 * In: a target and a patch, both decoded. Out: a new value that shares untouched parts.
 * Never: changes its inputs.
 */
import type { Json, PatchOutcome } from "./outcome.ts";

/** @returns the patched document; malformed when the patch is no object. */
export function applyMergePatch(target: Json, patch: Json): PatchOutcome {
  if (!isObject(patch)) return { kind: "malformed", message: "patch must be a JSON object" };
  return { kind: "patched", value: merge(target, patch) };
}

export function isObject(value: Json): value is Record<string, Json> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function merge(target: Json, patch: Json): Json {
  if (!isObject(patch)) return patch;
  const result: Record<string, Json> = isObject(target) ? { ...target } : {};
  for (const key of Object.keys(patch)) {
    if (patch[key] === null) delete result[key];
    else {setOwn(
        result,
        key,
        merge(Object.hasOwn(result, key) ? result[key] : undefined, patch[key]),
      );}
  }
  return result;
}

/** Plain assignment would run the setter of `__proto__`. */
export function setOwn(object: Record<string, Json>, key: string, value: Json): void {
  if (key === "__proto__") {
    Object.defineProperty(object, key, {
      value,
      enumerable: true,
      configurable: true,
      writable: true,
    });
  } else {
    object[key] = value;
  }
}
