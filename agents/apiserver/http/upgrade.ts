/**
 * Connections that leave HTTP: exec and attach over WebSocket.
 * In: an authenticated upgrade request. Out: a session between the client and a kubelet.
 * Never: switches protocols before the request was authorized and its pod found.
 * Source: kubelet's remotecommand and apiserver's streaming tunnels (v1.36).
 */
import type { Duplex } from "node:stream";
import type { Buffer } from "node:buffer";
// @ts-types="@types/ws"
import { type WebSocket, WebSocketServer } from "ws";
import { ApiError, badRequest, internalError, unknownPath } from "../../api/status.ts";
import type { UpgradeRequest } from "../listen.ts";
import type { ExecOutcome, KubeletPort, KubeletRequest } from "../ports.ts";
import { impersonate } from "../auth/impersonate.ts";
import { refuseVerb } from "../verbs/call.ts";
import type { Core } from "../verbs/core.ts";
import { kubeletRequest } from "./connect.ts";
import { type ExecRequest, openExecSession } from "./exec_channels.ts";
import { authorize } from "./handler.ts";
import { parseRoute, type ResourceRoute } from "./route.ts";

const EXEC_PROTOCOLS = ["v5.channel.k8s.io", "v4.channel.k8s.io"] as const;
const PING_MILLIS = 5000;

/** The taker of upgraded connections. */
export function createUpgrade(core: Core, kubelets: KubeletPort) {
  const server = new WebSocketServer({
    noServer: true,
    handleProtocols: (offered) => EXEC_PROTOCOLS.find((name) => offered.has(name)) ?? false,
    maxPayload: 32 * 1024 * 1024,
  });
  return (request: UpgradeRequest): void => {
    begin(core, { kubelets, server }, request).catch((error) => {
      refuse(request.socket, error instanceof ApiError ? error : internalError("upgrade failed"));
    });
  };
}

interface Parts {
  readonly kubelets: KubeletPort;
  readonly server: WebSocketServer;
}

async function begin(core: Core, parts: Parts, request: UpgradeRequest): Promise<void> {
  const { message } = request;
  const header = (name: string) => message.headers[name] as string | undefined;
  const user = impersonate(request.user, header, core.authorizer);
  const [path, query = ""] = (message.url ?? "").split("?", 2);
  const route = parseRoute(path);
  if (route === null) throw unknownPath();
  refuseVerb({ resource: route.resource, subresource: route.subresource, verb: "create" });
  authorize(core, { user }, { route, verb: "create" });
  const { subresource } = route;
  if (subresource !== "exec" && subresource !== "attach") {
    throw badRequest(`${subresource} is not served over this protocol`);
  }
  const offered = String(message.headers["sec-websocket-protocol"] ?? "").split(/ *, */);
  const isWebSocket = String(message.headers.upgrade).toLowerCase() === "websocket";
  if (!isWebSocket || !EXEC_PROTOCOLS.some((name) => offered.includes(name))) {
    throw badRequest(`unable to upgrade: expected WebSocket with ${EXEC_PROTOCOLS.join(" or ")}`);
  }
  const kubelet = await kubeletRequest(core, { user, query }, route);
  const wanted = wantedStreams(kubelet.query, subresource);
  const head = request.head as Buffer;
  parts.server.handleUpgrade(message, request.socket, head, (socket) => {
    void serve(parts.kubelets, { socket, kubelet, wanted, route });
  });
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

async function serve(
  kubelets: KubeletPort,
  parts: {
    readonly socket: WebSocket;
    readonly kubelet: KubeletRequest;
    readonly wanted: ExecRequest;
    readonly route: ResourceRoute;
  },
): Promise<void> {
  const { socket, kubelet, wanted, route } = parts;
  // A client that vanished is noticed by what it no longer answers.
  const pings = setInterval(() => socket.ping(), PING_MILLIS);
  socket.on("close", () => clearInterval(pings));
  socket.on("error", () => socket.terminate());
  const session = openExecSession(socket, wanted);
  let outcome: ExecOutcome;
  try {
    outcome = route.subresource === "exec"
      ? await kubelets.exec(kubelet, session.streams)
      : await kubelets.attach(kubelet, session.streams);
  } catch (error) {
    outcome = { kind: "failed", message: error instanceof Error ? error.message : String(error) };
  }
  session.finish(outcome);
}

function refuse(socket: Duplex, error: ApiError): void {
  const body = JSON.stringify(error.status) + "\n";
  const length = new TextEncoder().encode(body).length;
  socket.end(
    `HTTP/1.1 ${error.code} ${error.reason ?? "Error"}\r\ncontent-type: application/json\r\n` +
      `content-length: ${length}\r\nconnection: close\r\n\r\n${body}`,
  );
}
