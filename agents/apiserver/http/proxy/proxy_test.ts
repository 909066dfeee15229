/**
 * The proxy subresources over the handler: pods, services by name and number, nodes; answers with
 * a length, in chunks and without either; broken ones.
 */
import assert from "node:assert/strict";
import { type Answer, podNamed, startFakeApi } from "../../../../tests/fakes/api_server.ts";
import type { ByteDuplex, KubeletPort } from "../../ports.ts";

const none = () => Promise.reject(new Error("not here"));
const encode = (text: string) => new TextEncoder().encode(text);

const PODS = "/api/v1/namespaces/default/pods";
const CHUNKED =
  "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n" +
  "5\r\nhello\r\n1;x=y\r\n \r\n5\r\nworld\r\n0\r\n\r\n";

/** Answers by the request's path; remembers what it was asked. */
function webServer(asked: string[]): KubeletPort {
  const answers: Record<string, string> = {
    "/": "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 4\r\n\r\nhome",
    "/chunks?a=b": CHUNKED,
    "/open": "HTTP/1.0 200 OK\r\n\r\nuntil the end",
    "/moved": "HTTP/1.1 302 Found\r\nLocation: /else\r\nContent-Length: 0\r\n\r\n",
    "/echo":
      "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\nX-A: b\r\nContent-Length: 0\r\n\r\n",
    "/bad": "SSH-2.0\r\n\r\n",
  };
  return {
    logs: none,
    exec: none,
    attach: none,
    portForward(request, port): Promise<ByteDuplex> {
      if (port === 1) return Promise.reject(new Error("connection refused"));
      const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
      const answer = writable.getWriter();
      const sink = new WritableStream<Uint8Array>({
        async write(bytes) {
          const text = new TextDecoder().decode(bytes);
          if (!text.includes(" HTTP/1.1\r\n")) return void asked.push(`body ${text}`);
          const [method, path] = text.split(" ");
          asked.push(`${request.pod.metadata.name}:${port} ${method} ${path}`);
          for (const piece of answers[path].match(/[^]{1,7}/g)!) {
            await answer.write(encode(piece)).catch(() => {});
          }
          await answer.close().catch(() => {});
        },
      }, { highWaterMark: 10 });
      return Promise.resolve({ readable, writable: sink });
    },
  };
}

async function bodyOf(answer: Answer): Promise<string> {
  const { body } = answer.response;
  if (body.kind !== "stream") return answer.text;
  let text = "";
  for await (const bytes of body.stream) text += new TextDecoder().decode(bytes);
  return text;
}

Deno.test("HTTP to pods and services goes through their kubelets", async () => {
  const asked: string[] = [];
  const api = await startFakeApi({ kubelets: webServer(asked) });
  const get = (url: string) => api.ask("GET", url);
  try {
    const pod = podNamed("p");
    const ports = [{ name: "http", containerPort: 8080 }];
    await api.ask("POST", PODS, {
      ...pod,
      spec: { containers: [{ ...pod.spec.containers[0], ports }] },
    });
    const unbound = await get(`${PODS}/p/proxy/`);
    assert.match(unbound.json.message, /pod p does not have a host assigned/);
    const scheduler = { name: "system:kube-scheduler", groups: [] };
    await api.server.port.bindMany(scheduler, [{
      namespace: "default",
      name: "p",
      nodeName: "n1",
    }]);

    const home = await get(`${PODS}/p/proxy/`);
    assert.equal(home.response.contentType, "text/html");
    assert.equal(await bodyOf(home), "home");
    assert.equal(await bodyOf(await get(`${PODS}/http:p:http/proxy/chunks?a=b`)), "hello world");
    assert.equal(await bodyOf(await get(`${PODS}/p:9/proxy/open`)), "until the end");
    const moved = await get(`${PODS}/p/proxy/moved`);
    assert.deepEqual(moved.response.headers, ["location", `${PODS}/p/proxy/else`]);
    const posted = await api.ask("POST", `${PODS}/p/proxy/echo`, "data");
    assert.equal(posted.status, 201);
    assert.deepEqual(posted.response.headers, ["x-a", "b"]);
    assert.deepEqual(asked, [
      "p:8080 GET /",
      "p:8080 GET /chunks?a=b",
      "p:9 GET /open",
      "p:8080 GET /moved",
      "p:8080 POST /echo",
      "body data",
    ]);
    const failures = [
      [`${PODS}/p:1/proxy/`, 503, /error trying to reach service: connection refused/],
      [`${PODS}/p/proxy/bad`, 503, /the answer is no HTTP/],
      [`${PODS}/none/proxy/`, 404, /pods "none" not found/],
      [`${PODS}/https:p:443/proxy/`, 400, /only http/],
      [`${PODS}/p:wrong/proxy/`, 400, /has no port "wrong"/],
    ] as const;
    for (const [url, code, message] of failures) {
      const answer = await get(url);
      assert.equal(answer.status, code, url);
      assert.match(answer.json.message, message);
    }

    const services = "/api/v1/namespaces/default/services";
    await api.ask("POST", services, { metadata: { name: "web" }, spec: { ports: [{ port: 80 }] } });
    const empty = await get(`${services}/web/proxy/`);
    assert.equal(empty.json.message, 'no endpoints available for service "web"');
    await api.ask("POST", "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices", {
      metadata: { name: "web-1", labels: { "kubernetes.io/service-name": "web" } },
      addressType: "IPv4",
      endpoints: [{
        addresses: ["10.0.0.1"],
        conditions: { ready: true },
        targetRef: { kind: "Pod", namespace: "default", name: "p" },
      }],
      ports: [{ name: "", port: 8080, protocol: "TCP" }],
    });
    for (const name of ["web", "web:80", "http:web:80"]) {
      assert.equal(await bodyOf(await get(`${services}/${name}/proxy/`)), "home");
    }
    assert.match(
      (await get(`${services}/web:81/proxy/`)).json.message,
      /no service port "81" found/,
    );
  } finally {
    await api.close();
  }
});

Deno.test("a node's proxy knows its health and its pods, and nothing else", async () => {
  const api = await startFakeApi();
  try {
    await api.ask("POST", "/api/v1/nodes", { metadata: { name: "n1" } });
    const get = (path: string) => api.ask("GET", `/api/v1/nodes/n1/proxy/${path}`);
    assert.equal((await get("healthz")).status, 503);
    assert.equal((await get("pods")).json.kind, "PodList");
    assert.equal((await get("run/x")).status, 404);
    const user = { name: "ann", groups: ["system:authenticated"] };
    const refused = await api.ask("GET", "/api/v1/nodes/n1/proxy/pods", undefined, { user });
    assert.equal(refused.status, 403);
  } finally {
    await api.close();
  }
});
