/**
 * What claims demand of a node: bound, waiting, missing and lost ones, in kube-scheduler's words.
 */
import assert from "node:assert/strict";
import { resolveVolumes } from "./encode_volumes.ts";
import type {
  Claim,
  PersistentVolume,
  StorageCapacity,
  StorageClass,
  VolumeLookup,
} from "./encode_volumes.ts";
import type { Pod, Volume } from "./kinds.ts";

function podWith(...volumes: Volume[]): Pod {
  const metadata = { namespace: "ns", name: "p", uid: "u" };
  return { metadata, spec: { containers: [], volumes } } as Pod;
}

const DATA: Volume = { name: "v", persistentVolumeClaim: { claimName: "data" } };

function claim(spec: Claim["spec"], phase = "Pending"): Claim {
  const metadata = { namespace: "ns", name: "data", uid: "c" };
  const resources = { requests: { storage: "5Gi" } };
  const modes = ["ReadWriteOnce"];
  return {
    metadata,
    spec: { storageClassName: "local", accessModes: modes, resources, ...spec },
    status: { phase },
  };
}

function volume(name: string, storage: string, zone: string): PersistentVolume {
  const matchExpressions = [{ key: "zone", operator: "In" as const, values: [zone] }];
  return {
    metadata: { name, labels: { "topology.kubernetes.io/zone": `${zone}__other` } },
    spec: {
      storageClassName: "local",
      accessModes: ["ReadWriteOnce"],
      capacity: { storage },
      csi: { driver: "csi.example.com", volumeHandle: name },
      nodeAffinity: { required: { nodeSelectorTerms: [{ matchExpressions }] } },
    },
    status: { phase: "Available" },
  };
}

interface World {
  readonly claim?: Claim;
  readonly volumes?: readonly PersistentVolume[];
  readonly storageClass?: Partial<StorageClass>;
  readonly capacities?: readonly StorageCapacity[];
}

function lookup({ claim, volumes = [], storageClass, capacities }: World): VolumeLookup {
  return {
    claim: () => claim,
    volume: (name) => volumes.find(({ metadata }) => metadata.name === name),
    volumes: () => volumes,
    storageClass: () => storageClass && { metadata: { name: "local" }, ...storageClass },
    driver: () => ({ metadata: {}, spec: { storageCapacity: capacities !== undefined } }),
    capacities: () => capacities ?? [],
  };
}

const inZone = (zone: string) => ({
  expressions: [{ key: "zone", operator: "In", values: [zone] }],
  fields: [],
});

Deno.test("a bound claim demands the nodes, zones and attachments of its volume", () => {
  const { needs, waiting } = resolveVolumes(
    podWith(DATA),
    lookup({
      claim: claim({ volumeName: "pv1", accessModes: ["ReadWriteOncePod"] }, "Bound"),
      volumes: [volume("pv1", "5Gi", "a")],
    }),
  );
  assert.deepEqual(needs, {
    exclusiveClaims: ["ns/data"],
    disks: [],
    boundTerms: [[inZone("a")]],
    waitingTerms: [],
    roomTerms: [],
    zones: [{ key: "topology.kubernetes.io/zone", values: ["a", "other"] }],
    attachments: [{ driver: "csi.example.com", handle: "pv1" }],
    rejection: "",
  });
  assert.deepEqual(waiting, []);
});

Deno.test("a waiting claim may take any volume large enough, or a new one", () => {
  const volumes = [volume("small", "1Gi", "a"), volume("large", "10Gi", "b")];
  const storageClass = {
    provisioner: "csi.example.com",
    volumeBindingMode: "WaitForFirstConsumer" as const,
    allowedTopologies: [{ matchLabelExpressions: [{ key: "zone", values: ["c"] }] }],
  };
  const world = { claim: claim({}), volumes, storageClass };
  const { needs, waiting } = resolveVolumes(podWith(DATA), lookup(world));
  assert.deepEqual(needs.waitingTerms, [[[inZone("b")], [inZone("c")]]]);
  assert.equal(waiting.length, 1);
  assert.deepEqual(needs.attachments, [{ driver: "csi.example.com", handle: "claim ns/data" }]);
  const provisioner = "kubernetes.io/no-provisioner";
  const local = { ...world, volumes: [], storageClass: { ...storageClass, provisioner } };
  const localNeeds = resolveVolumes(podWith(DATA), lookup(local)).needs;
  assert.deepEqual(localNeeds.waitingTerms, [[]]);
  assert.deepEqual(localNeeds.attachments, []);
});

Deno.test("claims that can't be used say why", () => {
  const reason = (world: World, volume = DATA) =>
    resolveVolumes(podWith(volume), lookup(world)).needs.rejection;
  assert.equal(reason({}), 'persistentvolumeclaim "data" not found');
  assert.equal(
    reason({}, { name: "v", ephemeral: {} }),
    'waiting for ephemeral volume controller to create the persistentvolumeclaim "p-v"',
  );
  assert.equal(
    reason({ claim: claim({}), storageClass: { volumeBindingMode: "Immediate" } }),
    "pod has unbound immediate PersistentVolumeClaims",
  );
  assert.equal(
    reason({ claim: claim({ volumeName: "pv9" }, "Lost") }),
    'persistentvolumeclaim "data" bound to non-existent persistentvolume "pv9"',
  );
});

Deno.test("a pod without claims demands nothing", () => {
  const { needs } = resolveVolumes(podWith({ name: "tmp" }), lookup({}));
  assert.equal(needs.rejection, "");
});

Deno.test("a new volume is made only where its driver has room", () => {
  const storageClass = {
    volumeBindingMode: "WaitForFirstConsumer",
    provisioner: "csi.example.com",
  } as const;
  const room = (zone: string, more: object): StorageCapacity => ({
    metadata: {},
    storageClassName: "local",
    nodeTopology: { matchLabels: { zone } },
    ...more,
  });
  const needsWith = (capacities?: readonly StorageCapacity[]) => {
    const world = { claim: claim({}), storageClass, capacities };
    const { waitingTerms, roomTerms } = resolveVolumes(podWith(DATA), lookup(world)).needs;
    return [waitingTerms[0], roomTerms[0]];
  };
  assert.deepEqual(needsWith(), [[[]], null]);
  assert.deepEqual(
    needsWith([
      room("a", { capacity: "10Gi" }),
      room("b", { capacity: "1Gi" }),
      room("c", { capacity: "10Gi", maximumVolumeSize: "1Gi" }),
      room("d", { capacity: "10Gi", storageClassName: "other" }),
    ]),
    [[[inZone("a")]], []],
  );
  assert.deepEqual(needsWith([]), [[], []]);
  assert.deepEqual(needsWith([room("a", { capacity: "10Gi", nodeTopology: {} })]), [[[]], null]);
});
