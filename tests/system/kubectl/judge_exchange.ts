/**
 * Whether an answer is what kubectl asked for: a good status, in a media type that it accepts.
 * In: an exchange, how the command that caused it ended. Out: what is wrong, or null.
 * Never: takes a fall-back for success; a refusal is in order only where the command tells of it,
 * or where kubectl looks whether an object is there.
 */
import type { Exchange } from "./recorder.ts";

/** How the command ended that the exchange belongs to. */
export interface Ending {
  readonly command: string;
  readonly stderr: string;
  readonly code: number;
}

export function problemOf(exchange: Exchange, ending: Ending): string | null {
  const { method, url, accept, status, contentType } = exchange;
  const shown = `${ending.command}\n  ${method} ${url}\n  ${status} ${contentType}`;
  if (status === 101) {
    return accept.split(/ *, */).includes(contentType) ? null : `${shown}: not among ${accept}`;
  }
  if (status === 304) return null;
  if (status < 200 || status > 299) return isToldOf(exchange, ending) ? null : shown;
  return isAccepted(exchange) ? null : `${shown}: asked for ${accept}`;
}

function isToldOf({ method, status, opening }: Exchange, ending: Ending): boolean {
  const isLook = method === "GET" || ending.command.includes("--ignore-not-found");
  if (isLook && status === 404 && opening().includes(`not found"`)) return true;
  if (opening().includes("its pods run nothing")) return true;
  // A dump tells what it could not have in the files that it writes.
  const isTold = ending.code !== 0 || ending.command.includes("cluster-info dump") ||
    ending.stderr !== "" || ending.command.includes("2>");
  return isTold && status < 500;
}

/** Asked for by a name that no media type may have; upstream answers by this one. */
const OPENAPI_V2 = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";

function isAccepted({ accept, contentType, url, opening }: Exchange): boolean {
  const wanted = accept.split(",").map((entry) => entry.trim().split(/ *; */));
  const [type, ...parameters] = contentType.split(/ *; */);
  if (wanted[0].includes("as=Table")) {
    return type === "application/json" &&
      (url.includes("watch=true") || opening().includes(`"kind":"Table"`));
  }
  if (type === OPENAPI_V2) return accept === OPENAPI_V2.replace("v2.v1.0", "v2@v1.0");
  return wanted.some(([name, ...asked]) =>
    name === "*/*" ||
    (name === type && asked.every((one) => !one.startsWith("as=") || parameters.includes(one)))
  );
}

/** What every version's transcripts must have met at least once. */
const FACES: readonly (readonly [string, (exchange: Exchange) => boolean])[] = [
  ["a table", ({ opening }) => opening().includes(`"kind":"Table"`)],
  ["protobuf", ({ contentType }) => contentType === "application/vnd.kubernetes.protobuf"],
  ["discovery in one", ({ contentType }) => contentType.includes("as=APIGroupDiscoveryList")],
  ["OpenAPI v2", ({ contentType }) => contentType.includes("proto-openapi.spec.v2")],
  ["OpenAPI v3", ({ url, status }) => url.startsWith("/openapi/v3/") && status === 200],
  ["a watch", ({ url, status }) => url.includes("watch=true") && status === 200],
  ["a patch", ({ method, status }) => method === "PATCH" && status === 200],
  ["exec by WebSocket", ({ contentType }) => contentType === "v5.channel.k8s.io"],
  ["a tunnel", ({ contentType }) => contentType === "SPDY/3.1+portforward.k8s.io"],
];

/** The names of the faces that none of the exchanges shows. */
export function facesMissing(exchanges: readonly Exchange[]): string[] {
  return FACES.filter(([, isShown]) => !exchanges.some(isShown)).map(([name]) => name);
}
