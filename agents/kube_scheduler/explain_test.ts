/**
 * Explanations of pods in a cluster in memory: who wins and why, what would free nodes, the three
 * forms, revisions, and kubeconfigs that can't be used.
 */
import assert from "node:assert/strict";
import type { KubeObject } from "../api/meta.ts";
import type { Resource } from "../api/resource.ts";
import { ApiError } from "../api/status.ts";
import type { Client } from "../client/client.ts";
import { parseKubeconfig } from "../client/kubeconfig.ts";
import { explainPod, runExplain } from "./explain_command.ts";
import type { ExplainFormat } from "./explain_format.ts";

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
  assert.match(text, /tainted +TaintToleration: node\(s\) had untolerated taint\(s\)/);
  assert.match(text, /-> \d+ x 1 = \d+/);
});

Deno.test("a pod that fits nowhere learns which demand keeps it off how many nodes", async () => {
  const text = await textOf("huge", "table");
  assert.match(text, /None of 3 nodes will do/);
  assert.match(text, /NodeResourcesFit +Insufficient cpu +frees 2 nodes/);
  assert.match(text, /TaintToleration +node\(s\) had untolerated taint\(s\) +frees 1 node\n/);
  assert.match(text, /large +NodeResourcesFit: Insufficient cpu \(eviction may help\)/);
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
  assert.deepEqual(missing, { kind: "problem", message: 'pods "nobody" not found' });
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
  const refused = await explainPod(refusing, target, "table");
  assert.equal(refused.kind, "problem");
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
