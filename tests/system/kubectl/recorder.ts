/**
 * A TLS server between kubectl and an API server that writes down every request and its answer.
 * In: a cluster's kubeconfig. Out: a kubeconfig that leads here, and the exchanges seen.
 * Never: changes a request or an answer. A client that shows a certificate is given the admin's
 * on the far side, one that shows none is given none. Speaks HTTP/1.1 only.
 */
import { createServer, request as ask } from "node:https";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { connect, type TLSSocket } from "node:tls";
import { parse, stringify } from "yaml";
import { issueCertificate, makeAuthority } from "../../../agents/apiserver/auth/certificates.ts";

export interface Exchange {
  readonly method: string;
  /** Path and query. */
  readonly url: string;
  /** Accept of the request, "" = none; of an upgrade the protocols asked for. */
  readonly accept: string;
  readonly status: number;
  /** Content-Type of the answer; of an upgrade the protocol chosen. */
  readonly contentType: string;
  /** The first bytes of the answer, as text. */
  readonly opening: () => string;
}

export interface Recorder {
  /** The path of the kubeconfig that leads here. */
  readonly kubeconfig: string;
  /** Hands over what was seen since it was last asked. */
  take(): Exchange[];
  close(): Promise<void>;
}

const OPENING_BYTES = 200;
const LIFETIME_MILLIS = 3_600_000;

/** @param kubeconfig path of the cluster's own; the new one is written beside it */
export async function startRecorder(kubeconfig: string): Promise<Recorder> {
  const config = parse(await Deno.readTextFile(kubeconfig));
  const { cluster } = config.clusters[0];
  const { user } = config.users[0];
  const upstream = new URL(cluster.server);
  const ca = atob(cluster["certificate-authority-data"]);
  const client = {
    cert: atob(user["client-certificate-data"]),
    key: atob(user["client-key-data"]),
  };
  const times = { nowMillis: Date.now(), lifetimeMillis: LIFETIME_MILLIS };
  const authority = await makeAuthority({ commonName: "recorder", ...times });
  const pair = await issueCertificate(authority, {
    subject: { commonName: "recorder" },
    usage: "server",
    names: ["127.0.0.1"],
    ...times,
  });
  let seen: Exchange[] = [];
  const note = (one: Exchange) => void seen.push(one);
  /** The far side of a connection, with the admin's certificate where the near side showed one. */
  const farOf = (incoming: IncomingMessage) => {
    const shown = (incoming.socket as TLSSocket).getPeerCertificate();
    const isKnown = shown !== null && Object.keys(shown).length > 0;
    const { hostname: host, port } = upstream;
    return { host, port: Number(port), ca, ...(isKnown ? client : {}) };
  };
  const server = createServer({
    cert: pair.certificate,
    key: pair.key,
    requestCert: true,
    rejectUnauthorized: false,
    ALPNProtocols: ["http/1.1"],
  }, (incoming, outgoing) => {
    const { method, url: path, headers } = incoming;
    const onward = ask({ ...farOf(incoming), method, path, headers, agent: false });
    exchange(incoming, outgoing, onward, note);
  });
  server.on("upgrade", (incoming: IncomingMessage, socket: Duplex, head: Uint8Array) => {
    const far = connect(farOf(incoming));
    far.on("secureConnect", () => upgrade(incoming, { socket, head }, far, note));
    far.on("error", () => socket.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  cluster.server = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
  cluster["certificate-authority-data"] = btoa(authority.certificate);
  const own = `${kubeconfig}-recorded`;
  await Deno.writeTextFile(own, stringify(config));
  return {
    kubeconfig: own,
    take: () => {
      const taken = seen;
      seen = [];
      return taken;
    },
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

type Onward = ReturnType<typeof ask>;
type Note = (exchange: Exchange) => void;

function exchange(
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  onward: Onward,
  note: Note,
): void {
  onward.on("response", (answer) => {
    let opening = "";
    note({
      ...requestOf(incoming),
      accept: String(incoming.headers.accept ?? ""),
      status: answer.statusCode ?? 0,
      contentType: answer.headers["content-type"] ?? "",
      opening: () => opening,
    });
    outgoing.writeHead(answer.statusCode ?? 502, answer.rawHeaders);
    outgoing.flushHeaders();
    answer.on("data", (chunk: Uint8Array) => {
      if (opening.length < OPENING_BYTES) opening += new TextDecoder().decode(chunk);
      outgoing.write(chunk);
    });
    answer.on("end", () => outgoing.end());
    answer.on("error", () => outgoing.destroy());
  });
  onward.on("error", () => outgoing.destroy());
  outgoing.on("close", () => onward.destroy());
  incoming.pipe(onward);
}

/** An upgraded connection is passed on byte by byte; only the answer's head is read on the way. */
function upgrade(
  incoming: IncomingMessage,
  near: { readonly socket: Duplex; readonly head: Uint8Array },
  far: Duplex,
  note: Note,
): void {
  let head = "";
  const readHead = (chunk: Uint8Array) => {
    head += new TextDecoder("latin1").decode(chunk);
    if (!head.includes("\r\n\r\n")) return;
    far.off("data", readHead);
    const field = (name: string) => new RegExp(`^${name}: *(.*)$`, "mi").exec(head)?.[1].trim();
    note({
      ...requestOf(incoming),
      accept: String(
        incoming.headers["sec-websocket-protocol"] ??
          incoming.headers["x-stream-protocol-version"] ?? "",
      ),
      status: Number(head.split(" ")[1]),
      contentType: field("sec-websocket-protocol") ?? field("x-stream-protocol-version") ?? "",
      opening: () => "",
    });
  };
  far.on("data", readHead);
  const lines = [`${incoming.method} ${incoming.url} HTTP/1.1`];
  for (let at = 0; at < incoming.rawHeaders.length; at += 2) {
    lines.push(`${incoming.rawHeaders[at]}: ${incoming.rawHeaders[at + 1]}`);
  }
  far.write(`${lines.join("\r\n")}\r\n\r\n`);
  // An empty write holds up all that follow it.
  if (near.head.length > 0) far.write(near.head);
  for (const [from, to] of [[near.socket, far], [far, near.socket]]) {
    from.on("data", (chunk: Uint8Array) => to.write(chunk));
    from.on("end", () => to.end());
    from.on("error", () => to.destroy());
    from.on("close", () => to.destroy());
  }
}

function requestOf(incoming: IncomingMessage) {
  return { method: incoming.method ?? "", url: incoming.url ?? "" };
}
