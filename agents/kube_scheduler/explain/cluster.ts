/**
 * The cluster as the scheduler would see it, read once, now or as of a revision.
 * In: a client, the name of a pod. Out: a `Scheduler` that holds all nodes and all other pods, and
 * the pod's row, as if it still waited for a node.
 * Never: watches or writes. Promises of preemptions are left out.
 */
import type { KubeObject } from "../../api/meta.ts";
import {
  deviceClasses,
  findResource,
  namespaces,
  nodes,
  podGroups,
  pods,
  resourceClaims,
  resourceSlices,
} from "../../api/resources.ts";
import type {
  DeviceClass,
  ResourceClaim,
  ResourceSlice,
} from "../../api/schema/generated/resource_v1.ts";
import type { Resource } from "../../api/resource.ts";
import type { Client } from "../../client/client.ts";
import { Scheduler } from "../../../scheduler/mod.ts";
import type { PodRow, SchedulerConfig } from "../../../scheduler/mod.ts";
import { DeviceSelector } from "../devices/device_selector.ts";
import { encodeClaim, keyOf as claimKeyOf } from "../devices/encode_claims.ts";
import { encodeClass, encodeSlice } from "../devices/encode_devices.ts";
import { type ClaimLookup, resolveClaims } from "../devices/pod_claims.ts";
import {
  encodeBudget,
  encodeGroup,
  encodeNode,
  encodePod,
  encodeSpec,
  isFinished,
} from "../encode.ts";
import { resolveVolumes } from "../encode_volumes.ts";
import type {
  Claim,
  CsiDriver,
  PersistentVolume,
  StorageCapacity,
  StorageClass,
  VolumeLookup,
} from "../encode_volumes.ts";
import type { ContextParts, GroupParts, PodStanding } from "./pod_context.ts";
import { volumeClaimsOf } from "./pod_volumes.ts";
import type { Node, Pod, PodDisruptionBudget, PodGroup, Selecting } from "../kinds.ts";
import { CONTROLLERS, SERVICES } from "../selectors.ts";
import { defaultSelector } from "../spread_selector.ts";
import type { Selectors } from "../spread_selector.ts";
import {
  attachedBy,
  attachLimitsOf,
  CSI_NODES,
  type CsiNode,
  type NodeStorageRow,
  VOLUME_ATTACHMENTS,
  type VolumeAttachment,
} from "../storage/node_storage.ts";
import { VOLUME_RESOURCES } from "../volume_binder.ts";

export interface ExplainTarget {
  readonly namespace: string;
  readonly name: string;
  /** Revision to look at, "" = now. */
  readonly at: string;
}

export interface ExplainedCluster extends ContextParts {
  /** The revision that was read. */
  readonly revision: string;
}

type Read = <T extends KubeObject>(resource: Resource | undefined) => Promise<readonly T[]>;

function reader(client: Client, revision: string): Read {
  const options = { resourceVersion: revision, resourceVersionMatch: "Exact" } as const;
  return async <T extends KubeObject>(resource: Resource | undefined) =>
    resource === undefined ? [] : (await client.list<T>(resource, options)).items;
}

function keyOf({ metadata: { namespace = "", name = "" } }: KubeObject): string {
  return `${namespace}/${name}`;
}

async function readSelectors(read: Read): Promise<Selectors> {
  const services = await read<Selecting>(SERVICES);
  const controllers = new Map<string, Selecting>();
  for (const resource of CONTROLLERS) {
    for (const one of await read<Selecting>(resource)) {
      controllers.set(`${resource!.kind}/${keyOf(one)}`, one);
    }
  }
  return {
    services: (namespace) => services.filter((it) => it.metadata.namespace === namespace),
    controller: (kind, { namespace, name }) => controllers.get(`${kind}/${namespace}/${name}`),
  };
}

async function readVolumes(read: Read): Promise<VolumeLookup> {
  const byKey = <T extends KubeObject>(items: readonly T[]) =>
    new Map(items.map((item) => [keyOf(item), item]));
  const claims = byKey(await read<Claim>(VOLUME_RESOURCES.claims));
  const volumes = byKey(await read<PersistentVolume>(VOLUME_RESOURCES.volumes));
  const classes = byKey(await read<StorageClass>(VOLUME_RESOURCES.classes));
  const drivers = byKey(await read<CsiDriver>(VOLUME_RESOURCES.drivers));
  const capacities = await read<StorageCapacity>(VOLUME_RESOURCES.capacities);
  return {
    claim: (namespace, name) => claims.get(`${namespace}/${name}`),
    volume: (name) => volumes.get(`/${name}`),
    volumes: () => [...volumes.values()],
    storageClass: (name) => classes.get(`/${name}`),
    driver: (name) => drivers.get(`/${name}`),
    capacities: () => capacities,
  };
}

/** @returns by node name. */
async function readNodeStorage(
  read: Read,
  { volume }: VolumeLookup,
): Promise<(nodeName: string) => NodeStorageRow> {
  const csiNodes = await read<CsiNode>(CSI_NODES);
  const byName = new Map(csiNodes.map((it) => [it.metadata.name, it]));
  const attachments = await read<VolumeAttachment>(VOLUME_ATTACHMENTS);
  const byNode = Map.groupBy(attachments, ({ spec }) => spec?.nodeName ?? "");
  return (name) => ({
    attachLimits: attachLimitsOf(byName.get(name)),
    attached: attachedBy(byNode.get(name) ?? [], volume),
  });
}

/**
 * Reads the cluster around one pod. All lists are of the same revision.
 *
 * Errors: rejects with ApiError when a list is refused, such as of a compacted revision.
 * @returns null when there is no such pod at that revision.
 */
export async function readCluster(
  client: Client,
  target: ExplainTarget,
  config: SchedulerConfig = {},
): Promise<ExplainedCluster | null> {
  const first = await client.list<Pod>(
    pods,
    target.at === "" ? {} : {
      resourceVersion: target.at,
      resourceVersionMatch: "Exact",
    },
  );
  const wanted = first.items.find(({ metadata }) =>
    metadata.namespace === target.namespace && metadata.name === target.name
  );
  if (wanted === undefined) return null;
  const revision = target.at === "" ? first.metadata.resourceVersion ?? "" : target.at;
  const read = reader(client, revision);
  const selector = new DeviceSelector();
  const scheduler = new Scheduler({ matchDevice: selector.matches, ...config });
  const claims = await readDevices(read, scheduler, selector);
  const volumes = await readVolumes(read);
  const storageOf = await readNodeStorage(read, volumes);
  for (const node of await read<Node>(nodes)) {
    scheduler.setNode(encodeNode(node, storageOf(node.metadata.name ?? "")), 0);
  }
  for (const { metadata } of await read(namespaces)) {
    scheduler.setNamespace(metadata.name ?? "", metadata.labels ?? {});
  }
  const budgets = findResource("policy", "v1", "poddisruptionbudgets");
  for (const budget of await read<PodDisruptionBudget>(budgets)) {
    scheduler.setBudget(keyOf(budget), encodeBudget(budget));
  }
  const selectors = await readSelectors(read);
  const rowOf = (pod: Pod, waits: boolean) => {
    const spec = encodeSpec(pod, {
      defaultSpreadSelector: waits ? defaultSelector(pod, selectors) : [],
      volumes: resolveVolumes(pod, volumes).needs,
      devices: resolveClaims(pod, claims),
    });
    return encodePod(pod, scheduler.templates.intern(spec));
  };
  for (const pod of first.items) {
    const { nodeName = "" } = pod.spec;
    if (pod === wanted || nodeName === "" || isFinished(pod)) continue;
    scheduler.setAssigned(rowOf(pod, false), nodeName, 0);
  }
  const pod = { ...rowOf(wanted, true), nominatedNode: "" };
  const members = first.items.filter((it) => pod.group !== "" && groupOf(it) === pod.group);
  const group = await readGroup(read, { name: pod.group, members, rowOf });
  return {
    scheduler,
    pod,
    schedulerName: schedulerOf(wanted),
    nodeName: wanted.spec.nodeName ?? "",
    standing: standingOf(wanted),
    volumes: volumeClaimsOf(wanted, volumes),
    group,
    revision,
  };
}

function standingOf(pod: Pod): PodStanding {
  const { phase = "", nominatedNodeName = "", conditions = [] } = pod.status ?? {};
  const condition = conditions.find(({ type }) => type === "PodScheduled");
  return {
    phase,
    isTerminating: pod.metadata.deletionTimestamp !== undefined,
    nominatedNode: nominatedNodeName,
    lastWord: condition?.status === "False" ? condition.message ?? "" : "",
  };
}

function schedulerOf({ spec }: Pod): string {
  return spec.schedulerName ?? "default-scheduler";
}

function groupOf({ metadata, spec }: Pod): string {
  return `${metadata.namespace}/${spec.schedulingGroup?.podGroupName ?? ""}`;
}

/** Fills the ledger of devices. @returns where claims are found */
async function readDevices(
  read: Read,
  { devices }: Scheduler,
  selector: DeviceSelector,
): Promise<ClaimLookup> {
  for (const slice of await read<ResourceSlice>(resourceSlices)) {
    devices.setSlice(encodeSlice(slice, (row, device) => selector.know(row, device)));
  }
  for (const one of await read<DeviceClass>(deviceClasses)) {
    devices.setClass(one.metadata.name ?? "", encodeClass(one));
  }
  const claims = new Map<string, ResourceClaim>();
  for (const claim of await read<ResourceClaim>(resourceClaims)) {
    claims.set(claimKeyOf(claim), claim);
    devices.setClaim(claimKeyOf(claim), encodeClaim(claim));
  }
  return (namespace, name) => claims.get(`${namespace}/${name}`);
}

async function readGroup(
  read: Read,
  { name, members, rowOf }: {
    readonly name: string;
    readonly members: readonly Pod[];
    readonly rowOf: (pod: Pod, waits: boolean) => PodRow;
  },
): Promise<GroupParts | null> {
  if (name === "") return null;
  const group = (await read<PodGroup>(podGroups)).find((it) => keyOf(it) === name);
  const alive = members.filter((pod) => !isFinished(pod));
  return {
    policy: group === undefined ? null : encodeGroup(group),
    bound: alive.flatMap((pod) => {
      const { nodeName = "" } = pod.spec;
      return nodeName === "" ? [] : [{ row: rowOf(pod, false), nodeName }];
    }),
    waiting: alive.filter((pod) => !pod.spec.nodeName).map((pod) => ({
      row: { ...rowOf(pod, true), nominatedNode: "" },
      schedulerName: schedulerOf(pod),
    })),
  };
}
