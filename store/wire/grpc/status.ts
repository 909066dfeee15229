/**
 * gRPC status codes and how status, deadline and message text look in header fields.
 * In: codes and texts, or field values. Out: field values, or numbers. Pure.
 * Never: decides which status an outcome has (see `etcd/errors.ts`).
 * Source: gRPC over HTTP/2 (PROTOCOL-HTTP2.md) and the gRPC status codes.
 */

export const GrpcCode = {
  ok: 0,
  cancelled: 1,
  unknown: 2,
  invalidArgument: 3,
  deadlineExceeded: 4,
  notFound: 5,
  alreadyExists: 6,
  permissionDenied: 7,
  resourceExhausted: 8,
  failedPrecondition: 9,
  aborted: 10,
  outOfRange: 11,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
  dataLoss: 15,
  unauthenticated: 16,
} as const;

export type GrpcCode = typeof GrpcCode[keyof typeof GrpcCode];

export interface GrpcStatus {
  readonly code: GrpcCode;
  readonly message: string;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Percent-encodes a status message: UTF-8 bytes outside printable ASCII, and `%`. */
export function encodeMessage(message: string): string {
  let text = "";
  for (const byte of encoder.encode(message)) {
    text += byte >= 0x20 && byte <= 0x7e && byte !== 0x25
      ? String.fromCharCode(byte)
      : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  }
  return text;
}

/** Reverses `encodeMessage`; a broken escape stays as it came. */
export function decodeMessage(text: string): string {
  if (!text.includes("%")) return text;
  const bytes: number[] = [];
  for (let i = 0; i < text.length; i++) {
    const hex = text[i] === "%" ? text.slice(i + 1, i + 3) : "";
    if (/^[0-9a-fA-F]{2}$/.test(hex)) {
      bytes.push(parseInt(hex, 16));
      i += 2;
    } else {
      bytes.push(text.charCodeAt(i) & 0xff);
    }
  }
  return decoder.decode(Uint8Array.from(bytes));
}

const UNIT_MILLIS: Readonly<Record<string, number | undefined>> = {
  H: 3600_000,
  M: 60_000,
  S: 1000,
  m: 1,
  u: 1e-3,
  n: 1e-6,
};

/** @returns milliseconds of a `grpc-timeout` value, or `null` when it is malformed */
export function parseTimeout(value: string): number | null {
  const digits = value.length - 1;
  const unit = UNIT_MILLIS[value[digits]];
  if (digits < 1 || digits > 8 || unit === undefined) return null;
  let number = 0;
  for (let i = 0; i < digits; i++) {
    const digit = value.charCodeAt(i) - 48;
    if (digit < 0 || digit > 9) return null;
    number = number * 10 + digit;
  }
  return number * unit;
}

/** What a call is told that runs out of time. */
export const DEADLINE_EXCEEDED: GrpcStatus = {
  code: GrpcCode.deadlineExceeded,
  message: "context deadline exceeded",
};

export function malformedTimeout(value: string): GrpcStatus {
  return { code: GrpcCode.internal, message: `malformed grpc-timeout: ${value}` };
}

/** @returns a `grpc-timeout` value of at least `millis` */
export function formatTimeout(millis: number): string {
  const whole = Math.max(0, Math.ceil(millis));
  return whole < 1e8 ? `${whole}m` : `${Math.min(99999999, Math.ceil(whole / 1000))}S`;
}
