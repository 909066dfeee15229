/**
 * Short ways to make devices, their class and claims to them in a cluster to schedule in.
 * In: the little that a test is about. Out: objects through the API; what a claim's status says.
 * Never: a driver; nobody prepares the devices.
 */
import type { KubeObject } from "../../agents/api/meta.ts";
import type { SchedulingWorld } from "./scheduling_world.ts";

export const GROUP = "/apis/resource.k8s.io/v1";
export const CLAIMS = `${GROUP}/namespaces/default/resourceclaims`;
export const DRIVER = "gpu.example.com";

/** @param more what its spec says besides its selector and its one setting */
export async function makeClass(world: SchedulingWorld, more: object = {}): Promise<void> {
  const expression = `device.driver == "${DRIVER}"`;
  const parameters = { mode: "shared" };
  await world.post(`${GROUP}/deviceclasses`, {
    metadata: { name: "gpu" },
    spec: {
      selectors: [{ cel: { expression } }],
      config: [{ opaque: { driver: DRIVER, parameters } }],
      ...more,
    },
  });
}

export async function makeSlice(
  world: SchedulingWorld,
  nodeName: string,
  devices: readonly (string | object)[],
): Promise<void> {
  const memory = (name: string) => ({
    memory: { value: name.startsWith("big") ? "80Gi" : "40Gi" },
  });
  await world.post(`${GROUP}/resourceslices`, {
    metadata: { name: `slice-${nodeName}` },
    spec: {
      driver: DRIVER,
      pool: { name: nodeName, generation: 1, resourceSliceCount: 1 },
      nodeName,
      devices: devices.map((it) =>
        typeof it === "string" ? { name: it, capacity: memory(it) } : it
      ),
    },
  });
}

export async function makeClaim(
  world: SchedulingWorld,
  name: string,
  more: object = {},
): Promise<void> {
  const exactly = { deviceClassName: "gpu", ...more };
  await world.post(CLAIMS, {
    metadata: { name },
    spec: { devices: { requests: [{ name: "r", exactly }] } },
  });
}

export async function makePod(
  world: SchedulingWorld,
  name: string,
  claim: string,
  more: object = {},
) {
  const resourceClaims = [{ name: "gpu", resourceClaimName: claim }];
  await world.pod(name, { resourceClaims, ...more }, "100m");
}

export function given({ status }: KubeObject): string[] {
  return (status?.allocation?.devices.results ?? [])
    .map(({ pool, device }: { pool: string; device: string }) => `${pool}/${device}`);
}

export function consumers({ status }: KubeObject): string[] {
  return (status?.reservedFor ?? []).map(({ name }: { name: string }) => name).sort();
}
