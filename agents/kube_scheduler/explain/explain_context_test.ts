/**
 * Explanations of what hangs on more than nodes: groups, claims, gates, and the profile that the
 * pod names.
 */
import assert from "node:assert/strict";
import type { KubeObject } from "../../api/meta.ts";
import type { Resource } from "../../api/resource.ts";
import type { Client } from "../../client/client.ts";
import { parseSchedulerConfig } from "../config.ts";
import { explainPod } from "./command.ts";
import type { ExplainFormat } from "./command.ts";

type Objects = Readonly<Record<string, readonly object[]>>;

function clientOf(objects: Objects): Client {
  const list = ({ plural }: Resource) =>
    Promise.resolve({ items: objects[plural] ?? [], metadata: { resourceVersion: "7" } });
  return { list } as unknown as Client;
}

function node(name: string, cpu: string): object {
  return {
    metadata: { name, labels: { "kubernetes.io/hostname": name } },
    status: { allocatable: { cpu, memory: "8Gi", pods: "10" } },
  };
}

function pod(name: string, spec: object = {}): object {
  const containers = [{ name: "c", image: "i", resources: { requests: { cpu: "1" } } }];
  return {
    metadata: { name, namespace: "default", uid: name },
    spec: { containers, ...spec },
  };
}

async function tell(
  objects: Objects,
  name: string,
  { format = "table", config }: { format?: ExplainFormat; config?: string } = {},
): Promise<string> {
  const parsed = parseSchedulerConfig(config);
  assert(parsed.kind === "ok");
  const target = { namespace: "default", name, at: "" };
  const result = await explainPod(clientOf(objects), target, format, parsed.config);
  return result.kind === "text" ? result.text : result.message;
}

const team = { schedulingGroup: { podGroupName: "team" } };
const gang = (minCount: number): KubeObject => ({
  metadata: { namespace: "default", name: "team" },
  spec: { schedulingPolicy: { gang: { minCount } } },
});

Deno.test("a group is tried as it stands, and every pod of it is told of", async () => {
  const members = [pod("a", team), pod("b", team), pod("c", team)];
  const short = { nodes: [node("n1", "2")], pods: members, podgroups: [gang(3)] };
  const text = await tell(short, "a");
  assert.match(text, /Group default\/team: 3 must start together; 0 bound, 3 waiting\./);
  assert.match(text, /Tried now: It lacks 3 and would not start\./);
  assert.match(text, /\nb +- +pod group is unschedulable, waiting for minCount pods/);
  assert.match(text, /\nc +- +0\/1 nodes are available: 1 Insufficient cpu\./);

  const roomy = { ...short, nodes: [node("n1", "4")] };
  assert.match(await tell(roomy, "a"), /Tried now: It lacks 3 and would start, with 3\./);
  const started = [pod("a", { ...team, nodeName: "n1" }), ...members.slice(1)];
  const torn = await tell({ ...roomy, pods: started }, "b");
  assert.match(torn, /1 bound, 2 waiting.\nTried now: It lacks 2 and would start, with 2\./);
  assert.match(torn, /\na +n1 +bound\n/);

  const topology = [{ key: "rack" }];
  const constrained = gang(3);
  constrained.spec.schedulingConstraints = { topology };
  const apart = await tell({ ...roomy, podgroups: [constrained] }, "a");
  assert.match(apart, /3 must start together in one rack; .*\n.* would not start\./);
  assert.match(apart, /\nb +- +no feasible placements found/);

  const html = await tell(roomy, "a", { format: "html" });
  assert.match(html, /<h2>The group, tried now<\/h2>/);
  const { context } = JSON.parse(await tell(roomy, "a", { format: "json" }));
  assert.deepEqual([context.group.missing, context.group.members.length], [3, 3]);
});

Deno.test("what holds a pod back is named: group, pods, claims", async () => {
  const nodes = [node("n1", "4")];
  assert.match(
    await tell({ nodes, pods: [pod("a", team)] }, "a"),
    /held back\. GangScheduling: waiting for pods's pod group "team" to appear/,
  );
  assert.match(
    await tell({ nodes, pods: [pod("a", team)], podgroups: [gang(2)] }, "a"),
    /held back\. GangScheduling: waiting for minCount pods from a gang to appear/,
  );
  const wants = { resourceClaims: [{ name: "gpu", resourceClaimName: "c" }] };
  assert.match(
    await tell({ nodes, pods: [pod("a", wants)] }, "a"),
    /held back\. DynamicResources: could not find ResourceClaim "default\/c"\./,
  );
});

Deno.test("claims are told of, and nodes without their devices object", async () => {
  const wants = { resourceClaims: [{ name: "gpu", resourceClaimName: "c" }] };
  const exactly = { deviceClassName: "gpu", count: 2 };
  const claim = {
    metadata: { namespace: "default", name: "c", uid: "u" },
    spec: { devices: { requests: [{ name: "r", exactly }] } },
  };
  const slice = {
    metadata: { name: "s" },
    spec: {
      driver: "d.example.com",
      pool: { name: "p", generation: 1, resourceSliceCount: 1 },
      nodeName: "n2",
      devices: [{ name: "x" }, { name: "y" }],
    },
  };
  const world = {
    nodes: [node("n1", "4"), node("n2", "4")],
    pods: [pod("a", wants)],
    resourceclaims: [claim],
    resourceslices: [slice],
    deviceclasses: [{ metadata: { name: "gpu" }, spec: {} }],
  };
  const text = await tell(world, "a");
  assert.match(text, /n2 wins: it is the only node that will do/);
  assert.match(text, /Claim default\/c has no devices yet; asks for r: 2 of gpu\./);
  assert.match(text, /n1 +DynamicResources +cannot allocate all claims\n/);
  const results = [{ request: "r", driver: "d.example.com", pool: "p", device: "x" }];
  const status = {
    allocation: { devices: { results } },
    reservedFor: [{ resource: "pods", name: "b", uid: "b" }],
  };
  assert.match(
    await tell({ ...world, resourceclaims: [{ ...claim, status }] }, "a"),
    /Claim default\/c holds r: d\.example\.com\/p\/x; reserved for 1\./,
  );
});

Deno.test("the profile that the pod names counts, from the scheduler's configuration", async () => {
  const objects = {
    nodes: [node("full", "4"), node("empty", "8")],
    pods: [pod("busy", { nodeName: "full" }), pod("a", { schedulerName: "packer" })],
  };
  assert.match(
    await tell(objects, "a"),
    /asks for scheduler "packer", which is none of "default-scheduler"; .*--scheduler-config/,
  );
  const config = `
apiVersion: kubescheduler.config.k8s.io/v1
kind: KubeSchedulerConfiguration
profiles:
  - schedulerName: default-scheduler
  - schedulerName: packer
    plugins:
      score: { disabled: [{ name: "*" }], enabled: [{ name: NodeResourcesFit, weight: 5 }] }
    pluginConfig:
      - name: NodeResourcesFit
        args:
          scoringStrategy: { type: MostAllocated, resources: [{ name: cpu, weight: 1 }] }
`;
  const text = await tell(objects, "a", { config });
  assert.match(text, /^Pod default\/a, packer, revision 7\nfull wins:/);
  assert.match(text, /NODE +TOTAL +NodeResourcesFit\n/);
});

Deno.test("volumes behind claims are told of, each as it stands", async () => {
  const late = { volumeBindingMode: "WaitForFirstConsumer", provisioner: "csi.example.com" };
  const claim = (spec: object, annotations = {}) => ({
    metadata: { namespace: "default", name: "data", uid: "c", annotations },
    spec: { storageClassName: "x", accessModes: ["ReadWriteOnce"], ...spec },
    status: { phase: Object.hasOwn(spec, "volumeName") ? "Bound" : "Pending" },
  });
  const volumes = [{ name: "v", persistentVolumeClaim: { claimName: "data" } }];
  const of = (claims: readonly object[], storageClass: object = late) =>
    tell({
      nodes: [node("n1", "4")],
      pods: [pod("a", { volumes })],
      persistentvolumeclaims: claims,
      persistentvolumes: [{ metadata: { name: "pv" }, spec: {} }],
      storageclasses: [{ metadata: { name: "x" }, ...storageClass }],
    }, "a");
  assert.match(await of([]), /Volume claim default\/data is not there\./);
  assert.match(await of([]), /VolumeBinding +its claims to volumes +1\n/);
  assert.match(
    await of([claim({})]),
    /gets a volume of class x \(csi\.example\.com\) once the pod/,
  );
  const chosen = { "volume.kubernetes.io/selected-node": "n1" };
  assert.match(
    await of([claim({}, chosen)]),
    /waits for csi\.example\.com to make a volume for n1/,
  );
  assert.match(await of([claim({ volumeName: "pv" })]), /is bound to pv\./);
  assert.match(await of([claim({ volumeName: "gone" })]), /is bound to gone, which is gone/);
  assert.match(await of([claim({})], {}), /waits for a volume of class x, whatever the pod's node/);
});

Deno.test("whom it would evict, what is promised to it and what was last said", async () => {
  const conditions = [{ type: "PodScheduled", status: "False", message: "no room. try again" }];
  const status = { nominatedNodeName: "n1", conditions };
  const waiting = { ...pod("a", { priority: 5 }), status };
  const nodes = [node("n1", "1")];
  const text = await tell({ nodes, pods: [pod("low", { nodeName: "n1" }), waiting] }, "a");
  assert.match(text, /Evicting default\/low would make room on n1\./);
  assert.match(text, /n1 is promised to it\.\nLast said of it: no room\. try again\n/);
  const equal = pod("low", { nodeName: "n1", priority: 5 });
  const helpless = await tell({ nodes, pods: [equal, waiting] }, "a");
  assert.match(helpless, /Evicting less important pods would not help\./);
  const leaving = structuredClone(waiting);
  Object.assign(leaving, {
    metadata: {
      namespace: "default",
      name: "a",
      uid: "a",
      deletionTimestamp: "2026-01-01T00:00:00Z",
    },
  });
  assert.match(await tell({ nodes, pods: [leaving] }, "a"), /It is being deleted\./);
});
