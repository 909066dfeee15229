/** Node lifecycle, taint eviction and pod garbage, as tables. */
import assert from "node:assert/strict";
import { leases, nodes, pods } from "../../api/resources.ts";
import { formatTime } from "../../api/time.ts";
import type { KubeObject } from "../../api/meta.ts";
import { memoryView } from "../../../tests/fakes/memory_view.ts";
import type { Action } from "../controller.ts";
import { nodeLifecycleController, planNode, wantedTaints } from "./plan_node_lifecycle.ts";
import { podGarbageCollector } from "./plan_pod_gc.ts";
import { taintEvictionController } from "./plan_taint_eviction.ts";
import { tolerationSeconds } from "./taints.ts";

const START = 1_767_225_600_000;

function node(ready: string | undefined, fields: Partial<KubeObject> = {}): KubeObject {
  return {
    metadata: { name: "n1", uid: "n1", creationTimestamp: formatTime(START) },
    spec: {},
    status: {
      conditions: ready === undefined ? [] : [
        { type: "Ready", status: ready, lastHeartbeatTime: formatTime(START) },
      ],
    },
    ...fields,
  };
}

function pod(fields: Partial<KubeObject> = {}): KubeObject {
  return {
    metadata: { name: "p", namespace: "default", uid: "p", ...fields.metadata },
    spec: { nodeName: "n1", containers: [], ...fields.spec },
    status: {
      phase: "Running",
      conditions: [{ type: "Ready", status: "True" }],
      ...fields.status,
    },
  };
}

const kinds = (actions: readonly Action[]) =>
  actions.map((action) =>
    "resource" in action ? `${action.kind} ${action.resource.plural}` : action.kind
  );

Deno.test("node lifecycle: silence beyond the grace makes all conditions Unknown", () => {
  const row = nodeLifecycleController();
  const monitor = { graceMillis: 50_000, seen: new Map() };
  const plan = (renewTime: string, seconds: number, of = node("True")) =>
    planNode("n1", {
      view: memoryView(row, [
        [nodes, [of]],
        [leases, [{ metadata: { name: "n1", namespace: "kube-node-lease" }, spec: { renewTime } }]],
      ]),
      nowMillis: START + seconds * 1000,
    }, monitor);
  const again = (afterMillis: number) => [{ kind: "requeue", afterMillis }];
  assert.deepEqual(plan("a", 0), again(10_000));
  assert.deepEqual(plan("a", 46), again(4_001), "no later than the grace ends");
  assert.deepEqual(plan("a", 50), again(1));
  assert.deepEqual(kinds(plan("b", 51)), ["requeue"], "a renewal starts the grace anew");
  assert.deepEqual(kinds(plan("b", 101)), ["requeue"]);
  const actions = plan("b", 102);
  assert.deepEqual(kinds(actions), ["update nodes", "event", "requeue"]);
  assert.ok(actions[0].kind === "update");
  const { conditions } = actions[0].object.status;
  assert.deepEqual(
    conditions.map((one: { type: string; status: string; reason: string }) =>
      `${one.type} ${one.status} ${one.reason}`
    ),
    [
      "Ready Unknown NodeStatusUnknown",
      "MemoryPressure Unknown NodeStatusNeverUpdated",
      "DiskPressure Unknown NodeStatusNeverUpdated",
      "PIDPressure Unknown NodeStatusNeverUpdated",
    ],
  );
  const next = plan("b", 107, { ...node("True"), status: { conditions } });
  assert.deepEqual(kinds(next), ["patch nodes", "requeue"]);
});

Deno.test("node lifecycle: taints follow conditions", () => {
  const text = (of: KubeObject) =>
    wantedTaints(of as Parameters<typeof wantedTaints>[0])
      .map((taint) => `${taint.key.split("/")[1]}:${taint.effect}`).join(" ");
  assert.equal(text(node("True")), "");
  assert.equal(text(node("False")), "not-ready:NoSchedule not-ready:NoExecute");
  assert.equal(text(node("Unknown")), "unreachable:NoSchedule unreachable:NoExecute");
  assert.equal(text(node(undefined)), "not-ready:NoSchedule");
  const pressed = node("True", {
    spec: { unschedulable: true },
    status: {
      conditions: [{ type: "Ready", status: "True" }, { type: "DiskPressure", status: "True" }],
    },
  });
  assert.equal(text(pressed), "disk-pressure:NoSchedule unschedulable:NoSchedule");
});

Deno.test("node lifecycle: the first taint of a ready node goes, foreign ones stay", () => {
  const tainted = node("True", {
    spec: {
      taints: [
        { key: "node.kubernetes.io/not-ready", effect: "NoSchedule" },
        { key: "dedicated", effect: "NoSchedule" },
      ],
    },
  });
  const row = nodeLifecycleController();
  const view = memoryView(row, [[nodes, [tainted]]]);
  const [action] = row.plan("n1", { view, nowMillis: START });
  assert.ok(action.kind === "patch");
  const body = action.body as { spec: { taints: unknown } };
  assert.deepEqual(body.spec.taints, [{ key: "dedicated", effect: "NoSchedule" }]);
});

Deno.test("node lifecycle: pods of a lost node stop being ready", () => {
  const row = nodeLifecycleController();
  const lost = node("Unknown", {
    spec: {
      taints: ["NoSchedule", "NoExecute"].map((effect) => ({
        key: "node.kubernetes.io/unreachable",
        effect,
      })),
    },
  });
  const view = memoryView(row, [[nodes, [lost]], [pods, [pod()]]]);
  const [batch] = row.plan("n1", { view, nowMillis: START });
  assert.ok(batch.kind === "batch");
  const [write] = batch.writes;
  assert.ok(write.kind === "update");
  assert.equal(write.object.status.conditions[0].status, "False");
});

Deno.test("taints: how long a pod may stay", () => {
  const taint = { key: "k", value: "v", effect: "NoExecute" as const };
  const cases: [Parameters<typeof tolerationSeconds>[1], number][] = [
    [[], 0],
    [[{ operator: "Exists" }], Infinity],
    [[{ key: "k", operator: "Exists" }], Infinity],
    [[{ key: "k", operator: "Exists", effect: "NoSchedule" }], 0],
    [[{ key: "k", value: "v", effect: "NoExecute", tolerationSeconds: 300 }], 300],
    [[{ key: "k", value: "other" }], 0],
    [[{ key: "k", operator: "Exists", tolerationSeconds: -5 }], 0],
  ];
  for (const [tolerations, seconds] of cases) {
    assert.equal(tolerationSeconds([taint], tolerations), seconds);
  }
});

Deno.test("taint eviction: waits as long as tolerated, then marks and deletes", () => {
  const row = taintEvictionController();
  const tainted = node("Unknown", {
    spec: {
      taints: [{ key: "t", effect: "NoExecute", timeAdded: formatTime(START) }],
    },
  });
  const tolerations = [{ key: "t", operator: "Exists", tolerationSeconds: 300 }];
  const plan = (seconds: number, of = tainted) =>
    row.plan("default/p", {
      view: memoryView(row, [[nodes, [of]], [pods, [pod({ spec: { tolerations } })]]]),
      nowMillis: START + seconds * 1000,
    });
  assert.deepEqual(plan(10), [{ kind: "requeue", afterMillis: 290_000 }]);
  assert.deepEqual(kinds(plan(20, node("True"))), ["event"], "the taint went: cancelled");
  assert.deepEqual(plan(30), [{ kind: "requeue", afterMillis: 270_000 }]);
  const actions = plan(300);
  assert.deepEqual(kinds(actions), ["event", "update pods", "delete pods"]);
  assert.ok(actions[1].kind === "update");
  const last = actions[1].object.status.conditions.at(-1);
  assert.equal(`${last.type} ${last.reason}`, "DisruptionTarget DeletionByTaintManager");
});

Deno.test("pod garbage: pods of vanished nodes go after the quarantine", () => {
  const row = podGarbageCollector();
  const orphan = pod({ metadata: { name: "orphan", uid: "o" }, spec: { nodeName: "gone" } });
  const unbound = pod({
    metadata: { name: "unbound", uid: "u", deletionTimestamp: formatTime(START) },
    spec: { nodeName: "" },
    status: { phase: "Pending" },
  });
  const plan = (seconds: number) =>
    row.plan("all", {
      view: memoryView(row, [[nodes, [node("True")]], [pods, [pod(), orphan, unbound]]]),
      nowMillis: START + seconds * 1000,
    });
  const doomed = (actions: readonly Action[]) =>
    actions.flatMap((action) =>
      action.kind === "batch"
        ? action.writes.flatMap((one) => one.kind === "delete" ? [one.object.metadata.name] : [])
        : []
    );
  assert.deepEqual(doomed(plan(0)), ["unbound"]);
  assert.deepEqual(doomed(plan(39)), ["unbound"]);
  assert.deepEqual(doomed(plan(40)), ["orphan", "unbound"]);
});
