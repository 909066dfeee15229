/**
 * What claims, classes and allocations have in common: names of requests, settings for drivers.
 * In: parts of their specs. Out: what is wrong, field by field. Never: looks at a whole object.
 * Source: pkg/apis/resource/validation (v1.36).
 */
import type { DeviceConfiguration, DeviceRequest } from "../../schema/generated/resource_v1.ts";
import type { Problems } from "../problems.ts";
import { validateDriverName } from "../storage/volume_sources.ts";

export const LIST_LIMIT = 32;
const PARAMETERS_LIMIT = 10 * 1024;

/** More than fit. @returns whether it was reported; the items are not looked at then. */
export function tooMany(problems: Problems, path: string, count: number, limit: number): boolean {
  if (count <= limit) return false;
  const detail = `must have at most ${limit} ${limit === 1 ? "item" : "items"}`;
  problems.errors.push({ type: "tooMany", path, value: count, detail });
  return true;
}

/** Names that constraints and settings may refer to: `request` and `request/part`. */
export function requestNames(requests: readonly DeviceRequest[]): ReadonlySet<string> {
  return new Set(requests.flatMap(({ name, firstAvailable = [] }) => [
    name,
    ...firstAvailable.map((part) => `${name}/${part.name}`),
  ]));
}

export function validateNames(
  problems: Problems,
  path: string,
  names: readonly string[],
  known: ReadonlySet<string>,
): void {
  if (tooMany(problems, path, names.length, LIST_LIMIT)) return;
  names.forEach((name, index) => {
    const at = `${path}[${index}]`;
    if (!known.has(name)) {
      problems.invalid(
        at,
        name,
        "must be the name of a request in the claim or the name of a request and a subrequest " +
          "separated by '/'",
      );
    }
    if (names.indexOf(name) < index) problems.duplicate(at, name);
  });
}

export function validateSettings(
  problems: Problems,
  at: string,
  settings: DeviceConfiguration,
): void {
  const { opaque } = settings;
  if (opaque === undefined) return problems.required(`${at}.opaque`);
  validateDriverName(problems, `${at}.opaque.driver`, opaque.driver);
  const path = `${at}.opaque.parameters`;
  if (opaque.parameters === undefined || opaque.parameters === null) problems.required(path);
  else if (typeof opaque.parameters !== "object" || Array.isArray(opaque.parameters)) {
    problems.invalid(path, "<value omitted>", "must be a valid JSON object");
  } else if (JSON.stringify(opaque.parameters).length > PARAMETERS_LIMIT) {
    problems.tooLong(path, PARAMETERS_LIMIT);
  }
}
