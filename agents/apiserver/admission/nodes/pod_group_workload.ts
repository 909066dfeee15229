/**
 * Refuses a pod group that says it was made from a template which does not exist.
 * In: pod groups about to be created. Out: an ApiError, or nothing.
 * Never: changes a group. Source: plugin/pkg/admission/podgroup (v1.36).
 */
import type { PodGroup } from "../../../api/kinds/scheduling/pod_group.ts";
import type { Workload } from "../../../api/kinds/scheduling/workload.ts";
import { podGroups, workloads } from "../../../api/resources.ts";
import { forbidden } from "../../../api/status.ts";
import { cacheOf, type Core, groupResourceOf, keyOf, waitFresh } from "../../verbs/core.ts";
import type { AdmissionPlugin, AdmissionRequest } from "../admission.ts";

export const podGroupWorkloadExists: AdmissionPlugin = {
  name: "PodGroupWorkloadExists",
  validate(request, core) {
    const { operation, resource, subresource } = request;
    if (operation !== "CREATE" || resource !== podGroups || subresource !== "") return undefined;
    if ((request.object as PodGroup).spec?.podGroupTemplateRef?.workload === undefined) {
      return undefined;
    }
    if (!core.feed.isFresh) return waitFresh(core).then(() => lookUp(request, core));
    return lookUp(request, core);
  },
};

/** Errors: throws ApiError 403. */
function lookUp(request: AdmissionRequest, core: Core): void {
  const { namespace } = request;
  const { spec } = request.object as PodGroup;
  const { workloadName: name, podGroupTemplateName: template } = spec!.podGroupTemplateRef!
    .workload!;
  const refuse = (reason: string) =>
    forbidden(groupResourceOf(podGroups), request.name, `PodGroup rejected: ${reason}`);
  const stored = cacheOf(core, workloads).get(keyOf({ resource: workloads, namespace, name }));
  if (stored === undefined) throw refuse(`Workload "${name}" not found`);
  const workload = stored.object as Workload;
  if (workload.metadata.deletionTimestamp !== undefined) {
    throw refuse(`Workload "${name}" is being deleted`);
  }
  if (workload.spec?.podGroupTemplates?.some((it) => it.name === template)) return;
  throw refuse(`PodGroupTemplate "${template}" not found in Workload "${name}"`);
}
