/**
 * Checks the addresses and families of a service: that they fit each other, and stay.
 * In: specs with defaults. Out: field errors. Never: allocates.
 * Source: ValidateServiceClusterIPsRelatedFields, validateUpgradeDowngradeClusterIPs,
 * validateUpgradeDowngradeIPFamilies (v1.36).
 */
import { checkAddress, parseAddress } from "../../ip.ts";
import type { ServiceSpec } from "../../schema/generated/core_v1.ts";
import { type Problems, sameJson } from "../problems.ts";

const FAMILIES = ["IPv4", "IPv6"];
const POLICIES = ["PreferDualStack", "RequireDualStack", "SingleStack"];
const CHANGED = "may not change once set";

function isHeadless(spec: ServiceSpec): boolean {
  return spec.clusterIP === "None" || spec.clusterIPs?.[0] === "None";
}

function familyOf(address: string): string {
  return address.includes(":") ? "IPv6" : "IPv4";
}

/** A service's own addresses, as far as one object tells. */
export function validateAddresses(problems: Problems, spec: ServiceSpec): void {
  if (spec.type === "ExternalName") return;
  const { clusterIP = "", clusterIPs = [], ipFamilies = [], ipFamilyPolicy } = spec;
  const path = "spec.clusterIPs";
  if (clusterIP !== "" && clusterIPs.length === 0) problems.required(path);
  else if (clusterIP !== "" && clusterIPs[0] !== clusterIP) {
    problems.invalid(path, clusterIPs, "first value must match `clusterIP`");
  } else if (clusterIP === "" && clusterIPs.length > 0) {
    const detail = "must be empty when `clusterIP` is not specified";
    problems.invalid(path, clusterIPs, detail);
  }
  ipFamilies.forEach((family, index) => {
    const at = `spec.ipFamilies[${index}]`;
    if (!FAMILIES.includes(family)) problems.notSupported(at, family, FAMILIES);
    if (ipFamilies.indexOf(family) < index) problems.duplicate(at, family);
  });
  if (ipFamilyPolicy !== undefined && !POLICIES.includes(ipFamilyPolicy)) {
    problems.notSupported("spec.ipFamilyPolicy", ipFamilyPolicy, POLICIES);
  }
  validateEach(problems, path, clusterIPs, ipFamilies, isHeadless(spec));
}

function validateEach(
  problems: Problems,
  path: string,
  addresses: readonly string[],
  families: readonly string[],
  headless: boolean,
): void {
  let isSound = true;
  addresses.forEach((address, index) => {
    if (index === 0 && address === "None") {
      if (addresses.length === 1) return;
      isSound = false;
      return problems.invalid(path, addresses, "'None' must be the first and only value");
    }
    if (checkAddress(address).length > 0) isSound = false;
    problems.checkName(`${path}[${index}]`, address, checkAddress);
  });
  if (addresses.length > 2) problems.invalid(path, addresses, "may only hold up to 2 values");
  if (!isSound) return;
  if (addresses.length === 2 && familyOf(addresses[0]) === familyOf(addresses[1])) {
    problems.invalid(path, addresses, "may specify no more than one IP for each IP family");
  }
  if (headless) return;
  addresses.forEach((address, index) => {
    const family = families[index];
    if (family === undefined || parseAddress(address) === null) return;
    if (FAMILIES.includes(family) && familyOf(address) !== family) {
      const detail = `expected an ${family} value as indicated by \`ipFamilies[${index}]\``;
      problems.invalid(`${path}[${index}]`, address, detail);
    }
  });
}

/** The two fields for addresses as one list. */
function addressesOf({ clusterIP, clusterIPs = [] }: ServiceSpec): readonly string[] {
  return clusterIP ? [clusterIP, ...clusterIPs.slice(1)] : clusterIPs;
}

/** Clients that know only the older of the two fields change both with it. */
export function followFirstAddress(now: ServiceSpec, before: ServiceSpec): void {
  if (now.clusterIP === before.clusterIP) return;
  if (!sameJson(now.clusterIPs, before.clusterIPs) || (now.clusterIPs ?? []).length === 0) return;
  if (now.clusterIP) now.clusterIPs = [now.clusterIP, ...(now.clusterIPs ?? []).slice(1)];
  else delete now.clusterIPs;
}

/** What an update did to addresses and families: a second one may come and go, the first stays. */
export function validateAddressChange(
  problems: Problems,
  now: ServiceSpec,
  before: ServiceSpec,
): void {
  if (now.type === "ExternalName" || before.type === "ExternalName") return;
  const [headless, wasHeadless] = [isHeadless(now), isHeadless(before)];
  if (!headless || !wasHeadless) {
    compareLists(problems, now, {
      path: "spec.clusterIPs",
      now: addressesOf(now),
      before: addressesOf(before),
      first: "primary clusterIP",
      second: "secondary clusterIP",
    });
  }
  if (headless || wasHeadless) return;
  compareLists(problems, now, {
    path: "spec.ipFamilies",
    now: now.ipFamilies ?? [],
    before: before.ipFamilies ?? [],
    first: "primary ipFamily",
    second: "secondary ipFamily",
  });
}

interface Change {
  readonly path: string;
  readonly now: readonly string[];
  readonly before: readonly string[];
  readonly first: string;
  readonly second: string;
}

function compareLists(problems: Problems, spec: ServiceSpec, change: Change): void {
  const { path, now, before } = change;
  if (before.length === 0) return;
  if (now.length === before.length) {
    before.forEach((value, index) => {
      if (now[index] !== value) problems.invalid(`${path}[${index}]`, now, CHANGED);
    });
    return;
  }
  if (now.length === 0) {
    return problems.invalid(`${path}[0]`, now, `${change.first} can not be unset`);
  }
  if (now[0] !== before[0]) problems.invalid(`${path}[0]`, now, CHANGED);
  if (now.length === 1 && before.length > 1 && spec.ipFamilyPolicy !== "SingleStack") {
    problems.invalid(
      "spec.ipFamilyPolicy",
      spec.ipFamilyPolicy ?? null,
      `must be set to 'SingleStack' when releasing the ${change.second}`,
    );
  }
}

/** The class of a load balancer is chosen once, when the service becomes one. */
export function validateClassChange(
  problems: Problems,
  now: ServiceSpec,
  before: ServiceSpec,
): void {
  const wasBalancer = before.type === "LoadBalancer";
  const isBalancer = now.type === "LoadBalancer";
  if (wasBalancer && isBalancer && !sameJson(now.loadBalancerClass, before.loadBalancerClass)) {
    problems.invalid("spec.loadBalancerClass", now.loadBalancerClass ?? null, CHANGED);
  }
  if (!isBalancer && now.loadBalancerClass !== undefined) {
    problems.forbidden(
      "spec.loadBalancerClass",
      "may only be used when `type` is 'LoadBalancer'",
    );
  }
}
