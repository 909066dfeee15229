/** Tries pod groups and workloads: refusals in upstream's words, what may not change, cells. */
import assert from "node:assert/strict";
import * as rows from "../../resources.ts";
import { cells, prepared, problems, updateProblems, worded } from "../testing.ts";

const gang = { schedulingPolicy: { gang: { minCount: 3 } } };

Deno.test("a group has one policy, and a gang at least one pod", () => {
  const row = rows.podGroups;
  const at = "spec.schedulingPolicy";
  const reference = { workload: { workloadName: "train", podGroupTemplateName: "workers" } };
  const cases: readonly [Record<string, unknown>, readonly string[]][] = [
    [gang, []],
    [{ schedulingPolicy: { basic: {} } }, []],
    [{ ...gang, podGroupTemplateRef: reference }, []],
    [{}, [`${at}: Invalid value: "": must specify one of: \`basic\`, \`gang\``]],
    [{ schedulingPolicy: { basic: {}, gang: { minCount: 1 } } }, [
      `${at}: Invalid value: "{\`basic\`, \`gang\`}": must specify exactly one of: ` +
      "`basic`, `gang`",
    ]],
    [{ schedulingPolicy: { gang: {} } }, [`${at}.gang.minCount: Required value`]],
    [{ schedulingPolicy: { gang: { minCount: -1 } } }, [
      `${at}.gang.minCount: Invalid value: -1: must be greater than or equal to 1`,
    ]],
    [{ ...gang, podGroupTemplateRef: {} }, [
      'spec.podGroupTemplateRef: Invalid value: "": must specify one of: `workload`',
    ]],
    [{ ...gang, disruptionMode: "PodGroup" }, [
      "spec.disruptionMode: Forbidden: evicting a group as a whole is not supported",
    ]],
    [{ ...gang, disruptionMode: "Pod" }, []],
    [{ ...gang, priority: 5 }, [
      "spec.priority: Forbidden: a group's own priority is not supported, its pods' priorities count",
    ]],
    [{ ...gang, schedulingConstraints: {} }, []],
    [{ ...gang, schedulingConstraints: { topology: [{ key: "example.com/rack" }] } }, []],
    [{ ...gang, schedulingConstraints: { topology: [{ key: "" }] } }, [
      "spec.schedulingConstraints.topology[0].key: Required value",
    ]],
    [{ ...gang, schedulingConstraints: { topology: [{ key: "a" }, { key: "b" }] } }, [
      "spec.schedulingConstraints.topology: Too many: 2: must have at most 1 item",
    ]],
  ];
  for (const [spec, expected] of cases) {
    assert.deepEqual(problems(row, prepared(row, { spec })), expected);
  }
});

Deno.test("a group's policy stays, and its cells tell how it fares", () => {
  const row = rows.podGroups;
  const group = prepared(row, { spec: gang });
  assert.deepEqual(cells(row, group).slice(0, 4), ["x", "Gang", "<none>", "Pending"]);
  const draft = structuredClone(group);
  draft.spec.schedulingPolicy.gang.minCount = 2;
  assert.match(updateProblems(row, draft, group)[0], /^spec.schedulingPolicy: .*is immutable/);
  const kept = structuredClone(group);
  kept.spec.schedulingConstraints = { topology: [{ key: "rack" }] };
  assert.match(updateProblems(row, kept, group)[0], /^spec.schedulingConstraints: .*is immutable/);
  const condition = { type: "PodGroupScheduled", status: "True", reason: "Scheduled", message: "" };
  const lastTransitionTime = "2030-01-01T00:00:00Z";
  const told = { ...group, status: { conditions: [{ ...condition, lastTransitionTime }] } };
  assert.deepEqual(worded(row.rules.validateStatusUpdate?.(told, group)), []);
  assert.equal(cells(row, told)[3], "Scheduled");
  const untimed = { ...group, status: { conditions: [condition, condition] } };
  assert.deepEqual(worded(row.rules.validateStatusUpdate?.(untimed, group)), [
    "status.conditions[0].lastTransitionTime: Required value",
    'status.conditions[1].type: Duplicate value: "PodGroupScheduled"',
    "status.conditions[1].lastTransitionTime: Required value",
  ]);
});

Deno.test("a workload has up to eight templates of distinct names, which stay", () => {
  const row = rows.workloads;
  const template = { name: "workers", ...gang };
  const workload = prepared(row, { spec: { podGroupTemplates: [template] } });
  assert.deepEqual(problems(row, workload), []);
  const twice = prepared(row, { spec: { podGroupTemplates: [template, template] } });
  assert.match(problems(row, twice)[0], /^spec.podGroupTemplates\[1\]: Duplicate value/);
  const none = prepared(row, { spec: {} });
  assert.deepEqual(problems(row, none), ["spec.podGroupTemplates: Required value"]);
  const many = Array.from({ length: 9 }, (_, i) => ({ ...template, name: `t${i}` }));
  assert.match(
    problems(row, prepared(row, { spec: { podGroupTemplates: many } }))[0],
    /^spec.podGroupTemplates: Too many: 9: must have at most 8 items/,
  );
  const draft = structuredClone(workload);
  draft.spec.podGroupTemplates = [{ ...template, name: "other" }];
  assert.match(updateProblems(row, draft, workload)[0], /is immutable/);
});

Deno.test("a pod's group has a name", () => {
  const pod = (schedulingGroup: object) =>
    prepared(rows.pods, {
      spec: { containers: [{ name: "c", image: "i" }], schedulingGroup },
    });
  assert.deepEqual(problems(rows.pods, pod({ podGroupName: "team" })), []);
  const at = "spec.schedulingGroup.podGroupName";
  assert.match(problems(rows.pods, pod({}))[0], new RegExp(`^${at}: Invalid value`));
  assert.match(problems(rows.pods, pod({ podGroupName: "A b" }))[0], new RegExp(`^${at}: Invalid`));
});
