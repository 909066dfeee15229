/** Rules and defaults of definitions: what does not compile, costs too much, or does not fit. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { checkSchema } from "./definition_rules.ts";
import { parseJsonPath } from "./json_path.ts";
import { dropNulls, pruneObject, type Schema, setDefaults } from "./schema/prune.ts";
import { SchemaRules } from "./schema/rules.ts";
import { validateLists, validateValue } from "./schema/validate.ts";

const withSpec = (spec: Schema): Schema => ({ type: "object", properties: { spec } });
const rule = (text: string, more: object = {}) => [{ rule: text, ...more }];

Deno.test("rules that are wrong, or may cost too much, are named by their place", () => {
  const list = (maxItems?: number): Schema => ({
    type: "array",
    ...(maxItems === undefined ? {} : { maxItems }),
    items: { type: "string", ...(maxItems === undefined ? {} : { maxLength: 10 }) },
  });
  const table: readonly (readonly [Schema, string | null])[] = [
    [{ type: "integer", "x-kubernetes-validations": rule("self > 0") }, null],
    [
      { type: "integer", "x-kubernetes-validations": rule("self.x > 0") },
      "compilation failed: " +
      "ERROR: <input>:1:5: type 'int' does not support field selection\n | self.x > 0\n | ....^",
    ],
    [
      { type: "integer", "x-kubernetes-validations": rule("self + 1") },
      "cel expression must " +
      "evaluate to a bool",
    ],
    [
      { type: "integer", "x-kubernetes-validations": rule("self > 0", { messageExpression: "1" }) },
      "messageExpression must evaluate to a string",
    ],
    [
      { type: "integer", "x-kubernetes-validations": rule("self > 0", { optionalOldSelf: true }) },
      "may not be set if oldSelf is not used in rule",
    ],
    [{
      ...list(10),
      "x-kubernetes-validations": rule("self.all(x, self.all(y, x != y || x == y))"),
    }, null],
    [
      { ...list(), "x-kubernetes-validations": rule("self.all(x, self.all(y, x != y))") },
      "estimated rule cost exceeds budget by factor of more than 100x",
    ],
    [{ type: "integer", default: "one" }, 'must be of type integer: "string"'],
    [
      { type: "object", properties: { a: { type: "string" } }, default: { b: 1 } },
      "must not have unknown fields: b",
    ],
  ];
  for (const [schema, wanted] of table) {
    const errors = checkSchema(withSpec(schema), "schema");
    if (wanted === null) assert.deepEqual(errors, []);
    else assert(errors.some(({ detail }) => detail.includes(wanted)), JSON.stringify(errors));
  }
});

Deno.test("rules of change stand only where the old value can be found again", () => {
  const changing = { type: "string", "x-kubernetes-validations": rule("self == oldSelf") };
  const optional = {
    type: "string",
    "x-kubernetes-validations": rule("!oldSelf.hasValue() || self == oldSelf.value()", {
      optionalOldSelf: true,
    }),
  };
  const inObject = (part: Schema): Schema => ({ type: "object", properties: { a: part } });
  const list = (items: Schema, more: object = {}): Schema => ({ type: "array", items, ...more });
  const byKey = { "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["a"] };
  const atomic = { ...inObject(changing), "x-kubernetes-map-type": "atomic" };
  const table: readonly (readonly [Schema, string | null])[] = [
    [changing, null],
    [list(inObject(changing), byKey), null],
    [{ type: "object", additionalProperties: changing, maxProperties: 2 }, null],
    [list(changing), "schema.properties[spec]"],
    [list(changing, { "x-kubernetes-list-type": "set" }), "schema.properties[spec]"],
    [list(inObject(optional), { "x-kubernetes-list-type": "atomic" }), "schema.properties[spec]"],
    [atomic, "schema.properties[spec]"],
    // The outermost part is named.
    [list(list(inObject(changing)), {}), "schema.properties[spec]"],
    [inObject(list(atomic)), "schema.properties[spec].properties[a]"],
  ];
  for (const [schema, wanted] of table) {
    const errors = checkSchema(withSpec(schema), "schema").filter(({ type }) => type === "invalid");
    const details = wanted === null
      ? []
      : [`oldSelf cannot be used on the uncorrelatable portion of the schema within ${wanted}`];
    assert.deepEqual(errors.map(({ detail }) => detail), details, JSON.stringify(schema));
  }
});

Deno.test("what all rules cost together is bounded, and the dearest of them are named", () => {
  const dear = {
    type: "array",
    maxItems: 1000,
    items: { type: "string", maxLength: 3000 },
    "x-kubernetes-validations": rule("self.all(x, x.matches('a*b'))"),
  };
  const one = checkSchema(withSpec(dear), "schema");
  assert.deepEqual(one, []);
  const properties = Object.fromEntries(Array.from({ length: 200 }, (_, i) => [`f${i}`, dear]));
  const errors = checkSchema(withSpec({ type: "object", properties }), "schema");
  const last = errors.pop()!;
  assert.equal(last.path, "schema");
  assert.match(
    last.detail,
    /^x-kubernetes-validations estimated rule cost total for entire OpenAPIv3 schema exceeds budget/,
  );
  assert(errors.length <= 4);
  for (const { detail, path } of errors) {
    assert.match(path, /^schema\.properties\[spec\]\.properties\[f\d+\].*\.rule$/);
    assert.match(detail, /^contributed to estimated rule cost total exceeding cost limit/);
  }
  // Bounds that stand in the schema count as they stand, whatever a request can hold.
  const deep = [1000, 1000, 1000].reduce<Schema>(
    (items, maxItems) => ({ type: "array", maxItems, items }),
    { type: "integer", "x-kubernetes-validations": rule("self > 0") },
  );
  assert.match(checkSchema(withSpec(deep), "schema")[0].detail, /by factor of more than 100x/);
});

Deno.test("paths of columns find what they name", () => {
  const object = {
    a: [{ n: "x", v: 1 }, { n: "y", v: 2 }],
    "b.c": { d: true },
    e: { f: [1, 2, 3] },
  };
  const table: readonly (readonly [string, unknown[]])[] = [
    [".a[0].n", ["x"]],
    [".a[*].v", [1, 2]],
    ['.a[?(@.n=="y")].v', [2]],
    [".a[?(@.v>1)].n", ["y"]],
    [".e.f[-1]", [3]],
    [".e.f[0:2]", [1, 2]],
    ["['b.c'].d", [true]],
    [".b\\.c.d", [true]],
    ["..n", ["x", "y"]],
    [".nothing.here", []],
  ];
  for (const [text, wanted] of table) {
    const path = parseJsonPath(text);
    assert(path.kind === "path", text);
    assert.deepEqual(path.find(object), wanted, text);
  }
  for (const text of [".a[", ".a[?(@.n==)]", ".a b", '.a["x']) {
    assert.equal(parseJsonPath(text).kind, "error", text);
  }
});

const { schema: schemas } = fc.letrec<{ schema: Schema }>((tie) => ({
  schema: fc.oneof(
    { maxDepth: 3 },
    fc.record({
      type: fc.constantFrom("string", "integer", "number", "boolean"),
      nullable: fc.boolean(),
      maxLength: fc.nat(5),
      pattern: fc.constantFrom("", "^a", "(a|b)*c"),
      minimum: fc.integer({ min: -3, max: 3 }),
      enum: fc.option(fc.array(fc.jsonValue({ maxDepth: 0 }), { minLength: 1 }), {
        nil: undefined,
      }),
    }),
    fc.record({
      type: fc.constant("object"),
      properties: fc.dictionary(fc.constantFrom("a", "b", "c"), tie("schema")),
      required: fc.subarray(["a", "b"]),
      "x-kubernetes-preserve-unknown-fields": fc.boolean(),
      "x-kubernetes-validations": fc.constantFrom([], rule("has(self.a)"), rule("self == oldSelf")),
    }),
    fc.record({ type: fc.constant("object"), additionalProperties: tie("schema") }),
    fc.record({
      type: fc.constant("array"),
      items: tie("schema"),
      "x-kubernetes-list-type": fc.constantFrom("atomic", "set"),
      maxItems: fc.nat(3),
    }),
    fc.record({
      anyOf: fc.array(tie("schema"), { minLength: 1, maxLength: 2 }),
      not: tie("schema"),
    }),
  ) as fc.Arbitrary<Schema>,
}));

Deno.test("no value makes a schema throw; what is unchanged passes, what is tidy stays so", () => {
  fc.assert(
    fc.property(schemas, fc.jsonValue({ maxDepth: 4 }), (schema, value) => {
      const whole = withSpec(schema);
      const object = { spec: structuredClone(value) };
      pruneObject(whole, object);
      dropNulls(whole, object);
      setDefaults(whole, object);
      const tidy = JSON.stringify(object);
      pruneObject(whole, object);
      assert.equal(JSON.stringify(object), tidy);
      validateLists(whole, object);
      validateValue(whole, object);
      assert.deepEqual(validateValue(whole, object, structuredClone(object)), []);
      new SchemaRules(whole).check(object, undefined);
      checkSchema(whole, "schema");
    }),
    { seed: 11, numRuns: 400 },
  );
});
