/**
 * PURE. What can be said of a server's availability before it is asked.
 * In: the reference of an API service, its service, its endpoint slices. Out: a verdict, or null
 * where only asking tells. Never: asks.
 * Source: kube-aggregator's controllers/status/remote (v1.36), its reasons and messages.
 */
import type { KubeObject } from "../../api/meta.ts";

export interface Verdict {
  readonly status: "True" | "False";
  readonly reason: string;
  readonly message: string;
}

export const PASSED: Verdict = {
  status: "True",
  reason: "Passed",
  message: "all checks passed",
};

export interface Reference {
  readonly namespace: string;
  readonly name: string;
  readonly port: number;
}

export function failedCheck(reason: string, message: string): Verdict {
  return { status: "False", reason, message };
}

/** @param slices those of the service */
export function planAvailable(
  reference: Reference,
  service: KubeObject | undefined,
  slices: readonly KubeObject[],
): Verdict | null {
  const { namespace, name, port } = reference;
  const shown = `service/${name} in ${JSON.stringify(namespace)}`;
  if (service === undefined) return failedCheck("ServiceNotFound", `${shown} is not present`);
  if ((service.spec?.type ?? "ClusterIP") !== "ClusterIP") return null;
  const ports: { port: number; name?: string }[] = service.spec?.ports ?? [];
  const found = ports.find((one) => one.port === port);
  if (found === undefined) {
    return failedCheck("ServicePortError", `${shown} is not listening on port ${port}`);
  }
  if (slices.length === 0) {
    return failedCheck("EndpointsNotFound", `cannot find endpointslices for ${shown}`);
  }
  const portName = found.name ?? "";
  if (slices.some((slice) => isServing(slice, portName))) return null;
  const wanted = `no addresses with port name ${JSON.stringify(portName)}`;
  return failedCheck("MissingEndpoints", `endpointslices for ${shown} have ${wanted}`);
}

function isServing({ endpoints, ports }: KubeObject, portName: string): boolean {
  const places: { conditions?: { ready?: boolean } }[] = endpoints ?? [];
  const named: { name?: string; port?: number }[] = ports ?? [];
  return places.some(({ conditions }) => conditions?.ready !== false) &&
    named.some(({ name, port }) => (name ?? "") === portName && port !== undefined);
}
