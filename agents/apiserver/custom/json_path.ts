/**
 * The paths of printer columns: `.spec.replicas`, `.status.conditions[?(@.type=="Ready")].status`.
 * In: text. Out: a function from an object to what it finds, or what is wrong with the text.
 * Never: regular expressions or functions. Source: client-go's util/jsonpath (v1.36).
 */

type Step = (values: readonly unknown[]) => unknown[];

export type PathResult =
  | { readonly kind: "path"; readonly find: (object: unknown) => unknown[] }
  | { readonly kind: "error"; readonly message: string };

class Problem extends Error {}

/** @param text with or without the dot before the first name. */
export function parseJsonPath(text: string): PathResult {
  try {
    const steps = new PathParser(text).parse();
    const find = (object: unknown) =>
      steps.reduce((values, step) => step(values), [object] as unknown[]);
    return { kind: "path", find };
  } catch (problem) {
    if (!(problem instanceof Problem)) throw problem;
    return { kind: "error", message: problem.message };
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function member(name: string): Step {
  return (values) =>
    values.flatMap((value) => isObject(value) && Object.hasOwn(value, name) ? [value[name]] : []);
}

const children: Step = (values) =>
  values.flatMap((value) =>
    Array.isArray(value) ? value : isObject(value) ? Object.values(value) : []
  );

function descendants(value: unknown): unknown[] {
  return [value, ...children([value]).flatMap(descendants)];
}

function slice([from, to, by = 1]: readonly (number | undefined)[]): Step {
  return (values) =>
    values.flatMap((value) => {
      if (!Array.isArray(value) || by <= 0) return [];
      return value.slice(from, to).filter((_, index) => index % by === 0);
    });
}

type Operand = (item: unknown) => unknown;

const COMPARISONS: Readonly<Record<string, (a: unknown, b: unknown) => boolean>> = {
  "==": (a, b) => a === b,
  "!=": (a, b) => a !== b,
  "<": (a, b) => isOrdered(a, b) && a! < b!,
  "<=": (a, b) => isOrdered(a, b) && a! <= b!,
  ">": (a, b) => isOrdered(a, b) && a! > b!,
  ">=": (a, b) => isOrdered(a, b) && a! >= b!,
};

function isOrdered(a: unknown, b: unknown): boolean {
  return typeof a === typeof b && (typeof a === "number" || typeof a === "string");
}

class PathParser {
  #at = 0;

  constructor(readonly text: string) {}

  parse(): Step[] {
    if (this.text.startsWith("$")) this.#at++;
    const steps: Step[] = [];
    while (this.#at < this.text.length) steps.push(...this.#step());
    return steps;
  }

  #take(pattern: RegExp): RegExpExecArray | null {
    const sticky = new RegExp(pattern.source, "y");
    sticky.lastIndex = this.#at;
    const match = sticky.exec(this.text);
    if (match !== null) this.#at += match[0].length;
    return match;
  }

  #step(): Step[] {
    if (this.#take(/\.\./) !== null) {
      const all: Step = (values) => values.flatMap(descendants);
      return this.text[this.#at] === "[" ? [all, ...this.#bracket()] : [all, this.#name()];
    }
    if (this.text[this.#at] === "[") return this.#bracket();
    const hasDot = this.#take(/\./) !== null;
    if (hasDot && this.text[this.#at] === "[") return this.#bracket();
    if (!hasDot && this.#at > 0 && !this.text.startsWith("$")) throw this.#unexpected();
    if (hasDot && this.#at === this.text.length) return [];
    return [this.#name()];
  }

  #name(): Step {
    if (this.#take(/\*/) !== null) return children;
    const match = this.#take(/(?:\\.|[^.[\]\s{}'"()?@,=<>!])+/);
    if (match === null) throw this.#unexpected();
    return member(match[0].replace(/\\(.)/g, "$1"));
  }

  #unexpected(): Problem {
    const rest = this.text.slice(this.#at, this.#at + 20);
    return new Problem(`unrecognized character in action: ${JSON.stringify(rest)}`);
  }

  #bracket(): Step[] {
    const filter = this.#take(/\[\?\(/);
    if (filter !== null) return [this.#filter()];
    if (this.#take(/\[\s*\*\s*\]/) !== null) return [children];
    const quoted = this.#take(/\[\s*(?:'((?:\\.|[^'])*)'|"((?:\\.|[^"])*)")\s*\]/);
    if (quoted !== null) {
      return [member((quoted[1] ?? quoted[2]).replace(/\\(.)/g, "$1"))];
    }
    const range = this.#take(/\[\s*(-?\d*)\s*:\s*(-?\d*)\s*(?::\s*(\d*)\s*)?\]/);
    if (range !== null) {
      const bound = (text = "") => text === "" ? undefined : Number(text);
      return [slice([bound(range[1]), bound(range[2]), bound(range[3])])];
    }
    const indexes = this.#take(/\[\s*(-?\d+(?:\s*,\s*-?\d+)*)\s*\]/);
    if (indexes === null) throw new Problem(`unterminated array in ${this.text}`);
    const wanted = indexes[1].split(",").map(Number);
    return [(values) =>
      values.flatMap((value) => {
        if (!Array.isArray(value)) return [];
        return wanted.flatMap((index) => {
          const item = value.at(index);
          return item === undefined ? [] : [item];
        });
      })];
  }

  #filter(): Step {
    const left = this.#operand();
    const operator = this.#take(/\s*(==|!=|<=|>=|<|>)\s*/);
    const compare = operator === null ? undefined : COMPARISONS[operator[1]];
    const right = compare === undefined ? undefined : this.#operand();
    if (this.#take(/\s*\)\s*\]/) === null) throw new Problem("unterminated filter");
    const holds = (item: unknown) =>
      compare === undefined ? left(item) !== undefined : compare(left(item), right!(item));
    return (values) => children(values.filter(Array.isArray)).filter(holds);
  }

  #operand(): Operand {
    this.#take(/\s*/);
    const quoted = this.#take(/'((?:\\.|[^'])*)'|"((?:\\.|[^"])*)"/);
    if (quoted !== null) {
      const value = (quoted[1] ?? quoted[2]).replace(/\\(.)/g, "$1");
      return () => value;
    }
    const literal = this.#take(/-?\d+(?:\.\d+)?|true|false|null/);
    if (literal !== null) {
      const value: unknown = JSON.parse(literal[0]);
      return () => value;
    }
    if (this.#take(/@/) === null) throw this.#unexpected();
    const steps: Step[] = [];
    while (/[.[]/.test(this.text[this.#at] ?? "")) steps.push(...this.#step());
    return (item) => steps.reduce((values, step) => step(values), [item] as unknown[])[0];
  }
}
