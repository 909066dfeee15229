/**
 * NodeResourcesBalancedAllocation: favours nodes whose resources the pod brings into balance.
 * In: resource columns. Out: scores 50..100: 75 = no change, more = better balanced than before.
 * Never: has a say on a pod that requests none of the resources.
 * Source: Kubernetes v1.36 scheduler plugin NodeResourcesBalancedAllocation.
 */

import { scoreBalanceOfTwo } from "../kernels/two_resources.ts";
import { MAX_NODE_SCORE } from "../plugin.ts";
import type { Plugin } from "../plugin.ts";
import type { RowRange } from "../selector.ts";
import { CPU_AND_MEMORY, evenness, isCpuAndMemory, resourceColumns } from "./allocation.ts";
import type { ResourceColumn, ResourceWeight } from "./allocation.ts";

export interface BalancedArgs {
  readonly resources?: readonly ResourceWeight[];
}

const HALF = MAX_NODE_SCORE / 2;

/** The loop for any number of resources. */
export function scoreBalance(
  columns: readonly ResourceColumn[],
  out: Float64Array,
  { from, to }: RowRange,
): void {
  const having = new Float64Array(columns.length);
  const without = new Float64Array(columns.length);
  for (let row = from; row < to; row++) {
    let count = 0;
    for (let i = 0; i < columns.length; i++) {
      const { allocatable, requested, asked } = columns[i];
      const capacity = allocatable[row];
      if (capacity === 0) continue;
      const now = requested[row];
      having[count] = Math.min((now + asked) / capacity, 1);
      without[count++] = Math.min(now / capacity, 1);
    }
    const gain = evenness(having, count) - evenness(without, count);
    out[row] = HALF + Math.floor((HALF + gain) / 2);
  }
}

export function createNodeResourcesBalanced(args: BalancedArgs = {}): Plugin {
  const resources = args.resources ?? CPU_AND_MEMORY;
  return {
    name: "NodeResourcesBalancedAllocation",
    prepareScore({ table, spec }) {
      const columns = resourceColumns(table, spec, resources, "exact");
      if (columns.every(({ asked }) => asked === 0)) return null;
      return {
        local: true,
        normalise: "none",
        balance: isCpuAndMemory(resources) ? spec.requests : undefined,
        score(out, _verdicts, range) {
          if (columns.length !== 2) return scoreBalance(columns, out, range);
          const [a, b] = columns;
          scoreBalanceOfTwo(
            a.allocatable,
            a.requested,
            a.asked,
            b.allocatable,
            b.requested,
            b.asked,
            out,
            range.from,
            range.to,
          );
        },
      };
    },
  };
}
