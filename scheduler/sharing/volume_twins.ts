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

  /** @returns a template that gets the same decision as things stand */
  of(template: PodTemplate, table: NodeTable): PodTemplate {
    const { spec } = template;
    const { attachments, exclusiveClaims, disks } = spec.volumes;
    if (attachments.length + exclusiveClaims.length + disks.length === 0) return template;
    if (!table.attachments.isUnused(spec)) return template;
    return this.#with(template, anyVolumes(spec.volumes));
  }

  /**
   * Leaves out where volumes can be reached from, which is often a place of each volume's own.
   *
   * @returns the template without that, null when it asks for nothing of the kind
   */
  withoutPlaces(template: PodTemplate): PodTemplate | null {
    const { volumes } = template.spec;
    const { boundTerms, zones, waitingTerms, rejection } = volumes;
    if (boundTerms.length === 0 && zones.length === 0) return null;
    if (waitingTerms.length > 0 || rejection !== "") return null;
    return this.#with(template, { ...volumes, boundTerms: [], zones: [] });
  }

  #with(template: PodTemplate, volumes: VolumeNeeds): PodTemplate {
    const { defaultSpreadSelector, devices } = template.spec;
    return this.#templates.vary(template, { defaultSpreadSelector, volumes, devices });
  }
}

/** @returns the same needs with names that no volume has, without claims and disks no one holds. */
function anyVolumes(volumes: VolumeNeeds): VolumeNeeds {
  const attachments = volumes.attachments.map(({ driver, handle }, _, all) => {
    const first = all.findIndex((one) => one.handle === handle);
    return { driver, handle: `\0${first}` };
  });
  return { ...volumes, exclusiveClaims: [], disks: [], attachments };
}
