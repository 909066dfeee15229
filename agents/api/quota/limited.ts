/**
 * What may be used only where a quota covers it.
 * In: the administrator's list, what an object uses, the quotas that are about it.
 * Out: a refusal in upstream's words, or null. Never: reads another object.
 * Source: apiserver's admission/plugin/resourcequota/controller.go (v1.36).
 */
import type { KubeObject } from "../meta.ts";
import type { QuotaAmounts } from "./amounts.ts";
import { withoutZeros } from "./amounts.ts";
import type { Measure } from "./measure.ts";
import { type ScopeTerm, scopeTermsOf } from "./scopes.ts";

export interface LimitedResource {
  readonly apiGroup: string;
  /** In small letters, plural. */
  readonly resource: string;
  /** Parts of the names of amounts: `cpu`, `requests.storage`. */
  readonly matchContains: readonly string[];
  /** Scopes of objects that need a quota which names the scope. */
  readonly matchScopes: readonly ScopeTerm[];
}

/** What is asked of one object. */
export interface LimitedQuestion {
  readonly limits: readonly LimitedResource[];
  readonly group: string;
  readonly resource: string;
  readonly measure: Measure;
  readonly object: KubeObject;
  readonly usage: QuotaAmounts;
  /** All quotas of the namespace. */
  readonly quotas: readonly KubeObject[];
  /** Names that the quotas which are about the object limit. */
  readonly covered: ReadonlySet<string>;
}

/** Why the object may not use what it does; null = it may. */
export function uncoveredReason(asked: LimitedQuestion): string | null {
  const { limits, group, resource, usage, covered } = asked;
  const own = limits.filter((one) => one.apiGroup === group && one.resource === resource);
  const parts = own.flatMap(({ matchContains }) => matchContains);
  const names = Object.keys(withoutZeros(usage))
    .filter((name) => parts.some((part) => name.includes(part)) && !covered.has(name));
  if (names.length > 0) return `insufficient quota to consume: ${names.sort().join(",")}`;
  const terms = uncoveredTerms(asked);
  if (terms.length === 0) return null;
  return `insufficient quota to match these scopes: [${terms.map(formatTerm).join(" ")}]`;
}

function uncoveredTerms({ limits, measure, object, quotas }: LimitedQuestion): ScopeTerm[] {
  const meets = (term: ScopeTerm) => measure.isInScope?.(object, term) === true;
  const limited = limits.flatMap(({ matchScopes }) => matchScopes).filter(meets);
  if (limited.length === 0) return [];
  const named = new Set(
    quotas.flatMap((quota) => scopeTermsOf(quota).filter(meets)).map(({ scopeName }) => scopeName),
  );
  return limited.filter(({ scopeName }) => !named.has(scopeName));
}

/** `{PriorityClass In [high]}` */
function formatTerm({ scopeName, operator, values = [] }: ScopeTerm): string {
  return `{${scopeName} ${operator} [${values.join(" ")}]}`;
}
