/**
 * What Helm asks of an API server, replayed: install, upgrade, rollback, list, uninstall, as
 * Helm 3 (create and three-way merge patches) and as Helm 4 (server-side apply) do it.
 * In: the requests in their order, with Helm's headers and labels. Out: the answers it relies on.
 * Source: pkg/kube/client.go, pkg/storage/driver/secrets.go, pkg/action of helm.sh/helm v3 and v4.
 */
import assert from "node:assert/strict";
import { encodeObject } from "../../agents/api/schema/protobuf_encode.ts";
import { decodeObject } from "../../agents/api/schema/protobuf.ts";
import { type Answer, apiTest, type FakeApi } from "../fakes/api_server.ts";

const SECRETS = "/api/v1/namespaces/default/secrets";
const DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments";
const SERVICES = "/api/v1/namespaces/default/services";
const JOBS = "/apis/batch/v1/namespaces/default/jobs";
const PROTOBUF = "application/vnd.kubernetes.protobuf";
const AGENT = "Helm/4.0.0";
const AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";

const releaseName = (version: number) => `sh.helm.release.v1.shop.v${version}`;

/** A release as Helm keeps it: gzipped JSON in base64, in a Secret of its own type. */
function releaseSecret(version: number, status: string) {
  return {
    apiVersion: "v1",
    kind: "Secret",
    metadata: {
      name: releaseName(version),
      labels: { name: "shop", owner: "helm", status, version: String(version) },
    },
    type: "helm.sh/release.v1",
    data: { release: btoa(`release ${version} ${status}`) },
  };
}

function deployment(image: string, replicas: number) {
  const labels = { "app.kubernetes.io/managed-by": "Helm", "app.kubernetes.io/name": "shop" };
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: {
      name: "shop",
      namespace: "default",
      labels,
      annotations: {
        "meta.helm.sh/release-name": "shop",
        "meta.helm.sh/release-namespace": "default",
      },
    },
    spec: {
      replicas,
      selector: { matchLabels: { "app.kubernetes.io/name": "shop" } },
      template: { metadata: { labels }, spec: { containers: [{ name: "shop", image }] } },
    },
  };
}

const service = {
  apiVersion: "v1",
  kind: "Service",
  metadata: { name: "shop", namespace: "default" },
  spec: { selector: { "app.kubernetes.io/name": "shop" }, ports: [{ port: 80 }] },
};

interface Ask {
  (method: string, url: string, body?: unknown, type?: string, accept?: string): Promise<Answer>;
}

function helmTest(name: string, replay: (ask: Ask, api: FakeApi) => Promise<void>): void {
  apiTest(name, (api) =>
    replay((method, url, body, type, accept = "application/json") => {
      const headers = {
        accept,
        "user-agent": AGENT,
        "content-type": type ?? "application/json",
      };
      return api.ask(method, url, body, { headers });
    }, api));
}

/** Before anything else: is it there, what does it serve, what do its kinds look like. */
async function discover(ask: Ask): Promise<void> {
  const version = await ask("GET", "/version");
  assert.match(version.json.gitVersion, /^v1\.\d+/);
  for (const root of ["/api", "/apis"]) {
    const groups = await ask("GET", root, undefined, undefined, AGGREGATED);
    assert.equal(groups.json.kind, "APIGroupDiscoveryList");
  }
  const index = await ask("GET", "/openapi/v3");
  const apps = index.json.paths["apis/apps/v1"].serverRelativeURL;
  const document = await ask("GET", apps);
  const patch =
    document.json.paths["/apis/apps/v1/namespaces/{namespace}/deployments/{name}"].patch;
  const parameters = patch.parameters.map((parameter: { name: string }) => parameter.name);
  assert.ok(parameters.includes("fieldValidation"));
}

async function history(ask: Ask, labels = "name=shop,owner=helm"): Promise<string[]> {
  const { json } = await ask("GET", `${SECRETS}?labelSelector=${encodeURIComponent(labels)}`);
  return json.items.map((secret: { metadata: { name: string; labels: { status: string } } }) =>
    `${secret.metadata.name} ${secret.metadata.labels.status}`
  );
}

/** PUT of a release under a new status, as every action ends. */
async function setStatus(ask: Ask, version: number, status: string): Promise<void> {
  const secret = releaseSecret(version, status);
  const answer = await ask("PUT", `${SECRETS}/${releaseName(version)}`, secret);
  assert.equal(answer.status, 200, answer.text);
}

async function expectStatus(status: number, asked: Promise<Answer>): Promise<Answer> {
  const answer = await asked;
  assert.equal(answer.status, status, answer.text);
  return answer;
}

helmTest("Helm 3: install, upgrade, rollback, list, uninstall", async (ask) => {
  await discover(ask);
  assert.deepEqual(await history(ask), []);
  // Nothing of the chart may be there already.
  await expectStatus(404, ask("GET", `${DEPLOYMENTS}/shop`));
  await expectStatus(404, ask("GET", `${SERVICES}/shop`));
  await expectStatus(201, ask("POST", SECRETS, releaseSecret(1, "pending-install")));
  await expectStatus(409, ask("POST", SECRETS, releaseSecret(1, "pending-install")));
  const managed = "fieldManager=helm";
  await expectStatus(201, ask("POST", `${SERVICES}?${managed}`, service));
  await expectStatus(201, ask("POST", `${DEPLOYMENTS}?${managed}`, deployment("shop:1", 1)));
  await setStatus(ask, 1, "deployed");

  // Upgrade: what is there, then the difference as a strategic merge patch.
  const live = await expectStatus(200, ask("GET", `${DEPLOYMENTS}/shop`));
  assert.equal(live.json.metadata.managedFields[0].manager, "helm");
  await expectStatus(201, ask("POST", SECRETS, releaseSecret(2, "pending-upgrade")));
  const patch = {
    spec: {
      replicas: 3,
      template: {
        spec: {
          "$setElementOrder/containers": [{ name: "shop" }],
          containers: [{ name: "shop", image: "shop:2" }],
        },
      },
    },
  };
  const strategic = "application/strategic-merge-patch+json";
  const url = `${DEPLOYMENTS}/shop?${managed}`;
  const upgraded = await expectStatus(200, ask("PATCH", url, patch, strategic));
  assert.equal(upgraded.json.spec.template.spec.containers[0].image, "shop:2");
  assert.equal(upgraded.json.metadata.generation, 2);
  await setStatus(ask, 1, "superseded");
  await setStatus(ask, 2, "deployed");

  // Rollback: a third release with the first one's manifest.
  await expectStatus(201, ask("POST", SECRETS, releaseSecret(3, "pending-rollback")));
  const back = {
    spec: { template: { spec: { containers: [{ name: "shop", image: "shop:1" }] } } },
  };
  await expectStatus(200, ask("PATCH", url, back, strategic));
  await setStatus(ask, 2, "superseded");
  await setStatus(ask, 3, "deployed");
  assert.deepEqual(await history(ask), [
    `${releaseName(1)} superseded`,
    `${releaseName(2)} superseded`,
    `${releaseName(3)} deployed`,
  ]);
  assert.deepEqual(await history(ask, "owner=helm,status=deployed"), [
    `${releaseName(3)} deployed`,
  ]);

  // Uninstall: in the background, and then the releases.
  await setStatus(ask, 3, "uninstalling");
  const options = { kind: "DeleteOptions", apiVersion: "v1", propagationPolicy: "Background" };
  await expectStatus(200, ask("DELETE", `${SERVICES}/shop`, options));
  await expectStatus(200, ask("DELETE", `${DEPLOYMENTS}/shop`, options));
  await expectStatus(404, ask("DELETE", `${DEPLOYMENTS}/shop`, options));
  for (const version of [1, 2, 3]) {
    await expectStatus(200, ask("DELETE", `${SECRETS}/${releaseName(version)}`));
  }
  assert.deepEqual(await history(ask), []);
});

helmTest("Helm 4: server-side apply, releases as protobuf, a hook's job, a wait", async (ask) => {
  await discover(ask);
  const typeName = "io.k8s.api.core.v1.Secret";
  const both = `${PROTOBUF},application/json`;
  const body = encodeObject(typeName, releaseSecret(1, "pending-install"));
  const made = await expectStatus(201, ask("POST", SECRETS, body, PROTOBUF, both));
  assert.ok(made.response.body.kind === "bytes");
  const decoded = decodeObject(made.response.body.bytes);
  assert.ok(decoded.kind === "ok");
  assert.equal(decoded.value.type, "helm.sh/release.v1");
  const apply = (object: { metadata: { name: string } }, url: string, force: boolean) =>
    ask(
      "PATCH",
      `${url}/${object.metadata.name}?fieldManager=helm&fieldValidation=Strict&force=${force}`,
      JSON.stringify(object),
      "application/apply-patch+yaml",
    );
  await expectStatus(201, apply(service, SERVICES, false));
  await expectStatus(201, apply(deployment("shop:1", 1), DEPLOYMENTS, false));
  // Somebody scales by hand; the next upgrade must say so, or insist.
  const hand = { spec: { replicas: 5 } };
  const merge = "application/merge-patch+json";
  await ask("PATCH", `${DEPLOYMENTS}/shop?fieldManager=hand`, hand, merge);
  const contested = await expectStatus(409, apply(deployment("shop:2", 2), DEPLOYMENTS, false));
  assert.match(contested.json.message, /conflict with "hand" .*\.spec\.replicas/);
  const forced = await expectStatus(200, apply(deployment("shop:2", 2), DEPLOYMENTS, true));
  assert.equal(forced.json.spec.replicas, 2);
  const bad = { ...deployment("shop:3", 1), spec: { replicass: 1 } };
  await expectStatus(400, apply(bad, DEPLOYMENTS, true));

  // A hook's job: deleted if it is there, created, watched until it is done.
  await expectStatus(404, ask("DELETE", `${JOBS}/migrate`, { propagationPolicy: "Background" }));
  const template = {
    spec: { restartPolicy: "Never", containers: [{ name: "migrate", image: "shop:2" }] },
  };
  const job = {
    apiVersion: "batch/v1",
    kind: "Job",
    metadata: { name: "migrate" },
    spec: { template },
  };
  const created = await expectStatus(201, ask("POST", `${JOBS}?fieldManager=helm`, job));
  const since = created.json.metadata.resourceVersion;
  const selector = encodeURIComponent("metadata.name=migrate");
  const watch = await expectStatus(
    200,
    ask("GET", `${JOBS}?fieldSelector=${selector}&resourceVersion=${since}&watch=true`),
  );
  const now = created.json.metadata.creationTimestamp;
  const done = (type: string) => ({ type, status: "True", lastTransitionTime: now });
  const status = {
    succeeded: 1,
    startTime: now,
    completionTime: now,
    conditions: [done("SuccessCriteriaMet"), done("Complete")],
  };
  await expectStatus(200, ask("PATCH", `${JOBS}/migrate/status`, { status }, merge));
  assert.ok(watch.response.body.kind === "stream");
  for await (const bytes of watch.response.body.stream) {
    const event = JSON.parse(new TextDecoder().decode(bytes));
    assert.equal(event.type, "MODIFIED");
    assert.equal(event.object.status.succeeded, 1);
    break;
  }
  watch.response.body.stream.close();
});
