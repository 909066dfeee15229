/**
 * A webhook as clusters run them: HTTPS with a certificate of its own authority.
 * In: what to answer. Out: its address, its authority, the reviews it was sent.
 * Never: refuses anybody; it notes who asks.
 */
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import type { TLSSocket } from "node:tls";
import { issueCertificate, makeAuthority } from "../../agents/apiserver/auth/certificates.ts";

// deno-lint-ignore no-explicit-any
type Json = any;

/** What is sent back: a review's response, a whole answer, or nothing at all. */
export type HookAnswer =
  | { readonly response: Json }
  | { readonly status?: number; readonly text: string }
  | "silence";

export interface WebhookServer {
  readonly url: string;
  readonly port: number;
  readonly caBundle: string;
  /** `request` of every review, or what came without one, with the path and who brought it. */
  readonly seen: {
    readonly path: string;
    readonly request: Json;
    /** Common name of a client certificate that verified; "" = none did. */
    readonly client: string;
    readonly authorization: string;
  }[];
  /** Connections that were opened. */
  readonly connections: () => number;
  close(): Promise<void>;
}

/**
 * @param names what the certificate is for beside 127.0.0.1
 * @param clientCa PEM of an authority whose clients are noted by name
 */
export async function startWebhookServer(
  answer: (request: Json, path: string) => HookAnswer,
  names: readonly string[] = [],
  clientCa?: string,
): Promise<WebhookServer> {
  const nowMillis = Date.now();
  const lifetimeMillis = 3_600_000;
  const authority = await makeAuthority({ commonName: "hooks", nowMillis, lifetimeMillis });
  const pair = await issueCertificate(authority, {
    subject: { commonName: "hook" },
    usage: "server",
    names: ["127.0.0.1", ...names],
    nowMillis,
    lifetimeMillis,
  });
  const seen: WebhookServer["seen"] = [];
  let opened = 0;
  const options = {
    cert: pair.certificate,
    key: pair.key,
    ...(clientCa === undefined
      ? {}
      : { ca: clientCa, requestCert: true, rejectUnauthorized: false }),
  };
  const server = createServer(options, (incoming, outgoing) => {
    const chunks: Uint8Array[] = [];
    incoming.on("data", (chunk: Uint8Array) => chunks.push(chunk));
    incoming.on("end", () => {
      const document = JSON.parse(new TextDecoder().decode(
        Uint8Array.from(chunks.flatMap((chunk) => [...chunk])),
      ));
      const { apiVersion, kind, request = document } = document;
      const path = incoming.url ?? "";
      const socket = incoming.socket as TLSSocket;
      const client = socket.authorized ? String(socket.getPeerCertificate().subject?.CN) : "";
      const { authorization = "" } = incoming.headers;
      seen.push({ path, request, client, authorization });
      const answered = answer(request, path);
      if (answered === "silence") return;
      const text = "text" in answered ? answered.text : JSON.stringify({
        apiVersion,
        kind,
        response: { uid: request.uid, ...answered.response },
      });
      outgoing.writeHead("text" in answered ? answered.status ?? 200 : 200, {
        "content-type": "application/json",
      });
      outgoing.end(text);
    });
  });
  server.on("secureConnection", () => opened++);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `https://127.0.0.1:${port}`,
    port,
    caBundle: btoa(authority.certificate),
    seen,
    connections: () => opened,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
