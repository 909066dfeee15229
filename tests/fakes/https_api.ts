/**
 * A small HTTPS face for any ApiPort, so that clients can be tested over real sockets.
 * In: an ApiPort. Out: a server address, the authority to trust, one client certificate.
 * Never: more than JSON over HTTP/1.1; the real server lives in agents/apiserver.
 */
import "reflect-metadata";
import * as https from "node:https";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { TLSSocket } from "node:tls";
import * as x509 from "@peculiar/x509";
import type { ApiCall, ApiPort, CallTarget, PatchType } from "../../agents/api/call.ts";
import { findResource } from "../../agents/api/resources.ts";
import { ApiError, internalError } from "../../agents/api/status.ts";

export interface HttpsApi {
  readonly server: string;
  readonly ca: string;
  readonly certificate: string;
  readonly privateKey: string;
  /** `user agent | authorization or certificate name` of each request. */
  readonly seen: string[];
  close(): Promise<void>;
}

const SIGNING = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
type Pair = Awaited<ReturnType<typeof newPair>>;

/** Serves a port on a free local address. */
export async function serveHttps(port: ApiPort): Promise<HttpsApi> {
  const [caKeys, serverKeys, clientKeys] = await Promise.all([newPair(), newPair(), newPair()]);
  const ca = await issue({ subject: "CN=ca", keys: caKeys, issuer: "CN=ca", issuerKeys: caKeys });
  const by = { issuer: "CN=ca", issuerKeys: caKeys };
  const serverCertificate = await issue({ subject: "CN=server", keys: serverKeys, ...by });
  const certificate = await issue({ subject: "CN=alice", keys: clientKeys, ...by });
  const seen: string[] = [];
  const server = https.createServer({
    cert: serverCertificate,
    key: await exportKey(serverKeys),
    ca,
    requestCert: true,
    rejectUnauthorized: false,
  }, (request, response) => {
    const socket = request.socket as TLSSocket;
    const subject = socket.authorized ? socket.getPeerCertificate()?.subject?.CN : undefined;
    seen.push(`${request.headers["user-agent"]} | ${request.headers.authorization ?? subject}`);
    answer(port, request, response).catch((error) => {
      const failure = error instanceof ApiError ? error : internalError(String(error));
      if (!response.headersSent) response.writeHead(failure.code);
      response.end(JSON.stringify(failure.status));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address() as { port: number };
  return {
    server: `https://127.0.0.1:${address.port}`,
    ca,
    certificate,
    privateKey: await exportKey(clientKeys),
    seen,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function answer(port: ApiPort, request: IncomingMessage, response: ServerResponse) {
  const url = new URL(request.url ?? "/", "https://localhost");
  const target = targetOf(url.pathname);
  if (target === undefined) {
    response.writeHead(404, { "content-type": "text/plain" });
    response.end("404 page not found");
    return;
  }
  const query = Object.fromEntries(url.searchParams) as Record<string, string>;
  if (query.watch === "true") return await watch(port, target, query, response);
  const result = await port.call(await callOf(target, request, query));
  const body = result.kind === "list"
    ? { kind: `${target.resource.kind}List`, metadata: result.metadata, items: result.items }
    : result.object;
  response.writeHead(result.kind === "object" && result.created ? 201 : 200, {
    "content-type": "application/json",
  });
  response.end(JSON.stringify(body));
}

async function watch(
  port: ApiPort,
  target: CallTarget,
  query: Record<string, string>,
  response: ServerResponse,
) {
  const stream = await port.watch(
    target,
    {
      ...query,
      sendInitialEvents: query.sendInitialEvents === "true",
      timeoutSeconds: Number(query.timeoutSeconds ?? 300),
    } as Parameters<ApiPort["watch"]>[1],
  );
  response.writeHead(200, { "content-type": "application/json" });
  response.flushHeaders();
  response.on("close", () => stream.close());
  for await (const batch of stream) {
    const text = batch.map((event) => JSON.stringify(event) + "\n").join("");
    // Cut in two, so that a reader must cope with half a line.
    response.write(text.slice(0, text.length >> 1));
    response.write(text.slice(text.length >> 1));
  }
  response.end();
}

async function callOf(
  target: CallTarget,
  request: IncomingMessage,
  query: Record<string, string>,
): Promise<ApiCall> {
  const body = await bodyOf(request);
  const options = { ...query, dryRun: query.dryRun === "All" };
  // deno-lint-ignore no-explicit-any
  const object = body as any;
  switch (request.method) {
    case "POST":
      return { ...target, verb: "create", object, options: {} };
    case "PUT":
      return { ...target, verb: "update", object, options: {} };
    case "PATCH": {
      const patchType = request.headers["content-type"] as PatchType;
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

async function bodyOf(request: IncomingMessage): Promise<unknown> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of request) chunks.push(chunk);
  const text = await new Blob(chunks as BlobPart[]).text();
  return text === "" ? undefined : JSON.parse(text);
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
