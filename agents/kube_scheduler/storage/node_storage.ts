/**
 * What each node may attach, and what it has attached, whether a pod uses it or not.
 * In: CSINodes, VolumeAttachments and the volumes that they name. Out: that part of a node's row.
 * Never: attaches; the controllers of drivers do.
 * Source: getVolumeLimits and getNodeVolumeAttachmentInfo of the Kubernetes v1.36 scheduler plugin
 * NodeVolumeLimits.
 */
import type { KubeObject } from "../../api/meta.ts";
import type { Resource } from "../../api/resource.ts";
import { findResource } from "../../api/resources.ts";
import type { InformerSet } from "../../client/informer_set.ts";
import type { Lister } from "../../client/lister.ts";
import type { DriverVolume, NodeRow } from "../../../scheduler/mod.ts";
import type { PersistentVolume } from "../encode_volumes.ts";
import { VOLUME_RESOURCES } from "../volume_binder.ts";

export const CSI_NODES = findResource("storage.k8s.io", "v1", "csinodes");
export const VOLUME_ATTACHMENTS = findResource("storage.k8s.io", "v1", "volumeattachments");
const { volumes: VOLUMES } = VOLUME_RESOURCES;

/** Which drivers a node has, and how many volumes each may attach there. */
export interface CsiNode extends KubeObject {
  readonly spec?: {
    readonly drivers?: readonly {
      readonly name: string;
      readonly allocatable?: { readonly count?: number };
    }[];
  };
}

export interface VolumeAttachment extends KubeObject {
  readonly spec?: {
    readonly attacher?: string;
    readonly nodeName?: string;
    readonly source?: { readonly persistentVolumeName?: string };
  };
}

export type NodeStorageRow = Pick<NodeRow, "attachLimits" | "attached">;

/** @returns volumes that each driver may attach; drivers without a limit are absent. */
export function attachLimitsOf(csiNode: CsiNode | undefined): Record<string, number> {
  const limits: Record<string, number> = {};
  for (const { name, allocatable } of csiNode?.spec?.drivers ?? []) {
    if (allocatable?.count !== undefined) limits[name] = allocatable.count;
  }
  return limits;
}

/**
 * @param attachments of one node
 * @returns each volume once, in an order of its own
 */
export function attachedBy(
  attachments: readonly VolumeAttachment[],
  volumeOf: (name: string) => PersistentVolume | undefined,
): readonly DriverVolume[] {
  const found = new Map<string, DriverVolume>();
  for (const { spec } of attachments) {
    const handle = volumeOf(spec?.source?.persistentVolumeName ?? "")?.spec?.csi?.volumeHandle;
    const driver = spec?.attacher;
    if (driver && handle !== undefined) found.set(`${driver}/${handle}`, { driver, handle });
  }
  return [...found].sort(([a], [b]) => a < b ? -1 : 1).map(([, volume]) => volume);
}

const BY_NODE = "node";
const BY_VOLUME = "volume";

export class NodeStorage {
  readonly #csiNodes: Lister<CsiNode> | undefined;
  readonly #attachments: Lister<VolumeAttachment> | undefined;
  readonly #volumes: Lister<PersistentVolume> | undefined;

  constructor(informers: InformerSet) {
    this.#csiNodes = CSI_NODES && informers.of<CsiNode>(CSI_NODES).lister;
    this.#volumes = VOLUMES && informers.of<PersistentVolume>(VOLUMES).lister;
    if (VOLUME_ATTACHMENTS === undefined) return;
    const attachments = informers.of<VolumeAttachment>(VOLUME_ATTACHMENTS);
    attachments.addIndex(BY_NODE, ({ spec }) => [spec?.nodeName ?? ""]);
    attachments.addIndex(BY_VOLUME, ({ spec }) => [spec?.source?.persistentVolumeName ?? ""]);
    this.#attachments = attachments.lister;
  }

  of(nodeName: string): NodeStorageRow {
    return {
      attachLimits: attachLimitsOf(this.#csiNodes?.get({ name: nodeName })),
      attached: attachedBy(
        this.#attachments?.byIndex(BY_NODE, nodeName) ?? [],
        (name) => this.#volumes?.get({ name }),
      ),
    };
  }

  /** What to watch, and which nodes a change of it concerns. */
  sources(): readonly (readonly [Resource | undefined, (object: KubeObject) => string[]])[] {
    return [
      [CSI_NODES, ({ metadata }) => [metadata.name ?? ""]],
      [VOLUME_ATTACHMENTS, ({ spec }: VolumeAttachment) => [spec?.nodeName ?? ""]],
      [VOLUMES, ({ metadata }) => {
        const users = this.#attachments?.byIndex(BY_VOLUME, metadata.name ?? "") ?? [];
        return users.map(({ spec }) => spec?.nodeName ?? "");
      }],
    ];
  }
}
