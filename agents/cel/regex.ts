/**
 * Regular expressions in RE2 syntax, run in time linear in the text.
 * In: a pattern and text. Out: whether and where it matches, or what is wrong with the pattern.
 * Never: backtracks, so no pattern of a user can stall the thread. Source: RE2's syntax as Go reads
 * it; matches are the leftmost, and of those the one that the pattern prefers.
 */
import { RE2JS } from "@bufbuild/re2";

export interface Regex {
  test(text: string): boolean;
  /** The bounds of the first match at or after an offset; null where there is none. */
  find(text: string, from: number): readonly [start: number, end: number] | null;
}

export type RegexResult =
  | { readonly kind: "regex"; readonly regex: Regex }
  | { readonly kind: "error"; readonly message: string };

/** Kinds of instruction in a compiled pattern. */
const ALT = 1;
const ALT_MATCH = 2;
const CAPTURE = 3;
const EMPTY_WIDTH = 4;
const FAIL = 5;
const MATCH = 6;
const NOP = 7;

const MAX_CACHED = 1000;
const cache = new Map<string, RegexResult>();

/** @returns the compiled pattern; the same one for the same text. */
export function compileRegex(pattern: string): RegexResult {
  const known = cache.get(pattern);
  if (known !== undefined) return known;
  let result: RegexResult;
  try {
    result = { kind: "regex", regex: new CompiledRegex(RE2JS.compile(pattern)) };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    result = { kind: "error", message };
  }
  if (cache.size >= MAX_CACHED) cache.clear();
  cache.set(pattern, result);
  return result;
}

type Program = ReturnType<RE2JS["re2"]>["prog"];

/** A place in the pattern, with where its match began. */
interface Thread {
  readonly pc: number;
  readonly start: number;
}

class CompiledRegex implements Regex {
  readonly #program: Program;

  constructor(readonly compiled: RE2JS) {
    this.#program = compiled.re2().prog;
  }

  test(text: string): boolean {
    return this.compiled.test(text);
  }

  find(text: string, from: number): readonly [start: number, end: number] | null {
    const program = this.#program;
    let threads: Thread[] = [];
    let found: readonly [number, number] | null = null;
    for (let at = from; at <= text.length;) {
      const rune = at < text.length ? text.codePointAt(at)! : -1;
      const width = rune > 0xffff ? 2 : 1;
      const context = emptyContext(text, at);
      const seen = new Set<number>();
      const ready: Thread[] = [];
      for (const { pc, start } of threads) this.#follow(pc, start, context, seen, ready);
      if (found === null) this.#follow(program.start, at, context, seen, ready);
      const next: Thread[] = [];
      for (const { pc, start } of ready) {
        const instruction = program.getInst(pc);
        if (instruction.op === MATCH) {
          found = [start, at];
          // Threads behind this one are less preferred.
          break;
        }
        if (rune >= 0 && matchesRune(instruction, rune)) next.push({ pc: instruction.out, start });
      }
      if (found !== null && next.length === 0) return found;
      threads = next;
      at += width;
    }
    return found;
  }

  /** Adds the places that can be reached without reading a character, in order of preference. */
  #follow(pc: number, start: number, context: number, seen: Set<number>, into: Thread[]): void {
    const pending = [pc];
    while (pending.length > 0) {
      const place = pending.pop()!;
      if (seen.has(place)) continue;
      seen.add(place);
      const instruction = this.#program.getInst(place);
      switch (instruction.op) {
        case ALT:
        case ALT_MATCH:
          pending.push(instruction.arg, instruction.out);
          break;
        case CAPTURE:
        case NOP:
          pending.push(instruction.out);
          break;
        case EMPTY_WIDTH:
          if ((instruction.arg & ~context) === 0) pending.push(instruction.out);
          break;
        case FAIL:
          break;
        default:
          into.push({ pc: place, start });
      }
    }
  }
}

const RUNE_ANY = 10;
const RUNE_ANY_NOT_NEWLINE = 11;

function matchesRune(instruction: ReturnType<Program["getInst"]>, rune: number): boolean {
  if (instruction.op === RUNE_ANY) return true;
  if (instruction.op === RUNE_ANY_NOT_NEWLINE) return rune !== 10;
  return instruction.matchRune(rune);
}

/** The empty matches that hold between two characters: line and text ends, word boundaries. */
function emptyContext(text: string, at: number): number {
  const before = at > 0 ? text.charCodeAt(at - 1) : -1;
  const after = at < text.length ? text.charCodeAt(at) : -1;
  let context = 0;
  if (before === 10 || before < 0) context |= 1;
  if (after === 10 || after < 0) context |= 2;
  if (before < 0) context |= 4;
  if (after < 0) context |= 8;
  return context | (isWord(before) === isWord(after) ? 32 : 16);
}

function isWord(code: number): boolean {
  return code >= 48 && code <= 57 || code >= 65 && code <= 90 || code === 95 ||
    code >= 97 && code <= 122;
}
