/**
 * Who may be given what of devices: admin access only in namespaces that are marked for it;
 * allocations and reservations are written by those who may bind claims, the status of a device by
 * those who may speak for its driver.
 * In: claims, templates and statuses of claims about to be written. Out: 422 that shows the field.
 * Never: minds what stood before. The verb of the write is not known here: who may either update or
 * patch passes, as the write itself was authorised by its verb.
 * Source: pkg/registry/resource/utils.go (v1.36), DRAAdminAccess and
 * DRAResourceClaimGranularStatusAuthorization.
 */
import type { KubeObject, UserInfo } from "../../../api/meta.ts";
import { equalJson } from "../../../api/patch/json_patch.ts";
import type { FieldError } from "../../../api/resource.ts";
import { namespaces, resourceClaims, resourceClaimTemplates } from "../../../api/resources.ts";
import type {
  AllocatedDeviceStatus,
  DeviceRequest,
  DeviceRequestAllocationResult,
  ResourceClaimStatus,
} from "../../../api/schema/generated/resource_v1.ts";
import { accessForbidden, invalid } from "../../../api/status.ts";
import { cacheOf, type Core, keyOf } from "../../verbs/core.ts";
import type { AdmissionPlugin, AdmissionRequest } from "../admission.ts";

const ADMIN_LABEL = "resource.kubernetes.io/admin-access";
const NODE_NAME = "authentication.kubernetes.io/node-name";
const VERBS = ["update", "patch"];

export const deviceAccessCheck: AdmissionPlugin = {
  name: "DeviceAccessCheck",
  validate(request, core) {
    const { resource, name, subresource, operation, object } = request;
    if (object === null || (resource !== resourceClaims && resource !== resourceClaimTemplates)) {
      return;
    }
    const errors = subresource === "status"
      ? statusErrors(request, core)
      : subresource === "" && operation === "CREATE"
      ? adminErrors(request, core, requestedPath(object, resource === resourceClaimTemplates))
      : [];
    if (errors.length > 0) throw invalid(resource, name, errors);
  },
};

/** @returns where admin access is asked for, undefined where it is not */
function requestedPath({ spec }: KubeObject, isTemplate: boolean): string | undefined {
  const { devices = {} } = (isTemplate ? spec?.spec : spec) ?? {};
  const requests: readonly DeviceRequest[] = devices.requests ?? [];
  const index = requests.findIndex(({ exactly }) => exactly?.adminAccess === true);
  // A template's requests are shown as if it were the claim, as upstream does.
  return index < 0 ? undefined : `spec.devices.requests[${index}].adminAccess`;
}

function adminErrors(
  { namespace }: AdmissionRequest,
  core: Core,
  path: string | undefined,
): FieldError[] {
  if (path === undefined) return [];
  const key = keyOf({ resource: namespaces, namespace: "", name: namespace });
  const labels = cacheOf(core, namespaces).get(key)?.object.metadata.labels;
  if (labels?.[ADMIN_LABEL] === "true") return [];
  const detail = `admin access to devices requires the \`${ADMIN_LABEL}: true\` label on the ` +
    "containing namespace";
  return [{ type: "forbidden", path, value: null, detail }];
}

function statusErrors(request: AdmissionRequest, core: Core): FieldError[] {
  const now: ResourceClaimStatus = request.object?.status ?? {};
  const before: ResourceClaimStatus = request.old?.status ?? {};
  const isAdmin = ({ adminAccess }: DeviceRequestAllocationResult) => adminAccess === true;
  const index = resultsOf(before).some(isAdmin) ? -1 : resultsOf(now).findIndex(isAdmin);
  const path = index < 0 ? undefined : `status.allocation.devices.results[${index}].adminAccess`;
  const errors = adminErrors(request, core, path);
  if (!equalJson(bound(now), bound(before))) errors.push(...bindingErrors(request, core));
  if (now.allocation !== undefined) errors.push(...driverErrors(request, core, { now, before }));
  return errors;
}

function resultsOf({ allocation }: ResourceClaimStatus): readonly DeviceRequestAllocationResult[] {
  return allocation?.devices?.results ?? [];
}

function bound({ allocation, reservedFor = [] }: ResourceClaimStatus) {
  return { allocation: allocation ?? null, reservedFor };
}

/** @returns why a user may do none of the verbs, "" when it may */
function refusal(
  core: Core,
  user: UserInfo,
  verbs: readonly string[],
  place: { readonly subresource: string; readonly namespace: string; readonly name: string },
): string {
  const { group, plural } = resourceClaims;
  let first = "";
  for (const verb of verbs) {
    const asked = { verb, group, resource: plural, ...place };
    const { allowed, reason } = core.authorizer.authorize({ user, ...asked });
    if (allowed) return "";
    first ||= accessForbidden({ ...asked, user: user.name, reason }).message;
  }
  return first;
}

function bindingErrors({ user }: AdmissionRequest, core: Core): FieldError[] {
  const place = { subresource: "binding", namespace: "", name: "" };
  const reason = refusal(core, user, VERBS, place);
  if (reason === "") return [];
  const detail = "changing status.allocation or status.reservedFor requires " +
    `resource="resourceclaims/binding", verb="update" permission: ${reason}`;
  return [{ type: "forbidden", path: "status.allocation", value: null, detail }];
}

interface Statuses {
  readonly now: ResourceClaimStatus;
  readonly before: ResourceClaimStatus;
}

function driverErrors(
  { user, namespace }: AdmissionRequest,
  core: Core,
  statuses: Statuses,
): FieldError[] {
  const prefixes = isOnNode(user, nodeOf(statuses.now))
    ? ["associated-node:", "arbitrary-node:"]
    : ["arbitrary-node:"];
  const verbs = prefixes.flatMap((prefix) => VERBS.map((verb) => prefix + verb));
  const told = prefixes.map((prefix) => `${prefix}update`).join(" ");
  return changedDrivers(statuses).flatMap((driver): FieldError[] => {
    const place = { subresource: "driver", namespace, name: driver };
    const reason = refusal(core, user, verbs, place);
    if (reason === "") return [];
    const detail = `changing status.devices requires resource="resourceclaims/driver", ` +
      `verb="[${told}]" permission: ${reason}`;
    return [{ type: "forbidden", path: "status.devices", value: null, detail }];
  });
}

/** @returns drivers of which any device's status came, changed or went, in order of their names */
function changedDrivers({ now, before }: Statuses): string[] {
  const idOf = ({ driver, pool, device, shareID = "" }: AllocatedDeviceStatus) =>
    [driver, pool, device, shareID].join("/");
  const byId = ({ devices = [] }: ResourceClaimStatus) =>
    new Map(devices.map((device) => [idOf(device), device]));
  const [after, old] = [byId(now), byId(before)];
  const changed = new Set<string>();
  for (const [id, device] of after) {
    if (!equalJson(device, old.get(id))) changed.add(device.driver);
  }
  for (const [id, { driver }] of old) if (!after.has(id)) changed.add(driver);
  return [...changed].sort();
}

/** @returns the one node that an allocation is tied to, "" = none */
function nodeOf({ allocation }: ResourceClaimStatus): string {
  const terms = allocation?.nodeSelector?.nodeSelectorTerms ?? [];
  const { matchExpressions = [], matchFields = [] } = terms[0] ?? {};
  if (terms.length !== 1 || matchExpressions.length > 0 || matchFields.length !== 1) return "";
  const [{ key, operator, values = [] }] = matchFields;
  const isNode = key === "metadata.name" && operator === "In" && values.length === 1;
  return isNode ? values[0] : "";
}

/** Whether the user is a service account whose token names the node. */
function isOnNode({ name, extra }: UserInfo, node: string): boolean {
  if (node === "" || !name.startsWith("system:serviceaccount:")) return false;
  const nodes = extra?.[NODE_NAME] ?? [];
  return nodes.length === 1 && nodes[0] === node;
}
