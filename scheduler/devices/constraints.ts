/**
 * Constraints of a claim: which devices may be had together.
 * In: devices as they are taken and put back, last one first. Out: whether one may join the rest.
 * Never: lets in a device that has no value of the attribute at all.
 * Source: matchAttribute and distinctAttribute of resource.k8s.io/v1 DeviceConstraint (v1.36).
 */

import type { AttributeConstraint, DeviceRow } from "./device_row.ts";

/** @param name "request" or "request/alternative"; a list's own name means all in it */
function isAbout(requests: readonly string[], name: string): boolean {
  if (requests.length === 0 || requests.includes(name)) return true;
  const slash = name.indexOf("/");
  return slash > 0 && requests.includes(name.slice(0, slash));
}

/** One constraint, and the values of the devices taken so far. */
class AttributeRule {
  readonly #constraint: AttributeConstraint;
  readonly #values: string[] = [];

  constructor(constraint: AttributeConstraint) {
    this.#constraint = constraint;
  }

  #valueOf({ attributes }: DeviceRow): string | undefined {
    return attributes.get(this.#constraint.attribute);
  }

  allows(request: string, device: DeviceRow): boolean {
    const { requests, isDistinct } = this.#constraint;
    if (!isAbout(requests, request)) return true;
    const value = this.#valueOf(device);
    if (value === undefined) return false;
    if (isDistinct) return !this.#values.includes(value);
    return this.#values.length === 0 || this.#values[0] === value;
  }

  add(request: string, device: DeviceRow): void {
    if (isAbout(this.#constraint.requests, request)) this.#values.push(this.#valueOf(device)!);
  }

  removeLast(request: string): void {
    if (isAbout(this.#constraint.requests, request)) this.#values.pop();
  }
}

/** All constraints of one claim. */
export class AttributeRules {
  readonly #rules: readonly AttributeRule[];

  constructor(constraints: readonly AttributeConstraint[]) {
    this.#rules = constraints.map((constraint) => new AttributeRule(constraint));
  }

  /** @returns false, and nothing changes, when the device may not be had with the others. */
  add(request: string, device: DeviceRow): boolean {
    if (!this.#rules.every((rule) => rule.allows(request, device))) return false;
    for (const rule of this.#rules) rule.add(request, device);
    return true;
  }

  removeLast(request: string): void {
    for (const rule of this.#rules) rule.removeLast(request);
  }
}
