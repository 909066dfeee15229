/**
 * What most kinds do with status before a write: creators may not set it, updaters may not move it.
 * In: drafts. Out: the same drafts. Never: looks at what a status says.
 * Source: PrepareForCreate and PrepareForUpdate of upstream's registry strategies (v1.36).
 */
import type { KubeObject } from "../meta.ts";
import type { Rules } from "../resource.ts";

/** Puts back what stood in some top-level fields. */
export function restoreFields(
  draft: KubeObject,
  old: KubeObject,
  fields: readonly string[],
): void {
  for (const field of fields) {
    if (old[field] === undefined) delete draft[field];
    else draft[field] = old[field];
  }
}

/** @param fresh what a new object's status says. */
export function ownStatus(
  fresh: () => Record<string, unknown> = () => ({}),
): Pick<Rules, "prepareForCreate" | "prepareForUpdate"> {
  return {
    prepareForCreate: (draft) => {
      draft.status = fresh();
    },
    prepareForUpdate: (draft, old) => restoreFields(draft, old, ["status"]),
  };
}
