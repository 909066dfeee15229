/**
 * Bodies of requests, answers and watches between objects and bytes, for every transport.
 * In: objects, or bytes as they arrive. Out: bytes, or objects and ApiErrors.
 * Never: trusts that an answer is a Status: proxies and load balancers give their own.
 */
import type { KubeObject, WatchEvent } from "../../api/meta.ts";
import { ApiError, serviceUnavailable, type Status, type StatusReason } from "../../api/status.ts";
import { joinBytes } from "../../api/text/join_bytes.ts";
import { encodeUtf8 } from "../../api/text/utf8.ts";
import type { TransportRequest } from "./transport.ts";

const decoder = new TextDecoder();
const NEWLINE = 10;

export function encodeBody({ body }: TransportRequest): Uint8Array<ArrayBuffer> | undefined {
  return body === undefined ? undefined : encodeUtf8(JSON.stringify(body));
}

/** Text that arrives in pieces, which may cut a character in two. */
export class BodyText {
  readonly #pieces: Uint8Array[] = [];

  /** @param bytes may be reused after the call */
  push(bytes: Uint8Array): void {
    this.#pieces.push(bytes.slice());
  }

  finish(): string {
    // Decoding whole texts spares each answer a decoder that remembers half a character.
    return decoder.decode(joinBytes(this.#pieces));
  }
}

/** Splits the body of a watch into lines, and hands on all whole lines of a piece as one batch. */
export class EventLines<T extends KubeObject> {
  readonly #decoder = new TextDecoder();
  #rest = "";

  /**
   * @param bytes may be reused after the call
   * Errors: throws ApiError where a line is no JSON.
   */
  push(bytes: Uint8Array): WatchEvent<T>[] {
    const text = this.#rest + this.#decoder.decode(bytes, { stream: true });
    if (bytes.indexOf(NEWLINE) < 0) {
      this.#rest = text;
      return [];
    }
    const events: WatchEvent<T>[] = [];
    let start = 0;
    for (let end; (end = text.indexOf("\n", start)) >= 0; start = end + 1) {
      if (end > start) events.push(readEvent(text.slice(start, end)));
    }
    this.#rest = text.slice(start);
    return events;
  }
}

function readEvent<T extends KubeObject>(line: string): WatchEvent<T> {
  try {
    return JSON.parse(line);
  } catch {
    throw unreadable(200, "an event of the watch is no JSON");
  }
}

/** @returns the object that an answer carries, or the failure that it is */
export function parseAnswer(code: number, text: string): unknown | ApiError {
  let answer: unknown;
  try {
    answer = JSON.parse(text);
  } catch {
    return unreadable(code, text);
  }
  if (code >= 200 && code < 300) return answer;
  const status = answer as Partial<Status> | null;
  return status?.kind === "Status" ? new ApiError(status as Status) : unreadable(code, text);
}

/** As `parseAnswer`, for an answer that must be a failure. */
export function parseFailure(code: number, text: string): ApiError {
  const answer = parseAnswer(code, text);
  return answer instanceof ApiError ? answer : unreadable(code, "");
}

const REASONS: Readonly<Record<number, StatusReason>> = {
  400: "BadRequest",
  401: "Unauthorized",
  403: "Forbidden",
  404: "NotFound",
  405: "MethodNotAllowed",
  406: "NotAcceptable",
  409: "Conflict",
  410: "Gone",
  413: "RequestEntityTooLarge",
  415: "UnsupportedMediaType",
  422: "Invalid",
  429: "TooManyRequests",
  503: "ServiceUnavailable",
  504: "Timeout",
};

/** An answer that is no Status, as proxies and load balancers give. */
function unreadable(code: number, text: string): ApiError {
  const excerpt = text.slice(0, 200).trim();
  return new ApiError({
    kind: "Status",
    apiVersion: "v1",
    metadata: {},
    status: "Failure",
    message: `the server answered with code ${code}${excerpt === "" ? "" : `: ${excerpt}`}`,
    reason: REASONS[code] ?? "InternalError",
    code: code < 400 ? 500 : code,
  });
}

/** No answer came: the connection, not the request, is at fault. */
export function unreachable(error: unknown): ApiError {
  return serviceUnavailable(`no answer: ${error instanceof Error ? error.message : String(error)}`);
}
