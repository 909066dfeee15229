/**
 * The rules of horizontal pod autoscalers, for both versions of the API.
 * In: drafts. Out: defaults, checks, columns. Never: scales.
 * Source: pkg/apis/autoscaling/validation, pkg/apis/autoscaling/v2/defaults.go (v1.36).
 */
import type { KubeObject } from "../../meta.ts";
import { checkDns1123Label, checkPathSegment } from "../../names.ts";
import { canonicalQuantity, compareQuantities } from "../../quantity.ts";
import type { FieldError, Rules, TableColumn } from "../../resource.ts";
import type {
  CrossVersionObjectReference,
  HorizontalPodAutoscaler,
  HPAScalingRules,
  MetricSpec,
  MetricTarget,
} from "../../schema/generated/autoscaling_v2.ts";
import { ageColumn, column, nameColumn } from "../columns.ts";
import { ownStatus } from "../prepare.ts";
import { Problems } from "../problems.ts";
import { checkNonNegative } from "../quantities.ts";
import { cpuMetric, DEFAULT_CPU_PERCENT, toSecondFace } from "./faces.ts";
import { metricsCell } from "./metrics_cell.ts";

export type {
  HorizontalPodAutoscaler,
  HorizontalPodAutoscalerSpec,
  HorizontalPodAutoscalerStatus,
  HPAScalingRules,
  MetricSpec,
  MetricStatus,
} from "../../schema/generated/autoscaling_v2.ts";

const MAX_WINDOW_SECONDS = 3600;
const MAX_PERIOD_SECONDS = 1800;
const SELECT_POLICIES = ["Disabled", "Max", "Min"];
const POLICY_TYPES = ["Percent", "Pods"];
const METRIC_TYPES = ["ContainerResource", "External", "Object", "Pods", "Resource"];
const TARGET_TYPES = ["Utilization", "Value", "AverageValue"];

const SCALE_UP: HPAScalingRules = {
  stabilizationWindowSeconds: 0,
  selectPolicy: "Max",
  policies: [
    { type: "Pods", value: 4, periodSeconds: 15 },
    { type: "Percent", value: 100, periodSeconds: 15 },
  ],
};
const SCALE_DOWN: HPAScalingRules = {
  selectPolicy: "Max",
  policies: [{ type: "Percent", value: 100, periodSeconds: 15 }],
};

function setDefaults(draft: KubeObject): void {
  const autoscaler = draft as HorizontalPodAutoscaler;
  const spec = autoscaler.spec;
  if (spec === undefined) return;
  spec.minReplicas ??= 1;
  if ((spec.metrics ?? []).length === 0) spec.metrics = [cpuMetric(DEFAULT_CPU_PERCENT)];
  if (spec.behavior === undefined) return;
  spec.behavior.scaleUp = { ...structuredClone(SCALE_UP), ...spec.behavior.scaleUp };
  spec.behavior.scaleDown = { ...structuredClone(SCALE_DOWN), ...spec.behavior.scaleDown };
}

function validateReference(
  problems: Problems,
  at: string,
  reference: Partial<CrossVersionObjectReference>,
): void {
  for (const field of ["kind", "name"] as const) {
    const value = reference[field];
    if (!value) problems.required(`${at}.${field}`);
    else problems.checkName(`${at}.${field}`, value, checkPathSegment);
  }
  const { apiVersion = "" } = reference;
  if (apiVersion.split("/").length > 2) {
    const detail = `unexpected GroupVersion string: ${apiVersion}`;
    problems.invalid(`${at}.apiVersion`, apiVersion, detail);
  } else if (!apiVersion.includes("/") && reference.kind !== "ReplicationController") {
    problems.invalid(`${at}.apiVersion`, apiVersion, "apiVersion must specify API group");
  }
}

function validateTarget(problems: Problems, at: string, target: Partial<MetricTarget>): void {
  const { type = "", averageUtilization } = target;
  if (type === "") problems.required(`${at}.type`, "must specify a metric target type");
  if (!TARGET_TYPES.includes(type)) {
    const detail = "must be either Utilization, Value, or AverageValue";
    problems.invalid(`${at}.type`, type, detail);
  }
  for (const field of ["value", "averageValue"] as const) {
    const amount = target[field];
    if (amount !== undefined && compareQuantities(amount, "0") <= 0) {
      problems.invalid(`${at}.${field}`, canonicalQuantity(amount), "must be positive");
    }
  }
  if (averageUtilization !== undefined && averageUtilization < 1) {
    problems.invalid(`${at}.averageUtilization`, averageUtilization, "must be greater than 0");
  }
}

function validateMetricName(problems: Problems, at: string, name: string | undefined): void {
  if (!name) problems.required(`${at}.name`, "must specify a metric name");
  else problems.checkName(`${at}.name`, name, checkPathSegment);
}

/** Of cpu and the like: a share of what is requested, or an amount. */
function validateResourceTarget(problems: Problems, at: string, target: MetricTarget): void {
  validateTarget(problems, at, target ?? {});
  const { averageUtilization, averageValue } = target ?? {};
  if (averageUtilization === undefined && averageValue === undefined) {
    const detail = "must set either a target raw value or a target utilization";
    problems.required(`${at}.averageUtilization`, detail);
  }
  if (averageUtilization !== undefined && averageValue !== undefined) {
    const detail = "may not set both a target raw value and a target utilization";
    problems.forbidden(`${at}.averageValue`, detail);
  }
}

type SourceCheck = (problems: Problems, at: string, metric: MetricSpec) => void;

/** In the order in which upstream looks for them; only the first one is checked. */
const SOURCES: readonly (readonly [keyof MetricSpec, SourceCheck])[] = [
  ["object", (problems, at, { object }) => {
    if (object === undefined) return;
    validateReference(problems, `${at}.describedObject`, {
      // The described object may be of any group.
      ...object.describedObject,
      apiVersion: object.describedObject?.apiVersion || "any/v1",
    });
    validateMetricName(problems, `${at}.metric`, object.metric?.name);
    validateTarget(problems, `${at}.target`, object.target ?? {});
    if (object.target?.value === undefined && object.target?.averageValue === undefined) {
      const detail = "must set either a target value or averageValue";
      problems.required(`${at}.target.averageValue`, detail);
    }
  }],
  ["external", (problems, at, { external }) => {
    if (external === undefined) return;
    validateMetricName(problems, `${at}.metric`, external.metric?.name);
    validateTarget(problems, `${at}.target`, external.target ?? {});
    const { value, averageValue } = external.target ?? {};
    if (value === undefined && averageValue === undefined) {
      const detail = "must set either a target value for metric or a per-pod target";
      problems.required(`${at}.target.averageValue`, detail);
    }
    if (value !== undefined && averageValue !== undefined) {
      const detail = "may not set both a target value for metric and a per-pod target";
      problems.forbidden(`${at}.target.value`, detail);
    }
  }],
  ["pods", (problems, at, { pods }) => {
    if (pods === undefined) return;
    validateMetricName(problems, `${at}.metric`, pods.metric?.name);
    validateTarget(problems, `${at}.target`, pods.target ?? {});
    if (pods.target?.averageValue === undefined) {
      const detail = "must specify a positive target averageValue";
      problems.required(`${at}.target.averageValue`, detail);
    }
  }],
  ["resource", (problems, at, { resource }) => {
    if (resource === undefined) return;
    if (!resource.name) problems.required(`${at}.name`, "must specify a resource name");
    validateResourceTarget(problems, `${at}.target`, resource.target);
  }],
  ["containerResource", (problems, at, { containerResource }) => {
    if (containerResource === undefined) return;
    const { name, container, target } = containerResource;
    if (!name) problems.required(`${at}.name`, "must specify a resource name");
    if (!container) problems.required(`${at}.container`, "must specify a container");
    else problems.checkName(`${at}.container`, container, checkDns1123Label);
    validateResourceTarget(problems, `${at}.target`, target);
  }],
];

function validateMetric(problems: Problems, at: string, metric: MetricSpec): void {
  const { type = "" } = metric;
  if (type === "") problems.required(`${at}.type`, "must specify a metric source type");
  if (!METRIC_TYPES.includes(type)) problems.notSupported(`${at}.type`, type, METRIC_TYPES);
  const given = SOURCES.filter(([field]) => metric[field] !== undefined);
  if (given.length > 0) given[0][1](problems, `${at}.${given[0][0]}`, metric);
  const expected = type.charAt(0).toLowerCase() + type.slice(1);
  const names: string[] = given.map(([field]) => field);
  if (METRIC_TYPES.includes(type) && !names.includes(expected)) {
    const detail = "must populate information for the given metric source";
    problems.required(`${at}.${expected}`, detail);
  }
  if (names.length === 1) return;
  for (const name of names.filter((name) => name !== expected)) {
    problems.forbidden(`${at}.${name}`, "must populate the given metric source only");
  }
}

function validateScaling(
  problems: Problems,
  at: string,
  rules: HPAScalingRules | undefined,
): void {
  if (rules === undefined) return;
  const { stabilizationWindowSeconds: seconds, selectPolicy, policies = [], tolerance } = rules;
  const windowPath = `${at}.stabilizationWindowSeconds`;
  if (seconds !== undefined && seconds < 0) {
    problems.invalid(windowPath, seconds, "must be greater than or equal to zero");
  }
  if (seconds !== undefined && seconds > MAX_WINDOW_SECONDS) {
    const detail = `must be less than or equal to ${MAX_WINDOW_SECONDS}`;
    problems.invalid(windowPath, seconds, detail);
  }
  if (selectPolicy !== undefined && !SELECT_POLICIES.includes(selectPolicy)) {
    problems.notSupported(`${at}.selectPolicy`, selectPolicy, SELECT_POLICIES);
  }
  if (policies.length === 0) {
    problems.required(`${at}.policies`, "must specify at least one Policy");
  }
  policies.forEach(({ type, value, periodSeconds }, index) => {
    const path = `${at}.policies[${index}]`;
    if (!POLICY_TYPES.includes(type)) problems.notSupported(`${path}.type`, type, POLICY_TYPES);
    for (const [field, number] of [["value", value], ["periodSeconds", periodSeconds]] as const) {
      if (!(number > 0)) {
        problems.invalid(`${path}.${field}`, number ?? 0, "must be greater than zero");
      }
    }
    if (periodSeconds > MAX_PERIOD_SECONDS) {
      const detail = `must be less than or equal to ${MAX_PERIOD_SECONDS}`;
      problems.invalid(`${path}.periodSeconds`, periodSeconds, detail);
    }
  });
  if (tolerance !== undefined) checkNonNegative(problems, `${at}.tolerance`, tolerance);
}

function validate(draft: KubeObject): FieldError[] {
  const problems = new Problems();
  const spec: Partial<HorizontalPodAutoscaler["spec"]> = draft.spec ?? {};
  const { minReplicas, maxReplicas = 0, metrics = [], behavior } = spec;
  if (minReplicas !== undefined && minReplicas < 1) {
    problems.invalid("spec.minReplicas", minReplicas, "must be greater than or equal to 1");
  }
  if (maxReplicas === 0) {
    problems.required("spec.maxReplicas", "must be set and greater than 0");
  } else if (maxReplicas < 0) {
    problems.invalid("spec.maxReplicas", maxReplicas, "must be greater than or equal to 1");
  }
  if (minReplicas !== undefined && maxReplicas < minReplicas) {
    const detail = "must be greater than or equal to `minReplicas`";
    problems.invalid("spec.maxReplicas", maxReplicas, detail);
  }
  validateReference(problems, "spec.scaleTargetRef", spec.scaleTargetRef ?? {});
  metrics.forEach((metric, index) => validateMetric(problems, `spec.metrics[${index}]`, metric));
  validateScaling(problems, "spec.behavior.scaleUp", behavior?.scaleUp);
  validateScaling(problems, "spec.behavior.scaleDown", behavior?.scaleDown);
  return problems.errors;
}

function validateStatusUpdate(draft: KubeObject): FieldError[] {
  const problems = new Problems();
  problems.nonNegative("status.currentReplicas", draft.status?.currentReplicas);
  problems.nonNegative("status.desiredReplicas", draft.status?.desiredReplicas);
  return problems.errors;
}

/** @param asStored the object in the version that has all fields. */
function columnsOf(
  asStored: (object: KubeObject) => HorizontalPodAutoscaler,
): readonly TableColumn[] {
  return [
    nameColumn,
    column("Reference", "What is scaled.", ({ spec }) => {
      const { kind = "", name = "" } = spec?.scaleTargetRef ?? {};
      return `${kind}/${name}`;
    }),
    column("Targets", "Metrics now and as they should be.", (item) => metricsCell(asStored(item))),
    column("MinPods", "Pods at least.", ({ spec }) => String(spec?.minReplicas ?? "<unset>")),
    column("MaxPods", "Pods at most.", ({ spec }) => spec?.maxReplicas ?? 0),
    column("Replicas", "Pods there are.", ({ status }) => status?.currentReplicas ?? 0),
    ageColumn,
  ];
}

export const autoscalerRules: Rules = {
  setDefaults,
  ...ownStatus(() => ({ desiredReplicas: 0 })),
  validate,
  validateStatusUpdate,
  columns: columnsOf((object) => object as HorizontalPodAutoscaler),
};

/** Clients of v1 see sentences about the fields of v2, as upstream's do. */
export const autoscalerV1Rules: Rules = {
  ...autoscalerRules,
  setDefaults: (draft) => {
    if (draft.spec !== undefined) draft.spec.minReplicas ??= 1;
  },
  prepareForCreate: (draft) => {
    draft.status = { currentReplicas: 0, desiredReplicas: 0 };
  },
  validate: (draft) => validate(toSecondFace(draft)),
  columns: columnsOf(toSecondFace),
};
