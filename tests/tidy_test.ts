/**
 * Holds the sources to their sizes and manners: lengths, headers, names, words.
 * In: the source tree. Out: failures that name file and line.
 * Never: judges formatting, which `deno fmt --check` does.
 */
import assert from "node:assert/strict";
import { basename, dirname, join } from "node:path";
import { blankNonCode, projectRoot, readSourceTree } from "./source_tree.ts";

const MAX_FILE_LINES = 500;
const MAX_TEST_LINES = 800;
const MAX_FUNCTION_LINES = 70;
const MAX_COLUMNS = 100;
const MAX_FOLDER_FILES = 20;
const REFUSED_NAMES = /^(utils?|helpers?|common|misc|base)(_test)?\.ts$/;

/** Words that speak of a place, not of the project; split so that this file has none. */
const REFUSED_WORDS = new RegExp(
  ["TO" + "DO\\b", "FIX" + "ME\\b", "/wo" + "rk/", "/ro" + "ot/", "registry\\.npm" + "js"].join(
    "|",
  ),
);

const isTest = (path: string) => path.startsWith("tests/") || path.endsWith("_test.ts");

Deno.test("files, lines and folders keep to their sizes", () => {
  const problems: string[] = [];
  const perFolder = new Map<string, number>();
  for (const { path, text, code } of readSourceTree()) {
    const lines = text.split("\n");
    const codeLines = code.split("\n");
    const most = isTest(path) ? MAX_TEST_LINES : MAX_FILE_LINES;
    if (lines.length - 1 > most) problems.push(`${path}: ${lines.length - 1} lines, most ${most}`);
    lines.forEach((line, index) => {
      // A long literal can't be broken without hurting whoever searches for it; comments can.
      const counted = /^\s*(\/\/|\/?\*)/.test(line)
        ? line
        : codeLines[index].replace(/ {2,}/g, " ");
      if ([...counted].length > MAX_COLUMNS) problems.push(`${path}:${index + 1}: too wide`);
    });
    perFolder.set(dirname(path), (perFolder.get(dirname(path)) ?? 0) + 1);
  }
  for (const [folder, count] of perFolder) {
    if (count > MAX_FOLDER_FILES) problems.push(`${folder}/: ${count} files`);
  }
  assert.deepEqual(problems, []);
});

Deno.test("every file opens with a header of 3 to 10 lines and has a name that says something", () => {
  const problems: string[] = [];
  for (const { path, text } of readSourceTree()) {
    const header = /^(?:#!.*\n)?\/\*\*(?: (.*) \*\/|\n((?: \*.*\n)+?) \*\/)/.exec(text);
    const lines = header ? (header[1] ?? header[2]).trimEnd().split("\n").length : 0;
    const least = isTest(path) ? 1 : 3;
    if (lines < least || lines > 12) problems.push(`${path}: header of ${lines} lines`);
    if (REFUSED_NAMES.test(basename(path))) problems.push(`${path}: refused name`);
    if (!/^[a-z0-9_.]+$/.test(basename(path))) problems.push(`${path}: not snake_case`);
  }
  assert.deepEqual(problems, []);
});

Deno.test("no function is longer than 70 lines", () => {
  const problems: string[] = [];
  for (const { path, code } of readSourceTree()) {
    if (isTest(path)) continue;
    for (const found of functionsOf(code)) {
      if (found.lines > MAX_FUNCTION_LINES) {
        problems.push(`${path}:${found.line}: ${found.name} has ${found.lines} lines`);
      }
    }
  }
  assert.deepEqual(problems, []);
});

Deno.test("sources speak of the project only", () => {
  const problems: string[] = [];
  for (const { path, text } of readSourceTree()) {
    text.split("\n").forEach((line, index) => {
      const match = REFUSED_WORDS.exec(line);
      if (match) problems.push(`${path}:${index + 1}: ${match[0]}`);
    });
  }
  assert.deepEqual(problems, []);
});

Deno.test("every dependency is pinned to one exact version", () => {
  const config = JSON.parse(Deno.readTextFileSync(join(projectRoot(), "deno.json")));
  const loose = Object.values(config.imports as Record<string, string>)
    .filter((specifier) => !/^npm:.+@\d+\.\d+\.\d+$/.test(specifier));
  assert.deepEqual(loose, []);
});

Deno.test("the blanker keeps code and drops comments, strings, templates, regular expressions", () => {
  const source = 'const a = "x{"; // {\nconst b = `t{${a + `{${1}`}{`; /* { */ const r = /[/{]/;\n';
  const code = blankNonCode(source);
  assert.equal(code.length, source.length);
  assert.equal([...code].filter((char) => char === "{").length, 2);
  assert.match(code, /const r =/);
});

interface Found {
  readonly name: string;
  readonly line: number;
  readonly lines: number;
}

const FUNCTION_START =
  /^[ \t]*(?:export\s+)?(?:default\s+)?(?:(?:public|private|static|override|async)\s+)*(?:function\*?\s+([\w$]+)|(?:const|let)\s+([\w$]+)\s*=\s*(?:async\s*)?(?:\([^;]*?\)|[\w$]+)(?::[^={;]+)?\s*=>\s*(?=\{)|(?:get |set |async |\*)?(#?[\w$]+)(?:<[^>\n]*>)?\()/gm;
const NOT_FUNCTIONS = new Set(["if", "for", "while", "switch", "catch", "return", "super"]);

/** Functions and methods with a body, by matching braces in blanked code. */
function* functionsOf(code: string): Generator<Found> {
  for (const match of code.matchAll(FUNCTION_START)) {
    const name = match[1] ?? match[2] ?? match[3];
    if (NOT_FUNCTIONS.has(name)) continue;
    const open = bodyStart(code, match);
    if (open < 0) continue;
    const close = matching(code, open);
    const line = code.slice(0, open).split("\n").length;
    yield { name, line, lines: code.slice(open, close).split("\n").length };
  }
}

/** Index of the body's brace: after the parameter list and an optional return type, or -1. */
function bodyStart(code: string, match: RegExpExecArray | RegExpMatchArray): number {
  const end = match.index! + match[0].length;
  if (match[2] !== undefined) return code.indexOf("{", end);
  const parenthesis = code.indexOf("(", match[3] === undefined ? end : end - 1);
  if (parenthesis < 0) return -1;
  const after = matching(code, parenthesis) + 1;
  const tail = /^\s*(?::[\w$.<>[\]|&,\s"'()=]*?)?\{/.exec(code.slice(after, after + 400));
  if (tail === null) return -1;
  const open = after + tail[0].length - 1;
  // A return type may itself be an object: then the body is the next brace.
  const close = matching(code, open) + 1;
  const next = /^(?:\[\]|>|\s|[|&] ?\w+)*\{/.exec(code.slice(close, close + 100));
  const isType = tail[0].includes(":") && next !== null && !/[\n;]/.test(next[0]);
  return isType ? close + next[0].length - 1 : open;
}

function matching(code: string, open: number): number {
  const pairs: Record<string, string> = { "{": "}", "(": ")", "[": "]" };
  const from = code[open];
  const to = pairs[from];
  let depth = 0;
  for (let at = open; at < code.length; at++) {
    if (code[at] === from) depth++;
    else if (code[at] === to && --depth === 0) return at;
  }
  return code.length;
}
