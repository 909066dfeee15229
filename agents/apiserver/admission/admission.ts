/**
 * What an admission plugin is, and how the list of them is run.
 * In: a write about to be validated. Out: a changed draft, or an ApiError.
 * Never: writes. Source: apiserver's admission package (v1.36).
 */
import type { KubeObject, UserInfo } from "../../api/meta.ts";
import type { Resource } from "../../api/resource.ts";
import type { Core } from "../verbs/core.ts";

export type AdmissionOperation = "CREATE" | "UPDATE" | "DELETE";

export interface AdmissionRequest {
  readonly operation: AdmissionOperation;
  readonly resource: Resource;
  readonly subresource: string;
  readonly namespace: string;
  readonly name: string;
  readonly user: UserInfo;
  /** The draft; null for a delete. Plugins that mutate change it in place. */
  readonly object: KubeObject | null;
  /** The object as it is; null for a create. */
  readonly old: KubeObject | null;
  readonly dryRun: boolean;
  /** A plugin's own words for the audit log: `NAME.example.com/what` to a short text. */
  readonly auditAnnotations?: Map<string, string>;
}

export interface AdmissionPlugin {
  readonly name: string;
  /**
   * Changes the draft or refuses it. Answers a promise only where it has to wait.
   * Errors: throws ApiError.
   */
  readonly admit: (request: AdmissionRequest, core: Core) => void | Promise<void>;
}

/** Runs the plugins in their order. Errors: rejects with the first plugin's ApiError. */
export async function admit(core: Core, request: AdmissionRequest): Promise<void> {
  for (const plugin of core.admission) {
    const pending = plugin.admit(request, core);
    if (pending !== undefined) await pending;
  }
}
