/**
 * `metrics.k8s.io`: what nodes and running pods use, measured when it is asked.
 * In: the caches of nodes and pods, what their kubelets measure. Out: NodeMetrics, PodMetrics.
 * Never: keeps an object, or tells of a pod of which a container was not measured.
 * Source: metrics-server's pkg/api (v0.8).
 */
import type { ApiCall, CallTarget } from "../../../api/call.ts";
import type { KubeObject } from "../../../api/meta.ts";
import { formatQuantity } from "../../../api/quantity.ts";
import { nodeMetrics, nodes, pods } from "../../../api/resources.ts";
import type { NodeMetrics, PodMetrics, UsageList } from "../../../api/schema/metrics_v1beta1.ts";
import { notFound } from "../../../api/status.ts";
import { formatDuration, formatTime } from "../../../api/time.ts";
import type { Usage } from "../../usage/usage_collector.ts";
import { apiVersionOf, cacheOf, type Core, prefixOf, type VerbAnswer, waitFresh } from "../core.ts";
import { selectionOf, type SelectorTexts } from "../selection.ts";

/** Errors: rejects with ApiError 400 for selectors that can't be read, 404, 405. */
export async function askUsage(core: Core, call: ApiCall): Promise<VerbAnswer> {
  await waitFresh(core);
  const texts = call.verb === "list" ? call.options : {};
  const measured = call.resource === nodeMetrics
    ? await measureNodes(core, call, texts)
    : await measurePods(core, call, texts);
  if (call.verb === "list") {
    return { kind: "plainList", items: measured, metadata: { resourceVersion: "" } };
  }
  if (measured.length > 0) return { kind: "plain", object: measured[0], created: false };
  const { namespace, name, resource: { group, kind } } = call;
  const shown = namespace === "" ? name : `${namespace}/${name}`;
  throw notFound({ group, resource: kind.toLowerCase() }, shown);
}

/** The objects behind a request: nodes or pods that it names or selects. */
function subjectsOf(core: Core, call: CallTarget, texts: SelectorTexts): KubeObject[] {
  const { matches = () => true } = selectionOf(call, texts);
  const behind = call.resource === nodeMetrics ? nodes : pods;
  const place = call.namespace === "" ? "" : `${call.namespace}/`;
  return cacheOf(core, behind).select({ keyPrefix: prefixOf(behind) + place, matches })
    .map(({ object }) => object);
}

async function measureNodes(
  core: Core,
  call: CallTarget,
  texts: SelectorTexts,
): Promise<NodeMetrics[]> {
  const subjects = subjectsOf(core, call, texts);
  const usages = await core.usage.usageOf(subjects.map(({ metadata }) => metadata.name!));
  return subjects.flatMap((node) => {
    const usage = usages.get(node.metadata.name!)?.node;
    if (usage === undefined) return [];
    return [{ ...headOf(core, call, node, [usage]), usage: usageList(usage) }];
  });
}

async function measurePods(
  core: Core,
  call: CallTarget,
  texts: SelectorTexts,
): Promise<PodMetrics[]> {
  const subjects = subjectsOf(core, call, texts)
    .filter((pod) => pod.status?.phase === "Running" && pod.spec.nodeName);
  const names = new Set<string>(subjects.map((pod) => pod.spec.nodeName));
  const usages = await core.usage.usageOf([...names]);
  return subjects.flatMap((pod) => {
    const { name, namespace } = pod.metadata;
    const measured = usages.get(pod.spec.nodeName)?.pods.get(`${namespace}/${name}`);
    const wanted: { name: string }[] = pod.spec.containers;
    if (measured === undefined || !wanted.every((one) => measured.has(one.name))) return [];
    const containers = [...measured].map(([container, usage]) => ({
      name: container,
      usage: usageList(usage),
    }));
    return [{ ...headOf(core, call, pod, [...measured.values()]), containers }];
  });
}

/** What both kinds begin with; a pod's window is that of its container measured first. */
function headOf(core: Core, call: CallTarget, of: KubeObject, usages: readonly Usage[]) {
  const { name, namespace, labels } = of.metadata;
  const first = usages.reduce((a, b) => a.atMillis <= b.atMillis ? a : b);
  return {
    kind: call.resource.kind,
    apiVersion: apiVersionOf(call.resource),
    metadata: {
      name,
      ...(namespace === undefined ? {} : { namespace }),
      creationTimestamp: formatTime(core.nowMillis),
      ...(labels === undefined ? {} : { labels }),
    },
    timestamp: formatTime(first.atMillis),
    window: formatDuration(first.windowMillis * 1e6),
  };
}

function usageList({ cpuCores, memoryBytes }: Usage): UsageList {
  const nanos = BigInt(Math.round(cpuCores * 1e9));
  const bytes = BigInt(Math.round(memoryBytes));
  return {
    cpu: formatQuantity({ nanos, format: "DecimalSI" }),
    memory: formatQuantity({ nanos: bytes * 1_000_000_000n, format: "BinarySI" }),
  };
}
