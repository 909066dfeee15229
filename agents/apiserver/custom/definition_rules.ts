/**
 * Looks at the rules and defaults of a definition before anybody depends on them.
 * In: a definition that is created or changed. Out: nothing, or field errors by path.
 * Never: refuses what stands in the definition unchanged.
 * Source: apiextensions-apiserver's apis/apiextensions/validation and schema/defaulting (v1.36).
 */
import type { CustomResourceDefinition } from "../../api/kinds/extensions/custom_resource_definition.ts";
import { equalJson } from "../../api/patch/json_patch.ts";
import type { FieldError } from "../../api/resource.ts";
import { customResourceDefinitions } from "../../api/resources.ts";
import { invalid } from "../../api/status.ts";
import { maxCostOf } from "../../cel/mod.ts";
import type { AdmissionPlugin } from "../admission/admission.ts";
import { copyJson } from "../registry.ts";
import { MAX_REQUEST, maxCount, minSize } from "./schema/cel_types.ts";
import { itemsOf, pruneObject, type Schema, valuesOf } from "./schema/prune.ts";
import { type CompiledRule, compileRules } from "./schema/rules.ts";
import { validateValue } from "./schema/validate.ts";

/** The most that one rule, and all rules of a schema, may be estimated to cost. */
const RULE_LIMIT = 10_000_000;
const SCHEMA_LIMIT = 100_000_000;

export const definitionRules: AdmissionPlugin = {
  name: "CustomResourceDefinitionRules",
  validate({ resource, subresource, operation, object, old, name }) {
    if (resource !== customResourceDefinitions || subresource !== "") return;
    if (operation !== "CREATE" && operation !== "UPDATE") return;
    const { spec } = object as CustomResourceDefinition;
    const before = (old as CustomResourceDefinition | null)?.spec;
    const errors = spec!.versions.flatMap((version, index) => {
      const schema = version.schema?.openAPIV3Schema;
      const known = before?.versions.find((one) => one.name === version.name)?.schema;
      if (schema === undefined || equalJson(schema, known?.openAPIV3Schema)) return [];
      return checkSchema(schema, `spec.versions[${index}].schema.openAPIV3Schema`);
    });
    if (errors.length > 0) throw invalid(resource, object!.metadata.name ?? name, errors);
  },
};

/** What is wrong with the rules and defaults of a schema. */
export function checkSchema(schema: Schema, at: string): FieldError[] {
  const check = new SchemaCheck();
  check.visit(schema, at, { isRoot: true, count: 1 });
  if (check.total > SCHEMA_LIMIT) {
    const what = "x-kubernetes-validations estimated rule cost total for entire OpenAPIv3 schema";
    check.errors.push({
      type: "forbidden",
      path: at,
      detail: overBudget(what, check.total / SCHEMA_LIMIT),
    });
  }
  return check.errors;
}

function overBudget(what: string, factor: number): string {
  const shown = factor > 100
    ? "more than 100x"
    : factor < 1.5
    ? `${factor.toFixed(6)}x`
    : `${factor.toFixed(1)}x`;
  return `${what} exceeds budget by factor of ${shown} (try simplifying the rule, or adding ` +
    "maxItems, maxProperties, and maxLength where arrays, maps, and strings are declared)";
}

interface Place {
  readonly isRoot: boolean;
  /** How often a value of this place can stand in one object. */
  readonly count: number;
}

class SchemaCheck {
  readonly errors: FieldError[] = [];
  total = 0;

  visit(schema: Schema, at: string, { isRoot, count }: Place): void {
    const mostFitting = Math.floor(MAX_REQUEST / (minSize(schema) + 1));
    const most = Math.min(count, mostFitting);
    compileRules(schema, isRoot).forEach((rule, index) =>
      this.#rule(rule, `${at}.x-kubernetes-validations[${index}]`, most)
    );
    if (schema.default !== undefined) this.#default(schema, `${at}.default`);
    const inner = count * maxCount(schema);
    for (const [name, part] of Object.entries(schema.properties ?? {})) {
      this.visit(part, `${at}.properties[${name}]`, { isRoot: false, count });
    }
    const items = itemsOf(schema);
    if (items !== undefined) this.visit(items, `${at}.items`, { isRoot: false, count: inner });
    const values = valuesOf(schema);
    if (values !== undefined) {
      this.visit(values, `${at}.additionalProperties`, { isRoot: false, count: inner });
    }
  }

  #rule(
    { source, problem, program, message, isTransition }: CompiledRule,
    at: string,
    count: number,
  ) {
    if (problem !== undefined) {
      const { field, message: detail } = problem;
      this.errors.push({ type: "invalid", path: `${at}.${field}`, value: source, detail });
    }
    if (source.optionalOldSelf !== undefined && program !== undefined && !isTransition) {
      const detail = "may not be set if oldSelf is not used in rule";
      const value = source.optionalOldSelf;
      this.errors.push({ type: "invalid", path: `${at}.optionalOldSelf`, value, detail });
    }
    this.#cost(program, `${at}.rule`, "estimated rule cost", count);
    this.#cost(message, `${at}.messageExpression`, "estimated messageExpression cost", 1);
  }

  #cost(program: CompiledRule["program"], path: string, what: string, count: number): void {
    if (program === undefined) return;
    const cost = maxCostOf(program) * count;
    this.total += cost;
    if (cost <= RULE_LIMIT) return;
    this.errors.push({ type: "forbidden", path, detail: overBudget(what, cost / RULE_LIMIT) });
  }

  /** A default has to be what the schema around it allows. */
  #default(schema: Schema, path: string): void {
    const value = copyJson(schema.default);
    for (const error of validateValue(schema, value)) {
      const inside = error.path === "<nil>" || error.path === "" ? path : `${path}.${error.path}`;
      this.errors.push({ ...error, path: inside });
    }
    const pruned = { value: copyJson(value) };
    let unknown = "";
    pruneObject({ type: "object", properties: { value: schema } }, pruned, (one) => {
      unknown ||= one.replace(/^value\.?/, "");
    });
    if (unknown === "") return;
    this.errors.push({
      type: "invalid",
      path,
      value,
      detail: `must not have unknown fields: ${unknown}`,
    });
  }
}
