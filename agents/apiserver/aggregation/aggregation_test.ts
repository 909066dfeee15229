/** A small server of metrics.k8s.io behind the API server: routed, named, discovered, missed. */
import assert from "node:assert/strict";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { type Answer, type FakeApi, startFakeApi } from "../../../tests/fakes/api_server.ts";
import { settled } from "../../../tests/fakes/widgets.ts";
import { issueCertificate, makeAuthority } from "../auth/certificates.ts";

// deno-lint-ignore no-explicit-any
type Json = any;

const SERVICES = "/apis/apiregistration.k8s.io/v1/apiservices";
const METRICS = "/apis/metrics.k8s.io/v1beta1";
const NODES = {
  kind: "NodeMetricsList",
  apiVersion: "metrics.k8s.io/v1beta1",
  metadata: {},
  items: [{ metadata: { name: "n1" }, usage: { cpu: "10m", memory: "20Mi" } }],
};
const RESOURCES = {
  kind: "APIResourceList",
  apiVersion: "v1",
  groupVersion: "metrics.k8s.io/v1beta1",
  resources: [
    {
      name: "nodes",
      singularName: "",
      namespaced: false,
      kind: "NodeMetrics",
      verbs: ["get", "list"],
    },
    {
      name: "pods",
      singularName: "",
      namespaced: true,
      kind: "PodMetrics",
      verbs: ["get", "list"],
    },
  ],
};

async function startMetrics(authorityOfClients: string) {
  const nowMillis = Date.now();
  const lifetimeMillis = 3_600_000;
  const authority = await makeAuthority({ commonName: "metrics", nowMillis, lifetimeMillis });
  const pair = await issueCertificate(authority, {
    subject: { commonName: "metrics" },
    usage: "server",
    names: ["metrics.default.svc"],
    nowMillis,
    lifetimeMillis,
  });
  const seen: { path: string; user: Json; groups: Json; isProven: boolean; leaked: Json }[] = [];
  const server = createServer({
    cert: pair.certificate,
    key: pair.key,
    ca: authorityOfClients,
    requestCert: true,
    rejectUnauthorized: false,
  }, (incoming, outgoing) => {
    const { headers, socket } = incoming;
    seen.push({
      path: incoming.url ?? "",
      user: headers["x-remote-user"],
      groups: headers["x-remote-group"],
      isProven: (socket as Json).authorized === true,
      leaked: headers.authorization,
    });
    const isList = incoming.url?.startsWith(`${METRICS}/nodes`);
    outgoing.writeHead(200, { "content-type": "application/json" });
    outgoing.end(JSON.stringify(isList ? NODES : RESOURCES));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    caBundle: btoa(authority.certificate),
    seen,
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function register(api: FakeApi, port: number, spec: Json): Promise<void> {
  await api.ask("POST", "/api/v1/namespaces/default/services", {
    metadata: { name: "metrics" },
    spec: { ports: [{ port: 443, targetPort: port }] },
  });
  await api.ask("POST", "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices", {
    metadata: { name: "metrics-1", labels: { "kubernetes.io/service-name": "metrics" } },
    addressType: "IPv4",
    endpoints: [{ addresses: ["127.0.0.1"], conditions: { ready: true } }],
    ports: [{ name: "", port, protocol: "TCP" }],
  });
  const made = await api.ask("POST", SERVICES, {
    metadata: { name: "v1beta1.metrics.k8s.io" },
    spec: {
      group: "metrics.k8s.io",
      version: "v1beta1",
      groupPriorityMinimum: 100,
      versionPriority: 100,
      service: { namespace: "default", name: "metrics" },
      ...spec,
    },
  });
  assert.equal(made.status, 201, made.text);
}

const available = async (api: FakeApi) => {
  const { json } = await api.ask("GET", `${SERVICES}/v1beta1.metrics.k8s.io`);
  const condition = json.status.conditions?.find((one: Json) => one.type === "Available");
  return condition === undefined ? undefined : `${condition.status} ${condition.reason}`;
};

async function bodyOf({ response: { body } }: Answer): Promise<Json> {
  assert(body.kind === "stream");
  let text = "";
  for await (const chunk of body.stream) text += new TextDecoder().decode(chunk);
  return JSON.parse(text);
}

/** Waits for what another server's answer brings about. */
async function until(holds: () => Promise<boolean>): Promise<void> {
  for (let turn = 0; turn < 200; turn++) {
    if (await holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error("it did not come about");
}

Deno.test("a group of another server is served, discovered, and missed when it is away", async () => {
  const api = await startFakeApi({ startMillis: Date.now() });
  const metrics = await startMetrics(api.server.pki.frontProxy.ca.certificate);
  try {
    // Until somebody registers a server for it, this one serves the group itself.
    assert.deepEqual((await api.ask("GET", `${METRICS}/nodes`)).json.items, []);
    await register(api, metrics.port, { caBundle: metrics.caBundle });
    await until(async () => await available(api) === "True Passed");
    const headers = { authorization: "Bearer secret", "x-remote-user": "somebody-else" };
    const answer = await api.ask("GET", `${METRICS}/nodes?limit=5`, undefined, { headers });
    assert.equal(answer.status, 200);
    assert.deepEqual(await bodyOf(answer), NODES);
    const last = metrics.seen.find(({ path }) => path.startsWith(`${METRICS}/nodes`));
    assert.deepEqual(last, {
      path: `${METRICS}/nodes?limit=5`,
      user: "kubernetes-admin",
      groups: "system:masters, system:authenticated",
      isProven: true,
      leaked: undefined,
    });
    const user = { name: "nobody", groups: ["system:authenticated"] };
    const refused = await api.ask("GET", `${METRICS}/nodes`, undefined, { user });
    assert.equal(refused.status, 403, refused.text);
    const groups = (await api.ask("GET", "/apis")).json.groups;
    assert(groups.some((one: Json) => one.name === "metrics.k8s.io"));
    const aggregated = await api.ask("GET", "/apis", undefined, {
      headers: { accept: "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList" },
    });
    const group = aggregated.json.items.find((one: Json) => one.metadata.name === "metrics.k8s.io");
    assert.deepEqual(group.versions[0].resources.map((one: Json) => one.resource), [
      "nodes",
      "pods",
    ]);
    await metrics.close();
    api.clock.advance(30_000);
    await until(async () => await available(api) === "False FailedDiscoveryCheck");
    const away = await api.ask("GET", `${METRICS}/nodes`);
    assert.equal(away.status, 503, away.text);
    assert.equal(away.text, "service unavailable\n");
  } finally {
    await metrics.close();
    await api.close();
  }
});

Deno.test("a server whose certificate nobody vouches for is not asked", async () => {
  const api = await startFakeApi({ startMillis: Date.now() });
  const metrics = await startMetrics("");
  try {
    await register(api, metrics.port, {});
    await until(async () => await available(api) === "False FailedDiscoveryCheck");
    assert.equal(metrics.seen.length, 0);
    const live = (await api.ask("GET", `${SERVICES}/v1beta1.metrics.k8s.io`)).json;
    live.spec.insecureSkipTLSVerify = true;
    assert.equal((await api.ask("PUT", `${SERVICES}/v1beta1.metrics.k8s.io`, live)).status, 200);
    await until(async () => await available(api) === "True Passed");
    await api.ask("DELETE", "/api/v1/namespaces/default/services/metrics");
    api.clock.advance(30_000);
    await until(async () => await available(api) === "False ServiceNotFound");
  } finally {
    await metrics.close();
    await api.close();
  }
});

Deno.test("what is served here is registered, with the definitions' versions", async () => {
  const api = await startFakeApi();
  try {
    const names = async () =>
      (await api.ask("GET", SERVICES)).json.items.map((one: Json) => one.metadata.name);
    const before = await names();
    assert(before.includes("v1.") && before.includes("v1.apps"), before.join(" "));
    const { json } = await api.ask("GET", `${SERVICES}/v1.apps`);
    assert.deepEqual(json.status.conditions[0].reason, "Local");
    const crds = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
    await api.ask("POST", crds, {
      metadata: { name: "gears.example.com" },
      spec: {
        group: "example.com",
        scope: "Cluster",
        names: { plural: "gears", kind: "Gear" },
        versions: [{
          name: "v1",
          served: true,
          storage: true,
          schema: { openAPIV3Schema: { type: "object" } },
        }],
      },
    });
    await settled();
    assert((await names()).includes("v1.example.com"));
    await api.ask("DELETE", `${crds}/gears.example.com`);
    await settled();
    assert(!(await names()).includes("v1.example.com"));
  } finally {
    await api.close();
  }
});
