/**
 * A kubelet's own HTTPS server: health, its pods, logs, and exec, attach and port-forward over
 * SPDY/3.1. In: a KubeletServer, the pods of the node, who may ask. Out: the listening server.
 * Never: answers somebody who showed no certificate of the clients' authority, or whom the API
 * server's rules do not let. Source: pkg/kubelet/server/{server,auth}.go (v1.36).
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import type { KubeObject } from "../../api/meta.ts";
import { ApiError } from "../../api/status.ts";
import { listenSecurely, provenUser, type SecureOptions } from "../../serving/listen.ts";
import { socketLink } from "../../spdy/links.ts";
import { EXEC_SPDY_PROTOCOL, openSpdyExec } from "../../spdy/serve_exec.ts";
import { PORT_FORWARD_PROTOCOL, servePortForward } from "../../spdy/serve_port_forward.ts";
import type { ExecRequest } from "../../spdy/streams.ts";
import type { KubeletServer, PodRequest } from "../server.ts";
import { drained } from "../../spdy/drained.ts";

export interface KubeletListenOptions extends SecureOptions {
  /** Whether a user may; asked for every request but health. */
  readonly authorize: (asked: KubeletAccess) => Promise<boolean>;
  /** @returns a function that stops the timer */
  readonly after: (delayMillis: number, callback: () => void) => () => void;
}

/** What a request amounts to: a verb on a subresource of the node. */
export interface KubeletAccess {
  readonly user: string;
  readonly groups: readonly string[];
  readonly verb: string;
  readonly subresource: string;
}

/** The part of a running kubelet that is asked; set once it runs. */
export interface KubeletBehind {
  readonly server: KubeletServer;
  readonly pods: () => readonly KubeObject[];
}

export interface KubeletListener {
  readonly port: number;
  serve(kubelet: KubeletBehind): void;
  close(): Promise<void>;
}

const VERBS: Readonly<Record<string, string>> = {
  GET: "get",
  HEAD: "get",
  POST: "create",
  PUT: "update",
  PATCH: "patch",
  DELETE: "delete",
};

/** What needs its own right; all else is `nodes/proxy`. */
const SUBRESOURCES: Readonly<Record<string, string>> = {
  pods: "pods",
  healthz: "healthz",
  metrics: "metrics",
};

class Refusal extends Error {
  readonly code: number;

  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

/** Listens; requests are answered with 503 until there is a kubelet to serve. */
export async function listenKubelet(options: KubeletListenOptions): Promise<KubeletListener> {
  let kubelet: KubeletBehind | null = null;
  const need = (): KubeletBehind => {
    if (kubelet === null) throw new Refusal(503, "the kubelet is starting");
    return kubelet;
  };
  const { server, port, close } = await listenSecurely(options, (request, response) => {
    answer(options, need, request, response).catch((error) => refuse(response, error));
  });
  server.on("upgrade", (request: IncomingMessage, socket: Duplex, head: Uint8Array) => {
    socket.on("error", () => socket.destroy());
    upgrade(options, need, { request, socket, head }).catch((error) => refuseSocket(socket, error));
  });
  return { port, serve: (one) => void (kubelet = one), close };
}

/** Errors: rejects with Refusal. */
async function admit(options: KubeletListenOptions, request: IncomingMessage): Promise<void> {
  const known = provenUser(request.socket);
  if (known === null) throw new Refusal(401, "Unauthorized");
  const { name: user, groups } = known;
  const verb = VERBS[request.method ?? ""] ?? "";
  const subresource = SUBRESOURCES[partsOf(request)[0]] ?? "proxy";
  if (await options.authorize({ user, groups, verb, subresource })) return;
  throw new Refusal(
    403,
    `Forbidden (user=${user}, verb=${verb}, resource=nodes, subresource(s)=[${subresource}])`,
  );
}

function partsOf(request: IncomingMessage): string[] {
  const [path] = (request.url ?? "").split("?");
  try {
    return path.split("/").slice(1).map(decodeURIComponent);
  } catch {
    throw new Refusal(400, "the path can't be read");
  }
}

async function answer(
  options: KubeletListenOptions,
  need: () => KubeletBehind,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const parts = partsOf(request);
  if (parts[0] === "healthz") return void response.end("ok");
  await admit(options, request);
  if (request.method !== "GET") throw new Refusal(405, "Method Not Allowed");
  if (parts[0] === "pods") {
    const list = { kind: "PodList", apiVersion: "v1", metadata: {}, items: need().pods() };
    response.setHeader("content-type", "application/json");
    return void response.end(JSON.stringify(list));
  }
  if (parts.join("/") === "metrics/resource") {
    response.setHeader("content-type", "text/plain; version=0.0.4; charset=utf-8");
    return void response.end(await need().server.resourceMetrics());
  }
  if (parts[0] !== "containerLogs") throw new Refusal(404, "404 page not found");
  const abort = new AbortController();
  response.on("close", () => abort.abort());
  const stream = await need().server.logs(podRequest(need(), parts, request), abort.signal);
  response.setHeader("content-type", "text/plain");
  response.flushHeaders();
  for await (const bytes of stream) {
    if (!response.write(bytes)) await drained(response);
    if (abort.signal.aborted) return;
  }
  response.end();
}

/** `[verb, namespace, pod, container]`. Errors: throws Refusal 404. */
function podRequest(
  kubelet: KubeletBehind,
  [, namespace, name, container = ""]: readonly string[],
  request: IncomingMessage,
): PodRequest {
  const pod = kubelet.pods().find(({ metadata }) =>
    metadata.name === name && metadata.namespace === namespace
  );
  if (pod === undefined) throw new Refusal(404, `pod "${name}" not found`);
  const containers: { name: string }[] = [
    ...pod.spec.containers,
    ...pod.spec.initContainers ?? [],
    ...pod.spec.ephemeralContainers ?? [],
  ];
  if (container !== "" && !containers.some((one) => one.name === container)) {
    throw new Refusal(404, `container "${container}" not found in pod "${name}"`);
  }
  const [, text = ""] = (request.url ?? "").split("?", 2);
  return { pod, container, query: new URLSearchParams(text) };
}

interface Upgrade {
  readonly request: IncomingMessage;
  readonly socket: Duplex;
  readonly head: Uint8Array;
}

async function upgrade(
  options: KubeletListenOptions,
  need: () => KubeletBehind,
  { request, socket, head }: Upgrade,
): Promise<void> {
  await admit(options, request);
  const parts = partsOf(request);
  const isForward = parts[0] === "portForward";
  if (!isForward && parts[0] !== "exec" && parts[0] !== "attach") {
    throw new Refusal(404, "404 page not found");
  }
  const asked = podRequest(need(), parts, request);
  const protocol = isForward ? PORT_FORWARD_PROTOCOL : EXEC_SPDY_PROTOCOL;
  const offered = String(request.headers["x-stream-protocol-version"] ?? "").split(/ *, */);
  const isSpdy = String(request.headers.upgrade ?? "").toLowerCase() === "spdy/3.1";
  if (!isSpdy || !offered.includes(protocol)) {
    throw new Refusal(400, `unable to upgrade: expected SPDY/3.1 with ${protocol}`);
  }
  const wanted = wantedOf(asked.query);
  if (!isForward && !wanted.stdin && !wanted.stdout && !wanted.stderr) {
    throw new Refusal(400, "you must specify at least 1 of stdin, stdout, stderr");
  }
  socket.write(
    "HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: SPDY/3.1\r\n" +
      `x-stream-protocol-version: ${protocol}\r\n\r\n`,
  );
  const link = socketLink(socket, head);
  const { server } = need();
  if (isForward) {
    const { name = "", uid = "" } = asked.pod.metadata;
    const connect = (port: number) => server.portForward(asked, port);
    servePortForward({ link, pod: { name, uid }, connect, after: options.after });
    return;
  }
  const session = await openSpdyExec({ link, wanted, after: options.after });
  const query = queryFor(asked.query, wanted);
  const run = parts[0] === "exec" ? server.exec : server.attach;
  const outcome = await run.call(server, { ...asked, query }, session.streams).catch(
    (error: Error) => ({ kind: "failed", message: error.message }) as const,
  );
  session.finish(outcome);
}

function wantedOf(query: URLSearchParams): ExecRequest {
  const flag = (name: string) => ["true", "1"].includes(query.get(name) ?? "");
  return {
    stdin: flag("input"),
    stdout: flag("output"),
    stderr: flag("error"),
    tty: flag("tty"),
  };
}

/** A kubelet's words for the streams are not the API's. */
function queryFor(query: URLSearchParams, wanted: ExecRequest): URLSearchParams {
  const out = new URLSearchParams();
  for (const word of query.getAll("command")) out.append("command", word);
  for (const [name, isWanted] of Object.entries(wanted)) if (isWanted) out.set(name, "true");
  return out;
}

function codeOf(error: unknown): number {
  return error instanceof Refusal || error instanceof ApiError ? error.code : 500;
}

function refuse(response: ServerResponse, error: unknown): void {
  if (response.headersSent) return void response.destroy();
  response.statusCode = codeOf(error);
  response.setHeader("content-type", "text/plain; charset=utf-8");
  response.end(error instanceof Error ? error.message : String(error));
}

function refuseSocket(socket: Duplex, error: unknown): void {
  const text = error instanceof Error ? error.message : String(error);
  const { length } = new TextEncoder().encode(text);
  socket.end(
    `HTTP/1.1 ${codeOf(error)} Refused\r\ncontent-type: text/plain; charset=utf-8\r\n` +
      `content-length: ${length}\r\nconnection: close\r\n\r\n${text}`,
  );
}
