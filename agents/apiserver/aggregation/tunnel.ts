/**
 * Connections that leave HTTP, to another API server: whatever protocol the two ends agree on.
 * In: an authorized upgrade request. Out: bytes in both directions, or that server's refusal.
 * Never: reads what passes. Source: apimachinery's util/proxy/upgradeaware.go (v1.36).
 */
import { Buffer } from "node:buffer";
import type { IncomingMessage } from "node:http";
import { request } from "node:https";
import type { Duplex } from "node:stream";
import type { PemPair } from "../auth/certificates.ts";
import { answeredHeaders, type Asked, optionsOf, type Remote } from "./remote.ts";

/** What a client's upgrade consists of. */
export interface TunnelEnd {
  readonly socket: Duplex;
  /** Bytes that came with the request. */
  readonly head: Uint8Array;
}

/**
 * Asks for the upgrade and joins the two connections once it is granted.
 * @param protocol of the client's `Upgrade` header
 * @returns the status that was answered
 * Errors: rejects with the platform's error, nothing having been sent to the client.
 */
export async function openTunnel(
  remote: Remote,
  client: PemPair,
  asked: Asked & { readonly protocol: string },
  end: TunnelEnd,
): Promise<number> {
  const options = optionsOf(remote, client, asked);
  const headers = { ...options.headers, connection: "Upgrade", upgrade: asked.protocol };
  const answered = Promise.withResolvers<number>();
  const outgoing = request({ ...options, headers });
  outgoing.on("error", answered.reject);
  end.socket.once("close", () => outgoing.destroy());
  outgoing.on("upgrade", (response: IncomingMessage, socket: Duplex, head: Uint8Array) => {
    end.socket.write(headText(response, rawHeaders(response)));
    if (head.length > 0) end.socket.write(Buffer.from(head));
    if (end.head.length > 0) socket.write(Buffer.from(end.head));
    join(end.socket, socket);
    answered.resolve(response.statusCode ?? 101);
  });
  outgoing.on("response", (response: IncomingMessage) => {
    const kept = answeredHeaders(response);
    const type = response.headers["content-type"];
    if (type !== undefined) kept.push("content-type", type);
    end.socket.write(headText(response, [...kept, "connection", "close"]));
    response.on("error", () => end.socket.destroy());
    response.pipe(end.socket);
    answered.resolve(response.statusCode ?? 502);
  });
  outgoing.end();
  return await answered.promise;
}

function rawHeaders({ rawHeaders: raw, headers }: IncomingMessage): string[] {
  if (raw.length > 0) return raw;
  return Object.entries(headers).flatMap(([name, value]) =>
    [value ?? []].flat().flatMap((one) => [name, one])
  );
}

function headText({ statusCode, statusMessage }: IncomingMessage, fields: string[]): string {
  const lines = [`HTTP/1.1 ${statusCode} ${statusMessage ?? ""}`];
  for (let i = 0; i < fields.length; i += 2) lines.push(`${fields[i]}: ${fields[i + 1]}`);
  return `${lines.join("\r\n")}\r\n\r\n`;
}

/** What one end says the other hears; where one goes, so does the other. */
function join(a: Duplex, b: Duplex): void {
  for (const [from, to] of [[a, b], [b, a]]) {
    from.pipe(to);
    from.on("error", () => to.destroy());
    from.on("close", () => to.destroy());
  }
}
