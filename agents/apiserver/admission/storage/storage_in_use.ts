/**
 * What holds data is not removed while somebody uses it: a finalizer sees to that, and the
 * controllers of the same name take it away.
 * In: volumes, claims and attribute classes about to be created. Out: the finalizer.
 * Never: looks at who uses what. Source: storageobjectinuseprotection (v1.36).
 */
import {
  persistentVolumeClaims,
  persistentVolumes,
  volumeAttributesClasses,
} from "../../../api/resources.ts";
import type { Resource } from "../../../api/resource.ts";
import type { AdmissionPlugin } from "../admission.ts";

const FINALIZERS: ReadonlyMap<Resource, string> = new Map([
  [persistentVolumes, "kubernetes.io/pv-protection"],
  [persistentVolumeClaims, "kubernetes.io/pvc-protection"],
  [volumeAttributesClasses, "kubernetes.io/vac-protection"],
]);

export const storageObjectInUseProtection: AdmissionPlugin = {
  name: "StorageObjectInUseProtection",
  admit({ operation, resource, subresource, object }) {
    if (operation !== "CREATE" || subresource !== "") return;
    const finalizer = FINALIZERS.get(resource);
    if (finalizer === undefined) return;
    const { metadata } = object!;
    if (metadata.finalizers?.includes(finalizer)) return;
    metadata.finalizers = [...metadata.finalizers ?? [], finalizer];
  },
};
