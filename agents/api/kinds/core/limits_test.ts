/** Tries quotas, limit ranges, templates, revisions and runtime classes. */
import assert from "node:assert/strict";
import { cells, prepared, problems, updateProblems } from "../testing.ts";
import * as rows from "../../resources.ts";

Deno.test("quotas know their resources and scopes", () => {
  const row = rows.resourceQuotas;
  const cases: readonly [Record<string, unknown>, string][] = [
    [
      { hard: { bananas: "1" } },
      'spec.hard[bananas]: Invalid value: "bananas": must be a ' +
      "standard resource for quota",
    ],
    [{ hard: { pods: "1500m" } }, 'spec.hard[pods]: Invalid value: "1500m": must be an integer'],
    [
      { hard: { pods: "1" }, scopes: ["Sometimes"] },
      'spec.scopes: Invalid value: ["Sometimes"]: ' +
      "unsupported scope",
    ],
    [{ hard: { secrets: "1" }, scopes: ["BestEffort"] }, "unsupported scope applied to resource"],
    [{ scopes: ["Terminating", "NotTerminating"] }, "conflicting scopes"],
  ];
  for (const [spec, expected] of cases) {
    const found = problems(row, prepared(row, { spec })).join("\n");
    assert.ok(found.includes(expected), found);
  }
});

Deno.test("a quota keeps its scopes and prints what is used", () => {
  const row = rows.resourceQuotas;
  const quota = prepared(row, { spec: { hard: { pods: "5", "count/jobs.batch": "1" } } });
  assert.deepEqual(problems(row, quota), []);
  quota.status = { hard: { pods: "5", "limits.cpu": "4" }, used: { pods: "1" } };
  assert.deepEqual(cells(row, quota), ["x", "pods: 1/5", "limits.cpu: 0/4", "<unknown>"]);
  const scoped = structuredClone(quota);
  scoped.spec.scopes = ["BestEffort"];
  assert.match(updateProblems(row, scoped, quota)[0], /field is immutable/);
});

Deno.test("limits default downwards: max, default, request", () => {
  const row = rows.limitRanges;
  const item = { type: "Container", max: { cpu: "2" }, min: { memory: "1Mi" } };
  const range = prepared(row, { spec: { limits: [item] } });
  assert.deepEqual(range.spec.limits[0].default, { cpu: "2" });
  assert.deepEqual(range.spec.limits[0].defaultRequest, { cpu: "2", memory: "1Mi" });
  assert.deepEqual(problems(row, range), []);
});

Deno.test("limits that contradict each other are refused", () => {
  const row = rows.limitRanges;
  const cases: readonly [Record<string, unknown>, string][] = [
    [
      { type: "Pod", min: { cpu: "2" }, max: { cpu: "1" } },
      'spec.limits[0].min[cpu]: Invalid value: "2": min value 2 is greater than max value 1',
    ],
    [
      { type: "Container", default: { cpu: "1" }, defaultRequest: { cpu: "2" } },
      "default request value 2 is greater than default limit value 1",
    ],
    [{ type: "Pod", default: { cpu: "1" } }, "may not be specified when `type` is 'Pod'"],
    [{ type: "PersistentVolumeClaim" }, "either minimum or maximum storage value is required"],
    [{ type: "Container", maxLimitRequestRatio: { cpu: "500m" } }, "ratio 500m is less than 1"],
    [{ type: "Container", max: { bananas: "1" } }, "must be a standard resource for containers"],
  ];
  for (const [item, expected] of cases) {
    const found = problems(row, prepared(row, { spec: { limits: [item] } })).join("\n");
    assert.ok(found.includes(expected), found);
  }
});

Deno.test("templates and revisions", () => {
  const template = {
    metadata: { labels: { app: "w" } },
    spec: { containers: [{ name: "c", image: "nginx" }] },
  };
  const object = prepared(rows.podTemplates, { template });
  assert.deepEqual(problems(rows.podTemplates, object), []);
  assert.deepEqual(cells(rows.podTemplates, object), ["x", "c", "nginx", "app=w"]);
  const revision = prepared(rows.controllerRevisions, { data: { a: 1 }, revision: 3 });
  const owner = { apiVersion: "apps/v1", kind: "StatefulSet", name: "db", uid: "1" };
  revision.metadata.ownerReferences = [{ ...owner, controller: true }];
  assert.deepEqual(cells(rows.controllerRevisions, revision).slice(1, 3), [
    "statefulset.apps/db",
    3,
  ]);
  const changed = { ...structuredClone(revision), data: { a: 2 } };
  assert.match(updateProblems(rows.controllerRevisions, changed, revision)[0], /^data: /);
  const empty = prepared(rows.controllerRevisions, {});
  assert.deepEqual(problems(rows.controllerRevisions, empty), [
    "data: Required value: data is mandatory",
  ]);
});

Deno.test("runtime classes keep their handler", () => {
  const row = rows.runtimeClasses;
  const object = prepared(row, { handler: "runc" });
  assert.deepEqual(problems(row, object), []);
  assert.match(updateProblems(row, { ...object, handler: "kata" }, object)[0], /immutable/);
});
