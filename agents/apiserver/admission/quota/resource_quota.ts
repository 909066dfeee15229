/**
 * Holds a namespace to its ResourceQuotas.
 * In: what would be stored. Out: a refusal that says what is asked, used and limited.
 * Never: costs a request anything where no quota stands.
 * Source: apiserver's admission/plugin/resourcequota (v1.36).
 */
import type { LimitedResource } from "../../../api/quota/limited.ts";
import { measureOf } from "../../../api/quota/measure.ts";
import { resourceQuotas } from "../../../api/resources.ts";
import { cacheOf } from "../../verbs/core.ts";
import type { AdmissionPlugin } from "../admission.ts";
import { QuotaGate, quotasIn } from "./quota_gate.ts";

/** @param limits what is used only where a quota covers it */
export function resourceQuota(limits: readonly LimitedResource[]): AdmissionPlugin {
  let gate: QuotaGate | null = null;
  const isLimited = limits.length > 0;
  return {
    name: "ResourceQuota",
    validate(request, core) {
      const { object, namespace, operation, resource } = request;
      if (namespace === "" || object === null || operation === "CONNECT") return undefined;
      if (cacheOf(core, resourceQuotas).size === 0 && !isLimited) return undefined;
      const measure = measureOf(resource.group, resource.plural);
      if (measure?.handles({ ...request, object }) !== true) return undefined;
      if (quotasIn(core, namespace).length === 0 && !isLimited) return undefined;
      gate ??= new QuotaGate(core, limits);
      return gate.pass(request, measure);
    },
  };
}
