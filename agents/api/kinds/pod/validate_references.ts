/**
 * Checks references to a pod's own fields and resources, from its environment and volumes.
 * In: a fieldRef or resourceFieldRef. Out: field errors. Never: reads the field.
 * Source: validateObjectFieldSelector, validateContainerResourceFieldSelector (v1.36).
 */
import { checkQualifiedName } from "../../names.ts";
import { canonicalQuantity } from "../../quantity.ts";
import type { ObjectFieldSelector, ResourceFieldSelector } from "../../schema/generated/core_v1.ts";
import type { Problems } from "../problems.ts";

/** Who refers: an environment variable or a file of a volume. */
export type Referrer = "env" | "volume";

const FIELDS: Readonly<Record<Referrer, readonly string[]>> = {
  env: [
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.serviceAccountName",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
  ],
  volume: [
    "metadata.annotations",
    "metadata.labels",
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
  ],
};
/** What can be referred to at all; other paths are no paths. */
const LABELS = new Set([
  ...FIELDS.env,
  ...FIELDS.volume,
  "spec.restartPolicy",
  "spec.schedulerName",
  "status.phase",
]);
const RESOURCES = [
  "limits.cpu",
  "limits.ephemeral-storage",
  "limits.memory",
  "requests.cpu",
  "requests.ephemeral-storage",
  "requests.memory",
];
const PREFIXES = ["limits.hugepages-", "requests.hugepages-"];
/** By a part of the resource's name: the word for it. */
const DIVIDED: readonly (readonly [string, string])[] = [
  [".cpu", "cpu"],
  [".memory", "memory"],
  [".ephemeral-storage", "local ephemeral storage"],
  [".hugepages-", "hugepages"],
];
const CPU_DIVISORS = ["1", "1m"];
const BYTE_DIVISORS = [
  "1",
  "1k",
  "1M",
  "1G",
  "1T",
  "1P",
  "1E",
  "1Ki",
  "1Mi",
  "1Gi",
  "1Ti",
  "1Pi",
  "1Ei",
];

export function validateFieldRef(
  problems: Problems,
  at: string,
  reference: ObjectFieldSelector,
  referrer: Referrer,
): void {
  const { apiVersion = "", fieldPath = "" } = reference;
  if (apiVersion === "") return problems.required(`${at}.apiVersion`);
  if (fieldPath === "") return problems.required(`${at}.fieldPath`);
  const path = `${at}.fieldPath`;
  const subscripted = /^(.*)\['(.*)'\]$/.exec(fieldPath);
  const plain = subscripted?.[1] ?? fieldPath;
  if (apiVersion !== "v1") {
    const detail = `error converting fieldPath: unsupported pod version: ${apiVersion}`;
    return problems.invalid(path, fieldPath, detail);
  }
  if (!LABELS.has(plain)) {
    const detail = `error converting fieldPath: field label not supported: ${plain}`;
    return problems.invalid(path, fieldPath, detail);
  }
  if (subscripted !== null) {
    const key = subscripted[2];
    if (plain === "metadata.annotations") {
      problems.checkName(at, key.toLowerCase(), checkQualifiedName);
    } else if (plain === "metadata.labels") problems.checkName(at, key, checkQualifiedName);
    else problems.invalid(at, plain, "does not support subscript");
  } else if (!FIELDS[referrer].includes(plain)) {
    problems.notSupported(path, plain, FIELDS[referrer]);
  }
}

export function validateResourceFieldRef(
  problems: Problems,
  at: string,
  reference: ResourceFieldSelector,
  referrer: Referrer,
): void {
  const { containerName, resource = "", divisor } = reference;
  if (referrer === "volume" && !containerName) problems.required(`${at}.containerName`);
  else if (resource === "") problems.required(`${at}.resource`);
  else if (
    !RESOURCES.includes(resource) && !PREFIXES.some((prefix) => resource.startsWith(prefix))
  ) problems.notSupported(`${at}.resource`, resource, RESOURCES);
  const shown = divisor === undefined ? "0" : canonicalQuantity(divisor) ?? String(divisor);
  if (shown === "0") return;
  const word = DIVIDED.find(([suffix]) => resource.includes(suffix))?.[1];
  const divisors = word === "cpu" ? CPU_DIVISORS : BYTE_DIVISORS;
  if (word === undefined || divisors.includes(shown)) return;
  const listed = word === "cpu" ? "1m and 1" : BYTE_DIVISORS.join(", ");
  const detail = `only divisor's values ${listed} are supported with the ${word} resource`;
  problems.invalid(`${at}.divisor`, resource, detail);
}
