/**
 * The rules of stateful sets.
 * In: drafts. Out: defaults, checks, columns. Never: orders pods.
 * Source: pkg/registry/apps/statefulset/strategy.go, ValidateStatefulSetSpec (v1.36).
 */
import type { KubeObject } from "../../meta.ts";
import type { FieldError, Rules } from "../../resource.ts";
import type { StatefulSet, StatefulSetSpec } from "../../schema/generated/apps_v1.ts";
import { ageColumn, column, containerColumns, nameColumn } from "../columns.ts";
import { ownStatus } from "../prepare.ts";
import { setPodTemplateDefaults } from "../pod/defaults.ts";
import { Problems, sameJson } from "../problems.ts";
import { validateSelectorAndTemplate } from "./replica_set.ts";

export type {
  StatefulSet,
  StatefulSetSpec,
  StatefulSetStatus,
} from "../../schema/generated/apps_v1.ts";
import { type ReplicaCounts, validateReplicaCounts } from "../replica_counts.ts";

const MUTABLE: ReadonlySet<string> = new Set([
  "minReadySeconds",
  "ordinals",
  "persistentVolumeClaimRetentionPolicy",
  "replicas",
  "revisionHistoryLimit",
  "template",
  "updateStrategy",
]);

function setDefaults(draft: KubeObject): void {
  const set = draft as StatefulSet;
  const spec: StatefulSetSpec = set.spec ??= {} as StatefulSetSpec;
  spec.podManagementPolicy ??= "OrderedReady";
  spec.updateStrategy ??= {};
  if (spec.updateStrategy.type === undefined) {
    spec.updateStrategy.type = "RollingUpdate";
    spec.updateStrategy.rollingUpdate ??= {};
  }
  if (spec.updateStrategy.type === "RollingUpdate" && spec.updateStrategy.rollingUpdate) {
    spec.updateStrategy.rollingUpdate.partition ??= 0;
  }
  spec.persistentVolumeClaimRetentionPolicy = {
    whenDeleted: spec.persistentVolumeClaimRetentionPolicy?.whenDeleted ?? "Retain",
    whenScaled: spec.persistentVolumeClaimRetentionPolicy?.whenScaled ?? "Retain",
  };
  spec.replicas ??= 1;
  spec.revisionHistoryLimit ??= 10;
  setPodTemplateDefaults(spec.template);
  for (const claim of spec.volumeClaimTemplates ?? []) {
    if (claim.spec) claim.spec.volumeMode ??= "Filesystem";
  }
}

function validate(draft: KubeObject): FieldError[] {
  const problems = new Problems();
  const { spec } = draft as StatefulSet;
  const policies = ["OrderedReady", "Parallel"];
  problems.oneOf("spec.podManagementPolicy", spec.podManagementPolicy, policies);
  const strategies = ["OnDelete", "RollingUpdate"];
  problems.oneOf("spec.updateStrategy.type", spec.updateStrategy?.type, strategies);
  const partition = spec.updateStrategy?.rollingUpdate?.partition;
  problems.nonNegative("spec.updateStrategy.rollingUpdate.partition", partition);
  problems.nonNegative("spec.replicas", spec.replicas);
  problems.nonNegative("spec.minReadySeconds", spec.minReadySeconds);
  problems.nonNegative("spec.ordinals.start", spec.ordinals?.start);
  validateSelectorAndTemplate(problems, withClaims(spec), "statefulset");
  return problems.errors;
}

/** Claim templates become volumes of the pods, so that mounts may name them. */
function withClaims(spec: StatefulSetSpec): StatefulSetSpec {
  const podSpec = spec.template?.spec;
  if (podSpec === undefined) return spec;
  const claims = (spec.volumeClaimTemplates ?? []).map(({ metadata }) => metadata?.name ?? "");
  const own = (podSpec.volumes ?? []).filter((volume) => !claims.includes(volume.name));
  const volumes = [
    ...own,
    ...claims.map((name) => ({ name, persistentVolumeClaim: { claimName: name } })),
  ];
  return { ...spec, template: { ...spec.template, spec: { ...podSpec, volumes } } };
}

function validateUpdate(draft: KubeObject, old: KubeObject): FieldError[] {
  const problems = new Problems();
  const names = new Set([...Object.keys(draft.spec ?? {}), ...Object.keys(old.spec ?? {})]);
  const changed = [...names].some((name) =>
    !MUTABLE.has(name) && !sameJson(draft.spec?.[name], old.spec?.[name])
  );
  if (changed) {
    problems.forbidden(
      "spec",
      "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', " +
        "'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and " +
        "'minReadySeconds' are forbidden",
    );
  }
  return problems.errors;
}

const COUNTS: ReplicaCounts = {
  counts: [
    "replicas",
    "readyReplicas",
    "currentReplicas",
    "updatedReplicas",
    "availableReplicas",
    "observedGeneration",
    "collisionCount",
  ],
  bounded: ["readyReplicas", "currentReplicas", "updatedReplicas", "availableReplicas"],
};

export const statefulSetRules: Rules = {
  setDefaults,
  ...ownStatus(() => ({ replicas: 0, availableReplicas: 0 })),
  validateStatusUpdate: (draft) => validateReplicaCounts(draft, COUNTS),
  validate,
  validateUpdate,
  defaultPropagation: "Background",
  columns: [
    nameColumn,
    column(
      "Ready",
      "Pods that are ready, of those wanted.",
      (set) => `${set.status?.readyReplicas ?? 0}/${set.spec?.replicas ?? 0}`,
    ),
    ageColumn,
    ...containerColumns((set) => set.spec?.template),
  ],
};
