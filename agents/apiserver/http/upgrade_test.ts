/**
 * An exec session over a real listener: channels, exit codes, refusals.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:tls";
// @ts-types="@types/ws"
import { WebSocket } from "ws";
import { podNamed, startFakeApi } from "../../../tests/fakes/api_server.ts";
import type { KubeletPort } from "../ports.ts";

const none = () => Promise.reject(new Error("not here"));

/** Answers stdin in capitals, then its query, and ends with a code. */
const echo: KubeletPort = {
  logs: none,
  attach: none,
  portForward: none,
  async exec(request, streams) {
    const output = streams.stdout!.getWriter();
    for await (const bytes of streams.stdin!) {
      const text = new TextDecoder().decode(bytes).toUpperCase();
      await output.write(new TextEncoder().encode(text));
    }
    const command = request.query.getAll("command").join(" ");
    await output.write(new TextEncoder().encode(`${request.nodeName}:${command}`));
    return { kind: "exited", exitCode: 3 };
  },
};

async function session(path: string, input: string): Promise<{ out: string; error: string }> {
  const api = await startFakeApi({ port: 0, startMillis: Date.now(), kubelets: echo });
  try {
    const port = await api.server.listen();
    await api.ask("POST", "/api/v1/namespaces/default/pods", podNamed("p"));
    const user = { name: "system:kube-scheduler", groups: [] };
    await api.server.port.bindMany(user, [{ namespace: "default", name: "p", nodeName: "n1" }]);
    const { ca, admin } = api.server.pki;
    const socket = new WebSocket(`wss://127.0.0.1:${port}${path}`, ["v5.channel.k8s.io"], {
      ca: ca.certificate,
      cert: admin.certificate,
      key: admin.key,
    });
    const texts: Record<number, string> = {};
    socket.on("message", (data: Uint8Array) => {
      texts[data[0]] = (texts[data[0]] ?? "") + new TextDecoder().decode(data.subarray(1));
    });
    socket.on("open", () => {
      socket.send(new Uint8Array([0, ...new TextEncoder().encode(input)]));
      socket.send(new Uint8Array([255, 0]));
    });
    await new Promise<void>((resolve) => {
      socket.on("close", () => resolve());
      socket.on("error", (error: Error) => {
        texts[3] = error.message;
        resolve();
      });
    });
    return { out: texts[1] ?? "", error: texts[3] ?? "" };
  } finally {
    await api.close();
  }
}

const options = { sanitizeOps: false, sanitizeResources: false };
const EXEC = "/api/v1/namespaces/default/pods/p/exec?stdin=true&stdout=true";

Deno.test({
  name: "exec carries stdin, stdout and the exit code",
  ...options,
  async fn() {
    const { out, error } = await session(`${EXEC}&command=cat&command=-`, "hello ");
    assert.equal(out, "HELLO n1:cat -");
    const status = JSON.parse(error);
    assert.equal(status.reason, "NonZeroExitCode");
    assert.deepEqual(status.details.causes, [{ reason: "ExitCode", message: "3" }]);
  },
});

Deno.test({
  name: "exec into what is not there is refused before the upgrade",
  ...options,
  async fn() {
    const path = "/api/v1/namespaces/default/pods/none/exec?command=x&stdout=true";
    assert.match((await session(path, "")).error, /404/);
    assert.match((await session(EXEC, "")).error, /400/);
  },
});

Deno.test("a log streams from the pod's kubelet, of a container that exists", async () => {
  const kubelets: KubeletPort = {
    ...echo,
    logs: (request) => {
      const line = `${request.nodeName}/${request.container}/${request.query.get("tailLines")}\n`;
      return Promise.resolve(new Blob([line]).stream());
    },
  };
  const api = await startFakeApi({ kubelets });
  const url = "/api/v1/namespaces/default/pods/p/log";
  await api.ask("POST", "/api/v1/namespaces/default/pods", podNamed("p"));
  assert.equal((await api.ask("GET", url)).json.message, "pod p does not have a host assigned");
  const user = { name: "system:kube-scheduler", groups: [] };
  await api.server.port.bindMany(user, [{ namespace: "default", name: "p", nodeName: "n1" }]);
  const { response } = await api.ask("GET", `${url}?tailLines=5`);
  assert(response.body.kind === "stream");
  let text = "";
  for await (const bytes of response.body.stream) text += new TextDecoder().decode(bytes);
  assert.equal(text, "n1/c/5\n");
  const wrong = await api.ask("GET", `${url}?container=x`);
  assert.equal(wrong.json.message, "container x is not valid for pod p");
  const negative = await api.ask("GET", `${url}?tailLines=-1&limitBytes=0`);
  assert.equal(negative.status, 422);
  assert.equal(
    negative.json.message,
    'PodLogOptions "p" is invalid: [tailLines: Invalid value: -1: must be greater than or equal ' +
      "to 0, limitBytes: Invalid value: 0: must be greater than 0]",
  );
  await api.close();
});

Deno.test({
  name: "port-forward by WebSocket is agreed on by its name, slash and all",
  ...options,
  async fn() {
    const api = await startFakeApi({ port: 0, startMillis: Date.now(), kubelets: echo });
    try {
      const port = await api.server.listen();
      await api.ask("POST", "/api/v1/namespaces/default/pods", podNamed("p"));
      const user = { name: "system:kube-scheduler", groups: [] };
      await api.server.port.bindMany(user, [{ namespace: "default", name: "p", nodeName: "n1" }]);
      const { ca, admin } = api.server.pki;
      const socket = connect({
        host: "127.0.0.1",
        port,
        ca: ca.certificate,
        cert: admin.certificate,
        key: admin.key,
      });
      socket.write(
        "GET /api/v1/namespaces/default/pods/p/portforward HTTP/1.1\r\nHost: localhost\r\n" +
          "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" +
          "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n" +
          "Sec-WebSocket-Protocol: SPDY/3.1+portforward.k8s.io\r\n\r\n",
      );
      const [head] = await once(socket, "data");
      const text = new TextDecoder().decode(head);
      assert.match(text, /^HTTP\/1\.1 101 /);
      assert.match(text, /^sec-websocket-protocol: SPDY\/3\.1\+portforward\.k8s\.io\r$/im);
      socket.destroy();
    } finally {
      await api.close();
    }
  },
});
