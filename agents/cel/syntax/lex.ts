/**
 * Cuts an expression into tokens.
 * In: source text. Out: tokens with their offsets, or the first thing that is none.
 * Never: grammar. Source: the CEL language definition, section Syntax.
 */
import { Uint, type Value } from "../values.ts";

export type TokenKind = "ident" | "quotedIdent" | "literal" | "operator" | "end";

export interface Token {
  readonly kind: TokenKind;
  readonly text: string;
  readonly at: number;
  readonly value?: Value;
}

export interface SyntaxProblem {
  readonly at: number;
  readonly message: string;
}

export type Lexed =
  | { readonly kind: "tokens"; readonly tokens: readonly Token[] }
  | { readonly kind: "problem"; readonly problem: SyntaxProblem };

const BLANK = /(?:[\t\n\f\r ]+|\/\/[^\n]*)+/y;
const IDENT = /[A-Za-z_][A-Za-z0-9_]*/y;
const QUOTED_IDENT = /`[A-Za-z0-9_.\-/ ]+`/y;
const NUMBER =
  /0x[0-9a-fA-F]+[uU]?|(?:\d+\.\d+(?:[eE][+-]?\d+)?|\d+[eE][+-]?\d+|\.\d+(?:[eE][+-]?\d+)?)|\d+[uU]?/y;
const STRING_START = /([rR][bB]?|[bB][rR]?)?("""|'''|"|')/y;
const OPERATOR = /&&|\|\||==|!=|<=|>=|[<>+\-*/%!?:.,()[\]{}]/y;
const MAX_INT = (1n << 63n) - 1n;
const MAX_UINT = (1n << 64n) - 1n;

class Problem extends Error {
  constructor(readonly at: number, message: string) {
    super(message);
  }
}

function take(pattern: RegExp, source: string, at: number): RegExpExecArray | null {
  pattern.lastIndex = at;
  return pattern.exec(source);
}

/** @returns the tokens, the last of them `end`. */
export function lex(source: string): Lexed {
  const tokens: Token[] = [];
  let at = 0;
  try {
    for (;;) {
      at += take(BLANK, source, at)?.[0].length ?? 0;
      if (at >= source.length) break;
      const token = nextToken(source, at);
      tokens.push(token);
      at += token.text.length;
    }
  } catch (problem) {
    if (!(problem instanceof Problem)) throw problem;
    return { kind: "problem", problem: { at: problem.at, message: problem.message } };
  }
  tokens.push({ kind: "end", text: "<EOF>", at: source.length });
  return { kind: "tokens", tokens };
}

function nextToken(source: string, at: number): Token {
  const string = take(STRING_START, source, at);
  if (string !== null) return stringToken(source, at, string);
  const ident = take(IDENT, source, at);
  if (ident !== null) return identToken(ident[0], at);
  const quoted = take(QUOTED_IDENT, source, at);
  if (quoted !== null) return { kind: "quotedIdent", text: quoted[0], at };
  const number = take(NUMBER, source, at);
  if (number !== null) {
    return { kind: "literal", text: number[0], at, value: number_(number[0], at) };
  }
  const operator = take(OPERATOR, source, at);
  if (operator !== null) return { kind: "operator", text: operator[0], at };
  const shown = JSON.stringify(String.fromCodePoint(source.codePointAt(at)!)).slice(1, -1);
  throw new Problem(at, `Syntax error: token recognition error at: '${shown}'`);
}

function identToken(text: string, at: number): Token {
  switch (text) {
    case "true":
    case "false":
      return { kind: "literal", text, at, value: text === "true" };
    case "null":
      return { kind: "literal", text, at, value: null };
    case "in":
      return { kind: "operator", text, at };
    default:
      return { kind: "ident", text, at };
  }
}

function number_(text: string, at: number): Value {
  if (/^0x/.test(text) || /^\d+[uU]?$/.test(text)) {
    const unsigned = /[uU]$/.test(text);
    const amount = BigInt(unsigned ? text.slice(0, -1) : text);
    if (unsigned) {
      if (amount > MAX_UINT) throw new Problem(at, "invalid uint literal");
      return new Uint(amount);
    }
    // One more than the largest is let through: the parser takes it with a minus sign only.
    if (amount > MAX_INT + 1n) throw new Problem(at, "invalid int literal");
    return amount;
  }
  const amount = Number(text);
  if (!Number.isFinite(amount)) throw new Problem(at, "invalid double literal");
  return amount;
}

function stringToken(source: string, at: number, start: RegExpExecArray): Token {
  const prefix = (start[1] ?? "").toLowerCase();
  const quote = start[2];
  const raw = prefix.includes("r");
  const bodyAt = at + start[0].length;
  let end = bodyAt;
  for (;;) {
    if (end >= source.length) throw unterminated(source, at);
    if (source.startsWith(quote, end)) break;
    if (quote.length === 1 && (source[end] === "\n" || source[end] === "\r")) {
      throw unterminated(source, at);
    }
    end += !raw && source[end] === "\\" ? 2 : 1;
  }
  const body = source.slice(bodyAt, end);
  const text = source.slice(at, end + quote.length);
  const isBytes = prefix.includes("b");
  const value = isBytes
    ? (raw ? new TextEncoder().encode(body) : unescapeBytes(body, bodyAt))
    : (raw ? body : unescapeText(body, bodyAt));
  return { kind: "literal", text, at, value };
}

function unterminated(source: string, at: number): Problem {
  return new Problem(
    at,
    `Syntax error: token recognition error at: '${source.slice(at, at + 40)}'`,
  );
}

const ESCAPE =
  /\\(?:([abfnrtv\\?"'`])|[xX]([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-3][0-7]{2}))/y;
const SIMPLE: Readonly<Record<string, string>> = {
  a: "\x07",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
  v: "\v",
};

interface Escape {
  readonly length: number;
  /** The character it stands for. */
  readonly code: number;
  /** Whether in bytes it is one byte and not a character. */
  readonly isByte: boolean;
}

function readEscape(body: string, index: number, bodyAt: number): Escape {
  const match = take(ESCAPE, body, index);
  if (match === null) throw new Problem(bodyAt + index, "unable to unescape string");
  const [all, simple, hex, short, long, octal] = match;
  if (simple !== undefined) {
    return { length: 2, code: (SIMPLE[simple] ?? simple).charCodeAt(0), isByte: false };
  }
  const digits = hex ?? short ?? long;
  const code = digits === undefined ? parseInt(octal, 8) : parseInt(digits, 16);
  const isByte = hex !== undefined || octal !== undefined;
  if (code > 0x10ffff || code >= 0xd800 && code <= 0xdfff) {
    throw new Problem(bodyAt + index, "invalid unicode code point");
  }
  return { length: all.length, code, isByte };
}

function unescapeText(body: string, bodyAt: number): string {
  if (!body.includes("\\")) return body;
  let text = "";
  for (let index = 0; index < body.length;) {
    if (body[index] !== "\\") {
      text += body[index++];
      continue;
    }
    const escape = readEscape(body, index, bodyAt);
    text += String.fromCodePoint(escape.code);
    index += escape.length;
  }
  return text;
}

function unescapeBytes(body: string, bodyAt: number): Uint8Array {
  const bytes: number[] = [];
  const encoder = new TextEncoder();
  for (let index = 0; index < body.length;) {
    if (body[index] !== "\\") {
      const character = String.fromCodePoint(body.codePointAt(index)!);
      bytes.push(...encoder.encode(character));
      index += character.length;
      continue;
    }
    const escape = readEscape(body, index, bodyAt);
    if (escape.isByte) bytes.push(escape.code);
    else bytes.push(...encoder.encode(String.fromCodePoint(escape.code)));
    index += escape.length;
  }
  return new Uint8Array(bytes);
}
