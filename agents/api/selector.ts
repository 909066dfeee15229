/**
 * Label selectors (text and object form) and field selectors.
 * In: what stands in a query or a spec. Out: a parsed selector, or the upstream's sentence of what
 * is wrong; and whether labels or fields match. Never: reads objects beyond labels and fields.
 * Source: apimachinery labels/selector.go and fields/selector.go (v1.36).
 */
import type { LabelSelector } from "./meta.ts";
import { checkLabelValue, checkQualifiedName } from "./names.ts";
import { fieldErrorBody } from "./status.ts";

export type LabelOperator = "in" | "notin" | "=" | "==" | "!=" | "exists" | "!" | "gt" | "lt";

export interface LabelRequirement {
  readonly key: string;
  readonly operator: LabelOperator;
  /** Sorted, without duplicates. */
  readonly values: readonly string[];
}

/** All requirements must hold; none at all matches everything. */
export type ParsedLabelSelector = readonly LabelRequirement[];

export type SelectorResult<T> =
  | { readonly kind: "ok"; readonly selector: T }
  | { readonly kind: "error"; readonly message: string };

export type Labels = Readonly<Record<string, string>>;

type Token =
  | { readonly kind: "id" | "in" | "notin"; readonly text: string }
  | { readonly kind: ")" | "," | "!" | "==" | "=" | ">" | "<" | "!=" | "("; readonly text: string }
  | { readonly kind: "end" | "error"; readonly text: string };

const SYMBOLS: ReadonlySet<string> = new Set([")", ",", "!", "==", "=", ">", "<", "!=", "("]);
const SPECIAL = "=!(),><";
const BLANK = " \t\r\n";

class SelectorSyntaxError extends Error {}

function scan(text: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  while (at < text.length) {
    if (BLANK.includes(text[at])) {
      at++;
    } else if (SPECIAL.includes(text[at])) {
      const pair = text.slice(at, at + 2);
      const symbol = pair.length === 2 && SYMBOLS.has(pair) ? pair : text[at];
      tokens.push({ kind: symbol, text: symbol } as Token);
      at += symbol.length;
    } else {
      const from = at;
      while (at < text.length && !SPECIAL.includes(text[at]) && !BLANK.includes(text[at])) at++;
      const word = text.slice(from, at);
      const kind = word === "in" || word === "notin" ? word : "id";
      tokens.push({ kind, text: word });
    }
  }
  tokens.push({ kind: "end", text: "" });
  return tokens;
}

/** A recursive-descent reader over the tokens of one selector. */
class Reader {
  #at = 0;
  constructor(readonly tokens: readonly Token[]) {}

  peek(): Token {
    return this.tokens[Math.min(this.#at, this.tokens.length - 1)];
  }

  next(): Token {
    const token = this.peek();
    this.#at++;
    return token;
  }
}

/** Keywords count as identifiers wherever a value may stand. */
function isIdentifier(token: Token): boolean {
  return token.kind === "id" || token.kind === "in" || token.kind === "notin";
}

/**
 * Parses a selector's text.
 * @param text such as `app=web,tier in (a,b),!old`; blank selects everything.
 * @returns the requirements ordered by key, or the message of a 400 answer.
 */
export function parseLabelSelector(text: string): SelectorResult<ParsedLabelSelector> {
  try {
    const selector = parseRequirements(new Reader(scan(text)));
    return { kind: "ok", selector: selector.sort((a, b) => compareText(a.key, b.key)) };
  } catch (error) {
    if (error instanceof SelectorSyntaxError) return { kind: "error", message: error.message };
    throw error;
  }
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function parseRequirements(reader: Reader): LabelRequirement[] {
  const requirements: LabelRequirement[] = [];
  while (true) {
    const token = reader.peek();
    if (token.kind === "end") return requirements;
    if (!isIdentifier(token) && token.kind !== "!") {
      fail(`found '${token.text}', expected: !, identifier, or 'end of string'`);
    }
    requirements.push(parseRequirement(reader));
    const separator = reader.next();
    if (separator.kind === "end") return requirements;
    if (separator.kind !== ",") {
      fail(`found '${separator.text}', expected: ',' or 'end of string'`);
    }
    const following = reader.peek();
    if (!isIdentifier(following) && following.kind !== "!") {
      fail(`found '${following.text}', expected: identifier after ','`);
    }
  }
}

function fail(message: string): never {
  throw new SelectorSyntaxError(message);
}

function failRequirement(message: string): never {
  throw new SelectorSyntaxError(`unable to parse requirement: ${message}`);
}

function parseRequirement(reader: Reader): LabelRequirement {
  let token = reader.next();
  const negated = token.kind === "!";
  if (negated) token = reader.next();
  if (!isIdentifier(token)) failRequirement(`found '${token.text}', expected: identifier`);
  const key = token.text;
  const keyProblems = checkQualifiedName(key);
  if (keyProblems.length > 0) {
    failRequirement(problem("<nil>", key, keyProblems));
  }
  if (negated) return { key, operator: "!", values: [] };
  const ahead = reader.peek();
  if (ahead.kind === "end" || ahead.kind === ",") return { key, operator: "exists", values: [] };
  const operator = parseOperator(reader.next());
  const values = operator === "in" || operator === "notin"
    ? parseValues(reader)
    : [parseExactValue(reader)];
  checkRequirement(key, operator, values);
  return { key, operator, values };
}

function problem(path: string, value: string, details: readonly string[]): string {
  const body = fieldErrorBody({ type: "invalid", path, value, detail: details.join("; ") });
  return `${path}: ${body}`;
}

function parseOperator(token: Token): LabelOperator {
  switch (token.kind) {
    case "in":
    case "notin":
    case "=":
    case "==":
    case "!=":
      return token.kind;
    case ">":
      return "gt";
    case "<":
      return "lt";
    default:
      return failRequirement(`found '${token.text}', expected: in, notin, =, ==, !=, gt, lt`);
  }
}

function parseExactValue(reader: Reader): string {
  const ahead = reader.peek();
  if (ahead.kind === "end" || ahead.kind === ",") return "";
  const token = reader.next();
  if (!isIdentifier(token)) failRequirement(`found '${token.text}', expected: identifier`);
  return token.text;
}

function parseValues(reader: Reader): string[] {
  const open = reader.next();
  if (open.kind !== "(") failRequirement(`found '${open.text}' expected: '('`);
  const values = new Set<string>();
  let wantsValue = true;
  while (true) {
    const token = reader.next();
    if (isIdentifier(token) && wantsValue) {
      values.add(token.text);
      wantsValue = false;
    } else if (token.kind === ",") {
      if (wantsValue) values.add("");
      wantsValue = true;
    } else if (token.kind === ")") {
      if (wantsValue) values.add("");
      return [...values].sort(compareText);
    } else {
      const expected = wantsValue ? "',', ')' or identifier" : "',' or ')'";
      failRequirement(`found '${token.text}', expected: ${expected}`);
    }
  }
}

function checkRequirement(key: string, operator: LabelOperator, values: readonly string[]): void {
  if ((operator === "gt" || operator === "lt") && !/^[-+]?\d+$/.test(values[0])) {
    const detail = "for 'Gt', 'Lt' operators, the value must be an integer";
    failRequirement(problem("values[0]", values[0], [detail]));
  }
  values.forEach((value, index) => {
    const problems = checkLabelValue(value);
    if (problems.length > 0) {
      // Upstream prints which key the value belongs to as the path's subscript.
      failRequirement(problem(`values[${index}][${key}]`, value, problems));
    }
  });
}

/** Whether all requirements hold for the labels. */
export function matchesLabels(selector: ParsedLabelSelector, labels: Labels | undefined): boolean {
  for (const requirement of selector) {
    if (!matchesRequirement(requirement, labels)) return false;
  }
  return true;
}

function matchesRequirement(requirement: LabelRequirement, labels: Labels | undefined): boolean {
  const { key, values } = requirement;
  const present = labels !== undefined && Object.hasOwn(labels, key);
  switch (requirement.operator) {
    case "exists":
      return present;
    case "!":
      return !present;
    case "in":
    case "=":
    case "==":
      return present && values.includes(labels[key]);
    case "notin":
    case "!=":
      return !present || !values.includes(labels[key]);
    case "gt":
    case "lt": {
      if (!present || !/^[-+]?\d+$/.test(labels[key])) return false;
      const found = BigInt(labels[key].replace(/^\+/, ""));
      const bound = BigInt(values[0].replace(/^\+/, ""));
      return requirement.operator === "gt" ? found > bound : found < bound;
    }
  }
}

/**
 * Compiles a spec's selector.
 * @param selector absent selects nothing, empty selects everything, as the API defines it.
 * @returns null when nothing can match.
 */
export function fromLabelSelector(selector: LabelSelector | undefined): ParsedLabelSelector | null {
  if (selector === undefined || selector === null) return null;
  const requirements: LabelRequirement[] = [];
  for (const [key, value] of Object.entries(selector.matchLabels ?? {})) {
    requirements.push({ key, operator: "in", values: [value] });
  }
  for (const { key, operator, values = [] } of selector.matchExpressions ?? []) {
    const word = EXPRESSION_OPERATORS[operator];
    requirements.push({ key, operator: word, values: [...new Set(values)].sort(compareText) });
  }
  return requirements.sort((a, b) => compareText(a.key, b.key));
}

const EXPRESSION_OPERATORS = {
  In: "in",
  NotIn: "notin",
  Exists: "exists",
  DoesNotExist: "!",
} as const;

/** Whether a spec's selector matches labels; an absent selector matches nothing. */
export function matchesLabelSelector(
  selector: LabelSelector | undefined,
  labels: Labels | undefined,
): boolean {
  const parsed = fromLabelSelector(selector);
  return parsed !== null && matchesLabels(parsed, labels);
}

/** A selector back as text, as it travels in a query. */
export function formatLabelSelector(selector: ParsedLabelSelector): string {
  return selector.map(formatRequirement).join(",");
}

function formatRequirement({ key, operator, values }: LabelRequirement): string {
  switch (operator) {
    case "exists":
      return key;
    case "!":
      return `!${key}`;
    case "in":
    case "notin":
      return `${key} ${operator} (${values.join(",")})`;
    case "gt":
      return `${key}>${values[0]}`;
    case "lt":
      return `${key}<${values[0]}`;
    default:
      return `${key}${operator}${values[0]}`;
  }
}

/** A selector for one set of equalities, such as a service's `spec.selector`. */
export function formatLabelSet(labels: Labels): string {
  return Object.keys(labels).sort().map((key) => `${key}=${labels[key]}`).join(",");
}
