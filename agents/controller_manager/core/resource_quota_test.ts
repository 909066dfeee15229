/** The quota controller counts what is there, and is careful where admission spends. */
import assert from "node:assert/strict";
import { memoryView } from "../../../tests/fakes/memory_view.ts";
import type { KubeObject } from "../../api/meta.ts";
import { configMaps, pods, resourceQuotas, resources } from "../../api/resources.ts";
import { resourceQuotaController } from "./plan_resource_quota.ts";

const map = (name: string): KubeObject => ({ metadata: { namespace: "n", name } });
const pod = (name: string, phase: string): KubeObject => ({
  metadata: { namespace: "n", name },
  spec: { containers: [{ name: "c", resources: { requests: { cpu: "500m" } } }] },
  status: { phase },
});
const quota = (status: object, resourceVersion = "1"): KubeObject => ({
  metadata: { namespace: "n", name: "q", resourceVersion },
  spec: { hard: { configmaps: "3", "requests.cpu": "1.5", "x.io/other": "1" } },
  status,
});

/** What is written into the status, or how long the plan waits. */
function planned(
  controller: ReturnType<typeof resourceQuotaController>,
  one: KubeObject,
  nowMillis: number,
) {
  const view = memoryView(controller, [
    [resourceQuotas, [one]],
    [configMaps, [map("a"), map("b")]],
    [pods, [pod("run", "Running"), pod("done", "Succeeded")]],
  ]);
  const [action] = controller.plan("n/q", { view, nowMillis });
  return action.kind === "update" ? action.object.status : action;
}

Deno.test("a quota's status follows its limits and its objects", () => {
  const hard = { configmaps: "3", "requests.cpu": "1500m", "x.io/other": "1" };
  const used = { configmaps: "2", "requests.cpu": "500m" };
  const controller = resourceQuotaController(resources);
  assert.deepEqual(planned(controller, quota({}), 0), { hard, used });
  assert.deepEqual(planned(controller, quota({ hard, used }), 0), {
    kind: "requeue",
    afterMillis: 300_000,
  });
  assert.deepEqual(planned(controller, quota({ hard, used: { ...used, configmaps: "1" } }), 0), {
    hard,
    used,
  });
});

Deno.test("what admission has just charged is lowered only when all is quiet", () => {
  const controller = resourceQuotaController(resources);
  const hard = { configmaps: "3", "requests.cpu": "1500m", "x.io/other": "1" };
  const charged = { configmaps: "3", "requests.cpu": "500m" };
  const wait = (afterMillis: number) => ({ kind: "requeue", afterMillis });
  const at = (resourceVersion: string, nowMillis: number) =>
    planned(controller, quota({ hard, used: charged }, resourceVersion), nowMillis);
  assert.deepEqual(at("5", 0), wait(1000));
  assert.deepEqual(at("5", 600), wait(400));
  assert.deepEqual(at("6", 900), wait(1000));
  assert.deepEqual(at("6", 1900), { hard, used: { configmaps: "2", "requests.cpu": "500m" } });
});
