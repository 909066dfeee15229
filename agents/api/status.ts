/**
 * Turns an outcome into a Kubernetes Status; nothing else in the project builds one.
 * In: a reason, the resource, a message, field causes. Out: the Status object and ApiError.
 * Never: decides; it only words. Source: apimachinery's api/errors and meta/v1 StatusReason.
 */

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
