/**
 * Pods that differ only in which volumes they name are decided alike while nobody uses those
 * volumes: one template stands for them all.
 * In: a template, the table's attachments. Out: the template to decide by.
 * Never: stands in for a pod whose volume is attached somewhere or whose exclusive claim or disk is
 * in use; such a pod is decided by its own.
 */

import { TemplateTable } from "../intern.ts";
import type { NodeTable } from "../node_table.ts";
import type { PodTemplate, VolumeNeeds } from "../pod_row.ts";

/** Ids of stand-ins keep out of the way of those that pods have. */
const FIRST_ID = 2 ** 40;

export class VolumeTwins {
  readonly #templates = new TemplateTable(FIRST_ID);
  readonly #standIns = new WeakMap<PodTemplate, PodTemplate>();
  readonly #placeless = new WeakMap<PodTemplate, PodTemplate>();

  /** @returns a template that gets the same decision as things stand */
  of(template: PodTemplate, table: NodeTable): PodTemplate {
    const { spec } = template;
    const { attachments, exclusiveClaims, disks } = spec.volumes;
    if (attachments.length + exclusiveClaims.length + disks.length === 0) return template;
    if (!table.attachments.isUnused(spec)) return template;
    let standIn = this.#standIns.get(template);
    if (standIn === undefined) {
      standIn = this.#templates.intern({ ...spec, volumes: anyVolumes(spec.volumes) });
      this.#standIns.set(template, standIn);
    }
    return standIn;
  }

  /**
   * Leaves out where volumes can be reached from, which is often a place of each volume's own.
   *
   * @returns the template without that, null when it asks for nothing of the kind
   */
  withoutPlaces(template: PodTemplate): PodTemplate | null {
    const { spec } = template;
    const { boundTerms, zones, waitingTerms, rejection } = spec.volumes;
    if (boundTerms.length === 0 && zones.length === 0) return null;
    if (waitingTerms.length > 0 || rejection !== "") return null;
    let placeless = this.#placeless.get(template);
    if (placeless === undefined) {
      const volumes = { ...spec.volumes, boundTerms: [], zones: [] };
      placeless = this.#templates.intern({ ...spec, volumes });
      this.#placeless.set(template, placeless);
    }
    return placeless;
  }
}

/** @returns the same needs with names that no volume has, without claims and disks no one holds. */
function anyVolumes(volumes: VolumeNeeds): VolumeNeeds {
  const names = new Map<string, string>();
  const attachments = volumes.attachments.map(({ driver, handle }) => {
    const name = names.get(handle) ?? `\0${names.size}`;
    names.set(handle, name);
    return { driver, handle: name };
  });
  return { ...volumes, exclusiveClaims: [], disks: [], attachments };
}
