/**
 * The rules of runtime classes.
 * In: drafts. Out: checks, columns. Never: knows what a handler does.
 * Source: pkg/apis/node/validation (v1.36).
 */
import { checkDns1123Label } from "../../names.ts";
import { validateLabels } from "../../object_meta.ts";
import type { Rules } from "../../resource.ts";
import type { RuntimeClass } from "../../schema/generated/node_v1.ts";
import { ageColumn, column, nameColumn } from "../columns.ts";
import { validateTolerations } from "../pod/validate_placement.ts";
import { validateContainerResources } from "../pod/validate_resources.ts";
import { Problems } from "../problems.ts";

export type { RuntimeClass } from "../../schema/generated/node_v1.ts";

export const runtimeClassRules: Rules = {
  validate: (draft) => {
    const problems = new Problems();
    const { handler, overhead, scheduling } = draft as RuntimeClass;
    if (!handler) problems.required("handler");
    else problems.checkName("handler", handler, checkDns1123Label);
    if (overhead !== undefined) {
      validateContainerResources(problems, "overhead", { limits: overhead.podFixed });
    }
    if (scheduling === undefined) return problems.errors;
    validateLabels(problems, "scheduling.nodeSelector", scheduling.nodeSelector);
    const tolerations = scheduling.tolerations ?? [];
    validateTolerations(problems, "scheduling.tolerations", tolerations);
    const seen = new Set<string>();
    tolerations.forEach((toleration, index) => {
      const { key, operator, value, effect } = toleration;
      const identity = JSON.stringify([key, operator, value, effect]);
      if (seen.has(identity)) problems.duplicate(`scheduling.tolerations[${index}]`, toleration);
      seen.add(identity);
    });
    return problems.errors;
  },
  validateUpdate: (draft, old) => {
    const problems = new Problems();
    problems.immutable("handler", draft.handler, old.handler);
    return problems.errors;
  },
  generationFields: [],
  columns: [
    nameColumn,
    column("Handler", "How the container runtime calls it.", (item) => item.handler ?? ""),
    ageColumn,
  ],
};
