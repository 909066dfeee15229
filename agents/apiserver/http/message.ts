/**
 * A request and a response without a socket: what the handler takes and gives.
 * In: nothing. Out: types and the JSON encoders of small bodies.
 * Never: a stream library; a body is bytes, chunks of bytes, or a running stream of them.
 */
import type { UserInfo } from "../../api/meta.ts";
import type { ApiError } from "../../api/status.ts";
import { encodeUtf8 } from "../../api/text/utf8.ts";
import type { AuditTrail } from "../audit/trail.ts";
import type { Chunks } from "./slabs.ts";

export interface ApiRequest {
  /** `GET` */
  readonly method: string;
  /** As sent, percent-encoded, without the query. */
  readonly path: string;
  /** As sent, without the question mark. */
  readonly query: string;
  /** One header by its lower-case name. */
  readonly header: (name: string) => string | undefined;
  /** All headers, name and value in turn, as they came; absent in tests. */
  readonly fields?: () => readonly string[];
  readonly body: Uint8Array;
  readonly user: UserInfo;
  /** Address of the peer, without its port. */
  readonly remoteAddress?: string;
  /** What is written down of the request; absent where nothing is. */
  readonly trail?: AuditTrail;
}

/** Bytes of a watch or a log, until it ends or is closed. */
export interface ByteStream extends AsyncIterable<Uint8Array> {
  /** The client went away. */
  close(): void;
}

export type ResponseBody =
  | { readonly kind: "bytes"; readonly bytes: Uint8Array }
  /** Joined they are the body; kept apart so that a long list is not copied. */
  | { readonly kind: "chunks" } & Chunks
  | { readonly kind: "stream"; readonly stream: ByteStream };

export interface ApiResponse {
  readonly status: number;
  readonly contentType: string;
  /** Further headers, lower-case name and value in turn. */
  readonly headers: readonly string[];
  readonly body: ResponseBody;
}

export const JSON_TYPE = "application/json";
export const NO_HEADERS: readonly string[] = [];

export function textResponse(status: number, text: string, contentType: string): ApiResponse {
  return bytesResponse(status, encodeUtf8(text), contentType);
}

export function bytesResponse(
  status: number,
  bytes: Uint8Array,
  contentType: string,
): ApiResponse {
  return { status, contentType, headers: NO_HEADERS, body: { kind: "bytes", bytes } };
}

export function jsonResponse(status: number, value: unknown, isPretty = false): ApiResponse {
  const text = isPretty ? JSON.stringify(value, null, 2) + "\n" : JSON.stringify(value) + "\n";
  return textResponse(status, text, JSON_TYPE);
}

/** The response to a failure, as JSON or as what `encode` makes of its Status. */
export function errorResponse(
  error: ApiError,
  encode: (code: number, status: ApiError["status"]) => ApiResponse = jsonResponse,
): ApiResponse {
  const response = encode(error.code, error.status);
  const headers: string[] = [];
  const retryAfter = error.status.details?.retryAfterSeconds;
  if (retryAfter) headers.push("retry-after", String(retryAfter));
  if (error.code === 401) headers.push("www-authenticate", 'Bearer realm="kubernetes"');
  return { ...response, headers };
}
