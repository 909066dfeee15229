/**
 * Subresources that write one corner of an object and nothing else.
 * In: a target. Out: how its subresource prepares and checks a draft.
 * Never: knows a kind's own parts; those stand among the kind's rules.
 * Source: the strategy of namespaces/finalize (v1.36).
 */
import type { CallTarget } from "../../api/call.ts";
import type { KubeObject } from "../../api/meta.ts";
import type { PartRules } from "../../api/resource.ts";

/** Parts that need no rules of a kind. */
const SHARED_PARTS: ReadonlyMap<string, PartRules> = new Map([
  ["finalize", { prepare: keepAllButFinalizers }],
]);

/** @returns undefined where the subresource writes the object as a whole */
export function partRulesOf(
  target: Pick<CallTarget, "resource" | "subresource">,
): PartRules | undefined {
  const { resource: { rules }, subresource } = target;
  if (subresource === "") return undefined;
  return rules.parts?.[subresource] ?? SHARED_PARTS.get(subresource);
}

function keepAllButFinalizers(draft: KubeObject, old: KubeObject): void {
  const sent = draft.spec?.finalizers;
  for (const field of new Set([...Object.keys(draft), ...Object.keys(old)])) {
    if (field === "metadata") continue;
    if (old[field] === undefined) delete draft[field];
    else draft[field] = old[field];
  }
  const { finalizers: _before, ...rest } = old.spec ?? {};
  draft.spec = sent === undefined ? rest : { ...rest, finalizers: sent };
}
