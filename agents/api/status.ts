/**
 * Turns an outcome into a Kubernetes Status; nothing else in the project builds one.
 * In: a reason, the resource, a message, field causes. Out: the Status object and ApiError.
 * Never: decides; it only words. Source: apimachinery's api/errors and meta/v1 StatusReason.
 */
import type { FieldError } from "./resource.ts";

/** The reasons of meta/v1, as they travel. */
export type StatusReason =
  | "Unauthorized"
  | "Forbidden"
  | "NotFound"
  | "AlreadyExists"
  | "Conflict"
  | "Gone"
  | "Invalid"
  | "ServerTimeout"
  | "StoreReadError"
  | "Timeout"
  | "TooManyRequests"
  | "BadRequest"
  | "MethodNotAllowed"
  | "NotAcceptable"
  | "RequestEntityTooLarge"
  | "UnsupportedMediaType"
  | "InternalError"
  | "Expired"
  | "ServiceUnavailable";

export interface StatusCause {
  /** FieldValueInvalid, FieldValueRequired, … */
  reason?: string;
  message?: string;
  /** A path such as `spec.containers[0].name`. */
  field?: string;
}

export interface Status {
  kind: "Status";
  apiVersion: "v1";
  metadata: Record<string, unknown>;
  status: "Success" | "Failure";
  message?: string;
  reason?: StatusReason;
  details?: {
    name?: string;
    group?: string;
    kind?: string;
    uid?: string;
    causes?: StatusCause[];
    retryAfterSeconds?: number;
  };
  /** HTTP status code. */
  code?: number;
}

/** An expected failure on its way to the client. */
export class ApiError extends Error {
  override readonly name = "ApiError";
  /** @param status what the client is to read; its message becomes the error's. */
  constructor(readonly status: Status) {
    super(status.message ?? status.reason ?? "unknown failure");
  }

  get reason(): StatusReason | undefined {
    return this.status.reason;
  }

  get code(): number {
    return this.status.code ?? 500;
  }
}

/** Which resource a Status speaks of; `group` is "" for core. */
export interface GroupResource {
  readonly group: string;
  readonly resource: string;
}

interface Failure {
  readonly code: number;
  readonly reason: StatusReason | undefined;
  readonly message: string;
  readonly details?: Status["details"];
}

const CAUSE_TYPES: Readonly<Record<FieldError["type"], readonly [string, string]>> = {
  required: ["FieldValueRequired", "Required value"],
  invalid: ["FieldValueInvalid", "Invalid value"],
  notSupported: ["FieldValueNotSupported", "Unsupported value"],
  duplicate: ["FieldValueDuplicate", "Duplicate value"],
  forbidden: ["FieldValueForbidden", "Forbidden"],
  tooLong: ["FieldValueTooLong", "Too long"],
  tooMany: ["FieldValueTooMany", "Too many"],
  typeInvalid: ["FieldValueTypeInvalid", "Invalid value"],
  notFound: ["FieldValueNotFound", "Not found"],
  internal: ["InternalError", "Internal error"],
};

const VALUELESS: ReadonlySet<FieldError["type"]> = new Set([
  "required",
  "forbidden",
  "tooLong",
  "internal",
]);

/**
 * Words one field problem without its path.
 * @param error the problem; an absent value is left out of the text.
 * @returns for example `Invalid value: -1: must be greater than or equal to 0`.
 * Source: apimachinery util/validation/field.
 */
export function fieldErrorBody(error: FieldError): string {
  let text = CAUSE_TYPES[error.type][1];
  if (!VALUELESS.has(error.type) && error.value !== undefined) {
    text += `: ${JSON.stringify(error.value)}`;
  }
  return error.detail === "" ? text : `${text}: ${error.detail}`;
}

function failure(parts: Failure): ApiError {
  const status: Status = {
    kind: "Status",
    apiVersion: "v1",
    metadata: {},
    status: "Failure",
    message: parts.message,
    ...(parts.reason === undefined ? {} : { reason: parts.reason }),
    ...(parts.details === undefined ? {} : { details: parts.details }),
    code: parts.code,
  };
  return new ApiError(status);
}

function qualified(of: GroupResource): string {
  return of.group === "" ? of.resource : `${of.resource}.${of.group}`;
}

function about(of: GroupResource, name = ""): NonNullable<Status["details"]> {
  return {
    ...(name === "" ? {} : { name }),
    ...(of.group === "" ? {} : { group: of.group }),
    ...(of.resource === "" ? {} : { kind: of.resource }),
  };
}

/** A success with details of what it was about, as a delete or a binding answers. */
export function success(of: GroupResource, name: string, uid?: string): Status {
  const details = { ...about(of, name), ...(uid === undefined ? {} : { uid }) };
  return { kind: "Status", apiVersion: "v1", metadata: {}, status: "Success", details };
}

/** 404: the object is not there. */
export function notFound(of: GroupResource, name: string): ApiError {
  const message = `${qualified(of)} ${JSON.stringify(name)} not found`;
  return failure({ code: 404, reason: "NotFound", message, details: about(of, name) });
}

/** 404: the path names nothing that is served. */
export function unknownPath(): ApiError {
  const message = "the server could not find the requested resource";
  return failure({ code: 404, reason: "NotFound", message, details: {} });
}

/** 409: create of a name that is taken. */
export function alreadyExists(of: GroupResource, name: string): ApiError {
  const message = `${qualified(of)} ${JSON.stringify(name)} already exists`;
  return failure({ code: 409, reason: "AlreadyExists", message, details: about(of, name) });
}

/** 409: no free name was found for a generateName. */
export function generateNameConflict(of: GroupResource, name: string): ApiError {
  const message = `${qualified(of)} ${JSON.stringify(name)} already exists, ` +
    "the server was not able to generate a unique name for the object";
  const details = { ...about(of, name), retryAfterSeconds: 1 };
  return failure({ code: 409, reason: "AlreadyExists", message, details });
}

/** The detail of a lost optimistic update. */
export const OBJECT_MODIFIED = "the object has been modified; " +
  "please apply your changes to the latest version and try again";

/** 409: the object moved on. @param detail defaults to the optimistic lock's sentence. */
export function conflict(of: GroupResource, name: string, detail = OBJECT_MODIFIED): ApiError {
  const message = `Operation cannot be fulfilled on ${qualified(of)} ${
    JSON.stringify(name)
  }: ${detail}`;
  return failure({ code: 409, reason: "Conflict", message, details: about(of, name) });
}

/** 409: a delete or update whose uid precondition fails. */
export function uidConflict(
  of: GroupResource,
  name: string,
  uids: { readonly wanted: string; readonly found: string },
): ApiError {
  const detail = `Precondition failed: UID in precondition: ${uids.wanted}, ` +
    `UID in object meta: ${uids.found}`;
  return conflict(of, name, detail);
}

/** 409: server-side apply meets fields of other managers. */
export function applyConflict(message: string, causes: StatusCause[]): ApiError {
  return failure({ code: 409, reason: "Conflict", message, details: { causes } });
}

/** 422: the object breaks its kind's rules. @param of.resource here names the kind. */
export function invalid(
  of: { readonly group: string; readonly kind: string },
  name: string,
  errors: readonly FieldError[],
): ApiError {
  const kind = { group: of.group, resource: of.kind };
  const lines = [...new Set(errors.map((error) => `${error.path}: ${fieldErrorBody(error)}`))];
  const list = lines.length === 1 ? lines[0] : `[${lines.join(", ")}]`;
  const tail = lines.length === 0 ? "" : `: ${list}`;
  const message = `${qualified(kind)} ${JSON.stringify(name)} is invalid${tail}`;
  const causes = errors.map((error) => ({
    reason: CAUSE_TYPES[error.type][0],
    message: fieldErrorBody(error),
    field: error.path,
  }));
  return failure({
    code: 422,
    reason: "Invalid",
    message,
    details: { ...about(kind, name), causes },
  });
}

/** 401: no accepted identity. */
export function unauthorized(message = "Unauthorized"): ApiError {
  return failure({ code: 401, reason: "Unauthorized", message });
}

/** 403 with a free reason, as admission words it. @param name "" for a collection. */
export function forbidden(of: GroupResource, name: string, reason: string): ApiError {
  const subject = of.resource === ""
    ? ""
    : name === ""
    ? `${qualified(of)} is `
    : `${qualified(of)} ${JSON.stringify(name)} is `;
  const message = `${subject}forbidden: ${reason}`;
  return failure({ code: 403, reason: "Forbidden", message, details: about(of, name) });
}

/** What an authorizer refused. Paths outside the API have no resource. */
export interface RefusedAccess {
  readonly user: string;
  readonly verb: string;
  readonly group: string;
  readonly resource: string;
  readonly subresource?: string;
  readonly namespace: string;
  readonly name: string;
  /** Set for non-resource requests only. */
  readonly path?: string;
  readonly reason?: string;
}

/** 403 as the authorization filter words it. */
export function accessForbidden(access: RefusedAccess): ApiError {
  const who = JSON.stringify(access.user);
  const because = access.reason ? `: ${access.reason}` : "";
  if (access.path !== undefined) {
    const text = `User ${who} cannot ${access.verb} path ${JSON.stringify(access.path)}${because}`;
    return forbidden({ group: "", resource: "" }, "", text);
  }
  const resource = access.subresource
    ? `${access.resource}/${access.subresource}`
    : access.resource;
  const place = access.namespace === ""
    ? "at the cluster scope"
    : `in the namespace ${JSON.stringify(access.namespace)}`;
  const text = `User ${who} cannot ${access.verb} resource ${JSON.stringify(resource)} ` +
    `in API group ${JSON.stringify(access.group)} ${place}${because}`;
  return forbidden({ group: access.group, resource: access.resource }, access.name, text);
}

/** 400: the request can't be understood. */
export function badRequest(message: string): ApiError {
  return failure({ code: 400, reason: "BadRequest", message });
}

/** 405: the resource has no such verb. */
export function methodNotAllowed(of: GroupResource, action: string): ApiError {
  const message = `${action} is not supported on resources of kind ${
    JSON.stringify(qualified(of))
  }`;
  return failure({ code: 405, reason: "MethodNotAllowed", message, details: about(of) });
}

/** 405 for a path that serves no such HTTP method at all. */
export function methodNotServed(): ApiError {
  const message = "the server does not allow this method on the requested resource";
  return failure({ code: 405, reason: "MethodNotAllowed", message, details: {} });
}

/** 406: nothing the client accepts can be produced. */
export function notAcceptable(accepted: readonly string[]): ApiError {
  const message = `only the following media types are accepted: ${accepted.join(", ")}`;
  return failure({ code: 406, reason: "NotAcceptable", message });
}

/** 415: the body is of a kind that is not read. */
export function unsupportedMediaType(accepted: readonly string[]): ApiError {
  const message = "the body of the request was in an unknown format - " +
    `accepted media types include: ${accepted.join(", ")}`;
  return failure({ code: 415, reason: "UnsupportedMediaType", message });
}

/** 413: the body is larger than the limit, or asks for more than one request may. */
export function requestEntityTooLarge(limit: number | string): ApiError {
  const detail = typeof limit === "string" ? limit : `limit is ${limit}`;
  const message = `Request entity too large: ${detail}`;
  return failure({ code: 413, reason: "RequestEntityTooLarge", message });
}

/** 410: history that the answer needs was compacted. */
export function expired(message: string): ApiError {
  return failure({ code: 410, reason: "Expired", message });
}

/** 410: a watch starts before the oldest kept revision. */
export function watchTooOld(): ApiError {
  return expired("The resourceVersion for the provided watch is too old.");
}

/** 410: a watch cache no longer holds the revision. */
export function tooOldResourceVersion(requested: number | string, oldest: number | string) {
  return expired(`too old resource version: ${requested} (${oldest})`);
}

/** 410: a list's continue token outlived its snapshot. @param token an inconsistent one, if any. */
export function continueExpired(token?: string): ApiError {
  if (token === undefined) {
    return expired(
      "The provided continue parameter is too old to display a consistent list result. " +
        "You must start a new list without the continue parameter.",
    );
  }
  const error = expired(
    "The provided continue parameter is too old to display a consistent list result. " +
      "You can start a new list without the continue parameter, or use the continue token in " +
      "this response to retrieve the remainder of the results. Continuing with the provided " +
      "token results in an inconsistent list - objects that were created, modified, or deleted " +
      "between the time the first chunk was returned and now may show up in the list.",
  );
  error.status.metadata.continue = token;
  return error;
}

/** 504: the store is behind the resourceVersion that was asked for. */
export function tooLargeResourceVersion(requested: number | string, current: number | string) {
  const cause = { reason: "ResourceVersionTooLarge", message: "Too large resource version" };
  return failure({
    code: 504,
    reason: "Timeout",
    message: `Timeout: Too large resource version: ${requested}, current: ${current}`,
    details: { causes: [cause], retryAfterSeconds: 1 },
  });
}

/** 504: the work was not done in time. */
export function timeout(message: string, retryAfterSeconds = 0): ApiError {
  const details = retryAfterSeconds > 0 ? { retryAfterSeconds } : {};
  return failure({ code: 504, reason: "Timeout", message: `Timeout: ${message}`, details });
}

/** 500: try again; the operation could not be completed now. */
export function serverTimeout(
  of: GroupResource,
  operation: string,
  retryAfterSeconds: number,
): ApiError {
  const message = `The ${operation} operation against ${qualified(of)} ` +
    "could not be completed at this time, please try again.";
  const details = { ...about(of, operation), retryAfterSeconds };
  return failure({ code: 500, reason: "ServerTimeout", message, details });
}

/** 429: the caller is to slow down, or (eviction) the budget is spent. */
export function tooManyRequests(
  message: string,
  retryAfterSeconds = 1,
  causes?: StatusCause[],
): ApiError {
  const details = { ...(causes ? { causes } : {}), retryAfterSeconds };
  return failure({ code: 429, reason: "TooManyRequests", message, details });
}

/** 503: the server can't serve now. */
export function serviceUnavailable(message: string): ApiError {
  return failure({ code: 503, reason: "ServiceUnavailable", message });
}

/** 500: a failure of ours. @param message must hold no secret. */
export function internalError(message: string): ApiError {
  return failure({
    code: 500,
    reason: "InternalError",
    message: `Internal error occurred: ${message}`,
    details: { causes: [{ message }] },
  });
}
