/**
 * DynamicResources: a pod goes where its claims' devices are, or can be allocated.
 * In: the ledger of devices, the pod's claims. Out: verdicts; raw score = how early in their lists
 * the alternatives stand that a node would give.
 * Never: takes a device; the scheduler reserves them once a node is chosen. Evicting pods frees no
 * claim, so no verdict can be resolved that way.
 * Source: Kubernetes v1.36 scheduler plugin DynamicResources.
 */

import type { ClusterEvent } from "../cluster_event.ts";
import {
  type Allocation,
  type ClaimRow,
  isUsableOn,
  MOST_ALTERNATIVES,
  MOST_CONSUMERS,
} from "./device_row.ts";
import type { ExtendedNeeds } from "./extended_resources.ts";
import type { DeviceLedger } from "./ledger.ts";
import type { NodeTable } from "../node_table.ts";
import { FEASIBLE, UNRESOLVABLE } from "../plugin.ts";
import type { Cycle, FilterRun, Plugin, Rejection } from "../plugin.ts";
import type { PodRow } from "../pod_row.ts";

export const DYNAMIC_RESOURCES = "DynamicResources";

const UNAVAILABLE = "resourceclaim not available on the node";
const CANNOT_ALLOCATE = "cannot allocate all claims";
const STALE = "cannot schedule extended resource claim";
const CANNOT_FIT = "cannot fit resource";

/** What is known of a pod's claims before any node is looked at. */
interface Wanted {
  readonly open: readonly ClaimRow[];
  readonly allocated: readonly { readonly claim: ClaimRow; readonly allocation: Allocation }[];
  /** What devices have to stand for, null = nothing. */
  readonly extended: ExtendedNeeds | null;
  /** A reason that holds on every node, "" = none. */
  readonly refusal: string;
}

/** What one node says: "" and the allocations of the open claims, or why not. */
interface NodeAnswer {
  readonly reason: string;
  readonly allocations: readonly Allocation[];
}

function inspect(ledger: DeviceLedger, pod: PodRow, timeoutMs: number): Wanted | Rejection {
  const open: ClaimRow[] = [];
  const allocated: { claim: ClaimRow; allocation: Allocation }[] = [];
  for (const key of pod.template.spec.devices.claims) {
    const state = ledger.stateOf(key, pod);
    switch (state.kind) {
      case "missing":
        return { reject: `resourceclaim.resource.k8s.io "${nameOf(key)}" not found` };
      case "underWay":
        return { reject: `resource claim ${key} is in the process of being allocated` };
      case "allocated": {
        const { reservedFor } = state.claim;
        if (!reservedFor.includes(pod.uid) && reservedFor.length >= MOST_CONSUMERS) {
          return { reject: "resourceclaim in use" };
        }
        allocated.push(state);
        break;
      }
      case "open": {
        const fault = faultOf(ledger, state.claim);
        if (fault !== "") return { reject: fault };
        open.push(state.claim);
      }
    }
  }
  const isGivenUp = allocated.some(({ claim }) => ledger.isGivenUp(claim, timeoutMs));
  const refusal = ledger.staleClaim(pod) !== "" ? STALE : isGivenUp ? UNAVAILABLE : "";
  return { open, allocated, extended: ledger.extendedNeeds(pod), refusal };
}

function nameOf(key: string): string {
  return key.slice(key.indexOf("/") + 1);
}

/** @returns why a claim can be allocated nowhere, "" when it might be. */
function faultOf(ledger: DeviceLedger, { key, requests, unsupported }: ClaimRow): string {
  if (unsupported !== "") return `resource claim ${key}: ${unsupported}`;
  for (const { alternatives } of requests) {
    for (const { name, className } of alternatives) {
      if (ledger.hasClass(className)) continue;
      return `request ${name}: device class ${className} does not exist`;
    }
  }
  return "";
}

/** Asks each node once, for filter and score alike. */
class Answers {
  readonly #ledger: DeviceLedger;
  readonly #table: NodeTable;
  readonly #wanted: Wanted;
  readonly #byRow = new Map<number, NodeAnswer>();

  constructor(ledger: DeviceLedger, table: NodeTable, wanted: Wanted) {
    this.#ledger = ledger;
    this.#table = table;
    this.#wanted = wanted;
  }

  of(row: number): NodeAnswer {
    let answer = this.#byRow.get(row);
    if (answer === undefined) this.#byRow.set(row, answer = this.#ask(row));
    return answer;
  }

  #ask(row: number): NodeAnswer {
    const node = this.#table.nodes[row];
    const { open, allocated, extended, refusal } = this.#wanted;
    let allocations: readonly Allocation[] = [];
    if (node === undefined) return { reason: CANNOT_ALLOCATE, allocations };
    if (refusal === STALE) return { reason: STALE, allocations };
    const need = extended?.on(node);
    if (need?.kind === "unfit") return { reason: CANNOT_FIT, allocations };
    const claims = need?.kind === "claim" ? [...open, need.claim.row] : open;
    if (claims.length > 0) {
      const outcome = this.#ledger.tryOn(claims, node);
      if (outcome.kind === "none") return { reason: CANNOT_ALLOCATE, allocations };
      if (outcome.kind === "problem") return { reason: outcome.reason, allocations };
      allocations = outcome.allocations;
    }
    if (refusal !== "") return { reason: refusal, allocations };
    const isReachable = allocated.every(({ allocation }) => isUsableOn(allocation, node));
    return { reason: isReachable ? "" : UNAVAILABLE, allocations };
  }
}

/** @returns how early the chosen alternatives stand in their lists; more is better. */
function preference(claim: ClaimRow, { devices }: Allocation): number {
  let sum = 0;
  for (const { isList, alternatives } of claim.requests) {
    if (!isList) continue;
    const chosen = alternatives.findIndex(({ name }) => devices.some((it) => it.request === name));
    if (chosen >= 0) sum += MOST_ALTERNATIVES - chosen;
  }
  return sum;
}

function filterOf(answers: Answers): FilterRun {
  const words: string[] = [];
  const detailOf = (reason: string) => {
    const known = words.indexOf(reason);
    return known >= 0 ? known + 1 : words.push(reason);
  };
  return {
    local: false,
    filter(verdicts, { from, to }, mark) {
      for (let row = from; row < to; row++) {
        if (verdicts[row] !== FEASIBLE) continue;
        const { reason } = answers.of(row);
        if (reason !== "") verdicts[row] = mark | UNRESOLVABLE | detailOf(reason);
      }
    },
    reasons: (detail) => [words[detail - 1]],
  };
}

/**
 * @param ledger shared by all profiles; it also knows what was promised a moment ago
 * @param timeoutMs how long the devices of a claim may take to be ready
 */
export function createDynamicResources(ledger: DeviceLedger, timeoutMs: number): Plugin {
  /** The cycle that was inspected last, so that the score need not ask every node again. */
  let last: { readonly cycle: Cycle; readonly wanted: Wanted; readonly answers: Answers } | null =
    null;

  function prepare(cycle: Cycle): { wanted: Wanted; answers: Answers } | Rejection {
    if (last?.cycle === cycle) return last;
    const wanted = inspect(ledger, cycle.pod, timeoutMs);
    if ("reject" in wanted) return wanted;
    last = { cycle, wanted, answers: new Answers(ledger, cycle.table, wanted) };
    return last;
  }

  return {
    name: DYNAMIC_RESOURCES,
    gate: ({ devices }) => devices.rejection === "" ? null : devices.rejection,
    prepareFilter(cycle) {
      if (!ledger.isAskedBy(cycle.pod)) return null;
      const prepared = prepare(cycle);
      return "reject" in prepared ? prepared : filterOf(prepared.answers);
    },
    prepareScore(cycle) {
      if (cycle.spec.devices.claims.length === 0) return null;
      const prepared = prepare(cycle);
      if ("reject" in prepared) return null;
      const { wanted: { open, allocated }, answers } = prepared;
      const claims = [...open, ...allocated.map(({ claim }) => claim)];
      if (!claims.some(({ requests }) => requests.some(({ isList }) => isList))) return null;
      const fixed = allocated.reduce((sum, it) => sum + preference(it.claim, it.allocation), 0);
      return {
        local: false,
        normalise: "max",
        score(out, verdicts, { from, to }) {
          for (let row = from; row < to; row++) {
            if (verdicts[row] !== FEASIBLE) continue;
            const { allocations } = answers.of(row);
            out[row] = open.reduce(
              (sum, claim, index) => sum + preference(claim, allocations[index]),
              fixed,
            );
          }
        },
      };
    },
    hint: (pod, event) => isHelpful(pod, event),
  };
}

function isHelpful({ uid, template: { spec } }: PodRow, event: ClusterEvent): boolean {
  switch (event.resource) {
    case "node":
      return event.change === "add" || event.change === "labels" || event.change === "allocatable";
    case "devices":
      return true;
    case "claim":
      // A pod that lacks a claim is not helped by what another claim gives back.
      return spec.devices.rejection === "" &&
        (event.freed || (!event.isUntouched && spec.devices.claims.includes(event.key)));
    case "pod":
      return event.change === "generatedClaims" && event.after?.uid === uid &&
        spec.devices.rejection === "";
    default:
      return false;
  }
}
