/**
 * Reads JSON and YAML that somebody else wrote, within bounds of depth and time.
 * In: text. Out: its value. Never: takes longer than its length allows, whatever is nested,
 * repeated or referred to in it.
 * Source: sigs.k8s.io/json (depth), the advisory on YAML aliases (CVE-2019-11253).
 */
import { isMap, parseDocument, visit } from "yaml";
import { findDuplicates } from "../../../api/schema/duplicates.ts";
import { requestEntityTooLarge } from "../../../api/status.ts";

/** Arrays and objects within one another; upstream's JSON reader has the same bound. */
const MAX_DEPTH = 10_000;
/** Beyond this a reader that calls itself runs out of stack. */
const MAX_YAML_DEPTH = 500;
/** Reading YAML takes a microsecond a byte; clients of Kubernetes send large objects as JSON. */
export const YAML_LIMIT_BYTES = 256 * 1024;
const MAX_ALIASES = 100;

/** Errors: throws SyntaxError. */
export function parseJson(text: string): unknown {
  // A text of few letters can't be deep.
  if (text.length > 2 * MAX_DEPTH && depthOf(text) > MAX_DEPTH) {
    throw new SyntaxError("exceeded max depth");
  }
  return JSON.parse(text);
}

/** Errors: throws SyntaxError, or ApiError 413. */
export function parseYaml(text: string): unknown {
  const json = readAsJson(text);
  if (json !== undefined) return json;
  if (text.length > YAML_LIMIT_BYTES) throw requestEntityTooLarge(YAML_LIMIT_BYTES);
  if (bracketDepth(text) > MAX_YAML_DEPTH) throw new SyntaxError("exceeded max depth");
  // The library compares each key of a map with all others; a set does it in one go.
  const document = parseDocument(text, { uniqueKeys: false, prettyErrors: true });
  const [error] = document.errors;
  if (error !== undefined) throw new SyntaxError(error.message);
  visit(document, {
    Map(_key, map) {
      const seen = new Set<string>();
      for (const { key } of map.items) {
        const name = isMap(key) ? "" : String(key);
        if (seen.has(name)) throw new SyntaxError(`Map keys must be unique: ${name}`);
        seen.add(name);
      }
    },
  });
  return document.toJS({ maxAliasCount: MAX_ALIASES });
}

/** JSON is YAML, and what most clients send under its name. */
function readAsJson(text: string): unknown {
  if (!/^\s*\{/.test(text)) return undefined;
  try {
    const value = parseJson(text);
    return findDuplicates(text, value).length === 0 ? value : undefined;
  } catch {
    return undefined;
  }
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** How deep JSON is; of other text, something no smaller than what it is up to its first fault. */
function depthOf(text: string): number {
  let [depth, deepest] = [0, 0];
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === QUOTE) {
      for (i++; i < text.length && text.charCodeAt(i) !== QUOTE; i++) {
        if (text.charCodeAt(i) === BACKSLASH) i++;
      }
    } else if (code === 0x5b || code === 0x7b) deepest = Math.max(deepest, ++depth);
    else if (code === 0x5d || code === 0x7d) depth--;
  }
  return deepest;
}

/** As `depthOf`, for text whose strings need no quotes. */
function bracketDepth(text: string): number {
  let [depth, deepest] = [0, 0];
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === 0x5b || code === 0x7b) deepest = Math.max(deepest, ++depth);
    else if ((code === 0x5d || code === 0x7d) && depth > 0) depth--;
  }
  return deepest;
}
