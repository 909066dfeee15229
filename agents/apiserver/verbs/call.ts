/**
 * From an ApiCall to its verb: the one switch behind HTTP and the in-process client.
 * In: a decoded, authorized call whose objects this side owns. Out: a VerbAnswer.
 * Never: authenticates, authorizes or encodes. Errors: rejects with ApiError.
 */
import type { ApiCall } from "../../api/call.ts";
import type { Verb } from "../../api/resource.ts";
import { componentStatuses, nodeMetrics, podMetrics } from "../../api/resources.ts";
import { methodNotAllowed, unknownPath } from "../../api/status.ts";
import { performConverted } from "../custom/converted.ts";
import { type Core, groupResourceOf, type VerbAnswer } from "./core.ts";
import { createObject } from "./create.ts";
import { deleteObject } from "./delete.ts";
import { deleteCollection } from "./delete_collection.ts";
import { getObject } from "./get.ts";
import { listObjects } from "./list.ts";
import { patchObject } from "./patch.ts";
import { createBinding } from "./special/bind.ts";
import { getComponent, listComponents } from "./special/components.ts";
import { createEviction } from "./special/evict.ts";
import { createReview } from "./special/review.ts";
import { getScale, patchScale, updateScale } from "./special/scale.ts";
import { createToken } from "./special/token.ts";
import { askUsage } from "./special/usage.ts";
import { updateObject } from "./update.ts";

/** Groups whose collections answer a create and keep nothing. */
const REVIEW_GROUPS = new Set(["authentication.k8s.io", "authorization.k8s.io"]);

export function perform(core: Core, call: ApiCall): Promise<VerbAnswer> {
  refuseVerb(call);
  if (call.resource.custom?.asksWebhook) {
    return performConverted(core, call, () => performVerb(core, call));
  }
  return performVerb(core, call);
}

function performVerb(core: Core, call: ApiCall): Promise<VerbAnswer> {
  if (call.subresource !== "") return performOnPart(core, call);
  if (call.resource === nodeMetrics || call.resource === podMetrics) return askUsage(core, call);
  if (call.resource === componentStatuses) return Promise.resolve(askComponents(core, call));
  switch (call.verb) {
    case "get":
      return getObject(core, call, call.resourceVersion);
    case "list":
      return listObjects(core, call, call.options);
    case "create":
      if (REVIEW_GROUPS.has(call.resource.group)) return createReview(core, call, call.object);
      if (call.resource.group === "" && call.resource.plural === "bindings") {
        return createBinding(core, call, call.object, call.options);
      }
      return createObject(core, call, call.object, call.options);
    case "update":
      return updateObject(core, call, call.object, call.options);
    case "patch":
      return patchObject(core, call, call);
    case "delete":
      return deleteObject(core, call, call.options);
    case "deletecollection":
      return deleteCollection(core, call, call.options, call.list);
  }
}

/** Errors: throws ApiError. */
function askComponents(core: Core, call: ApiCall): VerbAnswer {
  if (call.verb === "list") return listComponents(core, call, call.options);
  return getComponent(core, call);
}

/** Errors: throws ApiError 404 for a part that does not exist, 405 for a verb it lacks. */
export function refuseVerb(call: Pick<ApiCall, "resource" | "subresource"> & { verb: Verb }): void {
  const { resource, subresource, verb } = call;
  if (subresource === "") {
    if (!resource.verbs.includes(verb)) {
      throw methodNotAllowed(groupResourceOf(resource), verb);
    }
    return;
  }
  const part = resource.subresources.find((row) => row.name === subresource);
  if (part === undefined) throw unknownPath();
  if (!part.verbs.includes(verb)) {
    const of = { group: resource.group, resource: `${resource.plural}/${subresource}` };
    throw methodNotAllowed(of, verb);
  }
}

function performOnPart(core: Core, call: ApiCall): Promise<VerbAnswer> {
  const part = call.subresource;
  if (part === "scale") {
    if (call.verb === "get") return getScale(core, call);
    if (call.verb === "update") return updateScale(core, call, call.object, call.options);
    if (call.verb === "patch") return patchScale(core, call, call);
  }
  if (call.verb === "create") {
    if (part === "binding") return createBinding(core, call, call.object, call.options);
    if (part === "eviction") return createEviction(core, call, call.object, call.options);
    if (part === "token") return createToken(core, call, call.object);
  }
  if (call.verb === "get") return getObject(core, call, call.resourceVersion);
  // status, approval, finalize, resize and their like: the whole object, of which a part is kept.
  if (call.verb === "update") return updateObject(core, call, call.object, call.options);
  if (call.verb === "patch") return patchObject(core, call, call);
  throw methodNotAllowed(groupResourceOf(call.resource), call.verb);
}
