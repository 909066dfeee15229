/**
 * Field selectors: `spec.nodeName=n1,status.phase!=Failed`.
 * In: the text of a query and what fields a kind offers. Out: terms, or upstream's sentence.
 * Never: reads objects by itself; the kind's row says how a field is read.
 * Source: apimachinery fields/selector.go (v1.36).
 */
import type { KubeObject } from "./meta.ts";
import type { Resource } from "./resource.ts";
import type { SelectorResult } from "./selector.ts";

export interface FieldTerm {
  readonly field: string;
  readonly operator: "=" | "!=";
  readonly value: string;
}

/** All terms must hold; none at all matches everything. */
export type ParsedFieldSelector = readonly FieldTerm[];

/**
 * Parses a selector's text without looking at what a kind supports.
 * @param text terms joined by commas; `\` escapes `\`, `,` and `=` in values.
 */
export function parseFieldSelector(text: string): SelectorResult<ParsedFieldSelector> {
  const terms: FieldTerm[] = [];
  for (const part of splitTerms(text).sort()) {
    if (part === "") continue;
    const match = /^(.*?)(!=|==|=)(.*)$/s.exec(part);
    if (match === null) {
      const message = `invalid selector: '${text}'; can't understand '${part}'`;
      return { kind: "error", message };
    }
    const value = unescapeValue(match[3]);
    if (value.kind === "error") return value;
    terms.push({
      field: match[1],
      operator: match[2] === "!=" ? "!=" : "=",
      value: value.selector,
    });
  }
  return { kind: "ok", selector: terms };
}

function splitTerms(text: string): string[] {
  if (text === "") return [];
  const terms: string[] = [];
  let start = 0;
  for (let at = 0; at < text.length; at++) {
    if (text[at] === "\\") at++;
    else if (text[at] === ",") {
      terms.push(text.slice(start, at));
      start = at + 1;
    }
  }
  terms.push(text.slice(start));
  return terms;
}

function unescapeValue(text: string): SelectorResult<string> {
  let value = "";
  for (let at = 0; at < text.length; at++) {
    const letter = text[at];
    if (letter === "\\") {
      const escaped = text[++at];
      if (escaped === undefined || !"\\,=".includes(escaped)) {
        const sequence = `\\${escaped ?? ""}`;
        return {
          kind: "error",
          message: `invalid field selector: invalid escape sequence: ${sequence}`,
        };
      }
      value += escaped;
    } else if (letter === "=") {
      const code = letter.codePointAt(0);
      return {
        kind: "error",
        message: `invalid field selector: unescaped character in value: ${code}`,
      };
    } else {
      value += letter;
    }
  }
  return { kind: "ok", selector: value };
}

/** How the named field of a resource is read, or undefined where it can't be selected. */
export function fieldReader(
  resource: Resource,
  field: string,
): ((object: KubeObject) => string) | undefined {
  if (field === "metadata.name") return (object) => object.metadata.name ?? "";
  if (field === "metadata.namespace" && resource.namespaced) {
    return (object) => object.metadata.namespace ?? "";
  }
  const fields = resource.rules.selectableFields;
  return fields !== undefined && Object.hasOwn(fields, field) ? fields[field] : undefined;
}

/**
 * Parses a selector and binds it to what a resource offers.
 * @returns a predicate, or the message of a 400 answer.
 */
export function compileFieldSelector(
  resource: Resource,
  text: string,
): SelectorResult<(object: KubeObject) => boolean> {
  const parsed = parseFieldSelector(text);
  if (parsed.kind === "error") return parsed;
  const tests: ((object: KubeObject) => boolean)[] = [];
  for (const { field, operator, value } of parsed.selector) {
    const read = fieldReader(resource, field);
    if (read === undefined) {
      return { kind: "error", message: unsupportedFieldMessage(resource, field) };
    }
    tests.push((object) => (read(object) === value) === (operator === "="));
  }
  return { kind: "ok", selector: (object) => tests.every((test) => test(object)) };
}

/** Kinds with fields of their own word the refusal by label, the others by the generic sentence. */
function unsupportedFieldMessage(resource: Resource, field: string): string {
  if (resource.rules.selectableFields !== undefined) return `field label not supported: ${field}`;
  return `"${field}" is not a known field selector: only "metadata.name", "metadata.namespace"`;
}

/** The value that one field must have, where a selector pins it: a faster path for lists. */
export function requiredValue(selector: ParsedFieldSelector, field: string): string | undefined {
  return selector.find((term) => term.field === field && term.operator === "=")?.value;
}
