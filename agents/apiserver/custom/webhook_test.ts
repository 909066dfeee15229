/** Versions that a webhook converts: reads, writes, lists, watches, and what a bad answer gives. */
import assert from "node:assert/strict";
import { type FakeApi, startFakeApi } from "../../../tests/fakes/api_server.ts";
import { startWebhookServer, type WebhookServer } from "../../../tests/fakes/webhook_server.ts";
import { define, definition, type Json, widget, WIDGETS } from "../../../tests/fakes/widgets.ts";

const NEWER = WIDGETS.replace("/v1/", "/v2/");

/** In v2 `size` is called `extent`. */
function converted(object: Json, desired: string): Json {
  const { size, extent, ...rest } = object.spec;
  const spec = desired.endsWith("v2")
    ? { ...rest, extent: extent ?? size }
    : { ...rest, size: size ?? extent };
  return { ...object, apiVersion: desired, spec };
}

async function withWebhook(
  change: (response: Json) => Json,
  run: (api: FakeApi, hook: WebhookServer) => Promise<void>,
): Promise<void> {
  const hook = await startWebhookServer((request) => {
    const objects = request.objects.map((one: Json) => converted(one, request.desiredAPIVersion));
    return {
      kind: "ConversionReview",
      apiVersion: "apiextensions.k8s.io/v1",
      response: change({
        uid: request.uid,
        result: { status: "Success" },
        convertedObjects: objects,
      }),
    } as Json;
  }, ["hook.default.svc"]);
  const api = await startFakeApi();
  try {
    await define(
      api,
      definition((spec) => {
        const newer = structuredClone(spec.versions[0]);
        const schema = newer.schema.openAPIV3Schema.properties.spec;
        newer.name = "v2";
        newer.storage = false;
        delete newer.selectableFields;
        delete schema["x-kubernetes-validations"];
        schema.required = ["extent"];
        schema.properties.extent = schema.properties.size;
        delete schema.properties.size;
        spec.versions.push(newer);
        spec.conversion = {
          strategy: "Webhook",
          webhook: {
            conversionReviewVersions: ["v1"],
            clientConfig: { url: `${hook.url}/convert`, caBundle: hook.caBundle },
          },
        };
      }),
    );
    await run(api, hook);
  } finally {
    await api.close();
    await hook.close();
  }
}

Deno.test("each version sees its own fields, whichever one wrote them", async () => {
  await withWebhook((response) => response, async (api, hook) => {
    await api.ask("POST", WIDGETS, widget({ size: "large" }));
    const seen = await api.ask("GET", `${NEWER}/w`);
    assert.equal(seen.status, 200, seen.text);
    assert.deepEqual([seen.json.apiVersion, seen.json.spec.extent], ["example.com/v2", "large"]);
    assert.equal(seen.json.spec.size, undefined);
    const body = { ...widget({ extent: "small" }, "n"), apiVersion: "example.com/v2" };
    const made = await api.ask("POST", NEWER, body);
    assert.equal(made.status, 201, made.text);
    assert.equal(made.json.spec.extent, "small");
    assert.equal((await api.ask("GET", `${WIDGETS}/n`)).json.spec.size, "small");
    const merge = { headers: { "content-type": "application/merge-patch+json" } };
    const patched = await api.ask("PATCH", `${NEWER}/n`, { spec: { extent: "large" } }, merge);
    assert.equal(patched.json.spec.extent, "large", patched.text);
    assert.equal((await api.ask("GET", `${WIDGETS}/n`)).json.spec.size, "large");
    const list = (await api.ask("GET", NEWER)).json.items;
    assert.deepEqual(list.map((one: Json) => one.spec.extent), ["large", "large"]);
    const asked = hook.seen.length;
    await api.ask("GET", NEWER);
    assert.equal(hook.seen.length, asked, "what is converted stays so");
    const watched = await api.ask("GET", `${NEWER}?watch=1&resourceVersion=0`);
    assert(watched.response.body.kind === "stream");
    for await (const chunk of watched.response.body.stream) {
      const events = new TextDecoder().decode(chunk).trim().split("\n").map((line) =>
        JSON.parse(line)
      );
      assert.deepEqual(events.map((one) => one.object.spec.extent), ["large", "large"]);
      break;
    }
    assert.equal((await api.ask("DELETE", `${NEWER}/w`)).status, 200);
  });
});

Deno.test("a webhook that fails, or oversteps, fails the request with its reason", async () => {
  const cases: readonly (readonly [(response: Json) => Json, string])[] = [
    [
      (response) => ({ ...response, result: { status: "Failure", message: "no way" } }),
      "no way",
    ],
    [
      (response) => ({ ...response, convertedObjects: [] }),
      "expected 1 converted objects, got 0",
    ],
    [(response) => ({ ...response, uid: "x" }), "expected response.uid="],
    [
      (response) => {
        response.convertedObjects[0].metadata.name = "other";
        return response;
      },
      "invalid converted object at index 0: metadata.name must not change",
    ],
  ];
  for (const [change, wanted] of cases) {
    await withWebhook(change, async (api) => {
      await api.ask("POST", WIDGETS, widget({ size: "large" }));
      const answer = await api.ask("GET", `${NEWER}/w`);
      assert.equal(answer.status, 500, answer.text);
      const head = "conversion webhook for example.com/v1, Kind=Widget failed: ";
      assert(answer.json.message.includes(head + wanted), answer.json.message);
      assert.equal((await api.ask("GET", `${WIDGETS}/w`)).status, 200);
    });
  }
});
