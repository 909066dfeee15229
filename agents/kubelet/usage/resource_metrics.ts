/**
 * PURE. What a node and its containers use, as `/metrics/resource` tells it.
 * In: readings. Out: Prometheus text with a timestamp a line. Never: computes a rate; readers do,
 * from two texts. A pod's figures are the sums of its containers'.
 * Source: pkg/kubelet/metrics/collectors/resource_metrics.go (v1.36).
 */

/** One look at something that uses processors and memory. */
export interface Usage {
  /** Wall clock of the look, milliseconds since 1970. */
  readonly atMillis: number;
  /** Core-seconds since it started; never falls. */
  readonly cpuSeconds: number;
  /** Working set. */
  readonly memoryBytes: number;
}

export interface ContainerUsage extends Usage {
  readonly namespace: string;
  readonly pod: string;
  readonly container: string;
  /** Milliseconds since 1970. */
  readonly startedAtMillis: number;
}

interface Family {
  readonly name: string;
  readonly help: string;
  readonly type: "counter" | "gauge";
}

const FAMILY = {
  nodeCpu: {
    name: "node_cpu_usage_seconds_total",
    help: "Core-seconds that the node has used",
    type: "counter",
  },
  nodeMemory: {
    name: "node_memory_working_set_bytes",
    help: "Working set of the node in bytes",
    type: "gauge",
  },
  containerCpu: {
    name: "container_cpu_usage_seconds_total",
    help: "Core-seconds that the container has used",
    type: "counter",
  },
  containerMemory: {
    name: "container_memory_working_set_bytes",
    help: "Working set of the container in bytes",
    type: "gauge",
  },
  containerStart: {
    name: "container_start_time_seconds",
    help: "When the container started, in seconds since 1970",
    type: "gauge",
  },
  podCpu: {
    name: "pod_cpu_usage_seconds_total",
    help: "Core-seconds that the pod's containers have used",
    type: "counter",
  },
  podMemory: {
    name: "pod_memory_working_set_bytes",
    help: "Working set of the pod's containers in bytes",
    type: "gauge",
  },
  failed: {
    name: "resource_scrape_error",
    help: "1 where the figures could not be read",
    type: "gauge",
  },
} as const satisfies Record<string, Family>;

/** @param containers null = the runtime did not tell */
export function formatResourceMetrics(
  node: Usage,
  containers: readonly ContainerUsage[] | null,
): string {
  const each = containers ?? [];
  const pods = Map.groupBy(each, ({ namespace, pod }) => `${namespace}/${pod}`);
  const sums = [...pods.values()].map(sumOf);
  const lines = [
    ...family(FAMILY.containerCpu, each, (one) => one.cpuSeconds),
    ...family(FAMILY.containerMemory, each, (one) => one.memoryBytes),
    ...family(FAMILY.containerStart, each, (one) => one.startedAtMillis / 1000),
    ...family(FAMILY.nodeCpu, [node], (one) => one.cpuSeconds),
    ...family(FAMILY.nodeMemory, [node], (one) => one.memoryBytes),
    ...family(FAMILY.podCpu, sums, (one) => one.cpuSeconds),
    ...family(FAMILY.podMemory, sums, (one) => one.memoryBytes),
    ...head(FAMILY.failed),
    `${FAMILY.failed.name} ${containers === null ? 1 : 0}`,
  ];
  return lines.join("\n") + "\n";
}

type Named = Usage & Partial<Pick<ContainerUsage, "namespace" | "pod" | "container">>;

function sumOf(containers: readonly ContainerUsage[]): Named {
  const [{ namespace, pod }] = containers;
  return {
    namespace,
    pod,
    atMillis: Math.max(...containers.map((one) => one.atMillis)),
    cpuSeconds: containers.reduce((sum, one) => sum + one.cpuSeconds, 0),
    memoryBytes: containers.reduce((sum, one) => sum + one.memoryBytes, 0),
  };
}

function head({ name, help, type }: Family): string[] {
  return [`# HELP ${name} [STABLE] ${help}`, `# TYPE ${name} ${type}`];
}

function family<T extends Named>(
  of: Family,
  usages: readonly T[],
  value: (usage: T) => number,
): string[] {
  if (usages.length === 0) return [];
  const lines = head(of);
  for (const usage of usages) {
    lines.push(`${of.name}${labelsOf(usage)} ${value(usage)} ${Math.round(usage.atMillis)}`);
  }
  return lines;
}

/** Names of pods, containers and namespaces need no escape. */
function labelsOf({ container, namespace, pod }: Named): string {
  if (pod === undefined) return "";
  const own = container === undefined ? "" : `container="${container}",`;
  return `{${own}namespace="${namespace}",pod="${pod}"}`;
}
