/**
 * What a namespace's pods would break of a standard that it is about to enforce.
 * In: a namespace's draft, its new standard. Out: warnings. Never: refuses.
 * Source: EvaluatePodsInNamespace of pod-security-admission (v1.36).
 */
import type { KubeObject } from "../../../api/meta.ts";
import { pods } from "../../../api/resources.ts";
import { cacheOf, type Core, prefixOf } from "../../verbs/core.ts";
import { type AdmissionRequest, warn } from "../admission.ts";
import { type Standard, violations } from "./checks.ts";
import { formatStandard, type PodSecurityConfig } from "./namespace_policy.ts";

const MAX_PODS = 3000;

export function warnOfPods(
  core: Core,
  config: PodSecurityConfig,
  parts: { readonly request: AdmissionRequest; readonly standard: Standard },
): void {
  const { request, standard } = parts;
  const keyPrefix = `${prefixOf(pods)}${request.name}/`;
  const all = oneOfEachOwnerFirst(
    cacheOf(core, pods).select({ keyPrefix }).map(({ object }) => object)
      .filter(({ spec }) => !config.exempt.runtimeClasses.includes(spec?.runtimeClassName)),
  );
  const named = new Map<string, string[]>();
  for (const { metadata, spec } of all.slice(0, MAX_PODS)) {
    const reasons = violations(standard, metadata, spec ?? {}).map(({ reason }) => reason);
    if (reasons.length === 0) continue;
    const words = reasons.join(", ");
    named.set(words, [...named.get(words) ?? [], metadata.name!]);
  }
  if (all.length > MAX_PODS) {
    warn(
      request,
      `new PodSecurity enforce level only checked against the first ${MAX_PODS} of ` +
        `${all.length} existing pods`,
    );
  }
  if (named.size === 0) return;
  const level = JSON.stringify(formatStandard(standard));
  const where = JSON.stringify(request.name);
  warn(
    request,
    `existing pods in namespace ${where} violate the new PodSecurity enforce level ${level}`,
  );
  const lines = [...named].map(([words, names]) => `${tellNames(names)}: ${words}`);
  for (const line of lines.sort()) warn(request, line);
}

/** `a (and 2 other pods)` */
function tellNames(names: string[]): string {
  const [first, ...others] = names.sort();
  if (others.length === 0) return first;
  return `${first} (and ${others.length} other ${others.length === 1 ? "pod" : "pods"})`;
}

/** Pods of one controller are alike: of each the first, then the rest. */
function oneOfEachOwnerFirst(all: readonly KubeObject[]): readonly KubeObject[] {
  const seen = new Set<string>();
  const first: KubeObject[] = [];
  const others: KubeObject[] = [];
  for (const pod of all) {
    const owner = pod.metadata.ownerReferences?.find(({ controller }) => controller)?.uid;
    const isKnown = owner !== undefined && seen.has(owner);
    if (owner !== undefined) seen.add(owner);
    (isKnown ? others : first).push(pod);
  }
  return [...first, ...others];
}
