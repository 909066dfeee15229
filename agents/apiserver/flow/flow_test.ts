/**
 * Priority and fairness: which level a request gets, how seats are shared out and lent, and that
 * a client which hammers delays nobody's heartbeat.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import type { UserInfo } from "../../api/meta.ts";
import type {
  FlowSchema,
  PriorityLevelConfiguration,
} from "../../api/schema/generated/flowcontrol_v1.ts";
import { type FakeApi, startFakeApi } from "../../../tests/fakes/api_server.ts";
import { defaultLevels, defaultSchemas } from "./defaults.ts";
import { classify, classifyWhole, type FlowAsked, orderSchemas } from "./plan_classify.ts";
import { boundSeats, lendSeats, smoothDemand } from "./plan_limits.ts";

const LEVELS = defaultLevels() as PriorityLevelConfiguration[];
const SCHEMAS = orderSchemas(defaultSchemas() as FlowSchema[], () => true);

function user(name: string, ...groups: string[]): UserInfo {
  return { name, groups: [...groups, "system:authenticated"] };
}

const NODE = user("system:node:n1", "system:nodes");
const account = (namespace: string) =>
  user(`system:serviceaccount:${namespace}:x`, "system:serviceaccounts");
const PODS: FlowAsked = {
  verb: "list",
  group: "",
  resource: "pods",
  subresource: "",
  namespace: "a",
};
const LEASE = { ...PODS, verb: "update", group: "coordination.k8s.io", resource: "leases" };

Deno.test("default schemas give each kind of client its level", () => {
  const rows: [UserInfo, FlowAsked, string, string, string][] = [
    [user("admin", "system:masters"), PODS, "exempt", "exempt", ""],
    [user("eve"), { verb: "get", path: "/readyz/etcd" }, "probes", "exempt", ""],
    [user("eve"), { verb: "get", path: "/version" }, "global-default", "global-default", "eve"],
    [NODE, LEASE, "system-node-high", "node-high", NODE.name],
    [
      NODE,
      { ...PODS, resource: "nodes", subresource: "status", namespace: "" },
      "system-node-high",
      "node-high",
      NODE.name,
    ],
    [NODE, PODS, "system-nodes", "system", NODE.name],
    [
      user("system:kube-controller-manager"),
      LEASE,
      "system-leader-election",
      "leader-election",
      "system:kube-controller-manager",
    ],
    [user("system:kube-scheduler"), PODS, "kube-scheduler", "workload-high", "a"],
    [account("kube-system"), PODS, "kube-system-service-accounts", "workload-high", "a"],
    [account("prod"), PODS, "service-accounts", "workload-low", account("prod").name],
    [user("eve"), PODS, "global-default", "global-default", "eve"],
  ];
  for (const [who, asked, schema, level, distinguisher] of rows) {
    const match = { schema, level, distinguisher };
    assert.deepEqual(classify(SCHEMAS, who, asked), match);
    // Where one schema takes all that a user asks, it takes this too.
    assert.deepEqual(classifyWhole(SCHEMAS, who) ?? match, match);
  }
  assert.equal(classify(SCHEMAS, { name: "x", groups: [] }, PODS), null);
  assert.equal(classifyWhole(SCHEMAS, user("admin", "system:masters"))?.schema, "exempt");
  assert.equal(classifyWhole(SCHEMAS, NODE), null);
});

Deno.test("shares of 600 seats are those that upstream's defaults come to", () => {
  const bounds = boundSeats(LEVELS, 600);
  const of = (name: string) => bounds.find((bound) => bound.name === name)!;
  assert.deepEqual([of("node-high").nominal, of("node-high").least], [98, 73]);
  assert.deepEqual([of("workload-low").nominal, of("workload-low").least], [245, 24]);
  assert.deepEqual([of("catch-all").nominal, of("catch-all").most], [13, 613]);
  assert.equal(of("exempt").nominal, 0);
});

Deno.test("lent seats lie within bounds, add up, and go where they are wanted", () => {
  const bounds = boundSeats(LEVELS, 600);
  const total = bounds.reduce((sum, { nominal }) => sum + nominal, 0);
  const demand = fc.record({ highest: fc.nat(800), smoothed: fc.nat(800) });
  fc.assert(
    fc.property(fc.array(demand, { minLength: 8, maxLength: 8 }), (demands) => {
      const seats = lendSeats(bounds, demands);
      let sum = 0;
      bounds.forEach(({ isExempt, least, most }, i) => {
        if (isExempt) return;
        assert(seats[i] >= least && seats[i] <= most, `${seats[i]} of ${least}..${most}`);
        sum += seats[i];
      });
      if (demands[bounds.findIndex(({ isExempt }) => isExempt)].highest === 0) {
        assert(Math.abs(sum - total) <= bounds.length, `${sum} of ${total}`);
      }
    }),
    { numRuns: 200, seed: 5 },
  );
  const busy = bounds.map(({ name }) => {
    const seats = name === "global-default" ? 300 : 0;
    return { highest: seats, smoothed: seats };
  });
  const lent = lendSeats(bounds, busy);
  const index = (name: string) => bounds.findIndex((bound) => bound.name === name);
  assert(lent[index("global-default")] > 200, "the busy one borrows");
  assert(lent[index("node-high")] >= bounds[index("node-high")].least, "and takes nobody's own");
  assert.equal(smoothDemand(100, { highest: 0, average: 0, deviation: 0 }), 97.7);
});

Deno.test("a new cluster has the defaults, and says what seats they come to", async () => {
  const api = await startFakeApi();
  const path = "/apis/flowcontrol.apiserver.k8s.io/v1";
  const levels = (await api.ask("GET", `${path}/prioritylevelconfigurations`)).json.items;
  assert.equal(levels.length, 8);
  assert.equal((await api.ask("GET", `${path}/flowschemas`)).json.items.length, 11);
  const metrics = (await api.ask("GET", "/metrics")).text;
  assert.match(metrics, /apiserver_flowcontrol_nominal_limit_seats\{priority_level="system"\} 74/);
  await api.close();
});

/** Requests that the store has not answered: a test lets them through one by one. */
function gateOf(api: FakeApi) {
  const waiting: (() => void)[] = [];
  const txn = api.store.txn.bind(api.store);
  api.store.txn = async (request) => {
    await new Promise<void>((resolve) => waiting.push(resolve));
    return await txn(request);
  };
  return {
    waiting,
    /** Lets the oldest one through, and everything that follows from it. */
    async serveOne() {
      waiting.shift()?.();
      await settled();
    },
    open() {
      api.store.txn = txn;
      for (const resolve of waiting.splice(0)) resolve();
    },
  };
}

/** Lets every promise that can go on go on. */
function settled(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}

const LEASE_PATH = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases";
const TEN_SEATS = { maxRequestsInflight: 20, maxMutatingRequestsInflight: 20 };

Deno.test("a client that hammers starves neither the nodes' leases nor another client", async () => {
  const api = await startFakeApi(TEN_SEATS);
  for (const name of ["hog", "mouse"]) {
    await api.ask("POST", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", {
      metadata: { name },
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "edit" },
      subjects: [{ apiGroup: "rbac.authorization.k8s.io", kind: "User", name }],
    });
  }
  await api.ask("POST", LEASE_PATH, { metadata: { name: "n1" }, spec: { holderIdentity: "n1" } });
  const lease = (await api.ask("GET", `${LEASE_PATH}/n1`)).json;
  const renewed = { ...lease, spec: { ...lease.spec, renewTime: "2026-01-02T03:04:05.000000Z" } };
  const gate = gateOf(api);
  const maps = "/api/v1/namespaces/default/configmaps";
  const statuses: number[] = [];
  const finished: string[] = [];
  const send = (name: string, who: UserInfo, i: number) =>
    api.ask("POST", maps, { metadata: { name: `${name}-${i}` } }, { user: who }).then((answer) => {
      statuses.push(answer.status);
      finished.push(name);
    });
  const sent = Array.from({ length: 400 }, (_, i) => send("hog", user("hog"), i));
  await settled();
  const inStore = gate.waiting.length;
  assert(inStore > 0 && inStore < 40, `${inStore} of the hog's requests run`);
  assert(statuses.includes(429), "some of the hog's are told to come back");
  finished.length = 0;

  // The renewal runs at once: only what was in the store before it is in front of it.
  const renewal = api.ask("PUT", `${LEASE_PATH}/n1`, renewed, { user: NODE })
    .then(({ status }) => {
      statuses.push(status);
      finished.push("lease");
    });
  await settled();
  assert.equal(gate.waiting.length, inStore + 1, "the lease's write reached the store");
  // Another client of the hog's own level waits for few.
  sent.push(send("mouse", user("mouse"), 0));
  await settled();
  for (let i = 0; i < inStore + 20; i++) await gate.serveOne();
  assert(finished.indexOf("lease") >= 0 && finished.indexOf("lease") <= inStore);
  const place = finished.indexOf("mouse");
  assert(place >= 0 && place < inStore + 20, `the mouse was served at ${place}`);
  gate.open();
  await Promise.all([renewal, ...sent]);
  assert(statuses.every((status) => [200, 201, 429].includes(status)));
  const metrics = (await api.ask("GET", "/metrics")).text;
  assert.match(metrics, /rejected_requests_total\{[^}]*"global-default"[^}]*reason="queue-full"/);
  assert.match(metrics, /current_executing_seats\{[^}]*"node-high"[^}]*\} 0/);
  assert.match(metrics, /current_inqueue_requests\{[^}]*"global-default"[^}]*\} 0/);
  await api.close();
});

Deno.test("whoever waits too long is told when to come back", async () => {
  const api = await startFakeApi(TEN_SEATS);
  const gate = gateOf(api);
  const path = "/api/v1/namespaces/default/serviceaccounts/default/token";
  const review = { spec: { resourceAttributes: { verb: "get", resource: "pods" } } };
  const who = user("eve");
  const made = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
  assert.equal((await api.ask("POST", made, review, { user: who })).status, 201);
  assert.equal((await api.ask("POST", path, { spec: {} }, { user: who })).status, 403);
  // Leases of nodes fill their level; the next one waits.
  const sent = Array.from(
    { length: 60 },
    (_, i) =>
      api.ask("POST", LEASE_PATH, { metadata: { name: "n1" }, spec: {} }, {
        user: { ...NODE, uid: String(i) },
      }),
  );
  await settled();
  assert(gate.waiting.length < 60);
  api.clock.advance(15_000);
  gate.open();
  const late = (await Promise.all(sent)).filter(({ status }) => status === 429);
  assert(late.length > 0);
  assert.equal(late[0].json.reason, "TooManyRequests");
  assert.equal(late[0].json.details.retryAfterSeconds, 1);
  const { headers } = late[0].response;
  assert.equal(headers[headers.indexOf("retry-after") + 1], "1");
  const metrics = (await api.ask("GET", "/metrics")).text;
  assert.match(metrics, /rejected_requests_total\{[^}]*"node-high"[^}]*reason="time-out"\}/);
  await api.close();
});

Deno.test("a schema says whether its level exists", async () => {
  const api = await startFakeApi();
  const path = "/apis/flowcontrol.apiserver.k8s.io/v1";
  const dangling = async (name: string) => {
    await settled();
    const { status } = (await api.ask("GET", `${path}/flowschemas/${name}`)).json;
    return status.conditions[0].status;
  };
  assert.equal(await dangling("system-nodes"), "False");
  await api.ask("POST", `${path}/flowschemas`, {
    metadata: { name: "lost" },
    spec: { priorityLevelConfiguration: { name: "later" }, matchingPrecedence: 50 },
  });
  assert.equal(await dangling("lost"), "True");
  const limited = { nominalConcurrencyShares: 1, limitResponse: { type: "Reject" } };
  await api.ask("POST", `${path}/prioritylevelconfigurations`, {
    metadata: { name: "later" },
    spec: { type: "Limited", limited },
  });
  assert.equal(await dangling("lost"), "False");
  await api.close();
});

Deno.test("settings are followed: a schema of an administrator takes its requests", async () => {
  const api = await startFakeApi();
  const path = "/apis/flowcontrol.apiserver.k8s.io/v1";
  await api.ask("POST", `${path}/prioritylevelconfigurations`, {
    metadata: { name: "slow" },
    spec: {
      type: "Limited",
      limited: { nominalConcurrencyShares: 10, limitResponse: { type: "Reject" } },
    },
  });
  await api.ask("POST", `${path}/flowschemas`, {
    metadata: { name: "slow" },
    spec: {
      priorityLevelConfiguration: { name: "slow" },
      matchingPrecedence: 50,
      rules: [{
        subjects: [{ kind: "User", user: { name: "eve" } }],
        nonResourceRules: [{ verbs: ["*"], nonResourceURLs: ["/version"] }],
      }],
    },
  });
  await settled();
  await api.ask("GET", "/version", undefined, { user: user("eve") });
  const metrics = (await api.ask("GET", "/metrics")).text;
  assert.match(metrics, /dispatched_requests_total\{priority_level="slow",flow_schema="slow"\} 1/);
  await api.close();
});
