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

/** @param protocol such as `v4.channel.k8s.io` */
export function dialSpdy(url: string, protocol: string): Promise<SpdySession> {
  const make = url.startsWith("https:") ? requestTls : request;
  return new Promise((resolve, reject) => {
    const asked = make(url, {
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
        reject(new Error(`the runtime refused the stream (${response.statusCode}): ${said}`));
      });
    });
    asked.on("timeout", () => asked.destroy(new Error("the runtime did not answer in time")));
    asked.on("error", reject);
    asked.end();
  });
}
