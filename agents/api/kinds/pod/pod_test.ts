/**
 * Tries pods: defaults, validation by table, updates, and the cells of kubectl get.
 * In: specs, most of them wrong in one place. Out: the one sentence that names the place.
 * Never: reads the clock or the network; randomness comes from fast-check.
 */
import assert from "node:assert/strict";
import type { KubeObject } from "../../meta.ts";
import { fieldErrorBody } from "../../status.ts";
import type { Pod, PodSpec } from "../../schema/generated/core_v1.ts";
import { imageTag } from "./defaults.ts";
import { podRules } from "./pod.ts";
import { qosClassOf } from "./qos.ts";

const RBD_KEYRING = "/etc/ceph/keyring";

function podOf(spec: Partial<PodSpec> = {}): Pod {
  const pod: Pod = {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "p", namespace: "default" },
    spec: { containers: [{ name: "c", image: "nginx" }], ...structuredClone(spec) },
  };
  podRules.setDefaults?.(pod);
  return pod;
}

function problemsOf(pod: Pod): string[] {
  return (podRules.validate?.(pod) ?? []).map((e) => `${e.path}: ${fieldErrorBody(e)}`);
}

function updateProblems(old: Pod, change: (pod: Pod) => void): string[] {
  const draft = structuredClone(old);
  change(draft);
  return (podRules.validateUpdate?.(draft, old) ?? []).map((e) =>
    `${e.path}: ${fieldErrorBody(e)}`.split("\n")[0]
  );
}

Deno.test("a one-container pod gets upstream's defaults", () => {
  const { spec } = podOf({
    containers: [{
      name: "c",
      image: "nginx:1.2",
      ports: [{ containerPort: 80 }],
      resources: { limits: { cpu: "1" } },
      livenessProbe: { httpGet: { port: 80 } },
    }],
    volumes: [
      { name: "a" },
      { name: "b", configMap: { name: "m" } },
      { name: "c", rbd: { monitors: ["m"], image: "i" } },
    ],
  });
  assert.deepEqual(spec, {
    containers: [{
      name: "c",
      image: "nginx:1.2",
      ports: [{ containerPort: 80, protocol: "TCP" }],
      resources: { limits: { cpu: "1" }, requests: { cpu: "1" } },
      livenessProbe: {
        httpGet: { port: 80, path: "/", scheme: "HTTP" },
        timeoutSeconds: 1,
        periodSeconds: 10,
        successThreshold: 1,
        failureThreshold: 3,
      },
      imagePullPolicy: "IfNotPresent",
      terminationMessagePath: "/dev/termination-log",
      terminationMessagePolicy: "File",
    }],
    volumes: [
      { name: "a", emptyDir: {} },
      { name: "b", configMap: { name: "m", defaultMode: 420 } },
      {
        name: "c",
        rbd: { monitors: ["m"], image: "i", pool: "rbd", user: "admin", keyring: RBD_KEYRING },
      },
    ],
    dnsPolicy: "ClusterFirst",
    restartPolicy: "Always",
    securityContext: {},
    terminationGracePeriodSeconds: 30,
    schedulerName: "default-scheduler",
    enableServiceLinks: true,
  });
  assert.deepEqual(problemsOf(podOf()), []);
});

Deno.test("defaulting twice changes nothing", () => {
  const pod = podOf({ hostNetwork: true, serviceAccount: "s", schedulingGates: [{ name: "g" }] });
  const again = structuredClone(pod);
  podRules.setDefaults?.(again);
  assert.deepEqual(again, pod);
  assert.equal(pod.spec.serviceAccountName, "s");
});

Deno.test("image tags decide the pull policy", () => {
  const cases: readonly [string, string][] = [
    ["nginx", "latest"],
    ["nginx:latest", "latest"],
    ["nginx:1", "1"],
    ["host:5000/nginx", "latest"],
    ["host:5000/nginx:2", "2"],
    ["nginx@sha256:00", ""],
  ];
  for (const [image, tag] of cases) assert.equal(imageTag(image), tag, image);
});

const WRONG: readonly [string, Partial<PodSpec>, string][] = [
  ["no containers", { containers: [] }, "spec.containers: Required value"],
  [
    "no name",
    { containers: [{ name: "", image: "x" }] },
    "spec.containers[0].name: Required value",
  ],
  ["no image", { containers: [{ name: "c" }] }, "spec.containers[0].image: Required value"],
  [
    "equal names",
    { containers: [{ name: "c", image: "x" }, { name: "c", image: "y" }] },
    'spec.containers[1].name: Duplicate value: "c"',
  ],
  [
    "port out of range",
    { containers: [{ name: "c", image: "x", ports: [{ containerPort: 70000 }] }] },
    "spec.containers[0].ports[0].containerPort: Invalid value: 70000: " +
    "must be between 1 and 65535, inclusive",
  ],
  [
    "restart policy",
    { restartPolicy: "Sometimes" },
    'spec.restartPolicy: Unsupported value: "Sometimes": supported values: "Always", ' +
    '"Never", "OnFailure"',
  ],
  [
    "request above limit",
    {
      containers: [{
        name: "c",
        image: "x",
        resources: { requests: { cpu: "2" }, limits: { cpu: "1" } },
      }],
    },
    'spec.containers[0].resources.requests: Invalid value: "2": ' +
    "must be less than or equal to cpu limit of 1",
  ],
  [
    "unknown resource",
    { containers: [{ name: "c", image: "x", resources: { limits: { apples: "1" } } }] },
    'spec.containers[0].resources.limits: Invalid value: "apples": ' +
    "must be a standard resource type or fully qualified",
  ],
  [
    "mount of nothing",
    { containers: [{ name: "c", image: "x", volumeMounts: [{ name: "v", mountPath: "/v" }] }] },
    'spec.containers[0].volumeMounts[0].name: Not found: "v"',
  ],
  [
    "two volume types",
    { volumes: [{ name: "v", emptyDir: {}, secret: { secretName: "s" } }] },
    "spec.volumes[0].secret: Forbidden: may not specify more than 1 volume type",
  ],
  [
    "empty probe",
    { containers: [{ name: "c", image: "x", readinessProbe: {} }] },
    "spec.containers[0].readinessProbe: Required value: must specify a handler type",
  ],
  [
    "two env sources",
    {
      containers: [{
        name: "c",
        image: "x",
        env: [{ name: "A", value: "b", valueFrom: { fieldRef: { fieldPath: "metadata.name" } } }],
      }],
    },
    'spec.containers[0].env[0].valueFrom: Invalid value: "": ' +
    "may not be specified when `value` is not empty",
  ],
  [
    "toleration without key",
    { tolerations: [{ value: "x" }] },
    'spec.tolerations[0].operator: Invalid value: "": operator must be Exists when `key` is ' +
    'empty, which means "match all values and all keys"',
  ],
  [
    "probe on an init container",
    {
      initContainers: [{ name: "i", image: "x", livenessProbe: { exec: { command: ["a"] } } }],
    },
    "spec.initContainers[0].livenessProbe: Forbidden: " +
    "may not be set for init containers without restartPolicy=Always",
  ],
  [
    "skew of zero",
    {
      topologySpreadConstraints: [
        { maxSkew: 0, topologyKey: "zone", whenUnsatisfiable: "DoNotSchedule" },
      ],
    },
    "spec.topologySpreadConstraints[0].maxSkew: Invalid value: 0: must be greater than zero",
  ],
  [
    "bound though gated",
    { nodeName: "n", schedulingGates: [{ name: "g" }] },
    "spec.nodeName: Forbidden: cannot be set until all schedulingGates have been cleared",
  ],
];

for (const [title, spec, expected] of WRONG) {
  Deno.test(`a pod with ${title} is refused`, () => {
    const problems = problemsOf(podOf(spec));
    assert.ok(problems.includes(expected), problems.join("\n"));
  });
}

Deno.test("updates may change images, shorten deadlines, add tolerations, drop gates", () => {
  const old = podOf({ activeDeadlineSeconds: 60, schedulingGates: [{ name: "g" }] });
  assert.deepEqual(
    updateProblems(old, (pod) => {
      pod.spec.containers[0].image = "nginx:2";
      pod.spec.activeDeadlineSeconds = 30;
      pod.spec.tolerations = [{ operator: "Exists" }];
      delete pod.spec.schedulingGates;
      pod.metadata.labels = { a: "b" };
    }),
    [],
  );
});

Deno.test("updates may not change the rest", () => {
  const old = podOf({ tolerations: [{ key: "a", operator: "Exists" }] });
  const fixed = updateProblems(old, (pod) => pod.spec.restartPolicy = "Never");
  assert.match(fixed[0], /^spec: Forbidden: pod updates may not change fields other than/);
  const added = updateProblems(old, (pod) => pod.spec.containers.push({ name: "d", image: "x" }));
  assert.ok(
    added.some((text) =>
      text === "spec.containers: Forbidden: pod updates may not add or remove containers"
    ),
  );
  const dropped = updateProblems(old, (pod) => delete pod.spec.tolerations);
  assert.match(dropped[0], /existing toleration can not be modified/);
  const node = updateProblems(old, (pod) => pod.spec.nodeName = "n");
  assert.match(node[0], /pod updates may not change fields/);
});

Deno.test("creation starts Pending with a class of service, and says when gated", () => {
  const context = { nowMillis: 0, newUid: () => "u" };
  const pod = podOf({ schedulingGates: [{ name: "g" }] });
  pod.status = { phase: "Running" };
  podRules.prepareForCreate?.(pod, context);
  assert.equal(pod.status.phase, "Pending");
  assert.equal(pod.status.qosClass, "BestEffort");
  assert.equal(pod.status.conditions?.[0].reason, "SchedulingGated");
});

Deno.test("classes of service", () => {
  const equal = { limits: { cpu: "1", memory: "1Gi" }, requests: { cpu: "1", memory: "1Gi" } };
  const cases: readonly [PodSpec["containers"], string][] = [
    [[{ name: "a" }], "BestEffort"],
    [[{ name: "a", resources: equal }], "Guaranteed"],
    [[{ name: "a", resources: equal }, { name: "b" }], "Burstable"],
    [[{ name: "a", resources: { requests: { cpu: "1" } } }], "Burstable"],
  ];
  for (const [containers, expected] of cases) assert.equal(qosClassOf({ containers }), expected);
});

function cells(pod: Partial<Pod>): unknown[] {
  const object = { ...podOf(), ...pod } as KubeObject;
  return (podRules.columns ?? []).map((column) => column.cell(object, 100_000));
}

Deno.test("the cells of a running pod, wide ones included", () => {
  const row = cells({
    metadata: { name: "p", creationTimestamp: "1970-01-01T00:00:10Z" },
    status: {
      phase: "Running",
      podIPs: [{ ip: "10.0.0.1" }],
      containerStatuses: [{
        name: "c",
        image: "x",
        imageID: "",
        ready: true,
        restartCount: 2,
        state: { running: {} },
        lastState: { terminated: { exitCode: 1, finishedAt: "1970-01-01T00:01:00Z" } },
      }],
    },
  });
  assert.deepEqual(row, [
    "p",
    "1/1",
    "Running",
    "2 (40s ago)",
    "90s",
    "10.0.0.1",
    "<none>",
    "<none>",
    "<none>",
  ]);
});

Deno.test("the word of Status", () => {
  const base = { name: "c", image: "x", imageID: "", ready: false, restartCount: 0 };
  const cases: readonly [Partial<Pod>, string][] = [
    [{ status: { phase: "Pending" } }, "Pending"],
    [{ status: { phase: "Failed", reason: "Evicted" } }, "Evicted"],
    [
      {
        status: {
          phase: "Running",
          containerStatuses: [{ ...base, state: { waiting: { reason: "CrashLoopBackOff" } } }],
        },
      },
      "CrashLoopBackOff",
    ],
    [
      {
        status: {
          phase: "Failed",
          containerStatuses: [{ ...base, state: { terminated: { exitCode: 3 } } }],
        },
      },
      "ExitCode:3",
    ],
    [
      {
        metadata: { name: "p", deletionTimestamp: "1970-01-01T00:00:00Z" },
        status: { phase: "Running" },
      },
      "Terminating",
    ],
    [
      {
        spec: { containers: [{ name: "c" }], initContainers: [{ name: "i" }] },
        status: { phase: "Pending", initContainerStatuses: [{ ...base, name: "i" }] },
      },
      "Init:0/1",
    ],
  ];
  for (const [pod, expected] of cases) assert.equal(cells(pod)[2], expected);
});

Deno.test("grace is asked only of pods that run", () => {
  const grace = (pod: Pod) => podRules.defaultGraceSeconds?.(pod);
  assert.equal(grace(podOf()), 0);
  assert.equal(grace(podOf({ nodeName: "n" })), 30);
  assert.equal(grace({ ...podOf({ nodeName: "n" }), status: { phase: "Failed" } } as Pod), 0);
});
