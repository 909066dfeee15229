/**
 * Words an autoscaler's metrics for its table: `cpu: 40%/80%, 3/10 + 1 more...`.
 * In: an autoscaler of autoscaling/v2. Out: one cell. Never: computes a metric.
 * Source: formatHPAMetrics of upstream's printers (v1.36).
 */
import { canonicalQuantity } from "../../quantity.ts";
import type {
  HorizontalPodAutoscaler,
  MetricSpec,
  MetricStatus,
  MetricTarget,
  MetricValueStatus,
} from "../../schema/generated/autoscaling_v2.ts";

const SHOWN = 2;
const UNKNOWN = "<unknown>";

function amount(value: string | number | undefined): string {
  return value === undefined ? UNKNOWN : canonicalQuantity(value) ?? UNKNOWN;
}

function pairOf(target: MetricTarget, current: MetricValueStatus | undefined): string {
  if (target.averageValue !== undefined) {
    return `${amount(current?.averageValue)}/${amount(target.averageValue)} (avg)`;
  }
  return `${amount(current?.value)}/${amount(target.value)}`;
}

function shareOf(
  name: string,
  target: MetricTarget,
  current: MetricValueStatus | undefined,
): string {
  if (target.averageValue !== undefined) {
    return `${name}: ${amount(current?.averageValue)}/${amount(target.averageValue)}`;
  }
  const percent = (value: number | undefined, missing: string) =>
    value === undefined ? missing : `${value}%`;
  const now = percent(current?.averageUtilization, UNKNOWN);
  return `${name}: ${now}/${percent(target.averageUtilization, "<auto>")}`;
}

function metricText(spec: MetricSpec, status: MetricStatus | undefined): string {
  const { object, pods, resource, containerResource, external } = spec;
  switch (spec.type) {
    case "External":
      return external ? pairOf(external.target, status?.external?.current) : UNKNOWN;
    case "Object":
      return object ? pairOf(object.target, status?.object?.current) : UNKNOWN;
    case "Pods": {
      const current = amount(status?.pods?.current.averageValue);
      return `${current}/${amount(pods?.target.averageValue)}`;
    }
    case "Resource":
      return resource
        ? shareOf(resource.name, resource.target, status?.resource?.current)
        : UNKNOWN;
    case "ContainerResource": {
      const current = status?.containerResource?.current;
      return containerResource
        ? shareOf(containerResource.name, containerResource.target, current)
        : UNKNOWN;
    }
    default:
      return "<unknown type>";
  }
}

/** The first two metrics and how many more there are. */
export function metricsCell({ spec, status }: HorizontalPodAutoscaler): string {
  const metrics = spec?.metrics ?? [];
  if (metrics.length === 0) return "<none>";
  const texts = metrics.map((metric, index) => metricText(metric, status?.currentMetrics?.[index]));
  const shown = texts.slice(0, SHOWN).join(", ");
  return texts.length > SHOWN ? `${shown} + ${texts.length - SHOWN} more...` : shown;
}
