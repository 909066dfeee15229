/** The OpenAPI v3 document of each group against the schema that OpenAPI 3.0 publishes. */
import assert from "node:assert/strict";
import { Validator } from "@seriousme/openapi-schema-validator";
import { resources, virtualResources } from "../../agents/api/resources.ts";
import { buildOpenApiV3, openApiV3Versions } from "../../agents/api/schema/openapi_v3.ts";

/** A schema of schemas has a field of this name, which the validator takes for a reference. */
const REFERENCE = "$ref";

// deno-lint-ignore no-explicit-any
function hideReferenceField(components: any): void {
  for (
    const schema of Object.values<{ properties?: Record<string, unknown> }>(components.schemas)
  ) {
    const { properties } = schema;
    if (properties?.[REFERENCE] === undefined) continue;
    properties.reference = properties[REFERENCE];
    delete properties[REFERENCE];
  }
}

const rows = [...resources, ...virtualResources];

for (const { group, version } of openApiV3Versions(rows)) {
  Deno.test(`${group === "" ? "core" : group}/${version} is a document of OpenAPI 3.0`, async () => {
    const document = structuredClone(buildOpenApiV3(rows, { group, version }));
    hideReferenceField(document.components);
    const validator = new Validator();
    const result = await validator.validate(document);
    assert.ok(result.valid, JSON.stringify(result.errors, null, 1)?.slice(0, 3000));
    assert.equal(validator.version, "3.0");
  });
}

Deno.test("a document that is none is refused", async () => {
  const { valid } = await new Validator().validate({ openapi: "3.0.0", info: {}, paths: [] });
  assert.equal(valid, false);
});
