/** Tries the kinds of storage: defaults, refusals, what may change, cells. */
import assert from "node:assert/strict";
import { cells, prepared, problems, updateProblems } from "../testing.ts";
import * as rows from "../../resources.ts";

const volume = {
  spec: {
    capacity: { storage: "1Gi" },
    accessModes: ["ReadWriteOnce", "ReadOnlyMany"],
    csi: { driver: "csi.example.com", volumeHandle: "1" },
    storageClassName: "fast",
    claimRef: { namespace: "default", name: "c" },
  },
};
const claim = {
  spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } } },
};
const context = { nowMillis: 0, newUid: () => "" };

Deno.test("a volume gets its defaults, passes, and prints", () => {
  const object = prepared(rows.persistentVolumes, volume);
  assert.equal(object.spec.persistentVolumeReclaimPolicy, "Retain");
  assert.equal(object.spec.volumeMode, "Filesystem");
  assert.deepEqual(problems(rows.persistentVolumes, object), []);
  rows.persistentVolumes.rules.prepareForCreate?.(object, context);
  assert.deepEqual(object.status, {
    phase: "Pending",
    lastPhaseTransitionTime: "1970-01-01T00:00:00Z",
  });
  assert.deepEqual(cells(rows.persistentVolumes, object), [
    "x",
    "1Gi",
    "RWO,ROX",
    "Retain",
    "Pending",
    "default/c",
    "fast",
    "<unset>",
    "",
    "<unknown>",
    "Filesystem",
  ]);
});

Deno.test("volumes are refused for what upstream refuses", () => {
  const cases: readonly [Record<string, unknown>, string][] = [
    [{ csi: undefined }, "spec: Required value: must specify a volume type"],
    [
      { nfs: { server: "s", path: "/" } },
      "spec.csi: Forbidden: may not specify more than 1 volume type",
    ],
    [
      { csi: undefined, local: { path: "/d" } },
      "spec.nodeAffinity: Required value: Local volume " +
      "requires node affinity",
    ],
    [{ capacity: {} }, "spec.capacity: Required value"],
    [
      { capacity: { storage: "0" } },
      'spec.capacity[storage]: Invalid value: "0": must be greater than zero',
    ],
    [
      { accessModes: ["ReadWriteOncePod", "ReadWriteOnce"] },
      "spec.accessModes: Forbidden: may not use ReadWriteOncePod with other access modes",
    ],
    [
      {
        csi: undefined,
        hostPath: { path: "/" },
        persistentVolumeReclaimPolicy: "Recycle",
      },
      "spec.persistentVolumeReclaimPolicy: Forbidden: may not be 'recycle' for a hostPath mount " +
      "of '/'",
    ],
    [{ csi: undefined, iscsi: { targetPortal: "p", iqn: "bad" } }, "must be valid format"],
  ];
  for (const [change, expected] of cases) {
    const object = prepared(rows.persistentVolumes, { spec: { ...volume.spec, ...change } });
    const found = problems(rows.persistentVolumes, object).join("\n");
    assert.ok(found.includes(expected), found);
  }
});

Deno.test("a volume's source stays; a phase that moves is stamped", () => {
  const old = prepared(rows.persistentVolumes, volume);
  const draft = structuredClone(old);
  draft.spec.csi.volumeHandle = "2";
  assert.match(
    updateProblems(rows.persistentVolumes, draft, old)[0],
    /^spec.persistentvolumesource: Forbidden: .* immutable after creation/,
  );
  const bound = structuredClone(old);
  bound.status = { ...old.status, phase: "Bound" };
  rows.persistentVolumes.rules.prepareForStatusUpdate?.(bound, old, context);
  assert.equal(bound.status.lastPhaseTransitionTime, "1970-01-01T00:00:00Z");
});

Deno.test("claims: defaults, refusals, cells", () => {
  const object = prepared(rows.persistentVolumeClaims, claim);
  assert.deepEqual(problems(rows.persistentVolumeClaims, object), []);
  const cases: readonly [Record<string, unknown>, string][] = [
    [{ accessModes: [] }, "spec.accessModes: Required value: at least 1 access mode is required"],
    [{ resources: {} }, "spec.resources[storage]: Required value"],
    [
      { dataSource: { kind: "Pod", name: "p" } },
      "spec.dataSource: Invalid value: \"Pod\": must be 'PersistentVolumeClaim' when referencing " +
      "the default apiGroup",
    ],
  ];
  for (const [change, expected] of cases) {
    const bad = prepared(rows.persistentVolumeClaims, { spec: { ...claim.spec, ...change } });
    const found = problems(rows.persistentVolumeClaims, bad);
    assert.ok(found.includes(expected), found.join("\n"));
  }
  Object.assign(object.spec, { volumeName: "pv1", storageClassName: "fast" });
  object.status = {
    phase: "Bound",
    capacity: { storage: "1Gi" },
    accessModes: ["ReadWriteOnce"],
  };
  assert.deepEqual(cells(rows.persistentVolumeClaims, object), [
    "x",
    "Bound",
    "pv1",
    "1Gi",
    "RWO",
    "fast",
    "<unset>",
    "<unknown>",
    "Filesystem",
  ]);
});

Deno.test("a claim's two sources of data are one", () => {
  const object = prepared(rows.persistentVolumeClaims, {
    spec: { ...claim.spec, dataSource: { kind: "PersistentVolumeClaim", name: "c" } },
  });
  rows.persistentVolumeClaims.rules.prepareForCreate?.(object, context);
  assert.deepEqual(object.spec.dataSourceRef, { kind: "PersistentVolumeClaim", name: "c" });
});

Deno.test("a bound claim may grow, an unbound one stays; a volume is named once", () => {
  const row = rows.persistentVolumeClaims;
  const old = prepared(row, claim);
  const named = structuredClone(old);
  named.spec.volumeName = "pv1";
  assert.deepEqual(updateProblems(row, named, old), []);
  const bigger = structuredClone(old);
  bigger.spec.resources.requests.storage = "2Gi";
  assert.match(updateProblems(row, bigger, old)[0], /^spec: Forbidden: spec is immutable/);
  old.status = { phase: "Bound", capacity: { storage: "1Gi" } };
  bigger.status = old.status;
  assert.deepEqual(updateProblems(row, bigger, old), []);
  const smaller = structuredClone(old);
  smaller.spec.resources.requests.storage = "1Mi";
  assert.deepEqual(updateProblems(row, smaller, old), [
    "spec.resources.requests.storage: Forbidden: field can not be less than status.capacity",
  ]);
});

Deno.test("storage classes: defaults, what never changes, the default one", () => {
  const row = rows.storageClasses;
  const object = prepared(row, { provisioner: "csi.example.com" });
  assert.equal(object.reclaimPolicy, "Delete");
  assert.deepEqual(problems(row, object), []);
  const draft = { ...structuredClone(object), provisioner: "other" };
  assert.deepEqual(updateProblems(row, draft, object), [
    'provisioner: Invalid value: "other": field is immutable',
  ]);
  object.metadata.annotations = { "storageclass.kubernetes.io/is-default-class": "true" };
  assert.deepEqual(cells(row, object).slice(0, 5), [
    "x (default)",
    "csi.example.com",
    "Delete",
    "Immediate",
    false,
  ]);
  const wrong = prepared(row, {
    provisioner: "p",
    allowedTopologies: [{ matchLabelExpressions: [{ key: "zone", values: [] }] }],
  });
  assert.deepEqual(problems(row, wrong), [
    "allowedTopologies[0].matchLabelExpressions[0].values: Required value",
  ]);
});

Deno.test("drivers, nodes, capacities, attachments", () => {
  const driver = prepared(rows.csiDrivers, {});
  assert.deepEqual(problems(rows.csiDrivers, driver), []);
  assert.deepEqual(cells(rows.csiDrivers, driver).slice(1, 7), [
    true,
    false,
    false,
    "<unset>",
    false,
    "Persistent",
  ]);
  const node = prepared(rows.csiNodes, {
    spec: { drivers: [{ name: "a", nodeID: "" }, { name: "a", nodeID: "2" }] },
  });
  assert.deepEqual(problems(rows.csiNodes, node), [
    "spec.drivers[0].nodeID: Required value",
    'spec.drivers[1].name: Duplicate value: "a"',
  ]);
  const capacity = prepared(rows.csiStorageCapacities, { storageClassName: "a", capacity: "-1" });
  assert.match(problems(rows.csiStorageCapacities, capacity)[0], /greater than or equal to 0/);
  const attachment = prepared(rows.volumeAttachments, {
    spec: { attacher: "a", nodeName: "n", source: {} },
  });
  assert.deepEqual(problems(rows.volumeAttachments, attachment), [
    "spec.source: Required value: must specify exactly one of inlineVolumeSpec and " +
    "persistentVolumeName",
  ]);
});

Deno.test("replication controllers select by their template's labels", () => {
  const row = rows.replicationControllers;
  const template = {
    metadata: { labels: { app: "w" } },
    spec: { containers: [{ name: "c", image: "nginx" }] },
  };
  const object = prepared(row, { spec: { template } });
  assert.deepEqual(object.spec.selector, { app: "w" });
  assert.deepEqual(problems(row, object), []);
  assert.deepEqual(cells(row, object), ["x", 1, 0, 0, "<unknown>", "c", "nginx", "app=w"]);
  object.spec.selector = { app: "v" };
  assert.match(problems(row, object)[0], /`selector` does not match template `labels`/);
});
