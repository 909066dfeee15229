/** Tries roles and bindings: defaults, refusals, what never changes, cells. */
import assert from "node:assert/strict";
import { cells, prepared, problems, updateProblems } from "../testing.ts";
import * as rows from "../../resources.ts";

Deno.test("rules name verbs, and either resources or URLs", () => {
  const cases: readonly [Record<string, unknown>, string][] = [
    [
      { apiGroups: [""], resources: ["pods"] },
      "rules[0].verbs: Required value: verbs must " +
      "contain at least one value",
    ],
    [
      { verbs: ["get"], resources: ["pods"] },
      "rules[0].apiGroups: Required value: resource " +
      "rules must supply at least one api group",
    ],
    [
      { verbs: ["get"], nonResourceURLs: ["/x"] },
      "rules[0].nonResourceURLs: Invalid value: " +
      '["/x"]: namespaced rules cannot apply to non-resource URLs',
    ],
  ];
  for (const [rule, expected] of cases) {
    const found = problems(rows.roles, prepared(rows.roles, { rules: [rule] }));
    assert.ok(found.includes(expected), found.join("\n"));
  }
  const urls = prepared(rows.clusterRoles, { rules: [{ verbs: ["get"], nonResourceURLs: ["/"] }] });
  assert.deepEqual(problems(rows.clusterRoles, urls), []);
});

Deno.test("a binding keeps its role and prints whom it serves", () => {
  const row = rows.roleBindings;
  const binding = prepared(row, {
    roleRef: { kind: "Role", name: "reader" },
    subjects: [
      { kind: "User", name: "ann" },
      { kind: "ServiceAccount", name: "bot", namespace: "default" },
    ],
  });
  assert.equal(binding.roleRef.apiGroup, "rbac.authorization.k8s.io");
  assert.deepEqual(problems(row, binding), []);
  assert.deepEqual(cells(row, binding), [
    "x",
    "Role/reader",
    "<unknown>",
    "ann",
    "",
    "default/bot",
  ]);
  const moved = structuredClone(binding);
  moved.roleRef.name = "writer";
  assert.match(updateProblems(row, moved, binding)[0], /^roleRef: .*cannot change roleRef$/);
});

Deno.test("a cluster-wide binding needs a cluster role, and accounts with namespaces", () => {
  const binding = prepared(rows.clusterRoleBindings, {
    roleRef: { kind: "Role", name: "reader" },
    subjects: [{ kind: "ServiceAccount", name: "bot" }],
  });
  assert.deepEqual(problems(rows.clusterRoleBindings, binding), [
    'roleRef.kind: Unsupported value: "Role": supported values: "ClusterRole"',
    "subjects[0].namespace: Required value",
  ]);
});
