/**
 * ImageLocality: favours nodes that already hold the pod's images, the larger the better, damped
 * for images that few nodes hold so that pods don't pile up there.
 * In: the table's image map, which lists only rows that hold an image. Out: scores 0..100.
 * Source: Kubernetes v1.36 scheduler plugin ImageLocality.
 */

import { MAX_NODE_SCORE } from "../plugin.ts";
import type { Plugin } from "../plugin.ts";

const MEGABYTE = 1024 * 1024;
const LEAST_BYTES = 23 * MEGABYTE;
const MOST_BYTES_PER_CONTAINER = 1000 * MEGABYTE;

/** @returns 0..100 for the damped bytes of images present. */
export function imageScore(bytes: number, containerCount: number): number {
  const most = MOST_BYTES_PER_CONTAINER * containerCount;
  const clamped = Math.min(Math.max(bytes, LEAST_BYTES), most);
  return Math.floor((MAX_NODE_SCORE * (clamped - LEAST_BYTES)) / (most - LEAST_BYTES));
}

export function createImageLocality(): Plugin {
  return {
    name: "ImageLocality",
    prepareScore({ table, spec }) {
      const held = spec.images.flatMap((name) => {
        const rows = table.images.get(name);
        return rows === undefined ? [] : [{ rows, spread: rows.size / table.nodeCount }];
      });
      // Without any image held anywhere every node scores 0, which changes no order.
      if (held.length === 0) return null;
      return {
        local: true,
        normalise: "none",
        score(out, _verdicts, { from, to }) {
          out.fill(0, from, to);
          for (const { rows, spread } of held) {
            if (to === from + 1) {
              out[from] += Math.floor((rows.get(from) ?? 0) * spread);
              continue;
            }
            for (const [row, sizeBytes] of rows) {
              if (row >= from && row < to) out[row] += Math.floor(sizeBytes * spread);
            }
          }
          for (let row = from; row < to; row++) {
            if (out[row] !== 0) out[row] = imageScore(out[row], spec.containerCount);
          }
        },
      };
    },
  };
}
