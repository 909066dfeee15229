/**
 * PURE. What to do about the API service of a version that is, or is no longer, served here.
 * In: the service as it stands, the one wanted, what happened before. Out: an action.
 * Never: touches one that somebody registered by hand.
 * Source: kube-aggregator's controllers/autoregister (v1.36), the table of its sync.
 */
import type { APIService } from "../../api/kinds/extensions/api_service.ts";
import { equalJson } from "../../api/patch/json_patch.ts";

export const MANAGED = "kube-aggregator.kubernetes.io/automanaged";
/** Written when a server starts, and left alone from then on. */
export const ON_START = "onstart";
/** Kept as wanted for as long as a server runs. */
export const ALWAYS = "true";

export type RegisterAction = "create" | "update" | "delete" | "none";

export interface RegisterState {
  readonly current: APIService | undefined;
  readonly wanted: APIService | undefined;
  /** The service was there when this server started. */
  readonly wasAtStart: boolean;
  /** This server has settled the service's name before. */
  readonly hasSynced: boolean;
}

export function planRegister(state: RegisterState): RegisterAction {
  const { current, wanted, wasAtStart, hasSynced } = state;
  const isWantedOnce = managed(wanted) === ON_START;
  if (current === undefined) {
    return wanted === undefined || (isWantedOnce && hasSynced) ? "none" : "create";
  }
  if (isWantedOnce && hasSynced) return "none";
  const kept = managed(current);
  if (kept !== ON_START && kept !== ALWAYS) return "none";
  if (kept === ON_START && (!wasAtStart || hasSynced)) return "none";
  if (wanted === undefined) return "delete";
  return equalJson(current.spec, wanted.spec) ? "none" : "update";
}

function managed(service: APIService | undefined): string | undefined {
  return service?.metadata.labels?.[MANAGED];
}
