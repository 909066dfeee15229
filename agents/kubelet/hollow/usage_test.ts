/** What hollow pods would use: requests, annotations, counters that never fall. */
import assert from "node:assert/strict";
import type { KubeObject } from "../../api/meta.ts";
import { newUsageMemory, planUsage } from "./plan_usage.ts";

const running = (name: string, annotations = {}, requests = {}): KubeObject => ({
  metadata: { name, namespace: "a", uid: name, annotations },
  spec: { containers: [{ name: "main", resources: { requests } }] },
  status: {
    containerStatuses: [
      { name: "main", state: { running: { startedAt: "1970-01-01T00:00:01Z" } } },
    ],
  },
});

Deno.test("hollow: half of what is requested, what is annotated, or a little", () => {
  const memory = newUsageMemory(1_000);
  const pods = [
    running("asks", {}, { cpu: "200m", memory: "64Mi" }),
    running("silent"),
    running("told", { "balsa/usage-cpu": "2", "kwok.x-k8s.io/usage-memory": "1Gi" }),
    { ...running("ended"), status: { containerStatuses: [{ name: "main", state: {} }] } },
    running("odd", { "balsa/usage-cpu": "many" }),
  ];
  const { node, containers } = planUsage(pods, memory, 11_000);
  const MI = 1024 * 1024;
  assert.deepEqual(
    containers.map(({ pod, cpuSeconds, memoryBytes }) => [
      pod,
      cpuSeconds,
      memoryBytes / MI,
    ]),
    [["asks", 1, 32], ["silent", 0.01, 1], ["told", 20, 1024], ["odd", 0, 1]],
  );
  assert.equal(node.cpuSeconds, 21.01);
  assert.equal(node.memoryBytes, (32 + 1 + 1024 + 1) * MI);
  assert.equal(containers[0].startedAtMillis, 1_000);
});

Deno.test("hollow: a pod that goes takes nothing back of its node's counter", () => {
  const memory = newUsageMemory(0);
  const one = running("one", { "balsa/usage-cpu": "1" });
  assert.equal(planUsage([one], memory, 1_000).node.cpuSeconds, 1);
  const changed = running("one", { "balsa/usage-cpu": "3" });
  assert.equal(planUsage([changed], memory, 2_000).containers[0].cpuSeconds, 4);
  assert.equal(planUsage([], memory, 3_000).node.cpuSeconds, 4);
  assert.equal(planUsage([one], memory, 2_500).node.cpuSeconds, 4, "a clock that was set back");
  assert.equal(memory.cpuSeconds.size, 1);
});
