/**
 * Pods carry the zone and the region of their node, so that what runs in them can read it.
 * In: pods that name a node, bindings about to be made. Out: labels taken from the node.
 * Never: waits for a node that is not known.
 * Source: plugin/pkg/admission/podtopologylabels (v1.36).
 */
import type { KubeObject } from "../../../api/meta.ts";
import { nodes, pods } from "../../../api/resources.ts";
import { cacheOf, type Core, keyOf } from "../../verbs/core.ts";
import type { AdmissionPlugin } from "../admission.ts";

const COPIED = ["topology.kubernetes.io/zone", "topology.kubernetes.io/region"] as const;

export const podTopologyLabels: AdmissionPlugin = {
  name: "PodTopologyLabels",
  admit({ operation, resource, subresource, object }, core) {
    if (resource !== pods || operation !== "CREATE") return;
    if (subresource === "") copyLabels(core, object!, object!.spec?.nodeName ?? "");
    else if (subresource === "binding" && object!.target?.kind === "Node") {
      copyLabels(core, object!, object!.target.name ?? "");
    }
  },
};

function copyLabels(core: Core, into: KubeObject, nodeName: string): void {
  const found = nodeName === "" ? null : topologyLabelsOf(core, nodeName);
  if (found !== null) into.metadata.labels = { ...into.metadata.labels, ...found };
}

/** @returns null where the node has none, or is not known */
export function topologyLabelsOf(core: Core, nodeName: string): Record<string, string> | null {
  const key = keyOf({ resource: nodes, namespace: "", name: nodeName });
  const labels = cacheOf(core, nodes).get(key)?.object.metadata.labels;
  if (labels === undefined) return null;
  let found: Record<string, string> | null = null;
  for (const name of COPIED) {
    if (labels[name] !== undefined) (found ??= {})[name] = labels[name];
  }
  return found;
}
