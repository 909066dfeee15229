/**
 * PURE. Keeps the Endpoints object of each service that selects pods.
 * In: a service's key and the view. Out: one create, update or delete.
 * Never: touches Endpoints that someone else wrote for a service without a selector.
 * Source: pkg/controller/endpoint (v1.36): 1,000 addresses at most.
 */
import { endpoints, pods, services } from "../../api/resources.ts";
import { objectKey, parseObjectKey } from "../../client/lister.ts";
import type { KubeObject } from "../../api/meta.ts";
import type { Action, Controller, PlanInput } from "../controller.ts";
import type { Pod, Service } from "../kinds.ts";
import {
  addressesOf,
  type BackendPort,
  familiesOf,
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

const MANAGED_BY = "endpoints.kubernetes.io/managed-by";
const MANAGER = "endpoint-controller";
const HEADLESS = "service.kubernetes.io/headless";
const OVER_CAPACITY = "endpoints.kubernetes.io/over-capacity";
const CAPACITY = 1_000;

/** The row of run.ts. */
export const endpointsController: Controller = {
  name: "endpoint-controller",
  workers: 4,
  watches: [
    { resource: services, keysOf: (service) => [objectKey(service)] },
    { resource: endpoints, keysOf: (object) => isOurs(object) ? [objectKey(object)] : [] },
    {
      resource: pods,
      keysOf: servicesOf,
      ignoreUpdate: isSameBackend,
      settleMillis: SETTLE_MILLIS,
    },
  ],
  plan: planEndpoints,
};

interface Address {
  readonly ip: string;
  readonly hostname?: string;
  readonly nodeName?: string;
  readonly targetRef: Record<string, unknown>;
}

interface Subset {
  readonly addresses?: readonly Address[];
  readonly notReadyAddresses?: readonly Address[];
  readonly ports?: readonly BackendPort[];
}

/** Plans one service. @param key `namespace/name`. */
export function planEndpoints(key: string, input: PlanInput): Action[] {
  const place = parseObjectKey(key);
  const current = input.view.get(endpoints, place);
  const service = input.view.get<Service>(services, place);
  if (service === undefined) {
    return current !== undefined && isOurs(current)
      ? [{ kind: "delete", resource: endpoints, object: current }]
      : [];
  }
  if (!isSelecting(service) || service.metadata.deletionTimestamp !== undefined) return [];
  const { subsets, truncated } = truncate(subsetsOf(service, selectedPods(service, input.view)));
  const labels = {
    ...service.metadata.labels,
    ...(isHeadless(service) ? { [HEADLESS]: "" } : {}),
    [MANAGED_BY]: MANAGER,
  };
  const { [OVER_CAPACITY]: _over, ...kept } = current?.metadata.annotations ?? {};
  const annotations = truncated ? { ...kept, [OVER_CAPACITY]: "truncated" } : kept;
  const metadata = {
    ...current?.metadata,
    ...place,
    labels,
    ...(Object.keys(annotations).length === 0 ? {} : { annotations }),
  };
  if (current === undefined) {
    return [{
      kind: "create",
      resource: endpoints,
      object: { apiVersion: "v1", kind: "Endpoints", metadata, subsets },
    }];
  }
  const same = isSame(current.subsets ?? [], subsets) &&
    isSame(current.metadata.labels ?? {}, labels) &&
    isSame(current.metadata.annotations ?? {}, annotations);
  return same ? [] : [{
    kind: "update",
    resource: endpoints,
    object: { ...current, metadata: { ...metadata, annotations }, subsets },
  }];
}

/** Addresses with the same ports share a subset. */
function subsetsOf(service: Service, members: readonly Pod[]): Subset[] {
  const [family] = familiesOf(service);
  const groups = new Map<string, { ports: BackendPort[]; ready: Address[]; waiting: Address[] }>();
  for (const pod of members) {
    const leaving = pod.metadata.deletionTimestamp !== undefined;
    if (leaving && service.spec.publishNotReadyAddresses !== true) continue;
    const [ip] = addressesOf(pod, family);
    if (ip === undefined) continue;
    const ports = portsOf(service, pod);
    const portless = (service.spec.ports ?? []).length === 0 && isHeadless(service);
    if (ports.length === 0 && !portless) continue;
    const id = JSON.stringify(ports);
    let group = groups.get(id);
    if (group === undefined) groups.set(id, group = { ports, ready: [], waiting: [] });
    (isReadyFor(service, pod) ? group.ready : group.waiting).push(addressOf(service, pod, ip));
  }
  const byIp = (left: Address, right: Address) => left.ip < right.ip ? -1 : 1;
  return [...groups.keys()].sort().map((id) => {
    const { ports, ready, waiting } = groups.get(id)!;
    return {
      ...(ready.length === 0 ? {} : { addresses: ready.sort(byIp) }),
      ...(waiting.length === 0 ? {} : { notReadyAddresses: waiting.sort(byIp) }),
      ...(ports.length === 0 ? {} : { ports }),
    };
  });
}

function addressOf(service: Service, pod: Pod, ip: string): Address {
  const hostname = hostnameOf(service, pod);
  const { namespace, name, uid } = pod.metadata;
  return {
    ip,
    ...(hostname === undefined ? {} : { hostname }),
    ...(pod.spec.nodeName ? { nodeName: pod.spec.nodeName } : {}),
    targetRef: { kind: "Pod", namespace, name, uid },
  };
}

/** Ready addresses are kept before others. */
function truncate(subsets: readonly Subset[]): { subsets: Subset[]; truncated: boolean } {
  const count = (pick: (subset: Subset) => readonly Address[] | undefined) =>
    subsets.reduce((sum, subset) => sum + (pick(subset)?.length ?? 0), 0);
  const ready = count((subset) => subset.addresses);
  if (ready + count((subset) => subset.notReadyAddresses) <= CAPACITY) {
    return { subsets: [...subsets], truncated: false };
  }
  let readyLeft = Math.min(ready, CAPACITY);
  let waitingLeft = CAPACITY - readyLeft;
  const cut = subsets.map((subset) => {
    const addresses = subset.addresses?.slice(0, readyLeft) ?? [];
    const notReadyAddresses = subset.notReadyAddresses?.slice(0, waitingLeft) ?? [];
    readyLeft -= addresses.length;
    waitingLeft -= notReadyAddresses.length;
    return {
      ...(addresses.length === 0 ? {} : { addresses }),
      ...(notReadyAddresses.length === 0 ? {} : { notReadyAddresses }),
      ...(subset.ports === undefined ? {} : { ports: subset.ports }),
    };
  });
  const filled = cut.filter((subset) => subset.addresses || subset.notReadyAddresses);
  return { subsets: filled, truncated: true };
}

function isOurs(object: KubeObject): boolean {
  return object.metadata.labels?.[MANAGED_BY] === MANAGER;
}
