/**
 * Random expressions of the standard language, evaluated here and by another implementation.
 * In: a fixed seed. Out: agreement on every value that both of them have.
 * Source: the CEL language definition, by way of @bufbuild/cel.
 */
import assert from "node:assert/strict";
import { run } from "@bufbuild/cel";
import fc from "fast-check";
import { compile, DYN, environment, evaluate, toJson } from "./mod.ts";

const variables = { i: 3, s: "text", l: [1, 2, 3], m: { a: 1, b: "two" } };
const names = environment({ i: DYN, s: DYN, l: DYN, m: DYN });
const bindings = { i: 3n, s: "text", l: [1n, 2n, 3n], m: { a: 1n, b: "two" } };

const { expression } = fc.letrec<{ expression: string }>((tie) => {
  const inner = tie("expression");
  const binary = fc.constantFrom("+", "-", "*", "/", "%", "==", "!=", "<", "<=", "&&", "||", "in");
  return {
    expression: fc.oneof(
      { maxDepth: 4, withCrossShrink: true },
      fc.constantFrom(
        ...["0", "1", "-2", "1.5", "'a'", "'text'", "true", "false", "null", "i", "s", "l", "m"],
        ...["m.a", "m['b']", "l[1]", "m.c", "[]", "{}", "b'xy'", "2u"],
      ),
      fc.tuple(inner, binary, inner).map(([a, operator, b]) => `(${a} ${operator} ${b})`),
      fc.tuple(inner, inner, inner).map(([a, b, c]) => `(${a} ? dyn(${b}) : dyn(${c}))`),
      fc.tuple(inner, inner).map(([a, b]) => `[dyn(${a}), dyn(${b})]`),
      inner.map((a) => `size(${a})`),
      inner.map((a) => `string(${a})`),
      fc.tuple(inner, inner).map(([a, b]) => `!(${a} == dyn(${b}))`),
      fc.tuple(fc.constantFrom("all", "exists", "filter", "map", "exists_one"), inner, inner)
        .map(([macro, range, body]) => `dyn(${range}).${macro}(x, ${body})`),
    ),
  };
});

function here(source: string): unknown {
  const compiled = compile(source, names);
  if (compiled.kind === "refused") return "refused";
  const result = evaluate(compiled.program, variables, { costLimit: 1e6 });
  return result.kind === "value" ? toJson(result.value) : "failed";
}

/** The other one's value as JSON; its lists and maps are views, its uints objects. */
function plain(value: unknown): unknown {
  if (typeof value === "bigint") return Number(value);
  if (value === null || typeof value !== "object") return value;
  if (value instanceof Uint8Array) return btoa(String.fromCharCode(...value));
  if ("value" in value && typeof value.value === "bigint") return Number(value.value);
  if ("entries" in value && "get" in value && "has" in value) {
    const entries = [...(value as unknown as Map<unknown, unknown>).entries()];
    return Object.fromEntries(entries.map(([key, entry]) => [String(key), plain(entry)]));
  }
  return Array.from(value as Iterable<unknown>, plain);
}

function there(source: string): unknown {
  const result = run(source, bindings);
  return result instanceof Error ? "failed" : plain(result);
}

Deno.test("two implementations agree on random expressions", () => {
  let agreed = 0;
  fc.assert(
    fc.property(expression, (source) => {
      const ours = here(source);
      // What types refuse before it runs, the other one meets while it runs, or never; and of an
      // operation on types that do not fit, they differ in which part fails first.
      const theirs = there(source);
      if (ours === "refused" || ours === "failed" || theirs === "failed") return;
      assert.deepEqual(ours, theirs, source);
      agreed++;
    }),
    { seed: 7, numRuns: 1_000 },
  );
  assert(agreed > 150, `only ${agreed} expressions had a value`);
});
