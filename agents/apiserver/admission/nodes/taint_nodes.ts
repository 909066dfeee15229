/**
 * A new node takes no pods until its controller has seen it ready.
 * In: nodes about to be created. Out: the taint not-ready:NoSchedule. Never: touches other taints.
 * Source: plugin/pkg/admission/nodetaint (v1.36).
 */
import { nodes } from "../../../api/resources.ts";
import type { AdmissionPlugin } from "../admission.ts";

const KEY = "node.kubernetes.io/not-ready";
const EFFECT = "NoSchedule";

export const taintNodesByCondition: AdmissionPlugin = {
  name: "TaintNodesByCondition",
  admit({ operation, resource, subresource, object }) {
    if (resource !== nodes || operation !== "CREATE" || subresource !== "") return;
    const spec = (object!.spec ??= {});
    const standing: readonly { key: string; effect: string }[] = spec.taints ?? [];
    if (standing.some(({ key, effect }) => key === KEY && effect === EFFECT)) return;
    spec.taints = [...standing, { key: KEY, effect: EFFECT }];
  },
};
