/** Tables for the parts of a rollout: arithmetic, hashes, victims, plans. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { deployments, pods, replicaSets } from "../../api/resources.ts";
import { formatTime } from "../../api/time.ts";
import type { KubeObject } from "../../api/meta.ts";
import { memoryView } from "../../../tests/fakes/memory_view.ts";
import type { Action } from "../controller.ts";
import type { Deployment, Pod, ReplicaSet } from "../kinds.ts";
import { askedOf, fenceposts, MAX_REPLICAS, proportions } from "./deployment_math.ts";
import { splitSets } from "./deployment_revision.ts";
import { deploymentController } from "./plan_deployment.ts";
import { replicaSetController } from "./plan_replica_set.ts";
import { equalTemplates, templateHash } from "./template_hash.ts";
import { chooseVictims } from "./victims.ts";

const START = 1_767_225_600_000;

function deployment(spec: Record<string, unknown> = {}, status = {}): Deployment {
  return {
    metadata: { name: "web", namespace: "default", uid: "d", generation: 1 },
    spec: {
      replicas: 10,
      selector: { matchLabels: { app: "web" } },
      strategy: { type: "RollingUpdate", rollingUpdate: { maxSurge: 0, maxUnavailable: 0 } },
      template: template("new"),
      ...spec,
    },
    status,
  };
}

const template = (image: string) => ({
  metadata: { labels: { app: "web" } },
  spec: { containers: [{ name: "web", image }] },
});

interface SetFields {
  readonly name: string;
  readonly image: string;
  readonly replicas: number;
  readonly available?: number;
  readonly revision?: number;
  readonly desired?: number;
  readonly max?: number;
}

let made = 0;

function set(fields: SetFields): ReplicaSet {
  const { name, image, replicas, available = replicas, revision, desired, max } = fields;
  return {
    metadata: {
      name,
      namespace: "default",
      uid: name,
      generation: 1,
      creationTimestamp: formatTime(START + 1000 * made++),
      labels: { app: "web" },
      annotations: {
        ...(revision === undefined
          ? {}
          : { "deployment.kubernetes.io/revision": String(revision) }),
        ...(desired === undefined
          ? {}
          : { "deployment.kubernetes.io/desired-replicas": String(desired) }),
        ...(max === undefined ? {} : { [MAX_REPLICAS]: String(max) }),
      },
      ownerReferences: [
        { apiVersion: "apps/v1", kind: "Deployment", name: "web", uid: "d", controller: true },
      ],
    },
    spec: { replicas, selector: { matchLabels: { app: "web" } }, template: template(image) },
    status: { replicas, availableReplicas: available, observedGeneration: 1 },
  };
}

function planSets(of: Deployment, sets: ReplicaSet[], failure?: string): readonly Action[] {
  const view = memoryView(deploymentController, [[deployments, [of]], [replicaSets, sets]]);
  return deploymentController.plan("default/web", {
    view,
    nowMillis: START,
    ...(failure && { failure: { during: "create", reason: "Forbidden", message: failure } }),
  });
}

/** New sizes by name. */
function sizes(actions: readonly Action[]): Record<string, number> {
  const found: Record<string, number> = {};
  for (const action of actions) {
    if (action.kind === "create") found.created = action.object.spec.replicas;
    if (action.kind === "update" && action.resource === replicaSets) {
      found[action.object.metadata.name!] = action.object.spec.replicas;
    }
  }
  return found;
}

Deno.test("deployment: surge rounds up, unavailable rounds down, never both 0", () => {
  const cases: [number | string, number | string, number, number, number][] = [
    ["25%", "25%", 10, 3, 2],
    ["25%", "25%", 1, 1, 0],
    [0, "1%", 2, 0, 1],
    [0, 0, 5, 0, 1],
    ["1%", "0%", 2, 1, 0],
    [3, 4, 10, 3, 4],
  ];
  for (const [maxSurge, maxUnavailable, replicas, surge, unavailable] of cases) {
    const strategy = { type: "RollingUpdate", rollingUpdate: { maxSurge, maxUnavailable } };
    assert.deepEqual(fenceposts(deployment({ replicas, strategy })), { surge, unavailable });
  }
});

Deno.test("deployment: steps of a rolling update", () => {
  const rolling = (maxSurge: number, maxUnavailable: number) => ({
    strategy: { type: "RollingUpdate", rollingUpdate: { maxSurge, maxUnavailable } },
  });
  const old = (replicas: number, available = replicas) =>
    set({ name: "old", image: "old", replicas, available, revision: 1, desired: 10 });
  const fresh = (replicas: number, available = replicas) =>
    set({ name: "new", image: "new", replicas, available, revision: 2, desired: 10 });
  const cases: [string, Record<string, unknown>, ReplicaSet[], Record<string, number>][] = [
    ["room for the surge", rolling(3, 2), [old(10)], { created: 3 }],
    ["no room yet", rolling(0, 2), [old(10)], { created: 0 }],
    ["old ones make room", rolling(0, 2), [old(10), fresh(0)], { old: 8 }],
    ["new ones take the room", rolling(0, 2), [old(8), fresh(0)], { new: 2 }],
    ["waits for the new ones", rolling(0, 2), [old(8), fresh(2, 0)], {}],
    ["unhealthy old ones first", rolling(0, 2), [old(10, 4), fresh(0)], { old: 8 }],
    ["the last step", rolling(3, 2), [old(3), fresh(10)], { old: 0 }],
    ["at rest", rolling(3, 2), [old(0), fresh(10)], {}],
  ];
  for (const [name, spec, sets, expected] of cases) {
    assert.deepEqual(sizes(planSets(deployment(spec), sets)), expected, name);
  }
});

Deno.test("deployment: Recreate ends the old pods before it starts new ones", () => {
  const spec = { strategy: { type: "Recreate" } };
  const old = set({ name: "old", image: "old", replicas: 10, revision: 1, desired: 10 });
  assert.deepEqual(sizes(planSets(deployment(spec), [old])), { old: 0 });
  const ending = { ...old, spec: { ...old.spec, replicas: 0 } };
  assert.deepEqual(sizes(planSets(deployment(spec), [ending])), {});
  const ended = { ...ending, status: { replicas: 0, observedGeneration: 1 } };
  assert.deepEqual(sizes(planSets(deployment(spec), [ended])), { created: 10 });
});

Deno.test("deployment: scaling in the middle of a rollout keeps proportions", () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 2, maxLength: 5 }),
      fc.integer({ min: 0, max: 200 }),
      (counts, wanted) => {
        const before = counts.reduce((sum, count) => sum + count, 0);
        const sets = counts.map((replicas, index) =>
          set({ name: `s${index}`, image: `${index}`, replicas, desired: before, max: before })
        );
        const strategy = {
          type: "RollingUpdate",
          rollingUpdate: { maxSurge: 0, maxUnavailable: 1 },
        };
        const next = proportions(deployment({ replicas: wanted, strategy }), sets);
        const after = [...next.values()];
        assert.ok(after.every((size) => size >= 0));
        if (wanted > 0) assert.equal(after.reduce((sum, size) => sum + size, 0), wanted);
        assert.equal(askedOf(sets), before);
      },
    ),
    { seed: 11, numRuns: 200 },
  );
});

Deno.test("deployment: a paused one is scaled but not rolled", () => {
  const old = set({ name: "old", image: "old", replicas: 4, desired: 4, max: 4 });
  const actions = planSets(deployment({ paused: true }), [old]);
  assert.deepEqual(sizes(actions), { old: 10 });
});

Deno.test("deployment: history beyond the limit goes, oldest first, without pods only", () => {
  const status = {
    replicas: 10,
    updatedReplicas: 10,
    availableReplicas: 10,
    observedGeneration: 1,
  };
  const sets = [
    set({ name: "a", image: "a", replicas: 0, revision: 1 }),
    set({ name: "b", image: "b", replicas: 0, revision: 3 }),
    set({ name: "c", image: "c", replicas: 0, revision: 2 }),
    set({ name: "new", image: "new", replicas: 10, revision: 4, desired: 10 }),
  ];
  const actions = planSets(deployment({ revisionHistoryLimit: 1 }, status), sets);
  const deleted = actions.flatMap((one) => one.kind === "delete" ? [one.object.metadata.name] : []);
  assert.deepEqual(deleted, ["a", "c"]);
});

Deno.test("deployment: no progress until the deadline is told", () => {
  const progressing = (secondsAgo: number) => ({
    replicas: 10,
    updatedReplicas: 10,
    unavailableReplicas: 10,
    observedGeneration: 1,
    conditions: [{
      type: "Progressing",
      status: "True",
      reason: "ReplicaSetUpdated",
      lastUpdateTime: formatTime(START - secondsAgo * 1000),
      lastTransitionTime: formatTime(START - secondsAgo * 1000),
    }],
  });
  const sets = [
    set({ name: "new", image: "new", replicas: 10, available: 0, revision: 1, desired: 10 }),
  ];
  const reasonAfter = (secondsAgo: number) => {
    const of = deployment({ progressDeadlineSeconds: 60 }, progressing(secondsAgo));
    const update = planSets(of, sets).find((one) =>
      one.kind === "update" && one.resource === deployments
    );
    assert.ok(update?.kind === "update");
    return update.object.status.conditions.find((one: { type: string }) =>
      one.type === "Progressing"
    ).reason;
  };
  assert.equal(reasonAfter(30), "ReplicaSetUpdated");
  assert.equal(reasonAfter(61), "ProgressDeadlineExceeded");
});

Deno.test("deployment: a taken name counts as a collision, a refused create is told", () => {
  const of = deployment({ progressDeadlineSeconds: 60 });
  const [create] = planSets(of, []);
  assert.ok(create.kind === "create");
  const foreign: ReplicaSet = {
    ...set({ name: create.object.metadata.name!, image: "foreign", replicas: 0 }),
  };
  foreign.metadata.ownerReferences = [
    { apiVersion: "apps/v1", kind: "Deployment", name: "x", uid: "x", controller: true },
  ];
  const [bump] = planSets(of, [foreign]);
  assert.ok(bump.kind === "update");
  assert.equal(bump.object.status.collisionCount, 1);
  const [told] = planSets(of, [], "quota");
  assert.ok(told.kind === "update");
  assert.match(
    told.object.status.conditions[0].message,
    /^Failed to create new replica set .*quota$/,
  );
});

Deno.test("template hash: order and emptiness do not count, contents and collisions do", () => {
  const spec = { containers: [{ name: "a", image: "b" }] };
  const one = { metadata: { labels: { x: "1", y: "2" } }, spec: { ...spec, volumes: [] } };
  const other = {
    spec: { containers: [{ image: "b", name: "a" }] },
    metadata: { labels: { y: "2", x: "1", "pod-template-hash": "h" } },
  };
  assert.ok(equalTemplates(one, other));
  assert.equal(templateHash(one, undefined), templateHash(other, undefined));
  assert.notEqual(templateHash(one, undefined), templateHash(one, 1));
  assert.ok(!equalTemplates(one, { ...one, spec: { containers: [] } }));
  assert.match(templateHash(one, undefined), /^[bcdfghjklmnpqrstvwxz2456789]{5,10}$/);
});

Deno.test("deployment: of equal replica sets the oldest is the new one", () => {
  const older = set({ name: "z", image: "new", replicas: 1 });
  const newer = set({ name: "a", image: "new", replicas: 1 });
  const { newSet, oldSets } = splitSets(deployment(), [newer, older]);
  assert.equal(newSet?.metadata.name, "z");
  assert.deepEqual(oldSets.map((one) => one.metadata.name), ["a"]);
});

interface PodFields {
  readonly node?: string;
  readonly phase?: string;
  readonly readySecondsAgo?: number;
  readonly cost?: string;
  readonly restarts?: number;
  readonly ageSeconds?: number;
}

function pod(name: string, fields: PodFields = {}): Pod {
  const { node = "n", phase = "Running", readySecondsAgo, cost, restarts = 0 } = fields;
  return {
    metadata: {
      name,
      namespace: "default",
      uid: name,
      labels: { app: "web" },
      creationTimestamp: formatTime(START - (fields.ageSeconds ?? 100) * 1000),
      ...(cost === undefined
        ? {}
        : { annotations: { "controller.kubernetes.io/pod-deletion-cost": cost } }),
      ownerReferences: [
        { apiVersion: "apps/v1", kind: "ReplicaSet", name: "rs", uid: "rs", controller: true },
      ],
    },
    spec: { nodeName: node, containers: [] },
    status: {
      phase,
      conditions: readySecondsAgo === undefined ? [] : [{
        type: "Ready",
        status: "True",
        lastTransitionTime: formatTime(START - readySecondsAgo * 1000),
      }],
      containerStatuses: [{ name: "web", restartCount: restarts }],
    },
  };
}

Deno.test("replica set: whom it gives up first", () => {
  const ready = { readySecondsAgo: 60 };
  const cases: [string, Pod, Pod][] = [
    ["unassigned", pod("a", { node: "", ...ready }), pod("b", { phase: "Pending" })],
    ["pending", pod("a", { phase: "Pending" }), pod("b")],
    ["not ready", pod("a"), pod("b", ready)],
    ["cheaper", pod("a", { ...ready, cost: "-1" }), pod("b", ready)],
    ["ready for less", pod("a", { readySecondsAgo: 5 }), pod("b", { readySecondsAgo: 5000 })],
    ["restarted more", pod("a", { restarts: 3 }), pod("b")],
    ["younger", pod("a", { ageSeconds: 5 }), pod("b", { ageSeconds: 5000 })],
  ];
  for (const [name, first, second] of cases) {
    const members = [second, first];
    const [victim] = chooseVictims({ pods: members, related: [], count: 1, nowMillis: START });
    assert.equal(victim.metadata.name, "a", name);
  }
  const spread = [pod("b", { node: "2", ...ready }), pod("a", { node: "1", ...ready })];
  const related = [...spread, pod("c", { node: "1", ...ready })];
  const [victim] = chooseVictims({ pods: spread, related, count: 1, nowMillis: START });
  assert.equal(victim.metadata.name, "a", "colocated");
});

function planPods(spec: Record<string, unknown>, members: Pod[], fields: Partial<KubeObject> = {}) {
  const of: ReplicaSet = {
    metadata: { name: "rs", namespace: "default", uid: "rs", generation: 1 },
    spec: {
      replicas: 2,
      selector: { matchLabels: { app: "web" } },
      template: template("new"),
      ...spec,
    },
    ...fields,
  };
  const view = memoryView(replicaSetController, [[replicaSets, [of]], [pods, members]]);
  return replicaSetController.plan("default/rs", { view, nowMillis: START });
}

function batchOf(actions: readonly Action[]) {
  const batch = actions.find((action) => action.kind === "batch");
  return batch?.kind === "batch" ? batch.writes.map((write) => write.kind) : [];
}

Deno.test("replica set: creates what is missing, deletes what is too much, 500 at most", () => {
  assert.deepEqual(batchOf(planPods({}, [])), ["create", "create"]);
  assert.deepEqual(batchOf(planPods({}, [pod("a"), pod("b")])), []);
  assert.deepEqual(batchOf(planPods({}, [pod("a"), pod("b"), pod("c")])), ["delete"]);
  assert.equal(batchOf(planPods({ replicas: 2000 }, [])).length, 500);
  assert.deepEqual(batchOf(planPods({}, [pod("a", { phase: "Failed" }), pod("b")])), ["create"]);
  const dying = {
    metadata: {
      name: "rs",
      namespace: "default",
      uid: "rs",
      deletionTimestamp: formatTime(START),
    },
  };
  assert.deepEqual(batchOf(planPods({}, [], dying)), []);
});

Deno.test("replica set: adopts matching orphans and releases what no longer matches", () => {
  const orphan = pod("orphan");
  delete orphan.metadata.ownerReferences;
  const stray = pod("stray");
  stray.metadata.labels = { app: "other" };
  const actions = planPods({ replicas: 1 }, [orphan, stray]);
  const patches = actions.flatMap((action) =>
    action.kind === "patch"
      ? [[
        action.place.name,
        (action.body as { metadata: { ownerReferences: unknown[] | null } }).metadata
          .ownerReferences?.length ?? 0,
      ]]
      : []
  );
  assert.deepEqual(patches, [["stray", 0], ["orphan", 1]]);
  assert.deepEqual(batchOf(actions), []);
});

Deno.test("replica set: a ready pod is available after minReadySeconds", () => {
  const actions = planPods({ minReadySeconds: 30 }, [
    pod("a", { readySecondsAgo: 10 }),
    pod("b", { readySecondsAgo: 40 }),
  ]);
  const [status] = actions;
  assert.ok(status.kind === "update");
  assert.equal(status.object.status.readyReplicas, 2);
  assert.equal(status.object.status.availableReplicas, 1);
  assert.deepEqual(actions.at(-1), { kind: "requeue", afterMillis: 20_000 });
});
