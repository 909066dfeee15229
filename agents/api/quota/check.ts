/**
 * Whether a change fits into the quotas of its namespace, and what they have used with it.
 * In: quotas, a change. Out: the quotas' new usage, or a refusal in upstream's words.
 * Never: writes. Source: apiserver's admission/plugin/resourcequota/controller.go (v1.36).
 */
import type { KubeObject } from "../meta.ts";
import {
  addAll,
  beyond,
  formatAmounts,
  namesAbove,
  negativeNames,
  only,
  type QuotaAmounts,
  withoutZeros,
} from "./amounts.ts";
import { type LimitedQuestion, uncoveredReason } from "./limited.ts";
import type { Around, Measure, QuotaChange } from "./measure.ts";
import { scopeTermsOf } from "./scopes.ts";

/** A quota with what it has used by now. */
export interface RunningQuota {
  readonly quota: KubeObject;
  readonly used: QuotaAmounts;
}

export type LimitedCollection = Pick<LimitedQuestion, "limits" | "group" | "resource">;

export type QuotaOutcome =
  /** New usage by the quota's name; empty where the change costs nothing. */
  | { readonly kind: "fits"; readonly used: ReadonlyMap<string, QuotaAmounts> }
  | { readonly kind: "refused"; readonly reason: string };

const NOTHING: QuotaOutcome = { kind: "fits", used: new Map() };

/** Whether a quota is about an object, by what it limits and by its scopes. */
export function quotaMatches(quota: KubeObject, measure: Measure, object: KubeObject): boolean {
  return Object.keys(quota.status?.hard ?? {}).some(measure.counts) &&
    isInScopes(quota, measure, object);
}

export function isInScopes(quota: KubeObject, measure: Measure, object: KubeObject): boolean {
  return scopeTermsOf(quota).every((term) => measure.isInScope?.(object, term) === true);
}

export function checkQuotas(
  quotas: readonly RunningQuota[],
  measure: Measure,
  parts: {
    readonly change: QuotaChange;
    readonly nowMillis: number;
    readonly around: Around;
    /** What of the collection is used only where a quota covers it; absent = nothing. */
    readonly limited?: LimitedCollection;
  },
): QuotaOutcome {
  const { around, change, limited, nowMillis } = parts;
  const { object } = change;
  const concerned = quotas.filter(({ quota }) => quotaMatches(quota, measure, object));
  for (const { quota } of concerned) {
    const reason = unready(quota, measure, object);
    if (reason !== null) return { kind: "refused", reason };
  }
  if (concerned.length === 0 && limited === undefined) return NOTHING;
  const usage = measure.usage(object, nowMillis, around);
  const negative = negativeNames(usage);
  if (negative.length > 0) {
    const reason = `quota usage is negative for resource(s): ${negative.sort().join(",")}`;
    return { kind: "refused", reason };
  }
  if (limited !== undefined && addsAnything(concerned, measure, { ...parts, usage })) {
    const covered = concerned.flatMap(({ quota }) => Object.keys(quota.status.hard));
    const reason = uncoveredReason({
      ...limited,
      measure,
      object,
      usage,
      quotas: quotas.map(({ quota }) => quota),
      covered: new Set(covered),
    });
    if (reason !== null) return { kind: "refused", reason };
  }
  const next = new Map<string, QuotaAmounts>();
  for (const running of concerned) {
    const { quota, used } = running;
    const hard: QuotaAmounts = quota.status.hard;
    const delta = withoutZeros(deltaFor(quota, measure, { ...parts, usage }));
    const requested = only(delta, Object.keys(hard));
    if (Object.keys(requested).length === 0) continue;
    const total = addAll(used, requested);
    const above = namesAbove(only(total, Object.keys(requested)), hard);
    if (above.length > 0 && change.subresource !== "status") {
      const shown = (amounts: QuotaAmounts) => formatAmounts(only(amounts, above));
      const reason = `exceeded quota: ${quota.metadata.name}, requested: ${shown(requested)}, ` +
        `used: ${shown(used)}, limited: ${shown(hard)}`;
      return { kind: "refused", reason };
    }
    next.set(quota.metadata.name!, total);
  }
  return { kind: "fits", used: next };
}

/** A change and what the object uses after it. */
interface Charge {
  readonly change: QuotaChange;
  readonly nowMillis: number;
  readonly around: Around;
  readonly usage: QuotaAmounts;
}

/** Whether a change uses more than before, of any quota, or at all where none is about it. */
function addsAnything(
  concerned: readonly RunningQuota[],
  measure: Measure,
  parts: Charge,
): boolean {
  const { around, change: { operation, old }, nowMillis, usage } = parts;
  const isMore = (delta: QuotaAmounts) => Object.keys(withoutZeros(delta)).length > 0;
  if (concerned.length > 0) {
    return concerned.some(({ quota }) => isMore(deltaFor(quota, measure, parts)));
  }
  const before = operation === "UPDATE" && old !== null
    ? measure.usage(old, nowMillis, around)
    : {};
  return isMore(beyond(usage, before));
}

/** Why a quota can't take an object at all. */
function unready(quota: KubeObject, measure: Measure, object: KubeObject): string | null {
  const { name } = quota.metadata;
  const names = Object.keys(quota.status.hard).filter(measure.counts);
  const missing = measure.missing?.(object, names) ?? null;
  if (missing !== null) return `failed quota: ${name}: ${missing}`;
  const known = quota.status.used ?? {};
  if (names.every((one) => one in known)) return null;
  return `status unknown for quota: ${name}, resources: ${names.sort().join(",")}`;
}

/** An update is charged for what it adds, where the quota had counted the object before. */
function deltaFor(
  quota: KubeObject,
  measure: Measure,
  parts: Charge,
): QuotaAmounts {
  const { change: { operation, old }, nowMillis, around, usage } = parts;
  if (operation !== "UPDATE" || old === null || !quotaMatches(quota, measure, old)) return usage;
  return beyond(usage, measure.usage(old, nowMillis, around));
}
