/**
 * What a placed pod needs before it is bound: volumes for its claims.
 * In: planned bindings, the pods and nodes as seen last. Out: writes through the binders.
 * Never: binds a pod, or decides; the scheduler chose the node already.
 * Source: the PreBind and Unreserve steps of the Kubernetes v1.36 scheduling framework.
 */
import type { PodRow, Scheduler } from "../../../scheduler/mod.ts";
import type { Pod } from "../kinds.ts";
import type { VolumeBinder } from "../volume_binder.ts";
import type { BindAction, Preparation } from "./cohorts.ts";

export interface PreparationParts {
  readonly scheduler: Scheduler;
  readonly volumes: VolumeBinder;
  /** The pod as last seen, undefined when it is gone. */
  readonly lookUp: (pod: PodRow) => Pod | undefined;
}

function waitsForVolumes({ entry }: BindAction): boolean {
  return entry.pod.template.spec.volumes.waitingTerms.length > 0;
}

export function createPreparation({ scheduler, volumes, lookUp }: PreparationParts): Preparation {
  const podOf = ({ entry: { pod } }: BindAction): Pod => {
    const object = lookUp(pod);
    if (object === undefined) throw new Error(`pod ${pod.name} is gone`);
    return object;
  };
  return {
    needs: waitsForVolumes,
    async start(action) {
      const { table } = scheduler;
      const node = table.nodes[table.rowOf(action.nodeName)];
      const pod = lookUp(action.entry.pod);
      // A pod that is gone fails its look; a node that is gone makes the binding fail.
      if (pod === undefined || node === undefined) return;
      if (waitsForVolumes(action)) await volumes.reserve(pod, node);
    },
    isComplete: (action) => !waitsForVolumes(action) || volumes.isComplete(podOf(action)),
    undo: () => Promise.resolve(),
  };
}
