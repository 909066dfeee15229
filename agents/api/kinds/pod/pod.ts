/**
 * The rules of pods.
 * In: drafts of pods. Out: defaults, checks, columns, selectable fields. Never: I/O.
 * Source: pkg/registry/core/pod/strategy.go (v1.36).
 */
import type { KubeObject } from "../../meta.ts";
import type { FieldError, RuleContext, Rules } from "../../resource.ts";
import type { Pod, PodCondition } from "../../schema/generated/core_v1.ts";
import { podColumns } from "./columns.ts";
import { DEFAULT_GRACE_SECONDS, setPodDefaults } from "./defaults.ts";
import { spellOutLabelKeys } from "./label_keys.ts";
import { podParts } from "./parts.ts";
import { qosClassOf } from "./qos.ts";
import { validatePod } from "./validate.ts";
import { validatePodStatusUpdate, validatePodUpdate } from "./validate_update.ts";

export type {
  Affinity,
  Container,
  ContainerPort,
  ContainerStatus,
  Pod,
  PodCondition,
  PodSpec,
  PodStatus,
  PodTemplateSpec,
  Taint,
  Toleration,
  Volume,
} from "../../schema/generated/core_v1.ts";

/** Gated pods say so from the start, so that no scheduler has to write it. */
function gateCondition(pod: Pod): void {
  if ((pod.spec.schedulingGates ?? []).length === 0 || pod.status === undefined) return;
  pod.status.conditions = [{
    type: "PodScheduled",
    status: "False",
    reason: "SchedulingGated",
    message: "Scheduling is blocked due to non-empty scheduling gates",
  }];
  spellOutTimes(pod);
}

/** Times of conditions are structs in Go: one that nobody set is written, as null. */
function spellOutTimes(pod: Pod): void {
  const conditions = pod.status?.conditions;
  if (conditions === undefined || conditions.every(tellsTimes)) return;
  pod.status = {
    ...pod.status,
    conditions: conditions.map((condition) =>
      tellsTimes(condition) ? condition : {
        ...condition,
        lastProbeTime: condition.lastProbeTime ?? null!,
        lastTransitionTime: condition.lastTransitionTime ?? null!,
      }
    ),
  };
}

function tellsTimes({ lastProbeTime, lastTransitionTime }: PodCondition): boolean {
  return lastProbeTime !== undefined && lastTransitionTime !== undefined;
}

function prepareForCreate(draft: KubeObject, _context: RuleContext): void {
  const pod = draft as Pod;
  pod.status = { phase: "Pending", qosClass: qosClassOf(pod.spec) };
  spellOutLabelKeys(pod);
  gateCondition(pod);
}

function prepareForStatusUpdate(draft: KubeObject, old: KubeObject): void {
  const pod = draft as Pod;
  const before = old as Pod;
  pod.spec = before.spec;
  const { deletionTimestamp, ownerReferences } = before.metadata;
  if (deletionTimestamp !== undefined) pod.metadata.deletionTimestamp = deletionTimestamp;
  else if (pod.metadata.deletionTimestamp !== undefined) delete pod.metadata.deletionTimestamp;
  if (ownerReferences !== undefined) pod.metadata.ownerReferences = ownerReferences;
  if (pod.status !== undefined && pod.status.qosClass === undefined) {
    const qosClass = before.status?.qosClass;
    if (qosClass !== undefined) pod.status = { ...pod.status, qosClass };
  }
  spellOutTimes(pod);
}

/** Pods that never started, or have ended, have nothing to be graceful about. */
function defaultGraceSeconds(object: KubeObject): number {
  const pod = object as Pod;
  const phase = pod.status?.phase;
  if (!pod.spec.nodeName || phase === "Succeeded" || phase === "Failed") return 0;
  return pod.spec.terminationGracePeriodSeconds ?? DEFAULT_GRACE_SECONDS;
}

const text = (read: (pod: Pod) => string | undefined) => (object: KubeObject) =>
  read(object as Pod) ?? "";

export const podRules: Rules = {
  setDefaults: (draft) => setPodDefaults(draft as Pod),
  prepareForCreate,
  prepareForUpdate: (draft, old) => {
    if (old.status === undefined) delete draft.status;
    else draft.status = old.status;
  },
  prepareForStatusUpdate,
  validate: (draft) => validatePod(draft as Pod),
  validateUpdate: (draft, old): FieldError[] => validatePodUpdate(draft as Pod, old as Pod),
  validateStatusUpdate: (draft, old) => validatePodStatusUpdate(draft as Pod, old as Pod),
  parts: podParts,
  selectableFields: {
    "spec.nodeName": text((pod) => pod.spec.nodeName),
    "spec.restartPolicy": text((pod) => pod.spec.restartPolicy),
    "spec.schedulerName": text((pod) => pod.spec.schedulerName),
    "spec.serviceAccountName": text((pod) => pod.spec.serviceAccountName),
    "spec.hostNetwork": text((pod) => String(pod.spec.hostNetwork === true)),
    "status.phase": text((pod) => pod.status?.phase),
    "status.podIP": text((pod) => pod.status?.podIPs?.[0]?.ip ?? pod.status?.podIP),
    "status.podIPs": text((pod) => pod.status?.podIPs?.[0]?.ip ?? pod.status?.podIP),
    "status.nominatedNodeName": text((pod) => pod.status?.nominatedNodeName),
  },
  columns: podColumns,
  defaultGraceSeconds,
};
