/**
 * Pods go to the nodes that their namespace is given.
 * In: pods about to be created. Out: the namespace's selector beside the pod's own, or a refusal.
 * Never: lets a pod choose against its namespace. Off by default.
 * Source: plugin/pkg/admission/podnodeselector (v1.36).
 */
import { namespaces, pods } from "../../../api/resources.ts";
import { type ApiError, forbidden } from "../../../api/status.ts";
import { cachedObject, type Core } from "../../verbs/core.ts";
import type { AdmissionPlugin, AdmissionRequest } from "../admission.ts";

const ANNOTATION = "scheduler.alpha.kubernetes.io/node-selector";

const CLUSTER_DEFAULT = "clusterDefaultNodeSelector";

type Pairs = Readonly<Record<string, string>>;

/** @param selectors by namespace, what its pods may ask for; and the cluster's default */
export function podNodeSelector(selectors: Pairs): AdmissionPlugin {
  const isNewPod = ({ operation, resource, subresource }: AdmissionRequest) =>
    resource === pods && subresource === "" && operation === "CREATE";
  return {
    name: "PodNodeSelector",
    admit(request, core) {
      if (!isNewPod(request)) return;
      const wanted = wantedIn(core, request.namespace, selectors);
      const spec = (request.object!.spec ??= {});
      const own: Pairs = spec.nodeSelector ?? {};
      refuseConflict(request, wanted, own);
      const merged = { ...wanted, ...own };
      if (Object.keys(merged).length > 0) spec.nodeSelector = merged;
    },
    validate(request, core) {
      if (!isNewPod(request)) return;
      const own: Pairs = request.object!.spec?.nodeSelector ?? {};
      refuseConflict(request, wantedIn(core, request.namespace, selectors), own);
      const allowed = parsePairs(selectors[request.namespace] ?? "");
      if (Object.keys(allowed).length === 0) return;
      if (Object.entries(own).every(([label, value]) => allowed[label] === value)) return;
      throw refused(
        request,
        "pod node label selector labels conflict with its namespace whitelist",
      );
    },
  };
}

/** Errors: throws ApiError 403. */
function refuseConflict(request: AdmissionRequest, wanted: Pairs, own: Pairs): void {
  if (!Object.keys(own).some((label) => label in wanted && wanted[label] !== own[label])) return;
  throw refused(
    request,
    "pod node label selector conflicts with its namespace node label selector",
  );
}

function refused({ name }: AdmissionRequest, reason: string): ApiError {
  return forbidden({ group: "", resource: "pods" }, name, reason);
}

/** The namespace's own selector, else the cluster's. */
function wantedIn(core: Core, name: string, selectors: Pairs): Pairs {
  const namespace = cachedObject(core.feed, namespaces, { namespace: "", name });
  const text = namespace?.metadata.annotations?.[ANNOTATION];
  return parsePairs(text ?? selectors[CLUSTER_DEFAULT] ?? "");
}

/** `a=b,c=d` */
function parsePairs(text: string): Record<string, string> {
  return Object.fromEntries(
    text.split(",").map((pair) => pair.split("=", 2).map((part) => part.trim()))
      .filter(([key]) => key !== "").map(([key, value = ""]) => [key, value]),
  );
}
