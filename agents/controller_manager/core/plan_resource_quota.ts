/**
 * PURE. Counts what the objects of a namespace use of its quotas, and writes it into their status.
 * In: a quota's key, the view, the time. Out: one status update.
 * Never: lowers what is used while admission is spending it: an object that is charged may not be
 * seen here yet. Source: pkg/controller/resourcequota (v1.36).
 */
import type { KubeObject } from "../../api/meta.ts";
import { addAll, canonicalAmounts, equalAmounts, only } from "../../api/quota/amounts.ts";
import type { QuotaAmounts } from "../../api/quota/amounts.ts";
import { isInScopes } from "../../api/quota/check.ts";
import { type Around, type Measure, measureOf } from "../../api/quota/measure.ts";
import { compareQuantities } from "../../api/quantity.ts";
import { deviceClasses, pods, resourceClaims, resourceQuotas } from "../../api/resources.ts";
import type { Resource } from "../../api/resource.ts";
import type { Action, Controller, PlanInput, View, Watch } from "../controller.ts";

/** A quota that nobody has spent from for this long is behind no object's back. */
const QUIET_MILLIS = 1_000;
/** Pods that are overdue stop counting without any change. */
const RESYNC_MILLIS = 5 * 60_000;
const SETTLE_MILLIS = 100;

interface Seen {
  readonly resourceVersion: string;
  readonly sinceMillis: number;
}

interface Counted {
  readonly resource: Resource;
  readonly measure: Measure;
}

/** The row of run.ts. @param all the collections of the cluster */
export function resourceQuotaController(all: readonly Resource[]): Controller {
  const seen = new Map<string, Seen>();
  const counted = all.flatMap((resource): Counted[] => {
    const measure = measureOf(resource.group, resource.plural);
    const isOne = resource.namespaced && resource.storedAs === undefined &&
      resource.verbs.includes("watch");
    return measure === undefined || !isOne ? [] : [{ resource, measure }];
  });
  return {
    name: "resourcequota-controller",
    workers: 5,
    watches: [...counted.map(watchOf), { resource: deviceClasses }],
    plan: (key, input) => planQuota(key, input, { counted, seen }),
  };
}

function watchOf({ resource, measure }: Counted): Watch {
  if (resource === resourceQuotas) {
    // Quotas may be counted as well: one more is news for all of the namespace.
    return {
      resource,
      keysOf: (quota, view) => [keyOf(quota), ...concerned(quota, view, measure)],
    };
  }
  return {
    resource,
    settleMillis: SETTLE_MILLIS,
    keysOf: (object, view) => concerned(object, view, measure),
    // Only what some kinds use can change with them.
    ...(measure.isInScope === undefined && resource.plural !== "services"
      ? { ignoreUpdate: () => true }
      : resource === pods
      ? { ignoreUpdate: isSameUse }
      : {}),
  };
}

function keyOf({ metadata: { namespace, name } }: KubeObject): string {
  return `${namespace}/${name}`;
}

function concerned(object: KubeObject, view: View, measure: Measure): readonly string[] {
  return view.list(resourceQuotas, object.metadata.namespace)
    .filter(({ spec }) => Object.keys(spec?.hard ?? {}).some(measure.counts)).map(keyOf);
}

/** Most updates of a pod are news of its health. */
function isSameUse(pod: KubeObject, old: KubeObject): boolean {
  return pod.status?.phase === old.status?.phase && pod.spec === old.spec &&
    pod.metadata.deletionTimestamp === old.metadata.deletionTimestamp;
}

/** @param memory.seen when each quota's version was first seen; the plan alone writes it. */
export function planQuota(
  key: string,
  input: PlanInput,
  memory: { readonly counted: readonly Counted[]; readonly seen: Map<string, Seen> },
): Action[] {
  const { view, nowMillis } = input;
  const [namespace, name] = key.split("/");
  const quota = view.get(resourceQuotas, { namespace, name });
  if (quota === undefined) {
    memory.seen.delete(key);
    return [];
  }
  const again: Action = { kind: "requeue", afterMillis: RESYNC_MILLIS };
  const hard = canonicalAmounts(quota.spec?.hard ?? {});
  const counted = usedIn(quota, hard, { view, nowMillis, counted: memory.counted });
  const before: QuotaAmounts = quota.status?.used ?? {};
  const used = only({ ...before, ...counted }, Object.keys(hard));
  const isSame = quota.status?.used !== undefined && equalAmounts(used, before) &&
    equalAmounts(hard, quota.status?.hard ?? {});
  if (isSame) return [again];
  const resourceVersion = quota.metadata.resourceVersion ?? "";
  let seen = memory.seen.get(key);
  if (seen?.resourceVersion !== resourceVersion) {
    memory.seen.set(key, seen = { resourceVersion, sinceMillis: nowMillis });
  }
  const isLower = Object.keys(used).some((one) =>
    one in before && compareQuantities(used[one], before[one]) < 0
  );
  const quietMillis = nowMillis - seen.sinceMillis;
  if (isLower && quietMillis < QUIET_MILLIS) {
    return [{ kind: "requeue", afterMillis: QUIET_MILLIS - quietMillis }];
  }
  const status = { hard, used };
  return [
    {
      kind: "update",
      resource: resourceQuotas,
      subresource: "status",
      object: { ...quota, status },
    },
    again,
  ];
}

/** What all objects of the quota's namespace use of what it limits. */
function usedIn(
  quota: KubeObject,
  hard: QuotaAmounts,
  parts: {
    readonly view: View;
    readonly nowMillis: number;
    readonly counted: readonly Counted[];
  },
): QuotaAmounts {
  const { view, nowMillis } = parts;
  const around: Around = {
    deviceClass: (name) => view.get(deviceClasses, { name }),
    pod: (namespace, name) => view.get(pods, { namespace, name }),
    claims: (namespace) => view.list(resourceClaims, namespace),
  };
  let used: QuotaAmounts = {};
  for (const { resource, measure } of parts.counted) {
    const names = Object.keys(hard).filter(measure.counts);
    if (names.length === 0) continue;
    used = addAll(used, Object.fromEntries(names.map((name) => [name, "0"])));
    for (const object of view.list(resource, quota.metadata.namespace)) {
      if (!isInScopes(quota, measure, object)) continue;
      used = addAll(used, only(measure.usage(object, nowMillis, around), names));
    }
  }
  return used;
}
