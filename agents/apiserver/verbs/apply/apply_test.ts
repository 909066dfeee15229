/**
 * Server-side apply over the handler: creation, conflicts in upstream's words, force, status,
 * scale, and what other writes leave in managedFields.
 */
import assert from "node:assert/strict";
import { apiTest, type FakeApi, podNamed } from "../../../../tests/fakes/api_server.ts";
import { ADMIN } from "../../../../tests/fakes/api_server.ts";
import { deployments } from "../../../api/resources.ts";

const DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments";
const WEB = `${DEPLOYMENTS}/web`;

const yaml = (replicas: number, image = "web:1") => `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: default, creationTimestamp: null}
spec:
  replicas: ${replicas}
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - {name: web, image: "${image}"}
`;

const APPLY = { headers: { "content-type": "application/apply-patch+yaml" } };
const apply = (api: FakeApi, manager: string, body: string, more = "") =>
  api.ask("PATCH", `${WEB}?fieldManager=${manager}${more}`, body, APPLY);

interface Entry {
  readonly manager: string;
  readonly operation: string;
  readonly subresource?: string;
  readonly fieldsV1: Record<string, unknown>;
}

const entries = (object: { metadata: { managedFields: Entry[] } }) =>
  object.metadata.managedFields.map((entry) =>
    [entry.manager, entry.operation, entry.subresource ?? ""].join(" ").trim()
  );

apiTest("an apply creates, defaults, and is the same the second time", async (api) => {
  const created = await apply(api, "kubectl", yaml(2));
  assert.equal(created.status, 201, created.text);
  assert.equal(created.json.spec.strategy.type, "RollingUpdate");
  assert.deepEqual(created.json.metadata.managedFields, [{
    manager: "kubectl",
    operation: "Apply",
    apiVersion: "apps/v1",
    time: "2026-01-02T03:04:05Z",
    fieldsType: "FieldsV1",
    fieldsV1: {
      "f:spec": {
        "f:replicas": {},
        "f:selector": {},
        "f:template": {
          "f:metadata": { "f:labels": { "f:app": {} } },
          "f:spec": {
            "f:containers": {
              'k:{"name":"web"}': { ".": {}, "f:name": {}, "f:image": {} },
            },
          },
        },
      },
    },
  }]);
  api.clock.advance(5000);
  const again = await apply(api, "kubectl", yaml(2));
  assert.equal(again.status, 200);
  assert.equal(again.text, created.text);
});

apiTest("a conflict names manager, version and field; force takes the field", async (api) => {
  await apply(api, "kubectl", yaml(2));
  await api.ask("PATCH", `${WEB}?fieldManager=scaler`, { spec: { replicas: 5 } }, {
    headers: { "content-type": "application/merge-patch+json" },
  });
  const refused = await apply(api, "kubectl", yaml(3));
  assert.equal(refused.status, 409);
  assert.equal(
    refused.json.message,
    'Apply failed with 1 conflict: conflict with "scaler" using apps/v1: .spec.replicas',
  );
  assert.deepEqual(refused.json.details.causes, [{
    reason: "FieldManagerConflict",
    message: 'conflict with "scaler" using apps/v1',
    field: ".spec.replicas",
  }]);
  const several = await apply(api, "other", yaml(3, "web:2"));
  assert.equal(
    several.json.message,
    "Apply failed with 2 conflicts: " +
      'conflicts with "kubectl":\n' +
      '- .spec.template.spec.containers[name="web"].image\n' +
      'conflicts with "scaler" using apps/v1:\n- .spec.replicas',
  );
  const forced = await apply(api, "kubectl", yaml(3), "&force=true");
  assert.equal(forced.status, 200, forced.text);
  assert.equal(forced.json.spec.replicas, 3);
  assert.deepEqual(entries(forced.json), ["kubectl Apply"]);
});

apiTest("a scale is a manager of its own, with its subresource", async (api) => {
  await apply(api, "kubectl", yaml(2));
  const merge = {
    headers: { "content-type": "application/merge-patch+json", "user-agent": "kubectl/v1.36 x" },
  };
  await api.ask("PATCH", `${WEB}/scale`, { spec: { replicas: 4 } }, merge);
  const { json } = await api.ask("GET", WEB);
  assert.deepEqual(entries(json), ["kubectl Apply", "kubectl Update scale"]);
  const refused = await apply(api, "kubectl", yaml(2));
  assert.match(
    refused.json.message,
    /with "kubectl" with subresource "scale" using apps\/v1: \.spec/,
  );
});

apiTest("status is applied at its own door", async (api) => {
  await apply(api, "kubectl", yaml(2));
  const status = "{apiVersion: apps/v1, kind: Deployment, metadata: {name: web}, " +
    "spec: {replicas: 9}, status: {replicas: 2}}";
  const answer = await api.ask("PATCH", `${WEB}/status?fieldManager=c`, status, APPLY);
  assert.equal(answer.status, 200, answer.text);
  assert.equal(answer.json.status.replicas, 2);
  assert.equal(answer.json.spec.replicas, 2);
  assert.deepEqual(entries(answer.json), ["c Apply status", "kubectl Apply"]);
});

apiTest("a create tells who made it; the agent's name stands in for a manager", async (api) => {
  const agent = { headers: { "user-agent": "kubectl/v1.36.0 (linux/amd64)" } };
  const made = await api.ask("POST", "/api/v1/namespaces/default/pods", podNamed("p"), agent);
  const [entry] = made.json.metadata.managedFields as Entry[];
  assert.deepEqual([entry.manager, entry.operation], ["kubectl", "Update"]);
  assert.deepEqual(Object.keys(entry.fieldsV1), ["f:spec"]);
});

apiTest("a component of this process is tracked where something was applied", async (api) => {
  const body = {
    spec: {
      selector: { matchLabels: { app: "web" } },
      template: { metadata: { labels: { app: "web" } }, spec: podNamed("x").spec },
    },
  };
  const at = { resource: deployments, subresource: "", namespace: "default", user: ADMIN };
  const make = { ...at, name: "", verb: "create", options: {} } as const;
  const { port } = api.server;
  await port.call({ ...make, object: { metadata: { name: "plain" }, ...body } });
  const plain = await api.ask("GET", `${DEPLOYMENTS}/plain`);
  assert.equal(plain.json.metadata.managedFields, undefined);
  await apply(api, "kubectl", yaml(2));
  await port.call({
    ...at,
    user: { name: "system:kube-controller-manager", groups: ["system:masters"] },
    name: "web",
    verb: "patch",
    patchType: "application/merge-patch+json",
    patch: { spec: { replicas: 7 } },
    options: {},
  });
  const web = await api.ask("GET", WEB);
  assert.deepEqual(entries(web.json), ["kubectl Apply", "kube-controller-manager Update"]);
});

apiTest("what is no configuration is refused", async (api) => {
  const cases: [string, string, number, RegExp][] = [
    [WEB, yaml(1), 422, /fieldManager: Required value: is required for apply patch/],
    [`${WEB}?fieldManager=a`, "[", 400, /YAML/],
    [`${WEB}?fieldManager=a`, "[]", 400, /not an object/],
    [
      `${WEB}?fieldManager=a`,
      "{kind: Pod, apiVersion: v1}",
      400,
      /invalid object type: v1, Kind=Pod/,
    ],
    [`${WEB}?fieldManager=a`, yaml(1).replace("replicas", "replica"), 400, /unknown field/],
    [`${WEB}?fieldManager=a`, yaml(1).replace("name: web,", "name: x,"), 400, /does not match/],
    [`${WEB}?fieldManager=a`, yaml(1).replace("{name: web, image", "{image"), 400, /omits all key/],
    [
      `${WEB}?fieldManager=a`,
      yaml(1).replace("name: web,", "name: web, managedFields: [{}],"),
      400,
      /metadata.managedFields must be nil/,
    ],
    [`${WEB}/status?fieldManager=a`, yaml(1), 404, /"web" not found/],
  ];
  for (const [url, body, code, message] of cases) {
    const answer = await api.ask("PATCH", url, body, APPLY);
    assert.equal(answer.status, code, `${body}\n${answer.text}`);
    assert.match(answer.json.message, message);
  }
});

apiTest("managedFields are forgotten when a client says so", async (api) => {
  await apply(api, "kubectl", yaml(2));
  const answer = await api.ask("PATCH", WEB, { metadata: { managedFields: [{}] } }, {
    headers: { "content-type": "application/merge-patch+json" },
  });
  assert.equal(answer.status, 200, answer.text);
  assert.equal(answer.json.metadata.managedFields, undefined);
});
