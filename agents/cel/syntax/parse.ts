/**
 * Builds the tree of an expression.
 * In: source text. Out: its tree, or what is wrong and where.
 * Never: types, names' meaning. Source: the CEL grammar; upstream's limits on size and depth.
 */
import type { MapEntry, Node, Struct } from "./ast.ts";
import { lex, type SyntaxProblem, type Token } from "./lex.ts";
import { expandMacro } from "./macros.ts";

export type Parsed =
  | { readonly kind: "tree"; readonly tree: Node }
  | { readonly kind: "problem"; readonly problem: SyntaxProblem };

/** Longest source, in UTF-16 units. */
export const MAX_SOURCE = 100_000;
const MAX_DEPTH = 250;
/** Longest chain such as `a + b + c`, which nests to the left. */
const MAX_CHAIN = 500;
const MIN_INT = -(1n << 63n);
const RESERVED = new Set(
  ("as break const continue else for function if import let loop package namespace return var " +
    "void while").split(" "),
);

class Problem extends Error {
  constructor(readonly at: number, message: string) {
    super(message);
  }
}

/**
 * @param binds whether `cel.bind(name, value, expression)` may be used
 * @returns the tree of an expression.
 */
export function parse(source: string, binds = false): Parsed {
  if (source.length > MAX_SOURCE) {
    const message = `expression code point size exceeds limit: size: ${source.length}, ` +
      `limit ${MAX_SOURCE}`;
    return { kind: "problem", problem: { at: 0, message } };
  }
  const lexed = lex(source);
  if (lexed.kind === "problem") return lexed;
  try {
    return { kind: "tree", tree: new Parser(lexed.tokens, binds).parse() };
  } catch (problem) {
    if (!(problem instanceof Problem)) throw problem;
    return { kind: "problem", problem: { at: problem.at, message: problem.message } };
  }
}

const BINARY: readonly (readonly string[])[] = [
  ["<", "<=", ">", ">=", "==", "!=", "in"],
  ["+", "-"],
  ["*", "/", "%"],
];

function call(at: number, name: string, args: readonly Node[]): Node {
  return { kind: "call", at, name, args };
}

class Parser {
  #index = 0;
  #depth = 0;

  constructor(readonly tokens: readonly Token[], readonly binds: boolean) {}

  parse(): Node {
    const tree = this.#expression();
    if (this.#next.kind !== "end") throw this.#unexpected("<EOF>");
    return tree;
  }

  get #next(): Token {
    return this.tokens[this.#index];
  }

  #unexpected(expected: string): Problem {
    const { at, text } = this.#next;
    return new Problem(at, `Syntax error: mismatched input '${text}' expecting ${expected}`);
  }

  #tooDeep(): Problem {
    return new Problem(this.#next.at, `expression recursion limit exceeded: ${MAX_DEPTH}`);
  }

  #isOperator(text: string): boolean {
    return this.#next.kind === "operator" && this.#next.text === text;
  }

  #take(text: string): Token | undefined {
    return this.#isOperator(text) ? this.tokens[this.#index++] : undefined;
  }

  #expect(text: string): Token {
    const token = this.#take(text);
    if (token === undefined) throw this.#unexpected(`'${text}'`);
    return token;
  }

  #expression(): Node {
    if (++this.#depth > MAX_DEPTH) {
      throw this.#tooDeep();
    }
    const condition = this.#logical("||");
    const mark = this.#take("?");
    let tree = condition;
    if (mark !== undefined) {
      const yes = this.#logical("||");
      this.#expect(":");
      tree = call(mark.at, "_?_:_", [condition, yes, this.#expression()]);
    }
    this.#depth--;
    return tree;
  }

  #logical(operator: "||" | "&&"): Node {
    const below = () => operator === "||" ? this.#logical("&&") : this.#binary(0);
    const first = below();
    const terms = [first];
    let at = -1;
    for (let token; (token = this.#take(operator)) !== undefined;) {
      if (at < 0) at = token.at;
      terms.push(below());
    }
    return terms.length === 1 ? first : call(at, `_${operator}_`, terms);
  }

  #binary(level: number): Node {
    if (level === BINARY.length) return this.#unary();
    let tree = this.#binary(level + 1);
    for (let length = 0;; length++) {
      const { kind, text, at } = this.#next;
      if (kind !== "operator" || !BINARY[level].includes(text)) return tree;
      this.#index++;
      const name = text === "in" ? "@in" : `_${text}_`;
      tree = call(at, name, [tree, this.#binary(level + 1)]);
      if (length > MAX_CHAIN) throw this.#tooDeep();
    }
  }

  #unary(): Node {
    const { at } = this.#next;
    if (this.#isOperator("!")) {
      let count = 0;
      while (this.#take("!") !== undefined) count++;
      const operand = this.#member();
      return count % 2 === 1 ? call(at, "!_", [operand]) : operand;
    }
    if (!this.#isOperator("-")) return this.#member();
    let count = 0;
    while (this.#take("-") !== undefined) count++;
    const { kind, value } = this.#next;
    if (
      count === 1 && kind === "literal" && (typeof value === "bigint" || typeof value === "number")
    ) {
      this.#index++;
      if (typeof value === "bigint" && -value < MIN_INT) {
        throw new Problem(at, "invalid int literal");
      }
      return this.#members({ kind: "literal", at, value: -value });
    }
    const operand = this.#member();
    return count % 2 === 1 ? call(at, "-_", [operand]) : operand;
  }

  #member(): Node {
    return this.#members(this.#primary());
  }

  #members(first: Node): Node {
    let tree = first;
    for (let length = 0;; length++) {
      if (length > MAX_CHAIN) throw this.#tooDeep();
      const dot = this.#take(".");
      if (dot !== undefined) {
        tree = this.#selected(tree, dot.at);
        continue;
      }
      if (this.#isOperator("{")) {
        const name = qualifiedName(tree);
        if (name === undefined) return tree;
        tree = this.#struct(name);
        continue;
      }
      const bracket = this.#take("[");
      if (bracket === undefined) return tree;
      const optional = this.#take("?") !== undefined;
      const index = this.#expression();
      this.#expect("]");
      tree = call(bracket.at, optional ? "_[?_]" : "_[_]", [tree, index]);
    }
  }

  /** A field's name, bare or between backticks. */
  #fieldName(): { readonly field: string; readonly isQuoted: boolean } {
    const token = this.#next;
    if (token.kind !== "ident" && token.kind !== "quotedIdent") {
      throw this.#unexpected("IDENTIFIER");
    }
    this.#index++;
    const isQuoted = token.kind === "quotedIdent";
    return { field: isQuoted ? token.text.slice(1, -1) : token.text, isQuoted };
  }

  #selected(operand: Node, at: number): Node {
    const optional = this.#take("?") !== undefined;
    const { field, isQuoted } = this.#fieldName();
    const paren = optional || isQuoted ? undefined : this.#take("(");
    if (paren === undefined) {
      return { kind: "select", at, operand, field, test: false, optional };
    }
    return this.#expand({ at: paren.at, name: field, target: operand, args: this.#arguments(")") });
  }

  #expand(parts: { at: number; name: string; target?: Node; args: Node[] }): Node {
    const expanded = expandMacro(parts, this.binds);
    if (expanded === undefined) return { kind: "call", ...parts };
    if ("message" in expanded) throw new Problem(expanded.at, expanded.message);
    return expanded;
  }

  #arguments(close: string): Node[] {
    const args: Node[] = [];
    if (this.#take(close) !== undefined) return args;
    do args.push(this.#expression()); while (this.#take(",") !== undefined);
    this.#expect(close);
    return args;
  }

  #primary(): Node {
    const token = this.#next;
    if (token.kind === "literal") {
      this.#index++;
      if (typeof token.value === "bigint" && token.value > -MIN_INT - 1n) {
        throw new Problem(token.at, "invalid int literal");
      }
      return { kind: "literal", at: token.at, value: token.value! };
    }
    if (this.#take("(") !== undefined) {
      const inner = this.#expression();
      this.#expect(")");
      return inner;
    }
    if (this.#take("[") !== undefined) return this.#list(token.at);
    if (this.#take("{") !== undefined) return this.#map(token.at);
    const leading = this.#take(".") !== undefined ? "." : "";
    const ident = this.#next;
    if (ident.kind !== "ident") {
      throw this.#unexpected("{'[', '{', '(', '.', '-', '!', LITERAL, IDENTIFIER}");
    }
    this.#index++;
    if (RESERVED.has(ident.text)) {
      throw new Problem(ident.at, `reserved identifier: ${ident.text}`);
    }
    const name = leading + ident.text;
    const paren = this.#take("(");
    if (paren === undefined) return { kind: "ident", at: ident.at, name };
    return this.#expand({ at: paren.at, name, args: this.#arguments(")") });
  }

  #list(at: number): Node {
    const elements: { value: Node; optional: boolean }[] = [];
    while (!this.#isOperator("]")) {
      const optional = this.#take("?") !== undefined;
      elements.push({ optional, value: this.#expression() });
      if (this.#take(",") === undefined) break;
    }
    this.#expect("]");
    return { kind: "list", at, elements };
  }

  #map(at: number): Node {
    const entries: MapEntry[] = [];
    while (!this.#isOperator("}")) {
      const optional = this.#take("?") !== undefined;
      const key = this.#expression();
      const colon = this.#expect(":");
      entries.push({ at: colon.at, optional, key, value: this.#expression() });
      if (this.#take(",") === undefined) break;
    }
    this.#expect("}");
    return { kind: "map", at, entries };
  }

  #struct(name: string): Node {
    const { at } = this.#expect("{");
    const entries: Struct["entries"][number][] = [];
    while (!this.#isOperator("}")) {
      const optional = this.#take("?") !== undefined;
      const { field } = this.#fieldName();
      const colon = this.#expect(":");
      entries.push({ at: colon.at, field, optional, value: this.#expression() });
      if (this.#take(",") === undefined) break;
    }
    this.#expect("}");
    return { kind: "struct", at, name, entries };
  }
}

/** @returns `a.b.c` for a chain of plain selections, undefined for anything else. */
export function qualifiedName(tree: Node): string | undefined {
  if (tree.kind === "ident") return tree.name;
  if (tree.kind !== "select" || tree.test || tree.optional) return undefined;
  const operand = qualifiedName(tree.operand);
  return operand === undefined ? undefined : `${operand}.${tree.field}`;
}
