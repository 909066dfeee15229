/**
 * The project's own sources as the house-keeping tests see them.
 * In: the project's root. Out: each TypeScript file with its text, its text without comments and
 * strings, and its imports. Never: runs or changes a file.
 */
import { dirname, join, normalize } from "node:path";

export interface SourceFile {
  /** Relative to the root, with forward slashes. */
  readonly path: string;
  readonly text: string;
  /** Same length and lines as `text`; comments, strings and regular expressions are blanks. */
  readonly code: string;
  readonly imports: readonly Import[];
}

export interface Import {
  /** A path relative to the root, or the bare specifier of a package. */
  readonly target: string;
  readonly isLocal: boolean;
  readonly typeOnly: boolean;
}

const ROOT = normalize(join(import.meta.dirname!, ".."));
const SKIPPED = new Set(["node_modules", ".git", ".balsa", ".tools", "generated"]);

/** @returns the project's root folder. */
export function projectRoot(): string {
  return ROOT;
}

/** @returns every TypeScript source below the root, sorted by path. */
export function readSourceTree(): SourceFile[] {
  const files: SourceFile[] = [];
  const visit = (folder: string) => {
    for (const entry of Deno.readDirSync(join(ROOT, folder))) {
      const path = folder === "" ? entry.name : `${folder}/${entry.name}`;
      if (entry.isDirectory && !SKIPPED.has(entry.name)) visit(path);
      else if (entry.isFile && path.endsWith(".ts")) files.push(readSource(path));
    }
  };
  visit("");
  return files.sort((a, b) => (a.path < b.path ? -1 : 1));
}

function readSource(path: string): SourceFile {
  const text = Deno.readTextFileSync(join(ROOT, path));
  return { path, text, code: blankNonCode(text), imports: importsOf(path, text) };
}

const IMPORT =
  /^[ \t]*(import|export)(\s+type)?\b(?:[^'";()]*?\bfrom)?\s*["']([^"']+)["']|\bimport\(\s*["']([^"']+)["']\s*\)/gm;

function importsOf(path: string, text: string): Import[] {
  const found: Import[] = [];
  for (const match of text.matchAll(IMPORT)) {
    const specifier = match[3] ?? match[4];
    const isLocal = specifier.startsWith(".");
    const target = isLocal ? normalize(join(dirname(path), specifier)) : specifier;
    found.push({ target, isLocal, typeOnly: match[2] !== undefined });
  }
  return found;
}

/** A slash starts a regular expression after these, a division after anything else. */
const BEFORE_REGEX = /(?:^|[=(,:;!&|?{}[\]<>+\-*%~^]|\breturn|\bcase|\btypeof|\bin|\bof)\s*$/;

/**
 * Blanks comments, strings, templates (but not the code inside `${}`) and regular expressions.
 * @param text TypeScript source
 * @returns text of the same length with the same line breaks
 */
export function blankNonCode(text: string): string {
  const out = text.split("");
  const blank = (from: number, to: number) => {
    for (let i = from; i < to; i++) if (out[i] !== "\n") out[i] = " ";
  };
  const templateDepths: number[] = [];
  let depth = 0;
  for (let at = 0; at < text.length;) {
    const end = literalEnd(text, at);
    if (end > at) {
      blank(at, end);
      at = end;
      continue;
    }
    const char = text[at];
    if (char === "{") depth++;
    if (char === "}" && templateDepths.at(-1) === depth) {
      templateDepths.pop();
      depth--;
      at = blankTemplate(text, at + 1);
      continue;
    }
    if (char === "}") depth--;
    if (char === "`") {
      at = blankTemplate(text, at + 1);
      continue;
    }
    at++;
  }
  return out.join("");

  function blankTemplate(source: string, from: number): number {
    let at = from;
    while (at < source.length && source[at] !== "`") {
      if (source[at] === "\\") at++;
      else if (source.startsWith("${", at)) {
        blank(from, at);
        depth++;
        templateDepths.push(depth);
        return at + 2;
      }
      at++;
    }
    blank(from, at);
    return at + 1;
  }
}

/** @returns the end of the comment, string or regular expression at `at`, or `at` when none. */
function literalEnd(text: string, at: number): number {
  const char = text[at];
  if (text.startsWith("//", at)) return orEnd(text, text.indexOf("\n", at));
  if (text.startsWith("/*", at)) return orEnd(text, text.indexOf("*/", at) + 2);
  if (char === '"' || char === "'") return quotedEnd(text, at, char);
  if (char === "/" && BEFORE_REGEX.test(text.slice(Math.max(0, at - 20), at))) {
    return regexEnd(text, at);
  }
  return at;
}

function orEnd(text: string, at: number): number {
  return at <= 1 ? text.length : at;
}

function quotedEnd(text: string, at: number, quote: string): number {
  let end = at + 1;
  while (end < text.length && text[end] !== quote && text[end] !== "\n") {
    end += text[end] === "\\" ? 2 : 1;
  }
  return end + 1;
}

function regexEnd(text: string, at: number): number {
  let inClass = false;
  for (let end = at + 1; end < text.length && text[end] !== "\n"; end++) {
    if (text[end] === "\\") end++;
    else if (text[end] === "[") inClass = true;
    else if (text[end] === "]") inClass = false;
    else if (text[end] === "/" && !inClass) return end + 1;
  }
  return at;
}
