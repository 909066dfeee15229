/**
 * Owners are set by those who may delete the object, and made to wait by those who may hold them.
 * In: what changes ownerReferences. Out: a refusal. Never: minds references that stay. Off by
 * default. Source: plugin/pkg/admission/gc (v1.36).
 */
import type { OwnerReference } from "../../../api/meta.ts";
import { equalJson } from "../../../api/patch/json_patch.ts";
import { findKind, pods } from "../../../api/resources.ts";
import { forbidden } from "../../../api/status.ts";
import { type Core, groupResourceOf } from "../../verbs/core.ts";
import type { AdmissionPlugin, AdmissionRequest } from "../admission.ts";

export const ownerReferences: AdmissionPlugin = {
  name: "OwnerReferencesPermissionEnforcement",
  validate(request, core) {
    const { object, old, operation, resource, subresource } = request;
    if (object?.metadata === undefined || operation === "CONNECT") return;
    if (resource === pods && subresource === "status") return;
    const now = object.metadata.ownerReferences ?? [];
    const before = old?.metadata.ownerReferences ?? [];
    if (equalJson(now, before)) return;
    if (operation !== "CREATE" && !mayDelete(core, request)) {
      throw refused(request, "cannot set an ownerRef on a resource you can't delete: , <nil>");
    }
    const held = now.filter((ref) =>
      ref.blockOwnerDeletion === true &&
      !before.some(({ uid, blockOwnerDeletion }) => uid === ref.uid && blockOwnerDeletion === true)
    );
    const wrong = held.find((ref) => !mayHold(core, request, ref));
    if (wrong === undefined) return;
    throw refused(
      request,
      "cannot set blockOwnerDeletion if an ownerReference refers to a resource you can't set " +
        "finalizers on: , <nil>",
    );
  },
};

function refused(request: AdmissionRequest, reason: string): Error {
  return forbidden(groupResourceOf(request.resource), request.name, reason);
}

function mayDelete(core: Core, request: AdmissionRequest): boolean {
  const { user, namespace, name, subresource, resource } = request;
  const { group, plural } = resource;
  return core.authorizer.authorize({
    user,
    verb: "delete",
    group,
    resource: plural,
    subresource,
    namespace,
    name,
  }).allowed;
}

function mayHold(core: Core, request: AdmissionRequest, owner: OwnerReference): boolean {
  const [group, version] = owner.apiVersion.includes("/")
    ? owner.apiVersion.split("/")
    : ["", owner.apiVersion];
  const resource = findKind(group, version, owner.kind) ??
    core.custom.rows.find((row) =>
      row.group === group && row.version === version && row.kind === owner.kind
    );
  if (resource === undefined) return false;
  return core.authorizer.authorize({
    user: request.user,
    verb: "update",
    group,
    resource: resource.plural,
    subresource: "finalizers",
    namespace: resource.namespaced ? request.namespace : "",
    name: owner.name,
  }).allowed;
}
