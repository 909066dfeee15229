/**
 * Pods that ask for a device tolerate the taint that keeps others off its nodes.
 * In: pods about to be written. Out: a toleration for each extended resource.
 * Never: drops a toleration. Off by default.
 * Source: plugin/pkg/admission/extendedresourcetoleration (v1.36).
 */
import type { KubeObject } from "../../../api/meta.ts";
import { equalJson } from "../../../api/patch/json_patch.ts";
import { pods } from "../../../api/resources.ts";
import type { AdmissionPlugin } from "../admission.ts";

export const extendedResourceToleration: AdmissionPlugin = {
  name: "ExtendedResourceToleration",
  admit({ operation, resource, subresource, object }) {
    if (resource !== pods || subresource !== "" || object === null) return;
    if (operation !== "CREATE" && operation !== "UPDATE") return;
    const spec = (object.spec ??= {});
    const standing: readonly object[] = spec.tolerations ?? [];
    const missing = devicesOf(object)
      .map((key) => ({ key, operator: "Exists", effect: "NoSchedule" }))
      .filter((one) => !standing.some((other) => equalJson(one, other)));
    if (missing.length > 0) spec.tolerations = [...standing, ...missing];
  },
};

function devicesOf({ spec = {} }: KubeObject): readonly string[] {
  const names = [...spec.containers ?? [], ...spec.initContainers ?? []]
    .flatMap((container: KubeObject) => Object.keys(container.resources?.requests ?? {}));
  return [...new Set(names.filter(isExtended))].sort();
}

function isExtended(name: string): boolean {
  return name.includes("/") && !name.includes("kubernetes.io/") && !name.startsWith("requests.");
}
