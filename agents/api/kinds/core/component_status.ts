/**
 * How the health of the cluster's components prints; the API server asks them when it is asked.
 * In: an object. Out: cells. Never: asks a component.
 * Source: printComponentStatus of upstream's printers (v1.36).
 */
import type { KubeObject } from "../../meta.ts";
import type { Rules } from "../../resource.ts";
import type { ComponentCondition } from "../../schema/generated/core_v1.ts";
import { column, nameColumn } from "../columns.ts";

export type { ComponentStatus } from "../../schema/generated/core_v1.ts";

function healthOf(object: KubeObject): ComponentCondition | undefined {
  const conditions: readonly ComponentCondition[] = object.conditions ?? [];
  return conditions.find((condition) => condition.type === "Healthy");
}

export const componentStatusRules: Rules = {
  columns: [
    nameColumn,
    column("Status", "Whether it is healthy.", (object) => {
      const health = healthOf(object);
      if (health === undefined) return "Unknown";
      return health.status === "True" ? "Healthy" : "Unhealthy";
    }),
    column("Message", "What it answered.", (object) => healthOf(object)?.message ?? ""),
    column("Error", "Why it did not answer.", (object) => healthOf(object)?.error ?? ""),
  ],
};
