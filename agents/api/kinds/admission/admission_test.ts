/** Tries webhooks and admission policies: defaults, refusals, cells. */
import assert from "node:assert/strict";
import { cells, prepared, problems } from "../testing.ts";
import * as rows from "../../resources.ts";

const rule = { operations: ["CREATE"], apiGroups: [""], apiVersions: ["v1"], resources: ["pods"] };
const webhook = {
  name: "a.example.com",
  clientConfig: { service: { name: "hook", namespace: "default" } },
  rules: [rule],
  sideEffects: "None",
  admissionReviewVersions: ["v1"],
};

Deno.test("webhooks get their defaults", () => {
  const row = rows.mutatingWebhookConfigurations;
  const object = prepared(row, { webhooks: [webhook] });
  const { failurePolicy, timeoutSeconds, reinvocationPolicy, clientConfig } = object.webhooks[0];
  assert.deepEqual([failurePolicy, timeoutSeconds, reinvocationPolicy], ["Fail", 10, "Never"]);
  assert.equal(clientConfig.service.port, 443);
  assert.deepEqual(problems(row, object), []);
  assert.deepEqual(cells(row, object), ["x", 1, "<unknown>"]);
});

Deno.test("webhooks are refused for what upstream refuses", () => {
  const row = rows.validatingWebhookConfigurations;
  const at = "webhooks[0]";
  const cases: readonly [Record<string, unknown>, string][] = [
    [{ name: "short" }, "should be a domain with at least three segments separated by dots"],
    [
      { clientConfig: {} },
      `${at}.clientConfig: Required value: exactly one of url or service is ` +
      "required",
    ],
    [{ clientConfig: { url: "http://h/" } }, "'https' is the only allowed URL scheme"],
    [
      { sideEffects: "Some" },
      'Unsupported value: "Some": supported values: "None", ' +
      '"NoneOnDryRun"',
    ],
    [{ timeoutSeconds: 31 }, "the timeout value must be between 1 and 30 seconds"],
    [{ admissionReviewVersions: ["v9"] }, "must include at least one of v1, v1beta1"],
    [
      { rules: [{ ...rule, resources: ["*/*", "pods"] }] },
      "if '*/*' is present, must not specify " +
      "other resources",
    ],
  ];
  for (const [change, expected] of cases) {
    const found = problems(row, prepared(row, { webhooks: [{ ...webhook, ...change }] })).join(
      "\n",
    );
    assert.ok(found.includes(expected), found);
  }
  const twins = prepared(row, { webhooks: [webhook, webhook] });
  assert.deepEqual(problems(row, twins), ['webhooks[1].name: Duplicate value: "a.example.com"']);
});

Deno.test("policies: defaults, refusals, cells", () => {
  const row = rows.validatingAdmissionPolicies;
  const spec = {
    matchConstraints: { resourceRules: [rule] },
    validations: [{ expression: "true" }],
    paramKind: { apiVersion: "v1", kind: "ConfigMap" },
  };
  const object = prepared(row, { spec });
  assert.equal(object.spec.matchConstraints.matchPolicy, "Equivalent");
  assert.deepEqual(problems(row, object), []);
  assert.deepEqual(cells(row, object), ["x", 1, "v1/ConfigMap", "<unknown>"]);
  const empty = prepared(row, { spec: { validations: [{ expression: " " }] } });
  assert.deepEqual(problems(row, empty), [
    "spec.matchConstraints: Required value",
    "spec.validations[0].expression: Required value: expression is not specified",
  ]);
});

Deno.test("mutations name one way of patching", () => {
  const row = rows.mutatingAdmissionPolicies;
  const object = prepared(row, {
    spec: {
      matchConstraints: { resourceRules: [{ ...rule, operations: ["DELETE"] }] },
      mutations: [{ patchType: "JSONPatch", applyConfiguration: { expression: "x" } }],
      reinvocationPolicy: "Never",
    },
  });
  assert.deepEqual(problems(row, object), [
    'spec.matchConstraints.resourceRules.operations: Unsupported value: "DELETE": supported ' +
    'values: "CREATE", "UPDATE"',
    "spec.mutations[0].jsonPatch: Required value: must be specified when patchType is JSONPatch",
    'spec.mutations[0].applyConfiguration: Invalid value: "{applyConfiguration}": must not be ' +
    "specified when patchType is JSONPatch",
  ]);
});

Deno.test("bindings name a policy, parameters and actions", () => {
  const row = rows.validatingAdmissionPolicyBindings;
  const object = prepared(row, {
    spec: {
      policyName: "p",
      paramRef: { name: "n", parameterNotFoundAction: "Deny" },
      validationActions: ["Deny", "Warn"],
    },
  });
  assert.match(problems(row, object).join("\n"), /must not contain both Deny and Warn/);
  assert.equal(cells(row, object)[2], "*/n");
});
