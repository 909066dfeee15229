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
import { MAX_REQUEST, minSize } from "./schema/cel_types.ts";
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
  check.visit(schema, at, { isRoot: true, count: 1, uncorrelatable: null });
  if (check.total > SCHEMA_LIMIT) {
    for (const path of check.mostExpensive) {
      const detail = "contributed to estimated rule cost total exceeding cost limit for entire " +
        "OpenAPIv3 schema";
      check.errors.push({ type: "forbidden", path, detail });
    }
    const what = "x-kubernetes-validations estimated rule cost total for entire OpenAPIv3 schema";
    const detail = overBudget(what, check.total / SCHEMA_LIMIT);
    check.errors.push({ type: "forbidden", path: at, detail });
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
  /** How often a value of this place can stand in one object; null = nothing bounds it. */
  readonly count: number | null;
  /** Path of the part around whose old values nobody can find again; null = there is none. */
  readonly uncorrelatable: string | null;
}

/** So many of the dearest rules are named, where each is a hundredth of the limit at least. */
const MOST_NAMED = 4;

class SchemaCheck {
  readonly errors: FieldError[] = [];
  total = 0;
  readonly #costs: { readonly path: string; readonly cost: number }[] = [];

  /** Paths of the dearest rules, the dearest first. */
  get mostExpensive(): string[] {
    return this.#costs.filter(({ cost }) => cost >= SCHEMA_LIMIT / 100)
      .sort((a, b) => b.cost - a.cost).slice(0, MOST_NAMED).map(({ path }) => path);
  }

  visit(schema: Schema, at: string, place: Place): void {
    const { isRoot, count } = place;
    // Where nothing else bounds them, the size of a request does.
    const most = count ?? Math.floor(MAX_REQUEST / (minSize(schema) + 1));
    compileRules(schema, isRoot).forEach((rule, index) =>
      this.#rule(rule, `${at}.x-kubernetes-validations[${index}]`, {
        count: most,
        uncorrelatable: place.uncorrelatable,
      })
    );
    if (schema.default !== undefined) this.#default(schema, `${at}.default`);
    const limit = declaredCount(schema);
    const inner = {
      isRoot: false,
      count: count === null || limit === null ? null : count * limit,
      uncorrelatable: place.uncorrelatable,
    };
    const ofFields = schema["x-kubernetes-map-type"] === "atomic" ? lost(inner, at) : inner;
    for (const [name, part] of Object.entries(schema.properties ?? {})) {
      this.visit(part, `${at}.properties[${name}]`, ofFields);
    }
    const items = itemsOf(schema);
    if (items !== undefined) {
      const isMap = schema["x-kubernetes-list-type"] === "map";
      this.visit(items, `${at}.items`, isMap ? inner : lost(inner, at));
    }
    const values = valuesOf(schema);
    if (values !== undefined) this.visit(values, `${at}.additionalProperties`, inner);
  }

  #rule(
    { source, problem, program, message, isTransition }: CompiledRule,
    at: string,
    { count, uncorrelatable }: { readonly count: number; readonly uncorrelatable: string | null },
  ) {
    if (problem !== undefined) {
      const { field, message: detail } = problem;
      this.errors.push({ type: "invalid", path: `${at}.${field}`, value: source, detail });
    }
    this.#cost(program, `${at}.rule`, "estimated rule cost", count);
    this.#cost(message, `${at}.messageExpression`, "estimated messageExpression cost", 1);
    if (program === undefined) return;
    if (isTransition && uncorrelatable !== null) {
      const detail = "oldSelf cannot be used on the uncorrelatable portion of the schema within " +
        uncorrelatable;
      this.errors.push({ type: "invalid", path: `${at}.rule`, value: source.rule, detail });
    }
    if (!isTransition && source.optionalOldSelf !== undefined) {
      const detail = "may not be set if oldSelf is not used in rule";
      const value = source.optionalOldSelf;
      this.errors.push({ type: "invalid", path: `${at}.optionalOldSelf`, value, detail });
    }
  }

  #cost(program: CompiledRule["program"], path: string, what: string, count: number): void {
    if (program === undefined) return;
    const cost = maxCostOf(program) * count;
    this.total += cost;
    this.#costs.push({ path, cost });
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

/** Within `at` an old value can't be told from another; the outermost such part is named. */
function lost(place: Place, at: string): Place {
  return place.uncorrelatable === null ? { ...place, uncorrelatable: at } : place;
}

/** How many values the schema itself lets its parts have; null = as many as there are. */
function declaredCount(schema: Schema): number | null {
  switch (schema.type) {
    case "object":
      return schema.additionalProperties === undefined ? 1 : schema.maxProperties ?? null;
    case "array":
      return schema.maxItems ?? null;
    default:
      return 1;
  }
}
