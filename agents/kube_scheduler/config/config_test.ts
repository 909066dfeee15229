/**
 * A KubeSchedulerConfiguration: defaults, profiles, arguments, and every problem with its path.
 */
import assert from "node:assert/strict";
import { parseSchedulerConfig } from "../config.ts";

const HEAD = "apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\n";

Deno.test("a configuration without profiles is the default one", () => {
  const result = parseSchedulerConfig(HEAD);
  assert.equal(result.kind, "ok");
  if (result.kind !== "ok") return;
  const [profile] = result.config.profiles!;
  assert.equal(profile.filters![0], "NodeUnschedulable");
  assert.deepEqual(profile.scores![0], { name: "TaintToleration", weight: 3 });
  assert.equal(profile.preemption, true);
  assert.equal(result.config.queue!.longestBackoffMs, 10_000);
});

Deno.test("profiles disable, reweigh and configure plugins", () => {
  const result = parseSchedulerConfig(`${HEAD}
profiles:
- schedulerName: packing
  plugins:
    score:
      disabled: [{name: ImageLocality}]
      enabled: [{name: NodeResourcesFit, weight: 9}]
    postFilter:
      disabled: [{name: "*"}]
  pluginConfig:
  - name: NodeResourcesFit
    args:
      scoringStrategy: {type: MostAllocated, resources: [{name: cpu, weight: 2}]}
`);
  assert.equal(result.kind, "ok");
  if (result.kind !== "ok") return;
  const [profile] = result.config.profiles!;
  assert.deepEqual(profile.scores![0], { name: "NodeResourcesFit", weight: 9 });
  assert.equal(profile.scores!.some(({ name }) => name === "ImageLocality"), false);
  assert.deepEqual([profile.preemption, profile.deallocation], [false, false]);
  assert.equal(profile.args!.NodeResourcesFit!.strategy!.type, "MostAllocated");
});

Deno.test("the effective document has every default, and what was given", () => {
  const byDefault = parseSchedulerConfig(undefined);
  const result = parseSchedulerConfig(`${HEAD}
podMaxBackoffSeconds: 30
profiles:
- schedulerName: packing
  plugins:
    multiPoint:
      disabled: [{name: InterPodAffinity}]
      enabled: [{name: NodeResourcesFit, weight: 9}]
  pluginConfig:
  - name: NodeResourcesFit
    args: {scoringStrategy: {type: MostAllocated, resources: []}}
`);
  assert(byDefault.kind === "ok" && result.kind === "ok");
  // deno-lint-ignore no-explicit-any
  const [plain, packing] = [byDefault.document, result.document] as any[];
  assert.equal(plain.apiVersion, "kubescheduler.config.k8s.io/v1");
  assert.equal(plain.kind, "KubeSchedulerConfiguration");
  assert.deepEqual([plain.podMaxBackoffSeconds, packing.podMaxBackoffSeconds], [10, 30]);
  assert.equal(plain.profiles[0].schedulerName, "default-scheduler");
  assert.equal(packing.profiles[0].schedulerName, "packing");
  const weights = (document: typeof plain) =>
    new Map(
      document.profiles[0].plugins.multiPoint.enabled.map((
        it: { name: string; weight: number },
      ) => [it.name, it.weight]),
    );
  assert.equal(weights(plain).get("NodeResourcesFit"), 1);
  assert.equal(weights(packing).get("NodeResourcesFit"), 9);
  assert.equal(weights(packing).has("InterPodAffinity"), false);
  // A plugin that has no score has no weight either.
  assert.deepEqual(
    [weights(plain).has("PrioritySort"), weights(plain).get("PrioritySort")],
    [true, undefined],
  );
  const argsOf = (document: typeof plain, plugin: string) =>
    document.profiles[0].pluginConfig.find(({ name }: { name: string }) => name === plugin)?.args;
  const header = { apiVersion: plain.apiVersion, kind: "VolumeBindingArgs" };
  assert.deepEqual(argsOf(plain, "VolumeBinding"), { ...header, bindTimeoutSeconds: 600 });
  assert.deepEqual(argsOf(packing, "NodeResourcesFit").scoringStrategy, {
    type: "MostAllocated",
    resources: [{ name: "cpu", weight: 1 }, { name: "memory", weight: 1 }],
  });
  assert.equal(argsOf(packing, "InterPodAffinity"), undefined);
  // What it says, read again, is the same configuration.
  const again = parseSchedulerConfig(JSON.stringify(result.document));
  assert.equal(again.kind, "ok", JSON.stringify(again));
  assert(again.kind === "ok");
  assert.deepEqual(again.config.profiles![0].scores, result.config.profiles![0].scores);
  assert.deepEqual(again.document, result.document);
});

Deno.test("what can't be honoured is refused by name, all at once", () => {
  const result = parseSchedulerConfig(`${HEAD}
extenders: [{urlPrefix: "http://x"}]
podMaxBackoffSeconds: 0
profiles: [{plugins: {score: {enabled: [{name: Luck}]}}}]
`);
  assert.deepEqual(result, {
    kind: "error",
    problems: [
      "podMaxBackoffSeconds: Too small: expected number to be >=1",
      "extenders: are not supported",
      "profiles[0].plugins.score.enabled[0]: there is no plugin Luck",
    ],
  });
});

Deno.test("every plugin's arguments are read, and none are taken for one that has none", () => {
  const config = (name: string, args: string) =>
    parseSchedulerConfig(`${HEAD}
profiles: [{ pluginConfig: [{ name: ${name}, args: ${args} }] }]
`);
  const kept = config("VolumeBinding", "{ bindTimeoutSeconds: 5 }");
  assert(kept.kind === "ok");
  assert.equal(kept.config.profiles![0].args!.VolumeBinding!.bindTimeoutMs, 5000);
  assert.equal(config("DefaultPreemption", "{ minCandidateNodesAbsolute: 5 }").kind, "ok");
  assert.equal(config("DynamicResources", "{ filterTimeout: 5s }").kind, "ok");
  const problems: readonly [string, string, string][] = [
    ["DefaultPreemption", "{ minCandidateNodesPercentage: 101 }", "minCandidateNodesPercentage"],
    ["VolumeBinding", "{ shape: [{}] }", "is not supported"],
    ["ImageLocality", "{ x: 1 }", "pluginConfig\\[0\\]: plugin ImageLocality takes no arguments"],
    ["Nothing", "{}", "there is no plugin Nothing"],
    [
      "DefaultPreemption",
      "{ minCandidateNodesPercentage: 0, minCandidateNodesAbsolute: 0 }",
      "cannot both be zero",
    ],
    [
      "NodeResourcesBalancedAllocation",
      "{ resources: [{ name: cpu, weight: 2 }] }",
      "args.resources\\[0\\].weight: must be 1",
    ],
    [
      "NodeResourcesBalancedAllocation",
      "{ resources: [{ name: cpu }, { name: cpu }] }",
      'args.resources\\[1\\].name: Duplicate value: "cpu"',
    ],
    [
      "PodTopologySpread",
      "{ defaultingType: List, defaultConstraints: [" +
      "{ maxSkew: 1, topologyKey: a, whenUnsatisfiable: DoNotSchedule }, " +
      "{ maxSkew: 2, topologyKey: a, whenUnsatisfiable: DoNotSchedule }] }",
      'args.defaultConstraints\\[1\\]: Duplicate value: "{a, DoNotSchedule}"',
    ],
    ["NodeResourcesFit", "{ ignoredResources: [a b] }", "args.ignoredResources\\[0\\]: name part"],
    [
      "NodeAffinity",
      "{ addedAffinity: { requiredDuringSchedulingIgnoredDuringExecution: " +
      "{ nodeSelectorTerms: [{ matchExpressions: [{ key: a, operator: In }] }] } } }",
      "IgnoredDuringExecution.nodeSelectorTerms\\[0\\].matchExpressions\\[0\\].values: " +
      "Required value: must be specified",
    ],
    [
      "NodeAffinity",
      "{ addedAffinity: { preferredDuringSchedulingIgnoredDuringExecution: " +
      "[{ weight: 1, preference: { matchExpressions: [{ key: a, operator: X }] } }] } }",
      "\\[0\\].preference.matchExpressions\\[0\\].operator: Invalid value",
    ],
  ];
  for (const [name, args, expected] of problems) {
    const refused = config(name, args);
    assert(refused.kind === "error");
    assert.match(refused.problems.join(), new RegExp(expected));
  }
});

Deno.test("what lists of resources and constraints leave open is filled in", () => {
  const result = parseSchedulerConfig(`${HEAD}
profiles:
- pluginConfig:
  - { name: NodeResourcesBalancedAllocation, args: { resources: [] } }
  - { name: NodeResourcesFit, args: { scoringStrategy: { type: LeastAllocated, resources: [] } } }
  - name: PodTopologySpread
    args:
      defaultingType: List
      defaultConstraints:
      - { maxSkew: 1, topologyKey: zone, whenUnsatisfiable: DoNotSchedule, minDomains: 3,
          nodeTaintsPolicy: Honor }
`);
  assert(result.kind === "ok");
  const { args } = result.config.profiles![0];
  assert.equal(args!.NodeResourcesBalancedAllocation!.resources, undefined);
  assert.equal(args!.NodeResourcesFit!.strategy!.resources, undefined);
  assert.deepEqual(args!.PodTopologySpread!.defaultConstraints, [{
    maxSkew: 1,
    topologyKey: "zone",
    whenUnsatisfiable: "DoNotSchedule",
    minDomains: 3,
    nodeAffinityPolicy: "Honor",
    nodeTaintsPolicy: "Honor",
    selector: [],
  }]);
});

Deno.test("profiles are told apart by name, and their lists make sense", () => {
  const problemsOf = (profiles: string) => {
    const result = parseSchedulerConfig(`${HEAD}profiles: ${profiles}\n`);
    return result.kind === "ok" ? [] : result.problems;
  };
  const cases: readonly [string, readonly string[]][] = [
    ["[]", []],
    ["[{}]", []],
    ["[{ schedulerName: a }, {}]", ["profiles[1].schedulerName: Required value"]],
    ["[{ schedulerName: a }, { schedulerName: a }]", [
      "profiles[1].schedulerName: Duplicate value: profiles[0].schedulerName",
    ]],
    ["[{ plugins: { filter: { enabled: [{ name: ImageLocality }] } } }]", [
      "profiles[0].plugins.filter.enabled[0]: plugin ImageLocality does not extend filter",
    ]],
    ["[{ plugins: { score: { enabled: [{ name: NodeAffinity }, { name: NodeAffinity }] } } }]", [
      "profiles[0].plugins.score.enabled[1]: plugin NodeAffinity is listed twice",
    ]],
    ['[{ plugins: { bind: { disabled: [{ name: "*" }] } } }]', [
      "profiles[0].plugins.bind: at least one bind plugin is needed",
    ]],
    ["[{ plugins: { queueSort: { disabled: [{ name: PrioritySort }] } } }]", [
      "profiles[0].plugins.queueSort: at least one queue sort plugin is needed",
    ]],
    ["[{ plugins: { permit: { enabled: [{ name: GangScheduling }] } } }]", []],
    ["[{ pluginConfig: [{ name: VolumeBinding }, { name: VolumeBinding }] }]", [
      'profiles[0].pluginConfig[1]: Duplicate value: "VolumeBinding"',
    ]],
    ["[{ schedulerName: a, luck: 1 }, { schedulerName: b, percentageOfNodesToScore: 101 }]", [
      'profiles[0]: Unrecognized key: "luck"',
      "profiles[1].percentageOfNodesToScore: Too big: expected number to be <=100",
    ]],
  ];
  for (const [profiles, expected] of cases) {
    assert.deepEqual(problemsOf(profiles), expected, profiles);
  }
});

Deno.test("what concerns a process of its own is read, and refused with its path", () => {
  const result = parseSchedulerConfig(`${HEAD}
clientConnection: {kubeconfig: /etc/scheduler.conf, qps: 50, burst: 100, contentType: ""}
leaderElection:
  leaderElect: false
  leaseDuration: 1m
  renewDeadline: 30s
  retryPeriod: 0s
  resourceLock: leases
  resourceName: mine
  resourceNamespace: ""
`);
  assert.equal(result.kind, "ok", JSON.stringify(result));
  if (result.kind !== "ok") return;
  assert.deepEqual(result.process, {
    election: {
      leaderElect: false,
      durationSeconds: 60,
      renewSeconds: 30,
      retrySeconds: undefined,
      namespace: undefined,
      name: "mine",
    },
    kubeconfig: "/etc/scheduler.conf",
  });
  const empty = parseSchedulerConfig(`${HEAD}leaderElection:\nclientConnection:\n`);
  assert.equal(empty.kind, "ok", JSON.stringify(empty));
  const wrong = parseSchedulerConfig(`${HEAD}
clientConnection: {burst: 1.5}
leaderElection: {leaseDuration: 1500ms, renewDeadline: soon, retryPeriod: -1s, resourceLock: endpoints}
`);
  assert.equal(wrong.kind, "error");
  if (wrong.kind !== "error") return;
  assert.deepEqual(wrong.problems.map((problem) => problem.split(":")[0]), [
    "leaderElection.leaseDuration",
    "leaderElection.renewDeadline",
    "leaderElection.retryPeriod",
    "leaderElection.resourceLock",
    "clientConnection.burst",
  ]);
});
