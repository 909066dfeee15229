/**
 * Arguments of plugins as a KubeSchedulerConfiguration gives them.
 * In: what was parsed of YAML. Out: a schema for each plugin that takes arguments.
 * Never: ignores what it can't honour.
 * Source: apis/config/v1/defaults.go and validation/validation_pluginargs.go of Kubernetes v1.36.
 */
import { z } from "zod";
import { fieldErrorBody } from "../../api/status.ts";
import { validateNodeSelector } from "../../api/kinds/pod/validate_placement.ts";
import { Problems } from "../../api/kinds/problems.ts";
import { checkQualifiedName } from "../../api/names.ts";
import { parseDuration } from "../../api/time.ts";
import { encodeNodeTerm } from "../encode.ts";
import type { NodeSelectorTerm } from "../kinds.ts";

const header = { apiVersion: z.string().optional(), kind: z.string().optional() };
const resources = z.array(z.strictObject({
  name: z.string().min(1),
  weight: z.int().min(0).max(100).transform((weight) => weight === 0 ? 1 : weight).default(1),
})).transform((list) => list.length === 0 ? undefined : list);
/** Resources that all count the same, each once. */
const equalResources = z.array(z.strictObject({
  name: z.string().min(1),
  weight: z.int().default(1).refine((weight) => weight === 0 || weight === 1, "must be 1")
    .transform(() => 1),
})).superRefine((list, context) =>
  list.forEach(({ name }, index) => {
    if (list.findIndex((other) => other.name === name) === index) return;
    const message = `Duplicate value: ${JSON.stringify(name)}`;
    context.addIssue({ code: "custom", path: [index, "name"], message });
  })
).transform((list) => list.length === 0 ? undefined : list);
const labelName = z.string().superRefine((name, context) => {
  for (const message of checkQualifiedName(name)) context.addIssue(message);
});
const shape = z.array(z.strictObject({
  utilization: z.int().min(0).max(100),
  score: z.int().min(0).max(10),
})).min(1).refine(
  (points) => points.every((it, i) => i === 0 || it.utilization > points[i - 1].utilization),
  "utilization must rise from point to point",
);
const plainStrategy = z.strictObject({
  type: z.enum(["LeastAllocated", "MostAllocated"]),
  resources: resources.optional(),
});
const curveStrategy = z.strictObject({
  type: z.literal("RequestedToCapacityRatio"),
  resources: resources.optional(),
  requestedToCapacityRatio: z.strictObject({ shape }),
}).transform(({ type, resources, requestedToCapacityRatio }) => ({
  type,
  resources,
  shape: requestedToCapacityRatio.shape,
}));
const fitArgs = z.strictObject({
  ...header,
  ignoredResources: z.array(labelName).optional(),
  ignoredResourceGroups: z.array(labelName.regex(/^[^/]*$/, "can't contain '/'")).optional(),
  scoringStrategy: z.union([plainStrategy, curveStrategy]).optional(),
}).transform(({ ignoredResources, ignoredResourceGroups, scoringStrategy }) => ({
  ignoredResources,
  ignoredResourceGroups,
  strategy: scoringStrategy,
}));

const requirement = z.strictObject({
  key: z.string(),
  operator: z.string(),
  values: z.array(z.string()).optional(),
});
const nodeTerm = z.strictObject({
  matchExpressions: z.array(requirement).optional(),
  matchFields: z.array(requirement).optional(),
});
type NodeTerm = z.infer<typeof nodeTerm>;

/** Tells of each problem of terms at its place. @param below the path that they are known by */
function checkTerms(terms: readonly NodeTerm[], below: string, context: z.RefinementCtx): void {
  const problems = new Problems();
  const nodeSelectorTerms = terms as unknown as NodeSelectorTerm[];
  validateNodeSelector(problems, "", { nodeSelectorTerms } as never);
  for (const error of problems.errors) {
    const path = error.path.slice(1).replace(below, "");
    context.addIssue({ code: "custom", path: [path], message: fieldErrorBody(error) });
  }
}

const encodeTerm = (term: NodeTerm) => encodeNodeTerm(term as NodeSelectorTerm);
const nodeAffinityArgs = z.strictObject({
  ...header,
  addedAffinity: z.strictObject({
    requiredDuringSchedulingIgnoredDuringExecution: z.strictObject({
      nodeSelectorTerms: z.array(nodeTerm),
    }).superRefine((selector, context) => checkTerms(selector.nodeSelectorTerms, "", context))
      .optional(),
    preferredDuringSchedulingIgnoredDuringExecution: z.array(z.strictObject({
      weight: z.int().min(1).max(100),
      preference: nodeTerm.superRefine((term, context) =>
        checkTerms([term], "nodeSelectorTerms[0].", context)
      ),
    })).optional(),
  }).optional(),
}).transform(({ addedAffinity }) => ({
  addedRequired: addedAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms
    .map(encodeTerm),
  addedPreferred: addedAffinity?.preferredDuringSchedulingIgnoredDuringExecution?.map(
    ({ weight, preference }) => ({ weight, term: encodeTerm(preference) }),
  ),
}));

const defaultConstraint = z.strictObject({
  maxSkew: z.int().min(1),
  topologyKey: labelName,
  whenUnsatisfiable: z.enum(["DoNotSchedule", "ScheduleAnyway"]),
  minDomains: z.int().min(1).default(1),
  nodeAffinityPolicy: z.enum(["Honor", "Ignore"]).default("Honor"),
  nodeTaintsPolicy: z.enum(["Honor", "Ignore"]).default("Ignore"),
}).transform((constraint) => ({ ...constraint, selector: [] }));
const spreadArgs = z.strictObject({
  ...header,
  defaultConstraints: z.array(defaultConstraint).default([]),
  defaultingType: z.enum(["System", "List"]).default("System"),
}).refine(
  ({ defaultConstraints, defaultingType }) =>
    defaultingType === "List" || defaultConstraints.length === 0,
  "defaultConstraints need defaultingType List",
).superRefine(({ defaultConstraints }, context) =>
  defaultConstraints.forEach(({ topologyKey, whenUnsatisfiable }, index) => {
    const isFirst = defaultConstraints.findIndex((other) =>
      other.topologyKey === topologyKey && other.whenUnsatisfiable === whenUnsatisfiable
    ) === index;
    if (isFirst) {
      return;
    }
    const message = `Duplicate value: "{${topologyKey}, ${whenUnsatisfiable}}"`;
    context.addIssue({ code: "custom", path: ["defaultConstraints", index], message });
  })
).transform(({ defaultConstraints, defaultingType }) => ({
  defaultConstraints: defaultingType === "List" ? defaultConstraints : undefined,
}));
const affinityArgs = z.strictObject({
  ...header,
  hardPodAffinityWeight: z.int().min(0).max(100).optional(),
  ignorePreferredTermsOfExistingPods: z.boolean().optional(),
});
const balancedArgs = z.strictObject({ ...header, resources: equalResources.optional() });

const bindingArgs = z.strictObject({
  ...header,
  bindTimeoutSeconds: z.int().min(0).default(600),
  // Scores by storage capacity are behind a gate that is off.
  shape: z.array(z.unknown()).max(0, "is not supported").optional(),
}).transform(({ bindTimeoutSeconds }) => ({ bindTimeoutMs: bindTimeoutSeconds * 1000 }));
/** How far a search for victims goes; every node is looked at here, so it changes nothing. */
const preemptionArgs = z.strictObject({
  ...header,
  minCandidateNodesPercentage: z.int().min(0).max(100).optional(),
  minCandidateNodesAbsolute: z.int().min(0).optional(),
}).refine(
  ({ minCandidateNodesPercentage, minCandidateNodesAbsolute }) =>
    minCandidateNodesPercentage !== 0 || minCandidateNodesAbsolute !== 0,
  "minCandidateNodesPercentage and minCandidateNodesAbsolute cannot both be zero",
);
const duration = z.string().transform((text, context) => {
  const nanos = parseDuration(text);
  if (nanos === null) context.addIssue(`invalid duration ${JSON.stringify(text)}`);
  return (nanos ?? 0) / 1e6;
});
/** A search for devices ends after so many steps instead of after a time. */
const devicesArgs = z.strictObject({
  ...header,
  filterTimeout: duration.refine((millis) => millis >= 0, "must be zero or positive").optional(),
  bindingTimeout: duration.refine((millis) => millis >= 1000, "must be at least 1 second")
    .optional(),
}).transform(({ bindingTimeout }) => ({ bindTimeoutMs: bindingTimeout }));

/** By plugin. */
export const ARGS = {
  NodeAffinity: nodeAffinityArgs,
  NodeResourcesFit: fitArgs,
  NodeResourcesBalancedAllocation: balancedArgs,
  PodTopologySpread: spreadArgs,
  InterPodAffinity: affinityArgs,
  VolumeBinding: bindingArgs,
  DefaultPreemption: preemptionArgs,
  DynamicResources: devicesArgs,
} as const;
