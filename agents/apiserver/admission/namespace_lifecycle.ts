/**
 * Refuses objects in namespaces that are missing or going, and to delete those that must stay.
 * In: creates and deletes. Out: nothing, or 403/404. Never: changes a draft.
 * Source: apiserver's plugin/namespace/lifecycle (v1.36).
 */
import { namespaces } from "../../api/resources.ts";
import { type ApiError, forbidden, notFound } from "../../api/status.ts";
import { cacheOf, type Core, groupResourceOf, keyOf, waitFresh } from "../verbs/core.ts";
import type { AdmissionPlugin, AdmissionRequest } from "./admission.ts";

/** Namespaces that a cluster can't be without. */
const IMMORTAL: ReadonlySet<string> = new Set(["default", "kube-system", "kube-public"]);

export const namespaceLifecycle: AdmissionPlugin = {
  name: "NamespaceLifecycle",
  admit(request, core) {
    const isNamespace = request.resource === namespaces;
    if (isNamespace && request.operation === "DELETE" && IMMORTAL.has(request.name)) {
      throw forbidden(
        { group: "", resource: "namespaces" },
        request.name,
        "this namespace may not be deleted",
      );
    }
    if (isNamespace || request.operation !== "CREATE" || request.namespace === "") {
      return undefined;
    }
    // Local reviews speak of a namespace without living in it.
    if (request.resource.group === "authorization.k8s.io") return undefined;
    const found = phaseOf(core, request.namespace);
    if (found === null && !core.feed.isFresh) return checkAgain(request, core);
    refuse(request, found);
    return undefined;
  },
};

async function checkAgain(request: AdmissionRequest, core: Core): Promise<void> {
  await waitFresh(core);
  refuse(request, phaseOf(core, request.namespace));
}

function phaseOf(core: Core, name: string): "active" | "terminating" | null {
  const key = keyOf({ resource: namespaces, namespace: "", name });
  const stored = cacheOf(core, namespaces).get(key);
  if (stored === undefined) return null;
  return stored.object.metadata.deletionTimestamp === undefined ? "active" : "terminating";
}

function refuse(request: AdmissionRequest, phase: "active" | "terminating" | null): void {
  if (phase === null) throw notFound({ group: "", resource: "namespaces" }, request.namespace);
  if (phase === "terminating") throw terminating(request);
}

function terminating(request: AdmissionRequest): ApiError {
  const { namespace } = request;
  const reason = `unable to create new content in namespace ${namespace} ` +
    "because it is being terminated";
  const error = forbidden(groupResourceOf(request.resource), request.name, reason);
  const details = (error.status.details ??= {});
  details.causes = [
    ...(details.causes ?? []),
    {
      reason: "NamespaceTerminating",
      message: `namespace ${namespace} is being terminated`,
      field: "metadata.namespace",
    },
  ];
  return error;
}
