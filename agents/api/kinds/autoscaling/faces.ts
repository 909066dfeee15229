/**
 * The two faces of horizontal pod autoscalers: autoscaling/v1 shown from what is kept as v2.
 * In: an object of one version. Out: one of the other, sharing unchanged parts.
 * Never: changes its input. What v1 has no field for travels in annotations.
 * Source: pkg/apis/autoscaling/v1/conversion.go, pkg/apis/autoscaling/annotations.go (v1.36).
 */
import type { KubeObject } from "../../meta.ts";
import type { Resource } from "../../resource.ts";
import type * as v1 from "../../schema/generated/autoscaling_v1.ts";
import type * as v2 from "../../schema/generated/autoscaling_v2.ts";

const PREFIX = "autoscaling.alpha.kubernetes.io/";
const METRICS = `${PREFIX}metrics`;
const CURRENT_METRICS = `${PREFIX}current-metrics`;
const CONDITIONS = `${PREFIX}conditions`;
const BEHAVIOR = `${PREFIX}behavior`;
const CARRIED = [METRICS, CURRENT_METRICS, CONDITIONS, BEHAVIOR];

/** What is aimed at where nothing is said. */
export const DEFAULT_CPU_PERCENT = 80;

/** The metric that v1 has a field for. */
export function cpuMetric(averageUtilization: number): v2.MetricSpec {
  return {
    type: "Resource",
    resource: { name: "cpu", target: { type: "Utilization", averageUtilization } },
  };
}

function isCpuUtilization(metric: v2.MetricSpec): boolean {
  return metric.type === "Resource" && metric.resource?.name === "cpu" &&
    metric.resource.target.averageUtilization !== undefined;
}

/** Leaves out what is undefined, as Go leaves out nil. */
function compact<T extends object>(value: T): T {
  return Object.fromEntries(Object.entries(value).filter(([, item]) => item !== undefined)) as T;
}

type Resourceful = { readonly target: v2.MetricTarget };

const targetsOf = ({ target }: Resourceful) => ({
  targetAverageUtilization: target.averageUtilization,
  targetAverageValue: target.averageValue,
});

function metricToV1(metric: v2.MetricSpec): v1.MetricSpec {
  const { type, object, pods, resource, containerResource, external } = metric;
  return compact({
    type,
    object: object && compact({
      target: object.describedObject,
      metricName: object.metric.name,
      targetValue: object.target.value ?? "0",
      selector: object.metric.selector,
      averageValue: object.target.averageValue,
    }),
    pods: pods && compact({
      metricName: pods.metric.name,
      targetAverageValue: pods.target.averageValue ?? "0",
      selector: pods.metric.selector,
    }),
    resource: resource && compact({ name: resource.name, ...targetsOf(resource) }),
    containerResource: containerResource && compact({
      name: containerResource.name,
      ...targetsOf(containerResource),
      container: containerResource.container,
    }),
    external: external && compact({
      metricName: external.metric.name,
      metricSelector: external.metric.selector,
      targetValue: external.target.value,
      targetAverageValue: external.target.averageValue,
    }),
  });
}

type Averages = Pick<v1.ResourceMetricSource, "targetAverageUtilization" | "targetAverageValue">;

function resourceTarget(source: Averages): v2.MetricTarget {
  const { targetAverageUtilization, targetAverageValue } = source;
  return compact({
    type: targetAverageUtilization === undefined ? "AverageValue" : "Utilization",
    averageValue: targetAverageValue,
    averageUtilization: targetAverageUtilization,
  });
}

/** Either a value for the whole or one for each pod. */
function valueTarget(
  value: v2.MetricTarget["value"],
  averageValue: v2.MetricTarget["averageValue"],
): v2.MetricTarget {
  return averageValue === undefined
    ? compact({ type: "Value", value })
    : compact({ type: "AverageValue", value, averageValue });
}

function metricToV2(metric: v1.MetricSpec): v2.MetricSpec {
  const { type, object, pods, resource, containerResource, external } = metric;
  return compact({
    type,
    object: object && {
      describedObject: object.target,
      metric: compact({ name: object.metricName, selector: object.selector }),
      target: object.averageValue === undefined
        ? valueTarget(object.targetValue, undefined)
        : valueTarget(undefined, object.averageValue),
    },
    pods: pods && {
      metric: compact({ name: pods.metricName, selector: pods.selector }),
      target: { type: "AverageValue", averageValue: pods.targetAverageValue },
    },
    resource: resource && { name: resource.name, target: resourceTarget(resource) },
    containerResource: containerResource && {
      name: containerResource.name,
      container: containerResource.container,
      target: resourceTarget(containerResource),
    },
    external: external && {
      metric: compact({ name: external.metricName, selector: external.metricSelector }),
      target: valueTarget(external.targetValue, external.targetAverageValue),
    },
  });
}

const currentOf = ({ current }: v2.ResourceMetricStatus) => ({
  currentAverageUtilization: current.averageUtilization,
  currentAverageValue: current.averageValue ?? "0",
});

function statusToV1(status: v2.MetricStatus): v1.MetricStatus {
  const { type, object, pods, resource, containerResource, external } = status;
  return compact({
    type,
    object: object && compact({
      target: object.describedObject,
      metricName: object.metric.name,
      currentValue: object.current.value ?? "0",
      selector: object.metric.selector,
      averageValue: object.current.averageValue,
    }),
    pods: pods && compact({
      metricName: pods.metric.name,
      currentAverageValue: pods.current.averageValue ?? "0",
      selector: pods.metric.selector,
    }),
    resource: resource && compact({ name: resource.name, ...currentOf(resource) }),
    containerResource: containerResource && compact({
      name: containerResource.name,
      ...currentOf(containerResource),
      container: containerResource.container,
    }),
    external: external && compact({
      metricName: external.metric.name,
      metricSelector: external.metric.selector,
      currentValue: external.current.value ?? "0",
      currentAverageValue: external.current.averageValue,
    }),
  });
}

const averagesOf = (status: v1.ResourceMetricStatus): v2.MetricValueStatus =>
  compact({
    averageValue: status.currentAverageValue,
    averageUtilization: status.currentAverageUtilization,
  });

function statusToV2(status: v1.MetricStatus): v2.MetricStatus {
  const { type, object, pods, resource, containerResource, external } = status;
  return compact({
    type,
    object: object && {
      describedObject: object.target,
      metric: compact({ name: object.metricName, selector: object.selector }),
      current: compact({ value: object.currentValue, averageValue: object.averageValue }),
    },
    pods: pods && {
      metric: compact({ name: pods.metricName, selector: pods.selector }),
      current: { averageValue: pods.currentAverageValue },
    },
    resource: resource && { name: resource.name, current: averagesOf(resource) },
    containerResource: containerResource && {
      name: containerResource.name,
      container: containerResource.container,
      current: averagesOf(containerResource),
    },
    external: external && {
      metric: compact({ name: external.metricName, selector: external.metricSelector }),
      current: compact({
        value: external.currentValue,
        averageValue: external.currentAverageValue,
      }),
    },
  });
}

/** In the annotation, behaviour stands in the spelling of upstream's inner type. */
function respell(value: unknown, spell: (key: string) => string): unknown {
  if (Array.isArray(value)) return value.map((item) => respell(item, spell));
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).filter(([, item]) => item !== null);
  return Object.fromEntries(entries.map(([key, item]) => [spell(key), respell(item, spell)]));
}

const capital = (key: string) => key.charAt(0).toUpperCase() + key.slice(1);
const lower = (key: string) => key.charAt(0).toLowerCase() + key.slice(1);

/** What an annotation carries; text that is not what it should be carries nothing. */
function carried(annotations: Readonly<Record<string, string>>, name: string): unknown {
  try {
    return name in annotations ? JSON.parse(annotations[name]) : undefined;
  } catch {
    return undefined;
  }
}

function carriedList<T>(annotations: Readonly<Record<string, string>>, name: string): T[] | null {
  const list = carried(annotations, name);
  const isSound = Array.isArray(list) &&
    list.every((item) => typeof item === "object" && item !== null);
  return isSound ? list : null;
}

function withAnnotations(
  metadata: KubeObject["metadata"],
  added: Readonly<Record<string, string>>,
): KubeObject["metadata"] {
  const kept = Object.entries(metadata.annotations ?? {}).filter(([key]) => !CARRIED.includes(key));
  const annotations = { ...Object.fromEntries(kept), ...added };
  const { annotations: _old, ...rest } = metadata;
  return Object.keys(annotations).length > 0 ? { ...rest, annotations } : rest;
}

/** From what is kept to what autoscaling/v1 shows. */
export function toFirstFace(stored: KubeObject): v1.HorizontalPodAutoscaler {
  const { spec, status, metadata, ...rest } = stored as v2.HorizontalPodAutoscaler;
  const metrics = spec?.metrics ?? [];
  const others = metrics.filter((metric) => !isCpuUtilization(metric)).map(metricToV1);
  const cpu = metrics.find(isCpuUtilization)?.resource?.target.averageUtilization;
  const currents = status?.currentMetrics ?? [];
  const cpuNow = currents.findLast((item) =>
    item.type === "Resource" &&
    item.resource?.name === "cpu" && item.resource.current.averageUtilization !== undefined
  )
    ?.resource?.current.averageUtilization;
  const added: Record<string, string> = {};
  if (others.length > 0) added[METRICS] = JSON.stringify(others);
  if (currents.length > 0) added[CURRENT_METRICS] = JSON.stringify(currents.map(statusToV1));
  if (spec?.behavior !== undefined) {
    added[BEHAVIOR] = JSON.stringify(respell(spec.behavior, capital));
  }
  if ((status?.conditions ?? []).length > 0) added[CONDITIONS] = JSON.stringify(status?.conditions);
  return {
    ...rest,
    apiVersion: "autoscaling/v1",
    metadata: withAnnotations(metadata, added),
    spec: compact({
      scaleTargetRef: spec?.scaleTargetRef,
      minReplicas: spec?.minReplicas,
      maxReplicas: spec?.maxReplicas ?? 0,
      targetCPUUtilizationPercentage: cpu,
    }),
    ...(status === undefined ? {} : {
      status: compact({
        observedGeneration: status.observedGeneration,
        lastScaleTime: status.lastScaleTime,
        currentReplicas: status.currentReplicas ?? 0,
        desiredReplicas: status.desiredReplicas ?? 0,
        currentCPUUtilizationPercentage: cpuNow,
      }),
    }),
  } as v1.HorizontalPodAutoscaler;
}

/** From what a client of autoscaling/v1 sent to what is kept. */
export function toSecondFace(object: KubeObject): v2.HorizontalPodAutoscaler {
  const { spec, status, metadata, ...rest } = object as v1.HorizontalPodAutoscaler;
  const annotations = metadata.annotations ?? {};
  const cpu = spec?.targetCPUUtilizationPercentage;
  const others = carriedList<v1.MetricSpec>(annotations, METRICS) ?? [];
  const metrics = [...others.map(metricToV2), ...(cpu === undefined ? [] : [cpuMetric(cpu)])];
  if (metrics.length === 0) metrics.push(cpuMetric(DEFAULT_CPU_PERCENT));
  const behavior = respell(carried(annotations, BEHAVIOR), lower);
  const hasBehavior = typeof behavior === "object" && behavior !== null &&
    Object.keys(behavior).length > 0;
  const cpuNow = status?.currentCPUUtilizationPercentage;
  const currents = carriedList<v1.MetricStatus>(annotations, CURRENT_METRICS)?.map(statusToV2) ??
    (cpuNow === undefined ? undefined : [{
      type: "Resource",
      resource: { name: "cpu", current: { averageUtilization: cpuNow } },
    }]);
  return {
    ...rest,
    apiVersion: "autoscaling/v2",
    metadata: withAnnotations(metadata, {}),
    spec: compact({
      scaleTargetRef: spec?.scaleTargetRef,
      minReplicas: spec?.minReplicas,
      maxReplicas: spec?.maxReplicas,
      metrics,
      behavior: hasBehavior ? behavior as v2.HorizontalPodAutoscalerBehavior : undefined,
    }),
    ...(status === undefined ? {} : {
      status: compact({
        observedGeneration: status.observedGeneration,
        lastScaleTime: status.lastScaleTime,
        currentReplicas: status.currentReplicas,
        desiredReplicas: status.desiredReplicas,
        currentMetrics: currents,
        conditions: carriedList<v2.HorizontalPodAutoscalerCondition>(annotations, CONDITIONS) ??
          undefined,
      }),
    }),
  } as v2.HorizontalPodAutoscaler;
}

/** The first face's place in its row. */
export const autoscalerStoredAs: NonNullable<Resource["storedAs"]> = {
  group: "autoscaling",
  version: "v2",
  plural: "horizontalpodautoscalers",
  fromStored: toFirstFace,
  toStored: toSecondFace,
};
