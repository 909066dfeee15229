/** Tries definitions of custom resources and API services: defaults, refusals, changes, cells. */
import assert from "node:assert/strict";
import type { KubeObject } from "../../meta.ts";
import { cells, prepared, problems, updateProblems } from "../testing.ts";
import { apiServices, customResourceDefinitions as row } from "../../resources.ts";

const context = { nowMillis: 0, newUid: () => "" };
const schema = {
  type: "object",
  properties: { spec: { type: "object", properties: { size: { type: "integer" } } } },
};
const spec = {
  group: "example.com",
  names: { plural: "widgets", kind: "Widget" },
  scope: "Namespaced",
  versions: [{ name: "v1", served: true, storage: true, schema: { openAPIV3Schema: schema } }],
};

function created(change: Record<string, unknown> = {}): KubeObject {
  const object = prepared(row, { spec: { ...spec, ...change } });
  object.metadata.name = "widgets.example.com";
  row.rules.prepareForCreate?.(object, context);
  return object;
}

const withSchema = (openAPIV3Schema: unknown) =>
  created({ versions: [{ ...spec.versions[0], schema: { openAPIV3Schema } }] });

Deno.test("a definition gets its names, its conversion and its stored version", () => {
  const object = created();
  assert.equal(object.spec.names.singular, "widget");
  assert.equal(object.spec.names.listKind, "WidgetList");
  assert.deepEqual(object.spec.conversion, { strategy: "None" });
  assert.deepEqual(object.status.storedVersions, ["v1"]);
  assert.deepEqual(problems(row, object), []);
});

Deno.test("definitions are refused for what upstream refuses", () => {
  const twice = [spec.versions[0], spec.versions[0]];
  const cases: readonly [Record<string, unknown>, string][] = [
    [{ group: "local" }, "should be a domain with at least one dot"],
    [{ scope: "Galaxy" }, 'spec.scope: Unsupported value: "Galaxy"'],
    [{ versions: twice }, "must contain unique version names"],
    [{ versions: twice }, "must have exactly one version marked as storage version"],
    [{ names: { plural: "Widgets", kind: "Widget" } }, "a DNS-1035 label must consist of"],
    [{ conversion: { strategy: "Webhook" } }, "required when strategy is set to Webhook"],
    [{ names: { plural: "gears", kind: "Gear" } }, 'must be spec.names.plural+"."+spec.group'],
  ];
  for (const [change, expected] of cases) {
    const found = problems(row, created(change)).join("\n");
    assert.ok(found.includes(expected), found);
  }
});

Deno.test("schemas must be structural", () => {
  const at = "spec.versions[0].schema.openAPIV3Schema";
  const field = (property: unknown) => ({ type: "object", properties: { a: property } });
  const cases: readonly [unknown, string][] = [
    [{}, `${at}.type: Required value: must not be empty at the root`],
    [{ type: "string" }, `${at}.type: Invalid value: "string": must be object at the root`],
    [
      field({}),
      `${at}.properties[a].type: Required value: must not be empty for specified ` +
      "object fields",
    ],
    [field({ type: "array" }), `${at}.properties[a].items: Required value: must be specified`],
    [field({ type: "thing" }), `${at}.properties[a].type: Unsupported value: "thing"`],
    [
      field({ $ref: "#/x", type: "object" }),
      `${at}.properties[a].$ref: Forbidden: $ref is not ` +
      "supported",
    ],
    [
      field({ type: "object", anyOf: [{ type: "object" }] }),
      `${at}.properties[a].anyOf[0].type: Forbidden: must be empty to be structural`,
    ],
    [
      field({ type: "object", properties: { b: { type: "string" } }, additionalProperties: true }),
      "additionalProperties and properties are mutual exclusive",
    ],
    [
      field({ type: "array", items: { type: "object" }, "x-kubernetes-list-type": "map" }),
      "must not be empty if x-kubernetes-list-type is map",
    ],
    [
      field({
        type: "array",
        "x-kubernetes-list-type": "set",
        items: { type: "object", nullable: true },
      }),
      `${at}.properties[a].items.x-kubernetes-map-type: Invalid value: null: must be atomic as ` +
      "item of a list with x-kubernetes-list-type=set",
    ],
    [
      field({
        type: "array",
        "x-kubernetes-list-type": "set",
        items: { type: "string", nullable: true },
      }),
      "items.nullable: Forbidden: cannot be nullable when x-kubernetes-list-type is set",
    ],
    [
      field({ type: "object", "x-kubernetes-preserve-unknown-fields": false }),
      "x-kubernetes-preserve-unknown-fields: Invalid value: false: must be true or undefined",
    ],
    [field({ type: "null" }), "type cannot be set to null, use nullable as an alternative"],
    [{ type: "object", nullable: true }, `${at}.nullable: Forbidden: nullable cannot be true at`],
    [
      field({
        type: "object",
        properties: { b: { type: "string" } },
        "x-kubernetes-validations": [{ rule: "true", fieldPath: ".c" }],
      }),
      'x-kubernetes-validations[0].fieldPath: Invalid value: ".c": must be a valid path',
    ],
    [
      field({ type: "string", "x-kubernetes-validations": [{ rule: "a\r&& b" }] }),
      "message must be specified if rule contains line breaks",
    ],
    [
      { type: "object", properties: { metadata: field({ type: "string" }) } },
      "must not specify anything other than name and generateName",
    ],
  ];
  for (const [root, expected] of cases) {
    const found = problems(row, withSchema(root)).join("\n");
    assert.ok(found.includes(expected), found);
  }
  const either = {
    "x-kubernetes-int-or-string": true,
    anyOf: [{ type: "integer" }, { type: "string" }],
  };
  const open = { "x-kubernetes-preserve-unknown-fields": true };
  assert.deepEqual(problems(row, withSchema(field(either))), []);
  assert.deepEqual(problems(row, withSchema(field(open))), []);
});

Deno.test("selectable fields are simple, and fields that the schema has", () => {
  const at = "spec.versions[0].selectableFields";
  const schema = {
    type: "object",
    properties: {
      spec: {
        type: "object",
        properties: {
          size: { type: "string" },
          list: { type: "array", items: { type: "string" } },
        },
      },
      labels: { type: "object", additionalProperties: { type: "integer" } },
      metadata: { type: "object", properties: { name: { type: "string" } } },
    },
  };
  const found = (...paths: string[]) => {
    const draft = withSchema(schema);
    draft.spec.versions[0].selectableFields = paths.map((jsonPath) => ({ jsonPath }));
    return problems(row, draft);
  };
  assert.deepEqual(found(".spec.size", ".labels.a"), []);
  const type = "must point to a field of type string, boolean or integer. Enum string fields and " +
    "strings with formats are allowed.";
  const cases: [string, string][] = [
    [".spec.other", "is an invalid path: does not refer to a valid field"],
    ["spec", "is an invalid path: expected [ or . but got: spec"],
    [".spec['size']", "is an invalid path: array notation is not allowed"],
    [".spec.", "is an invalid path: unexpected end of JSON path"],
    [".metadata.name", "must not point to fields in metadata"],
    [".spec.list", type],
  ];
  for (const [path, detail] of cases) {
    const shown = `${at}[0].jsonPath: Invalid value: ${JSON.stringify(path)}: ${detail}`;
    assert.deepEqual(found(path), [shown]);
  }
  assert.deepEqual(found(".spec.size", ".spec.size"), [
    `${at}[1].jsonPath: Duplicate value: ".spec.size"`,
  ]);
});

Deno.test("the root of a schema with a status holds what a status can do without", () => {
  const draft = withSchema({ type: "object", default: {}, required: ["spec"] });
  assert.deepEqual(problems(row, draft), []);
  draft.spec.versions[0].subresources = { status: {} };
  assert.match(
    problems(row, draft).join(),
    /only \[Description Type .* XValidations\] fields are allowed at the root of the schema if the status/,
  );
});

Deno.test("established names stay; a former storage version must too", () => {
  const old = created();
  old.status.conditions = [{ type: "Established", status: "True" }];
  const draft = structuredClone(old);
  draft.spec.scope = "Cluster";
  assert.match(updateProblems(row, draft, old)[0], /^spec.scope: .*field is immutable/);
  const moved = structuredClone(old);
  moved.spec.versions[0].name = "v2";
  row.rules.prepareForUpdate?.(moved, old, context);
  assert.deepEqual(moved.status.storedVersions, ["v1", "v2"]);
  assert.match(problems(row, moved)[0], /missing from spec.versions; v1 was previously/);
});

Deno.test("API services: names, priorities, cells", () => {
  const service = { namespace: "kube-system", name: "metrics" };
  const parts = { group: "metrics.k8s.io", version: "v1", groupPriorityMinimum: 100 };
  const object = prepared(apiServices, { spec: { ...parts, versionPriority: 100, service } });
  assert.equal(object.spec.service.port, 443);
  assert.deepEqual(problems(apiServices, object), [
    'metadata.name: Invalid value: "x": must be `spec.version+"."+spec.group`: "v1.metrics.k8s.io"',
  ]);
  object.metadata.name = "v1.metrics.k8s.io";
  assert.deepEqual(problems(apiServices, object), []);
  object.status = { conditions: [{ type: "Available", status: "False", reason: "Down" }] };
  assert.deepEqual(cells(apiServices, object).slice(1, 3), ["kube-system/metrics", "False (Down)"]);
  const local = prepared(apiServices, { spec: { ...parts, caBundle: "AAAA" } });
  assert.match(
    problems(apiServices, local).join("\n"),
    /local APIServices may not have a caBundle/,
  );
});
