/**
 * Refuses a pod group that says it was made from a template which does not exist.
 * In: pod groups about to be created. Out: an ApiError, or nothing.
 * Never: changes a group. Source: plugin/pkg/admission/podgroup (v1.36).
 */
import type { PodGroup } from "../../../api/kinds/scheduling/pod_group.ts";
import type { Workload } from "../../../api/kinds/scheduling/workload.ts";
import { podGroups, workloads } from "../../../api/resources.ts";
import { forbidden } from "../../../api/status.ts";
import { cacheOf, groupResourceOf, keyOf, waitFresh } from "../../verbs/core.ts";
import type { AdmissionPlugin } from "../admission.ts";

export const podGroupWorkloadExists: AdmissionPlugin = {
  name: "PodGroupWorkloadExists",
  async validate(request, core) {
    const { operation, resource, subresource, namespace } = request;
    if (operation !== "CREATE" || resource !== podGroups || subresource !== "") return;
    const { spec } = request.object as PodGroup;
    const reference = spec?.podGroupTemplateRef?.workload;
    if (!reference) return;
    const { workloadName: name, podGroupTemplateName: template } = reference;
    const refuse = (reason: string) =>
      forbidden(groupResourceOf(podGroups), request.name, `PodGroup rejected: ${reason}`);
    if (!core.feed.isFresh) await waitFresh(core);
    const stored = cacheOf(core, workloads).get(keyOf({ resource: workloads, namespace, name }));
    if (stored === undefined) throw refuse(`Workload "${name}" not found`);
    const workload = stored.object as Workload;
    if (workload.metadata.deletionTimestamp !== undefined) {
      throw refuse(`Workload "${name}" is being deleted`);
    }
    if (workload.spec?.podGroupTemplates?.some((it) => it.name === template)) return;
    throw refuse(`PodGroupTemplate "${template}" not found in Workload "${name}"`);
  },
};
