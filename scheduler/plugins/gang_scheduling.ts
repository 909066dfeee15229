/**
 * GangScheduling: pods of a group wait until enough of them are there, and start together.
 * In: events of the pod's group. Out: hints; who belongs together is kept in `gangs.ts`.
 * Never: gates by itself, as a spec does not tell how many pods a group has.
 * Source: Kubernetes v1.36 scheduler plugin GangScheduling (alpha).
 */

import type { Plugin } from "../plugin.ts";

export const GANG_SCHEDULING = "GangScheduling";

export function createGangScheduling(): Plugin {
  return {
    name: GANG_SCHEDULING,
    hint: (pod, event) => event.resource === "podGroup" && event.group === pod.group,
  };
}
