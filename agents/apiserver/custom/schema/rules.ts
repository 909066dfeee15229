/**
 * The rules that stand in a schema: compiled when it is first seen, run on every write.
 * In: a schema, a value, on update the value before. Out: field errors.
 * Never: runs a rule of a part that an update leaves as it was, or past the request's budget.
 * Source: apiextensions-apiserver's schema/cel/{compilation,validation}.go (v1.36).
 */
import { equalJson } from "../../../api/patch/json_patch.ts";
import type { FieldError } from "../../../api/resource.ts";
import {
  compile,
  COST_LIMIT_OF_CALL,
  COST_LIMIT_OF_REQUEST,
  environment,
  evaluate,
  Optional,
  optionalOf,
  type Program,
  uses,
} from "../../../cel/mod.ts";
import { fromJson } from "../../../cel/mod.ts";
import { typeOfSchema } from "./cel_types.ts";
import { isObject, itemsOf, type Schema, valuesOf } from "./prune.ts";
import { twins } from "./validate.ts";

type Source = NonNullable<Schema["x-kubernetes-validations"]>[number];

/** One rule as it stands in a schema, compiled. */
export interface CompiledRule {
  readonly source: Source;
  /** What is wrong with it, worded as upstream does. */
  readonly problem?: { readonly field: "rule" | "messageExpression"; readonly message: string };
  readonly program?: Program;
  readonly message?: Program;
  readonly isTransition: boolean;
}

/** @param isRoot whether `self` is a whole object. */
export function compileRules(schema: Schema, isRoot: boolean): readonly CompiledRule[] {
  const sources = schema["x-kubernetes-validations"] ?? [];
  if (sources.length === 0) return [];
  const self = typeOfSchema(schema, isRoot);
  const plain = environment({ self, oldSelf: self });
  const optional = environment({ self, oldSelf: optionalOf(self) });
  return sources.map((source): CompiledRule => {
    const names = source.optionalOldSelf === true ? optional : plain;
    const rule = compile(source.rule ?? "", names);
    if (rule.kind === "refused") {
      const message = `compilation failed: ${rule.problems.map(({ text }) => text).join("\n")}`;
      return { source, problem: { field: "rule", message }, isTransition: false };
    }
    const { program } = rule;
    if (program.type.kind !== "bool") {
      const message = "cel expression must evaluate to a bool";
      return { source, problem: { field: "rule", message }, isTransition: false };
    }
    const isTransition = uses(program, "oldSelf");
    if (!source.messageExpression) return { source, program, isTransition };
    const message = compile(source.messageExpression, names);
    if (message.kind === "refused" || message.program.type.kind !== "string") {
      const why = message.kind === "refused"
        ? `compilation failed: ${message.problems.map(({ text }) => text).join("\n")}`
        : "must evaluate to a string";
      const problem = { field: "messageExpression" as const, message: `messageExpression ${why}` };
      return { source, problem, program, isTransition };
    }
    return { source, program, message: message.program, isTransition };
  });
}

/** The schema's parts, each with its rules. */
interface Plan {
  readonly schema: Schema;
  readonly rules: readonly CompiledRule[];
  readonly properties: ReadonlyMap<string, Plan>;
  readonly values?: Plan;
  readonly items?: Plan;
}

/** @returns null for a part without rules anywhere in it */
function planOf(schema: Schema, isRoot: boolean): Plan | null {
  const rules = compileRules(schema, isRoot);
  const properties = new Map<string, Plan>();
  for (const [name, part] of Object.entries(schema.properties ?? {})) {
    const plan = planOf(part, false);
    if (plan !== null) properties.set(name, plan);
  }
  const inner = (part: Schema | undefined) => part === undefined ? null : planOf(part, false);
  const values = inner(valuesOf(schema));
  const items = inner(itemsOf(schema));
  if (rules.length === 0 && properties.size === 0 && values === null && items === null) return null;
  return {
    schema,
    rules,
    properties,
    ...(values === null ? {} : { values }),
    ...(items === null ? {} : { items }),
  };
}

/** All rules of one version's schema. */
export class SchemaRules {
  #plan: Plan | null | undefined;

  constructor(readonly schema: Schema) {}

  /** @param old undefined on create. */
  check(value: unknown, old: unknown): FieldError[] {
    this.#plan ??= planOf(this.schema, true);
    if (this.#plan === null) return [];
    const run = new Run();
    run.check(this.#plan, { value, old }, "");
    return run.errors;
  }
}

interface Pair {
  readonly value: unknown;
  readonly old: unknown;
}

/** One pass over one object, with one budget. */
class Run {
  readonly errors: FieldError[] = [];
  #budget = COST_LIMIT_OF_REQUEST;

  check(plan: Plan, pair: Pair, at: string): void {
    const { value, old } = pair;
    if (value === null || value === undefined || this.#budget < 0) return;
    const isUnchanged = old !== undefined && equalJson(value, old);
    for (const rule of plan.rules) {
      // What was let through once may stay, unless the rule speaks of change.
      if (isUnchanged && !rule.isTransition) continue;
      this.#run(rule, plan.schema, pair, at);
      if (this.#budget < 0) return;
    }
    if (Array.isArray(value)) this.#list(plan, value, old, at);
    else if (isObject(value)) this.#object(plan, value, old, at);
  }

  #list(plan: Plan, value: readonly unknown[], old: unknown, at: string): void {
    const { items } = plan;
    if (items === undefined) return;
    const before = Array.isArray(old) ? twins(plan.schema, value, old) : undefined;
    value.forEach((item, index) =>
      this.check(items, { value: item, old: before?.(item) }, `${at}[${index}]`)
    );
  }

  #object(plan: Plan, value: Record<string, unknown>, old: unknown, at: string): void {
    const before = isObject(old) ? old : {};
    for (const name of Object.keys(value)) {
      const named = plan.properties.get(name);
      const inner = named ?? plan.values;
      if (inner === undefined) continue;
      const path = named === undefined ? `${at}[${name}]` : at === "" ? name : `${at}.${name}`;
      this.check(inner, { value: value[name], old: before[name] }, path);
    }
  }

  #run(rule: CompiledRule, schema: Schema, { value, old }: Pair, at: string): void {
    const { source, program } = rule;
    const type = schema.type ?? "";
    const path = at === "" ? "<nil>" : at;
    const fail = (detail: string) =>
      this.errors.push({ type: "invalid", path, value: type, detail });
    if (rule.problem?.field === "rule") {
      return void fail(`rule compile error: ${rule.problem.message}`);
    }
    if (program === undefined) return;
    const isOptional = source.optionalOldSelf === true;
    if (rule.isTransition && old === undefined && !isOptional) return;
    const self = typeOfSelf(program);
    const variables = {
      self: fromJson(value, self),
      ...(isOptional
        ? { oldSelf: new Optional(old === undefined ? undefined : fromJson(old, self)) }
        : old === undefined
        ? {}
        : { oldSelf: fromJson(old, self) }),
    };
    const result = evaluate(program, variables, { costLimit: COST_LIMIT_OF_CALL });
    this.#budget -= result.cost;
    if (this.#budget < 0 && result.kind !== "overBudget") {
      fail(
        "validation failed due to running out of cost budget, no further validation rules will " +
          "be run",
      );
      return;
    }
    switch (result.kind) {
      case "overBudget":
        this.#budget = -1;
        fail(
          `'${result.message}': no further validation rules will be run due to call cost exceeds ` +
            `limit for rule: ${source.rule}`,
        );
        return;
      case "error":
        fail(
          result.message.startsWith("no such overload")
            ? `'${result.message}': call arguments did not match a supported operator, function ` +
              `or macro signature for rule: ${source.rule}`
            : `${result.message} evaluating rule: ${source.rule}`,
        );
        return;
      case "value":
        if (result.value !== true) this.#refuse(rule, { value, type, at }, variables);
    }
  }

  #refuse(
    { source, message }: CompiledRule,
    { value, type, at }: { value: unknown; type: string; at: string },
    variables: Readonly<Record<string, unknown>>,
  ): void {
    let detail = source.message?.trim() || `failed rule: ${source.rule.trim()}`;
    if (message !== undefined) {
      const result = evaluate(message, variables, { costLimit: COST_LIMIT_OF_CALL });
      this.#budget -= result.cost;
      const text = result.kind === "value" ? result.value : undefined;
      if (typeof text === "string" && text.trim() !== "" && !text.includes("\n")) {
        detail = text.trim();
      }
    }
    const path = (at + (source.fieldPath ?? "")).replace(/^\./, "") || "<nil>";
    const shown = type === "object" || type === "array" ? {} : { value };
    this.errors.push(withReason(source.reason, path, shown, detail));
  }
}

function typeOfSelf(program: Program) {
  return program.environment.variables.get("self")!;
}

function withReason(
  reason: string | undefined,
  path: string,
  shown: { readonly value?: unknown },
  detail: string,
): FieldError {
  switch (reason) {
    case "FieldValueRequired":
      return { type: "required", path, detail };
    case "FieldValueForbidden":
      return { type: "forbidden", path, detail };
    case "FieldValueDuplicate":
      return { type: "duplicate", path, ...shown, detail: "" };
    default:
      return { type: "invalid", path, ...shown, detail };
  }
}
