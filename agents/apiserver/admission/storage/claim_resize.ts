/**
 * Claims grow only where their class lets volumes grow.
 * In: claims about to be updated. Out: a refusal. Never: minds a claim that asks for no more.
 * Source: plugin/pkg/admission/storage/persistentvolume/resize (v1.36).
 */
import type { KubeObject } from "../../../api/meta.ts";
import { compareQuantities } from "../../../api/quantity.ts";
import { persistentVolumeClaims, storageClasses } from "../../../api/resources.ts";
import { forbidden } from "../../../api/status.ts";
import { cacheOf, type Core, groupResourceOf, keyOf } from "../../verbs/core.ts";
import type { AdmissionPlugin } from "../admission.ts";
import { CLASS_ANNOTATION } from "./default_storage_class.ts";

export const persistentVolumeClaimResize: AdmissionPlugin = {
  name: "PersistentVolumeClaimResize",
  validate({ operation, resource, subresource, object, old, name }, core) {
    if (resource !== persistentVolumeClaims || operation !== "UPDATE" || subresource !== "") return;
    if (compareQuantities(sizeOf(object!), sizeOf(old!)) <= 0) return;
    const refuse = (reason: string) => forbidden(groupResourceOf(resource), name, reason);
    if (old!.status?.phase !== "Bound") {
      throw refuse("Only bound persistent volume claims can be expanded");
    }
    if (!mayGrow(core, object!, old!)) {
      throw refuse(
        "only dynamically provisioned pvc can be resized and " +
          "the storageclass that provisions the pvc must support resize",
      );
    }
  },
};

function sizeOf(claim: KubeObject): string {
  return claim.spec?.resources?.requests?.storage ?? "0";
}

function classOf(claim: KubeObject): string {
  return claim.metadata.annotations?.[CLASS_ANNOTATION] ?? claim.spec?.storageClassName ?? "";
}

function mayGrow(core: Core, claim: KubeObject, old: KubeObject): boolean {
  const name = classOf(claim);
  if (name === "" || name !== classOf(old)) return false;
  const key = keyOf({ resource: storageClasses, namespace: "", name });
  return cacheOf(core, storageClasses).get(key)?.object.allowVolumeExpansion === true;
}
