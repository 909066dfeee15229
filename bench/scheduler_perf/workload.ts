/**
 * What a scheduling workload is: nodes and pods to make, in order, and what to measure.
 * In: nothing. Out: the types of the data in workloads/, and how counts and names are looked up.
 * Never: runs anything. Source: opcodes and names of kube-scheduler's scheduler_perf (v1.36).
 */
import type { KubeObject } from "../../agents/api/meta.ts";

/** An object as it is sent, without the parts that the harness fills in. */
export type Template = Pick<KubeObject, "apiVersion" | "kind"> & Record<string, unknown> & {
  readonly metadata: {
    readonly name?: string;
    readonly generateName?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly finalizers?: readonly string[];
  };
};

/** A number, or the name of a parameter with `$` before it. */
export type Count = number | `$${string}`;

export interface CreateNodes {
  readonly opcode: "createNodes";
  readonly count: Count;
  /** Default: 4 CPUs, 32 GiB, 110 pods. */
  readonly template?: Template;
  /** A label whose values go around the nodes. */
  readonly label?: { readonly key: string; readonly values: readonly string[] };
  /** Whether a hollow kubelet runs each: it renews leases and reports its pods as running. */
  readonly hollow?: boolean;
  /** Volumes that a CSI driver may attach to each node. */
  readonly attachable?: { readonly driver: string; readonly count: number };
}

export interface CreateNamespaces {
  readonly opcode: "createNamespaces";
  readonly prefix: string;
  readonly count: Count;
  readonly template?: Template;
}

export interface CreatePods {
  readonly opcode: "createPods";
  readonly count: Count;
  /** Default: the case's own. */
  readonly template?: Template;
  /** Default: `namespace-` and the number of the operation. */
  readonly namespace?: string;
  readonly collectMetrics?: boolean;
  readonly skipWaitToCompletion?: boolean;
  /** A bound claim and its volume for each pod. */
  readonly volume?: { readonly volume: Template; readonly claim: Template };
  /** Pods of each group, which start together or not at all. Default: no groups. */
  readonly gangSize?: Count;
}

export interface CreatePodSets {
  readonly opcode: "createPodSets";
  readonly count: Count;
  readonly namespacePrefix: string;
  readonly createPods: CreatePods;
}

export interface CreateAny {
  readonly opcode: "createAny";
  readonly template: Template;
  readonly namespace?: string;
}

/** Makes objects at intervals until the workload ends; "recreate" deletes each again. */
export interface Churn {
  readonly opcode: "churn";
  readonly mode: "create" | "recreate";
  /** Objects of a template that exist at most; 0 = no limit. */
  readonly number?: number;
  readonly templates: readonly Template[];
  readonly intervalMillis: number;
}

/** Waits until all pods of the namespaces have a node, or were tried at least. */
export interface Barrier {
  readonly opcode: "barrier";
  readonly stageRequirement?: "Scheduled" | "Attempted";
  /** Default: all. */
  readonly namespaces?: readonly string[];
}

export interface Sleep {
  readonly opcode: "sleep";
  readonly durationMillis: number;
}

export interface DeletePods {
  readonly opcode: "deletePods";
  readonly namespace: string;
  /** 0 = all at once. */
  readonly deletePodsPerSecond?: number;
  readonly skipWaitToCompletion?: boolean;
}

export type Operation =
  | CreateNodes
  | CreateNamespaces
  | CreatePods
  | CreatePodSets
  | CreateAny
  | Churn
  | Barrier
  | Sleep
  | DeletePods;

export type Params = Readonly<Record<string, number>>;

export interface Workload {
  readonly name: string;
  readonly params: Params;
  /** Pods per second that the mean of a direct run should reach; absent = not judged. */
  readonly floor?: number;
  /** The same over HTTPS. */
  readonly httpsFloor?: number;
}

export interface TestCase {
  readonly name: string;
  readonly podTemplate?: Template;
  readonly operations: readonly Operation[];
  readonly workloads: readonly Workload[];
}

/** One workload of one case. */
export interface Selected {
  readonly testCase: TestCase;
  readonly workload: Workload;
  /** `SchedulingBasic/5000Nodes_10000Pods` */
  readonly name: string;
}

/** Errors: throws on a parameter that the workload does not name. */
export function resolveCount(count: Count, params: Params): number {
  if (typeof count === "number") return count;
  const value = params[count.slice(1)];
  if (value === undefined) throw new Error(`the workload has no parameter ${count.slice(1)}`);
  return value;
}

/** Upstream names variants of a workload after feature gates, which are always on here. */
const GATES = /_(QueueingHints|AsyncAPICalls|AsyncPreemption)Enabled$/;

/**
 * @param pattern a workload's full name, a case's name, or a prefix of a full name
 * @returns every workload that it names, in the order of the cases
 */
export function selectWorkloads(cases: readonly TestCase[], pattern: string): Selected[] {
  const wanted = pattern.replace(GATES, "");
  const all = cases.flatMap((testCase) =>
    testCase.workloads.map((workload) => ({
      testCase,
      workload,
      name: `${testCase.name}/${workload.name}`,
    }))
  );
  const exact = all.filter(({ name }) => name === wanted);
  return exact.length > 0 ? exact : all.filter(({ name }) => `${name}/`.startsWith(`${wanted}/`));
}
