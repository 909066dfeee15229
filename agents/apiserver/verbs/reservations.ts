/**
 * Numbers that one object alone may have, whichever server of the store gives them: each has a key
 * of its own, taken and given back in the transaction that writes its object.
 * In: an object before and after a write. Out: conditions and operations for that transaction.
 * Never: decides which number is free; admission's pools do, and this makes their choice binding.
 * Numbers of objects from before these keys existed are held by the pools alone.
 */
import type { Compare, RequestOp } from "../../../store/mod.ts";
import type { KubeObject } from "../../api/meta.ts";
import type { Resource } from "../../api/resource.ts";
import { services } from "../../api/resources.ts";
import { encodeKey } from "../registry.ts";

/** Outside of what the caches follow. */
const ROOT = "/balsa/reserved";

export interface Reservations {
  /** Hold only while nobody else has what this write takes. */
  readonly compare: readonly Compare[];
  readonly operations: readonly RequestOp[];
}

const NONE: Reservations = { compare: [], operations: [] };

/**
 * What a write must add to its transaction.
 * @param change.key the object's, kept beside each number for whoever looks into the store
 * @param change.old as it stands, asked for only where it counts; null for a create
 * @param change.next null for a removal
 */
export function reservationsOf(
  resource: Resource,
  change: {
    readonly key: string;
    readonly old: () => KubeObject | null;
    readonly next: KubeObject | null;
  },
): Reservations {
  if (resource !== services) return NONE;
  const before = numbersOf(change.old());
  const after = numbersOf(change.next);
  const taken = [...after].filter((key) => !before.has(key)).map(encodeKey);
  const freed = [...before].filter((key) => !after.has(key)).map(encodeKey);
  const value = encodeKey(change.key);
  return {
    compare: taken.map((key) => ({ key, target: "create", result: "equal", value: 0 })),
    operations: [
      ...taken.map((key): RequestOp => ({ kind: "put", key, value })),
      ...freed.map((key): RequestOp => ({ kind: "deleteRange", key })),
    ],
  };
}

/** Keys of a service's cluster IPs and node ports. */
function numbersOf(service: KubeObject | null): Set<string> {
  const spec = service?.spec ?? {};
  const addresses: string[] = [spec.clusterIP ?? "", ...(spec.clusterIPs ?? [])];
  const ports: number[] = (spec.ports ?? [])
    .map((port: { nodePort?: number }) => port.nodePort ?? 0)
    .concat(spec.healthCheckNodePort ?? 0);
  return new Set([
    ...addresses.filter((address) => address !== "" && address !== "None")
      .map((address) => `${ROOT}/service-ips/${address}`),
    ...ports.filter((port) => port > 0).map((port) => `${ROOT}/node-ports/${port}`),
  ]);
}
