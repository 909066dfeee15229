/**
 * The rules of daemon sets.
 * In: drafts. Out: defaults, checks, columns. Never: decides which nodes.
 * Source: pkg/registry/apps/daemonset/strategy.go, ValidateDaemonSetSpec (v1.36).
 */
import type { KubeObject } from "../../meta.ts";
import type { FieldError, Rules } from "../../resource.ts";
import type { DaemonSet, DaemonSetSpec } from "../../schema/generated/apps_v1.ts";
import { formatLabelSet } from "../../selector.ts";
import { ageColumn, column, containerColumns, nameColumn } from "../columns.ts";
import { ownStatus } from "../prepare.ts";
import { setPodTemplateDefaults } from "../pod/defaults.ts";
import { Problems } from "../problems.ts";
import { selectorCell, validateSelectorAndTemplate, validateSelectorKept } from "./replica_set.ts";
import { type ReplicaCounts, validateReplicaCounts } from "../replica_counts.ts";

export type { DaemonSet, DaemonSetSpec, DaemonSetStatus } from "../../schema/generated/apps_v1.ts";

function setDefaults(draft: KubeObject): void {
  const set = draft as DaemonSet;
  const spec: DaemonSetSpec = set.spec ??= {} as DaemonSetSpec;
  spec.updateStrategy ??= {};
  spec.updateStrategy.type ??= "RollingUpdate";
  if (spec.updateStrategy.type === "RollingUpdate") {
    spec.updateStrategy.rollingUpdate ??= {};
    spec.updateStrategy.rollingUpdate.maxUnavailable ??= 1;
    spec.updateStrategy.rollingUpdate.maxSurge ??= 0;
  }
  spec.revisionHistoryLimit ??= 10;
  setPodTemplateDefaults(spec.template);
}

function validate(draft: KubeObject): FieldError[] {
  const problems = new Problems();
  const { spec } = draft as DaemonSet;
  validateSelectorAndTemplate(problems, spec, "daemonset");
  problems.nonNegative("spec.minReadySeconds", spec.minReadySeconds);
  problems.nonNegative("spec.revisionHistoryLimit", spec.revisionHistoryLimit);
  const strategies = ["OnDelete", "RollingUpdate"];
  problems.oneOf("spec.updateStrategy.type", spec.updateStrategy?.type, strategies);
  return problems.errors;
}

const count = (field: string) => (set: KubeObject) => set.status?.[field] ?? 0;
const integer = { type: "integer" } as const;

const COUNTS: ReplicaCounts = {
  counts: [
    "currentNumberScheduled",
    "numberMisscheduled",
    "desiredNumberScheduled",
    "numberReady",
    "observedGeneration",
    "updatedNumberScheduled",
    "numberAvailable",
    "numberUnavailable",
    "collisionCount",
  ],
};

export const daemonSetRules: Rules = {
  setDefaults,
  ...ownStatus(() => ({
    currentNumberScheduled: 0,
    numberMisscheduled: 0,
    desiredNumberScheduled: 0,
    numberReady: 0,
  })),
  validateStatusUpdate: (draft) => validateReplicaCounts(draft, COUNTS),
  validate,
  validateUpdate: validateSelectorKept,
  defaultPropagation: "Background",
  columns: [
    nameColumn,
    column("Desired", "Nodes that should run it.", count("desiredNumberScheduled"), integer),
    column("Current", "Nodes that run it.", count("currentNumberScheduled"), integer),
    column("Ready", "Nodes where it is ready.", count("numberReady"), integer),
    column(
      "Up-to-date",
      "Nodes with the latest template.",
      count("updatedNumberScheduled"),
      integer,
    ),
    column(
      "Available",
      "Nodes where it is ready for long enough.",
      count("numberAvailable"),
      integer,
    ),
    column(
      "Node Selector",
      "Labels of the nodes it runs on.",
      (set) => formatLabelSet(set.spec?.template?.spec?.nodeSelector ?? {}) || "<none>",
    ),
    ageColumn,
    ...containerColumns((set) => set.spec?.template),
    column("Selector", "Labels of the pods it keeps.", selectorCell, { wide: true }),
  ],
};
