/**
 * A verb's answer as a response body.
 * In: an answer, the representation that the client wants. Out: an ApiResponse.
 * Never: encodes an object again whose bytes the cache holds.
 */
import { encodeCbor } from "../../../api/schema/cbor.ts";
import type { KubeObject } from "../../../api/meta.ts";
import type { Resource } from "../../../api/resource.ts";
import { badRequest, notAcceptable } from "../../../api/status.ts";
import { encodeUtf8 } from "../../../api/text/utf8.ts";
import type { StoredObject } from "../../cache/stored_object.ts";
import { apiVersionOf, serve, type VerbAnswer } from "../../verbs/core.ts";
import {
  type ApiResponse,
  bytesResponse,
  JSON_TYPE,
  jsonResponse,
  NO_HEADERS,
  textResponse,
} from "../message.ts";
import type { Chunks } from "../slabs.ts";
import { formatYaml, jsonListChunks, listChunks } from "./list_chunks.ts";
import { type Format, MEDIA_TYPES, type Representation } from "./negotiate.ts";
import { listProtobuf, protobufOf, storedProtobuf } from "./protobuf.ts";
import { type IncludeObject, partialListOf, partialOf, tableOf, tableRow } from "./table.ts";

export interface EncodeParts {
  readonly resource: Resource;
  readonly representation: Representation;
  readonly query: URLSearchParams;
  readonly nowMillis: number;
  readonly warnings: readonly string[];
}

/** A promise only where the answer is a list that takes turns to make. */
export function encodeAnswer(
  answer: VerbAnswer,
  parts: EncodeParts,
): ApiResponse | Promise<ApiResponse> {
  const { warnings, representation: { format } } = parts;
  if (isList(answer)) {
    if (format === "protobuf") return encodeProtobufList(answer, parts);
    return withWarnings(encodeList(answer, { ...parts, format }), warnings);
  }
  return withWarnings(encodeBody(answer, parts), warnings);
}

type ListAnswer = Extract<VerbAnswer, { kind: "list" | "plainList" }>;

function isList(answer: VerbAnswer): answer is ListAnswer {
  return answer.kind === "list" || answer.kind === "plainList";
}

async function encodeProtobufList(
  answer: ListAnswer,
  { resource, representation: { shape }, warnings }: EncodeParts,
): Promise<ApiResponse> {
  if (shape === "partial") throw notAcceptable([JSON_TYPE]);
  const chunks = await listProtobuf(resource, { ...answer, isPartial: shape === "partialList" });
  return withWarnings(chunksResponse({ chunks }, MEDIA_TYPES.protobuf), warnings);
}

function chunksResponse(body: Chunks, contentType: string): ApiResponse {
  return { status: 200, contentType, headers: NO_HEADERS, body: { kind: "chunks", ...body } };
}

/** The response with a Warning header for each text. */
export function withWarnings(response: ApiResponse, warnings: readonly string[]): ApiResponse {
  if (warnings.length === 0) return response;
  return { ...response, headers: [...response.headers, ...warningHeaders(warnings)] };
}

/** One header a warning, as RFC 7234 has it. */
export function warningHeaders(warnings: readonly string[]): string[] {
  return warnings.flatMap((text) => {
    const quoted = text.replaceAll("\\", "\\\\").replaceAll('"', '\\"');
    return ["warning", `299 - "${headerText(quoted)}"`];
  });
}

/** A header carries bytes: each of the text's UTF-8 as a character of its own, no control ones. */
function headerText(text: string): string {
  if (/^[\x20-\x7e]*$/.test(text)) return text;
  const bytes = encodeUtf8(text.replace(/\p{Cc}/gu, " "));
  return Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
}

function encodeBody(answer: Exclude<VerbAnswer, ListAnswer>, parts: EncodeParts): ApiResponse {
  const { format, shape } = parts.representation;
  const status = answer.created ? 201 : 200;
  const isPretty = wantsPretty(parts.query);
  if (shape === "object" && answer.kind === "stored") {
    if (format === "json" && !isPretty && parts.resource.storedAs === undefined) {
      return bytesResponse(status, answer.stored.json, JSON_TYPE);
    }
    if (format === "protobuf") {
      const bytes = storedProtobuf(parts.resource, answer.stored);
      return bytesResponse(status, bytes, MEDIA_TYPES.protobuf);
    }
  }
  return encodeValue(status, shapeAnswer(answer, parts), { format, isPretty });
}

/** A value that no cache holds, in any format. */
export function encodeValue(
  status: number,
  value: unknown,
  { format, isPretty = false }: { readonly format: Format; readonly isPretty?: boolean },
): ApiResponse {
  switch (format) {
    case "json":
      return jsonResponse(status, value, isPretty);
    case "yaml":
      return textResponse(status, formatYaml(value), MEDIA_TYPES.yaml);
    case "cbor":
      return bytesResponse(status, encodeCbor(value), MEDIA_TYPES.cbor);
    case "protobuf":
      return bytesResponse(status, protobufOf(value as KubeObject), MEDIA_TYPES.protobuf);
  }
}

function wantsPretty(query: URLSearchParams): boolean {
  const text = query.get("pretty");
  return text !== null && text !== "false" && text !== "0";
}

/** Errors: throws ApiError 406 for a shape that the answer can't take. */
function shapeAnswer(answer: Exclude<VerbAnswer, ListAnswer>, parts: EncodeParts): unknown {
  const { resource, representation, query, nowMillis } = parts;
  const object = answer.kind === "plain" ? answer.object : serve(resource, answer.stored);
  if (answer.kind === "plain" && object.kind === "Status") return object;
  switch (representation.shape) {
    case "object":
      return object;
    case "table":
      return tableOf({
        resource,
        objects: [object],
        metadata: { resourceVersion: object.metadata.resourceVersion ?? "" },
        include: includeOf(query),
        nowMillis,
        withColumns: true,
      });
    case "partial":
      return partialOf(object);
    case "partialList":
      throw notAcceptable([JSON_TYPE]);
  }
}

/** Errors: throws ApiError 400. */
export function includeOf(query: URLSearchParams): IncludeObject {
  const text = query.get("includeObject") || "Metadata";
  if (text === "None" || text === "Metadata" || text === "Object") return text;
  throw badRequest(`unrecognized includeObject value: ${JSON.stringify(text)}`);
}

/** A list of any length in any shape; its items are encoded as they are sent. */
function encodeList(
  answer: ListAnswer,
  parts: EncodeParts & { readonly format: Exclude<Format, "protobuf"> },
): ApiResponse {
  const { resource, format, representation: { shape }, query } = parts;
  const isPretty = wantsPretty(query);
  const members = {
    kind: `${resource.kind}List`,
    apiVersion: apiVersionOf(resource),
    metadata: answer.metadata,
  };
  if (shape === "object" && format === "json" && !isPretty && answer.kind === "list") {
    const chunks = jsonListChunks(members, answer.items, (item) => jsonOf(resource, item));
    return chunksResponse({ chunks }, JSON_TYPE);
  }
  const layout = { format, isPretty, ...shapeList(answer, parts, members) };
  const chunks = answer.kind === "list"
    ? listChunks(layout, answer.items, (item) => layout.valueOf(serve(resource, item)))
    : listChunks(layout, answer.items, layout.valueOf);
  return chunksResponse({ chunks, isDear: true }, MEDIA_TYPES[format]);
}

interface ShapedList {
  readonly members: Readonly<Record<string, unknown>>;
  /** The member that holds the items. */
  readonly field: string;
  readonly valueOf: (object: KubeObject) => unknown;
}

/** Errors: throws ApiError 400, 406. */
function shapeList(
  answer: ListAnswer,
  { resource, representation, query, nowMillis }: EncodeParts,
  members: ShapedList["members"],
): ShapedList {
  const { metadata } = answer;
  switch (representation.shape) {
    case "object":
      return { members, field: "items", valueOf: (object) => object };
    case "table": {
      const include = includeOf(query);
      const shape = { resource, include, nowMillis };
      const table = tableOf({ ...shape, objects: [], metadata, withColumns: true });
      return {
        members: { ...table, rows: undefined },
        field: "rows",
        valueOf: (object) => tableRow(object, shape),
      };
    }
    case "partialList":
      return {
        members: { ...partialListOf([], metadata), items: undefined },
        field: "items",
        valueOf: partialOf,
      };
    case "partial":
      throw notAcceptable([JSON_TYPE]);
  }
}

/** JSON of an object as a resource serves it. */
export function jsonOf(resource: Resource, stored: StoredObject): Uint8Array {
  if (resource.storedAs === undefined) return stored.json;
  return encodeUtf8(JSON.stringify(serve(resource, stored)));
}
