/**
 * The only door to the expression language of policies, custom resources and device selectors.
 * In: source text, the names it may use, and values. Out: a compiled program; what it evaluates to.
 * Never: I/O, clocks, or more steps than its budget allows.
 * Source: the CEL language definition; upstream's apiserver/pkg/cel/environment/base.go (v1.36).
 */
import { check } from "./check.ts";
import { estimateCost } from "./cost.ts";
import { BudgetSpent, type Frame, type Step } from "./frame.ts";
import { type Declaration, type FunctionTable, functionTable } from "./functions.ts";
import { Builder } from "./interpret.ts";
import { formats, quantities, versions } from "./library/amounts.ts";
import { authorizers } from "./library/authorizer.ts";
import { lists } from "./library/lists.ts";
import { addresses, urls } from "./library/net.ts";
import { standard } from "./library/standard.ts";
import { strings } from "./library/strings.ts";
import { operators } from "./operators.ts";
import type { Node } from "./syntax/ast.ts";
import type { SyntaxProblem } from "./syntax/lex.ts";
import { parse } from "./syntax/parse.ts";
import type { CelType } from "./types.ts";
import { CelError, fromJson, type Value } from "./values.ts";

export { type Declaration, global } from "./functions.ts";
export {
  type AccessAnswer,
  type AccessQuestion,
  type AskAccess,
  AUTHORIZER,
  authorizerValue,
  requestResourceValue,
  RESOURCE_CHECK,
} from "./library/authorizer.ts";
export { QUANTITY, quantityOf, SEMVER, semverOf } from "./library/amounts.ts";
export * from "./types.ts";
export {
  CelError,
  fromJson,
  LazyMap,
  ListValue,
  MapValue,
  Optional,
  toJson,
  type Value,
} from "./values.ts";

/** What one evaluation may cost, and all those of one request. */
export const COST_LIMIT_OF_CALL = 1_000_000;
export const COST_LIMIT_OF_REQUEST = 10_000_000;

/** The names an expression may use, made once for many expressions. */
export interface Environment {
  readonly variables: ReadonlyMap<string, CelType>;
  readonly functions: FunctionTable;
  readonly structs?: (name: string) => CelType | undefined;
  /** Whether `cel.bind` may be used; upstream lets selectors of devices only. */
  readonly binds?: boolean;
}

export interface Program {
  readonly source: string;
  /** What it evaluates to. */
  readonly type: CelType;
  /** The checked tree, for estimates. */
  readonly tree: Node;
  readonly environment: Environment;
  readonly step: Step;
  readonly slotCount: number;
}

export interface CompileProblem extends SyntaxProblem {
  /** The message with its place, as compilers print it. */
  readonly text: string;
}

export type Compiled =
  | { readonly kind: "compiled"; readonly program: Program }
  | { readonly kind: "refused"; readonly problems: readonly CompileProblem[] };

export type Evaluated =
  | { readonly kind: "value"; readonly value: Value; readonly cost: number }
  | { readonly kind: "error"; readonly message: string; readonly cost: number }
  | { readonly kind: "overBudget"; readonly message: string; readonly cost: number };

const library = functionTable(
  operators,
  standard,
  strings,
  lists,
  addresses,
  urls,
  quantities,
  versions,
  formats,
  authorizers,
);

/**
 * @param variables name to type; DYN for what no schema describes.
 * @param more functions besides the library's, and types that `Name{…}` may make.
 */
export function environment(
  variables: Readonly<Record<string, CelType>>,
  more: {
    readonly functions?: readonly Declaration[];
    readonly structs?: Environment["structs"];
    readonly binds?: boolean;
  } = {},
): Environment {
  const functions = more.functions === undefined ? library : functionTable(
    [...library.byName].flatMap(([name, overloads]) =>
      overloads.map((overload) => [name, overload] as const)
    ),
    more.functions,
  );
  return {
    variables: new Map(Object.entries(variables)),
    functions,
    ...(more.structs === undefined ? {} : { structs: more.structs }),
    ...(more.binds === undefined ? {} : { binds: more.binds }),
  };
}

/**
 * Compiles an expression.
 * @example
 * ```ts
 * import { compile, environment, evaluate, INT } from "./mod.ts";
 * const compiled = compile("x + 1", environment({ x: INT }));
 * if (compiled.kind === "refused") throw new Error(compiled.problems[0].text);
 * const result = evaluate(compiled.program, { x: 41 }, { costLimit: 1000 });
 * if (result.kind !== "value" || result.value !== 42n) throw new Error("not 42");
 * ```
 */
export function compile(source: string, names: Environment): Compiled {
  try {
    return compileTree(source, names);
  } catch (error) {
    // Levels of nesting that each are allowed may together be deeper than the stack.
    if (!(error instanceof RangeError)) throw error;
    return refused(source, [{ at: 0, message: "expression is nested too deeply" }]);
  }
}

function compileTree(source: string, names: Environment): Compiled {
  const parsed = parse(source, names.binds);
  if (parsed.kind === "problem") return refused(source, [parsed.problem]);
  const problems = check(parsed.tree, names);
  if (problems.length > 0) return refused(source, problems);
  const builder = new Builder(names);
  const step = builder.build(parsed.tree);
  const { tree } = parsed;
  const program = {
    source,
    type: tree.type!,
    tree,
    environment: names,
    step,
    slotCount: builder.slotCount,
  };
  return { kind: "compiled", program };
}

/** @returns the most steps that one evaluation may take; Infinity where nothing bounds them. */
export function maxCostOf(program: Program): number {
  return estimateCost(program.tree, program.environment.functions);
}

/** @returns whether an expression reads a variable. */
export function uses(program: Program, variable: string): boolean {
  const visit = (node: unknown): boolean => {
    if (typeof node !== "object" || node === null) return false;
    if (Array.isArray(node)) return node.some(visit);
    const { kind, name } = node as { kind?: string; name?: string };
    if (kind === "ident" && name === variable) return true;
    return Object.entries(node).some(([field, part]) => field !== "type" && visit(part));
  };
  return visit(program.tree);
}

function refused(source: string, problems: readonly SyntaxProblem[]): Compiled {
  return {
    kind: "refused",
    problems: problems.map((problem) => ({ ...problem, text: formatProblem(source, problem) })),
  };
}

/** `ERROR: <input>:1:6: …`, the line, and an arrow under the place. */
function formatProblem(source: string, { at, message }: SyntaxProblem): string {
  const before = source.slice(0, at).split("\n");
  const line = source.split("\n")[before.length - 1];
  const column = before[before.length - 1].length;
  return `ERROR: <input>:${before.length}:${column + 1}: ${message}\n | ${line}\n | ` +
    `${".".repeat(column)}^`;
}

/**
 * Evaluates a program.
 * @param variables JSON, or values, by name; a name that is left out fails where it is read.
 * @param options.costLimit steps, as upstream counts them; one takes some tens of nanoseconds.
 */
export function evaluate(
  program: Program,
  variables: Readonly<Record<string, unknown>>,
  options: { readonly costLimit: number },
): Evaluated {
  const slots: (Value | undefined)[] = new Array(program.slotCount).fill(undefined);
  const frame: Frame = { slots, cost: 0, costLimit: options.costLimit };
  try {
    let slot = 0;
    for (const [name, type] of program.environment.variables) {
      const given = variables[name];
      if (given !== undefined) slots[slot] = fromJson(given, type);
      slot++;
    }
    return { kind: "value", value: program.step(frame), cost: frame.cost };
  } catch (error) {
    if (error instanceof CelError) {
      return { kind: "error", message: error.message, cost: frame.cost };
    }
    if (error instanceof BudgetSpent || error instanceof RangeError) {
      const message = "operation cancelled: actual cost limit exceeded";
      return { kind: "overBudget", message, cost: frame.cost };
    }
    throw error;
  }
}
