/** Tries flow schemas and priority levels: defaults, refusals, cells. */
import assert from "node:assert/strict";
import { cells, prepared, problems } from "../testing.ts";
import * as rows from "../../resources.ts";

const rule = {
  subjects: [{ kind: "Group", group: { name: "staff" } }],
  resourceRules: [{ verbs: ["*"], apiGroups: ["*"], resources: ["*"], namespaces: ["*"] }],
};
const spec = { priorityLevelConfiguration: { name: "low" }, rules: [rule] };

Deno.test("a flow schema gets its place, passes, and prints", () => {
  const row = rows.flowSchemas;
  const object = prepared(row, { spec });
  assert.equal(object.spec.matchingPrecedence, 1000);
  assert.deepEqual(problems(row, object), []);
  assert.deepEqual(cells(row, object), ["x", "low", 1000, "<none>", "<unknown>", "?"]);
});

Deno.test("flow schemas are refused for what upstream refuses", () => {
  const row = rows.flowSchemas;
  const cases: readonly [Record<string, unknown>, string][] = [
    [{ matchingPrecedence: 1 }, "only the schema named 'exempt' may have matchingPrecedence 1"],
    [{ priorityLevelConfiguration: {} }, "must reference a priority level"],
    [
      { rules: [{ ...rule, subjects: [{ kind: "Group" }] }] },
      "group is required when subject " +
      "kind is 'Group'",
    ],
    [
      { rules: [{ subjects: rule.subjects }] },
      "at least one of resourceRules and " +
      "nonResourceRules has to be non-empty",
    ],
    [
      { rules: [{ ...rule, nonResourceRules: [{ verbs: ["get"], nonResourceURLs: ["x"] }] }] },
      "must start with slash",
    ],
    [{ distinguisherMethod: { type: "ByMood" } }, "Unsupported value"],
  ];
  for (const [change, expected] of cases) {
    const found = problems(row, prepared(row, { spec: { ...spec, ...change } })).join("\n");
    assert.ok(found.includes(expected), found);
  }
});

Deno.test("priority levels: defaults, refusals, cells", () => {
  const row = rows.priorityLevelConfigurations;
  const limited = { limitResponse: { type: "Queue", queuing: {} } };
  const object = prepared(row, { spec: { type: "Limited", limited } });
  assert.deepEqual(problems(row, object), []);
  assert.deepEqual(cells(row, object).slice(1, 6), ["Limited", 30, 64, 8, 50]);
  const queuing = { queues: 4, handSize: 5, queueLengthLimit: 1 };
  const cramped = prepared(row, {
    spec: { type: "Limited", limited: { limitResponse: { type: "Queue", queuing } } },
  });
  assert.deepEqual(problems(row, cramped), [
    "spec.limited.limitResponse.queuing.handSize: Invalid value: 5: should not be greater than " +
    "queues (4)",
  ]);
  const exempt = prepared(row, { spec: { type: "Exempt" } });
  assert.match(problems(row, exempt)[0], /must be 'Exempt' if and only if `name` is 'exempt'/);
});
