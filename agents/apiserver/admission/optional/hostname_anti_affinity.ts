/**
 * Pods keep others off their own node at most, not off a whole zone.
 * In: pods about to be written. Out: a refusal. Never: minds what is only preferred. Off by
 * default. Source: plugin/pkg/admission/antiaffinity (v1.36).
 */
import { pods } from "../../../api/resources.ts";
import { forbidden } from "../../../api/status.ts";
import type { AdmissionPlugin } from "../admission.ts";

const ALLOWED = "kubernetes.io/hostname";

export const hostnameAntiAffinity: AdmissionPlugin = {
  name: "LimitPodHardAntiAffinityTopology",
  validate({ resource, subresource, object, name }) {
    if (resource !== pods || subresource !== "" || object === null) return;
    const wanted: readonly { topologyKey: string }[] =
      object.spec?.affinity?.podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? [];
    const other = wanted.find(({ topologyKey }) => topologyKey !== ALLOWED);
    if (other === undefined) return;
    const reason = "affinity.PodAntiAffinity.RequiredDuringScheduling has TopologyKey " +
      `${other.topologyKey} but only key ${ALLOWED} is allowed`;
    throw forbidden({ group: "", resource: "pods" }, name, reason);
  },
};
