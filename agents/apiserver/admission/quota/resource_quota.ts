/**
 * Holds a namespace to its ResourceQuotas.
 * In: what would be stored. Out: a refusal that says what is asked, used and limited.
 * Never: costs a request anything where no quota stands.
 * Source: apiserver's admission/plugin/resourcequota (v1.36).
 */
import { measureOf } from "../../../api/quota/measure.ts";
import { resourceQuotas } from "../../../api/resources.ts";
import { cacheOf, type Core } from "../../verbs/core.ts";
import type { AdmissionPlugin } from "../admission.ts";
import { QuotaGate, quotasIn } from "./quota_gate.ts";

const gates = new WeakMap<Core, QuotaGate>();

export const resourceQuota: AdmissionPlugin = {
  name: "ResourceQuota",
  validate(request, core) {
    const { object, namespace, operation, resource } = request;
    if (namespace === "" || object === null || operation === "CONNECT") return undefined;
    if (cacheOf(core, resourceQuotas).size === 0) return undefined;
    const measure = measureOf(resource.group, resource.plural);
    if (measure?.handles({ ...request, object }) !== true) return undefined;
    if (quotasIn(core, namespace).length === 0) return undefined;
    let gate = gates.get(core);
    if (gate === undefined) gates.set(core, gate = new QuotaGate(core));
    return gate.pass(request, measure);
  },
};
