/**
 * How a Scale prints: the replica count of whatever has one.
 * In: a Scale. Out: cells. Never: reads the object behind it.
 * Source: printScale of upstream's printers (v1.36).
 */
import type { TableColumn } from "../../resource.ts";
import { ageColumn, column, nameColumn } from "../columns.ts";

export const scaleColumns: readonly TableColumn[] = [
  nameColumn,
  column("Desired", "How many there shall be.", (scale) => scale.spec?.replicas ?? 0, {
    type: "integer",
  }),
  column("Available", "How many there are.", (scale) => scale.status?.replicas ?? 0, {
    type: "integer",
  }),
  ageColumn,
];
