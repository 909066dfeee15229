/** Requests and limits of pods as gauges: sums, units, and who is left out. */
import assert from "node:assert/strict";
import type { Pod } from "../../api/schema/generated/core_v1.ts";
import { podResourceLines } from "./pod_resources.ts";

function pod(name: string, spec: Partial<Pod["spec"]>, phase = "Running"): Pod {
  const containers = [{
    name: "main",
    resources: {
      requests: { cpu: "250m", memory: "64Mi" },
      limits: { "example.com/gpu": "2", memory: "0" },
    },
  }];
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { namespace: "team", name },
    spec: { schedulerName: "default-scheduler", containers, ...spec },
    status: { phase },
  };
}

function gauges(...pods: Pod[]): readonly string[] {
  return podResourceLines(pods).filter((line) => !line.startsWith("#"));
}

Deno.test("a pod's amounts in cores, bytes and pieces, with the labels of upstream's gauges", () => {
  const labels = 'namespace="team",pod="web",node="n1",scheduler="default-scheduler",priority="7"';
  assert.deepEqual(gauges(pod("web", { nodeName: "n1", priority: 7 })), [
    `kube_pod_resource_request{${labels},resource="cpu",unit="cores"} 0.25`,
    `kube_pod_resource_request{${labels},resource="memory",unit="bytes"} 67108864`,
    `kube_pod_resource_limit{${labels},resource="example.com/gpu",unit=""} 2`,
  ]);
});

Deno.test("what a pod adds up to is what its node is asked for", () => {
  const asks = (cpu: string) => ({ resources: { requests: { cpu, "hugepages-2Mi": "4Mi" } } });
  const [cpu, pages, ...rest] = gauges(pod("web", {
    initContainers: [{ name: "first", ...asks("2") }],
    containers: [{ name: "a", ...asks("1") }, { name: "b", ...asks("500m") }],
    overhead: { cpu: "100m" },
  }));
  assert.deepEqual(rest, []);
  assert.match(cpu, /node="",.*priority="",resource="cpu",unit="cores"\} 2.1$/);
  assert.match(pages, /resource="hugepages-2Mi",unit="bytes"\} 8388608$/);
});

Deno.test("pods that have ended on their node are left out, waiting ones are not", () => {
  const nodeName = "n1";
  assert.deepEqual(
    gauges(pod("a", { nodeName }, "Succeeded"), pod("b", { nodeName }, "Failed")),
    [],
  );
  assert.equal(gauges(pod("c", {}, "Failed")).length, 3);
});
