/**
 * Calls that are not calls: `has(a.b)`, `list.all(x, …)` and their kin become nodes of their own.
 * In: a call as parsed. Out: the node it stands for, undefined for a real call, or what is wrong.
 * Never: types. Source: the CEL language definition, section Macros; cel-go's ext/comprehensions.
 */
import type { Loop, Node } from "./ast.ts";
import type { SyntaxProblem } from "./lex.ts";

export interface ParsedCall {
  readonly at: number;
  readonly name: string;
  readonly target?: Node;
  readonly args: readonly Node[];
}

interface Form {
  readonly loop: Loop["loop"];
  readonly variables: 1 | 2;
  readonly filtered: boolean;
}

/** By name and number of arguments. */
const FORMS: ReadonlyMap<string, Form> = new Map(
  [
    ["all/2", { loop: "all", variables: 1, filtered: false }],
    ["exists/2", { loop: "exists", variables: 1, filtered: false }],
    ["exists_one/2", { loop: "existsOne", variables: 1, filtered: false }],
    ["existsOne/2", { loop: "existsOne", variables: 1, filtered: false }],
    ["map/2", { loop: "map", variables: 1, filtered: false }],
    ["map/3", { loop: "map", variables: 1, filtered: true }],
    ["filter/2", { loop: "filter", variables: 1, filtered: false }],
    ["all/3", { loop: "all", variables: 2, filtered: false }],
    ["exists/3", { loop: "exists", variables: 2, filtered: false }],
    ["existsOne/3", { loop: "existsOne", variables: 2, filtered: false }],
    ["transformList/3", { loop: "transformList", variables: 2, filtered: false }],
    ["transformList/4", { loop: "transformList", variables: 2, filtered: true }],
    ["transformMap/3", { loop: "transformMap", variables: 2, filtered: false }],
    ["transformMap/4", { loop: "transformMap", variables: 2, filtered: true }],
    ["transformMapEntry/3", { loop: "transformMapEntry", variables: 2, filtered: false }],
    ["transformMapEntry/4", { loop: "transformMapEntry", variables: 2, filtered: true }],
    ["optMap/2", { loop: "optMap", variables: 1, filtered: false }],
    ["optFlatMap/2", { loop: "optFlatMap", variables: 1, filtered: false }],
    ["sortBy/2", { loop: "sortBy", variables: 1, filtered: false }],
  ] as const,
);

/**
 * @param binds whether `cel.bind(name, value, expression)` may be used
 * @returns the node that the call stands for.
 */
export function expandMacro(call: ParsedCall, binds: boolean): Node | SyntaxProblem | undefined {
  const { at, name, target, args } = call;
  if (binds && target?.kind === "ident" && target.name === "cel" && name === "bind") {
    return args.length === 3 ? bind(at, args) : undefined;
  }
  if (target === undefined) {
    return name === "has" && args.length === 1 ? has(at, args[0]) : undefined;
  }
  const form = FORMS.get(`${name}/${args.length}`);
  if (form === undefined) return undefined;
  const names: string[] = [];
  for (const argument of args.slice(0, form.variables)) {
    if (argument.kind !== "ident" || argument.name.startsWith(".")) {
      return { at: argument.at, message: "argument must be a simple name" };
    }
    if (argument.name === "__result__" || argument.name === "@result") {
      return { at: argument.at, message: "iteration variable overwrites accumulator variable" };
    }
    names.push(argument.name);
  }
  if (names.length === 2 && names[0] === names[1]) {
    return { at: args[1].at, message: `duplicate variable name: ${names[1]}` };
  }
  return {
    kind: "loop",
    at,
    loop: form.loop,
    range: target,
    variables: names as [string] | [string, string],
    ...(form.filtered ? { filter: args[form.variables] } : {}),
    body: args[args.length - 1],
  };
}

/** A name for a value is the only round of a loop over that value: `[value].map(name, …)[0]`. */
function bind(at: number, [name, value, body]: readonly Node[]): Node | SyntaxProblem {
  if (name.kind !== "ident" || name.name.startsWith(".")) {
    return { at: name.at, message: "cel.bind() variable names must be simple identifiers" };
  }
  const range: Node = { kind: "list", at, elements: [{ value, optional: false }] };
  const loop: Loop = { kind: "loop", at, loop: "map", range, variables: [name.name], body };
  const first: Node = { kind: "literal", at, value: 0n };
  return { kind: "call", at, name: "_[_]", args: [loop, first] };
}

function has(at: number, argument: Node): Node | SyntaxProblem {
  if (argument.kind !== "select" || argument.optional || argument.test) {
    return { at, message: "invalid argument to has() macro" };
  }
  return { ...argument, test: true };
}
