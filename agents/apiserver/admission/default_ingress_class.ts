/**
 * Ingresses that name no class get the cluster's default one.
 * In: ingresses about to be created. Out: spec.ingressClassName. Never: replaces one.
 * Source: plugin/pkg/admission/network/defaultingressclass (v1.36).
 */
import { ingressClasses, ingresses } from "../../api/resources.ts";
import type { AdmissionPlugin } from "./admission.ts";
import { defaultClassOf } from "./default_class.ts";

/** How ingresses named their class before there was a field. */
const CLASS_ANNOTATION = "kubernetes.io/ingress.class";
const DEFAULT_MARK = "ingressclass.kubernetes.io/is-default-class";

export const defaultIngressClass: AdmissionPlugin = {
  name: "DefaultIngressClass",
  admit({ operation, resource, subresource, object }, core) {
    if (resource !== ingresses || operation !== "CREATE" || subresource !== "") return;
    const ingress = object!;
    if (ingress.spec?.ingressClassName !== undefined) return;
    if (ingress.metadata.annotations?.[CLASS_ANNOTATION] !== undefined) return;
    const chosen = defaultClassOf(core, ingressClasses, [DEFAULT_MARK]);
    if (chosen !== undefined) (ingress.spec ??= {}).ingressClassName = chosen.metadata.name;
  },
};
