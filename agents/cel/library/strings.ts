/**
 * Functions on text, and patterns that find parts of it. Offsets count characters.
 * In: values. Out: declarations.
 * Never: locale. Source: cel-go's ext/strings.go (version 2); upstream's library/regex.go.
 */
import {
  type Cost,
  type Declaration,
  type Extent,
  global,
  member,
  ONE,
  type Overload,
  regexCost,
  traverse,
  traverses,
} from "../functions.ts";
import { compileRegex, type Regex } from "../regex.ts";
import { DYN, INT, listOf, STRING } from "../types.ts";
import { CelError, type ListValue, textList, type Value } from "../values.ts";
import { formatText } from "./format_text.ts";

const STRINGS = listOf(STRING);

/** The characters of text; a string stays one where every unit is a character. */
function runes(text: string): string | string[] {
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code >= 0xd800 && code <= 0xdfff) return Array.from(text);
  }
  return text;
}

function joinRunes(characters: string | string[]): string {
  return typeof characters === "string" ? characters : characters.join("");
}

function outOfRange(index: bigint | number): CelError {
  return new CelError(`index out of range: ${index}`);
}

function charAt(text: string, index: bigint): string {
  const characters = runes(text);
  const at = Number(index);
  if (at < 0 || at > characters.length) throw outOfRange(index);
  return characters[at] ?? "";
}

/** The number of characters before a UTF-16 offset. */
function toRunes(text: string, offset: number): bigint {
  return BigInt(runes(text.slice(0, offset)).length);
}

function indexOf(text: string, part: string, from = 0n): bigint {
  if (part === "") return from;
  if (from < 0n) throw outOfRange(from);
  const characters = runes(text);
  if (from >= characters.length) return -1n;
  const rest = joinRunes(characters.slice(Number(from)));
  const found = rest.indexOf(part);
  return found < 0 ? -1n : from + toRunes(rest, found);
}

function lastIndexOf(text: string, part: string, from?: bigint): bigint {
  const characters = runes(text);
  if (part === "") return from ?? BigInt(characters.length);
  if (from !== undefined && from < 0n) throw outOfRange(from);
  if (from !== undefined && from >= characters.length) return -1n;
  const end = from === undefined ? characters.length : Number(from) + runes(part).length;
  const found = joinRunes(characters.slice(0, end)).lastIndexOf(part);
  return found < 0 ? -1n : toRunes(text, found);
}

function substring(text: string, start: bigint, end?: bigint): string {
  const characters = runes(text);
  const stop = end ?? BigInt(characters.length);
  if (end !== undefined && start > end) {
    throw new CelError(`invalid substring range. start: ${start}, end: ${end}`);
  }
  if (start < 0n || start > characters.length) throw outOfRange(start);
  if (stop < 0n || stop > characters.length) throw outOfRange(stop);
  return joinRunes(characters.slice(Number(start), Number(stop)));
}

function replace(text: string, old: string, fresh: string, limit = -1n): string {
  if (limit < 0n) return replaceAll(text, old, fresh);
  let result = "";
  let at = 0;
  for (let count = 0n; count < limit; count++) {
    if (old === "") {
      if (at > text.length) break;
      const width = at < text.length && text.codePointAt(at)! > 0xffff ? 2 : 1;
      result += fresh + text.slice(at, at + width);
      at += width;
      continue;
    }
    const found = text.indexOf(old, at);
    if (found < 0) break;
    result += text.slice(at, found) + fresh;
    at = found + old.length;
  }
  return result + text.slice(at);
}

function replaceAll(text: string, old: string, fresh: string): string {
  if (old !== "") return text.split(old).join(fresh);
  return fresh + Array.from(text, (character) => character + fresh).join("");
}

function split(text: string, separator: string, limit = -1n): ListValue {
  if (limit === 0n) return textList([]);
  const parts = separator === "" ? Array.from(text) : text.split(separator);
  if (limit < 0n || parts.length <= limit) return textList(parts);
  const head = parts.slice(0, Number(limit) - 1);
  return textList([...head, parts.slice(Number(limit) - 1).join(separator)]);
}

function join(list: ListValue, separator = ""): string {
  return Array.from(list, (item) => {
    if (typeof item !== "string") throw new CelError(`join: invalid input: ${item}`);
    return item;
  }).join(separator);
}

const QUOTED: Readonly<Record<string, string>> = {
  "\x07": "\\a",
  "\b": "\\b",
  "\f": "\\f",
  "\n": "\\n",
  "\r": "\\r",
  "\t": "\\t",
  "\v": "\\v",
  "\\": "\\\\",
  '"': '\\"',
};

function quote(text: string): string {
  // deno-lint-ignore no-control-regex
  return `"${text.toWellFormed().replace(/[\x07\b\f\n\r\t\v\\"]/g, (found) => QUOTED[found])}"`;
}

function regex(pattern: string): Regex {
  const compiled = compileRegex(pattern);
  if (compiled.kind === "error") {
    throw new CelError(`Illegal regex: ${compiled.message}`);
  }
  return compiled.regex;
}

function find(text: string, pattern: string): string {
  const bounds = regex(pattern).find(text, 0);
  return bounds === null ? "" : text.slice(...bounds);
}

function findAll(text: string, pattern: string, limit = -1n): Value {
  const compiled = regex(pattern);
  const found: string[] = [];
  let previousEnd = -1;
  for (let at = 0; at <= text.length && (limit < 0n || found.length < limit);) {
    const bounds = compiled.find(text, at);
    if (bounds === null) break;
    const [start, end] = bounds;
    // An empty match right behind another match is none.
    if (end > start || start !== previousEnd) found.push(text.slice(start, end));
    previousEnd = end;
    at = end > start ? end : end + (text.codePointAt(end)! > 0xffff ? 2 : 1);
  }
  return textList(found);
}

const sameSize: Overload["resultExtent"] = ([text]) => ({ size: text.size });
const asLong = { cost: traverse, resultExtent: sameSize };
const pieces = {
  cost: traverses(0, 2),
  resultExtent: ([text]: readonly Extent[]): Extent => ({
    size: text.size + 1,
    element: { size: text.size },
  }),
};
const replaced = {
  cost: traverses(0, 2),
  resultExtent: ([text, , fresh]: readonly Extent[]): Extent => ({
    size: (text.size + 1) * fresh.size + text.size,
  }),
};
const joinCost: Cost = ([list, separator]) => Math.ceil(joinedSize(list, separator) * 0.1);
const joinExtras = {
  cost: joinCost,
  resultExtent: ([list, separator]: readonly Extent[]): Extent => ({
    size: joinedSize(list, separator),
  }),
};

function joinedSize(list: Extent, separator: Extent | undefined): number {
  return list.size * ((list.element?.size ?? 1) + (separator?.size ?? 0));
}

/** Text that printing values of unknown size may make. */
const unbounded: Overload["resultExtent"] = () => ({ size: Infinity });

export const strings: readonly Declaration[] = [
  member("charAt", [STRING, INT], STRING, charAt, { cost: traverse, resultExtent: () => ONE }),
  member("indexOf", [STRING, STRING], INT, indexOf, { cost: traverse }),
  member("indexOf", [STRING, STRING, INT], INT, indexOf, { cost: traverse }),
  member("lastIndexOf", [STRING, STRING], INT, lastIndexOf, { cost: traverse }),
  member("lastIndexOf", [STRING, STRING, INT], INT, lastIndexOf, { cost: traverse }),
  member(
    "lowerAscii",
    [STRING],
    STRING,
    (text: string) => text.replace(/[A-Z]+/g, (found) => found.toLowerCase()),
    asLong,
  ),
  member(
    "upperAscii",
    [STRING],
    STRING,
    (text: string) => text.replace(/[a-z]+/g, (found) => found.toUpperCase()),
    asLong,
  ),
  member("replace", [STRING, STRING, STRING], STRING, replace, replaced),
  member("replace", [STRING, STRING, STRING, INT], STRING, replace, replaced),
  member("split", [STRING, STRING], STRINGS, split, pieces),
  member("split", [STRING, STRING, INT], STRINGS, split, pieces),
  member("substring", [STRING, INT], STRING, substring, asLong),
  member("substring", [STRING, INT, INT], STRING, substring, asLong),
  member("trim", [STRING], STRING, (text: string) => text.trim(), asLong),
  member("join", [STRINGS], STRING, join, joinExtras),
  member("join", [STRINGS, STRING], STRING, join, joinExtras),
  member("format", [STRING, listOf(DYN)], STRING, formatText, {
    cost: traverse,
    resultExtent: unbounded,
  }),
  global("strings.quote", [STRING], STRING, quote, {
    cost: traverse,
    resultExtent: ([text]) => ({ size: text.size * 2 + 2 }),
  }),
  member("find", [STRING, STRING], STRING, find, { cost: regexCost, resultExtent: sameSize }),
  member("findAll", [STRING, STRING], STRINGS, findAll, {
    cost: regexCost,
    resultExtent: pieces.resultExtent,
  }),
  member("findAll", [STRING, STRING, INT], STRINGS, findAll, {
    cost: regexCost,
    resultExtent: pieces.resultExtent,
  }),
];
