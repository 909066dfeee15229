/**
 * Reads what a kubelet tells of its node and containers: the lines of `/metrics/resource` that
 * count for metrics.k8s.io.
 * In: Prometheus text. Out: readings. Never: fails: lines that are something else are passed over.
 * Source: the Prometheus text format 0.0.4; names of pkg/kubelet/metrics/collectors (v1.36).
 */

/** What something has used up to one moment. */
export interface Reading {
  /** Milliseconds since 1970. */
  atMillis: number;
  /** Core-seconds; NaN = not told. */
  cpuSeconds: number;
  /** Working set; NaN = not told. */
  memoryBytes: number;
  /** Seconds since 1970; 0 = not told. A container that started anew counts from zero again. */
  startSeconds: number;
}

export interface NodeReadings {
  readonly node: Reading;
  /** Containers by name, by `namespace/pod`. */
  readonly pods: ReadonlyMap<string, ReadonlyMap<string, Reading>>;
}

const LINE = /^([a-z_]+)(?:\{([^}]*)\})? (\S+)(?: (\d+))?$/;
const FIELDS: Readonly<Record<string, "cpuSeconds" | "memoryBytes" | "startSeconds">> = {
  cpu_usage_seconds_total: "cpuSeconds",
  memory_working_set_bytes: "memoryBytes",
  start_time_seconds: "startSeconds",
};

/** @param nowMillis when the text came, for lines without a time of their own */
export function parseReadings(text: string, nowMillis: number): NodeReadings {
  const node = newReading(nowMillis);
  const pods = new Map<string, Map<string, Reading>>();
  for (const line of text.split("\n")) {
    const match = line.startsWith("#") ? null : LINE.exec(line);
    if (match === null) continue;
    const [, name, labels = "", value, at] = match;
    const split = name.indexOf("_");
    const field = FIELDS[name.slice(split + 1)];
    if (field === undefined) continue;
    const of = name.slice(0, split);
    const reading = of === "node"
      ? node
      : of === "container"
      ? containerOf(pods, labels, nowMillis)
      : undefined;
    if (reading === undefined) continue;
    reading[field] = Number(value);
    if (field === "cpuSeconds" && at !== undefined) reading.atMillis = Number(at);
  }
  return { node, pods };
}

function newReading(atMillis: number): Reading {
  return { atMillis, cpuSeconds: NaN, memoryBytes: NaN, startSeconds: 0 };
}

function containerOf(
  pods: Map<string, Map<string, Reading>>,
  labels: string,
  nowMillis: number,
): Reading | undefined {
  const label = (name: string) => new RegExp(`(?:^|,)${name}="([^"]*)"`).exec(labels)?.[1];
  const [container, namespace, pod] = ["container", "namespace", "pod"].map(label);
  if (container === undefined || namespace === undefined || pod === undefined) return undefined;
  const key = `${namespace}/${pod}`;
  let containers = pods.get(key);
  if (containers === undefined) pods.set(key, containers = new Map());
  let reading = containers.get(container);
  if (reading === undefined) containers.set(container, reading = newReading(nowMillis));
  return reading;
}
