/**
 * The four volume plugins: VolumeRestrictions (ReadWriteOncePod claims, disks that
 * pods name themselves), NodeVolumeLimits (CSI
 * attachments), VolumeBinding (node affinity of volumes), VolumeZone (zone labels of volumes).
 * In: the pod's volume needs, which the encoder resolved against claims and volumes. Out: verdicts.
 * Never: binds a volume; that belongs to the runner.
 * Source: the Kubernetes v1.36 scheduler plugins of these names.
 */

import { ABSENT } from "../intern.ts";
import { isUsed, WRITE } from "../attachment_index.ts";
import type { DriverColumns } from "../attachment_index.ts";
import type { ClusterEvent } from "../cluster_event.ts";
import type { NodeRow } from "../node_row.ts";
import type { NodeTable } from "../node_table.ts";
import type { NamedDisk, NodeTerm, PodRow } from "../pod_row.ts";
import { FEASIBLE, UNRESOLVABLE } from "../plugin.ts";
import type { FilterRun, Plugin } from "../plugin.ts";
import type { RowRange } from "../selector.ts";
import { keepAnyTerm } from "../selector.ts";
import { eachHeldRow } from "../structures/holders.ts";

const IN_USE_REASONS = [
  "node(s) unavailable due to PersistentVolumeClaim with ReadWriteOncePod access mode already " +
  "in-use by another pod",
];
const DISK_REASONS = ["node(s) had no available disk"];
const LIMIT_REASONS = ["node(s) exceed max volume count"];
const ZONE_REASONS = ["node(s) had no available volume zone"];
const AFFINITY_REASONS = ["node(s) didn't match PersistentVolume's node affinity"];
const ROOM_REASONS = ["node(s) did not have enough free storage"];
const BIND_REASONS = ["node(s) didn't find available persistent volumes to bind"];

function sharedClaims(pod: PodRow, claims: readonly string[]): number {
  let count = 0;
  for (const claim of pod.template.spec.volumes.exclusiveClaims) {
    if (claims.includes(claim)) count++;
  }
  return count;
}

/** Whether a node came or may be somewhere else now. */
function isNodePlaced(event: ClusterEvent): boolean {
  return event.resource === "node" && (event.change === "add" || event.change === "labels");
}

/** @returns whether two pods name one disk that not both of them only read. */
function disputeDisks(one: readonly NamedDisk[], other: readonly NamedDisk[]): boolean {
  return one.some((mine) =>
    other.some(({ name, isReadOnly }) => name === mine.name && !(isReadOnly && mine.isReadOnly))
  );
}

/** Rejects the rows where some pod holds one of the disks, and not both just read it. */
function rejectDisputed(
  { attachments }: NodeTable,
  disks: readonly NamedDisk[],
  verdicts: Uint32Array,
  range: RowRange,
  mark: number,
): void {
  for (const { name, isReadOnly } of disks) {
    eachHeldRow(attachments.disks, name, range, (row, ways) => {
      if (verdicts[row] === FEASIBLE && !(isReadOnly && !ways.has(WRITE))) verdicts[row] = mark;
    });
  }
}

/** A disk is for one node's pods as far as they just read it; an exclusive claim for one pod. */
export function createVolumeRestrictions(): Plugin {
  const DISK = 1;
  return {
    name: "VolumeRestrictions",
    prepareFilter({ table, spec }) {
      const { exclusiveClaims: claims, disks } = spec.volumes;
      if (claims.length === 0 && disks.length === 0) return null;
      let conflicts = 0;
      for (const claim of claims) conflicts += table.attachments.claimUsers(claim);
      return {
        local: claims.length === 0,
        filter(verdicts, range, mark) {
          rejectDisputed(table, disks, verdicts, range, mark | DISK);
          if (conflicts === 0) return;
          for (let row = range.from; row < range.to; row++) {
            if (verdicts[row] === FEASIBLE) verdicts[row] = mark;
          }
        },
        reasons: (detail) => detail === DISK ? DISK_REASONS : IN_USE_REASONS,
        change(pod, _row, sign) {
          conflicts += sign * sharedClaims(pod, claims);
        },
      };
    },
    hint(pod, event) {
      const { exclusiveClaims, disks } = pod.template.spec.volumes;
      switch (event.resource) {
        case "pod": {
          if (event.change !== "delete" || event.before === null) return false;
          const freed = event.before.template.spec.volumes;
          return sharedClaims(event.before, exclusiveClaims) > 0 ||
            disputeDisks(disks, freed.disks);
        }
        case "node":
          // On a new node a disk is free, yet an exclusive claim is in use there as well.
          return event.change === "add" && disks.length > 0;
        case "persistentVolumeClaim":
          return event.change === "add";
        default:
          return false;
      }
    },
  };
}

/** What a pod would attach of one driver. */
interface DriverDemand {
  readonly name: string;
  readonly columns: DriverColumns;
  /** Distinct volumes. */
  readonly handles: readonly string[];
}

/**
 * @returns whether the volumes that no pod of the row uses yet are more than it may still attach.
 * One that the node has attached without a pod counts on both sides, as upstream counts.
 */
function exceedsLimit({ columns, handles }: DriverDemand, row: number): boolean {
  const free = columns.limits[row] - columns.attached[row];
  // Which volumes pods share is asked only where it matters, and that is nearly nowhere.
  if (handles.length <= free) return false;
  const added = handles.filter((handle) => !isUsed(columns, handle, row)).length;
  return added > 0 && added > free;
}

/** @returns whether some driver may attach more than before, or as many as it likes. */
function attachesMore({ attachLimits: before }: NodeRow, { attachLimits: after }: NodeRow) {
  return Object.entries(after).some(([driver, limit]) => limit > (before[driver] ?? 0)) ||
    Object.keys(before).some((driver) => after[driver] === undefined);
}

/** A node attaches only so many volumes of a driver. */
export function createNodeVolumeLimits(): Plugin {
  return {
    name: "NodeVolumeLimits",
    prepareFilter({ table, spec }) {
      const { attachments } = spec.volumes;
      if (attachments.length === 0) return null;
      const demands = [...Map.groupBy(attachments, ({ driver }) => driver)].flatMap(
        ([name, volumes]): DriverDemand[] => {
          const columns = table.attachments.driver(name);
          if (columns === undefined || columns.limiting === 0) return [];
          return [{ name, columns, handles: [...new Set(volumes.map(({ handle }) => handle))] }];
        },
      );
      // Limits come and go with nodes, and then everything prepared is made anew.
      if (demands.length === 0) return null;
      return {
        local: true,
        filter(verdicts, { from, to }, mark) {
          for (let row = from; row < to; row++) {
            if (verdicts[row] !== FEASIBLE) continue;
            if (demands.some((demand) => exceedsLimit(demand, row))) verdicts[row] = mark;
          }
        },
        reasons: () => LIMIT_REASONS,
        why: (row) =>
          demands.filter((demand) => exceedsLimit(demand, row)).map(({ name, columns }) =>
            `${name}: ${columns.attached[row]} of ${columns.limits[row]} attached`
          ).join(", "),
      };
    },
    hint(_pod, event) {
      switch (event.resource) {
        case "pod":
          return event.change === "delete" && event.assigned &&
            event.before!.template.spec.volumes.attachments.length > 0;
        case "persistentVolumeClaim":
          return event.change === "add";
        case "node":
          return event.change === "add" || event.change === "detached" ||
            (event.change === "attachLimits" && attachesMore(event.before!, event.after!));
        default:
          return false;
      }
    },
  };
}

/** Bound volumes must be reachable from the node, waiting claims must find a volume there. */
export function createVolumeBinding(): Plugin {
  return {
    name: "VolumeBinding",
    prepareFilter({ table, spec }) {
      const { rejection, boundTerms, waitingTerms, roomTerms } = spec.volumes;
      if (rejection !== "") return { reject: rejection };
      if (boundTerms.length === 0 && waitingTerms.length === 0) return null;
      const all = { from: 0, to: table.rows };
      const reachable = new Uint8Array(table.rows).fill(1);
      for (const terms of boundTerms) keepAnyTerm(table, terms, reachable, all);
      const findable = rowsThatFind(table, waitingTerms);
      const withRoom = roomTerms.every((terms) => terms === null) ? findable : rowsThatFind(
        table,
        waitingTerms.map((choices, index) => {
          const terms = roomTerms[index] ?? null;
          return terms === null ? choices : [...choices, terms];
        }),
      );
      return bindingRun(reachable, findable, withRoom);
    },
    hint(_pod, event) {
      switch (event.resource) {
        case "node":
          return isNodePlaced(event);
        case "storageClass":
          return event.movesTopology;
        case "persistentVolumeClaim":
        case "persistentVolume":
        case "csiDriver":
        case "csiStorageCapacity":
          return true;
        default:
          return false;
      }
    },
  };
}

/** @returns 1 for each row on which every claim has a choice. */
function rowsThatFind(
  table: NodeTable,
  claims: readonly (readonly (readonly NodeTerm[])[])[],
): Uint8Array {
  const found = new Uint8Array(table.rows).fill(1);
  for (const choices of claims) {
    // A choice without terms is a volume that every node reaches.
    if (choices.some((choice) => choice.length === 0)) continue;
    keepAnyTerm(table, choices.flat(), found, { from: 0, to: table.rows });
  }
  return found;
}

/** @param withRoom what would be found if every pool of storage had room */
function bindingRun(
  reachable: Uint8Array,
  findable: Uint8Array,
  withRoom: Uint8Array,
): FilterRun {
  const UNREACHABLE = 1;
  const FULL = 2;
  const words = [BIND_REASONS, AFFINITY_REASONS, ROOM_REASONS];
  return {
    local: true,
    filter(verdicts, { from, to }, mark) {
      for (let row = from; row < to; row++) {
        if (verdicts[row] !== FEASIBLE) continue;
        if (reachable[row] === 0) verdicts[row] = mark | UNRESOLVABLE | UNREACHABLE;
        else if (findable[row] === 0) {
          verdicts[row] = mark | UNRESOLVABLE | (withRoom[row] === 0 ? 0 : FULL);
        }
      }
    },
    reasons: (detail) => words[detail],
  };
}

/** A volume labelled with zones is used only from nodes of those zones. */
export function createVolumeZone(): Plugin {
  return {
    name: "VolumeZone",
    prepareFilter({ table, spec }) {
      const { zones } = spec.volumes;
      if (zones.length === 0) return null;
      const columns = zones.map(({ key, values }) => ({
        ids: table.labelIds(key),
        allowed: new Set(values.map((value) => table.labelId(value)).filter((id) => id !== ABSENT)),
      }));
      return {
        local: true,
        filter(verdicts, { from, to }, mark) {
          for (let row = from; row < to; row++) {
            if (verdicts[row] !== FEASIBLE) continue;
            // A node without any zone label is not in a zoned cluster.
            if (columns.every(({ ids }) => ids[row] === ABSENT)) continue;
            if (columns.some(({ ids, allowed }) => !allowed.has(ids[row]))) {
              verdicts[row] = mark | UNRESOLVABLE;
            }
          }
        },
        reasons: () => ZONE_REASONS,
      };
    },
    hint(_pod, event) {
      switch (event.resource) {
        case "node":
          return isNodePlaced(event);
        case "storageClass":
          return event.change === "add" && event.bindsLate;
        case "persistentVolumeClaim":
          return true;
        case "persistentVolume":
          return event.movesZones;
        default:
          return false;
      }
    },
  };
}
