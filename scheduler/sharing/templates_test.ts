/** Templates are one for equal specs and several for others, however they were asked for. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { TemplateTable } from "../intern.ts";
import { EMPTY_SPEC, NO_DEVICES, NO_VOLUMES } from "../pod_row.ts";
import type { Surroundings } from "../pod_row.ts";

/** Names that could be taken for the ends of others. */
const name = fc.constantFrom("a", "ab", "b", "a,1 b", "@1,1 ab", "!1 a", "#01 a", "[", "");
const few = <T>(item: fc.Arbitrary<T>) => fc.array(item, { maxLength: 2 });
const term = name.map((key) => ({
  expressions: [{ key, operator: "Exists" as const, values: [] }],
  fields: [],
}));
const surroundings: fc.Arbitrary<Surroundings> = fc.record({
  defaultSpreadSelector: few(term.map(({ expressions: [first] }) => first)),
  volumes: fc.record({
    exclusiveClaims: few(name),
    disks: few(fc.record({ name, isReadOnly: fc.boolean() })),
    boundTerms: few(few(term)),
    waitingTerms: few(few(few(term))),
    roomTerms: few(fc.option(few(term))),
    zones: few(fc.record({ key: name, values: few(name) })),
    attachments: few(fc.record({ driver: name, handle: name })),
    rejection: name,
  }, { requiredKeys: [] }).map((needs) => ({ ...NO_VOLUMES, ...needs })),
  devices: fc.record({ claims: few(name), rejection: name }).map((needs) => ({
    ...NO_DEVICES,
    ...needs,
  })),
});

Deno.test("surroundings that differ in anything make a template of their own", () => {
  const templates = new TemplateTable();
  const plain = templates.intern(EMPTY_SPEC);
  const byText = new Map<string, number>();
  fc.assert(
    fc.property(surroundings, (around) => {
      const spec = { ...EMPTY_SPEC, ...around };
      const template = templates.vary(plain, around);
      assert.deepEqual(template.spec, spec);
      assert.equal(templates.intern(spec), template);
      assert.equal(templates.vary(template, EMPTY_SPEC), plain);
      assert.equal(template.plain ?? template, plain);
      const text = JSON.stringify(spec);
      assert.equal(byText.get(text) ?? template.id, template.id);
      byText.set(text, template.id);
    }),
    { numRuns: 1000 },
  );
  assert.equal(new Set(byText.values()).size, byText.size);
});
