/**
 * Device classes and claims whose selectors do not compile are not taken.
 * In: classes, claims and templates about to be written. Out: 422 that shows the place.
 * Never: minds a selector that stood before; it may be older than this server's language.
 * Source: validateCELSelector of pkg/apis/resource/validation (v1.36).
 */
import type { KubeObject } from "../../../api/meta.ts";
import type { FieldError } from "../../../api/resource.ts";
import { deviceClasses, resourceClaims, resourceClaimTemplates } from "../../../api/resources.ts";
import type {
  DeviceRequest,
  DeviceSelector,
  ResourceClaimSpec,
} from "../../../api/schema/generated/resource_v1.ts";
import { invalid } from "../../../api/status.ts";
import { compileDeviceSelector } from "../../../cel/device.ts";
import type { AdmissionPlugin } from "../admission.ts";

type Placed = readonly [path: string, source: string];

export const deviceSelectorCheck: AdmissionPlugin = {
  name: "DeviceSelectorCheck",
  validate({ resource, object, old, subresource, name }) {
    if (object === null || subresource !== "" || resource.group !== deviceClasses.group) return;
    const placesOf = PLACES.get(resource);
    if (placesOf === undefined) return;
    const standing = new Set(old === null ? [] : placesOf(old).map(([, source]) => source));
    const errors = placesOf(object).flatMap(([path, value]): FieldError[] => {
      if (standing.has(value)) return [];
      const compiled = compileDeviceSelector(value);
      return typeof compiled === "string"
        ? [{ type: "invalid", path, value, detail: compiled }]
        : [];
    });
    if (errors.length > 0) throw invalid(resource, name, errors);
  },
};

const PLACES = new Map([
  [deviceClasses, ({ spec }: KubeObject) => selectorsOf("spec.selectors", spec?.selectors)],
  [resourceClaims, ({ spec }: KubeObject) => claimOf("spec", spec)],
  [resourceClaimTemplates, ({ spec }: KubeObject) => claimOf("spec.spec", spec?.spec)],
]);

function selectorsOf(path: string, selectors: readonly DeviceSelector[] = []): Placed[] {
  return selectors.flatMap(({ cel }, index): Placed[] =>
    cel === undefined ? [] : [[`${path}[${index}].cel.expression`, cel.expression]]
  );
}

function claimOf(path: string, spec: ResourceClaimSpec | undefined): Placed[] {
  return (spec?.devices?.requests ?? []).flatMap((request: DeviceRequest, index) => {
    const at = `${path}.devices.requests[${index}]`;
    return [
      ...selectorsOf(`${at}.exactly.selectors`, request.exactly?.selectors),
      ...(request.firstAvailable ?? []).flatMap(({ selectors }, sub) =>
        selectorsOf(`${at}.firstAvailable[${sub}].selectors`, selectors)
      ),
    ];
  });
}
