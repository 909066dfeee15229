/**
 * A kubelet's HTTPS server and the API server's way to it, over real sockets: who is let in, logs
 * and their refusals, exec with its exit code, port-forward, nodes that can't be reached.
 */
import assert from "node:assert/strict";
import { request } from "node:https";
import { issueCertificate, makeAuthority } from "../../apiserver/auth/certificates.ts";
import {
  DEFAULT_KUBELET_CLIENT,
  kubeletBase,
  RemoteKubelets,
} from "../../apiserver/kubelets/remote_kubelets.ts";
import type { KubeObject } from "../../api/meta.ts";
import { badRequest } from "../../api/status.ts";
import type { ExecStreams } from "../../spdy/streams.ts";
import type { KubeletServer, PodRequest } from "../server.ts";
import { type KubeletAccess, type KubeletListener, listenKubelet } from "./listen.ts";

const MINUTES = 60_000;
const encode = (text: string) => new TextEncoder().encode(text);
const streamOf = (...texts: string[]) => ReadableStream.from(texts.map(encode));

const POD: KubeObject = {
  metadata: { name: "web", namespace: "default", uid: "u" },
  spec: { nodeName: "n1", containers: [{ name: "c" }] },
};

/** What a kubelet would do, told back. */
const SERVER = {
  logs: ({ container, query }: PodRequest) =>
    container === "c" && query.get("tailLines") !== "0"
      ? Promise.resolve(streamOf(`log of ${container} `, query.toString()))
      : Promise.reject(badRequest("container is waiting to start")),
  async exec({ query }: PodRequest, { stdin, stdout, stderr }: ExecStreams) {
    const out = stdout!.getWriter();
    await out.write(encode(`${query.getAll("command").join(" ")}: `));
    for await (const bytes of stdin!) await out.write(bytes);
    await out.close();
    await streamOf(`asked ${query.get("stdin")}`).pipeTo(stderr!);
    return { kind: "exited", exitCode: 3 };
  },
  attach: () => Promise.reject(new Error("container not found")),
  portForward: (_request: PodRequest, port: number) =>
    port === 80 ? Promise.resolve(new TransformStream()) : Promise.reject(new Error("refused")),
  resourceMetrics: () => Promise.resolve("node_cpu_usage_seconds_total 1 2\n"),
} as unknown as KubeletServer;

async function withKubelet(
  run: (parts: {
    readonly listener: KubeletListener;
    readonly kubelets: RemoteKubelets;
    readonly strangers: RemoteKubelets;
    readonly asked: KubeletAccess[];
    readonly node: KubeObject;
  }) => Promise<void>,
): Promise<void> {
  const nowMillis = Date.now();
  const lifetimeMillis = 10 * MINUTES;
  const issue = async (usage: "server" | "client", commonName: string) => {
    const ca = await makeAuthority({ commonName: "ca", nowMillis, lifetimeMillis });
    const subject = { commonName, organizations: ["system:masters"] };
    const names = ["127.0.0.1"];
    const pair = await issueCertificate(ca, { subject, usage, names, nowMillis, lifetimeMillis });
    return { ...pair, ca: ca.certificate };
  };
  const [serving, client, stranger] = await Promise.all([
    issue("server", "n1"),
    issue("client", "kube-apiserver-kubelet-client"),
    issue("client", "kube-apiserver-kubelet-client"),
  ]);
  const asked: KubeletAccess[] = [];
  const listener = await listenKubelet({
    bind: "127.0.0.1",
    port: 0,
    ...serving,
    clientCa: client.ca,
    authorize(access) {
      asked.push(access);
      return Promise.resolve(access.user !== "eve");
    },
    after: () => () => {},
  });
  listener.serve({ server: SERVER, pods: () => [POD] });
  const trust = { ca: serving.ca, addressTypes: DEFAULT_KUBELET_CLIENT.addressTypes };
  const node = {
    metadata: { name: "n1" },
    status: {
      addresses: [{ type: "Hostname", address: "nowhere.invalid" }, {
        type: "InternalIP",
        address: "127.0.0.1",
      }],
      daemonEndpoints: { kubeletEndpoint: { Port: listener.port } },
    },
  };
  try {
    await run({
      listener,
      kubelets: new RemoteKubelets(trust, client),
      strangers: new RemoteKubelets(trust, stranger),
      asked,
      node,
    });
  } finally {
    await listener.close();
  }
}

const about = (node: KubeObject, query = "") => ({
  nodeName: "n1",
  node,
  pod: POD,
  container: "c",
  query: new URLSearchParams(query),
});

async function textOf(stream: ReadableStream<Uint8Array>): Promise<string> {
  return await new Response(stream as ReadableStream<Uint8Array<ArrayBuffer>>).text();
}

Deno.test("logs come over HTTPS with what was asked, and refusals as what they are", () =>
  withKubelet(async ({ asked, kubelets, node }) => {
    const { signal } = new AbortController();
    const log = await kubelets.logs(about(node, "container=c&tailLines=5"), signal);
    assert.equal(await textOf(log), "log of c tailLines=5");
    assert.deepEqual(asked, [{
      user: "kube-apiserver-kubelet-client",
      groups: ["system:masters"],
      verb: "get",
      subresource: "proxy",
    }]);
    await assert.rejects(kubelets.logs(about(node, "tailLines=0"), signal), {
      code: 400,
      message: /waiting to start/,
    });
    const other = { ...about(node), pod: { ...POD, metadata: { name: "x", namespace: "y" } } };
    await assert.rejects(kubelets.logs(other, signal), { code: 500, message: /"x" not found/ });
  }));

Deno.test("figures come over HTTPS to those who may have them, of nodes that tell a way", () =>
  withKubelet(async ({ asked, kubelets, node, strangers }) => {
    const text = await kubelets.resourceMetrics("n1", node);
    assert.equal(text, "node_cpu_usage_seconds_total 1 2");
    assert.deepEqual(asked.map(({ verb, subresource }) => `${verb} ${subresource}`), [
      "get metrics",
    ]);
    await assert.rejects(strangers.resourceMetrics("n1", node), { message: /Unauthorized/ });
    await assert.rejects(kubelets.resourceMetrics("n1", { metadata: {} }), { message: /hollow/ });
    await assert.rejects(kubelets.resourceMetrics("n1", null), { message: /not there/ });
  }));

Deno.test("an exec's input, outputs and exit code pass both ways", () =>
  withKubelet(async ({ asked, kubelets, node }) => {
    const [out, err] = [new TransformStream(), new TransformStream()];
    const texts = Promise.all([textOf(out.readable), textOf(err.readable)]);
    const outcome = await kubelets.exec(about(node, "command=cat&command=-n"), {
      stdin: streamOf("typed ", "twice"),
      stdout: out.writable,
      stderr: err.writable,
    });
    assert.deepEqual(outcome, { kind: "exited", exitCode: 3 });
    assert.deepEqual(await texts, ["cat -n: typed twice", "asked true"]);
    assert.equal(asked[0].verb, "create");
    const attached = await kubelets.attach(about(node), { stdout: new WritableStream() });
    assert.deepEqual(attached.kind, "failed");
  }));

Deno.test("a port is reached through the kubelet, and a closed one says so", () =>
  withKubelet(async ({ kubelets, node }) => {
    const open = await kubelets.portForward(about(node), 80);
    const echoed = textOf(open.readable);
    await streamOf("there ", "and back").pipeTo(open.writable);
    assert.equal(await echoed, "there and back");
    const closed = await kubelets.portForward(about(node), 81);
    await assert.rejects(textOf(closed.readable), /refused/);
  }));

Deno.test("who shows no certificate of the authority gets health and nothing else", () =>
  withKubelet(async ({ asked, listener, node, strangers }) => {
    const { signal } = new AbortController();
    await assert.rejects(strangers.logs(about(node), signal), /Unauthorized/);
    const { exec } = strangers;
    await assert.rejects(
      exec.call(strangers, about(node, "command=id"), { stdout: new WritableStream() }),
      /refused the stream \(401\)/,
    );
    const status = (path: string) =>
      new Promise<number>((resolve, reject) => {
        const url = `https://127.0.0.1:${listener.port}${path}`;
        const sent = request(url, { rejectUnauthorized: false }, (answer) => {
          answer.resume();
          resolve(answer.statusCode!);
        });
        sent.on("error", reject).end();
      });
    assert.equal(await status("/healthz"), 200);
    assert.equal(await status("/pods"), 401);
    assert.equal(await status("/containerLogs/default/web/c"), 401);
    assert.deepEqual(asked, []);
  }));

Deno.test("a kubelet's address is the first wanted one; a node without one says why", () => {
  const node = (port: number | undefined, ...addresses: string[]): KubeObject => ({
    metadata: { name: "n" },
    status: {
      addresses: addresses.map((text) => {
        const [type, address] = text.split("=");
        return { type, address };
      }),
      ...(port === undefined ? {} : { daemonEndpoints: { kubeletEndpoint: { Port: port } } }),
    },
  });
  const types = DEFAULT_KUBELET_CLIENT.addressTypes;
  const base = (one: KubeObject | null, wanted = types) => kubeletBase("n", one, wanted);
  const both = node(10250, "Hostname=a", "ExternalIP=1.2.3.4", "InternalIP=fd00::1");
  assert.equal(base(both), "https://[fd00::1]:10250");
  assert.equal(base(both, ["Hostname"]), "https://a:10250");
  assert.throws(() => base(both, ["InternalDNS"]), /no preferred addresses found/);
  assert.throws(() => base(node(undefined, "InternalIP=10.0.0.1")), /node n is hollow/);
  assert.throws(() => base(null), /node n is not there/);
});
