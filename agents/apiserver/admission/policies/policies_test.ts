/** Admission policies: what they see, refuse, warn of, note and change. */
import assert from "node:assert/strict";
import {
  type Answer,
  apiTest,
  type FakeApi,
  startFakeApi,
} from "../../../../tests/fakes/api_server.ts";

const GROUP = "/apis/admissionregistration.k8s.io/v1";
const MAPS = "/api/v1/namespaces/default/configmaps";
const DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments";
const RULE = {
  operations: ["CREATE", "UPDATE"],
  apiGroups: [""],
  apiVersions: ["v1"],
  resources: ["configmaps"],
};

interface PolicyParts {
  readonly kind?: "validating" | "mutating";
  readonly name?: string;
  readonly spec: object;
  readonly binding?: object;
}

/** Makes a policy and binds it. */
async function enact(api: FakeApi, parts: PolicyParts): Promise<void> {
  const { kind = "validating", name = "p", spec, binding = {} } = parts;
  const made = await api.ask("POST", `${GROUP}/${kind}admissionpolicies`, {
    metadata: { name },
    spec: {
      matchConstraints: { resourceRules: [RULE] },
      ...(kind === "mutating" ? { reinvocationPolicy: "Never" } : {}),
      ...spec,
    },
  });
  assert.equal(made.status, 201, made.text);
  const bound = await api.ask("POST", `${GROUP}/${kind}admissionpolicybindings`, {
    metadata: { name: `${name}-b` },
    spec: {
      policyName: name,
      ...(kind === "validating" ? { validationActions: ["Deny"] } : {}),
      ...binding,
    },
  });
  assert.equal(bound.status, 201, bound.text);
}

const create = (api: FakeApi, name: string, data: object = {}, url = MAPS) =>
  api.ask("POST", url, { metadata: { name }, data });
const warningsOf = ({ response }: Answer) =>
  response.headers.filter((_, at) => response.headers[at - 1] === "warning");

apiTest("a validation that does not hold is refused as its policy says", async (api) => {
  await enact(api, {
    spec: {
      variables: [
        { name: "keys", expression: "has(object.data) ? object.data.map(k, k) : []" },
        { name: "count", expression: "variables.keys.size()" },
      ],
      validations: [
        {
          expression: "variables.count < 3",
          messageExpression: "'has ' + string(variables.count)",
        },
        { expression: "!('bad' in variables.keys)", message: "no bad keys", reason: "Forbidden" },
        { expression: "object.metadata.name != 'plain'" },
        { expression: "object.metadata.name != 'lost' || object.data.missing == 'x'" },
      ],
    },
  });
  const by = "ValidatingAdmissionPolicy 'p' with binding 'p-b' denied request: ";
  const cases: readonly [string, object, number, string, string][] = [
    ["many", { a: "", b: "", c: "" }, 422, "Invalid", `${by}has 3`],
    ["m", { bad: "" }, 403, "Forbidden", `${by}no bad keys`],
    ["plain", {}, 422, "Invalid", `${by}failed expression: object.metadata.name != 'plain'`],
    [
      "lost",
      { a: "" },
      422,
      "Invalid",
      `${by}expression 'object.metadata.name != 'lost' || object.data.missing == 'x'' resulted in ` +
      "error: no such key: missing",
    ],
  ];
  for (const [name, data, code, reason, message] of cases) {
    const answer = await create(api, name, data);
    assert.equal(answer.status, code, answer.text);
    assert.equal(answer.json.reason, reason);
    assert.equal(answer.json.message, `configmaps "${name}" is forbidden: ${message}`);
  }
  assert.equal((await create(api, "fine", { a: "" })).status, 201);
});

apiTest("what a policy sees: request, old object, namespace, authorizer", async (api) => {
  const expressions = [
    "request.operation == 'CREATE' ? oldObject == null : oldObject.data.n == 'old'",
    "request.namespace == 'default' && request.userInfo.username == 'kubernetes-admin'",
    "request.kind.kind == 'ConfigMap' && request.requestResource.resource == 'configmaps'",
    "namespaceObject.metadata.labels['kubernetes.io/metadata.name'] == 'default'",
    "authorizer.group('').resource('secrets').namespace('default').check('get').allowed()",
    "!authorizer.serviceAccount('default', 'x').requestResource().check('get').allowed() || true"
      .replace("requestResource()", "group('').resource('secrets')"),
    "authorizer.requestResource.check('create').allowed()",
  ];
  await enact(api, { spec: { validations: expressions.map((expression) => ({ expression })) } });
  const made = await create(api, "m", { n: "old" });
  assert.equal(made.status, 201, made.text);
  const put = await api.ask("PUT", `${MAPS}/m`, { metadata: { name: "m" }, data: { n: "new" } });
  assert.equal(put.status, 200, put.text);
});

apiTest(
  "a binding warns and audits; a condition narrows; an error may be let pass",
  async (api) => {
    await enact(api, {
      spec: {
        matchConditions: [{ name: "not-free", expression: "object.metadata.name != 'free'" }],
        validations: [{ expression: "false", message: "never" }],
      },
      binding: { validationActions: ["Warn", "Audit"] },
    });
    await enact(api, {
      name: "lax",
      spec: { failurePolicy: "Ignore", validations: [{ expression: "object.data.x == 'y'" }] },
    });
    const made = await create(api, "m");
    assert.equal(made.status, 201, made.text);
    const said = "Validation failed for ValidatingAdmissionPolicy 'p' with binding 'p-b': never";
    assert.deepEqual(warningsOf(made), [`299 - "${said}"`]);
    assert.deepEqual(warningsOf(await create(api, "free")), []);
    assert.equal((await create(api, "held", { x: "z" })).status, 422);
  },
);

apiTest("parameters: by name, by selector, and what happens where there are none", async (api) => {
  const spec = {
    paramKind: { apiVersion: "v1", kind: "ConfigMap" },
    // Its own parameters are not for it to judge.
    matchConstraints: {
      resourceRules: [RULE],
      namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": "default" } },
    },
    validations: [{
      expression: "params == null || object.data.size() <= int(params.data.most)",
      messageExpression: "'at most ' + params.data.most",
    }],
  };
  const url = MAPS.replace("default", "other");
  await api.ask("POST", "/api/v1/namespaces", { metadata: { name: "other" } });
  const limit = (name: string, most: string) =>
    api.ask("POST", url, { metadata: { name, labels: { limit: "y" } }, data: { most } });
  await enact(api, {
    spec,
    binding: { paramRef: { name: "limit", namespace: "other", parameterNotFoundAction: "Deny" } },
  });
  const early = await create(api, "m", { a: "" });
  assert.match(
    early.json.message,
    /failed to configure binding: no params found for policy binding with `Deny` parameterNotFoundAction$/,
  );
  await limit("limit", "2");
  assert.equal((await create(api, "m", { a: "", b: "" })).status, 201);
  assert.match((await create(api, "m3", { a: "", b: "", c: "" })).json.message, /at most 2$/);
  await enact(api, {
    name: "q",
    spec,
    binding: {
      paramRef: {
        selector: { matchLabels: { limit: "y" } },
        namespace: "other",
        parameterNotFoundAction: "Allow",
      },
    },
  });
  await limit("tight", "1");
  const refused = await create(api, "m2", { a: "", b: "" });
  assert.match(refused.json.message, /'q' with binding 'q-b' denied request: at most 1$/);
});

apiTest("bindings choose among what policies match", async (api) => {
  await enact(api, {
    spec: { validations: [{ expression: "false", message: "no" }] },
    binding: {
      matchResources: {
        namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": "other" } },
        resourceRules: [{ ...RULE, resourceNames: ["x"] }],
      },
    },
  });
  await api.ask("POST", "/api/v1/namespaces", { metadata: { name: "other" } });
  const other = MAPS.replace("default", "other");
  assert.equal((await create(api, "x")).status, 201);
  assert.equal((await create(api, "y", {}, other)).status, 201);
  assert.equal((await create(api, "x", {}, other)).status, 422);
});

apiTest("expressions that do not compile are not taken", async (api) => {
  const url = `${GROUP}/validatingadmissionpolicies`;
  const spec = (expression: string) => ({
    metadata: { name: "p" },
    spec: { matchConstraints: { resourceRules: [RULE] }, validations: [{ expression }] },
  });
  const cases: readonly [string, RegExp][] = [
    ["object.", /spec.validations\[0\].expression: Invalid value: "object.": compilation failed/],
    ["request.nope == ''", /undefined field 'nope'/],
    ["variables.nope", /undefined field 'nope'/],
    ["'text'", /spec.validations\[0\].expression: .*must evaluate to bool/],
  ];
  for (const [expression, expected] of cases) {
    const answer = await api.ask("POST", url, spec(expression));
    assert.equal(answer.status, 422, answer.text);
    assert.match(answer.json.message, expected);
  }
});

apiTest("a policy that costs too much is stopped", async (api) => {
  const list = JSON.stringify(Array.from({ length: 100 }, (_, at) => at));
  await enact(api, {
    spec: {
      validations: [{
        expression:
          `${list}.all(a, ${list}.all(b, ${list}.all(c, ${list}.all(d, a + b + c + d >= 0))))`,
      }],
    },
  });
  const answer = await create(api, "m");
  assert.match(answer.json.message, /operation cancelled: actual cost limit exceeded$/);
});

apiTest("a mutating policy patches, applies, and is refused atomic lists", async (api) => {
  await enact(api, {
    kind: "mutating",
    name: "a",
    spec: {
      variables: [{ name: "team", expression: "'t-' + object.metadata.name" }],
      mutations: [
        {
          patchType: "JSONPatch",
          jsonPatch: {
            expression: `[JSONPatch{op: "test", path: "/metadata/name", value: "m"},
              JSONPatch{op: "add", path: "/metadata/annotations", value: {}},
              JSONPatch{
                op: "add",
                path: "/metadata/annotations/" + jsonpatch.escapeKey("a.io/b"),
                value: "c",
              }]`,
          },
        },
        {
          patchType: "ApplyConfiguration",
          applyConfiguration: {
            expression: `Object{metadata: Object.metadata{labels: {"team": variables.team}}}`,
          },
        },
      ],
    },
  });
  const made = await create(api, "m", { x: "y" });
  assert.equal(made.status, 201, made.text);
  assert.deepEqual(made.json.metadata.annotations, { "a.io/b": "c" });
  assert.deepEqual(made.json.metadata.labels, { team: "t-m" });
  const other = await create(api, "n", { x: "y" });
  assert.equal(other.json.metadata.annotations, undefined);
  assert.deepEqual(other.json.metadata.labels, { team: "t-n" });
});

apiTest("an apply configuration merges lists by their keys", async (api) => {
  const rule = { ...RULE, apiGroups: ["apps"], resources: ["deployments"] };
  const spec = (expression: string) => ({
    matchConstraints: { resourceRules: [rule] },
    mutations: [{ patchType: "ApplyConfiguration", applyConfiguration: { expression } }],
  });
  const inPod = (fields: string) =>
    `Object{spec: Object.spec{template: Object.spec.template{spec: Object.spec.template.spec{${fields}}}}}`;
  const container = 'Object.spec.template.spec.containers{name: "c", imagePullPolicy: "Never"}';
  await enact(api, {
    kind: "mutating",
    spec: spec(inPod(`containers: [${container}], hostNetwork: true`)),
  });
  const deployment = {
    metadata: { name: "d" },
    spec: {
      selector: { matchLabels: { a: "b" } },
      template: {
        metadata: { labels: { a: "b" } },
        spec: { containers: [{ name: "b", image: "i" }, { name: "c", image: "i" }] },
      },
    },
  };
  const made = await api.ask("POST", DEPLOYMENTS, deployment);
  assert.equal(made.status, 201, made.text);
  const pod = made.json.spec.template.spec;
  assert.equal(pod.hostNetwork, true);
  assert.deepEqual(
    pod.containers.map((one: { name: string; imagePullPolicy: string }) => [
      one.name,
      one.imagePullPolicy,
    ]),
    [["b", "Always"], ["c", "Never"]],
  );
  await enact(api, {
    kind: "mutating",
    name: "wrong",
    spec: spec(
      inPod('containers: [Object.spec.template.spec.containers{name: "c", command: ["x"]}]'),
    ),
  });
  const refused = await api.ask("POST", DEPLOYMENTS, { ...deployment, metadata: { name: "e" } });
  assert.equal(
    refused.json.message,
    "policy 'wrong' with binding 'wrong-b' denied request: error applying patch: invalid " +
      "ApplyConfiguration: may not mutate atomic arrays, maps or structs: " +
      ".spec.template.spec.containers[].command",
  );
});

apiTest("mutating policies run again where they ask for it", async (api) => {
  const mutation = (value: string) => ({
    patchType: "JSONPatch",
    jsonPatch: { expression: `[JSONPatch{op: "add", path: "/data/order", value: ${value}}]` },
  });
  const order = "object.data.order";
  await enact(api, {
    kind: "mutating",
    name: "a",
    spec: { reinvocationPolicy: "IfNeeded", mutations: [mutation(`${order} + "a"`)] },
  });
  await enact(api, {
    kind: "mutating",
    name: "b",
    spec: { mutations: [mutation(`${order} + "b"`)] },
  });
  assert.equal((await create(api, "m", { order: "" })).json.data.order, "aba");
});

apiTest(
  "custom resources: matched by any version, changed by schema, taken as parameters",
  async (api) => {
    const schema = {
      openAPIV3Schema: {
        type: "object",
        properties: {
          spec: {
            type: "object",
            properties: {
              size: { type: "integer" },
              parts: {
                type: "array",
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["id"],
                items: {
                  type: "object",
                  required: ["id"],
                  properties: { id: { type: "string" }, count: { type: "integer" } },
                },
              },
            },
          },
        },
      },
    };
    await api.ask("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", {
      metadata: { name: "widgets.example.com" },
      spec: {
        group: "example.com",
        scope: "Namespaced",
        names: { plural: "widgets", singular: "widget", kind: "Widget", listKind: "WidgetList" },
        versions: ["v1", "v2"].map((name) => ({
          name,
          served: true,
          storage: name === "v1",
          schema,
        })),
      },
    });
    const widgets = (version: string) => `/apis/example.com/${version}/namespaces/default/widgets`;
    const rule = {
      operations: ["CREATE"],
      apiGroups: ["example.com"],
      apiVersions: ["v1"],
      resources: ["widgets"],
    };
    let ready = await api.ask("GET", widgets("v1"));
    for (let turn = 0; ready.status !== 200 && turn < 100; turn++) {
      await new Promise((resolve) => setTimeout(resolve, 5));
      ready = await api.ask("GET", widgets("v1"));
    }
    const limit = { metadata: { name: "limit" }, spec: { size: 5 } };
    const made = await api.ask("POST", widgets("v1"), limit);
    assert.equal(made.status, 201, made.text);
    await enact(api, {
      spec: {
        matchConstraints: { resourceRules: [rule] },
        paramKind: { apiVersion: "example.com/v1", kind: "Widget" },
        validations: [{
          expression:
            "object.apiVersion == 'example.com/v1' && object.spec.size <= params.spec.size",
        }],
      },
      binding: { paramRef: { name: "limit", parameterNotFoundAction: "Deny" } },
    });
    await enact(api, {
      kind: "mutating",
      name: "m",
      spec: {
        matchConstraints: { resourceRules: [rule] },
        mutations: [{
          patchType: "ApplyConfiguration",
          applyConfiguration: {
            expression: 'Object{spec: Object.spec{parts: [Object.spec.parts{id: "a", count: 2}]}}',
          },
        }],
      },
    });
    const parts = [{ id: "a", count: 1 }, { id: "b", count: 1 }];
    const fits = await api.ask("POST", widgets("v2"), {
      apiVersion: "example.com/v2",
      kind: "Widget",
      metadata: { name: "w" },
      spec: { size: 4, parts },
    });
    assert.equal(fits.status, 201, fits.text);
    assert.deepEqual(fits.json.spec.parts, [{ id: "a", count: 2 }, { id: "b", count: 1 }]);
    assert.equal(fits.json.apiVersion, "example.com/v2");
    const large = await api.ask("POST", widgets("v2"), {
      metadata: { name: "x" },
      spec: { size: 6 },
    });
    assert.equal(large.status, 422, large.text);
    assert.match(large.json.message, /denied request: failed expression/);
  },
);

apiTest("a policy's status tells where its expressions do not fit", async (api) => {
  const rule = { ...RULE, apiGroups: ["", "apps"], resources: ["configmaps", "deployments"] };
  const url = `${GROUP}/validatingadmissionpolicies`;
  const check = async (name: string, expressions: readonly string[]) => {
    const made = await api.ask("POST", url, {
      metadata: { name },
      spec: {
        matchConstraints: { resourceRules: [rule] },
        variables: [{ name: "meta", expression: "object.metadata" }],
        validations: expressions.map((expression) => ({ expression })),
      },
    });
    assert.equal(made.status, 201, made.text);
    for (let turn = 0; turn < 200; turn++) {
      const { json } = await api.ask("GET", `${url}/${name}`);
      if (json.status?.observedGeneration === 1) return json.status.typeChecking;
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    assert.fail("the status was never written");
  };
  const fits = [
    "variables.meta.name != '' && object.metadata.creationTimestamp < timestamp('2099-01-01T00:00:00Z')",
    "object.metadata.labels.all(key, key != '')",
  ];
  assert.deepEqual(await check("fits", fits), {});
  const { expressionWarnings } = await check("wrong", [fits[0], "object.spec.replicas > 'a'"]);
  assert.equal(expressionWarnings.length, 1);
  assert.equal(expressionWarnings[0].fieldRef, "spec.validations[1].expression");
  assert.match(
    expressionWarnings[0].warning,
    /^\/v1, Kind=ConfigMap: compilation failed: ERROR: .*undefined field 'spec'/,
  );
  assert.match(expressionWarnings[0].warning, /apps\/v1, Kind=Deployment: .*no matching overload/);
});

Deno.test("the audit log keeps what policies and pod security note", async () => {
  const directory = await Deno.makeTempDir();
  const path = `${directory}/audit.log`;
  const rule = { level: "Metadata" as const, users: [], userGroups: [], verbs: ["create"] };
  const rest = { resources: [], namespaces: ["default"], nonResourceURLs: [], omitStages: [] };
  const api = await startFakeApi({
    audit: {
      policy: { rules: [{ ...rule, ...rest }], omitStages: [], omitManagedFields: false },
      log: { path, maxSizeMegabytes: 0, maxAgeDays: 0, maxBackups: 0 },
      webhook: null,
    },
  });
  const annotation = (key: string, valueExpression: string) => ({ key, valueExpression });
  await enact(api, {
    spec: {
      auditAnnotations: [
        annotation("name", "'made ' + object.metadata.name"),
        annotation("none", "null"),
      ],
      validations: [{ expression: "object.metadata.name != 'b'", message: "no b" }],
    },
    binding: { validationActions: ["Audit"] },
  });
  assert.equal((await create(api, "b")).status, 201);
  await enact(api, {
    name: "broken",
    spec: { auditAnnotations: [annotation("lost", "object.data.missing")] },
    binding: { validationActions: ["Warn"] },
  });
  const refused = await create(api, "c", { x: "" });
  assert.match(
    refused.json.message,
    /denied request: expression 'object.data.missing' resulted in/,
  );
  await api.close();
  const lines = (await Deno.readTextFile(path)).trim().split("\n").map((line) => JSON.parse(line));
  const told =
    lines.find(({ objectRef, stage }) => objectRef.name === "b" && stage === "ResponseComplete") ??
      lines.find(({ annotations = {} }) => "p/name" in annotations);
  assert.equal(told.annotations["p/name"], "made b");
  assert.equal(told.annotations["p/none"], undefined);
  const [failure] = JSON.parse(
    told.annotations["validation.policy.admission.k8s.io/validation_failure"],
  );
  assert.deepEqual(failure, {
    message: "no b",
    policy: "p",
    binding: "p-b",
    expressionIndex: 0,
    validationActions: ["Audit"],
  });
  await Deno.remove(directory, { recursive: true });
});

apiTest("a warning in any script fits its header", async (api) => {
  await enact(api, {
    spec: { validations: [{ expression: "false", message: "世界 ü" }] },
    binding: { validationActions: ["Warn"] },
  });
  const [warning] = warningsOf(await create(api, "m"));
  assert.ok(/^[\x20-\xff]*$/.test(warning));
  const bytes = Uint8Array.from(warning, (letter) => letter.charCodeAt(0));
  assert.match(new TextDecoder().decode(bytes), /: 世界 ü"$/);
});
