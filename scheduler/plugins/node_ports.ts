/**
 * NodePorts: a host port can be taken once on a node, per address and protocol.
 * In: the table's port map, which lists only rows where a port is taken. Out: verdicts.
 * Source: Kubernetes v1.36 scheduler plugin NodePorts.
 */

import type { HostPort } from "../pod_row.ts";
import { FEASIBLE } from "../plugin.ts";
import type { Plugin } from "../plugin.ts";
import { eachHeldRow } from "../structures/holders.ts";

const ANY_ADDRESS = "0.0.0.0";
const REASONS = ["node(s) didn't have free ports for the requested pod ports"];

/** @returns whether a wanted address collides with those taken on one node for the same port. */
function collides(ip: string, taken: ReadonlyMap<string, number>): boolean {
  return ip === ANY_ADDRESS ? taken.size > 0 : taken.has(ANY_ADDRESS) || taken.has(ip);
}

function shareAPort(a: readonly HostPort[], b: readonly HostPort[]): boolean {
  return a.some((one) =>
    b.some((other) =>
      one.port === other.port && one.protocol === other.protocol &&
      (one.ip === other.ip || one.ip === ANY_ADDRESS || other.ip === ANY_ADDRESS)
    )
  );
}

export function createNodePorts(): Plugin {
  return {
    name: "NodePorts",
    prepareFilter({ table, spec }) {
      if (spec.hostPorts.length === 0) return null;
      return {
        local: true,
        filter(verdicts, range, mark) {
          for (const { ip, protocol, port } of spec.hostPorts) {
            eachHeldRow(table.ports, `${protocol}/${port}`, range, (row, ips) => {
              if (verdicts[row] === FEASIBLE && collides(ip, ips)) verdicts[row] = mark;
            });
          }
        },
        reasons: () => REASONS,
        why: (row) =>
          spec.hostPorts.filter(({ ip, protocol, port }) => {
            const ips = table.ports.get(`${protocol}/${port}`)?.get(row);
            return ips !== undefined && collides(ip, ips);
          }).map(({ protocol, port }) => `${port}/${protocol}`).join(", "),
      };
    },
    hint(pod, event) {
      if (event.resource === "node") return event.change === "add";
      if (event.resource !== "pod" || event.change !== "delete" || !event.assigned) return false;
      const freed = event.before?.template.spec.hostPorts ?? [];
      return shareAPort(pod.template.spec.hostPorts, freed);
    },
  };
}
