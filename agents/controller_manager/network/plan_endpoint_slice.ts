/**
 * PURE. Keeps the EndpointSlices of each service that selects pods.
 * In: a service's key and the view. Out: creates, updates and deletes of slices.
 * Never: more than 100 endpoints a slice; moves an endpoint that can stay where it is.
 * Source: k8s.io/endpointslice reconciler (v1.36).
 */
import { endpointSlices, nodes, pods, services } from "../../api/resources.ts";
import { objectKey, parseObjectKey } from "../../client/lister.ts";
import type { KubeObject } from "../../api/meta.ts";
import type { Action, Controller, PlanInput, View } from "../controller.ts";
import type { Node, Pod, Service } from "../kinds.ts";
import { controllerReference } from "../ownership.ts";
import { isReady } from "../pod_state.ts";
import {
  addressesOf,
  type BackendPort,
  familiesOf,
  type Family,
  hostnameOf,
  isHeadless,
  isReadyFor,
  isSame,
  isSameBackend,
  isSelecting,
  portsOf,
  selectedPods,
  servicesOf,
  SETTLE_MILLIS,
} from "./service_pods.ts";

const SERVICE_NAME = "kubernetes.io/service-name";
const MANAGED_BY = "endpointslice.kubernetes.io/managed-by";
const MANAGER = "endpointslice-controller.k8s.io";
const HEADLESS = "service.kubernetes.io/headless";
const ZONE = "topology.kubernetes.io/zone";
const CAPACITY = 100;
/** Index: `namespace/name` of the service a slice belongs to. */
const BY_SERVICE = "service";

/** The row of run.ts. */
export const endpointSliceController: Controller = {
  name: "endpoint-slice-controller",
  workers: 4,
  watches: [
    { resource: services, keysOf: (service) => [objectKey(service)] },
    { resource: endpointSlices, keysOf: serviceOfSlice, indexes: { [BY_SERVICE]: serviceOfSlice } },
    {
      resource: pods,
      keysOf: servicesOf,
      ignoreUpdate: isSameBackend,
      settleMillis: SETTLE_MILLIS,
    },
    { resource: nodes },
  ],
  plan: planEndpointSlices,
};

export interface Endpoint {
  readonly addresses: readonly string[];
  readonly conditions: { ready: boolean; serving: boolean; terminating: boolean };
  readonly hostname?: string;
  readonly nodeName?: string;
  readonly zone?: string;
  readonly targetRef: { kind: "Pod"; namespace?: string; name?: string; uid?: string };
}

interface Slice extends KubeObject {
  addressType: Family;
  ports?: BackendPort[];
  endpoints: readonly Endpoint[];
}

/** Endpoints that fit into the same slices: one family, one set of ports. */
interface Group {
  readonly family: Family;
  readonly ports: readonly BackendPort[];
  readonly endpoints: Endpoint[];
}

/** Plans one service. @param key `namespace/name`. */
export function planEndpointSlices(key: string, input: PlanInput): Action[] {
  const service = input.view.get<Service>(services, parseObjectKey(key));
  // The slices of a service that is gone belong to the garbage collector.
  if (service === undefined || service.metadata.deletionTimestamp !== undefined) return [];
  if (!isSelecting(service)) return [];
  const at = { index: BY_SERVICE, value: key };
  const left = new Set(input.view.byIndex<Slice>(endpointSlices, at));
  const actions: Action[] = [];
  for (const group of groupsOf(service, input.view)) {
    const id = groupId(group.family, group.ports);
    const own = [...left].filter((slice) =>
      slice.metadata.deletionTimestamp === undefined &&
      groupId(slice.addressType, slice.ports ?? []) === id
    );
    for (const slice of own) left.delete(slice);
    actions.push(...planGroup(service, group, own));
  }
  for (const slice of left) {
    if (slice.metadata.deletionTimestamp !== undefined) continue;
    actions.push({ kind: "delete", resource: endpointSlices, object: slice });
  }
  return actions;
}

function planGroup(service: Service, group: Group, slices: readonly Slice[]): Action[] {
  const wanted = new Map(group.endpoints.map((endpoint) => [endpoint.targetRef.uid, endpoint]));
  const kept = slices.map((slice) => ({
    slice,
    endpoints: slice.endpoints.flatMap((endpoint) => {
      const next = wanted.get(endpoint.targetRef?.uid);
      if (next === undefined) return [];
      wanted.delete(endpoint.targetRef.uid);
      return [next];
    }),
  }));
  const homeless = [...wanted.values()];
  // Slices that are written anyway take newcomers first, then the fullest that has room.
  const isTouched = (one: (typeof kept)[number]) => !isSame(one.slice.endpoints, one.endpoints);
  const order = [...kept].sort((left, right) =>
    Number(isTouched(right)) - Number(isTouched(left)) ||
    right.endpoints.length - left.endpoints.length
  );
  for (const one of order) {
    one.endpoints.push(...homeless.splice(0, Math.max(0, CAPACITY - one.endpoints.length)));
  }
  const actions: Action[] = [];
  let filled = kept.filter((one) => one.endpoints.length > 0);
  // A service without endpoints keeps one empty slice, so that it can be told from an unknown one.
  if (filled.length === 0 && homeless.length === 0) filled = kept.slice(0, 1);
  for (const one of kept) {
    if (!filled.includes(one)) {
      actions.push({ kind: "delete", resource: endpointSlices, object: one.slice });
    }
  }
  for (const { slice, endpoints } of filled) {
    const labels = labelsOf(service);
    if (isSame(slice.endpoints, endpoints) && isSame(slice.metadata.labels ?? {}, labels)) continue;
    actions.push({
      kind: "update",
      resource: endpointSlices,
      object: { ...slice, metadata: { ...slice.metadata, labels }, endpoints },
    });
  }
  const fresh: Endpoint[][] = [];
  while (homeless.length > 0) fresh.push(homeless.splice(0, CAPACITY));
  if (filled.length === 0 && fresh.length === 0) fresh.push([]);
  for (const endpoints of fresh) actions.push(create(service, { ...group, endpoints }));
  return actions;
}

function create(service: Service, group: Group): Action {
  const { namespace, name } = service.metadata;
  return {
    kind: "create",
    resource: endpointSlices,
    object: {
      apiVersion: "discovery.k8s.io/v1",
      kind: "EndpointSlice",
      metadata: {
        generateName: `${name}-`,
        namespace,
        labels: labelsOf(service),
        ownerReferences: [controllerReference(services, service)],
      },
      addressType: group.family,
      ports: [...group.ports],
      endpoints: group.endpoints,
    },
  };
}

function labelsOf(service: Service): Record<string, string> {
  return {
    ...service.metadata.labels,
    ...(isHeadless(service) ? { [HEADLESS]: "" } : {}),
    [SERVICE_NAME]: service.metadata.name!,
    [MANAGED_BY]: MANAGER,
  };
}

/** All groups of a service; each family has one at least, though it be empty. */
function groupsOf(service: Service, view: View): Group[] {
  const groups: Group[] = [];
  const members = selectedPods(service, view);
  for (const family of familiesOf(service)) {
    const byPorts = new Map<string, Group>();
    for (const pod of members) {
      const addresses = addressesOf(pod, family);
      if (addresses.length === 0) continue;
      const ports = portsOf(service, pod).map((port) => ({ ...port, name: port.name ?? "" }));
      const id = groupId(family, ports);
      let group = byPorts.get(id);
      if (group === undefined) byPorts.set(id, group = { family, ports, endpoints: [] });
      group.endpoints.push(endpointOf(service, pod, { addresses, view }));
    }
    if (byPorts.size === 0) byPorts.set("", { family, ports: [], endpoints: [] });
    groups.push(...byPorts.values());
  }
  return groups;
}

function endpointOf(
  service: Service,
  pod: Pod,
  at: { readonly addresses: readonly string[]; readonly view: View },
): Endpoint {
  const { namespace, name, uid } = pod.metadata;
  const { nodeName } = pod.spec;
  const hostname = hostnameOf(service, pod);
  const node = nodeName ? at.view.get<Node>(nodes, { name: nodeName }) : undefined;
  const zone = node?.metadata.labels?.[ZONE];
  return {
    addresses: at.addresses,
    conditions: {
      ready: isReadyFor(service, pod),
      serving: isReady(pod),
      terminating: pod.metadata.deletionTimestamp !== undefined,
    },
    ...(hostname === undefined ? {} : { hostname }),
    targetRef: { kind: "Pod", namespace, name, uid },
    ...(nodeName ? { nodeName } : {}),
    ...(zone ? { zone } : {}),
  };
}

function groupId(family: Family, ports: readonly BackendPort[]): string {
  const texts = ports.map((port) =>
    [port.name ?? "", port.port, port.protocol, port.appProtocol ?? ""].join("/")
  );
  return [family, ...texts.sort()].join(" ");
}

function serviceOfSlice(slice: KubeObject): string[] {
  const { labels = {}, namespace } = slice.metadata;
  const ours = labels[MANAGED_BY] === MANAGER && labels[SERVICE_NAME] !== undefined;
  return ours ? [`${namespace}/${labels[SERVICE_NAME]}`] : [];
}
