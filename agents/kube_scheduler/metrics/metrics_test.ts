/** The scheduler's metrics: names, labels and buckets, on a scheduler driven by hand. */
import assert from "node:assert/strict";
import type { Change } from "../../client/informer.ts";
import { EMPTY_NODE, EMPTY_POD, EMPTY_SPEC, Scheduler } from "../../../scheduler/mod.ts";
import type { PodSpecRow } from "../../../scheduler/mod.ts";
import type { Pod } from "../kinds.ts";
import { labelsOf } from "./pod_event.ts";
import { SchedulerMetrics } from "./scheduler_metrics.ts";
import { Histogram } from "./series.ts";

const NAME = "default-scheduler";
const ALLOCATABLE = { cpuMilli: 1000, memoryBytes: 0, ephemeralBytes: 0, scalars: [] };

function setPending(
  scheduler: Scheduler,
  uid: string,
  spec: Partial<PodSpecRow> = {},
  group = "",
): void {
  const template = scheduler.templates.intern({ ...EMPTY_SPEC, ...spec });
  scheduler.setPending({ ...EMPTY_POD, uid, name: uid, template, group }, NAME, 0);
}

Deno.test("a histogram counts many observations of one value at once", () => {
  const histogram = new Histogram("h", "help", [1, 10]);
  histogram.observe("", 5, 3);
  histogram.observe("", 0.5);
  histogram.observe("", 50, 0);
  assert.deepEqual(histogram.lines().slice(2), [
    'scheduler_h_bucket{le="1"} 1',
    'scheduler_h_bucket{le="10"} 4',
    'scheduler_h_bucket{le="+Inf"} 4',
    "scheduler_h_sum 15.5",
    "scheduler_h_count 4",
  ]);
});

Deno.test("what is said of pods that are bound, refused, gated, and of the plugins' times", () => {
  let now = 0;
  const metrics = new SchedulerMetrics(() => now++);
  const scheduler = new Scheduler({ watch: metrics.watch });
  const node = { ...EMPTY_NODE, allocatable: ALLOCATABLE, allowedPods: 10 };
  scheduler.setNode({ ...node, name: "n1" }, 0);
  setPending(scheduler, "bound");
  setPending(scheduler, "refused", { nodeSelector: { a: "b" } });
  setPending(scheduler, "gated", { schedulingGates: ["g"] });
  metrics.sample(scheduler, 0);
  metrics.sample(scheduler, 999);
  const started = metrics.now();
  const actions = scheduler.plan(0, 10);
  metrics.planned(actions.length, started);
  for (const action of actions) {
    if (action.kind === "reject") metrics.refused(action);
    else {
      metrics.passed([action], { point: "Bind", millis: 3 });
      metrics.passed([action, action], {
        point: "PreBind",
        millis: 2,
        errors: [null, new Error()],
      });
      metrics.bound({ ...action.entry, outOfPatience: true }, 30);
    }
  }
  metrics.handled(["NodeAdd", "NodeAdd"], started);
  const time = { startedMillis: metrics.now() - 8, millis: 5 };
  metrics.groupTried({ result: "waitingOnPreemption", message: "", schedulerName: NAME, time });
  metrics.groupTried({ result: "scheduled", message: "", schedulerName: NAME, time: null });
  const lines = metrics.lines(scheduler);
  const prefix = `profile="${NAME}"`;
  for (
    const line of [
      'pending_pods{queue="gated"} 1',
      'pending_pods{queue="unschedulable"} 1',
      `unschedulable_pods{plugin="NodeAffinity",${prefix}} 1`,
      `unschedulable_pods{plugin="SchedulingGates",${prefix}} 1`,
      'queue_incoming_pods_total{queue="active",event="UnschedulablePodAdd"} 2',
      'queue_incoming_pods_total{queue="unschedulable",event="UnschedulablePodAdd"} 1',
      'queue_incoming_pods_total{queue="unschedulable",event="ScheduleAttemptFailure"} 1',
      'cache_size{type="assumed_pods"} 1',
      'cache_size{type="pods"} 1',
      'pod_scheduling_sli_duration_seconds_sum{attempts="1"} 0.03',
      "pod_scheduled_after_flush_total 1",
      "preemption_attempts_total 1",
      `podgroup_schedule_attempts_total{result="waiting_on_preemption",${prefix}} 1`,
      `podgroup_schedule_attempts_total{result="scheduled",${prefix}} 1`,
      `podgroup_scheduling_attempt_duration_seconds_sum{result="waiting_on_preemption",${prefix}} ` +
      "0.009",
      "podgroup_scheduling_algorithm_duration_seconds_sum 0.005",
      "podgroup_scheduling_algorithm_duration_seconds_count 1",
      `framework_extension_point_duration_seconds_sum{extension_point="PostFilter",` +
      `status="Unschedulable",${prefix}} 0.001`,
      'plugin_execution_duration_seconds_sum{plugin="DefaultPreemption",' +
      'extension_point="PostFilter",status="Unschedulable"} 0.001',
      `framework_extension_point_duration_seconds_count{extension_point="PreEnqueue",` +
      `status="Success",${prefix}} 1`,
      `framework_extension_point_duration_seconds_count{extension_point="PreBind",` +
      `status="Error",${prefix}} 1`,
      `framework_extension_point_duration_seconds_sum{extension_point="PreBind",` +
      `status="Success",${prefix}} 0.002`,
      "scheduling_algorithm_duration_seconds_count 2",
      'event_handling_duration_seconds_count{event="NodeAdd"} 2',
      `framework_extension_point_duration_seconds_sum{extension_point="Bind",status="Success",` +
      `${prefix}} 0.003`,
      `framework_extension_point_duration_seconds_count{extension_point="Filter",` +
      `status="Success",${prefix}} 1`,
      'plugin_execution_duration_seconds_count{plugin="NodeResourcesFit",' +
      'extension_point="Filter",status="Success"} 1',
    ]
  ) assert.ok(lines.includes(`scheduler_${line}`), `${line}\n${lines.join("\n")}`);
});

/** @returns what is said of looks for pods to evict, "" = nothing. */
function preemptionsOf(metrics: SchedulerMetrics, scheduler: Scheduler): string {
  const name = "scheduler_preemption_attempts_total ";
  return metrics.lines(scheduler).find((line) => line.startsWith(name))?.slice(name.length) ?? "";
}

Deno.test("a refusal counts as a look for pods to evict only where one was made", () => {
  const metrics = new SchedulerMetrics();
  const scheduler = new Scheduler({ watch: metrics.watch });
  setPending(scheduler, "nowhere");
  scheduler.plan(0, 10);
  assert.equal(preemptionsOf(metrics, scheduler), "");
});

Deno.test("pods of a group that is refused as a whole were not looked for pods to evict for", () => {
  const metrics = new SchedulerMetrics();
  const scheduler = new Scheduler({ watch: metrics.watch });
  const node = { ...EMPTY_NODE, allocatable: ALLOCATABLE, allowedPods: 2 };
  scheduler.setNode({ ...node, name: "n1" }, 0);
  scheduler.setGroup("default/g", { minCount: 3 }, 0);
  for (const uid of ["a", "b", "c"]) setPending(scheduler, uid, {}, "default/g");
  let actions = 0;
  while (scheduler.queue.sizes.active > 0 || scheduler.isTryingGroup) {
    actions += scheduler.plan(0, 10).length;
  }
  assert.equal(actions, 3);
  // Two found a place; who did not was looked for others for.
  assert.equal(preemptionsOf(metrics, scheduler), "1");
  const [{ time }] = scheduler.takeGroupVerdicts().values();
  assert.ok(time !== null && time.millis >= 0);
});

Deno.test("a change of a pod has the name of its event", () => {
  const pod = (spec: object, phase = "Pending") =>
    ({ metadata: {}, spec, status: { phase } }) as Pod;
  const [free, bound] = [pod({}), pod({ nodeName: "n" })];
  const cases: readonly [Change<Pod>, readonly string[]][] = [
    [{ type: "add", object: free }, ["UnschedulablePodAdd"]],
    [{ type: "update", object: free, old: free }, ["UnschedulablePodUpdate"]],
    [{ type: "delete", object: free }, ["UnschedulablePodDelete"]],
    [{ type: "add", object: bound }, ["AssignedPodAdd"]],
    [{ type: "update", object: bound, old: free }, ["AssignedPodAdd"]],
    [{ type: "update", object: bound, old: bound }, ["AssignedPodUpdate"]],
    [{ type: "update", object: pod({ nodeName: "n" }, "Failed"), old: bound }, [
      "AssignedPodDelete",
    ]],
    [{ type: "delete", object: bound }, ["AssignedPodDelete"]],
    [{ type: "add", object: pod({ schedulerName: "another" }) }, []],
  ];
  for (const [change, expected] of cases) {
    assert.deepEqual(labelsOf(change, new Map([[NAME, 0]])), expected);
  }
});
