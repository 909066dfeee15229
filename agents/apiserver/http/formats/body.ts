/**
 * Reads request bodies: JSON, YAML, CBOR, Kubernetes protobuf; patches; delete options.
 * In: bytes, a Content-Type, how strict to be with unknown fields. Out: drafts this side owns, and
 * warnings for the client.
 * Never: accepts what it can't read: 400, 413, 415 as upstream words them.
 */
import type { DeleteOptions, PatchType, WriteOptions } from "../../../api/call.ts";
import type { KubeObject } from "../../../api/meta.ts";
import type { Resource } from "../../../api/resource.ts";
import { decodeCbor, isSelfDescribed } from "../../../api/schema/cbor.ts";
import { decodeObject, hasMagic } from "../../../api/schema/protobuf.ts";
import { findDuplicates } from "../../../api/schema/duplicates.ts";
import { checkAs, strictMessage } from "../../../api/schema/strict.ts";
import {
  ApiError,
  badRequest,
  requestEntityTooLarge,
  unsupportedMediaType,
} from "../../../api/status.ts";
import { BODY_LIMIT_BYTES } from "../../verbs/core.ts";
import { PATCH_TYPES } from "../../verbs/patch.ts";
import { parseJson, parseYaml } from "./bounded.ts";
import { MEDIA_TYPES } from "./negotiate.ts";

const OBJECT_TYPES = Object.values(MEDIA_TYPES);

/** Apply is one type of patch, in two media types. */
const APPLY_YAML = "application/apply-patch+yaml";
const APPLY_CBOR = "application/apply-patch+cbor";
const BAD_JSON = "couldn't get version/kind; json parse error";
const PATCH_MEDIA_TYPES = [...PATCH_TYPES, APPLY_CBOR];

const DELETE_OPTIONS = {
  kind: "DeleteOptions",
  version: "v1",
  typeName: "io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions",
};

const decoder = new TextDecoder("utf-8", { fatal: true });

export interface DecodedBody {
  readonly object: KubeObject;
  /** Texts for Warning headers. */
  readonly warnings: readonly string[];
}

export interface BodyParts {
  readonly bytes: Uint8Array;
  readonly contentType: string | undefined;
  /** What the body must be. */
  readonly type: Pick<Resource, "kind" | "version" | "typeName" | "custom">;
  readonly validation: WriteOptions["fieldValidation"];
}

/** Errors: throws ApiError 413. */
export function refuseLargeBody(bytes: Uint8Array): void {
  if (bytes.length > BODY_LIMIT_BYTES) throw requestEntityTooLarge(BODY_LIMIT_BYTES);
}

/** A body that is one object. Errors: throws ApiError. */
export function decodeBody(parts: BodyParts): DecodedBody {
  const { bytes } = parts;
  refuseLargeBody(bytes);
  const type = mediaType(parts.contentType);
  if (type === MEDIA_TYPES.protobuf || (type === "" && hasMagic(bytes))) {
    const decoded = decodeObject(bytes);
    if (decoded.kind === "malformed") throw badRequest(decoded.message);
    return { object: decoded.value as KubeObject, warnings: [] };
  }
  const isCbor = type === MEDIA_TYPES.cbor || (type === "" && isSelfDescribed(bytes));
  const text = isCbor ? "" : readText(bytes);
  const value = isCbor ? readCbor(bytes) : decodeText(type, text);
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw badRequest(
      "couldn't get version/kind; json parse error: json: cannot unmarshal " +
        `${goTypeOf(value)} into Go value of type struct { APIVersion string ` +
        '"json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" }',
    );
  }
  // Of the others, keys that stand twice are refused by their readers.
  const isJson = type !== MEDIA_TYPES.yaml && !isCbor;
  const warnings = checkBody(parts, value, isJson ? text : "");
  const object = value as KubeObject;
  object.metadata ??= {};
  return { object, warnings };
}

/** @returns texts for Warning headers. Errors: throws ApiError 400. */
function checkBody(parts: BodyParts, value: object, json: string): readonly string[] {
  const { type, validation = "Warn" } = parts;
  const { kind = type.kind, apiVersion = type.version } = value as KubeObject;
  // Another kind than the path's is refused by its identity, not by its fields.
  if (kind !== type.kind || String(apiVersion).split("/").pop() !== type.version) return [];
  const subject = `${type.kind} in version ${JSON.stringify(type.version)} ` +
    `cannot be handled as a ${type.kind}: `;
  const duplicates = json === "" || validation === "Ignore" ? [] : findDuplicates(json, value);
  const checked = checkAs(type, value);
  if (checked.kind === "error") throw badRequest(subject + checked.message);
  if (validation === "Ignore") return [];
  const problems = [...duplicates, ...checked.unknown];
  if (problems.length > 0 && validation === "Strict") {
    throw badRequest(subject + strictMessage(problems));
  }
  return problems;
}

function goTypeOf(value: unknown): string {
  if (Array.isArray(value)) return "array";
  return typeof value === "boolean" ? "bool" : typeof value;
}

function mediaType(contentType: string | undefined): string {
  if (contentType === undefined || contentType === "application/json") return contentType ?? "";
  return contentType.split(";", 1)[0].trim().toLowerCase();
}

function readText(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes);
  } catch {
    throw badRequest("the body of the request is not valid UTF-8");
  }
}

function decodeText(type: string, text: string): unknown {
  if (type === "" || type === MEDIA_TYPES.json) return readJson(text, BAD_JSON);
  if (type === MEDIA_TYPES.yaml) return readYaml(text, "error converting YAML to JSON");
  throw unsupportedMediaType(OBJECT_TYPES);
}

function readCbor(bytes: Uint8Array): unknown {
  const decoded = decodeCbor(bytes);
  if (decoded.kind === "malformed") throw badRequest(decoded.message);
  return decoded.value;
}

/** @param problem what the refusal begins with */
function readJson(text: string, problem: string): unknown {
  try {
    return parseJson(text);
  } catch (error) {
    throw badRequest(`${problem}: ${(error as Error).message}`);
  }
}

function readYaml(text: string, problem: string): unknown {
  try {
    return parseYaml(text);
  } catch (error) {
    if (error instanceof ApiError) throw error;
    throw badRequest(`${problem}: ${(error as Error).message}`);
  }
}

/** A patch and its type. Errors: throws ApiError 400, 413, 415. */
export function decodePatch(
  bytes: Uint8Array,
  contentType: string | undefined,
): { readonly patchType: PatchType; readonly patch: unknown } {
  refuseLargeBody(bytes);
  const type = mediaType(contentType);
  if (type === APPLY_CBOR) return { patchType: APPLY_YAML, patch: readCbor(bytes) };
  if (!PATCH_TYPES.includes(type)) throw unsupportedMediaType(PATCH_MEDIA_TYPES);
  const text = readText(bytes);
  const patch = type === APPLY_YAML
    ? readYaml(text, "error decoding YAML")
    : readJson(text, "error decoding patch");
  return { patchType: type as PatchType, patch };
}

/** The optional body of a delete. Errors: throws ApiError. */
export function decodeDeleteOptions(
  bytes: Uint8Array,
  contentType: string | undefined,
): DeleteOptions {
  if (bytes.length === 0) return {};
  const { object } = decodeBody({
    bytes,
    contentType,
    type: DELETE_OPTIONS,
    validation: "Ignore",
  });
  const options: DeleteOptions = {};
  const { gracePeriodSeconds, propagationPolicy, preconditions, dryRun, orphanDependents } =
    object as DeleteOptions & KubeObject;
  if (gracePeriodSeconds !== undefined && gracePeriodSeconds !== null) {
    options.gracePeriodSeconds = gracePeriodSeconds;
  }
  if (propagationPolicy) options.propagationPolicy = propagationPolicy;
  if (preconditions) options.preconditions = preconditions;
  if (dryRun?.length) options.dryRun = dryRun;
  if (typeof orphanDependents === "boolean") options.orphanDependents = orphanDependents;
  return options;
}
