/**
 * Tries jobs, cron jobs, and the controllers with templates beside deployments.
 * In: drafts. Out: their defaults, generated selectors, refusals and cells.
 * Never: reads the clock or the network; randomness comes from fast-check.
 */
import assert from "node:assert/strict";
import type { KubeObject } from "../../meta.ts";
import type { Resource } from "../../resource.ts";
import { cronJobs, daemonSets, disruptionBudgets, jobs, statefulSets } from "../../resources.ts";
import { fieldErrorBody } from "../../status.ts";

const context = { nowMillis: 0, newUid: () => "u-1" };

function created(row: Resource, spec: Record<string, unknown>): KubeObject {
  const object: KubeObject = {
    metadata: { name: "x", namespace: "default" },
    spec: structuredClone(spec),
  };
  row.rules.setDefaults?.(object);
  row.rules.prepareForCreate?.(object, context);
  return object;
}

function problemsOf(row: Resource, object: KubeObject): string[] {
  return (row.rules.validate?.(object) ?? []).map((e) => `${e.path}: ${fieldErrorBody(e)}`);
}

const once = { spec: { restartPolicy: "Never", containers: [{ name: "c", image: "busybox" }] } };
const labelled = {
  metadata: { labels: { app: "w" } },
  spec: { containers: [{ name: "c", image: "nginx" }] },
};

Deno.test("a job gets a selector of its own and passes", () => {
  const job = created(jobs, { template: once });
  assert.deepEqual(job.spec.selector, {
    matchLabels: { "batch.kubernetes.io/controller-uid": "u-1" },
  });
  assert.equal(job.spec.template.metadata.labels["job-name"], "x");
  assert.deepEqual([job.spec.completions, job.spec.backoffLimit], [1, 6]);
  assert.deepEqual(problemsOf(jobs, job), []);
});

Deno.test("a job whose pods restart for ever is refused", () => {
  const problems = problemsOf(jobs, created(jobs, { template: labelled }));
  assert.deepEqual(problems, [
    'spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never"',
  ]);
});

Deno.test("a job's status and duration in words", () => {
  const job = created(jobs, { template: once });
  job.status = {
    startTime: "1970-01-01T00:00:00Z",
    completionTime: "1970-01-01T00:00:07Z",
    succeeded: 1,
    conditions: [{ type: "Complete", status: "True" }],
  };
  const cells = (jobs.rules.columns ?? []).map((column) => column.cell(job, 0));
  assert.deepEqual(cells.slice(0, 4), ["x", "Complete", "1/1", "7s"]);
});

Deno.test("schedules are five fields or a macro", () => {
  const jobTemplate = { spec: { template: once } };
  const cases: readonly [string, boolean][] = [
    ["*/5 * * * *", true],
    ["0 0 1-7,15 jan MON", true],
    ["@hourly", true],
    ["* * * *", false],
    ["a$ * * * *", false],
    ["TZ=UTC * * * * *", false],
  ];
  for (const [schedule, sound] of cases) {
    const problems = problemsOf(cronJobs, created(cronJobs, { schedule, jobTemplate }));
    assert.equal(problems.length === 0, sound, `${schedule}: ${problems}`);
  }
});

Deno.test("daemon sets and stateful sets get their defaults and pass", () => {
  const spec = { selector: { matchLabels: { app: "w" } }, template: labelled };
  const daemons = created(daemonSets, spec);
  assert.deepEqual(daemons.spec.updateStrategy, {
    type: "RollingUpdate",
    rollingUpdate: { maxUnavailable: 1, maxSurge: 0 },
  });
  assert.deepEqual(problemsOf(daemonSets, daemons), []);
  const stateful = created(statefulSets, { ...spec, serviceName: "s" });
  assert.equal(stateful.spec.podManagementPolicy, "OrderedReady");
  assert.deepEqual(problemsOf(statefulSets, stateful), []);
});

Deno.test("a stateful set may mount its claims and may not change its service", () => {
  const template = structuredClone(labelled) as KubeObject["template"];
  template.spec.containers[0].volumeMounts = [{ name: "data", mountPath: "/data" }];
  const old = created(statefulSets, {
    selector: { matchLabels: { app: "w" } },
    template,
    serviceName: "s",
    volumeClaimTemplates: [{
      metadata: { name: "data" },
      spec: { accessModes: ["ReadWriteOnce"] },
    }],
  });
  assert.deepEqual(problemsOf(statefulSets, old), []);
  const draft = structuredClone(old);
  draft.spec.serviceName = "other";
  assert.match(statefulSets.rules.validateUpdate?.(draft, old)[0].detail ?? "", /are forbidden$/);
  draft.spec.serviceName = "s";
  draft.spec.replicas = 3;
  assert.deepEqual(statefulSets.rules.validateUpdate?.(draft, old), []);
});

Deno.test("a budget names one bound", () => {
  const both = created(disruptionBudgets, { minAvailable: 1, maxUnavailable: "50%" });
  assert.match(problemsOf(disruptionBudgets, both)[0], /cannot be both set/);
  const wide = created(disruptionBudgets, { maxUnavailable: "150%" });
  assert.match(problemsOf(disruptionBudgets, wide)[0], /must not be greater than 100%/);
});
