/**
 * The paths of the OpenAPI documents: of what is served here, and of what other servers serve.
 * In: the tables of resources, documents of other servers. Out: answers to GET.
 * Never: makes a document again that has not changed, or takes a group that is served here from
 * elsewhere. Source: kube-aggregator's controllers/openapi{,v3} (v1.36).
 */
import type { Resource } from "../../../api/resource.ts";
import { buildOpenApiV2, encodeOpenApiV2 } from "../../../api/schema/openapi_v2.ts";
import {
  buildOpenApiV3,
  hashText,
  openApiV3Url,
  openApiV3Versions,
  type VersionDocument,
} from "../../../api/schema/openapi_v3.ts";
import { notAcceptable } from "../../../api/status.ts";
import { mergeOpenApiV2, type OpenApiV2 } from "../../aggregation/plan_openapi.ts";
import type { Aggregation } from "../../aggregation/services.ts";
import type { Core } from "../../verbs/core.ts";
import {
  type ApiRequest,
  type ApiResponse,
  bytesResponse,
  JSON_TYPE,
  jsonResponse,
  textResponse,
} from "../message.ts";
import { ofRows, ROWS } from "./of_rows.ts";

const V2_TYPE = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf";
/** The name that it is asked by is no media type: Go's clients can't read one with an at sign. */
const V2_ANSWER = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";

const NO_BYTES = new Uint8Array(0);

export type OpenApiAnswer = ApiResponse | Promise<ApiResponse> | null;

interface Parts {
  readonly core: Core;
  readonly aggregation: Pick<Aggregation, "documents" | "forward">;
}

/** Texts of the version 3 documents; those of the table's own groups are made once. */
class Documents {
  readonly #own = openApiV3Versions(ROWS);
  readonly #texts = new Map<string, string>();
  readonly #added: () => { versions: VersionDocument[]; texts: Map<string, string> };
  readonly index: () => unknown;

  constructor(readonly parts: Parts) {
    const { core, aggregation } = parts;
    this.#added = ofRows(core, () => ({
      versions: openApiV3Versions(core.custom.rows),
      texts: new Map(),
    }));
    this.index = ofRows(core, () => this.#makeIndex(), () => revisionOf(aggregation));
  }

  answer(path: string, request: ApiRequest): OpenApiAnswer {
    const text = this.#text(path);
    if (text !== undefined) return textResponse(200, text, JSON_TYPE);
    const { aggregation } = this.parts;
    for (const { service, v3, converted } of aggregation.documents.openApi) {
      if (Object.hasOwn(v3, path)) return aggregation.forward(service, request);
      const { group, version } = service.spec!;
      if (converted !== null && path === `apis/${group}/${version}`) {
        return textResponse(200, converted, JSON_TYPE);
      }
    }
    return null;
  }

  #makeIndex(): unknown {
    const urls: Record<string, string> = {};
    for (const { path } of [...this.#own, ...this.#added().versions]) {
      urls[path] = openApiV3Url(path, this.#text(path)!);
    }
    for (const { service, v3, converted } of this.parts.aggregation.documents.openApi) {
      for (const [path, url] of Object.entries(v3)) urls[path] ??= url;
      const { group, version } = service.spec!;
      const path = `apis/${group}/${version}`;
      if (converted !== null) urls[path] ??= openApiV3Url(path, converted);
    }
    const paths = Object.entries(urls).map(([path, url]) => [path, { serverRelativeURL: url }]);
    return { paths: Object.fromEntries(paths) };
  }

  #text(path: string): string | undefined {
    const own = this.#own.find((entry) => entry.path === path);
    if (own !== undefined) return this.#make(this.#texts, ROWS, own);
    const { versions, texts } = this.#added();
    const added = versions.find((entry) => entry.path === path);
    const rows = this.parts.core.custom.rows;
    return added === undefined ? undefined : this.#make(texts, rows, added);
  }

  #make(texts: Map<string, string>, rows: readonly Resource[], of: VersionDocument): string {
    let text = texts.get(of.path);
    if (text === undefined) texts.set(of.path, text = JSON.stringify(buildOpenApiV3(rows, of)));
    return text;
  }
}

function revisionOf({ documents }: Parts["aggregation"]): string {
  return String(documents.openApiRevision);
}

type Add = (
  path: string,
  handler: (request: ApiRequest, parameters: Record<string, string>) => OpenApiAnswer,
) => void;

export function addOpenApi(get: Add, parts: Parts): void {
  const documents = new Documents(parts);
  get("/openapi/v3", () => jsonResponse(200, documents.index()));
  get("/openapi/v3/:path{.+}", (request, { path }) => documents.answer(path, request));
  addV2(get, parts);
}

function addV2(get: Add, { core, aggregation }: Parts): void {
  const own = ofRows(core, buildOpenApiV2);
  const make = () =>
    aggregation.documents.openApi.reduce<OpenApiV2>(
      (merged, { v2 }) => v2 === null ? merged : mergeOpenApiV2(merged, v2),
      own(),
    );
  const beside = () => revisionOf(aggregation);
  const documentOf = ofRows(core, make, beside);
  const jsonOf = ofRows(core, () => JSON.stringify(documentOf()), beside);
  const encodedOf = ofRows(core, () => encodeOpenApiV2(documentOf()), beside);
  const etagOf = ofRows(core, () => hashText(jsonOf()), beside);
  get("/openapi/v2", (request) => {
    const accept = request.header("accept") ?? JSON_TYPE;
    const isProtobuf = accept.includes("proto-openapi.spec.v2");
    if (!isProtobuf && !/application\/json|\*\/\*/.test(accept)) {
      throw notAcceptable([JSON_TYPE, V2_TYPE]);
    }
    const etag = `"${etagOf()}${isProtobuf ? "-protobuf" : ""}"`;
    const headers = ["etag", etag, "vary", "Accept"];
    const answer = request.header("if-none-match") === etag
      ? { ...bytesResponse(200, NO_BYTES, JSON_TYPE), status: 304 }
      : isProtobuf
      ? bytesResponse(200, encodedOf(), V2_ANSWER)
      : textResponse(200, jsonOf(), JSON_TYPE);
    return { ...answer, headers };
  });
}
