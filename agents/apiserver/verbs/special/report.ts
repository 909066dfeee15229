/**
 * What a scheduler says of pods: why one waits, which node it is promised, that one has to go.
 * In: reports of pods. Out: per report null, or the failure.
 * Never: skips the rules and the admission of a status patch and a delete; it is those two without
 * a patch to parse, for a scheduler in this process.
 * Source: pkg/scheduler (schedule_one.go, framework/preemption/executor.go, v1.36).
 */
import type { CallTarget, PodReport } from "../../../api/call.ts";
import type { Condition, KubeObject, UserInfo } from "../../../api/meta.ts";
import { pods } from "../../../api/resources.ts";
import { uidConflict } from "../../../api/status.ts";
import type { StoredObject } from "../../cache/stored_object.ts";
import type { Core } from "../core.ts";
import { deleteObject } from "../delete.ts";
import { changeObject } from "../update.ts";

const OF = { group: "", resource: "pods" } as const;

/** Outcome per report, in order: null, or the failure. */
export function reportMany(
  core: Core,
  user: UserInfo,
  reports: readonly PodReport[],
): Promise<readonly (null | Error)[]> {
  return Promise.all(reports.map((report) => reportOne(core, user, report)));
}

async function reportOne(core: Core, user: UserInfo, report: PodReport): Promise<null | Error> {
  const { namespace, name, uid, evicts, condition, nominatedNodeName } = report;
  const target: CallTarget = { resource: pods, subresource: "", namespace, name, user };
  try {
    let written: StoredObject | undefined;
    if (condition !== undefined || nominatedNodeName !== undefined) {
      const of = { ...target, subresource: "status" };
      const answer = await changeObject(core, of, {}, (current) => {
        const found = current.metadata.uid ?? "";
        if (found !== uid) throw uidConflict(OF, name, { wanted: uid, found });
        return reported(current, report);
      });
      if (answer.kind === "stored") written = answer.stored;
    }
    if (evicts) await deleteObject(core, target, { preconditions: { uid } }, written);
    return null;
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

/** The pod with its report, sharing all that the report does not touch. */
function reported(pod: KubeObject, { condition, nominatedNodeName }: PodReport): KubeObject {
  // It names no version, so that it is tried again on a newer one.
  const metadata = { ...pod.metadata, resourceVersion: undefined };
  const status: Record<string, unknown> = { ...pod.status };
  if (condition !== undefined) status.conditions = withCondition(pod.status?.conditions, condition);
  if (nominatedNodeName === "") delete status.nominatedNodeName;
  else if (nominatedNodeName !== undefined) status.nominatedNodeName = nominatedNodeName;
  return { ...pod, metadata, status };
}

/** As a strategic merge patch of the one condition leaves the list. */
function withCondition(before: readonly Condition[] = [], condition: Condition): Condition[] {
  const at = before.findIndex(({ type }) => type === condition.type);
  if (at < 0) return [...before, { lastProbeTime: null, ...condition }];
  return before.with(at, { ...before[at], ...condition });
}
