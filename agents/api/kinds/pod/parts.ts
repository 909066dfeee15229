/**
 * The corners of a pod that have a subresource of their own: debugging containers and resources.
 * In: a draft and the pod before. Out: the draft, restored but for its corner; field errors.
 * Never: adds a container or resizes one; the kubelet does.
 * Source: ValidatePodEphemeralContainersUpdate, ValidatePodResize (v1.36).
 */
import type { KubeObject } from "../../meta.ts";
import type { FieldError, PartRules } from "../../resource.ts";
import type { Container, Pod, ResourceRequirements } from "../../schema/generated/core_v1.ts";
import { restoreFields } from "../prepare.ts";
import { Problems, sameJson } from "../problems.ts";
import { qosClassOf } from "./qos.ts";

const MIRROR_ANNOTATION = "kubernetes.io/config.mirror";
const RESIZABLE = new Set(["cpu", "memory"]);

function prepareDebugging(draft: KubeObject, old: KubeObject): void {
  const sent = (draft as Pod).spec?.ephemeralContainers;
  restoreFields(draft, old, ["spec", "status"]);
  const { ephemeralContainers: _before, ...rest } = (old as Pod).spec;
  draft.spec = sent === undefined ? rest : { ...rest, ephemeralContainers: sent };
}

/** Those that are there stay as they are. */
function validateDebugging(draft: KubeObject, old: KubeObject): FieldError[] {
  const problems = new Problems();
  if (old.metadata.annotations?.[MIRROR_ANNOTATION] !== undefined) {
    problems.forbidden("", "static pods do not support ephemeral containers");
    return problems.errors;
  }
  const path = "spec.ephemeralContainers";
  const now = (draft as Pod).spec.ephemeralContainers ?? [];
  for (const before of (old as Pod).spec.ephemeralContainers ?? []) {
    const same = now.find((container) => container.name === before.name);
    const quoted = JSON.stringify(before.name);
    if (same === undefined) {
      problems.forbidden(path, `existing ephemeral containers ${quoted} may not be removed\n`);
    } else if (!sameJson(same, before)) {
      problems.forbidden(path, `existing ephemeral containers ${quoted} may not be changed\n`);
    }
  }
  return problems.errors;
}

/** Only what the containers and the pod ask for is taken from the draft. */
function prepareResize(draft: KubeObject, old: KubeObject): void {
  const sent = (draft as Pod).spec ?? { containers: [] };
  const before = (old as Pod).spec;
  const resized = (now: readonly Container[] | undefined, was: readonly Container[]) =>
    was.map((container, index) => {
      const same = now?.find((other) => other.name === container.name) ?? now?.[index];
      if (same === undefined || same.name !== container.name) return container;
      const { resources: _resources, resizePolicy: _policy, ...rest } = container;
      return {
        ...rest,
        ...(same.resources === undefined ? {} : { resources: same.resources }),
        ...(same.resizePolicy === undefined ? {} : { resizePolicy: same.resizePolicy }),
      };
    });
  restoreFields(draft, old, ["spec", "status"]);
  const spec = { ...before, containers: resized(sent.containers, before.containers ?? []) };
  if (before.initContainers !== undefined) {
    spec.initContainers = resized(sent.initContainers, before.initContainers);
  }
  if (sent.resources !== undefined) spec.resources = sent.resources;
  draft.spec = spec;
}

function isRemoved(
  now: ResourceRequirements | undefined,
  before: ResourceRequirements | undefined,
  list: "requests" | "limits",
): boolean {
  return Object.keys(before?.[list] ?? {}).some((name) => now?.[list]?.[name] === undefined);
}

/** Without the amounts that may change. */
function fixedPart(container: Container): Container {
  const strip = (list: ResourceRequirements["limits"]) =>
    Object.fromEntries(Object.entries(list ?? {}).filter(([name]) => !RESIZABLE.has(name)));
  const { resources } = container;
  if (resources === undefined) return container;
  const limits = strip(resources.limits);
  return {
    ...container,
    resources: { ...resources, limits, requests: strip(resources.requests) },
  };
}

function validateContainers(
  problems: Problems,
  field: "containers" | "initContainers",
  now: readonly Container[],
  before: readonly Container[],
): void {
  before.forEach((old, index) => {
    const container = now[index];
    const at = `spec.${field}[${index}]`;
    if (field === "initContainers" && old.restartPolicy !== "Always") {
      if (!sameJson(container, old)) {
        const detail = "resources for non-sidecar init containers are immutable";
        problems.forbidden("spec", detail);
      }
      return;
    }
    for (const list of ["requests", "limits"] as const) {
      if (isRemoved(container.resources, old.resources, list)) {
        const detail = `resource ${list} cannot be removed`;
        problems.forbidden(`${at}.resources.${list}`, detail);
      }
    }
    if (!sameJson(fixedPart(container), fixedPart(old))) {
      problems.forbidden("spec", "only cpu and memory resources are mutable");
    }
  });
}

function validateResize(draft: KubeObject, old: KubeObject): FieldError[] {
  const problems = new Problems();
  const [now, before] = [(draft as Pod).spec, (old as Pod).spec];
  if (old.metadata.annotations?.[MIRROR_ANNOTATION] !== undefined) {
    problems.forbidden("", "static pods cannot be resized");
    return problems.errors;
  }
  if (before.os?.name === "windows") {
    problems.forbidden("", "windows pods cannot be resized");
    return problems.errors;
  }
  const qosClass = (old as Pod).status?.qosClass ?? qosClassOf(before);
  if (qosClassOf(now) !== qosClass) {
    const detail = "Pod QOS Class may not change as a result of resizing";
    problems.invalid("spec", qosClass, detail);
  }
  validateContainers(problems, "containers", now.containers ?? [], before.containers ?? []);
  validateContainers(
    problems,
    "initContainers",
    now.initContainers ?? [],
    before.initContainers ?? [],
  );
  return problems.errors;
}

export const podParts: Readonly<Record<string, PartRules>> = {
  ephemeralcontainers: { prepare: prepareDebugging, validateUpdate: validateDebugging },
  resize: { prepare: prepareResize, validateUpdate: validateResize },
};
