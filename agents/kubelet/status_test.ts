/** Pod statuses as a table: phases, container states, conditions. */
import assert from "node:assert/strict";
import { container, NOW, pod, sandbox } from "../../tests/fakes/pod_fixtures.ts";
import { newPodMemory, noteRestart, type Observed } from "./pod_state.ts";
import { podStatus } from "./status.ts";

const CONTEXT = { nowMillis: NOW, hostIP: "192.0.2.1", runtimeName: "containerd" };
const exited = (exitCode: number) =>
  container({ state: "exited", exitCode, finishedAtMillis: NOW - 1_000 });
const never = { restartPolicy: "Never" };

const PHASES: [string, object, Partial<Observed>, string][] = [
  ["nothing yet", {}, {}, "Pending"],
  ["running", {}, { sandboxes: [sandbox()], containers: [container()] }, "Running"],
  ["succeeded", never, { containers: [exited(0)] }, "Succeeded"],
  ["failed", never, { containers: [exited(1)] }, "Failed"],
  ["restarting", {}, { sandboxes: [sandbox()], containers: [exited(1)] }, "Running"],
];

for (const [name, spec, observed, phase] of PHASES) {
  Deno.test(`phase: ${name}`, () => {
    const status = podStatus(
      pod(spec),
      { sandboxes: [], containers: [], ...observed },
      newPodMemory(),
      CONTEXT,
    );
    assert.equal(status.phase, phase);
  });
}

Deno.test("a running pod is ready, shows its address and its container", () => {
  const observed = { sandboxes: [sandbox()], containers: [container()] };
  const status = podStatus(pod(), observed, newPodMemory(), CONTEXT);
  assert.equal(status.podIP, "10.88.0.2");
  const conditions = status.conditions as { type: string; status: string }[];
  assert.deepEqual(conditions.map((one) => `${one.type}=${one.status}`), [
    "PodReadyToStartContainers=True",
    "Initialized=True",
    "Ready=True",
    "ContainersReady=True",
  ]);
  const [only] = status.containerStatuses as Record<string, unknown>[];
  assert.equal(only.containerID, "containerd://c0");
  assert.equal(only.ready, true);
  assert.deepEqual(only.state, { running: { startedAt: "1970-01-01T00:15:40Z" } });
});

Deno.test("a crashing container waits in CrashLoopBackOff and shows how it ended", () => {
  const memory = newPodMemory();
  noteRestart(memory, "c", NOW - 2_000);
  const observed = { sandboxes: [sandbox()], containers: [exited(3)] };
  const status = podStatus(pod(), observed, memory, CONTEXT);
  const [only] = status.containerStatuses as Record<string, Record<string, unknown>>[];
  assert.deepEqual(only.state, {
    waiting: {
      reason: "CrashLoopBackOff",
      message: "back-off 10s restarting failed container=c pod=web_default(u1)",
    },
  });
  assert.equal((only.lastState.terminated as { exitCode: number }).exitCode, 3);
});

Deno.test("conditions keep their transition time while their status stays", () => {
  const observed = { sandboxes: [sandbox()], containers: [container()] };
  const conditions = [{ type: "Ready", status: "True", lastTransitionTime: "before" }];
  const status = podStatus(pod({}, { status: { conditions } }), observed, newPodMemory(), CONTEXT);
  const ready = (status.conditions as { type: string; lastTransitionTime: string }[])
    .find((one) => one.type === "Ready");
  assert.equal(ready?.lastTransitionTime, "before");
});
