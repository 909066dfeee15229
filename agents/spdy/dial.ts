/**
 * A SPDY/3.1 connection to an HTTP server that switches protocols, such as a runtime's streaming
 * server.
 * In: a URL, the protocol that runs on the streams. Out: a session of the client's side.
 * Never: follows a redirect. Errors: rejects with what the server said instead of switching.
 */
import { request } from "node:http";
import { request as requestTls } from "node:https";
import type { Duplex } from "node:stream";
import { socketLink } from "./links.ts";
import { SpdySession } from "./session.ts";

const DIAL_TIMEOUT_MILLIS = 30_000;
/** Longest refusal that is quoted. */
const REFUSAL_LIMIT = 1000;

/** How a server is reached; absent = no certificate shown, theirs checked as usual. */
export interface DialOptions {
  /** Who answers, for messages. Default `runtime`. */
  readonly peer?: string;
  readonly tls?: {
    readonly cert: string;
    readonly key: string;
    /** PEM of the server's authority; null = any certificate is taken. */
    readonly ca: string | null;
  };
}

/** What `node:https` takes of them. */
export function tlsOptions({ tls }: DialOptions) {
  if (tls === undefined) return {};
  const { ca, cert, key } = tls;
  return ca === null ? { cert, key, rejectUnauthorized: false } : { cert, key, ca };
}

/** @param protocol such as `v4.channel.k8s.io` */
export function dialSpdy(
  url: string,
  protocol: string,
  options: DialOptions = {},
): Promise<SpdySession> {
  const { peer = "runtime" } = options;
  const make = url.startsWith("https:") ? requestTls : request;
  return new Promise((resolve, reject) => {
    const asked = make(url, {
      ...tlsOptions(options),
      method: "POST",
      timeout: DIAL_TIMEOUT_MILLIS,
      headers: {
        connection: "Upgrade",
        upgrade: "SPDY/3.1",
        "x-stream-protocol-version": protocol,
      },
    });
    asked.on("upgrade", (_response: unknown, socket: Duplex, head: Uint8Array) => {
      const link = socketLink(socket, head);
      resolve(new SpdySession({ link, side: "client", onStream: () => false }));
    });
    asked.on("response", (response) => {
      let text = "";
      response.on("data", (chunk: Uint8Array) => text += new TextDecoder().decode(chunk));
      response.on("end", () => {
        const said = text.trim().slice(0, REFUSAL_LIMIT);
        reject(new Error(`the ${peer} refused the stream (${response.statusCode}): ${said}`));
      });
    });
    asked.on("timeout", () => asked.destroy(new Error(`the ${peer} did not answer in time`)));
    asked.on("error", reject);
    asked.end();
  });
}
