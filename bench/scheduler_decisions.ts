/**
 * The claim: decisions alone, without API and store, cost microseconds on 5,000 nodes, and a table
 * of a million nodes is built in seconds and filtered and scored in milliseconds.
 * In: --nodes, --pods, --big, --only. Out: a table and bench/results/decisions.json.
 * Never: a clock inside the scheduler; rounds alternate, and the hash of all placements is checked.
 */
import { BatchDecider } from "../scheduler/batch.ts";
import { decide, Scratch } from "../scheduler/decide.ts";
import { TemplateTable } from "../scheduler/intern.ts";
import { NodeTable } from "../scheduler/node_table.ts";
import { buildProfile, EMPTY_NODE, EMPTY_POD, EMPTY_SPEC, Scheduler } from "../scheduler/mod.ts";
import type { NodeRow, PodRow, PodSpecRow, PodTerm, Requirement } from "../scheduler/mod.ts";
import { readFlags } from "./flags.ts";
import { type DataItem, printTable, summarize, writeResult } from "./result.ts";

const MEGABYTE = 1024 * 1024;
const GIGABYTE = 1024 * MEGABYTE;
const ZONE = "topology.kubernetes.io/zone";
const HOST = "kubernetes.io/hostname";
const ZONES = 3;

export interface DecisionsOptions {
  readonly nodes: number;
  readonly pods: number;
  readonly rounds: number;
  /** Nodes of the large table, 0 = leave it out. */
  readonly bigNodes: number;
  readonly only?: string;
}

/** Decisions on the large table: some until the code is compiled, then those that count. */
const WARM_UPS = 20;
const PASSES = 300;

/** As scheduler_perf's default node: 4 CPUs, 32 GiB, 110 pods; one of three zones. */
function nodeOf(i: number, varied = false): NodeRow {
  const cpuMilli = varied ? 4000 + (i % 7) * 2000 : 4000;
  return {
    ...EMPTY_NODE,
    name: `node-${i}`,
    labels: { [HOST]: `node-${i}`, [ZONE]: `zone-${i % ZONES}` },
    allocatable: { cpuMilli, memoryBytes: 32 * GIGABYTE, ephemeralBytes: 0, scalars: [] },
    allowedPods: 110,
  };
}

function asking(cpuMilli: number, memoryBytes: number): Partial<PodSpecRow> {
  return {
    requests: { cpuMilli, memoryBytes, ephemeralBytes: 0, scalars: [] },
    nonzeroCpuMilli: cpuMilli,
    nonzeroMemoryBytes: memoryBytes,
  };
}

const PLAIN: PodSpecRow = { ...EMPTY_SPEC, ...asking(100, 500 * MEGABYTE) };
const BLUE: readonly Requirement[] = [{ key: "color", operator: "In", values: ["blue"] }];
const NEAR = (topologyKey: string): PodTerm => ({
  topologyKey,
  namespaces: ["default"],
  namespaceSelector: null,
  selector: BLUE,
});
const blue = { ...PLAIN, labels: { color: "blue" } };
const spread = (topologyKey: string, whenUnsatisfiable: "DoNotSchedule" | "ScheduleAnyway") => ({
  maxSkew: 5,
  topologyKey,
  whenUnsatisfiable,
  selector: BLUE,
  minDomains: 1,
  nodeAffinityPolicy: "Honor" as const,
  nodeTaintsPolicy: "Ignore" as const,
});
const weighted = (topologyKey: string) => [{ weight: 1, term: NEAR(topologyKey) }];

/** One workload: the spec of the i-th pod. */
const WORKLOADS: Readonly<Record<string, (i: number) => PodSpecRow>> = {
  equal: () => PLAIN,
  distinct: (i) => ({
    ...EMPTY_SPEC,
    labels: { job: `job-${i}` },
    ...asking(50 + (i % 97), (100 + (i * 13) % 389) * MEGABYTE + i),
  }),
  "spread by zone, demanded": () => ({ ...blue, spread: [spread(ZONE, "DoNotSchedule")] }),
  "spread by host, demanded": () => ({ ...blue, spread: [spread(HOST, "DoNotSchedule")] }),
  "spread by zone, wished": () => ({ ...blue, spread: [spread(ZONE, "ScheduleAnyway")] }),
  "spread by default": () => ({ ...blue, defaultSpreadSelector: BLUE }),
  "affinity by zone": () => ({ ...blue, requiredAffinity: [NEAR(ZONE)] }),
  "anti-affinity by host": () => ({ ...blue, requiredAntiAffinity: [NEAR(HOST)] }),
  "affinity by host, wished": () => ({ ...blue, preferredAffinity: weighted(HOST) }),
  "anti-affinity by host, wished": () => ({ ...blue, preferredAntiAffinity: weighted(HOST) }),
  mixed: (i) => {
    const kinds = Object.keys(WORKLOADS).filter((kind) => / by /.test(kind));
    return WORKLOADS[kinds[i % kinds.length]](i);
  },
  "fits nowhere": () => ({ ...EMPTY_SPEC, ...asking(64_000, GIGABYTE) }),
};

/** Time that this thread had a core for, milliseconds; wall time where the system won't tell. */
function cpuMillis(): number {
  try {
    return Number(Deno.readTextFileSync("/proc/thread-self/schedstat").split(" ")[0]) / 1e6;
  } catch {
    return performance.now();
  }
}

interface Round {
  /** Microseconds a pod: decide and assume. */
  readonly decideMicros: number;
  /** Microseconds a pod through the whole machine: queue, decide, assume, action. */
  readonly planMicros: number;
  readonly hash: number;
}

function mix(hash: number, name: string): number {
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 16777619);
  return hash >>> 0;
}

function podOf(i: number, template: PodRow["template"]): PodRow {
  const name = `pod-${i}`;
  return { ...EMPTY_POD, uid: name, name, template };
}

function schedulerOf(nodes: number): Scheduler {
  const scheduler = new Scheduler({ seed: 1 });
  for (let i = 0; i < nodes; i++) scheduler.setNode(nodeOf(i), 0);
  return scheduler;
}

function runRound(kind: string, options: DecisionsOptions): Round {
  const { nodes } = options;
  // One a host is all that fits.
  const pods = kind.startsWith("anti-affinity") ? Math.min(nodes, options.pods) : options.pods;
  const specOf = WORKLOADS[kind];
  const bare = schedulerOf(nodes);
  const rows = Array.from({ length: pods }, (_, i) => podOf(i, bare.templates.intern(specOf(i))));
  const batch = new BatchDecider();
  const profile = buildProfile();
  const nominations = new Map<string, PodRow[]>();
  let hash = 2166136261;
  const decideStart = cpuMillis();
  for (let i = 0; i < pods; i++) {
    const { decision } = batch.decide({
      table: bare.table,
      profile,
      pod: rows[i],
      nominations,
      seed: i,
    });
    if (decision.kind !== "placed") continue;
    bare.table.addPod(rows[i], decision.nodeName);
    hash = mix(hash, decision.nodeName);
  }
  const decideMicros = (cpuMillis() - decideStart) * 1000 / pods;
  const whole = schedulerOf(nodes);
  for (const row of rows) whole.setPending(row, "default-scheduler", 0);
  const planStart = cpuMillis();
  let done = 0;
  while (done < pods) done += whole.plan(0, 512).length;
  const planMicros = (cpuMillis() - planStart) * 1000 / pods;
  return { decideMicros, planMicros, hash };
}

function median(samples: readonly number[]): number {
  return summarize(samples).Perc50;
}

function itemOf(
  kind: string,
  metric: string,
  { unit, labels = {} }: { readonly unit: string; readonly labels?: DataItem["labels"] },
  samples: readonly number[],
): DataItem {
  return { data: summarize(samples), unit, labels: { Name: kind, Metric: metric, ...labels } };
}

/** Runs every workload. @returns what was measured. */
export function runDecisions(options: DecisionsOptions): DataItem[] {
  const kinds = Object.keys(WORKLOADS).filter((kind) => kind.includes(options.only ?? ""));
  const rounds = new Map<string, Round[]>(kinds.map((kind) => [kind, []]));
  for (let i = 0; i < options.rounds; i++) {
    for (const kind of kinds) rounds.get(kind)!.push(runRound(kind, options));
  }
  const items: DataItem[] = [];
  const table = [["workload", "decide µs", "pods/s", "plan µs", "pods/s", "Mnodes/s/core"]];
  for (const [kind, found] of rounds) {
    if (found.some(({ hash }) => hash !== found[0].hash)) {
      throw new Error(`${kind}: rounds placed pods differently`);
    }
    const decide = found.map(({ decideMicros }) => decideMicros);
    const plan = found.map(({ planMicros }) => planMicros);
    const labels = { Nodes: String(options.nodes) };
    items.push(
      itemOf(kind, "decide", { unit: "µs/pod", labels }, decide),
      itemOf(kind, "plan", { unit: "µs/pod", labels }, plan),
    );
    const [a, b] = [median(decide), median(plan)];
    table.push([
      kind,
      a.toFixed(2),
      Math.round(1e6 / a).toLocaleString("en"),
      b.toFixed(2),
      Math.round(1e6 / b).toLocaleString("en"),
      Math.round(options.nodes / a).toLocaleString("en"),
    ]);
  }
  printTable(table);
  return items;
}

/** Builds one large table and passes over it. @returns what was measured. */
export function runBigTable(nodes: number): DataItem[] {
  const table = new NodeTable();
  const before = heapBytes();
  const start = cpuMillis();
  for (let i = 0; i < nodes; i++) table.setNode(nodeOf(i, true));
  const buildSeconds = (cpuMillis() - start) / 1000;
  const bytes = (heapBytes() - before) / nodes;
  const pod = new TemplateTable().intern(PLAIN);
  const profile = buildProfile();
  const decideOnce = (i: number) =>
    decide({ table, profile, pod: podOf(i, pod), nominations: new Map(), seed: i }, SCRATCH);
  for (let i = 0; i < WARM_UPS; i++) decideOnce(i);
  const passes: number[] = [];
  const coreStart = cpuMillis();
  for (let i = 0; i < PASSES; i++) {
    const from = performance.now();
    decideOnce(i);
    passes.push(performance.now() - from);
  }
  const coreMillis = (cpuMillis() - coreStart) / PASSES;
  const pass = summarize(passes);
  printTable([
    [
      "nodes",
      "build s",
      "bytes/node",
      "decision ms (min)",
      "(median)",
      "(mean on the core)",
      "Mnodes/s/core",
    ],
    [
      nodes.toLocaleString("en"),
      buildSeconds.toFixed(2),
      bytes.toFixed(0),
      pass.Min.toFixed(2),
      pass.Perc50.toFixed(2),
      coreMillis.toFixed(2),
      (nodes / pass.Perc50 / 1000).toFixed(0),
    ],
  ]);
  const name = `${nodes.toLocaleString("en")} nodes`;
  return [
    itemOf(name, "build", { unit: "s" }, [buildSeconds]),
    itemOf(name, "memory", { unit: "bytes/node" }, [bytes]),
    itemOf(name, "decision", { unit: "ms" }, passes),
    itemOf(name, "decision, mean on the core", { unit: "ms" }, [coreMillis]),
  ];
}

const SCRATCH = new Scratch();

/** Bytes held by objects and by buffers, after a collection where one can be asked for. */
function heapBytes(): number {
  (globalThis as { gc?: () => void }).gc?.();
  const { heapUsed, external } = Deno.memoryUsage();
  return heapUsed + external;
}

if (import.meta.main) {
  const values = readFlags({
    nodes: { type: "string", default: "5000" },
    pods: { type: "string", default: "20000" },
    rounds: { type: "string", default: "5" },
    big: { type: "string", default: "1000000" },
    only: { type: "string", default: "" },
  });
  const options = {
    nodes: Number(values.nodes),
    pods: Number(values.pods),
    rounds: Number(values.rounds),
    bigNodes: Number(values.big),
    only: values.only,
  };
  const items = runDecisions(options);
  if (options.only === "" && options.bigNodes > 0) items.push(...runBigTable(options.bigNodes));
  if (options.only === "") console.log(await writeResult("decisions", items));
}
