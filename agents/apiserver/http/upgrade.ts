/**
 * Connections that leave HTTP: exec, attach and port-forward, over WebSocket or SPDY/3.1.
 * In: an authenticated upgrade request. Out: a session between the client and a kubelet.
 * Never: switches protocols before the request was authorized and its pod found.
 * Source: kubelet's remotecommand and apiserver's streaming tunnels (v1.36).
 */
import { Buffer } from "node:buffer";
import { STATUS_CODES } from "node:http";
import type { Duplex } from "node:stream";
// @ts-types="@types/ws"
import { type WebSocket, WebSocketServer } from "ws";
import type { APIService } from "../../api/kinds/extensions/api_service.ts";
import type { UserInfo } from "../../api/meta.ts";
import { ApiError, badRequest, internalError, unknownPath } from "../../api/status.ts";
import type { Aggregation } from "../aggregation/services.ts";
import type { Audit } from "../audit/audit.ts";
import type { AuditTrail } from "../audit/trail.ts";
import { headOf, type UpgradeRequest } from "../listen.ts";
import type { KubeletPort, KubeletRequest } from "../ports.ts";
import { admitConnect } from "../admission/connect.ts";
import { impersonate } from "../auth/impersonate.ts";
import { refuseVerb } from "../verbs/call.ts";
import type { Core } from "../verbs/core.ts";
import { kubeletRequest } from "./connect.ts";
import { openExecSession } from "./exec_channels.ts";
import { authorize } from "./handler.ts";
import type { ApiResponse } from "./message.ts";
import { portsOf, servePortChannels } from "./port_channels.ts";
import { parseQuery } from "./query.ts";
import { parseRoute } from "./route.ts";
import { EXEC_SPDY_PROTOCOL, openSpdyExec } from "../../spdy/serve_exec.ts";
import { socketLink, tunnelLink } from "../../spdy/links.ts";
import { PORT_FORWARD_PROTOCOL, servePortForward } from "../../spdy/serve_port_forward.ts";
import type { ExecOutcome, ExecRequest, ExecSession } from "../../spdy/streams.ts";
import type { Link } from "../../spdy/session.ts";

const SPDY = "SPDY/3.1";
const EXEC_PROTOCOLS: readonly string[] = ["v5.channel.k8s.io", "v4.channel.k8s.io"];
const TUNNEL_PROTOCOL = `${SPDY}+${PORT_FORWARD_PROTOCOL}`;
/** Of clients that know no SPDY: a pair of channels a port. */
const PORT_PROTOCOL = "v4.channel.k8s.io";
const PING_MILLIS = 5000;
const MAX_FRAME_BYTES = 32 * 1024 * 1024;
const SWITCHING_PROTOCOLS = 101;

const encoder = new TextEncoder();

export interface UpgradeParts {
  readonly core: Core;
  readonly kubelets: KubeletPort;
  /** Null where no request leaves a trail. */
  readonly audit: Audit | null;
  /** Versions of groups that other servers serve. */
  readonly aggregation: Pick<Aggregation, "find" | "tunnel">;
}

/** The taker of upgraded connections. */
export function createUpgrade({ core, kubelets, audit, aggregation }: UpgradeParts) {
  const channels = new WebSocketServer({
    noServer: true,
    handleProtocols: (offered) => EXEC_PROTOCOLS.find((name) => offered.has(name)) ?? false,
    maxPayload: MAX_FRAME_BYTES,
  });
  // The tunnel's name holds a slash, which `ws` takes for no name at all: it is agreed on here.
  const tunnels = new WebSocketServer({ noServer: true, maxPayload: MAX_FRAME_BYTES });
  tunnels.on("headers", (headers) => headers.push(`Sec-WebSocket-Protocol: ${TUNNEL_PROTOCOL}`));
  return (request: UpgradeRequest): void => {
    const trail = audit?.begin({ ...headOf(request.message, request), user: request.user });
    begin({ core, kubelets, aggregation, channels, tunnels, trail }, request).catch((error) => {
      const answered = error instanceof ApiError ? error : internalError("upgrade failed");
      trail?.failed(answered.status);
      trail?.complete(answered.code);
      refuse(request.socket, answered);
    });
  };
}

interface Parts extends Omit<UpgradeParts, "audit"> {
  readonly channels: WebSocketServer;
  readonly tunnels: WebSocketServer;
  readonly trail?: AuditTrail;
}

/** What an accepted request asks for. */
interface Asked {
  readonly kubelet: KubeletRequest;
  readonly subresource: "exec" | "attach" | "portforward";
  readonly wanted: ExecRequest;
}

const NO_STREAMS: ExecRequest = { stdin: false, stdout: false, stderr: false, tty: false };

async function begin(parts: Parts, request: UpgradeRequest): Promise<void> {
  const { core, trail } = parts;
  const { message } = request;
  const header = (name: string) => message.headers[name] as string | undefined;
  const user = await impersonate(request.user, headOf(message, request), core.authorizer);
  if (user !== request.user) trail?.impersonated(user);
  const [path, query = ""] = (message.url ?? "").split("?", 2);
  const elsewhere = parts.aggregation.find(path);
  if (elsewhere !== undefined) return await overTunnel(parts, { request, user }, elsewhere);
  const route = parseRoute(path);
  if (route === null) throw unknownPath();
  refuseVerb({ resource: route.resource, subresource: route.subresource, verb: "create" });
  await authorize(core, { user, trail }, { route, verb: "create" });
  const { subresource } = route;
  if (subresource !== "exec" && subresource !== "attach" && subresource !== "portforward") {
    throw badRequest(`${subresource} is not served over this protocol`);
  }
  const { resource, namespace, name } = route;
  const target = {
    resource,
    subresource,
    namespace,
    name,
    user,
    auditAnnotations: trail?.annotations,
  };
  await admitConnect(core, target, { query: parseQuery(query) });
  const kubelet = await kubeletRequest(core, { user, query }, route);
  const wanted = subresource === "portforward"
    ? NO_STREAMS
    : wantedStreams(kubelet.query, subresource);
  const asked: Asked = { kubelet, subresource, wanted };
  const upgrade = (header("upgrade") ?? "").toLowerCase();
  if (upgrade === "websocket") overWebSocket(parts, request, asked);
  else if (upgrade === SPDY.toLowerCase()) overSpdy(parts, request, asked);
  else throw badRequest(`unable to upgrade: expected websocket or ${SPDY}`);
  trail?.started(SWITCHING_PROTOCOLS);
  request.socket.once("close", () => trail?.complete(SWITCHING_PROTOCOLS));
}

/** Errors: rejects with ApiError 403. */
async function overTunnel(
  { aggregation, trail }: Parts,
  { request, user }: { readonly request: UpgradeRequest; readonly user: UserInfo },
  service: APIService,
): Promise<void> {
  const { socket, head } = request;
  const asked = { ...headOf(request.message, request), user, ...(trail && { trail }) };
  const answered = await aggregation.tunnel(service, asked, { socket, head });
  if (typeof answered === "number") {
    trail?.started(answered);
    socket.once("close", () => trail?.complete(answered));
    return;
  }
  trail?.complete(answered.status);
  const { body } = answered;
  write(socket, answered, body.kind === "bytes" ? body.bytes : new Uint8Array(0));
}

/** Errors: throws ApiError 400. */
function wantedStreams(query: URLSearchParams, subresource: string): ExecRequest {
  const flag = (name: string) => ["true", "1"].includes(query.get(name) ?? "");
  const wanted = {
    stdin: flag("stdin"),
    stdout: flag("stdout"),
    stderr: flag("stderr"),
    tty: flag("tty"),
  };
  if (!wanted.stdin && !wanted.stdout && !wanted.stderr) {
    throw badRequest("you must specify at least one of stdin, stdout, stderr");
  }
  if (subresource === "exec" && query.getAll("command").length === 0) {
    throw badRequest("you must specify at least one command for the container");
  }
  return wanted;
}

/** Names of a list header, in the client's order. */
function offeredBy(value: string | string[] | undefined): readonly string[] {
  return String(value ?? "").split(/ *, */).filter((name) => name !== "");
}

/** Errors: throws ApiError 400. */
function overWebSocket(parts: Parts, request: UpgradeRequest, asked: Asked): void {
  const { message } = request;
  const offered = offeredBy(message.headers["sec-websocket-protocol"]);
  const isForward = asked.subresource === "portforward";
  const accepted = isForward ? [TUNNEL_PROTOCOL, PORT_PROTOCOL] : EXEC_PROTOCOLS;
  if (!accepted.some((name) => offered.includes(name))) {
    throw badRequest(`unable to upgrade: expected WebSocket with ${accepted.join(" or ")}`);
  }
  const isTunnel = isForward && offered.includes(TUNNEL_PROTOCOL);
  const ports = isForward && !isTunnel ? portsOf(asked.kubelet.query) : [];
  if (isTunnel) delete message.headers["sec-websocket-protocol"];
  const server = isTunnel ? parts.tunnels : parts.channels;
  server.handleUpgrade(message, request.socket, request.head as Buffer, (socket) => {
    keepAlive(socket);
    if (ports.length > 0) {
      const connect = (port: number) => parts.kubelets.portForward(asked.kubelet, port);
      servePortChannels(socket, ports, connect);
    } else if (isForward) forwardPorts(parts, asked, tunnelLink(socket));
    else void runExec(parts, asked, openExecSession(socket, asked.wanted));
  });
}

/** A client that vanished is noticed by what it no longer answers. */
function keepAlive(socket: WebSocket): void {
  const pings = setInterval(() => socket.ping(), PING_MILLIS);
  socket.on("close", () => clearInterval(pings));
  socket.on("error", () => socket.terminate());
}

/** Errors: throws ApiError 400. */
function overSpdy(parts: Parts, request: UpgradeRequest, asked: Asked): void {
  const { message, socket, head } = request;
  const offered = offeredBy(message.headers["x-stream-protocol-version"]);
  const protocol = asked.subresource === "portforward" ? PORT_FORWARD_PROTOCOL : EXEC_SPDY_PROTOCOL;
  if (!offered.includes(protocol)) {
    throw badRequest(
      `unable to negotiate protocol: client supports [${offered.join(" ")}], ` +
        `server accepts [${protocol}]`,
    );
  }
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: ${SPDY}\r\n` +
      `x-stream-protocol-version: ${protocol}\r\n\r\n`,
  );
  const link = socketLink(socket, head);
  if (asked.subresource === "portforward") return forwardPorts(parts, asked, link);
  const after = parts.core.clock.after.bind(parts.core.clock);
  openSpdyExec({ link, wanted: asked.wanted, after }).then(
    (session) => runExec(parts, asked, session),
    (error) => parts.core.log("debug", "no streams were opened", { error: String(error) }),
  );
}

async function runExec(parts: Parts, asked: Asked, session: ExecSession): Promise<void> {
  const { kubelets } = parts;
  const { kubelet, subresource } = asked;
  let outcome: ExecOutcome;
  try {
    outcome = subresource === "exec"
      ? await kubelets.exec(kubelet, session.streams)
      : await kubelets.attach(kubelet, session.streams);
  } catch (error) {
    outcome = { kind: "failed", message: error instanceof Error ? error.message : String(error) };
  }
  session.finish(outcome);
}

function forwardPorts(parts: Parts, { kubelet }: Asked, link: Link): void {
  const { name = "", uid = "" } = kubelet.pod.metadata;
  servePortForward({
    link,
    pod: { name, uid },
    connect: (port) => parts.kubelets.portForward(kubelet, port),
    after: parts.core.clock.after.bind(parts.core.clock),
  });
}

function refuse(socket: Duplex, error: ApiError): void {
  const text = JSON.stringify(error.status) + "\n";
  write(socket, { status: error.code, contentType: "application/json" }, encoder.encode(text));
}

function write(
  socket: Duplex,
  { status, contentType }: Pick<ApiResponse, "status" | "contentType">,
  body: Uint8Array,
): void {
  socket.write(
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? "Error"}\r\ncontent-type: ${contentType}\r\n` +
      `content-length: ${body.length}\r\nconnection: close\r\n\r\n`,
  );
  socket.end(Buffer.from(body));
}
