/**
 * What a client can get wrong, over HTTPS: each is answered with its Status, the server stays up.
 */
import assert from "node:assert/strict";
import { request } from "node:https";
import { parse } from "yaml";
import type { KubeObject } from "../../agents/api/meta.ts";
import { freePort } from "../free_port.ts";
import {
  clientOf,
  HOLLOW,
  makeDataDir,
  run,
  startCluster,
  type TestCluster,
  withCluster,
} from "./cluster.ts";
import { configMaps } from "../../agents/api/resources.ts";
import { ApiError } from "../../agents/api/status.ts";
import { requireTool, systemTest } from "./tools.ts";

interface Answer {
  readonly code: number;
  // deno-lint-ignore no-explicit-any
  readonly body: any;
}

type Ask = (
  method: string,
  path: string,
  options?: { readonly type?: string; readonly body?: string | Uint8Array },
) => Promise<Answer>;

/** Requests with the admin's certificate, or with none. */
async function asking(cluster: TestCluster, anonymous = false): Promise<Ask> {
  const config = parse(await Deno.readTextFile(cluster.kubeconfig));
  const { server, "certificate-authority-data": ca } = config.clusters[0].cluster;
  const user = config.users[0].user;
  const identity = anonymous
    ? {}
    : { cert: atob(user["client-certificate-data"]), key: atob(user["client-key-data"]) };
  return (method, path, { body, type = "application/json" } = {}) =>
    new Promise((resolve, reject) => {
      const headers = body === undefined ? {} : { "content-type": type };
      const sent = request(`${server}${path}`, { method, headers, ca: atob(ca), ...identity });
      sent.on("response", (response) => {
        let text = "";
        response.setEncoding("utf8");
        response.on("data", (chunk: string) => text += chunk);
        response.on("end", () => {
          let parsed: unknown = text;
          try {
            parsed = JSON.parse(text);
          } catch {
            // Health answers are plain text.
          }
          resolve({ code: response.statusCode ?? 0, body: parsed });
        });
      });
      sent.on("error", reject);
      sent.end(body);
    });
}

const COLLECTION = "/api/v1/namespaces/default/configmaps";
const configMap = (more: object) =>
  JSON.stringify({ apiVersion: "v1", kind: "ConfigMap", metadata: { name: "x" }, ...more });
const BIG = "x".repeat(3 * 1024 * 1024 + 1);
const PROTOBUF = "application/vnd.kubernetes.protobuf";
const garbage = new Uint8Array([0x6b, 0x38, 0x73, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff]);

/** name, path, body, media type, code, reason, words of the message */
const REFUSED: [string, string, string | Uint8Array, string, number, string, RegExp][] = [
  [
    "an unknown field, strictly",
    `${COLLECTION}?fieldValidation=Strict`,
    configMap({ bogus: 1 }),
    "application/json",
    400,
    "BadRequest",
    /strict decoding error: unknown field "bogus"/,
  ],
  [
    "a wrong type",
    COLLECTION,
    configMap({ data: { a: 1 } }),
    "application/json",
    400,
    "BadRequest",
    /cannot unmarshal number/,
  ],
  [
    "a name that is not DNS-1123",
    COLLECTION,
    configMap({ metadata: { name: "Not_DNS" } }),
    "application/json",
    422,
    "Invalid",
    /metadata\.name: Invalid value: "Not_DNS"/,
  ],
  [
    "a body over 3 MiB",
    COLLECTION,
    configMap({ data: { a: BIG } }),
    "application/json",
    413,
    "RequestEntityTooLarge",
    /limit/,
  ],
  ["invalid JSON", COLLECTION, '{"kind": ', "application/json", 400, "BadRequest", /\S/],
  ["invalid protobuf", COLLECTION, garbage, PROTOBUF, 400, "BadRequest", /\S/],
  [
    "a media type nobody knows",
    COLLECTION,
    "x",
    "text/html",
    415,
    "UnsupportedMediaType",
    /application\/json/,
  ],
];

systemTest(
  "bad input gets its Status and the server stays up",
  [],
  (test) =>
    withCluster([...HOLLOW, "--hollow-nodes", "0"], async (cluster) => {
      const ask = await asking(cluster);
      for (const [name, path, body, type, code, reason, words] of REFUSED) {
        await test.step(name, async () => {
          const answer = await ask("POST", path, { body, type });
          assert.equal(answer.code, code, JSON.stringify(answer.body).slice(0, 500));
          assert.equal(answer.body.kind, "Status");
          assert.equal(answer.body.reason, reason);
          assert.match(answer.body.message, words);
        });
      }
      await test.step("a conflict", () => conflict(cluster));
      await test.step("nobody in particular", async () => {
        const anonymous = await asking(cluster, true);
        for (const path of ["/healthz", "/livez", "/readyz", "/version"]) {
          assert.equal((await anonymous("GET", path)).code, 200, path);
        }
        assert.equal((await anonymous("GET", COLLECTION)).code, 403);
      });
      await test.step("a path that does not exist", async () => {
        const answer = await ask("GET", "/apis/nothing.example/v1/things");
        assert.equal(answer.code, 404);
      });
      await test.step("the server is still up", async () => {
        assert.equal((await ask("GET", "/readyz")).body, "ok");
      });
    }),
);

systemTest("a watch from a compacted revision is gone", ["etcdctl-3.5"], async () => {
  const dataDir = await makeDataDir();
  const etcdPort = freePort();
  const flags = ["--cri", "none", "--hollow-nodes", "0", "--etcd-port", String(etcdPort)];
  const options = { dataDir, port: freePort(), flags };
  try {
    const first = await startCluster(options);
    const client = await clientOf(first);
    for (let i = 0; i < 5; i++) {
      const metadata = { name: `old-${i}`, namespace: "default" };
      await client.create<KubeObject>(configMaps, { metadata });
    }
    const { metadata: { resourceVersion } } = await client.list(configMaps);
    client.close();
    const endpoint = `127.0.0.1:${etcdPort}`;
    const args = ["--endpoints", endpoint, "compaction", String(resourceVersion)];
    const compacted = await run(requireTool("etcdctl-3.5"), args);
    assert.equal(compacted.code, 0, compacted.stderr);
    assert.equal(await first.stop(), 0);
    const second = await startCluster(options);
    const ask = await asking(second);
    const answer = await ask("GET", `${COLLECTION}?watch=true&resourceVersion=2`);
    assert.equal(answer.code, 410);
    assert.equal(answer.body.reason, "Expired");
    assert.match(answer.body.message, /too old resource version: 2 \(\d+\)/);
    assert.equal(await second.stop(), 0);
  } finally {
    await Deno.remove(dataDir, { recursive: true });
  }
});

async function conflict(cluster: TestCluster): Promise<void> {
  const client = await clientOf(cluster);
  const metadata = { name: "contested", namespace: "default" };
  const first = await client.create(configMaps, { metadata, data: { a: "1" } });
  await client.update(configMaps, { ...first, data: { a: "2" } });
  await assert.rejects(
    client.update(configMaps, { ...first, data: { a: "3" } }),
    (error) => error instanceof ApiError && error.code === 409 && error.reason === "Conflict",
  );
  client.close();
}
