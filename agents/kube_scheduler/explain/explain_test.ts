/**
 * Explanations of pods in a cluster in memory: who wins and why, what would free nodes, the three
 * forms, revisions, and kubeconfigs that can't be used.
 */
import assert from "node:assert/strict";
import type { KubeObject } from "../../api/meta.ts";
import type { Resource } from "../../api/resource.ts";
import { ApiError } from "../../api/status.ts";
import type { Client } from "../../client/client.ts";
import { parseKubeconfig } from "../../client/kubeconfig.ts";
import { explainPod, runExplain } from "./command.ts";
import type { ExplainFormat } from "./command.ts";

const asked: unknown[] = [];

function node(name: string, cpu: string, spec: object = {}): KubeObject {
  const status = { allocatable: { cpu, memory: "8Gi", pods: "10" } };
  return { apiVersion: "v1", kind: "Node", metadata: { name }, spec, status } as KubeObject;
}

function pod(name: string, cpu: string, nodeName?: string): KubeObject {
  const containers = [{ name: "c", image: "i", resources: { requests: { cpu, memory: "1Gi" } } }];
  const metadata = { name, namespace: "default", uid: name };
  return { apiVersion: "v1", kind: "Pod", metadata, spec: { containers, nodeName } } as KubeObject;
}

function clientOf(objects: Readonly<Record<string, readonly KubeObject[]>>): Client {
  const list = ({ plural }: Resource, options: unknown) => {
    asked.push(options);
    return Promise.resolve({ items: objects[plural] ?? [], metadata: { resourceVersion: "42" } });
  };
  return { list } as unknown as Client;
}

const CLUSTER = {
  nodes: [
    node("large", "8"),
    node("small", "2"),
    node("tainted", "8", { taints: [{ key: "k<b>", effect: "NoSchedule" }] }),
  ],
  pods: [pod("web", "1"), pod("huge", "6"), pod("giant", "64"), pod("busy", "4", "large")],
};

async function textOf(name: string, format: ExplainFormat, at = ""): Promise<string> {
  const result = await explainPod(
    clientOf(CLUSTER),
    { namespace: "default", name, at },
    format,
  );
  assert.equal(result.kind, "text");
  return result.kind === "text" ? result.text : "";
}

Deno.test("the winner is named with what it won by", async () => {
  const text = await textOf("web", "table");
  assert.match(text, /^Pod default\/web, default-scheduler, revision 42\n/);
  assert.match(text, /(large|small) wins: total \d+ against \d+ of (large|small) \(.*\+\d+.*\)/);
  assert.match(text, /2 of 3 nodes will do/);
  assert.match(
    text,
    /tainted +TaintToleration +node\(s\) had untolerated taint\(s\) \(k<b>:NoSchedule\)\n/,
  );
  assert.match(text, /-> \d+ x 1 = \d+/);
});

Deno.test("a pod that fits nowhere learns which demand keeps it off how many nodes", async () => {
  const text = await textOf("huge", "table");
  assert.match(text, /None of 3 nodes will do/);
  assert.match(text, /NodeResourcesFit +requests cpu 6 +2 +4 would fit\n/);
  assert.match(text, /TaintToleration +untolerated taint k<b>:NoSchedule +1\n/);
  assert.match(
    text,
    /large +NodeResourcesFit +Insufficient cpu \(cpu 4 of 8 free\); eviction may help\n/,
  );
});

Deno.test("a pod that has its node is told of it, and whether it would go there again", async () => {
  const drawn = [node("a", "8"), node("b", "8")];
  const on = async (nodes: readonly KubeObject[], nodeName: string) => {
    const client = clientOf({ nodes, pods: [pod("it", "1", nodeName)] });
    const result = await explainPod(client, { namespace: "default", name: "it", at: "" }, "table");
    return result.kind === "text" ? result.text : result.message;
  };
  for (const name of ["a", "b"]) {
    const text = await on(drawn, name);
    assert.match(text, new RegExp(`The pod is on ${name}.\n${name} wins: .* drawn among 2 equals`));
  }
  const elsewhere = await on([node("large", "8"), node("small", "2")], "small");
  assert.match(
    elsewhere,
    /The pod is on small\.\nDecided now, it would not go there again; .*--at/,
  );
  assert.match(elsewhere, /\nlarge wins: /);
});

Deno.test("JSON holds every node, plugin and score", async () => {
  const { account } = JSON.parse(await textOf("web", "json"));
  assert.equal(account.nodes.length, 3);
  const [first] = account.nodes;
  const sum = first.scores.reduce(
    (total: number, it: { weighted: number }) => total + it.weighted,
    0,
  );
  assert.equal(first.total, sum);
  assert.equal(account.winner, first.nodeName);
});

Deno.test("HTML is one page without a link, and what the cluster says is escaped", async () => {
  const html = await textOf("giant", "html");
  assert.match(html, /^<!doctype html>/);
  assert.doesNotMatch(html, /src=|href=|<script/);
  assert.match(html, /What would make it fit/);
  assert.match(
    html,
    /<td class="no">✗ node\(s\) had untolerated taint\(s\) \(k&lt;b&gt;:NoSchedule\)/,
  );
  assert.match(html, /<td class="yes">✓<\/td>/);
});

Deno.test("every list is read at the one revision asked for", async () => {
  asked.length = 0;
  assert.match(await textOf("web", "table", "17"), /revision 17/);
  assert.ok(asked.length > 5);
  for (const options of asked) {
    assert.deepEqual(options, { resourceVersion: "17", resourceVersionMatch: "Exact" });
  }
});

Deno.test("what can't be explained is a problem in words", async () => {
  const target = { namespace: "default", name: "nobody", at: "" };
  const missing = await explainPod(clientOf(CLUSTER), target, "table");
  const words = 'pods "nobody" not found in namespace "default"';
  assert.deepEqual(missing, { kind: "problem", message: words });
  const then = await explainPod(clientOf(CLUSTER), { ...target, at: "9" }, "table");
  assert.deepEqual(then, { kind: "problem", message: `${words} at revision 9` });
  const status = {
    apiVersion: "v1",
    kind: "Status",
    status: "Failure",
    message: "the revision is compacted",
    reason: "Expired",
    code: 410,
    metadata: {},
  } as const;
  const refusing = { list: () => Promise.reject(new ApiError(status)) } as unknown as Client;
  const refused = await explainPod(refusing, { ...target, at: "9" }, "table");
  assert.deepEqual(refused, {
    kind: "problem",
    message: "revision 9 is no longer kept; name a later one, or leave --at out",
  });
  const now = await explainPod(refusing, target, "table");
  assert.deepEqual(now, { kind: "problem", message: "the revision is compacted" });
  for (const flags of [{ output: "xml" }, { output: "table", at: "-1" }]) {
    const result = await runExplain("web", { kubeconfig: "", ...flags }, { kubeconfig: "" });
    assert.equal(result.kind, "problem");
  }
});

Deno.test("kubeconfigs: the current context counts, broken ones are named", () => {
  const good = JSON.stringify({
    "current-context": "a",
    contexts: [{ name: "a", context: { cluster: "c", user: "u", namespace: "team" } }],
    clusters: [{ name: "c", cluster: { server: "https://10.0.0.1:6443" } }],
    users: [{ name: "u", user: { token: "secret" } }],
  });
  const connection = parseKubeconfig(good);
  assert.equal(connection.kind === "ok" && connection.namespace, "team");
  assert.equal(connection.kind === "ok" && connection.options.server, "https://10.0.0.1:6443");
  for (
    const text of ["{", "a: 1", good.replace('"current-context":"a"', '"current-context":"b"')]
  ) {
    const broken = parseKubeconfig(text);
    assert.equal(broken.kind, "problem");
    assert.doesNotMatch(JSON.stringify(broken), /secret/);
  }
});
