/**
 * Reports on pods as the API's own requests: a status patch, then a delete.
 * In: a client that patches and deletes, reports. Out: per report null, or the failure.
 * Never: tells more than asked for; a report without words on the status is a delete alone.
 * Source: pkg/scheduler/util (PatchPodStatus, DeletePod, v1.36).
 */
import type { PodReport } from "../api/call.ts";
import { pods } from "../api/resources.ts";
import { ApiError } from "../api/status.ts";
import type { Client } from "./client.ts";

const STRATEGIC = "application/strategic-merge-patch+json";

/** Errors: rejects with what is no answer of the API. */
export async function reportPods(
  client: Pick<Client, "patch" | "delete">,
  reports: readonly PodReport[],
): Promise<readonly (null | Error)[]> {
  return await Promise.all(reports.map(async (report) => {
    try {
      await reportPod(client, report);
      return null;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      return error;
    }
  }));
}

async function reportPod(
  client: Pick<Client, "patch" | "delete">,
  report: PodReport,
): Promise<void> {
  const { namespace, name, uid, condition, nominatedNodeName, evicts } = report;
  if (condition !== undefined || nominatedNodeName !== undefined) {
    const status = {
      ...(condition === undefined ? {} : { conditions: [condition] }),
      ...(nominatedNodeName === undefined ? {} : { nominatedNodeName: nominatedNodeName || null }),
    };
    // A pod of the same name that came since is not meant.
    const body = { metadata: { uid }, status };
    const target = { namespace, name, subresource: "status" };
    await client.patch(pods, target, { type: STRATEGIC, body });
  }
  if (evicts) await client.delete(pods, { namespace, name }, { preconditions: { uid } });
}
