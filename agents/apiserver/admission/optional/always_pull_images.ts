/**
 * Images are pulled for every pod, so that a private one is used only by who may have it.
 * In: pods about to be written. Out: the pull policy Always, or a refusal.
 * Never: touches a pod whose images stay as they are. Off by default.
 * Source: plugin/pkg/admission/alwayspullimages (v1.36).
 */
import type { KubeObject } from "../../../api/meta.ts";
import type { FieldError } from "../../../api/resource.ts";
import { pods } from "../../../api/resources.ts";
import { fieldErrorBody, forbidden } from "../../../api/status.ts";
import type { AdmissionPlugin, AdmissionRequest } from "../admission.ts";

type Spec = KubeObject["spec"];

const ALWAYS = "Always";
const LISTS = ["initContainers", "containers", "ephemeralContainers"] as const;

export const alwaysPullImages: AdmissionPlugin = {
  name: "AlwaysPullImages",
  admit(request) {
    if (!concerns(request)) return;
    const spec = (request.object!.spec ??= {});
    for (const list of LISTS) {
      if (spec[list] === undefined) continue;
      spec[list] = spec[list].map((one: Spec) => ({ ...one, imagePullPolicy: ALWAYS }));
    }
    if (spec.volumes !== undefined) {
      spec.volumes = spec.volumes.map((volume: Spec) =>
        volume.image === undefined
          ? volume
          : { ...volume, image: { ...volume.image, pullPolicy: ALWAYS } }
      );
    }
  },
  validate(request) {
    if (!concerns(request)) return;
    const { spec = {} } = request.object!;
    const wrong = [
      ...LISTS.flatMap((list) =>
        (spec[list] ?? []).map((one: Spec, at: number) => ({
          path: `spec.${list}[${at}].imagePullPolicy`,
          value: one.imagePullPolicy,
        }))
      ),
      ...(spec.volumes ?? []).flatMap((volume: Spec, at: number) =>
        volume.image === undefined
          ? []
          : [{ path: `spec.volumes[${at}].image.pullPolicy`, value: volume.image.pullPolicy }]
      ),
    ].filter(({ value }) => value !== ALWAYS);
    if (wrong.length === 0) return;
    const lines = wrong.map((one) => {
      const detail = `supported values: "${ALWAYS}"`;
      const error: FieldError = { type: "notSupported", detail, ...one };
      return `${one.path}: ${fieldErrorBody(error)}`;
    });
    throw forbidden({ group: "", resource: "pods" }, request.name, lines.join(", "));
  },
};

/** Creates, and updates that bring another image. */
function concerns({ operation, resource, subresource, object, old }: AdmissionRequest): boolean {
  if (resource !== pods || subresource !== "") return false;
  if (operation !== "UPDATE") return operation === "CREATE";
  const known = imagesOf(old!);
  return imagesOf(object!).some((image) => !known.includes(image));
}

function imagesOf({ spec = {} }: KubeObject): readonly string[] {
  return LISTS.flatMap((list) => (spec[list] ?? []).map(({ image }: Spec) => image));
}
