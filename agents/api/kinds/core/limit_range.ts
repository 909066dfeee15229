/**
 * The rules of limit ranges.
 * In: drafts. Out: defaults, checks, columns. Never: applies a limit to a pod; admission does.
 * Source: ValidateLimitRange, SetDefaults_LimitRangeItem (v1.36).
 */
import type { KubeObject } from "../../meta.ts";
import { checkQualifiedName } from "../../names.ts";
import { canonicalQuantity, compareQuantities, milliOf } from "../../quantity.ts";
import type { FieldError, Rules } from "../../resource.ts";
import type { LimitRange, LimitRangeItem } from "../../schema/generated/core_v1.ts";
import { Problems } from "../problems.ts";

export type { LimitRange, LimitRangeItem } from "../../schema/generated/core_v1.ts";

const TYPES = ["Pod", "Container", "PersistentVolumeClaim"];
const CONTAINER_RESOURCES = ["cpu", "memory", "ephemeral-storage"];
const LISTS = ["max", "min", "default", "defaultRequest", "maxLimitRequestRatio"] as const;

function setDefaults(draft: KubeObject): void {
  for (const item of (draft as LimitRange).spec?.limits ?? []) {
    if (item.type !== "Container") continue;
    item.default = { ...item.max, ...item.default };
    item.defaultRequest = { ...item.min, ...item.default, ...item.defaultRequest };
  }
}

function isOvercommitAllowed(name: string): boolean {
  const isNative = !name.includes("/") || name.includes("kubernetes.io/");
  return isNative && !name.startsWith("hugepages-");
}

function validateType(problems: Problems, path: string, type: string): void {
  const faults = checkQualifiedName(type);
  for (const detail of faults) problems.invalid(path, type, detail);
  if (faults.length === 0 && !type.includes("/") && !TYPES.includes(type)) {
    problems.invalid(path, type, "must be a standard limit type or fully qualified");
  }
}

function validateNames(problems: Problems, at: string, item: LimitRangeItem): void {
  for (const list of LISTS) {
    if (item.type === "Pod" && (list === "default" || list === "defaultRequest")) {
      if (Object.keys(item[list] ?? {}).length > 0) {
        problems.forbidden(`${at}.${list}`, "may not be specified when `type` is 'Pod'");
      }
      continue;
    }
    for (const name of Object.keys(item[list] ?? {})) {
      const path = `${at}.${list}[${name}]`;
      const faults = checkQualifiedName(name);
      for (const detail of faults) problems.invalid(path, name, detail);
      const isOfContainer = CONTAINER_RESOURCES.includes(name) || name.startsWith("hugepages-");
      const isKnown = isOfContainer || (item.type === "PersistentVolumeClaim" &&
        name === "storage");
      if (name.includes("/") || isKnown || faults.length > 0) continue;
      problems.invalid(
        path,
        name,
        item.type === "PersistentVolumeClaim"
          ? "must be a standard resource type or fully qualified"
          : "must be a standard resource for containers",
      );
    }
  }
}

type Amount = string | number;

interface Pair {
  /** The one that should not be greater. */
  readonly low: Amount | undefined;
  readonly high: Amount | undefined;
  readonly lowName: string;
  readonly highName: string;
}

/** How many of `max` fit, at most, into one `min`. */
function validateRatio(problems: Problems, path: string, item: LimitRangeItem, name: string): void {
  const ratio = item.maxLimitRequestRatio?.[name];
  if (ratio === undefined) return;
  const shown = canonicalQuantity(ratio) ?? String(ratio);
  if (compareQuantities(ratio, "1") < 0) {
    problems.invalid(path, shown, `ratio ${shown} is less than 1`);
  }
  const min = item.min?.[name];
  const max = item.max?.[name];
  if (min === undefined || max === undefined) return;
  const limit = milliOf(max) / milliOf(min);
  if (milliOf(ratio) / 1000 > limit) {
    problems.invalid(path, shown, `ratio ${shown} is greater than max/min = ${limit.toFixed(6)}`);
  }
}

function validateAmounts(
  problems: Problems,
  at: string,
  item: LimitRangeItem,
  name: string,
): void {
  const min = item.min?.[name];
  const max = item.max?.[name];
  const fallback = item.type === "Pod" ? undefined : item.default?.[name];
  const request = item.type === "Pod" ? undefined : item.defaultRequest?.[name];
  const check = (list: string, value: Amount | undefined, pair: Pair) => {
    const { low, high, lowName, highName } = pair;
    if (low === undefined || high === undefined || compareQuantities(low, high) <= 0) return;
    const [small, large, shown] = [low, high, value ?? ""].map((item) => canonicalQuantity(item));
    const detail = `${lowName} value ${small} is greater than ${highName} value ${large}`;
    problems.invalid(`${at}.${list}[${name}]`, shown, detail);
  };
  check("min", min, { low: min, high: max, lowName: "min", highName: "max" });
  check("defaultRequest", request, {
    low: min,
    high: request,
    lowName: "min",
    highName: "default request",
  });
  check("defaultRequest", request, {
    low: request,
    high: max,
    lowName: "default request",
    highName: "max",
  });
  check("defaultRequest", request, {
    low: request,
    high: fallback,
    lowName: "default request",
    highName: "default limit",
  });
  check("default", min, { low: min, high: fallback, lowName: "min", highName: "default" });
  check("default", max, { low: fallback, high: max, lowName: "default", highName: "max" });
  validateRatio(problems, `${at}.maxLimitRequestRatio[${name}]`, item, name);
  const bothGiven = fallback !== undefined && request !== undefined;
  if (bothGiven && !isOvercommitAllowed(name) && compareQuantities(fallback, request) !== 0) {
    const [limit, asked] = [fallback, request].map((amount) => canonicalQuantity(amount));
    problems.invalid(
      `${at}.defaultRequest[${name}]`,
      asked,
      `default value ${limit} must equal to defaultRequest value ${asked} in ${name}`,
    );
  }
}

function validate(draft: KubeObject): FieldError[] {
  const problems = new Problems();
  const types = new Set<string>();
  ((draft as LimitRange).spec?.limits ?? []).forEach((item, index) => {
    const at = `spec.limits[${index}]`;
    validateType(problems, `${at}.type`, item.type ?? "");
    if (types.has(item.type)) problems.duplicate(`${at}.type`, item.type);
    types.add(item.type);
    validateNames(problems, at, item);
    const hasBound = item.min?.storage !== undefined || item.max?.storage !== undefined;
    if (item.type === "PersistentVolumeClaim" && !hasBound) {
      problems.required(
        `${at}.limits`,
        "either minimum or maximum storage value is required, but neither was provided",
      );
    }
    const names = new Set(LISTS.flatMap((list) => Object.keys(item[list] ?? {})));
    for (const name of names) validateAmounts(problems, at, item, name);
  });
  return problems.errors;
}

export const limitRangeRules: Rules = {
  setDefaults,
  validate,
  generationFields: [],
};
