/** Tries autoscalers: defaults, refusals, cells, and the way between the two versions. */
import assert from "node:assert/strict";
import type { KubeObject } from "../../meta.ts";
import { cells, prepared, problems } from "../testing.ts";
import { autoscalers, autoscalersV1 } from "../../resources.ts";
import { toFirstFace, toSecondFace } from "./faces.ts";

const scaleTargetRef = { apiVersion: "apps/v1", kind: "Deployment", name: "web" };
const external = {
  type: "External",
  external: { metric: { name: "jobs" }, target: { type: "Value", value: "3" } },
};

Deno.test("an autoscaler gets one metric and the rules of scaling", () => {
  const spec = { scaleTargetRef, maxReplicas: 5, behavior: { scaleUp: { selectPolicy: "Min" } } };
  const object = prepared(autoscalers, { spec });
  assert.equal(object.spec.minReplicas, 1);
  assert.equal(object.spec.metrics[0].resource.target.averageUtilization, 80);
  assert.equal(object.spec.behavior.scaleUp.selectPolicy, "Min");
  assert.equal(object.spec.behavior.scaleUp.policies.length, 2);
  assert.equal(object.spec.behavior.scaleDown.stabilizationWindowSeconds, undefined);
  assert.deepEqual(problems(autoscalers, object), []);
  object.status = { currentReplicas: 2, desiredReplicas: 2 };
  assert.deepEqual(cells(autoscalers, object), [
    "x",
    "Deployment/web",
    "cpu: <unknown>/80%",
    "1",
    5,
    2,
    "<unknown>",
  ]);
});

Deno.test("autoscalers are refused for what upstream refuses", () => {
  const cases: readonly [Record<string, unknown>, string][] = [
    [{ maxReplicas: 0 }, "spec.maxReplicas: Required value: must be set and greater than 0"],
    [
      { minReplicas: 9 },
      "spec.maxReplicas: Invalid value: 5: must be greater than or equal to " +
      "`minReplicas`",
    ],
    [
      { metrics: [{ type: "Pods" }] },
      "spec.metrics[0].pods: Required value: must populate " +
      "information for the given metric source",
    ],
    [{ scaleTargetRef: {} }, "spec.scaleTargetRef.kind: Required value"],
    [
      { behavior: { scaleUp: { policies: [] } } },
      "spec.behavior.scaleUp.policies: Required " +
      "value: must specify at least one Policy",
    ],
  ];
  for (const [change, expected] of cases) {
    const spec = { scaleTargetRef, maxReplicas: 5, ...change };
    const found = problems(autoscalers, prepared(autoscalers, { spec }));
    assert.ok(found.includes(expected), found.join("\n"));
  }
});

Deno.test("what the first version has no field for travels in annotations and comes back", () => {
  const stored = prepared(autoscalers, {
    apiVersion: "autoscaling/v2",
    kind: "HorizontalPodAutoscaler",
    spec: {
      scaleTargetRef,
      maxReplicas: 5,
      metrics: [external, {
        type: "Resource",
        resource: { name: "cpu", target: { type: "Utilization", averageUtilization: 50 } },
      }],
      behavior: {},
    },
    status: {
      currentReplicas: 1,
      desiredReplicas: 1,
      conditions: [{ type: "AbleToScale", status: "True" }],
      currentMetrics: [{
        type: "Resource",
        resource: { name: "cpu", current: { averageUtilization: 7, averageValue: "3m" } },
      }],
    },
  });
  const first = toFirstFace(Object.freeze(stored));
  assert.equal(first.apiVersion, "autoscaling/v1");
  assert.equal(first.spec?.targetCPUUtilizationPercentage, 50);
  assert.equal(first.status?.currentCPUUtilizationPercentage, 7);
  assert.deepEqual(Object.keys(first.metadata.annotations ?? {}).length, 4);
  assert.deepEqual(toSecondFace(first), stored);
});

Deno.test("the first version is checked and printed by the rules of the second", () => {
  const object: KubeObject = prepared(autoscalersV1, {
    spec: { scaleTargetRef, maxReplicas: 5, targetCPUUtilizationPercentage: 60 },
  });
  assert.deepEqual(problems(autoscalersV1, object), []);
  assert.equal(cells(autoscalersV1, object)[2], "cpu: <unknown>/60%");
  const broken = structuredClone(object);
  broken.metadata.annotations = { "autoscaling.alpha.kubernetes.io/metrics": "{no json" };
  assert.deepEqual(problems(autoscalersV1, broken), []);
});
