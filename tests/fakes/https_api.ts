/**
 * A small HTTPS face for any ApiPort, so that clients can be tested over real sockets.
 * In: an ApiPort, which protocol to speak. Out: a server address, the authority to trust, one
 * client certificate.
 * Never: more than JSON; the real server lives in agents/apiserver.
 */
import "reflect-metadata";
import * as https from "node:https";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { TLSSocket } from "node:tls";
import * as x509 from "@peculiar/x509";
import type { ApiCall, ApiPort, CallTarget, PatchType } from "../../agents/api/call.ts";
import { findResource } from "../../agents/api/resources.ts";
import { ApiError, internalError } from "../../agents/api/status.ts";
import { Http2Server } from "../../store/wire/http2/server.ts";
import type { Http2Stream } from "../../store/wire/http2/stream.ts";

export interface HttpsApi {
  readonly server: string;
  readonly ca: string;
  readonly certificate: string;
  readonly privateKey: string;
  /** `user agent | authorization or certificate name` of each request. */
  readonly seen: string[];
  close(): Promise<void>;
}

/** PEMs of a server for 127.0.0.1 and of a client called alice, under one authority. */
export interface Identities {
  readonly ca: string;
  readonly server: { readonly cert: string; readonly key: string };
  readonly client: { readonly cert: string; readonly key: string };
}

const SIGNING = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
type Pair = Awaited<ReturnType<typeof newPair>>;

export async function makeIdentities(): Promise<Identities> {
  const [caKeys, serverKeys, clientKeys] = await Promise.all([newPair(), newPair(), newPair()]);
  const ca = await issue({ subject: "CN=ca", keys: caKeys, issuer: "CN=ca", issuerKeys: caKeys });
  const by = { issuer: "CN=ca", issuerKeys: caKeys };
  const pair = async (subject: string, keys: Pair) => ({
    cert: await issue({ subject, keys, ...by }),
    key: await exportKey(keys),
  });
  return {
    ca,
    server: await pair("CN=server", serverKeys),
    client: await pair("CN=alice", clientKeys),
  };
}

/** A request without its protocol. */
interface Request {
  readonly method: string;
  readonly url: string;
  readonly contentType: string | undefined;
  readonly text: string;
}

/** What an answer is written to. */
interface Reply {
  head(status: number, contentType: string): void;
  write(text: string): void;
  end(): void;
  /** Calls back when the client has gone. */
  onClose(callback: () => void): void;
}

/** Serves a port on a free local address. */
export async function serveHttps(
  port: ApiPort,
  protocol: "http/1.1" | "h2" = "http/1.1",
): Promise<HttpsApi> {
  const identities = await makeIdentities();
  const seen: string[] = [];
  const serve = protocol === "h2" ? serveHttp2 : serveHttp1;
  const { bound, close } = await serve(port, identities, seen);
  return {
    server: `https://127.0.0.1:${bound}`,
    ca: identities.ca,
    certificate: identities.client.cert,
    privateKey: identities.client.key,
    seen,
    close,
  };
}

interface Served {
  readonly bound: number;
  close(): Promise<void>;
}

async function serveHttp1(port: ApiPort, identities: Identities, seen: string[]): Promise<Served> {
  const server = https.createServer({
    ...identities.server,
    ca: identities.ca,
    requestCert: true,
    rejectUnauthorized: false,
  }, async (request, response) => {
    const socket = request.socket as TLSSocket;
    const subject = socket.authorized ? socket.getPeerCertificate()?.subject?.CN : undefined;
    seen.push(`${request.headers["user-agent"]} | ${request.headers.authorization ?? subject}`);
    const { method = "", url = "" } = request;
    const contentType = request.headers["content-type"];
    const text = await textOf(request);
    await answer(port, { method, url, contentType, text }, replyOfHttp1(response));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    bound: (server.address() as { port: number }).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function replyOfHttp1(response: ServerResponse): Reply {
  return {
    head: (status, contentType) => {
      response.writeHead(status, { "content-type": contentType });
      response.flushHeaders();
    },
    write: (text) => void response.write(text),
    end: () => void response.end(),
    onClose: (callback) => void response.on("close", callback),
  };
}

async function serveHttp2(port: ApiPort, identities: Identities, seen: string[]): Promise<Served> {
  const server = new Http2Server({
    now: () => performance.now(),
    onStream: (stream, peer) => {
      const { headers, method, path: url } = stream;
      const who = headers.get("authorization") ?? peer.commonName;
      seen.push(`${headers.get("user-agent")} | ${who}`);
      const chunks: Uint8Array[] = [];
      stream.onData = (bytes) => void chunks.push(bytes.slice());
      stream.onEnd = async () => {
        const text = await new Blob(chunks as BlobPart[]).text();
        const contentType = headers.get("content-type");
        await answer(port, { method, url, contentType, text }, replyOfHttp2(stream));
      };
    },
  });
  const { port: bound } = await server.listenTls({ hostname: "127.0.0.1", port: 0 }, {
    ...identities.server,
    ca: identities.ca,
    requestCert: true,
  });
  return { bound, close: () => server.shutdown(0) };
}

function replyOfHttp2(stream: Http2Stream): Reply {
  const encoder = new TextEncoder();
  return {
    head: (status, contentType) => stream.respond(status, ["content-type", contentType]),
    write: (text) => void stream.write(encoder.encode(text)),
    end: () => stream.end(),
    onClose: (callback) => stream.onReset = callback,
  };
}

async function answer(port: ApiPort, request: Request, reply: Reply): Promise<void> {
  try {
    await tryAnswer(port, request, reply);
  } catch (error) {
    const failure = error instanceof ApiError ? error : internalError(String(error));
    reply.head(failure.code, "application/json");
    reply.write(JSON.stringify(failure.status));
    reply.end();
  }
}

async function tryAnswer(port: ApiPort, request: Request, reply: Reply): Promise<void> {
  const url = new URL(request.url, "https://localhost");
  const target = targetOf(url.pathname);
  if (target === undefined) {
    reply.head(404, "text/plain");
    reply.write("404 page not found");
    return reply.end();
  }
  const query = Object.fromEntries(url.searchParams) as Record<string, string>;
  if (query.watch === "true") return await watch(port, target, query, reply);
  const result = await port.call(callOf(target, request, query));
  const body = result.kind === "list"
    ? { kind: `${target.resource.kind}List`, metadata: result.metadata, items: result.items }
    : result.object;
  reply.head(result.kind === "object" && result.created ? 201 : 200, "application/json");
  reply.write(JSON.stringify(body));
  reply.end();
}

async function watch(
  port: ApiPort,
  target: CallTarget,
  query: Record<string, string>,
  reply: Reply,
) {
  const stream = await port.watch(
    target,
    {
      ...query,
      sendInitialEvents: query.sendInitialEvents === "true",
      timeoutSeconds: Number(query.timeoutSeconds ?? 300),
    } as Parameters<ApiPort["watch"]>[1],
  );
  reply.head(200, "application/json");
  reply.onClose(() => stream.close());
  for await (const batch of stream) {
    const text = batch.map((event) => JSON.stringify(event) + "\n").join("");
    // Cut in two, so that a reader must cope with half a line.
    reply.write(text.slice(0, text.length >> 1));
    reply.write(text.slice(text.length >> 1));
  }
  reply.end();
}

function callOf(target: CallTarget, request: Request, query: Record<string, string>): ApiCall {
  const body = request.text === "" ? undefined : JSON.parse(request.text);
  const options = { ...query, dryRun: query.dryRun === "All" };
  // deno-lint-ignore no-explicit-any
  const object = body as any;
  switch (request.method) {
    case "POST":
      return { ...target, verb: "create", object, options: {} };
    case "PUT":
      return { ...target, verb: "update", object, options: {} };
    case "PATCH": {
      const patchType = request.contentType as PatchType;
      return { ...target, verb: "patch", patchType, patch: body, options };
    }
    case "DELETE":
      return target.name === ""
        ? { ...target, verb: "deletecollection", options: object ?? {}, list: query }
        : { ...target, verb: "delete", options: object ?? {} };
    default:
      return target.name === ""
        ? { ...target, verb: "list", options: query as Record<string, never> }
        : { ...target, verb: "get" };
  }
}

function targetOf(path: string): CallTarget | undefined {
  const parts = path.split("/").slice(1).map(decodeURIComponent);
  const [group, version] = parts[0] === "api" ? ["", parts[1]] : [parts[1], parts[2]];
  let rest = parts.slice(parts[0] === "api" ? 2 : 3);
  let namespace = "";
  if (rest[0] === "namespaces" && rest.length > 2) {
    namespace = rest[1];
    rest = rest.slice(2);
  }
  const resource = findResource(group, version, rest[0]);
  if (resource === undefined) return undefined;
  const user = { name: "https", groups: [] };
  return { resource, namespace, name: rest[1] ?? "", subresource: rest[2] ?? "", user };
}

async function textOf(request: IncomingMessage): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of request) chunks.push(chunk);
  return await new Blob(chunks as BlobPart[]).text();
}

function newPair() {
  return crypto.subtle.generateKey(SIGNING, true, ["sign", "verify"]);
}

async function issue(
  of: { subject: string; keys: Pair; issuer: string; issuerKeys: Pair },
): Promise<string> {
  const isCa = of.subject === of.issuer;
  const certificate = await x509.X509CertificateGenerator.create({
    subject: of.subject,
    issuer: of.issuer,
    notBefore: new Date(Date.now() - 3_600_000),
    notAfter: new Date(Date.now() + 86_400_000),
    signingAlgorithm: SIGNING,
    publicKey: of.keys.publicKey,
    signingKey: of.issuerKeys.privateKey,
    extensions: [
      new x509.BasicConstraintsExtension(isCa, undefined, true),
      new x509.ExtendedKeyUsageExtension([
        x509.ExtendedKeyUsage.serverAuth,
        x509.ExtendedKeyUsage.clientAuth,
      ]),
      new x509.SubjectAlternativeNameExtension([{ type: "ip", value: "127.0.0.1" }]),
    ],
  });
  return certificate.toString("pem");
}

async function exportKey(keys: Pair): Promise<string> {
  const der = await crypto.subtle.exportKey("pkcs8", keys.privateKey);
  return x509.PemConverter.encode(der, "PRIVATE KEY");
}
