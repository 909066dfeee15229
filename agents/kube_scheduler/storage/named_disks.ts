/**
 * Disks that pods name themselves, without a claim: those that can't be mounted wherever one likes.
 * In: a pod. Out: names of disks, alike for what is one disk, and whether the pod only reads it.
 * Never: disks of other kinds, which any number of pods may mount.
 * Source: Kubernetes v1.36 scheduler plugin VolumeRestrictions.
 */
import { NO_VOLUMES } from "../../../scheduler/mod.ts";
import type { NamedDisk } from "../../../scheduler/mod.ts";
import type { Pod, Volume } from "../kinds.ts";

const NO_DISKS = NO_VOLUMES.disks;

/** @returns the disk behind a volume under each of its names. */
function disksOf(
  { gcePersistentDisk, awsElasticBlockStore, iscsi, rbd }: Volume,
): readonly NamedDisk[] {
  if (gcePersistentDisk !== undefined) {
    const { pdName, readOnly = false } = gcePersistentDisk;
    return [{ name: `gce/${pdName}`, isReadOnly: readOnly }];
  }
  // Attached to one instance at a time, to read as well as to write.
  if (awsElasticBlockStore !== undefined) {
    return [{ name: `aws/${awsElasticBlockStore.volumeID}`, isReadOnly: false }];
  }
  if (iscsi !== undefined) {
    return [{ name: `iscsi/${iscsi.iqn}`, isReadOnly: iscsi.readOnly ?? false }];
  }
  if (rbd === undefined) return NO_DISKS;
  const { monitors, pool = "rbd", image, readOnly = false } = rbd;
  // Known to every monitor of its cluster, and one in common makes it the same.
  return monitors.map((monitor) => ({
    name: `rbd/${JSON.stringify([monitor, pool, image])}`,
    isReadOnly: readOnly,
  }));
}

/** @returns the disks that the pod's volumes name. */
export function namedDisks({ spec: { volumes } }: Pod): readonly NamedDisk[] {
  let all = NO_DISKS;
  for (const volume of volumes ?? []) {
    const disks = disksOf(volume);
    if (disks.length > 0) all = [...all, ...disks];
  }
  return all;
}
