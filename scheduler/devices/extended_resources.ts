/**
 * Extended resources that devices stand for: what a pod's containers ask for, as a claim.
 * In: demands container by container, classes by resource, what a node offers itself. Out: the
 * requests of a claim that differs from node to node, and which container gets which of them.
 * Never: asks for devices where the node has the resource of its own (a device plugin's).
 * Source: DRAExtendedResource of Kubernetes v1.36 (KEP-5004), scheduler plugin DynamicResources.
 */

import type { NodeRow } from "../node_row.ts";
import type { ContainerDemand, PodRow } from "../pod_row.ts";
import { type ClaimRow, READY, type RequestRow } from "./device_row.ts";

/** Which request of a claim a container's extended resource is. */
export interface RequestMapping {
  readonly container: string;
  readonly resource: string;
  readonly request: string;
}

export interface ExtendedClaim {
  readonly row: ClaimRow;
  readonly mappings: readonly RequestMapping[];
}

/** What a pod needs on a node: nothing, a claim, or what the node can't have. */
export type ExtendedNeed =
  | { readonly kind: "nothing" }
  | { readonly kind: "claim"; readonly claim: ExtendedClaim }
  | { readonly kind: "unfit" };

/** @returns name of the class whose devices a resource stands for, "" = none */
export type ClassOfResource = (resource: string) => string;

/** No claim of the API has such a name. */
const CLAIM_NAME = "<extended-resources>";

interface Ask {
  readonly name: string;
  readonly count: number;
}

/** One resource of one container: what it may take of others, and what it must ask for itself. */
function askFor(
  container: ContainerDemand,
  resource: string,
  reusable: readonly (Ask | null)[],
): { readonly ask: Ask | null; readonly mappings: readonly RequestMapping[] } {
  const demand = container.extended.find((one) => one.resource === resource);
  if (demand === undefined || demand.count === 0) return { ask: null, mappings: [] };
  const mappings: RequestMapping[] = [];
  const map = (request: string) => mappings.push({ container: container.name, resource, request });
  let found = 0;
  for (const one of reusable) {
    if (one === null) continue;
    found += one.count;
    map(one.name);
    if (found >= demand.count) return { ask: null, mappings };
  }
  const name = `container-${container.index}-request-${demand.index}`;
  map(name);
  return { ask: { name, count: demand.count - found }, mappings };
}

/** Containers that end early share one request, and use what those to come ask for. */
function asksFor(containers: readonly ContainerDemand[], resource: string) {
  const lasting = containers.map((one) =>
    one.isShortLived ? { ask: null, mappings: [] } : askFor(one, resource, [])
  );
  const asks = lasting.map(({ ask }) => ask);
  const brief = containers.flatMap((one, place) =>
    one.isShortLived ? [askFor(one, resource, asks.slice(place))] : []
  );
  const briefAsks = brief.flatMap(({ ask }) => ask ?? []);
  const most = briefAsks.reduce<Ask | null>(
    (best, ask) => best === null || ask.count > best.count ? ask : best,
    null,
  );
  const names = new Set(briefAsks.map(({ name }) => name));
  const briefMappings = brief.flatMap(({ mappings }) => mappings).map((mapping) =>
    most !== null && names.has(mapping.request) ? { ...mapping, request: most.name } : mapping
  );
  return {
    asks: [most, ...asks].flatMap((ask) => ask ?? []),
    mappings: [...lasting.flatMap(({ mappings }) => mappings), ...briefMappings],
  };
}

function toRequest({ name, count }: Ask, className: string): RequestRow {
  const alternative = {
    name,
    className,
    selectors: [],
    mode: "ExactCount",
    count,
    adminAccess: false,
    tolerations: [],
    capacities: new Map(),
  } as const;
  return { name, alternatives: [alternative], isList: false };
}

/** @param classes resource -> class, of those that devices have to stand for */
export function requestsFor(
  containers: readonly ContainerDemand[],
  classes: ReadonlyMap<string, string>,
): { readonly requests: readonly RequestRow[]; readonly mappings: readonly RequestMapping[] } {
  const requests: RequestRow[] = [];
  const mappings: RequestMapping[] = [];
  for (const resource of [...classes.keys()].sort()) {
    const found = asksFor(containers, resource);
    requests.push(...found.asks.map((ask) => toRequest(ask, classes.get(resource)!)));
    mappings.push(...found.mappings);
  }
  return { requests: requests.sort((a, b) => a.name < b.name ? -1 : 1), mappings };
}

/** What one pod needs, node by node; nodes that offer the same need the same. */
export class ExtendedNeeds {
  readonly #pod: PodRow;
  /** Resource -> class, "" = none. */
  readonly #classes = new Map<string, string>();
  readonly #claims = new Map<string, ExtendedClaim>();

  constructor(pod: PodRow, classOf: ClassOfResource) {
    this.#pod = pod;
    for (const { extended } of pod.template.spec.devices.containers) {
      for (const { resource, count } of extended) {
        if (count > 0) this.#classes.set(resource, classOf(resource));
      }
    }
  }

  /** Whether devices stand for any of the resources. */
  get areBacked(): boolean {
    return [...this.#classes.values()].some((className) => className !== "");
  }

  on({ allocatable }: NodeRow): ExtendedNeed {
    const wanted = new Map<string, string>();
    for (const [resource, className] of this.#classes) {
      const own = allocatable.scalars.find(({ name }) => name === resource);
      if (className !== "" && (own?.amount ?? 0) === 0) wanted.set(resource, className);
      else if (own === undefined) return { kind: "unfit" };
    }
    return wanted.size === 0
      ? { kind: "nothing" }
      : { kind: "claim", claim: this.#claimFor(wanted) };
  }

  #claimFor(wanted: ReadonlyMap<string, string>): ExtendedClaim {
    const id = [...wanted.keys()].sort().join();
    let claim = this.#claims.get(id);
    if (claim === undefined) {
      const { uid, template: { spec: { namespace, devices: { containers } } } } = this.#pod;
      const { requests, mappings } = requestsFor(containers, wanted);
      const row: ClaimRow = {
        key: `${namespace}/${CLAIM_NAME}`,
        uid: `${CLAIM_NAME}/${uid}`,
        requests,
        constraints: [],
        unsupported: "",
        allocation: null,
        reservedFor: [],
        readiness: READY,
        extendedFor: uid,
      };
      this.#claims.set(id, claim = { row, mappings });
    }
    return claim;
  }
}
