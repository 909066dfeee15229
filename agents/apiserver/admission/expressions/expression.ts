/**
 * Expressions of admission, compiled once and evaluated within a budget.
 * In: source, bindings. Out: a value, or a message as upstream words it.
 * Never: evaluates beyond what a policy may spend on one request.
 * Source: apiserver's admission/plugin/cel (condition.go, composition.go), v1.36.
 */
import {
  CelError,
  type CelType,
  compile,
  type Compiled,
  COST_LIMIT_OF_CALL,
  COST_LIMIT_OF_REQUEST,
  type Environment,
  evaluate,
  formatType,
  LazyMap,
  type Value,
} from "../../../cel/mod.ts";

export interface Expression {
  readonly source: string;
  readonly compiled: Compiled;
}

/** What the expressions of one policy, or of one list of conditions, may still cost. */
export interface Budget {
  left: number;
}

export type Outcome =
  | { readonly kind: "value"; readonly value: Value }
  | { readonly kind: "error"; readonly message: string };

export type Bindings = Readonly<Record<string, unknown>>;

/** Nothing is left to spend: the rest is not evaluated. */
export class OutOfBudget extends Error {
  constructor() {
    super(
      "validation failed due to running out of cost budget, no further validation rules will be run",
    );
  }
}

/** For a policy's expressions on one request. */
export const newBudget = (): Budget => ({ left: COST_LIMIT_OF_REQUEST });
/** Conditions have a quarter of that. */
export const newConditionBudget = (): Budget => ({ left: COST_LIMIT_OF_REQUEST / 4 });

/** @param wanted types that it may evaluate to; DYN passes and is looked at when it has run */
export function compileExpression(
  source: string,
  names: Environment,
  wanted: readonly CelType[],
): Expression {
  const compiled = compile(source, names);
  if (compiled.kind === "refused" || wanted.length === 0) return { source, compiled };
  const { type } = compiled.program;
  if (type.kind === "dyn" || wanted.some((one) => formatType(one) === formatType(type))) {
    return { source, compiled };
  }
  const list = wanted.map(formatType);
  const message = list.length === 1
    ? `must evaluate to ${list[0]}`
    : `must evaluate to one of [${list.join(" ")}]`;
  return {
    source,
    compiled: { kind: "refused", problems: [{ at: 0, message, text: message }] },
  };
}

/** Why an expression does not compile; null where it does. */
export function compileProblem({ compiled }: Expression): string | null {
  if (compiled.kind === "compiled") return null;
  const text = compiled.problems.map((problem) => problem.text).join("\n");
  return text.startsWith("must evaluate") ? text : `compilation failed: ${text}`;
}

/** Errors: throws OutOfBudget. */
export function run(expression: Expression, bindings: Bindings, budget: Budget): Outcome {
  const { compiled, source } = expression;
  if (compiled.kind === "refused") {
    return { kind: "error", message: `compilation error: ${compileProblem(expression)}` };
  }
  const costLimit = Math.min(COST_LIMIT_OF_CALL, budget.left);
  const result = evaluate(compiled.program, bindings, { costLimit });
  budget.left -= result.cost;
  if (budget.left < 0 || (result.kind === "overBudget" && costLimit < COST_LIMIT_OF_CALL)) {
    throw new OutOfBudget();
  }
  if (result.kind === "value") return result;
  const message = `expression '${source}' resulted in error: ${result.message}`;
  return { kind: "error", message };
}

export interface NamedExpression extends Expression {
  readonly name: string;
}

/** Variables by name, computed when they are first read; those before are known to those after. */
export function lazyVariables(
  variables: readonly NamedExpression[],
  bindings: Bindings,
  budget: Budget,
): LazyMap {
  const byName = new Map(variables.map((variable) => [variable.name, variable]));
  const values: LazyMap = new LazyMap([...byName.keys()], (name) => {
    const problem = compileProblem(byName.get(name)!);
    if (problem !== null) {
      throw new CelError(`composited variable "${name}" fails to compile: ${problem}`);
    }
    const outcome = run(byName.get(name)!, { ...bindings, variables: values }, budget);
    if (outcome.kind === "value") return outcome.value;
    throw new CelError(`composited variable "${name}" fails to evaluate: ${outcome.message}`);
  });
  return values;
}
