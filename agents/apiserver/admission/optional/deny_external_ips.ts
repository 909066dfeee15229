/**
 * Services take no external addresses beside those they have.
 * In: services about to be written. Out: a refusal. Never: takes one away. Off by default.
 * Source: plugin/pkg/admission/network/denyserviceexternalips (v1.36).
 */
import { services } from "../../../api/resources.ts";
import { forbidden } from "../../../api/status.ts";
import type { AdmissionPlugin } from "../admission.ts";

export const denyServiceExternalIps: AdmissionPlugin = {
  name: "DenyServiceExternalIPs",
  validate({ resource, subresource, object, old, name }) {
    if (resource !== services || subresource !== "" || object === null) return;
    const wanted: readonly string[] = object.spec?.externalIPs ?? [];
    const standing: readonly string[] = old?.spec?.externalIPs ?? [];
    if (wanted.every((address) => standing.includes(address))) return;
    const reason = "Use of external IPs is denied by admission control";
    throw forbidden({ group: "", resource: "services" }, name, reason);
  },
};
