/**
 * Another API server, as clusters aggregate them: flunders of wardle.example.com, over HTTPS.
 * In: the authority behind whoever may speak for users. Out: its port, its authority, who asked.
 * Its own state is a fake API server's; users come in X-Remote headers, which count only where the
 * peer has proven that it is the front proxy. `…/flunders/NAME/echo` leaves HTTP and echoes.
 * Never: takes a bearer token.
 */
import { Buffer } from "node:buffer";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import type { TLSSocket } from "node:tls";
import type { UserInfo } from "../../agents/api/meta.ts";
import { issueCertificate, makeAuthority } from "../../agents/apiserver/auth/certificates.ts";
import type { ApiResponse } from "../../agents/apiserver/http/message.ts";
import { type FakeApi, startFakeApi } from "./api_server.ts";
import { define, type Json } from "./widgets.ts";

export const WARDLE = "/apis/wardle.example.com/v1alpha1";
export const FLUNDERS = `${WARDLE}/namespaces/default/flunders`;
/** Names of the Service that has to stand before it. */
const SERVICE = { namespace: "default", name: "wardle" };

export interface AggregatedServer {
  readonly port: number;
  /** PEM of the authority behind its certificate, in base64. */
  readonly caBundle: string;
  /** What lies behind it. */
  readonly api: FakeApi;
  /** `user path` of each request whose peer was the front proxy, with `groups`. */
  readonly seen: { readonly path: string; readonly user: UserInfo; readonly headers: Json }[];
  /** Answers like a server of old, which has no OpenAPI of version 3. */
  isLegacy: boolean;
  close(): Promise<void>;
}

/** @param more properties of a flunder's spec */
export function flunders(more: Json = {}): Json {
  const schema = {
    type: "object",
    description: "A flunder is a flat fish.",
    properties: {
      spec: {
        type: "object",
        description: "What it wants.",
        properties: { reference: { type: "string", description: "Whom it looks up to." }, ...more },
      },
    },
  };
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: "flunders.wardle.example.com" },
    spec: {
      group: "wardle.example.com",
      scope: "Namespaced",
      names: { plural: "flunders", singular: "flunder", kind: "Flunder", shortNames: ["fl"] },
      versions: [{
        name: "v1alpha1",
        served: true,
        storage: true,
        schema: { openAPIV3Schema: schema },
      }],
    },
  };
}

/** @param frontProxyCa PEM of the authority of the front proxy's certificate */
export async function startAggregatedServer(frontProxyCa: string): Promise<AggregatedServer> {
  const api = await startFakeApi({ startMillis: Date.now() });
  await define(api, flunders());
  const nowMillis = Date.now();
  const lifetimeMillis = 3_600_000;
  const authority = await makeAuthority({ commonName: "wardle", nowMillis, lifetimeMillis });
  const { certificate: cert, key } = await issueCertificate(authority, {
    subject: { commonName: "wardle" },
    usage: "server",
    names: [`${SERVICE.name}.${SERVICE.namespace}.svc`],
    nowMillis,
    lifetimeMillis,
  });
  const seen: AggregatedServer["seen"] = [];
  const server = createServer(
    { cert, key, ca: frontProxyCa, requestCert: true, rejectUnauthorized: false },
    (incoming, outgoing) => {
      // Whoever asked may give up before it is answered.
      serve(made, incoming, outgoing).catch(() => outgoing.destroy());
    },
  );
  server.on("upgrade", (incoming: IncomingMessage, socket: Duplex) => {
    if (userOf(made, incoming) === null) {
      return void socket.end("HTTP/1.1 401 Unauthorized\r\n\r\n");
    }
    echo(incoming, socket);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const made: AggregatedServer = {
    port: (server.address() as AddressInfo).port,
    caBundle: btoa(authority.certificate),
    api,
    seen,
    isLegacy: false,
    async close() {
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      });
      await api.close();
    },
  };
  return made;
}

/** Objects that lead to the server: a Service, its endpoints, an API service. */
export function registrationOf(server: AggregatedServer): Json[] {
  return [
    {
      apiVersion: "v1",
      kind: "Service",
      metadata: SERVICE,
      spec: { ports: [{ port: 443, targetPort: server.port }] },
    },
    {
      apiVersion: "discovery.k8s.io/v1",
      kind: "EndpointSlice",
      metadata: {
        name: "wardle-1",
        namespace: SERVICE.namespace,
        labels: { "kubernetes.io/service-name": SERVICE.name },
      },
      addressType: "IPv4",
      endpoints: [{ addresses: ["127.0.0.1"], conditions: { ready: true } }],
      ports: [{ name: "", port: server.port, protocol: "TCP" }],
    },
    {
      apiVersion: "apiregistration.k8s.io/v1",
      kind: "APIService",
      metadata: { name: "v1alpha1.wardle.example.com" },
      spec: {
        group: "wardle.example.com",
        version: "v1alpha1",
        groupPriorityMinimum: 2000,
        versionPriority: 10,
        service: SERVICE,
        caBundle: server.caBundle,
      },
    },
  ];
}

async function serve(
  { api, isLegacy, ...made }: AggregatedServer,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
): Promise<void> {
  const user = userOf({ api, isLegacy, ...made }, incoming);
  const [path, query = ""] = (incoming.url ?? "").split("?", 2);
  const chunks: Uint8Array[] = [];
  for await (const chunk of incoming) chunks.push(chunk as Uint8Array);
  if (user === null || (isLegacy && path.startsWith("/openapi/v3"))) {
    outgoing.writeHead(user === null ? 401 : 404, { "content-type": "text/plain" });
    return void outgoing.end("no\n");
  }
  const response = await api.server.handler({
    method: incoming.method ?? "GET",
    path,
    query,
    header: (name) => incoming.headers[name] as string | undefined,
    body: Buffer.concat(chunks),
    user,
  });
  await write(outgoing, response);
}

function userOf({ seen }: AggregatedServer, incoming: IncomingMessage): UserInfo | null {
  if ((incoming.socket as TLSSocket).authorized !== true) return null;
  const { headers } = incoming;
  const groups = String(headers["x-remote-group"] ?? "").split(", ").filter((name) => name !== "");
  const name = String(headers["x-remote-user"] ?? "");
  seen.push({ path: incoming.url ?? "", user: { name, groups }, headers });
  // Its own policy lets the aggregator read documents.
  return { name, groups: name === "system:aggregator" ? ["system:masters"] : groups };
}

async function write(outgoing: ServerResponse, response: ApiResponse): Promise<void> {
  const headers: Record<string, string> = { "content-type": response.contentType };
  for (let i = 0; i < response.headers.length; i += 2) {
    headers[response.headers[i]] = response.headers[i + 1];
  }
  outgoing.writeHead(response.status, headers);
  const { body } = response;
  if (body.kind === "bytes") return void outgoing.end(body.bytes);
  if (body.kind === "chunks") {
    for (const chunk of body.chunks) outgoing.write(chunk);
    return void outgoing.end();
  }
  outgoing.flushHeaders();
  outgoing.on("close", () => body.stream.close());
  for await (const bytes of body.stream) outgoing.write(bytes);
  outgoing.end();
}

/** Says who asked, then everything that it is told, in capitals. */
function echo({ url = "", headers }: IncomingMessage, socket: Duplex): void {
  if (!url.endsWith("/echo")) {
    return void socket.end("HTTP/1.1 404 Not Found\r\ncontent-length: 3\r\n\r\nno\n");
  }
  const shown = `${headers["x-remote-user"]} ${headers["sec-websocket-protocol"] ?? "-"}\n`;
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: ${headers.upgrade}\r\n` +
      `x-stream-protocol-version: echo\r\n\r\n${shown}`,
  );
  socket.on("data", (chunk: Uint8Array) => {
    socket.write(Buffer.from(Buffer.from(chunk).toString().toUpperCase()));
  });
  socket.on("error", () => socket.destroy());
}
