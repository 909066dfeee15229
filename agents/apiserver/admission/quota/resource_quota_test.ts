/** Quotas through the API: what is spent is never spent twice, by one server or by two. */
import assert from "node:assert/strict";
import {
  type Answer,
  type FakeApi,
  podNamed,
  startFakeApi,
} from "../../../../tests/fakes/api_server.ts";

const QUOTAS = "/api/v1/namespaces/default/resourcequotas";
const PODS = "/api/v1/namespaces/default/pods";
const MAPS = "/api/v1/namespaces/default/configmaps";

async function standing(api: FakeApi, name: string, hard: object, used: object): Promise<void> {
  await api.ask("POST", QUOTAS, { metadata: { name }, spec: { hard } });
  const { json } = await api.ask("GET", `${QUOTAS}/${name}`);
  const { status, text } = await api.ask("PUT", `${QUOTAS}/${name}/status`, {
    ...json,
    status: { hard, used },
  });
  assert.equal(status, 200, text);
}

const usedOf = async (api: FakeApi, name: string) =>
  (await api.ask("GET", `${QUOTAS}/${name}`)).json.status.used;
const accepted = (answers: readonly Answer[]) => answers.filter(({ status }) => status === 201);

Deno.test("a quota is spent and then refuses", async () => {
  const api = await startFakeApi();
  await api.ask("POST", QUOTAS, { metadata: { name: "q" }, spec: { hard: { pods: "1" } } });
  const early = await api.ask("POST", PODS, podNamed("a"));
  // A quota that nobody has counted yet limits nothing: its status has no limits.
  assert.equal(early.status, 201, early.text);
  await standing(api, "small", { pods: "2" }, { pods: "1" });
  const dry = await api.ask("POST", `${PODS}?dryRun=All`, podNamed("b"));
  assert.equal(dry.status, 201, dry.text);
  assert.equal((await api.ask("POST", PODS, podNamed("b"))).status, 201);
  const refused = await api.ask("POST", PODS, podNamed("c"));
  assert.equal(refused.status, 403);
  assert.equal(
    refused.json.message,
    'pods "c" is forbidden: exceeded quota: small, requested: pods=1, used: pods=2, limited: pods=2',
  );
  assert.deepEqual(await usedOf(api, "small"), { pods: "2" });
  await api.close();
});

Deno.test("many at once spend exactly what there is, on two servers of one store", async () => {
  const one = await startFakeApi();
  const two = await startFakeApi({ store: one.store });
  await standing(one, "q", { "count/configmaps": "25", configmaps: "40" }, {
    "count/configmaps": "0",
    configmaps: "0",
  });
  const answers = await Promise.all(
    Array.from(
      { length: 60 },
      (_, at) => (at % 2 === 0 ? one : two).ask("POST", MAPS, { metadata: { name: `m${at}` } }),
    ),
  );
  assert.equal(accepted(answers).length, 25);
  for (const { status, json } of answers) {
    if (status !== 201) {
      assert.match(json.message, /exceeded quota: q, requested: count\/configmaps=1/);
    }
  }
  assert.deepEqual(await usedOf(one, "q"), { "count/configmaps": "25", configmaps: "25" });
  await two.close();
  await one.close();
});

Deno.test("a namespace without quotas pays nothing for those of others", async () => {
  const api = await startFakeApi();
  await standing(api, "q", { configmaps: "0" }, { configmaps: "0" });
  await api.ask("POST", "/api/v1/namespaces", { metadata: { name: "free" } });
  const url = MAPS.replace("default", "free");
  assert.equal((await api.ask("POST", url, { metadata: { name: "m" } })).status, 201);
  assert.equal((await api.ask("POST", MAPS, { metadata: { name: "m" } })).status, 403);
  await api.close();
});
