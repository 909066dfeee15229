/**
 * Widgets: a definition with a bit of everything, and short ways to ask about its objects.
 * In: an API server of a test. Out: definitions, objects, answers.
 * Never: asserts more than that a definition was taken.
 */
import assert from "node:assert/strict";
import type { Answer, FakeApi } from "./api_server.ts";

export const CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
export const WIDGETS = "/apis/example.com/v1/namespaces/default/widgets";

const SPEC_SCHEMA = {
  type: "object",
  required: ["size"],
  properties: {
    size: { type: "string", enum: ["small", "large"] },
    replicas: { type: "integer", minimum: 0, maximum: 10, default: 1 },
    when: { type: "string", format: "date-time" },
    name: { type: "string", maxLength: 5, minLength: 2, pattern: "^[a-z]+$" },
    port: { "x-kubernetes-int-or-string": true },
    free: { type: "object", "x-kubernetes-preserve-unknown-fields": true },
    labels: { type: "object", additionalProperties: { type: "string" }, maxProperties: 2 },
    parts: {
      type: "array",
      maxItems: 3,
      "x-kubernetes-list-type": "map",
      "x-kubernetes-list-map-keys": ["id"],
      items: {
        type: "object",
        required: ["id"],
        properties: {
          id: { type: "string", maxLength: 10 },
          count: { type: "integer", default: 7 },
        },
      },
    },
    tags: {
      type: "array",
      "x-kubernetes-list-type": "set",
      maxItems: 10,
      items: { type: "string", maxLength: 20 },
    },
    choice: {
      type: "object",
      properties: { a: { type: "string" }, b: { type: "string" } },
      oneOf: [{ required: ["a"] }, { required: ["b"] }],
    },
    maybe: { type: "string", nullable: true },
    locked: {
      type: "string",
      maxLength: 20,
      "x-kubernetes-validations": [{ rule: "self == oldSelf", message: "locked is immutable" }],
    },
    ratio: { type: "number", multipleOf: 0.5, exclusiveMaximum: true, maximum: 2 },
  },
  "x-kubernetes-validations": [
    {
      rule: "self.size != 'small' || self.replicas <= 3",
      messageExpression: "'a small one has at most 3, not ' + string(self.replicas)",
      fieldPath: ".replicas",
    },
  ],
};

// deno-lint-ignore no-explicit-any
export type Json = any;

export function definition(change: (spec: Json) => void = () => {}): Json {
  const spec: Json = {
    group: "example.com",
    scope: "Namespaced",
    names: { plural: "widgets", kind: "Widget", shortNames: ["wd"], categories: ["all"] },
    versions: [{
      name: "v1",
      served: true,
      storage: true,
      schema: {
        openAPIV3Schema: {
          type: "object",
          properties: {
            spec: SPEC_SCHEMA,
            status: {
              type: "object",
              properties: { replicas: { type: "integer" }, selector: { type: "string" } },
            },
          },
        },
      },
      subresources: {
        status: {},
        scale: {
          specReplicasPath: ".spec.replicas",
          statusReplicasPath: ".status.replicas",
          labelSelectorPath: ".status.selector",
        },
      },
      additionalPrinterColumns: [
        { name: "Size", type: "string", jsonPath: ".spec.size" },
        { name: "Part", type: "string", jsonPath: '.spec.parts[?(@.id=="x")].count', priority: 1 },
        { name: "Age", type: "date", jsonPath: ".metadata.creationTimestamp" },
      ],
      selectableFields: [{ jsonPath: ".spec.size" }],
    }],
  };
  change(spec);
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: `${spec.names.plural}.${spec.group}` },
    spec,
  };
}

export const widget = (spec: Json, name = "w"): Json => ({
  apiVersion: "example.com/v1",
  kind: "Widget",
  metadata: { name },
  spec,
});

/** Lets everything that is under way in this process come to rest. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setTimeout(resolve, 0));
}

export async function define(api: FakeApi, crd: Json = definition()): Promise<Answer> {
  const answer = await api.ask("POST", CRDS, crd);
  assert.equal(answer.status, 201, answer.text);
  await settled();
  return await api.ask("GET", `${CRDS}/${crd.metadata.name}`);
}

export const conditions = (crd: Json) =>
  Object.fromEntries(
    crd.status.conditions.map((one: Json) => [one.type, `${one.status} ${one.reason}`]),
  );
