/**
 * PURE. The pods behind a service, with the addresses and ports by which it reaches them.
 * In: services, pods. Out: backends. Never: writes.
 * Source: k8s.io/endpointslice (v1.36): FindPort, endpoint conditions, membership.
 */
import { pods, services } from "../../api/resources.ts";
import type { KubeObject } from "../../api/meta.ts";
import type { View } from "../controller.ts";
import type { Pod, Service, ServicePort } from "../kinds.ts";
import { isReady, isTerminal } from "../pod_state.ts";

/** Pods change in swarms; one plan answers a tenth of a second of them. */
export const SETTLE_MILLIS = 100;

export interface BackendPort {
  readonly name?: string;
  readonly port: number;
  readonly protocol: string;
  readonly appProtocol?: string;
}

export type Family = "IPv4" | "IPv6";

/** Whether a controller looks after the endpoints of this service. */
export function isSelecting(service: Service): boolean {
  return service.spec.type !== "ExternalName" && service.spec.selector !== undefined;
}

export function isHeadless(service: Service): boolean {
  return !service.spec.clusterIP || service.spec.clusterIP === "None";
}

export function familiesOf(service: Service): readonly Family[] {
  const families = service.spec.ipFamilies;
  if (families !== undefined && families.length > 0) return families as Family[];
  return [service.spec.clusterIP?.includes(":") ? "IPv6" : "IPv4"];
}

/** Pods the service selects that have an address and have not ended. */
export function selectedPods(service: Service, view: View): Pod[] {
  const selector = Object.entries(service.spec.selector ?? {});
  return view.list<Pod>(pods, service.metadata.namespace).filter((pod) =>
    !isTerminal(pod) && Boolean(pod.status?.podIP || pod.status?.podIPs?.length) &&
    selector.every(([name, value]) => pod.metadata.labels?.[name] === value)
  );
}

export function addressesOf(pod: Pod, family: Family): string[] {
  const all = pod.status?.podIPs?.map((one) => one.ip) ??
    (pod.status?.podIP ? [pod.status.podIP] : []);
  return all.filter((ip) => ip.includes(":") === (family === "IPv6"));
}

/** The ports of a service on one pod; those the pod does not have are left out. */
export function portsOf(service: Service, pod: Pod): BackendPort[] {
  return (service.spec.ports ?? []).flatMap((port) => {
    const number = portNumber(port, pod);
    if (number === undefined) return [];
    return [{
      ...(port.name === undefined ? {} : { name: port.name }),
      port: number,
      protocol: port.protocol ?? "TCP",
      ...(port.appProtocol === undefined ? {} : { appProtocol: port.appProtocol }),
    }];
  });
}

function portNumber(port: ServicePort, pod: Pod): number | undefined {
  const target = port.targetPort ?? port.port;
  if (typeof target === "number") return target === 0 ? port.port : target;
  const sidecars = (pod.spec.initContainers ?? []).filter((one) => one.restartPolicy === "Always");
  for (const container of [...pod.spec.containers, ...sidecars]) {
    for (const candidate of container.ports ?? []) {
      const protocol = candidate.protocol ?? "TCP";
      if (candidate.name === target && protocol === (port.protocol ?? "TCP")) {
        return candidate.containerPort;
      }
    }
  }
  return undefined;
}

/** The name by which a headless service's DNS knows the pod. */
export function hostnameOf(service: Service, pod: Pod): string | undefined {
  const named = Boolean(pod.spec.hostname) && pod.spec.subdomain === service.metadata.name;
  return named ? pod.spec.hostname : undefined;
}

/** Whether clients may be sent to the pod. */
export function isReadyFor(service: Service, pod: Pod): boolean {
  if (service.spec.publishNotReadyAddresses === true) return true;
  return isReady(pod) && pod.metadata.deletionTimestamp === undefined;
}

/** Keys of the services that select a pod. */
export function servicesOf(pod: KubeObject, view: View): string[] {
  const { namespace, labels } = pod.metadata;
  if (labels === undefined) return [];
  return view.list<Service>(services, namespace)
    .filter((service) =>
      isSelecting(service) &&
      Object.entries(service.spec.selector!).every(([name, value]) => labels[name] === value)
    )
    .map((service) => `${namespace}/${service.metadata.name}`);
}

/** Whether an update of a pod changes nothing that endpoints show. */
export function isSameBackend(pod: KubeObject, old: KubeObject): boolean {
  const words = (object: KubeObject) => {
    const one = object as Pod;
    return JSON.stringify([
      one.metadata.labels,
      one.metadata.deletionTimestamp,
      one.status?.phase,
      one.status?.podIP,
      one.status?.podIPs,
      isReady(one),
      one.spec.nodeName,
      one.spec.hostname,
    ]);
  };
  return words(pod) === words(old);
}

/** Numbers and order of properties aside, whether two values say the same. */
export function isSame(left: unknown, right: unknown): boolean {
  return JSON.stringify(sorted(left)) === JSON.stringify(sorted(right));
}

function sorted(value: unknown): unknown {
  if (value === null || typeof value !== "object") return value;
  if (Array.isArray(value)) return value.map(sorted);
  const fields = value as Record<string, unknown>;
  return Object.fromEntries(
    Object.keys(fields).sort()
      .filter((key) => fields[key] !== undefined && fields[key] !== null)
      .map((key) => [key, sorted(fields[key])]),
  );
}
