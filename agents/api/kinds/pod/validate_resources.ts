/**
 * Checks a container's requests and limits.
 * In: the requirements. Out: field errors. Never: compares with what a node has.
 * Source: validateResourceRequirements, validateContainerResourceName (v1.36).
 */
import { checkQualifiedName } from "../../names.ts";
import { canonicalQuantity, compareQuantities, parseQuantity } from "../../quantity.ts";
import type { ResourceRequirements } from "../../schema/generated/core_v1.ts";
import type { Problems } from "../problems.ts";

const STANDARD = new Set(["cpu", "memory", "ephemeral-storage"]);
const HUGE_PAGES = "hugepages-";
const WHOLE = 1_000_000_000n;

/** Whether the resource is the cluster's own: no prefix, or kubernetes.io's. */
function isNative(name: string): boolean {
  return !name.includes("/") || name.includes("kubernetes.io/");
}

/** Requests of other resources must equal their limits. */
function allowsOvercommit(name: string): boolean {
  return isNative(name) && !name.startsWith(HUGE_PAGES);
}

export function validateContainerResources(
  problems: Problems,
  path: string,
  requirements: ResourceRequirements | undefined,
): void {
  const limits = requirements?.limits ?? {};
  const requests = requirements?.requests ?? {};
  for (const [name, amount] of Object.entries(limits)) {
    validateAmount(problems, `${path}.limits`, name, amount);
  }
  for (const [name, amount] of Object.entries(requests)) {
    validateAmount(problems, `${path}.requests`, name, amount);
    validateAgainstLimit(problems, `${path}.requests`, { name, amount, limit: limits[name] });
  }
}

function validateAmount(
  problems: Problems,
  path: string,
  name: string,
  amount: string | number,
): void {
  problems.checkName(path, name, checkQualifiedName);
  const at = `${path}[${name}]`;
  const isStandard = STANDARD.has(name) || name.startsWith(HUGE_PAGES);
  if (!name.includes("/") && !isStandard) {
    problems.invalid(path, name, "must be a standard resource type or fully qualified");
    problems.invalid(path, name, "must be a standard resource for containers");
  }
  const parsed = parseQuantity(amount);
  if (parsed.kind === "error") return problems.invalid(at, amount, parsed.message);
  const { nanos } = parsed.quantity;
  if (nanos < 0n) {
    problems.invalid(at, canonicalQuantity(amount), "must be greater than or equal to 0");
  }
  if (!isNative(name) && nanos % WHOLE !== 0n) {
    problems.invalid(at, canonicalQuantity(amount), "must be an integer");
  }
}

interface Request {
  readonly name: string;
  readonly amount: string | number;
  readonly limit: string | number | undefined;
}

function validateAgainstLimit(problems: Problems, path: string, request: Request): void {
  const { name, amount, limit } = request;
  if (limit === undefined) {
    if (!allowsOvercommit(name)) {
      problems.required(`${path}`, "Limit must be set for non overcommitable resources");
    }
    return;
  }
  const order = compareQuantities(amount, limit);
  const shown = canonicalQuantity(limit);
  if (order !== 0 && !allowsOvercommit(name)) {
    problems.invalid(path, canonicalQuantity(amount), `must be equal to ${name} limit of ${shown}`);
  } else if (order > 0) {
    problems.invalid(
      path,
      canonicalQuantity(amount),
      `must be less than or equal to ${name} limit of ${shown}`,
    );
  }
}
