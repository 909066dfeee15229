/**
 * The paths beside the API's resources: health, version, discovery, OpenAPI, metrics, JWKS.
 * In: a GET and its path. Out: a response, or null where nothing is served.
 * Never: authorizes; documents are made when first asked for and kept.
 */
import { LinearRouter } from "hono/router/linear-router";
import type { Resource } from "../../api/resource.ts";
import { resources, virtualResources } from "../../api/resources.ts";
import { buildOpenApiV2, encodeOpenApiV2 } from "../../api/schema/openapi_v2.ts";
import {
  buildOpenApiV3,
  buildOpenApiV3Index,
  hashText,
  openApiV3Versions,
  type VersionDocument,
} from "../../api/schema/openapi_v3.ts";
import { notAcceptable } from "../../api/status.ts";
import type { Aggregation } from "../aggregation/services.ts";
import type { Core } from "../verbs/core.ts";
import { Discovery } from "./discovery.ts";
import {
  type ApiRequest,
  type ApiResponse,
  JSON_TYPE,
  jsonResponse,
  NO_HEADERS,
  textResponse,
} from "./message.ts";

const ROWS = [...resources, ...virtualResources];

/** Something made of the rows, again whenever the definitions have changed. */
function ofRows<T>(
  core: Core,
  make: (rows: readonly Resource[]) => T,
  beside?: Pick<Aggregation, "rows" | "generation">,
): () => T {
  let generation = "";
  let made: T;
  return () => {
    const now = `${core.custom.generation}/${beside?.generation}`;
    if (generation !== now) {
      generation = now;
      made = make([...ROWS, ...core.custom.rows, ...(beside?.rows ?? [])]);
    }
    return made;
  };
}
const AGGREGATED = /application\/json;[^,]*g=apidiscovery\.k8s\.io[^,]*/;
const AGGREGATED_TYPE = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
const OPENAPI_V2_TYPE = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf";
/** The name that it is asked by is no media type: Go's clients can't read one with an at sign. */
const OPENAPI_V2_ANSWER = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";

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
  /** What other servers serve, for discovery. */
  readonly aggregation: Pick<Aggregation, "rows" | "generation">;
  /** `10.0.0.1:6443`, for clients that ask where the server is. */
  readonly serverAddress: () => string;
  /** Named checks of readiness; each answers null or what is wrong. */
  readonly checks: Readonly<Record<string, () => string | null>>;
  /** Text of `/metrics`. */
  readonly metrics: () => string;
}

type PathHandler = (request: ApiRequest, parameters: Record<string, string>) => ApiResponse | null;

/** The handler of all paths that are not resources. */
export function createPaths(parts: PathParts): (request: ApiRequest) => ApiResponse | null {
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
      if (check !== "ping" && !Object.hasOwn(checks, check)) return null;
      const problem = checks[check]?.() ?? null;
      return textResponse(problem === null ? 200 : 500, problem ?? "ok", "text/plain");
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

function health(kind: string, checks: PathParts["checks"], query: string): ApiResponse {
  const parameters = new URLSearchParams(query);
  const excluded = new Set(parameters.getAll("exclude"));
  const lines = ["[+]ping ok"];
  let isGood = true;
  for (const name of Object.keys(checks)) {
    const problem = excluded.has(name) ? null : checks[name]();
    if (problem !== null) isGood = false;
    lines.push(problem === null ? `[+]${name} ok` : `[-]${name} failed: reason withheld`);
  }
  const verdict = `${kind} check ${isGood ? "passed" : "failed"}\n`;
  if (isGood && !parameters.has("verbose")) return textResponse(200, "ok", "text/plain");
  const text = lines.join("\n") + "\n" + verdict;
  return textResponse(isGood ? 200 : 500, text, "text/plain; charset=utf-8");
}

function addDiscovery(get: Add, { core, aggregation, serverAddress }: PathParts): void {
  const discoveryOf = ofRows(core, (rows) => new Discovery(rows), aggregation);
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

/** Texts of the documents; those of the table's own groups are made once. */
class Documents {
  readonly #own = openApiV3Versions(ROWS);
  readonly #texts = new Map<string, string>();
  readonly #added: () => { versions: VersionDocument[]; texts: Map<string, string> };

  constructor(readonly core: Core) {
    this.#added = ofRows(core, () => ({
      versions: openApiV3Versions(core.custom.rows),
      texts: new Map(),
    }));
  }

  text(path: string): string | undefined {
    const own = this.#own.find((entry) => entry.path === path);
    if (own !== undefined) return this.#make(this.#texts, ROWS, own);
    const { versions, texts } = this.#added();
    const added = versions.find((entry) => entry.path === path);
    return added === undefined ? undefined : this.#make(texts, this.core.custom.rows, added);
  }

  index(): Record<string, unknown> {
    const paths = [...this.#own, ...this.#added().versions].map(({ path }) => path);
    return buildOpenApiV3Index(paths.map((path) => ({ path, text: this.text(path)! })));
  }

  #make(texts: Map<string, string>, rows: readonly Resource[], of: VersionDocument): string {
    let text = texts.get(of.path);
    if (text === undefined) texts.set(of.path, text = JSON.stringify(buildOpenApiV3(rows, of)));
    return text;
  }
}

function addOpenApi(get: Add, { core }: PathParts): void {
  const documents = new Documents(core);
  const index = ofRows(core, () => documents.index());
  get("/openapi/v3", () => jsonResponse(200, index()));
  const document = (path: string): ApiResponse | null => {
    const text = documents.text(path);
    return text === undefined ? null : textResponse(200, text, JSON_TYPE);
  };
  get("/openapi/v3/api/:version", (_request, { version }) => document(`api/${version}`));
  get(
    "/openapi/v3/apis/:group/:version",
    (_request, { group, version }) => document(`apis/${group}/${version}`),
  );
  addOpenApiV2(get, core);
}

function addOpenApiV2(get: Add, core: Core): void {
  const documentOf = ofRows(core, buildOpenApiV2);
  const encodedOf = ofRows(core, () => encodeOpenApiV2(documentOf()));
  get("/openapi/v2", (request) => {
    const accept = request.header("accept") ?? JSON_TYPE;
    if (accept.includes("proto-openapi.spec.v2")) {
      const body = { kind: "bytes" as const, bytes: encodedOf() };
      return { status: 200, contentType: OPENAPI_V2_ANSWER, headers: NO_HEADERS, body };
    }
    if (/application\/json|\*\/\*/.test(accept)) return jsonResponse(200, documentOf());
    throw notAcceptable([JSON_TYPE, OPENAPI_V2_TYPE]);
  });
}
