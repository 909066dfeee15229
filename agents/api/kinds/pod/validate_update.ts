/**
 * Checks what an update did to a pod: almost all of its spec is fixed once it exists.
 * In: the draft and the pod before. Out: field errors. Never: changes either.
 * Source: ValidatePodUpdate, ValidatePodStatusUpdate (v1.36).
 */
import { rangeMessage } from "../../names.ts";
import type { FieldError } from "../../resource.ts";
import type { Container, Pod, PodSpec, Toleration } from "../../schema/generated/core_v1.ts";
import { Problems, sameJson } from "../problems.ts";
import { validateClaimStatuses } from "./validate_devices.ts";

const MAX_INT32 = 2 ** 31 - 1;
const UPDATABLE = [
  "`spec.containers[*].image`",
  "`spec.initContainers[*].image`",
  "`spec.activeDeadlineSeconds`",
  "`spec.tolerations` (only additions to existing tolerations)",
  "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)",
];

/** An update through the object itself. */
export function validatePodUpdate(pod: Pod, old: Pod): FieldError[] {
  const problems = new Problems();
  for (const field of ["containers", "initContainers"] as const) {
    if ((pod.spec[field] ?? []).length !== (old.spec[field] ?? []).length) {
      problems.forbidden(`spec.${field}`, "pod updates may not add or remove containers");
      return problems.errors;
    }
  }
  validateDeadline(problems, pod.spec, old.spec);
  validateTolerationsKept(problems, pod.spec.tolerations ?? [], old.spec.tolerations ?? []);
  validateGates(problems, pod.spec, old.spec);
  const munged = munge(pod.spec, old.spec);
  if (!sameJson(munged, old.spec)) {
    const fields = changedFields(munged, old.spec);
    const detail = `pod updates may not change fields other than ${UPDATABLE.join(",")}\n${fields}`;
    problems.forbidden("spec", detail);
  }
  return problems.errors;
}

/** The draft with everything that may change put back. */
function munge(spec: PodSpec, old: PodSpec): PodSpec {
  const withImages = (now: readonly Container[], before: readonly Container[]): Container[] =>
    now.map((container, index) => {
      const image = before[index]?.image;
      const { image: _image, ...rest } = container;
      return image === undefined ? rest : { ...rest, image };
    });
  const munged: PodSpec = {
    ...spec,
    containers: withImages(spec.containers ?? [], old.containers ?? []),
  };
  const keep = <K extends keyof PodSpec>(field: K) => {
    if (old[field] === undefined) delete munged[field];
    else munged[field] = old[field];
  };
  if (spec.initContainers !== undefined) {
    munged.initContainers = withImages(spec.initContainers, old.initContainers ?? []);
  }
  keep("activeDeadlineSeconds");
  keep("tolerations");
  keep("schedulingGates");
  const before = old.terminationGracePeriodSeconds;
  if (before !== undefined && before < 0 && munged.terminationGracePeriodSeconds === 1) {
    keep("terminationGracePeriodSeconds");
  }
  // While gated a pod may still narrow where it goes.
  if ((old.schedulingGates ?? []).length > 0 && narrowsSelector(spec, old)) keep("nodeSelector");
  return munged;
}

function narrowsSelector(spec: PodSpec, old: PodSpec): boolean {
  const now = spec.nodeSelector ?? {};
  return Object.entries(old.nodeSelector ?? {}).every(([key, value]) => now[key] === value);
}

function changedFields(spec: PodSpec, old: PodSpec): string {
  const now = spec as unknown as Record<string, unknown>;
  const before = old as unknown as Record<string, unknown>;
  const names = new Set([...Object.keys(now), ...Object.keys(before)]);
  const lines: string[] = [];
  for (const name of [...names].sort()) {
    if (sameJson(now[name], before[name])) continue;
    lines.push(`- ${name}: ${JSON.stringify(before[name] ?? null)}`);
    lines.push(`+ ${name}: ${JSON.stringify(now[name] ?? null)}`);
  }
  return lines.join("\n");
}

function validateDeadline(problems: Problems, spec: PodSpec, old: PodSpec): void {
  const path = "spec.activeDeadlineSeconds";
  const now = spec.activeDeadlineSeconds;
  const before = old.activeDeadlineSeconds;
  if (now === undefined) {
    if (before !== undefined) {
      problems.invalid(path, null, "must not update from a positive integer to nil value");
    }
  } else if (now < 0 || now > MAX_INT32) {
    problems.invalid(path, now, rangeMessage(0, MAX_INT32));
  } else if (before !== undefined && before < now) {
    problems.invalid(path, now, "must be less than or equal to previous value");
  }
}

/** All but the seconds of a toleration must still be there. */
function validateTolerationsKept(
  problems: Problems,
  now: readonly Toleration[],
  before: readonly Toleration[],
): void {
  const plain = ({ tolerationSeconds: _seconds, ...rest }: Toleration) => rest;
  for (const old of before) {
    if (now.some((toleration) => sameJson(plain(toleration), plain(old)))) continue;
    problems.forbidden(
      "spec.tolerations",
      "existing toleration can not be modified except its tolerationSeconds",
    );
    return;
  }
}

function validateGates(problems: Problems, spec: PodSpec, old: PodSpec): void {
  const known = new Set((old.schedulingGates ?? []).map((gate) => gate.name));
  (spec.schedulingGates ?? []).forEach(({ name }, index) => {
    if (known.has(name)) return;
    problems.forbidden(
      `spec.schedulingGates[${index}].name`,
      `only deletion is allowed, but found new scheduling gate '${name}'`,
    );
  });
}

/** An update through the status subresource. */
export function validatePodStatusUpdate(pod: Pod, old: Pod): FieldError[] {
  const problems = new Problems();
  if ((pod.spec.nodeName ?? "") !== (old.spec.nodeName ?? "")) {
    problems.forbidden("status.nodeName", "may not be changed directly");
  }
  const before = old.status?.qosClass;
  if (before !== undefined) {
    problems.immutable("status.qosClass", pod.status?.qosClass, before);
  }
  const nominated = pod.status?.nominatedNodeName;
  if (old.spec.nodeName && nominated && nominated !== old.status?.nominatedNodeName) {
    problems.forbidden(
      "status.nominatedNodeName",
      "may not be set on pods that are already bound to a node",
    );
  }
  validateClaimStatuses(problems, pod);
  return problems.errors;
}
