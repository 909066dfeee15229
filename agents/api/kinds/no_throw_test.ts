/** No object of the right types, however full of holes, makes a kind's rules throw. */
import assert from "node:assert/strict";
import fc from "fast-check";
import type { KubeObject } from "../meta.ts";
import { resources } from "../resources.ts";
import type { Resource } from "../resource.ts";
import { checkDecoded } from "../schema/strict.ts";

const folder = Deno.env.get("BALSA_K8S_TESTDATA");
const forbidsSkips = Deno.env.get("BALSA_FORBID_SKIPS") === "1";
const context = {
  nowMillis: 60_000,
  newUid: () => "uid",
  user: { name: "ann", groups: ["staff"] },
};

/** Everything that the API server asks of a kind, on one object and an older one. */
function exercise(row: Resource, object: KubeObject, older: KubeObject): void {
  const { rules, storedAs } = row;
  const draft = structuredClone(object);
  const old = structuredClone(older);
  for (const item of [draft, old]) rules.setDefaults?.(item);
  const created = structuredClone(draft);
  rules.prepareForCreate?.(created, context);
  rules.validate?.(created);
  const updated = structuredClone(draft);
  rules.prepareForUpdate?.(updated, old, context);
  rules.validate?.(updated);
  rules.validateUpdate?.(updated, old);
  const reported = structuredClone(draft);
  rules.prepareForStatusUpdate?.(reported, old, context);
  rules.validateStatusUpdate?.(reported, old);
  for (const part of Object.values(rules.parts ?? {})) {
    const cornered = structuredClone(draft);
    part.prepare(cornered, old, context);
    part.validateUpdate?.(cornered, old);
  }
  for (const item of [created, updated]) {
    for (const column of rules.columns ?? []) column.cell(item, context.nowMillis);
    for (const read of Object.values(rules.selectableFields ?? {})) {
      assert.equal(typeof read(item), "string");
    }
    rules.defaultGraceSeconds?.(item);
    if (storedAs !== undefined) storedAs.fromStored(storedAs.toStored(item));
  }
}

/** As the API server reads it; null where it refuses the object. */
function decoded(row: Resource, value: unknown): KubeObject | null {
  const checked = checkDecoded(row.typeName, value);
  if (checked.kind !== "ok") return null;
  const object = checked.value as unknown as KubeObject;
  return { ...object, metadata: { name: "x", ...object.metadata } };
}

/** Takes one value out, somewhere. @param at picks the place, 0..1. */
function withHole(value: unknown, at: number): unknown {
  const paths: (readonly (string | number)[])[] = [];
  const walk = (item: unknown, path: readonly (string | number)[]) => {
    if (typeof item !== "object" || item === null) return;
    for (const [key, inner] of Object.entries(item)) {
      const here = [...path, Array.isArray(item) ? Number(key) : key];
      paths.push(here);
      walk(inner, here);
    }
  };
  walk(value, []);
  const path = paths[Math.floor(at * paths.length)];
  if (path === undefined) return value;
  // deno-lint-ignore no-explicit-any
  let parent: any = value;
  for (const key of path.slice(0, -1)) parent = parent[key];
  const last = path[path.length - 1];
  if (Array.isArray(parent)) parent.splice(Number(last), 1);
  else delete parent[last];
  return value;
}

Deno.test("empty objects are refused or taken, never thrown on", () => {
  for (const row of resources) {
    const full = decoded(row, { metadata: { name: "x" }, spec: {}, status: {} });
    const bare = decoded(row, { metadata: { name: "x" } });
    assert.ok(full !== null && bare !== null, row.plural);
    for (const [now, before] of [[full, full], [full, bare], [bare, full], [bare, bare]]) {
      exercise(row, now, before);
    }
  }
});

Deno.test({
  name: folder === undefined
    ? "SKIP golden objects with holes: BALSA_K8S_TESTDATA names no folder"
    : "golden objects with holes are refused or taken, never thrown on",
  ignore: folder === undefined && !forbidsSkips,
  fn: () => {
    assert.ok(folder !== undefined, "BALSA_K8S_TESTDATA must name upstream's golden objects");
    for (const row of resources) {
      const group = row.group === "" ? "core" : row.group;
      const file: string = `${folder}/${group}.${row.version}.${row.kind}.json`;
      if (group.startsWith("api")) continue;
      const golden = JSON.parse(Deno.readTextFileSync(file));
      const whole = decoded(row, structuredClone(golden));
      assert.ok(whole !== null, file);
      exercise(row, whole, whole);
      const holes = fc.array(fc.double({ min: 0, max: 0.999, noNaN: true }), {
        minLength: 1,
        maxLength: 12,
      });
      fc.assert(
        fc.property(holes, (places) => {
          let broken = structuredClone(golden);
          for (const at of places) broken = withHole(broken, at);
          const object = decoded(row, broken);
          if (object === null) return;
          exercise(row, object, whole);
          exercise(row, whole, object);
        }),
        { seed: 7, numRuns: 10 },
      );
    }
  },
});
