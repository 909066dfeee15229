/**
 * One user floods a real API server with lists over its sockets, while a node renews its lease and
 * another user reads. Judged by counts and order, never by time: who is refused, and how many of
 * the flood's lists end between the arrival of somebody else's request and its end, as the server
 * wrote it down.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { parse } from "yaml";
import { freePort } from "../free_port.ts";
import { pause } from "./servers/load.ts";
import { makeDataDir, startCluster, type TestCluster } from "./cluster.ts";
import { systemTest } from "./tools.ts";

const OBJECTS = 200;
/** Four times what a flow's queues hold, which is six times fifty. */
const IN_FLIGHT = 1200;
const CONNECTIONS = 8;
/** Lists after which some must have been turned away. */
const MOST_LISTS = 20_000;
const QUESTIONS = 8;
/**
 * Lists that may end while a read waits and is answered. Its turn comes after a few; on a busy
 * machine some more end before it is written. Behind all that wait it would be 300.
 */
const FAIR_SHARE = 60;

const MAPS = "/api/v1/namespaces/default/configmaps";
const LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases";
const TOKENS = `admin-token,root,1,"system:masters"
hog-token,hog,2
mouse-token,mouse,3
node-token,system:node:n1,4,"system:nodes"
`;

const POLICY = `
apiVersion: audit.k8s.io/v1
kind: Policy
rules:
- {level: Metadata, users: [hog, mouse], resources: [{group: ""}]}
- {level: None}
`;
const PAUSE_MILLIS = 20;

interface Answer {
  readonly status: number;
  readonly retryAfter: string | null;
  readonly text: string;
}

type Ask = (method: string, path: string, body?: unknown) => Promise<Answer>;

interface Server {
  readonly url: string;
  readonly ca: string;
}

async function serverOf({ kubeconfig }: TestCluster): Promise<Server> {
  const { cluster } = parse(await Deno.readTextFile(kubeconfig)).clusters[0];
  return { url: cluster.server, ca: atob(cluster["certificate-authority-data"]) };
}

/** One connection of somebody. */
function connect({ url, ca }: Server, token: string): { ask: Ask; close(): void } {
  const client = Deno.createHttpClient({ caCerts: [ca] });
  return {
    close: () => client.close(),
    async ask(method, path, body) {
      const init: RequestInit & { client: Deno.HttpClient } = {
        client,
        method,
        headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      };
      const response = await fetch(url + path, init);
      const text = await response.text();
      return { status: response.status, retryAfter: response.headers.get("retry-after"), text };
    },
  };
}

/** Lists without a pause over several connections. */
class Flood {
  served = 0;
  readonly refused: Answer[] = [];
  readonly strange: Answer[] = [];
  #isOver = false;
  readonly #running: Promise<void>[];

  constructor(askers: readonly Ask[]) {
    this.#running = Array.from(
      { length: IN_FLIGHT },
      (_, i) => this.#run(askers[i % askers.length]),
    );
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#running);
  }

  async #run(ask: Ask): Promise<void> {
    while (!this.#isOver) {
      const answer = await ask("GET", MAPS);
      if (answer.status === 200) this.served++;
      else if (answer.status === 429) {
        this.refused.push(answer);
        await pause(PAUSE_MILLIS);
      } else this.strange.push(answer);
    }
  }
}

async function furnish(admin: Ask): Promise<void> {
  const made = async (path: string, body: unknown) => {
    const { status, text } = await admin("POST", path, body);
    assert.equal(status, 201, text);
  };
  const names = ["hog", "mouse"];
  await made("/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", {
    metadata: { name: "viewers" },
    roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "view" },
    subjects: names.map((name) => ({ apiGroup: "rbac.authorization.k8s.io", kind: "User", name })),
  });
  await made("/api/v1/nodes", { metadata: { name: "n1" } });
  await made(LEASES, { metadata: { name: "n1" }, spec: { holderIdentity: "n1" } });
  const data = { text: "x".repeat(300) };
  for (let first = 0; first < OBJECTS; first += 50) {
    await Promise.all(
      Array.from(
        { length: 50 },
        (_, i) => made(MAPS, { metadata: { name: `m${first + i}` }, data }),
      ),
    );
  }
}

/** Asks again and again, and is answered each time. */
async function insist(ask: (beat: number) => Promise<Answer>): Promise<void> {
  for (let beat = 1; beat <= QUESTIONS; beat++) {
    const { status, text } = await ask(beat);
    assert.equal(status, 200, text);
  }
}

/** A line of the audit log, as the server wrote it down. */
interface Line {
  readonly auditID: string;
  readonly stage: string;
  readonly verb: string;
  readonly user: { readonly username: string };
  readonly responseStatus?: { readonly code: number };
}

/** For each of somebody's requests: the flood's lists that ended while it was there. */
function waitsOf(lines: readonly Line[], name: string, verb: string): number[] {
  const arrived = new Map<string, number>();
  const waits: number[] = [];
  let served = 0;
  for (const { auditID, stage, user, responseStatus, ...line } of lines) {
    const isEnd = stage === "ResponseComplete";
    if (user.username === "hog" && isEnd && responseStatus?.code === 200) served++;
    if (user.username !== name || line.verb !== verb) continue;
    if (!isEnd) arrived.set(auditID, served);
    else waits.push(served - arrived.get(auditID)!);
  }
  return waits;
}

const mean = (values: readonly number[]) =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

/** The sum of a counter's lines that hold all of these labels. */
function counted(metrics: string, name: string, ...labels: string[]): number {
  return metrics.split("\n")
    .filter((line) => line.startsWith(`apiserver_flowcontrol_${name}{`))
    .filter((line) => labels.every((label) => line.includes(label)))
    .reduce((sum, line) => sum + Number(line.split(" ").at(-1)), 0);
}

interface People {
  readonly admin: Ask;
  readonly mouse: Ask;
  readonly node: Ask;
}

/** While the flood runs: a user's reads and a node's beats, each answered. */
async function goOn({ mouse, node }: People): Promise<void> {
  const lease = JSON.parse((await node("GET", `${LEASES}/n1`)).text);
  const metadata = { name: "n1", namespace: "kube-node-lease" };
  await Promise.all([
    insist(() => mouse("GET", `${MAPS}/m7`)),
    insist((beat) => {
      const renewTime = `2026-01-01T00:00:${String(beat).padStart(2, "0")}.000000Z`;
      return node("PUT", `${LEASES}/n1`, { metadata, spec: { ...lease.spec, renewTime } });
    }),
  ]);
}

/** Only the flood was turned away, was told when to come back, and the server counted as much. */
async function judgeCounts({ served, refused, strange }: Flood, { admin }: People): Promise<void> {
  assert.deepEqual(strange, []);
  assert(served > 0, "the flood is served its own share");
  for (const { retryAfter, text } of refused) {
    assert.equal(retryAfter, "1");
    assert.equal(JSON.parse(text).reason, "TooManyRequests");
  }
  const metrics = (await admin("GET", "/metrics")).text;
  const own = ['priority_level="global-default"', 'flow_schema="global-default"'];
  assert.equal(counted(metrics, "rejected_requests_total", ...own), refused.length);
  assert.equal(counted(metrics, "rejected_requests_total"), refused.length, "nobody else's");
  assert(counted(metrics, "dispatched_requests_total", ...own) >= served + QUESTIONS);
  const beats = counted(metrics, "dispatched_requests_total", 'flow_schema="system-node-high"');
  assert(beats >= QUESTIONS);
  // A write takes as long as the disk does; what it must not take is a turn behind the flood.
  const waited = ["request_wait_duration_seconds_count", 'priority_level="node-high"'] as const;
  assert.equal(counted(metrics, ...waited), 0, "a lease finds a free seat at once");
  for (const name of ["current_inqueue_requests", "current_executing_requests"]) {
    assert.equal(counted(metrics, name, ...own), 0);
  }
}

async function judgeOrder(auditLog: string): Promise<void> {
  const lines: Line[] = (await Deno.readTextFile(auditLog)).trim().split("\n")
    .map((line) => JSON.parse(line));
  const waits = waitsOf(lines, "mouse", "get");
  assert.equal(waits.length, QUESTIONS);
  assert(mean(waits) <= FAIR_SHARE, `reads waited for ${waits.join()} lists`);
}

systemTest(
  "a flood of lists is bounded and turned away; leases and others' reads go on",
  [],
  async () => {
    const dataDir = await makeDataDir();
    const [tokens, policy, auditLog] = ["tokens.csv", "policy.yaml", "audit.log"]
      .map((name) => join(dataDir, name));
    await Deno.writeTextFile(tokens, TOKENS, { mode: 0o600 });
    await Deno.writeTextFile(policy, POLICY);
    const flags = [
      ...["--cri", "none", "--hollow-nodes", "0", "--token-auth-file", tokens],
      ...["--audit-policy-file", policy, "--audit-log-path", auditLog],
      ...["--max-requests-inflight", "20", "--max-mutating-requests-inflight", "20"],
    ];
    const cluster = await startCluster({ dataDir, port: freePort(), flags });
    const server = await serverOf(cluster);
    const [admin, mouse, node] = ["admin", "mouse", "node"]
      .map((name) => connect(server, `${name}-token`));
    const hogs = Array.from({ length: CONNECTIONS }, () => connect(server, "hog-token"));
    const people: People = { admin: admin.ask, mouse: mouse.ask, node: node.ask };
    try {
      await furnish(admin.ask);
      const flood = new Flood(hogs.map(({ ask }) => ask));
      try {
        while (flood.refused.length === 0) {
          assert(flood.served < MOST_LISTS, "nobody is turned away");
          await pause(PAUSE_MILLIS);
        }
        await goOn(people);
      } finally {
        await flood.stop();
      }
      await judgeCounts(flood, people);
    } finally {
      for (const { close } of [admin, mouse, node, ...hogs]) close();
      assert.equal(await cluster.stop(), 0);
    }
    await judgeOrder(auditLog);
    await Deno.remove(dataDir, { recursive: true });
  },
);
