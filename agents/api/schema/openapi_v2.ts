/**
 * The document of /openapi/v2, as JSON and as the protobuf that kubectl asks for.
 * In: rows of resources. Out: a plain object; its bytes in gnostic's message layout.
 * Never: HTTP. Source: gnostic-models openapiv2/OpenAPIv2.proto (field numbers).
 */
import type { Resource } from "../resource.ts";
import { customSchemas } from "./openapi/custom.ts";
import { pathsOf, referredTypes } from "./openapi/paths.ts";
import { collectSchemas, V2 } from "./openapi/schemas.ts";
import { ProtobufWriter } from "./protobuf_wire.ts";

// deno-lint-ignore no-explicit-any
type Json = any;

/** One document for all groups. */
export function buildOpenApiV2(rows: readonly Resource[]): Record<string, unknown> {
  const paths: Record<string, unknown> = {};
  for (const row of rows) Object.assign(paths, pathsOf(row, V2));
  return {
    swagger: "2.0",
    info: { title: "Kubernetes", version: "v1.36.0" },
    paths: Object.fromEntries(Object.entries(paths).sort(([a], [b]) => a < b ? -1 : 1)),
    definitions: {
      ...collectSchemas(rows.flatMap(referredTypes), V2),
      ...customSchemas(rows, V2),
    },
  };
}

const text = new TextEncoder();

type Fill = (writer: ProtobufWriter) => void;

function message(writer: ProtobufWriter, number: number, fill: Fill): void {
  const inner = new ProtobufWriter();
  fill(inner);
  writer.bytesField(number, inner.finish());
}

function string(writer: ProtobufWriter, number: number, value: string | undefined): void {
  if (value !== undefined && value !== "") writer.bytesField(number, text.encode(value));
}

function flag(writer: ProtobufWriter, number: number, value: boolean | undefined): void {
  if (value) writer.integerField(number, 1);
}

/** `additionalProperties`-like lists: a name and a value in a message of their own. */
function named(writer: ProtobufWriter, number: number, name: string, fill: Fill): void {
  message(writer, number, (entry) => {
    string(entry, 1, name);
    message(entry, 2, fill);
  });
}

/** Vendor extensions travel as YAML text, of which JSON is a part. */
function extensions(writer: ProtobufWriter, number: number, source: Json): void {
  for (const key of Object.keys(source)) {
    if (!key.startsWith("x-")) continue;
    named(writer, number, key, (any) => string(any, 2, `${JSON.stringify(source[key])}\n`));
  }
}

/** @param document what `buildOpenApiV2` made. @returns bytes of gnostic's Document message. */
export function encodeOpenApiV2(document: Json): Uint8Array {
  const writer = new ProtobufWriter();
  string(writer, 1, document.swagger);
  message(writer, 2, (info) => {
    string(info, 1, document.info.title);
    string(info, 2, document.info.version);
  });
  message(writer, 8, (paths) => {
    for (const [path, item] of Object.entries<Json>(document.paths)) {
      named(paths, 2, path, (inner) => pathItem(inner, item));
    }
  });
  message(writer, 9, (definitions) => {
    for (const [name, definition] of Object.entries<Json>(document.definitions)) {
      named(definitions, 1, name, (inner) => schema(inner, definition));
    }
  });
  return writer.finish();
}

const METHOD_NUMBERS = { get: 2, put: 3, post: 4, delete: 5, patch: 8 } as const;

function pathItem(writer: ProtobufWriter, item: Json): void {
  for (const [method, number] of Object.entries(METHOD_NUMBERS)) {
    if (item[method]) message(writer, number, (inner) => operation(inner, item[method]));
  }
  for (const parameter of item.parameters ?? []) {
    message(writer, 9, (inner) => parameterItem(inner, parameter));
  }
}

function operation(writer: ProtobufWriter, source: Json): void {
  string(writer, 5, source.operationId);
  for (const type of source.produces ?? []) string(writer, 6, type);
  for (const type of source.consumes ?? []) string(writer, 7, type);
  for (const parameter of source.parameters ?? []) {
    message(writer, 8, (inner) => parameterItem(inner, parameter));
  }
  message(writer, 9, (responses) => {
    for (const [code, response] of Object.entries<Json>(source.responses ?? {})) {
      named(responses, 1, code, (value) =>
        message(value, 1, (inner) => {
          string(inner, 1, response.description);
          if (response.schema === undefined) return;
          message(
            inner,
            2,
            (item) => message(item, 1, (target) => schema(target, response.schema)),
          );
        }));
    }
  });
  extensions(writer, 13, source);
}

const PLACE_NUMBERS: Readonly<Record<string, number>> = { header: 1, query: 3, path: 4 };

function parameterItem(writer: ProtobufWriter, source: Json): void {
  message(writer, 1, (parameter) => {
    if (source.in === "body") {
      message(parameter, 1, (body) => {
        string(body, 2, source.name);
        string(body, 3, source.in);
        flag(body, 4, source.required);
        message(body, 5, (inner) => schema(inner, source.schema ?? {}));
      });
      return;
    }
    const isPath = source.in !== "query";
    message(
      parameter,
      2,
      (nonBody) =>
        message(nonBody, PLACE_NUMBERS[source.in] ?? PLACE_NUMBERS.query, (inner) => {
          flag(inner, 1, source.required);
          string(inner, 2, source.in);
          string(inner, 4, source.name);
          string(inner, isPath ? 5 : 6, source.type);
          flag(inner, isPath ? 18 : 20, source.uniqueItems);
        }),
    );
  });
}

function schema(writer: ProtobufWriter, source: Json): void {
  string(writer, 1, source.$ref);
  string(writer, 2, source.format);
  if (source.default !== undefined) {
    message(writer, 5, (any) => string(any, 2, `${JSON.stringify(source.default)}\n`));
  }
  for (const name of source.required ?? []) string(writer, 19, name);
  for (const value of source.enum ?? []) {
    message(writer, 20, (any) => string(any, 2, `${JSON.stringify(value)}\n`));
  }
  if (source.additionalProperties) {
    message(
      writer,
      21,
      (item) =>
        source.additionalProperties === true
          ? flag(item, 2, true)
          : message(item, 1, (inner) => schema(inner, source.additionalProperties)),
    );
  }
  if (source.type) {
    message(writer, 22, (types) => {
      for (const type of [source.type].flat()) string(types, 1, type);
    });
  }
  if (source.items) {
    message(writer, 23, (items) => message(items, 1, (inner) => schema(inner, source.items)));
  }
  if (source.properties) {
    message(writer, 25, (properties) => {
      for (const [name, property] of Object.entries<Json>(source.properties)) {
        named(properties, 1, name, (inner) => schema(inner, property));
      }
    });
  }
  extensions(writer, 31, source);
}
