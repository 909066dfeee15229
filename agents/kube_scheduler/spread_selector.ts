/**
 * The selector of the services and controllers that a pod belongs to: its default spreading.
 * In: a pod and what selects pods in its namespace. Out: requirements; empty = nothing selects it.
 * Source: Kubernetes v1.36 scheduler helper DefaultSelector.
 */
import type { LabelSelector } from "../api/meta.ts";
import type { Requirement } from "../../scheduler/mod.ts";
import { matchesLabels } from "../../scheduler/mod.ts";
import { encodeLabelMap, encodeSelector } from "./encode.ts";
import type { Pod, Selecting } from "./kinds.ts";

/** Looks up what selects pods; undefined = there is none such. */
export interface Selectors {
  services(namespace: string): readonly Selecting[];
  controller(kind: string, place: { namespace: string; name: string }): Selecting | undefined;
}

type LabelMap = Readonly<Record<string, string>>;

const NO_LABELS: LabelMap = {};
const UNSELECTED: readonly Requirement[] = [];

function servicesOf(pod: Pod, selectors: Selectors): LabelMap {
  let labels = NO_LABELS;
  for (const { spec } of selectors.services(pod.metadata.namespace ?? "")) {
    const selector = spec?.selector as LabelMap | undefined;
    if (selector === undefined || selector === null) continue;
    if (matchesLabels(encodeLabelMap(selector), pod.metadata.labels ?? {})) {
      labels = { ...labels, ...selector };
    }
  }
  return labels;
}

/** @returns the merged selector. */
export function defaultSelector(pod: Pod, selectors: Selectors): readonly Requirement[] {
  const labels = servicesOf(pod, selectors);
  const owner = pod.metadata.ownerReferences?.find(({ controller }) => controller);
  if (owner === undefined) return labels === NO_LABELS ? UNSELECTED : encodeLabelMap(labels);
  const place = { namespace: pod.metadata.namespace ?? "", name: owner.name };
  switch (`${owner.apiVersion}/${owner.kind}`) {
    case "v1/ReplicationController": {
      const own = selectors.controller(owner.kind, place)?.spec?.selector as LabelMap | undefined;
      return encodeLabelMap({ ...labels, ...own });
    }
    case "apps/v1/ReplicaSet":
    case "apps/v1/StatefulSet": {
      const own = selectors.controller(owner.kind, place)?.spec?.selector;
      return [...encodeLabelMap(labels), ...encodeSelector(own as LabelSelector) ?? []];
    }
    default:
      return encodeLabelMap(labels);
  }
}
