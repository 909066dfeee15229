/**
 * Namespaces of objects that are about to be: made where they are missing, or asked for.
 * In: creates in a namespace; of the second, any write. Out: a new namespace, or 404.
 * Never: makes one for a dry run. Off by default; NamespaceLifecycle does the second's work.
 * Source: plugin/pkg/admission/namespace/{autoprovision,exists} (v1.36).
 */
import { namespaces } from "../../../api/resources.ts";
import { ApiError, forbidden, notFound } from "../../../api/status.ts";
import { APISERVER } from "../../auth/authorize.ts";
import { cachedObject, type Core, groupResourceOf, waitFresh } from "../../verbs/core.ts";
import { createObject } from "../../verbs/create.ts";
import type { AdmissionPlugin, AdmissionRequest } from "../admission.ts";

export const namespaceAutoProvision: AdmissionPlugin = {
  name: "NamespaceAutoProvision",
  admit(request, core) {
    if (request.operation !== "CREATE" || request.dryRun || !isInNamespace(request)) return;
    if (isThere(core, request)) return;
    return provision(core, request);
  },
};

export const namespaceExists: AdmissionPlugin = {
  name: "NamespaceExists",
  validate(request, core) {
    const { operation } = request;
    if (operation === "CONNECT" || !isInNamespace(request) || isThere(core, request)) return;
    return insist(core, request);
  },
};

function isInNamespace({ namespace, resource }: AdmissionRequest): boolean {
  return namespace !== "" && resource !== namespaces;
}

function isThere({ feed }: Core, { namespace: name }: AdmissionRequest): boolean {
  return cachedObject(feed, namespaces, { namespace: "", name }) !== undefined;
}

/** Errors: rejects with ApiError 403 where it can't be made. */
async function provision(core: Core, request: AdmissionRequest): Promise<void> {
  await waitFresh(core);
  if (isThere(core, request)) return;
  const { namespace: name } = request;
  const target = { resource: namespaces, subresource: "", namespace: "", name: "" };
  try {
    await createObject(core, { ...target, user: APISERVER }, { metadata: { name } }, {});
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    if (error.reason === "AlreadyExists") return;
    throw forbidden(groupResourceOf(request.resource), request.name, error.message);
  } finally {
    // Whoever looks next, in this chain, has to find it.
    await waitFresh(core);
  }
}

/** Errors: rejects with ApiError 404. */
async function insist(core: Core, request: AdmissionRequest): Promise<void> {
  await waitFresh(core);
  if (!isThere(core, request)) {
    throw notFound({ group: "", resource: "namespaces" }, request.namespace);
  }
}
