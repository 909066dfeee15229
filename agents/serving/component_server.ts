/**
 * What a component that runs apart serves: its health to all, its numbers and its configuration to
 * those whom the API server lets.
 * In: a request and who its connection proved to be. Out: an answer.
 * Never: asks the API server about health, which must be told while that one is away.
 * Source: newEndpointsHandler and buildHandlerChain of cmd/kube-scheduler/app (v1.36).
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { UserInfo } from "../api/meta.ts";
import {
  accessForbidden,
  ApiError,
  internalError,
  methodNotServed,
  unauthorized,
  unknownPath,
} from "../api/status.ts";
import { formatCheck, formatHealth, type Health, type HealthChecks } from "../api/text/health.ts";
import { type Access, ANONYMOUS } from "./delegated_access.ts";
import { listenSecurely, provenUser, type SecureListener, type SecureOptions } from "./listen.ts";

/** What there is to tell of a component; asked anew for each request. */
export interface ComponentFace {
  /** By the path's first part. */
  readonly health: Readonly<Record<"healthz" | "livez" | "readyz", HealthChecks>>;
  /** Other texts by their path, such as `/metrics`. */
  readonly documents: Readonly<Record<string, () => ComponentAnswer>>;
}

export interface ComponentRequest {
  readonly method: string;
  /** Path and query. */
  readonly url: string;
  /** Of the Authorization header. */
  readonly authorization?: string;
  /** Whom the connection's certificate proved. */
  readonly peer: UserInfo | null;
}

export interface ComponentAnswer {
  readonly code: number;
  readonly contentType: string;
  readonly text: string;
}

/** Never asked about, as in upstream's components. */
const MASTERS_GROUP = "system:masters";
const PLAIN = "text/plain; charset=utf-8";

/** @returns lines of metrics as their text */
export function metricsAnswer(lines: readonly string[]): ComponentAnswer {
  const contentType = "text/plain; version=0.0.4; charset=utf-8";
  return { code: 200, contentType, text: lines.map((line) => line + "\n").join("") };
}

/** @returns a document as JSON */
export function jsonAnswer(document: unknown, code = 200): ComponentAnswer {
  return { code, contentType: "application/json", text: JSON.stringify(document) };
}

/** Errors: none; what is refused or fails is a Status. */
export async function answerComponent(
  face: ComponentFace,
  access: Access,
  request: ComponentRequest,
): Promise<ComponentAnswer> {
  try {
    return await admitted(face, access, request);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    return jsonAnswer(error.status, error.code);
  }
}

/** Errors: rejects with ApiError. */
async function admitted(
  face: ComponentFace,
  access: Access,
  request: ComponentRequest,
): Promise<ComponentAnswer> {
  const [path, query = ""] = request.url.split("?", 2);
  const [, kind, check] = /^\/(healthz|livez|readyz)(?:\/([^/]+))?$/.exec(path) ?? [];
  const checks = kind === undefined ? null : face.health[kind as keyof ComponentFace["health"]];
  const isRead = request.method === "GET" || request.method === "HEAD";
  // Sums of health are for everybody; what one check has to say is not.
  if (checks === null || check !== undefined || !isRead) await admit(access, request, path);
  if (!isRead) throw methodNotServed();
  if (checks !== null) {
    const health = check === undefined
      ? formatHealth(checks, { kind, query })
      : formatCheck(checks, check);
    if (health !== null) return healthAnswer(health);
  } else if (Object.hasOwn(face.documents, path)) return face.documents[path]();
  throw unknownPath();
}

function healthAnswer({ isGood, text }: Health): ComponentAnswer {
  return { code: isGood ? 200 : 500, contentType: PLAIN, text };
}

/** Errors: rejects with ApiError 401, 403, or 500 where the rules can't be had. */
async function admit(access: Access, request: ComponentRequest, path: string): Promise<void> {
  const user = request.peer ?? await userOfToken(access, request.authorization);
  if (user.groups.includes(MASTERS_GROUP)) return;
  const verb = request.method.toLowerCase();
  const asked = { nonResourceAttributes: { path, verb } };
  const isAllowed = await access.allows(user, asked).catch((error) => {
    if (!(error instanceof ApiError)) throw error;
    throw internalError(`the API server can't be asked: ${error.message}`);
  });
  if (isAllowed) return;
  const place = { group: "", resource: "", namespace: "", name: "" };
  throw accessForbidden({ ...place, user: user.name, verb, path });
}

/**
 * Who shows no token is anonymous, and the rules may let it. A token that can't be asked about is
 * one that nobody knows. Errors: rejects with ApiError 401.
 */
async function userOfToken(access: Access, header = ""): Promise<UserInfo> {
  const [, token] = /^bearer +(\S+) *$/i.exec(header) ?? [];
  if (token === undefined) return ANONYMOUS;
  const user = await access.identify(token).catch((error) => {
    if (error instanceof ApiError) return null;
    throw error;
  });
  if (user === null) throw unauthorized();
  return user;
}

/** Errors: rejects as `listenSecurely` does. */
export function listenComponent(
  options: SecureOptions,
  { face, access }: { readonly face: ComponentFace; readonly access: Access },
): Promise<SecureListener> {
  return listenSecurely(options, (request: IncomingMessage, response: ServerResponse) => {
    // Nothing is served that has a body to read.
    request.resume();
    answerComponent(face, access, {
      method: request.method ?? "",
      url: request.url ?? "",
      authorization: request.headers.authorization,
      peer: provenUser(request.socket),
    }).then(({ code, contentType, text }) => {
      response.writeHead(code, {
        "content-type": contentType,
        "x-content-type-options": "nosniff",
        "cache-control": "no-cache, private",
      });
      response.end(request.method === "HEAD" ? undefined : text);
    });
  });
}
