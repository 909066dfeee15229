/**
 * The rules of nodes.
 * In: drafts. Out: defaults, checks, columns, fields. Never: judges a node's health.
 * Source: pkg/registry/core/node/strategy.go, ValidateNode (v1.36).
 */
import type { KubeObject } from "../../meta.ts";
import { checkLabelValue, checkQualifiedName } from "../../names.ts";
import type { FieldError, Rules, TableColumn } from "../../resource.ts";
import type { Node, Taint } from "../../schema/generated/core_v1.ts";
import { ageColumn, column, nameColumn } from "../columns.ts";
import { Problems, sameJson } from "../problems.ts";

export type { Node, NodeCondition, NodeSpec, NodeStatus } from "../../schema/generated/core_v1.ts";

const ROLE_PREFIX = "node-role.kubernetes.io/";
const ROLE_LABEL = "kubernetes.io/role";
const EFFECTS = ["NoSchedule", "PreferNoSchedule", "NoExecute"];

function setDefaults(draft: KubeObject): void {
  const node = draft as Node;
  node.spec ??= {};
  const status = node.status;
  if (status?.capacity !== undefined) status.allocatable ??= { ...status.capacity };
}

function validateTaints(problems: Problems, taints: readonly Taint[]): void {
  const seen = new Set<string>();
  taints.forEach((taint, index) => {
    const path = `spec.taints[${index}]`;
    if (!taint.key) problems.required(`${path}.key`);
    else problems.checkName(`${path}.key`, taint.key, checkQualifiedName);
    if (taint.value) problems.checkName(`${path}.value`, taint.value, checkLabelValue);
    if (!taint.effect) problems.required(`${path}.effect`);
    else if (!EFFECTS.includes(taint.effect)) {
      problems.notSupported(`${path}.effect`, taint.effect, [...EFFECTS].sort());
    }
    const identity = `${taint.key}:${taint.effect}`;
    if (seen.has(identity)) problems.duplicate(path, taint);
    seen.add(identity);
  });
}

function validate(draft: KubeObject): FieldError[] {
  const problems = new Problems();
  validateTaints(problems, (draft as Node).spec?.taints ?? []);
  return problems.errors;
}

/** A node's addresses for pods may be given once; its provider likewise. */
function validateUpdate(draft: KubeObject, old: KubeObject): FieldError[] {
  const problems = new Problems();
  const now = (draft as Node).spec ?? {};
  const before = (old as Node).spec ?? {};
  if ((before.podCIDRs ?? []).length > 0 && !sameJson(now.podCIDRs, before.podCIDRs)) {
    problems.forbidden(
      "spec.podCIDRs",
      'node updates may not change podCIDR except from "" to valid',
    );
  }
  if (before.providerID && now.providerID !== before.providerID) {
    problems.forbidden(
      "spec.providerID",
      'node updates may not change providerID except from "" to valid',
    );
  }
  return problems.errors;
}

function readiness(node: KubeObject): string {
  const ready = ((node as Node).status?.conditions ?? []).find((c) => c.type === "Ready");
  const words = [ready === undefined ? "Unknown" : ready.status === "True" ? "Ready" : "NotReady"];
  if (node.spec?.unschedulable) words.push("SchedulingDisabled");
  return words.join(",");
}

function roles(node: KubeObject): string {
  const found = new Set<string>();
  for (const [key, value] of Object.entries(node.metadata.labels ?? {})) {
    if (key.startsWith(ROLE_PREFIX) && key.length > ROLE_PREFIX.length) {
      found.add(key.slice(ROLE_PREFIX.length));
    } else if (key === ROLE_LABEL && value !== "") found.add(value);
  }
  return [...found].sort().join(",") || "<none>";
}

function address(node: KubeObject, type: string): string {
  const found = ((node as Node).status?.addresses ?? []).find((item) => item.type === type);
  return found?.address ?? "<none>";
}

function kernel(node: KubeObject): string {
  const info = (node as Node).status?.nodeInfo;
  const version = info?.kernelVersion || "<unknown>";
  return info?.architecture ? `${version} (${info.architecture})` : version;
}

const wide = { wide: true };

const columns: readonly TableColumn[] = [
  nameColumn,
  column("Status", "Whether the node is ready and takes pods.", readiness),
  column("Roles", "Roles from the node's labels.", roles),
  ageColumn,
  column(
    "Version",
    "Version of the kubelet.",
    (node) => node.status?.nodeInfo?.kubeletVersion ?? "",
  ),
  column("Internal-IP", "Address within the cluster.", (node) => address(node, "InternalIP"), wide),
  column("External-IP", "Address outside.", (node) => address(node, "ExternalIP"), wide),
  column(
    "OS-Image",
    "Operating system.",
    (node) => node.status?.nodeInfo?.osImage || "<unknown>",
    wide,
  ),
  column("Kernel-Version", "Kernel and architecture.", kernel, wide),
  column(
    "Container-Runtime",
    "Container runtime and its version.",
    (node) => node.status?.nodeInfo?.containerRuntimeVersion || "<unknown>",
    wide,
  ),
];

export const nodeRules: Rules = {
  setDefaults,
  prepareForUpdate: (draft, old) => {
    draft.status = old.status;
  },
  validate,
  validateUpdate,
  selectableFields: {
    "spec.unschedulable": (node) => String(node.spec?.unschedulable === true),
  },
  generationFields: [],
  columns,
};
