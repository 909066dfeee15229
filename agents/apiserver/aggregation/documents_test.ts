/** Another server's kinds beside one's own: discovery, OpenAPI, watches, upgraded connections. */
import assert from "node:assert/strict";
import { connect } from "node:tls";
import {
  type AggregatedServer,
  FLUNDERS,
  flunders,
  registrationOf,
  startAggregatedServer,
  WARDLE,
} from "../../../tests/fakes/aggregated_server.ts";
import { type Answer, type FakeApi, startFakeApi } from "../../../tests/fakes/api_server.ts";
import { CRDS, type Json } from "../../../tests/fakes/widgets.ts";

const SERVICE = "/apis/apiregistration.k8s.io/v1/apiservices/v1alpha1.wardle.example.com";
const PLACES: Record<string, string> = {
  Service: "/api/v1/namespaces/default/services",
  EndpointSlice: "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices",
  APIService: "/apis/apiregistration.k8s.io/v1/apiservices",
};
const AGGREGATED = { accept: "application/json;g=apidiscovery.k8s.io;v=v2" };
const TYPE = "com.example.wardle.v1alpha1.Flunder";

async function bodyOf({ response: { body } }: Answer): Promise<Json> {
  assert(body.kind === "stream");
  let text = "";
  for await (const chunk of body.stream) text += new TextDecoder().decode(chunk);
  return JSON.parse(text);
}

/** Waits for what another server's answer brings about. */
async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  for (let turn = 0; turn < 300; turn++) {
    if (await holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error("it did not come about");
}

async function withWardle(
  run: (api: FakeApi, wardle: AggregatedServer) => Promise<void>,
): Promise<void> {
  const api = await startFakeApi({ startMillis: Date.now(), port: 0 });
  const wardle = await startAggregatedServer(api.server.pki.frontProxy.ca.certificate);
  try {
    await run(api, wardle);
  } finally {
    await wardle.close();
    await api.close();
  }
}

async function register(api: FakeApi, wardle: AggregatedServer): Promise<void> {
  for (const object of registrationOf(wardle)) {
    const made = await api.ask("POST", PLACES[object.kind], object);
    assert.equal(made.status, 201, made.text);
  }
  await until(async () => (await versionOf(api))?.freshness === "Current");
}

async function versionOf(api: FakeApi): Promise<Json> {
  const { json } = await api.ask("GET", "/apis", undefined, { headers: AGGREGATED });
  const group = json.items.find((one: Json) => one.metadata.name === "wardle.example.com");
  return group?.versions[0];
}

const indexed = async (api: FakeApi) => {
  const { json } = await api.ask("GET", "/openapi/v3");
  return json.paths["apis/wardle.example.com/v1alpha1"]?.serverRelativeURL ?? "";
};

Deno.test("another server's kind is discovered, explained and written like one's own", () =>
  withWardle(async (api, wardle) => {
    await register(api, wardle);
    const version = await versionOf(api);
    assert.deepEqual(version.resources.map((one: Json) => [one.resource, one.shortNames]), [
      ["flunders", ["fl"]],
    ]);
    await until(async () => (await indexed(api)) !== "");
    const url = await indexed(api);
    assert.match(url, /^\/openapi\/v3\/apis\/wardle\.example\.com\/v1alpha1\?hash=/);
    const document = await bodyOf(await api.ask("GET", url));
    assert.equal(document.components.schemas[TYPE].description, "A flunder is a flat fish.");
    assert.equal(wardle.seen[wardle.seen.length - 1].user.name, "kubernetes-admin");
    const own = (await api.ask("GET", "/openapi/v3")).json.paths;
    assert(Object.keys(own).includes("api/v1"));

    const merged = (await api.ask("GET", "/openapi/v2")).json;
    assert.equal(merged.definitions[TYPE].description, "A flunder is a flat fish.");
    const path = `${WARDLE}/namespaces/{namespace}/flunders/{name}`;
    assert(merged.paths[path].patch !== undefined);
    // What both say of one name is said once.
    assert(!Object.keys(merged.definitions).some((name) => name.endsWith("_v2")));

    const flunder = {
      apiVersion: "wardle.example.com/v1alpha1",
      kind: "Flunder",
      metadata: { name: "f" },
      spec: { reference: "g" },
    };
    const made = await api.ask("PATCH", `${FLUNDERS}/f?fieldManager=t`, flunder, {
      headers: { "content-type": "application/apply-patch+yaml" },
    });
    assert.equal(made.status, 201);
    assert.equal((await bodyOf(made)).metadata.managedFields[0].manager, "t");
    assert.equal((await wardle.api.ask("GET", `${FLUNDERS}/f`)).status, 200);
  }));

Deno.test("documents are fetched again when they change, and kept while their server is away", () =>
  withWardle(async (api, wardle) => {
    await register(api, wardle);
    const stored = (await wardle.api.ask("GET", `${CRDS}/flunders.wardle.example.com`)).json;
    const more = { fins: { type: "integer" } };
    const draft = { ...stored, spec: flunders(more).spec };
    const before = await indexed(api);
    const put = await wardle.api.ask("PUT", `${CRDS}/flunders.wardle.example.com`, draft);
    assert.equal(put.status, 200, put.text);
    api.clock.advance(60_000);
    await until(async () => (await indexed(api)) !== before);
    const spec = (await api.ask("GET", "/openapi/v2")).json.definitions[TYPE].properties.spec;
    assert.deepEqual(spec.properties.fins, { type: "integer" });

    const live = (await api.ask("GET", `${PLACES.Service}/wardle`)).json;
    assert.equal((await api.ask("DELETE", `${PLACES.Service}/wardle`)).status, 200);
    await until(async () => (await versionOf(api)).freshness === "Stale");
    assert.notEqual(await indexed(api), "");
    const away = await api.ask("GET", FLUNDERS);
    assert.equal(away.status, 503);
    const { metadata, spec: wanted } = live;
    const again = { metadata: { name: metadata.name }, spec: { ports: wanted.ports } };
    assert.equal((await api.ask("POST", PLACES.Service, again)).status, 201);
    await until(async () => (await versionOf(api)).freshness === "Current");

    assert.equal((await api.ask("DELETE", SERVICE)).status, 200);
    await until(async () => (await indexed(api)) === "");
    assert.equal((await api.ask("GET", "/openapi/v2")).json.definitions[TYPE], undefined);
  }));

Deno.test("a server without version 3 has its version 2 converted", () =>
  withWardle(async (api, wardle) => {
    wardle.isLegacy = true;
    await register(api, wardle);
    await until(async () => (await indexed(api)) !== "");
    const { json } = await api.ask("GET", await indexed(api));
    assert.equal(json.openapi, "3.0.0");
    assert.equal(json.components.schemas[TYPE].description, "A flunder is a flat fish.");
    const { patch } = json.paths[`${WARDLE}/namespaces/{namespace}/flunders/{name}`];
    assert(patch.parameters.some((one: Json) => one.name === "fieldValidation" && one.schema));
    assert(Object.hasOwn(patch.requestBody.content, "application/apply-patch+yaml"));
    const [created] = Object.values<Json>(patch.responses["200"].content);
    assert.equal(created.schema.$ref, `#/components/schemas/${TYPE}`);
  }));

/** An HTTP/1.1 connection as it is, written to and read from. */
async function speak(
  { server: { pki: { ca, admin } } }: FakeApi,
  port: number,
  { head, texts = [] }: { readonly head: string; readonly texts?: readonly string[] },
): Promise<string> {
  const socket = connect({
    port,
    host: "127.0.0.1",
    ca: ca.certificate,
    cert: admin.certificate,
    key: admin.key,
    ALPNProtocols: ["http/1.1"],
  });
  let heard = "";
  const closed = new Promise<void>((resolve) => socket.on("close", () => resolve()));
  socket.on("data", (chunk: Uint8Array) => heard += new TextDecoder().decode(chunk));
  socket.on("error", () => socket.destroy());
  socket.write(`${head}\r\nhost: x\r\n\r\n`);
  for (const text of texts) {
    const said = heard.length;
    await until(() => heard.length > said || heard.includes(texts[0].toUpperCase()));
    socket.write(text);
  }
  const last = texts[texts.length - 1]?.toUpperCase() ?? "\n";
  await until(() => heard.includes(last));
  socket.end();
  await closed;
  return heard;
}

for (const protocol of ["websocket", "SPDY/3.1"]) {
  Deno.test(`an upgrade to ${protocol} reaches another server in the user's name`, () =>
    withWardle(async (api, wardle) => {
      await register(api, wardle);
      const head = [
        `GET ${FLUNDERS}/f/echo HTTP/1.1`,
        "connection: Upgrade",
        `upgrade: ${protocol}`,
        "x-remote-user: somebody-else",
        "sec-websocket-protocol: base64url.bearer.authorization.k8s.io.c2VjcmV0, v5.channel.k8s.io",
      ].join("\r\n");
      const port = await api.server.listen();
      const heard = await speak(api, port, { head, texts: ["one", "two"] });
      assert.match(heard, /^HTTP\/1.1 101 Switching Protocols\r\n/);
      assert.match(heard, /x-stream-protocol-version: echo/);
      assert.match(heard, /kubernetes-admin v5\.channel\.k8s\.io\nONETWO$/);
    }));
}

Deno.test("an upgrade that another server refuses, or can't be asked for, is answered", () =>
  withWardle(async (api, wardle) => {
    await register(api, wardle);
    const port = await api.server.listen();
    const ask = (path: string) =>
      speak(api, port, {
        head: `GET ${path} HTTP/1.1\r\nconnection: Upgrade\r\nupgrade: websocket`,
      });
    const refused = await ask(`${FLUNDERS}/f/none`);
    assert.match(refused, /^HTTP\/1.1 404 Not Found\r\n[^]*\r\n\r\nno\n$/);
    const asked = wardle.seen.length;
    for (
      const path of [`${FLUNDERS}/../x/echo`, `${FLUNDERS}//f/echo`, `${FLUNDERS}/%2e%2e/echo`]
    ) {
      assert.match(await ask(path), /^HTTP\/1.1 404 Not Found\r\n/);
      assert.equal((await api.ask("GET", path)).status, 404);
    }
    assert.equal(wardle.seen.length, asked);
    await api.ask("DELETE", `${PLACES.Service}/wardle`);
    await until(async () => (await versionOf(api)).freshness === "Stale");
    const away = await ask(`${FLUNDERS}/f/echo`);
    assert.match(away, /^HTTP\/1.1 503 Service Unavailable\r\n[^]*\r\n\r\nservice unavailable\n$/);
  }));
