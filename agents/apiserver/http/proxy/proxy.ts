/**
 * `…/proxy/…` of pods, services and nodes: HTTP to a port inside of the cluster.
 * In: an authorized request and its route. Out: what the pod answers, streamed.
 * Never: opens a socket of its own: connections come from the kubelets. Serves of a node only its
 * health and its pods; the rest of a kubelet's own API is refused by name.
 * Source: pkg/registry/core/{pod,service,node}/rest, apimachinery's util/net (v1.36).
 */
import type { KubeObject } from "../../../api/meta.ts";
import { endpointSlices, nodes, pods, services } from "../../../api/resources.ts";
import { badRequest, notFound, serviceUnavailable, unknownPath } from "../../../api/status.ts";
import type { ByteDuplex, KubeletPort } from "../../ports.ts";
import {
  cachedObject,
  cacheOf,
  type Core,
  groupResourceOf,
  keyOf,
  prefixOf,
} from "../../verbs/core.ts";
import {
  type ApiRequest,
  type ApiResponse,
  type ByteStream,
  jsonResponse,
  textResponse,
} from "../message.ts";
import type { ResourceRoute } from "../route.ts";
import { askHttp, type HttpResponse } from "./http_client.ts";

/** Headers of the client that go on. */
const PASSED_HEADERS = [
  "accept",
  "accept-language",
  "content-type",
  "cookie",
  "if-modified-since",
  "if-none-match",
  "range",
  "user-agent",
] as const;
/** Headers of the answer that speak of the connection that carried it. */
const HOP_HEADERS = new Set(["connection", "keep-alive", "transfer-encoding", "content-length"]);

interface Backend {
  readonly pod: KubeObject;
  readonly port: number;
}

/** Errors: rejects with ApiError. */
export async function proxyRequest(
  core: Core,
  kubelets: KubeletPort,
  request: ApiRequest,
  route: ResourceRoute,
): Promise<ApiResponse> {
  if (route.resource.plural === "nodes") return askNode(core, route);
  const { scheme, name, port } = parseTarget(route.name);
  if (scheme !== "http") {
    throw badRequest(`the scheme ${JSON.stringify(scheme)} can't be proxied, only http`);
  }
  const backend = route.resource.plural === "pods"
    ? podBackend(core, route.namespace, { name, port })
    : serviceBackend(core, route.namespace, { name, port });
  let answer: HttpResponse;
  try {
    answer = await ask(await connectTo(core, kubelets, backend), backend, request, route);
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    throw serviceUnavailable(`error trying to reach service: ${text}`);
  }
  return responseOf(answer, basePath(route));
}

/** `web`, `web:8080`, `http:web:8080`, `https:web:` */
function parseTarget(text: string): { scheme: string; name: string; port: string } {
  const parts = text.split(":");
  const [scheme, name, port] = parts.length === 3 ? parts : ["", ...parts];
  if (parts.length > 3 || name === "") {
    throw badRequest(`invalid proxy target ${JSON.stringify(text)}`);
  }
  return { scheme: scheme || "http", name, port: port ?? "" };
}

type Wanted = { readonly name: string; readonly port: string };

function podBackend(core: Core, namespace: string, { name, port }: Wanted): Backend {
  const pod = cacheOf(core, pods).get(keyOf({ resource: pods, namespace, name }))?.object;
  if (pod === undefined) throw notFound(groupResourceOf(pods), name);
  const ports = portsOf(pod);
  const number = port === ""
    ? ports[0]?.containerPort ?? 80
    : ports.find((one) => one.name === port)?.containerPort ?? Number(port);
  if (!Number.isInteger(number)) {
    throw badRequest(`pod ${name} has no port ${JSON.stringify(port)}`);
  }
  return { pod, port: number };
}

function portsOf(pod: KubeObject): { name?: string; containerPort: number }[] {
  return pod.spec.containers.flatMap((one: { ports?: unknown[] }) => one.ports ?? []);
}

/** One ready pod behind a service, another each time. */
function serviceBackend(core: Core, namespace: string, { name, port }: Wanted): Backend {
  const service = cacheOf(core, services).get(keyOf({ resource: services, namespace, name }));
  if (service === undefined) throw notFound(groupResourceOf(services), name);
  const { ports: declared = [] } = service.object.spec;
  const wanted = declared.find((one: { name?: string; port: number }) =>
    port === "" ? declared.length === 1 : one.name === port || String(one.port) === port
  );
  if (wanted === undefined) {
    throw serviceUnavailable(`no service port ${JSON.stringify(port)} found for service "${name}"`);
  }
  const selection = { keyPrefix: `${prefixOf(endpointSlices)}${namespace}/` };
  const backends: Backend[] = [];
  for (const { object } of cacheOf(core, endpointSlices).select(selection)) {
    if (object.metadata.labels?.["kubernetes.io/service-name"] !== name) continue;
    const served = (object.ports ?? []).find((one: { name?: string }) =>
      (one.name ?? "") === (wanted.name ?? "")
    );
    if (served !== undefined) backends.push(...readyPods(core, object, served.port));
  }
  if (backends.length === 0) {
    throw serviceUnavailable(`no endpoints available for service "${name}"`);
  }
  return backends[core.random.integer(backends.length)];
}

function* readyPods(core: Core, slice: KubeObject, port: number): Generator<Backend> {
  for (const { conditions, targetRef } of slice.endpoints ?? []) {
    if (conditions?.ready === false || targetRef?.kind !== "Pod") continue;
    const { namespace = "", name } = targetRef;
    const pod = cacheOf(core, pods).get(keyOf({ resource: pods, namespace, name }))?.object;
    if (pod !== undefined) yield { pod, port };
  }
}

function connectTo(
  core: Core,
  kubelets: KubeletPort,
  { pod, port }: Backend,
): Promise<ByteDuplex> {
  const nodeName: string = pod.spec.nodeName ?? "";
  if (nodeName === "") throw new Error(`pod ${pod.metadata.name} does not have a host assigned`);
  const node = cachedObject(core.feed, nodes, { namespace: "", name: nodeName }) ?? null;
  const asked = { nodeName, node, pod, container: "", query: new URLSearchParams() };
  return kubelets.portForward(asked, port);
}

async function ask(
  connection: ByteDuplex,
  { pod, port }: Backend,
  request: ApiRequest,
  route: ResourceRoute,
): Promise<HttpResponse> {
  const headers = new Map([["host", `${pod.metadata.name}:${port}`]]);
  for (const name of PASSED_HEADERS) {
    const value = request.header(name);
    if (value !== undefined) headers.set(name, value);
  }
  headers.set("x-forwarded-uri", request.path);
  const rest = request.path.slice(basePath(route, request.path).length) || "/";
  const target = request.query === "" ? rest : `${rest}?${request.query}`;
  return await askHttp(connection, { method: request.method, target, headers, body: request.body });
}

/** The part of the path that the proxied server does not see. */
function basePath(route: ResourceRoute, path?: string): string {
  const { resource, namespace, name } = route;
  const where = namespace === "" ? "" : `namespaces/${namespace}/`;
  const base = `/api/v1/${where}${resource.plural}/${name}/proxy`;
  if (path === undefined || path.startsWith(base)) return base;
  // The client percent-encoded some of it.
  const at = path.indexOf("/proxy");
  return path.slice(0, at + "/proxy".length);
}

function responseOf(answer: HttpResponse, base: string): ApiResponse {
  const headers: string[] = [];
  let contentType = "application/octet-stream";
  for (const [name, value] of answer.headers) {
    if (name === "content-type") contentType = value;
    else if (name === "location" && value.startsWith("/")) headers.push(name, base + value);
    else if (!HOP_HEADERS.has(name)) headers.push(name, value);
  }
  const iterator = answer.body[Symbol.asyncIterator]();
  const stream: ByteStream = {
    close: () => void iterator.return?.()?.catch(() => {}),
    [Symbol.asyncIterator]: () => iterator,
  };
  return { status: answer.status, contentType, headers, body: { kind: "stream", stream } };
}

/** What of a kubelet's own API is known without asking it. */
function askNode(core: Core, route: ResourceRoute): ApiResponse {
  const name = route.name.split(":")[0];
  const { resource } = route;
  const node = cacheOf(core, resource).get(keyOf({ resource, namespace: "", name }))?.object;
  if (node === undefined) throw notFound(groupResourceOf(resource), name);
  switch (route.rest.replace(/\/$/, "")) {
    case "healthz": {
      const conditions: { type: string; status: string }[] = node.status?.conditions ?? [];
      const isReady = conditions.some(({ type, status }) => type === "Ready" && status === "True");
      if (!isReady) throw serviceUnavailable(`node ${JSON.stringify(name)} is not ready`);
      return textResponse(200, "ok", "text/plain; charset=utf-8");
    }
    case "pods": {
      const selection = { keyPrefix: prefixOf(pods), indexValue: name };
      const items = cacheOf(core, pods).select(selection).map((stored) => stored.object);
      return jsonResponse(200, { kind: "PodList", apiVersion: "v1", metadata: {}, items });
    }
    default:
      throw unknownPath();
  }
}
