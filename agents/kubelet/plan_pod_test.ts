/** The kubelet's plan as a table: what is observed, what is done next. */
import assert from "node:assert/strict";
import type { KubeObject } from "../api/meta.ts";
import { planPod, type PodAction } from "./plan_pod.ts";
import { newPodMemory, noteRestart, type Observed, type PodMemory } from "./pod_state.ts";
import { container, NOW, pod, sandbox } from "../../tests/fakes/pod_fixtures.ts";
import type { Container } from "./runtime_port.ts";

const exited = (exitCode: number, over: Partial<Container> = {}) =>
  container({ state: "exited", exitCode, finishedAtMillis: NOW - 1_000, ...over });

function plan(subject: KubeObject, observed: Partial<Observed>, memory = newPodMemory()) {
  return planPod(subject, { sandboxes: [], containers: [], ...observed }, memory, NOW);
}

function words(actions: readonly PodAction[]): string[] {
  return actions.map((action) => {
    switch (action.kind) {
      case "runSandbox":
        return `run sandbox ${action.attempt}`;
      case "startContainer":
        return `start ${action.container.name} ${action.attempt}`;
      case "stopContainer":
        return `stop ${action.container.id} in ${action.graceSeconds}`;
      case "deletePod":
        return "delete pod";
      default:
        return `${action.kind} ${action.id}`;
    }
  });
}

function crashed(times: number): PodMemory {
  const memory = newPodMemory();
  for (let i = 0; i < times; i++) noteRestart(memory, "c", NOW - 5_000);
  return memory;
}

const deleting = { metadata: { ...pod().metadata, deletionTimestamp: "x" } };
const withInits = {
  initContainers: [
    { name: "i1", image: "b" },
    { name: "side", image: "b", restartPolicy: "Always" },
    { name: "i2", image: "b" },
  ],
};
const init = (name: string, over: Partial<Container> = {}) =>
  container({ id: name, name, state: "exited", ...over });

const CASES: [string, KubeObject, Partial<Observed>, string[], PodMemory?][] = [
  ["a new pod gets a sandbox", pod(), {}, ["run sandbox 0"]],
  ["then its container", pod(), { sandboxes: [sandbox()] }, ["start c 0"]],
  ["a running one is left alone", pod(), { sandboxes: [sandbox()], containers: [container()] }, []],
  ["a dead one restarts at once", pod(), { sandboxes: [sandbox()], containers: [exited(1)] }, [
    "start c 1",
  ]],
  [
    "but not twice within the back-off",
    pod(),
    { sandboxes: [sandbox()], containers: [exited(1)] },
    [],
    crashed(1),
  ],
  ["Never does not restart", pod({ restartPolicy: "Never" }), {
    sandboxes: [sandbox()],
    containers: [exited(1)],
  }, []],
  ["OnFailure restarts a failure", pod({ restartPolicy: "OnFailure" }), {
    sandboxes: [sandbox()],
    containers: [exited(2)],
  }, ["start c 1"]],
  ["OnFailure accepts success", pod({ restartPolicy: "OnFailure" }), {
    sandboxes: [sandbox()],
    containers: [exited(0)],
  }, []],
  ["a lost sandbox is replaced", pod(), {
    sandboxes: [sandbox({ ready: false })],
    containers: [exited(137)],
  }, ["stopSandbox s0", "run sandbox 1"]],
  ["not when all has run its course", pod({ restartPolicy: "Never" }), {
    sandboxes: [sandbox({ ready: false })],
    containers: [exited(0)],
  }, []],
  ["only the last dead run is kept", pod(), {
    sandboxes: [sandbox()],
    containers: [
      container({ id: "c2", attempt: 2 }),
      exited(1, { id: "c1", attempt: 1 }),
      exited(1, { id: "c0", attempt: 0 }),
    ],
  }, ["removeContainer c0"]],
  ["a created container is made anew", pod(), {
    sandboxes: [sandbox()],
    containers: [container({ state: "created" })],
  }, ["removeContainer c0", "start c 0"]],
  ["deletion stops containers first", pod({ terminationGracePeriodSeconds: 7 }, deleting), {
    sandboxes: [sandbox()],
    containers: [container()],
  }, ["stop c0 in 7"]],
  ["then the sandbox", pod({}, deleting), { sandboxes: [sandbox()], containers: [exited(0)] }, [
    "stopSandbox s0",
  ]],
  ["then removes both", pod({}, deleting), {
    sandboxes: [sandbox({ ready: false })],
    containers: [exited(0)],
  }, ["removeContainer c0", "removeSandbox s0"]],
  ["then the pod", pod({}, deleting), {}, ["delete pod"]],
  ["init containers go first", pod(withInits), { sandboxes: [sandbox()] }, ["start i1 0"]],
  ["a sidecar starts and lets the next one go", pod(withInits), {
    sandboxes: [sandbox()],
    containers: [init("i1"), init("side", { state: "running" })],
  }, ["start i2 0"]],
  ["a failed init is tried again", pod(withInits), {
    sandboxes: [sandbox()],
    containers: [init("i1", { exitCode: 1, finishedAtMillis: NOW - 1 })],
  }, ["start i1 1"]],
  ["mains start after all inits", pod(withInits), {
    sandboxes: [sandbox()],
    containers: [init("i1"), init("side", { state: "running" }), init("i2")],
  }, ["start c 0"]],
  ["a finished pod lets its sandbox go", pod({}, { status: { phase: "Succeeded" } }), {
    sandboxes: [sandbox()],
    containers: [exited(0)],
  }, ["stopSandbox s0"]],
];

for (const [name, subject, observed, expected, memory] of CASES) {
  Deno.test(`plan: ${name}`, () => {
    assert.deepEqual(words(plan(subject, observed, memory).actions), expected);
  });
}

Deno.test("a back-off says when to look again and doubles up to five minutes", () => {
  const observed = { sandboxes: [sandbox()], containers: [exited(1)] };
  assert.equal(plan(pod(), observed, crashed(1)).wakeAtMillis, NOW - 1_000 + 10_000);
  assert.equal(plan(pod(), observed, crashed(2)).wakeAtMillis, NOW - 1_000 + 20_000);
  assert.equal(plan(pod(), observed, crashed(20)).wakeAtMillis, NOW - 1_000 + 300_000);
});

Deno.test("a failed liveness probe stops the container with the pod's grace", () => {
  const memory = newPodMemory();
  memory.probes.set("c0", { started: true, ready: false, killReason: "Unhealthy" });
  const observed = { sandboxes: [sandbox()], containers: [container()] };
  assert.deepEqual(words(plan(pod(), observed, memory).actions), ["stop c0 in 30"]);
});

Deno.test("a failed start is tried again after its own back-off", () => {
  const memory = newPodMemory();
  const failure = { reason: "ErrImagePull", message: "no", atMillis: NOW - 5_000, count: 1 };
  memory.failures.set("c", failure);
  const waiting = plan(pod(), { sandboxes: [sandbox()] }, memory);
  assert.deepEqual(waiting, { actions: [], wakeAtMillis: NOW + 5_000 });
  memory.failures.set("c", { ...failure, atMillis: NOW - 10_000 });
  assert.deepEqual(words(plan(pod(), { sandboxes: [sandbox()] }, memory).actions), ["start c 0"]);
});
