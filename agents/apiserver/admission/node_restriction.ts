/**
 * A kubelet changes its own node and what belongs to it, and nothing else of their kinds.
 * In: what a user of a node writes. Out: a refusal in upstream's words.
 * Never: minds other users. Source: plugin/pkg/admission/noderestriction (v1.36).
 */
import type { Resource } from "../../api/resource.ts";
import {
  certificateSigningRequests,
  csiNodes,
  leases,
  nodes,
  persistentVolumeClaims,
  pods,
  resourceSlices,
  serviceAccounts,
} from "../../api/resources.ts";
import { forbidden } from "../../api/status.ts";
import { nodeOf } from "../auth/node_authorizer.ts";
import { type Core, groupResourceOf } from "../verbs/core.ts";
import type { AdmissionPlugin, AdmissionRequest } from "./admission.ts";
import { nodeReason } from "./restriction/own_node.ts";
import {
  claimReason,
  csiNodeReason,
  leaseReason,
  signingReason,
  sliceReason,
  tokenReason,
} from "./restriction/own_objects.ts";
import { podReason } from "./restriction/own_pods.ts";

/** @returns why a node may not do what it asks for, or null */
export type Restriction = (node: string, request: AdmissionRequest, core: Core) => string | null;

const RESTRICTIONS: ReadonlyMap<Resource, Restriction> = new Map([
  [pods, podReason],
  [nodes, nodeReason],
  [persistentVolumeClaims, claimReason],
  [serviceAccounts, tokenReason],
  [leases, leaseReason],
  [csiNodes, csiNodeReason],
  [resourceSlices, sliceReason],
  [certificateSigningRequests, signingReason],
]);

export const nodeRestriction: AdmissionPlugin = {
  name: "NodeRestriction",
  admit(request, core) {
    const node = nodeOf(request.user);
    if (node === null) return;
    const of = groupResourceOf(request.resource);
    if (node === "") {
      const who = JSON.stringify(request.user.name);
      throw forbidden(of, request.name, `could not determine node from user ${who}`);
    }
    const reason = RESTRICTIONS.get(request.resource)?.(node, request, core) ?? null;
    if (reason !== null) throw forbidden(of, request.name, reason);
  },
};
