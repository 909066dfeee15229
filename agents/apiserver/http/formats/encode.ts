/**
 * A verb's answer as a response body.
 * In: an answer, the representation that the client wants. Out: an ApiResponse.
 * Never: encodes an object again whose bytes the cache holds.
 */
import { stringify as stringifyYaml } from "yaml";
import { encodeCbor } from "../../../api/schema/cbor.ts";
import type { KubeObject, ListMeta } from "../../../api/meta.ts";
import type { Resource } from "../../../api/resource.ts";
import { badRequest, notAcceptable } from "../../../api/status.ts";
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

const encoder = new TextEncoder();
const COMMA = encoder.encode(",");
const LIST_TAIL = encoder.encode("]}\n");

/** A promise only where the answer is a list that takes turns to make. */
export function encodeAnswer(
  answer: VerbAnswer,
  parts: EncodeParts,
): ApiResponse | Promise<ApiResponse> {
  const { format, shape } = parts.representation;
  if (format === "protobuf" && shape === "object" && answer.kind === "list") {
    return encodeProtobufList(answer, parts);
  }
  return withWarnings(encodeBody(answer, parts), parts.warnings);
}

async function encodeProtobufList(
  { items, metadata }: Extract<VerbAnswer, { kind: "list" }>,
  { resource, warnings }: EncodeParts,
): Promise<ApiResponse> {
  const chunks = await listProtobuf(resource, items, metadata);
  return withWarnings({
    status: 200,
    contentType: MEDIA_TYPES.protobuf,
    headers: NO_HEADERS,
    body: { kind: "chunks", chunks },
  }, warnings);
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
  const bytes = encoder.encode(text.replace(/\p{Cc}/gu, " "));
  return Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
}

function encodeBody(answer: VerbAnswer, parts: EncodeParts): ApiResponse {
  const { format, shape } = parts.representation;
  const status = "created" in answer && answer.created ? 201 : 200;
  const isPretty = wantsPretty(parts.query);
  if (format === "json" && shape === "object" && !isPretty) {
    if (answer.kind === "list") return encodeList(answer, parts.resource);
    if (answer.kind === "stored" && parts.resource.storedAs === undefined) {
      return bytesResponse(status, answer.stored.json, JSON_TYPE);
    }
  }
  if (format === "json" && answer.kind === "list" && answer.items.length > 1 && !isPretty) {
    if (shape === "table" || shape === "partialList") return encodeShapedList(answer, parts);
  }
  if (format === "protobuf" && shape === "object") {
    if (answer.kind === "stored") {
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
      return textResponse(status, stringifyYaml(value, { lineWidth: 0 }), MEDIA_TYPES.yaml);
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
function shapeAnswer(answer: VerbAnswer, parts: EncodeParts): unknown {
  const { resource, representation } = parts;
  const objects = objectsOf(answer, resource);
  const isStatus = answer.kind === "plain" && answer.object.kind === "Status";
  if (isStatus) return objects[0];
  const isList = answer.kind === "list" || answer.kind === "plainList";
  const metadata: ListMeta = isList
    ? answer.metadata
    : { resourceVersion: objects[0].metadata.resourceVersion ?? "" };
  switch (representation.shape) {
    case "object":
      if (!isList) return objects[0];
      return {
        kind: `${resource.kind}List`,
        apiVersion: apiVersionOf(resource),
        metadata,
        items: objects,
      };
    case "table":
      return tableOf({
        resource,
        objects,
        metadata,
        include: includeOf(parts.query),
        nowMillis: parts.nowMillis,
        withColumns: true,
      });
    case "partial":
      if (isList) throw notAcceptable([JSON_TYPE]);
      return partialOf(objects[0]);
    case "partialList":
      if (!isList) throw notAcceptable([JSON_TYPE]);
      return partialListOf(objects, metadata);
  }
}

function objectsOf(answer: VerbAnswer, resource: Resource): readonly KubeObject[] {
  switch (answer.kind) {
    case "plain":
      return [answer.object];
    case "stored":
      return [serve(resource, answer.stored)];
    case "plainList":
      return answer.items;
    case "list":
      return answer.items.map((stored) => serve(resource, stored));
  }
}

/** Errors: throws ApiError 400. */
export function includeOf(query: URLSearchParams): IncludeObject {
  const text = query.get("includeObject") || "Metadata";
  if (text === "None" || text === "Metadata" || text === "Object") return text;
  throw badRequest(`unrecognized includeObject value: ${JSON.stringify(text)}`);
}

function encodeList(
  answer: Extract<VerbAnswer, { kind: "list" }>,
  resource: Resource,
): ApiResponse {
  const head = `{"kind":${JSON.stringify(resource.kind + "List")},"apiVersion":` +
    `${JSON.stringify(apiVersionOf(resource))},"metadata":${JSON.stringify(answer.metadata)},` +
    `"items":[`;
  const chunks = listChunks(encoder.encode(head), answer.items, (item) => jsonOf(resource, item));
  return {
    status: 200,
    contentType: JSON_TYPE,
    headers: NO_HEADERS,
    body: { kind: "chunks", chunks },
  };
}

/** A table or a list of metadata: an empty one, whose rows or items follow one by one. */
function encodeShapedList(
  answer: Extract<VerbAnswer, { kind: "list" }>,
  parts: EncodeParts,
): ApiResponse {
  const { resource, nowMillis, representation: { shape } } = parts;
  const field = shape === "table" ? "rows" : "items";
  const shaped = (items: readonly StoredObject[]) =>
    shapeAnswer({ ...answer, items }, parts) as Record<string, unknown>;
  const empty = JSON.stringify({ ...shaped([]), [field]: undefined });
  const head = encoder.encode(`${empty.slice(0, -1)},"${field}":[`);
  const include = includeOf(parts.query);
  const chunks = listChunks(head, answer.items, (stored) => {
    const object = serve(resource, stored);
    const one = shape === "table"
      ? tableRow(object, { resource, include, nowMillis })
      : partialOf(object);
    return encoder.encode(JSON.stringify(one));
  });
  return {
    status: 200,
    contentType: JSON_TYPE,
    headers: NO_HEADERS,
    body: { kind: "chunks", chunks },
  };
}

/** A JSON list piece by piece; each item is encoded when it is taken. */
function* listChunks<T>(
  head: Uint8Array,
  items: readonly T[],
  encode: (item: T) => Uint8Array,
): Iterable<Uint8Array> {
  yield head;
  for (let i = 0; i < items.length; i++) {
    if (i > 0) yield COMMA;
    yield encode(items[i]);
  }
  yield LIST_TAIL;
}

/** JSON of an object as a resource serves it. */
export function jsonOf(resource: Resource, stored: StoredObject): Uint8Array {
  if (resource.storedAs === undefined) return stored.json;
  return encoder.encode(JSON.stringify(serve(resource, stored)));
}
