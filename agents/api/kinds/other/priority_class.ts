/**
 * The rules of priority classes.
 * In: drafts. Out: defaults, checks, columns. Never: resolves a pod's priority; admission does.
 * Source: pkg/apis/scheduling/validation (v1.36).
 */
import type { KubeObject } from "../../meta.ts";
import type { FieldError, Rules } from "../../resource.ts";
import { ageColumn, column, nameColumn } from "../columns.ts";
import { Problems } from "../problems.ts";

export type { PriorityClass } from "../../schema/generated/scheduling_v1.ts";

/** Users' classes stay below; above are the system's. */
export const HIGHEST_USER_PRIORITY = 1_000_000_000;
/** The classes that a cluster always has. */
export const SYSTEM_CLASSES: Readonly<Record<string, number>> = {
  "system-cluster-critical": 2_000_000_000,
  "system-node-critical": 2_000_001_000,
};
const SYSTEM_PREFIX = "system-";
const POLICIES = ["Never", "PreemptLowerPriority"];

function validate(draft: KubeObject): FieldError[] {
  const problems = new Problems();
  const name = draft.metadata.name ?? "";
  const value: number = draft.value ?? 0;
  if (name.startsWith(SYSTEM_PREFIX)) {
    if (SYSTEM_CLASSES[name] !== value) {
      problems.forbidden(
        "metadata.name",
        "priority class names with '" + SYSTEM_PREFIX + "' prefix are reserved for system use only",
      );
    }
  } else if (value > HIGHEST_USER_PRIORITY) {
    problems.forbidden(
      "value",
      `maximum allowed value of a user defined priority is ${HIGHEST_USER_PRIORITY}`,
    );
  }
  problems.oneOf("preemptionPolicy", draft.preemptionPolicy, POLICIES);
  return problems.errors;
}

export const priorityClassRules: Rules = {
  setDefaults: (draft) => {
    draft.preemptionPolicy ??= "PreemptLowerPriority";
    draft.value ??= 0;
  },
  validate,
  validateUpdate: (draft, old) => {
    const problems = new Problems();
    if ((draft.value ?? 0) !== (old.value ?? 0)) {
      problems.forbidden("value", "may not be changed in an update.");
    }
    problems.immutable("preemptionPolicy", draft.preemptionPolicy, old.preemptionPolicy);
    return problems.errors;
  },
  generationFields: ["value", "globalDefault", "description", "preemptionPolicy"],
  columns: [
    nameColumn,
    column("Value", "Priority of pods of this class.", (item) => item.value ?? 0, {
      type: "integer",
    }),
    column(
      "Global-Default",
      "Whether pods without a class get it.",
      (item) => item.globalDefault === true,
      { type: "boolean" },
    ),
    ageColumn,
    column(
      "PreemptionPolicy",
      "Whether its pods may displace others.",
      (item) => item.preemptionPolicy ?? "",
    ),
  ],
};
