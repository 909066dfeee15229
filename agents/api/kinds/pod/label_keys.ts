/**
 * Turns label keys of affinity terms and spread constraints into requirements of their selectors,
 * with the values that the new pod has.
 * In: a pod about to be created. Out: the same pod. Never: touches a term without a selector, which
 * matches nothing.
 * Source: mutatePodAffinity, mutateTopologySpreadConstraints of pkg/registry/core/pod (v1.36).
 */
import type {
  Pod,
  PodAffinityTerm,
  WeightedPodAffinityTerm,
} from "../../schema/generated/core_v1.ts";
import type { LabelSelector } from "../../schema/generated/meta_v1.ts";

type Labels = Readonly<Record<string, string>>;

function extend(
  selector: LabelSelector | undefined,
  keys: readonly string[] | undefined,
  { operator, labels }: { readonly operator: "In" | "NotIn"; readonly labels: Labels },
): void {
  if (selector === undefined || keys === undefined) return;
  const added = keys.filter((key) => Object.hasOwn(labels, key))
    .map((key) => ({ key, operator, values: [labels[key]] }));
  if (added.length === 0) return;
  selector.matchExpressions = [...selector.matchExpressions ?? [], ...added];
}

function extendTerm(term: PodAffinityTerm, labels: Labels): void {
  extend(term.labelSelector, term.matchLabelKeys, { operator: "In", labels });
  extend(term.labelSelector, term.mismatchLabelKeys, { operator: "NotIn", labels });
}

/** Spells out the label keys of a new pod. */
export function spellOutLabelKeys({ metadata, spec }: Pod): void {
  const labels = metadata.labels ?? {};
  for (const affinity of [spec.affinity?.podAffinity, spec.affinity?.podAntiAffinity]) {
    const required: readonly PodAffinityTerm[] =
      affinity?.requiredDuringSchedulingIgnoredDuringExecution ?? [];
    const preferred: readonly WeightedPodAffinityTerm[] =
      affinity?.preferredDuringSchedulingIgnoredDuringExecution ?? [];
    for (const term of required) extendTerm(term, labels);
    for (const { podAffinityTerm } of preferred) {
      if (podAffinityTerm !== undefined) extendTerm(podAffinityTerm, labels);
    }
  }
  for (const { labelSelector, matchLabelKeys } of spec.topologySpreadConstraints ?? []) {
    extend(labelSelector, matchLabelKeys, { operator: "In", labels });
  }
}
