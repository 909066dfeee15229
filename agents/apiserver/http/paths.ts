/**
 * The paths beside the API's resources: health, version, discovery, OpenAPI, metrics, JWKS.
 * In: a GET and its path. Out: a response, or null where nothing is served.
 * Never: authorizes; documents are made when first asked for and kept.
 */
import { LinearRouter } from "hono/router/linear-router";
import { hashText } from "../../api/schema/openapi_v3.ts";
import { formatCheck, formatHealth, type HealthChecks } from "../../api/text/health.ts";
import type { Aggregation } from "../aggregation/services.ts";
import type { Core } from "../verbs/core.ts";
import { Discovery } from "./documents/discovery.ts";
import { ofRows } from "./documents/of_rows.ts";
import { addOpenApi } from "./documents/openapi.ts";
import { type ApiRequest, type ApiResponse, jsonResponse, textResponse } from "./message.ts";

const AGGREGATED = /application\/json;[^,]*g=apidiscovery\.k8s\.io[^,]*/;
const AGGREGATED_TYPE = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";

export const SERVER_VERSION = {
  major: "1",
  minor: "36",
  gitVersion: "v1.36.0+balsa",
  gitCommit: "",
  gitTreeState: "clean",
  buildDate: "2026-01-01T00:00:00Z",
  goVersion: "none",
  compiler: "deno",
  platform: "linux/amd64",
} as const;

export interface PathParts {
  readonly core: Core;
  /** What other servers serve. */
  readonly aggregation: Pick<Aggregation, "documents" | "generation" | "forward">;
  /** `10.0.0.1:6443`, for clients that ask where the server is. */
  readonly serverAddress: () => string;
  /** Named checks of readiness; each answers null or what is wrong. */
  readonly checks: HealthChecks;
  /** Text of `/metrics`. */
  readonly metrics: () => string;
}

/** A promise only where another server answers. */
export type PathAnswer = ApiResponse | Promise<ApiResponse> | null;

type PathHandler = (request: ApiRequest, parameters: Record<string, string>) => PathAnswer;

/** The handler of all paths that are not resources. */
export function createPaths(parts: PathParts): (request: ApiRequest) => PathAnswer {
  const router = new LinearRouter<PathHandler>();
  const get = (path: string, handler: PathHandler) => router.add("GET", path, handler);
  addHealth(get, parts);
  addDiscovery(get, parts);
  addOpenApi(get, parts);
  get("/version", () => jsonResponse(200, SERVER_VERSION, true));
  get("/metrics", () => textResponse(200, parts.metrics(), "text/plain; version=0.0.4"));
  get("/openid/v1/jwks", () => ({
    ...jsonResponse(200, parts.core.tokens.jwks),
    contentType: "application/jwk-set+json",
  }));
  get("/.well-known/openid-configuration", () => {
    const { issuer, algorithms } = parts.core.tokens;
    return jsonResponse(200, {
      issuer,
      jwks_uri: `https://${parts.serverAddress()}/openid/v1/jwks`,
      response_types_supported: ["id_token"],
      subject_types_supported: ["public"],
      id_token_signing_alg_values_supported: algorithms,
    });
  });
  return (request) => {
    const path = request.path.length > 1 ? request.path.replace(/\/$/, "") : request.path;
    const [matches] = router.match("GET", path);
    if (matches.length === 0) return null;
    const [handler, parameters] = matches[0];
    return handler(request, parameters as Record<string, string>);
  };
}

type Add = (path: string, handler: PathHandler) => void;

function addHealth(get: Add, { checks }: PathParts): void {
  for (const kind of ["healthz", "livez", "readyz"] as const) {
    get(`/${kind}`, (request) => health(kind, checks, request.query));
    get(`/${kind}/:check`, (_request, { check }) => {
      const found = formatCheck(checks, check);
      return found && textResponse(found.isGood ? 200 : 500, found.text, "text/plain");
    });
  }
  get("/", () => jsonResponse(200, { paths: ROOT_PATHS }, true));
}

const ROOT_PATHS = [
  "/api",
  "/apis",
  "/healthz",
  "/livez",
  "/metrics",
  "/openapi/v2",
  "/openapi/v3",
  "/readyz",
  "/version",
];

function health(kind: string, checks: HealthChecks, query: string): ApiResponse {
  const { isGood, text } = formatHealth(checks, { kind, query });
  const contentType = text === "ok" ? "text/plain" : "text/plain; charset=utf-8";
  return textResponse(isGood ? 200 : 500, text, contentType);
}

function addDiscovery(get: Add, { core, aggregation, serverAddress }: PathParts): void {
  const { documents } = aggregation;
  const discoveryOf = ofRows(
    core,
    (rows) => new Discovery(rows, documents.versions),
    () => `${aggregation.generation}/${documents.discoveryRevision}`,
  );
  const aggregated = (request: ApiRequest, isCore: boolean): ApiResponse | null => {
    if (!AGGREGATED.test(request.header("accept") ?? "")) return null;
    const response = jsonResponse(200, discoveryOf().aggregated(isCore));
    return withEtag(request, { ...response, contentType: AGGREGATED_TYPE });
  };
  get("/api", (request) =>
    aggregated(request, true) ??
      jsonResponse(200, discoveryOf().legacyVersions(serverAddress())));
  get(
    "/apis",
    (request) => aggregated(request, false) ?? jsonResponse(200, discoveryOf().groups()),
  );
  get("/api/:version", (_request, { version }) => {
    const document = discoveryOf().resources("", version);
    return document === undefined ? null : jsonResponse(200, document);
  });
  get("/apis/:group", (_request, { group }) => {
    const document = discoveryOf().group(group);
    return document === undefined ? null : jsonResponse(200, document);
  });
  get("/apis/:group/:version", (_request, { group, version }) => {
    const document = discoveryOf().resources(group, version);
    return document === undefined ? null : jsonResponse(200, document);
  });
}

function withEtag(request: ApiRequest, response: ApiResponse): ApiResponse {
  if (response.body.kind !== "bytes") return response;
  const tag = `"${hashText(new TextDecoder().decode(response.body.bytes))}"`;
  const headers = ["etag", tag, "vary", "Accept", "cache-control", "public"];
  if (request.header("if-none-match") !== tag) return { ...response, headers };
  const body = { kind: "bytes" as const, bytes: new Uint8Array(0) };
  return { ...response, status: 304, headers, body };
}
