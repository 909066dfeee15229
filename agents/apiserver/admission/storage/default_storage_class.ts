/**
 * Claims that name no storage class get the cluster's default one.
 * In: claims about to be created. Out: spec.storageClassName. Never: replaces one, not even "".
 * Source: plugin/pkg/admission/storage/storageclass/setdefault (v1.36).
 */
import { persistentVolumeClaims, storageClasses } from "../../../api/resources.ts";
import type { AdmissionPlugin } from "../admission.ts";
import { defaultClassOf } from "../default_class.ts";

export const CLASS_ANNOTATION = "volume.beta.kubernetes.io/storage-class";
const DEFAULT_MARKS = [
  "storageclass.kubernetes.io/is-default-class",
  "storageclass.beta.kubernetes.io/is-default-class",
];

export const defaultStorageClass: AdmissionPlugin = {
  name: "DefaultStorageClass",
  admit({ operation, resource, subresource, object }, core) {
    if (resource !== persistentVolumeClaims || operation !== "CREATE" || subresource !== "") return;
    const claim = object!;
    if (claim.metadata.annotations?.[CLASS_ANNOTATION] !== undefined) return;
    if (claim.spec?.storageClassName !== undefined) return;
    const chosen = defaultClassOf(core, storageClasses, DEFAULT_MARKS);
    if (chosen !== undefined) (claim.spec ??= {}).storageClassName = chosen.metadata.name;
  },
};
