/**
 * Tries label and field selectors.
 * In: selectors, sound, broken and random. Out: matches, and the sentences of refusals.
 * Never: reads the clock or the network; randomness comes from fast-check.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { compileFieldSelector, parseFieldSelector } from "./field_selector.ts";
import { configMaps, pods } from "./resources.ts";
import {
  formatLabelSelector,
  matchesLabels,
  matchesLabelSelector,
  parseLabelSelector,
} from "./selector.ts";

function matches(text: string, labels: Record<string, string> | undefined): boolean {
  const parsed = parseLabelSelector(text);
  assert.equal(parsed.kind, "ok", text);
  return parsed.kind === "ok" && matchesLabels(parsed.selector, labels);
}

const MATCHES: readonly [string, Record<string, string> | undefined, boolean][] = [
  ["", {}, true],
  ["app=web", { app: "web" }, true],
  ["app==web", { app: "db" }, false],
  ["app!=web", {}, true],
  ["app", { app: "" }, true],
  ["!app", { app: "" }, false],
  ["!app", undefined, true],
  ["app in (web, db)", { app: "db" }, true],
  ["app in (web,db)", {}, false],
  ["app notin (web)", {}, true],
  ["a=b,c", { a: "b" }, false],
  ["a=b , c", { a: "b", c: "d" }, true],
  ["in in (in)", { in: "in" }, true],
  ["size>3", { size: "4" }, true],
  ["size<3", { size: "4" }, false],
  ["size>3", { size: "x" }, false],
  ["a=", { a: "" }, true],
  ["a in ()", { a: "" }, true],
  ["constructor", {}, false],
];

Deno.test("label selectors match as documented", () => {
  for (const [text, labels, expected] of MATCHES) {
    assert.equal(matches(text, labels), expected, `${text} on ${JSON.stringify(labels)}`);
  }
});

Deno.test("malformed label selectors are refused in upstream's words", () => {
  const cases: readonly [string, string][] = [
    ["a=b,", "found '', expected: identifier after ','"],
    ["=b", "found '=', expected: !, identifier, or 'end of string'"],
    ["a=b=c", "found '=', expected: ',' or 'end of string'"],
    ["a b", "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt"],
    ["a in b", "unable to parse requirement: found 'b' expected: '('"],
    ["!", "unable to parse requirement: found '', expected: identifier"],
  ];
  for (const [text, message] of cases) {
    assert.deepEqual(parseLabelSelector(text), { kind: "error", message }, text);
  }
  const value = parseLabelSelector("a=-b");
  assert.equal(value.kind, "error");
});

Deno.test("formatting a parsed selector parses to the same selector", () => {
  const word = fc.stringMatching(/^[a-z][a-z0-9]{0,5}$/);
  const term = fc.oneof(
    fc.tuple(word, word).map(([key, value]) => `${key}=${value}`),
    fc.tuple(word, fc.array(word, { minLength: 1, maxLength: 3 })).map(([key, values]) =>
      `${key} notin (${values.join(",")})`
    ),
    word.map((key) => `!${key}`),
  );
  fc.assert(fc.property(fc.array(term, { maxLength: 4 }), (terms) => {
    const once = parseLabelSelector(terms.join(","));
    assert.equal(once.kind, "ok");
    if (once.kind !== "ok") return;
    assert.deepEqual(parseLabelSelector(formatLabelSelector(once.selector)), once);
  }));
});

Deno.test("no text makes the parsers throw", () => {
  const alphabet = fc.string({ unit: fc.constantFrom(..."ab=!(),<> in\\"), maxLength: 12 });
  fc.assert(fc.property(alphabet, (text) => {
    parseLabelSelector(text);
    parseFieldSelector(text);
  }));
});

Deno.test("an absent spec selector matches nothing, an empty one everything", () => {
  assert.equal(matchesLabelSelector(undefined, { a: "b" }), false);
  assert.equal(matchesLabelSelector({}, undefined), true);
  const selector = {
    matchLabels: { app: "web" },
    matchExpressions: [{ key: "tier", operator: "NotIn" as const, values: ["db"] }],
  };
  assert.equal(matchesLabelSelector(selector, { app: "web", tier: "front" }), true);
  assert.equal(matchesLabelSelector(selector, { app: "web", tier: "db" }), false);
});

Deno.test("field selectors read what the kind offers", () => {
  const pod = {
    metadata: { name: "p", namespace: "n" },
    spec: { containers: [], nodeName: "n1" },
    status: { phase: "Running" },
  };
  const cases: readonly [string, boolean][] = [
    ["spec.nodeName=n1,status.phase!=Failed", true],
    ["metadata.name=q", false],
    ["metadata.namespace==n", true],
    ["spec.nodeName=", false],
  ];
  for (const [text, expected] of cases) {
    const compiled = compileFieldSelector(pods, text);
    assert.equal(compiled.kind, "ok", text);
    if (compiled.kind === "ok") assert.equal(compiled.selector(pod), expected, text);
  }
});

Deno.test("unknown fields and broken escapes are refused", () => {
  assert.deepEqual(compileFieldSelector(pods, "spec.foo=1"), {
    kind: "error",
    message: "field label not supported: spec.foo",
  });
  assert.equal(compileFieldSelector(configMaps, "data=1").kind, "error");
  assert.deepEqual(parseFieldSelector("abc"), {
    kind: "error",
    message: "invalid selector: 'abc'; can't understand 'abc'",
  });
  assert.equal(parseFieldSelector("a=b\\c").kind, "error");
  const escaped = parseFieldSelector("a=b\\,c");
  assert.deepEqual(escaped, {
    kind: "ok",
    selector: [{ field: "a", operator: "=", value: "b,c" }],
  });
});
