/**
 * Rows of autoscaling: one store, two versions.
 * In: the kind's rules and the conversion. Out: named rows. Never: behaviour.
 * Source: upstream's discovery documents (v1.36).
 */
import { autoscalerStoredAs } from "../kinds/autoscaling/faces.ts";
import {
  autoscalerRules,
  autoscalerV1Rules,
} from "../kinds/autoscaling/horizontal_pod_autoscaler.ts";
import type { Resource } from "../resource.ts";
import { defineResource, partOf, type RowParts } from "../row.ts";

const parts = {
  group: "autoscaling",
  kind: "HorizontalPodAutoscaler",
  plural: "horizontalpodautoscalers",
  shortNames: ["hpa"],
  categories: ["all"],
  subresources: (parent) => [partOf(parent, "status")],
} satisfies RowParts;

export const autoscalers: Resource = defineResource({
  ...parts,
  version: "v2",
  rules: autoscalerRules,
});

/** The older face of the same objects. */
export const autoscalersV1: Resource = defineResource({
  ...parts,
  version: "v1",
  rules: autoscalerV1Rules,
  storedAs: autoscalerStoredAs,
});
