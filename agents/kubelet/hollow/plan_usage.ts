/**
 * PURE. What the pods of a node without a machine would use.
 * In: pods, the time. Out: figures for `/metrics/resource`, whose counters never fall.
 * A container uses what its pod's annotations say, else half of what it requests, else a little.
 * Never: keeps a pod that is gone. Source: the ResourceUsage of KWOK, whose annotations are known.
 */
import type { KubeObject } from "../../api/meta.ts";
import { milliOf, unitsOf } from "../../api/quantity.ts";
import { parseMillis } from "../../api/time.ts";
import type { ContainerUsage, Usage } from "../usage/resource_metrics.ts";

/** What each container of a pod uses, as quantities. */
export const USAGE_CPU = ["balsa/usage-cpu", "kwok.x-k8s.io/usage-cpu"];
export const USAGE_MEMORY = ["balsa/usage-memory", "kwok.x-k8s.io/usage-memory"];

const SHARE_OF_REQUEST = 0.5;
const LEAST_CPU_MILLI = 1;
const LEAST_MEMORY_BYTES = 1024 * 1024;

/** What was counted for one node so far. */
export interface UsageMemory {
  atMillis: number;
  nodeCpuSeconds: number;
  /** Core-seconds by pod uid and container. */
  cpuSeconds: Map<string, number>;
}

export function newUsageMemory(nowMillis: number): UsageMemory {
  return { atMillis: nowMillis, nodeCpuSeconds: 0, cpuSeconds: new Map() };
}

/**
 * Counts on to now.
 * @param pods those of the node; only running containers use anything
 * @param memory counted on in place
 */
export function planUsage(
  pods: readonly KubeObject[],
  memory: UsageMemory,
  nowMillis: number,
): { readonly node: Usage; readonly containers: readonly ContainerUsage[] } {
  const seconds = Math.max(0, nowMillis - memory.atMillis) / 1000;
  const counted = new Map<string, number>();
  const containers: ContainerUsage[] = [];
  let memoryBytes = 0;
  for (const pod of pods) {
    const { name = "", namespace = "", uid } = pod.metadata;
    for (const status of pod.status?.containerStatuses ?? []) {
      const startedAt = status.state?.running?.startedAt;
      if (startedAt === undefined) continue;
      const uses = usesOf(pod, status.name);
      const key = `${uid}/${status.name}`;
      const grown = uses.cpuMilli / 1000 * seconds;
      const cpuSeconds = (memory.cpuSeconds.get(key) ?? 0) + grown;
      counted.set(key, cpuSeconds);
      memory.nodeCpuSeconds += grown;
      memoryBytes += uses.memoryBytes;
      containers.push({
        namespace,
        pod: name,
        container: status.name,
        startedAtMillis: parseMillis(startedAt),
        atMillis: nowMillis,
        cpuSeconds,
        memoryBytes: uses.memoryBytes,
      });
    }
  }
  memory.cpuSeconds = counted;
  memory.atMillis = nowMillis;
  const node = { atMillis: nowMillis, cpuSeconds: memory.nodeCpuSeconds, memoryBytes };
  return { node, containers };
}

function usesOf(pod: KubeObject, container: string) {
  const annotations = pod.metadata.annotations ?? {};
  const annotated = (names: readonly string[]) =>
    names.map((name) => annotations[name]).find((value) => value !== undefined);
  const spec = pod.spec.containers.find((one: { name: string }) => one.name === container);
  const requests = spec?.resources?.requests ?? {};
  const cpu = annotated(USAGE_CPU);
  const memory = annotated(USAGE_MEMORY);
  return {
    cpuMilli: cpu !== undefined
      ? milliOf(cpu)
      : Math.max(LEAST_CPU_MILLI, milliOf(requests.cpu) * SHARE_OF_REQUEST),
    memoryBytes: memory !== undefined
      ? unitsOf(memory)
      : Math.max(LEAST_MEMORY_BYTES, Math.floor(unitsOf(requests.memory) * SHARE_OF_REQUEST)),
  };
}
