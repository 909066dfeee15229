/** LimitRanges: defaults filled in, every broken limit named in upstream's words. */
import assert from "node:assert/strict";
import { fillDefaults, findBroken } from "./limit_ranger.ts";

const range = (limit: object) => ({ metadata: {}, spec: { limits: [limit] } });
const pod = (resources: object, more: object = {}) => ({
  metadata: { name: "p" },
  spec: { containers: [{ name: "c", resources }], ...more },
});

Deno.test("limit ranger: defaults fill what is open and say so", () => {
  const draft = pod({ requests: { cpu: "1" } });
  fillDefaults(
    draft,
    range({
      type: "Container",
      default: { cpu: "2", memory: "1Gi" },
      defaultRequest: { cpu: "500m", memory: "512Mi" },
    }),
  );
  assert.deepEqual(draft, {
    metadata: {
      name: "p",
      annotations: {
        "kubernetes.io/limit-ranger": "LimitRanger plugin set: memory request for container c; " +
          "cpu, memory limit for container c",
      },
    },
    spec: {
      containers: [{
        name: "c",
        resources: {
          requests: { cpu: "1", memory: "512Mi" },
          limits: { cpu: "2", memory: "1Gi" },
        },
      }],
    },
  });
});

/** limit, resources, what is said; nothing where all is well */
const CASES: [object, object, string[]][] = [
  [{ type: "Container", min: { cpu: "100m" } }, { requests: { cpu: "100m" } }, []],
  [{ type: "Container", min: { cpu: "100m" } }, { requests: { cpu: "50m" } }, [
    "minimum cpu usage per Container is 100m, but request is 50m",
  ]],
  [{ type: "Container", min: { cpu: "100m" } }, {}, [
    "minimum cpu usage per Container is 100m.  No request is specified",
  ]],
  [{ type: "Container", max: { memory: "1Gi" } }, { limits: { memory: "2Gi" } }, [
    "maximum memory usage per Container is 1Gi, but limit is 2Gi",
  ]],
  [{ type: "Container", max: { memory: "1Gi" } }, {}, [
    "maximum memory usage per Container is 1Gi.  No limit is specified",
  ]],
  [
    { type: "Container", maxLimitRequestRatio: { cpu: "2" } },
    { requests: { cpu: "1" }, limits: { cpu: "4" } },
    ["cpu max limit to request ratio per Container is 2, but provided ratio is 4.000000"],
  ],
  [{ type: "Container", maxLimitRequestRatio: { cpu: "2" } }, {}, [
    "cpu max limit to request ratio per Container is 2, " +
    "but no request is specified or request is 0",
  ]],
  [
    { type: "PersistentVolumeClaim", max: { storage: "1Gi" } },
    { requests: { storage: "9Gi" } },
    [],
  ],
];

for (const [limit, resources, expected] of CASES) {
  Deno.test(`limit ranger: ${JSON.stringify(limit)} on ${JSON.stringify(resources)}`, () => {
    assert.deepEqual(findBroken(range(limit), pod(resources), true), expected);
  });
}

Deno.test("limit ranger: a pod counts containers together and inits alone, sidecars with both", () => {
  const of = (cpu: string, more: object = {}) => ({
    name: "x",
    resources: { requests: { cpu }, limits: { cpu } },
    ...more,
  });
  const spec = {
    initContainers: [of("1", { restartPolicy: "Always" }), of("5")],
    containers: [of("2"), of("2")],
  };
  const say = (max: string) =>
    findBroken(range({ type: "Pod", max: { cpu: max } }), { metadata: {}, spec }, true);
  assert.deepEqual(say("6"), []);
  assert.deepEqual(say("5"), ["maximum cpu usage per Pod is 5, but limit is 6"]);
});

Deno.test("limit ranger: claims are held to theirs", () => {
  const claim = { metadata: {}, spec: { resources: { requests: { storage: "9Gi" } } } };
  const limit = { type: "PersistentVolumeClaim", max: { storage: "1Gi" } };
  assert.deepEqual(findBroken(range(limit), claim, false), [
    "maximum storage usage per PersistentVolumeClaim is 1Gi, but request is 9Gi",
  ]);
});
