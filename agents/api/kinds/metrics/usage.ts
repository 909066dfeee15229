/**
 * How what nodes and pods use prints.
 * In: an object of metrics.k8s.io. Out: cells. Never: measures.
 * Source: metrics-server's tables (pkg/api/table.go).
 */
import type { KubeObject } from "../../meta.ts";
import { addQuantities } from "../../quantity.ts";
import type { Rules } from "../../resource.ts";
import type { ContainerMetrics, UsageList } from "../../schema/metrics_v1beta1.ts";
import { column, nameColumn } from "../columns.ts";

type UsageOf = (object: KubeObject, name: keyof UsageList) => string;

function rulesOf(usageOf: UsageOf): Rules {
  return {
    columns: [
      nameColumn,
      column("cpu", "Cores in use.", (object) => usageOf(object, "cpu")),
      column("memory", "Working set.", (object) => usageOf(object, "memory")),
      column("Window", "The time over which it was measured.", (object) => object.window),
    ],
  };
}

export const nodeMetricsRules: Rules = rulesOf((object, name) => object.usage[name]);

export const podMetricsRules: Rules = rulesOf((object, name) => {
  const containers: readonly ContainerMetrics[] = object.containers;
  return containers.map(({ usage }) => usage[name]).reduce(addQuantities, "0");
});
