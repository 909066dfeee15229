/**
 * The named formats of text that schemas and expressions may ask for.
 * In: a format's name and text. Out: whether the text is of it.
 * Never: an opinion on a format it does not know. Source: kube-openapi's validation/strfmt and
 * apiextensions' pkg/apiserver/validation/formats.go (v1.36).
 */
import { checkDns1123Label, checkDns1123Subdomain } from "../names.ts";
import { parseAddress, parseBlock } from "../ip.ts";
import { daysFromCivil } from "../time.ts";

const HOSTNAME =
  /^([a-zA-Z0-9\p{S}\p{L}]((-?[a-zA-Z0-9\p{S}\p{L}]{0,62})?)|([a-zA-Z0-9\p{S}\p{L}](([a-zA-Z0-9-\p{S}\p{L}]{0,61}[a-zA-Z0-9\p{S}\p{L}])?)(\.)){1,}([a-zA-Z\p{L}]){2,63})$/u;
const MAX_HOSTNAME = 255;
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{4})$/;
const HEX_PAIR = "[0-9a-fA-F]{2}";
const MAC = new RegExp(
  `^(?:${HEX_PAIR}([:-])(?:${HEX_PAIR}\\1){4}${HEX_PAIR}(?:\\1${HEX_PAIR}\\1${HEX_PAIR}` +
    `(?:\\1${HEX_PAIR}){0,12})?|[0-9a-fA-F]{4}(?:\\.[0-9a-fA-F]{4}){2,9})$`,
);
const UNIT = "(?:ns|nanos?|nanoseconds?|us|micros?|microseconds?|ms|millis?|milliseconds?|" +
  "s|seconds?|secs?|m|min|minutes?|mins?|h|hours?|hrs?|hr|d|days?|w|weeks?|wks?)";
const WORDY_DURATION = new RegExp(
  `^\\s*\\d+(?:\\.\\d+)?\\s*${UNIT}(?:\\s*\\d+\\s*${UNIT})*\\s*$`,
  "i",
);
const GO_DURATION = /^[+-]?(?:0|(?:(?:\d+(?:\.\d*)?|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+)$/;
const DATE_TIME =
  /^(\d{4}-\d{2}-\d{2})[tT ](\d{2}):(\d{2}):(\d{2})(?:.\d+)?(?:[zZ]|[+-]\d{2}:\d{2})$/;
const EMAIL =
  /^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*$/;

function uuid(version: string): RegExp {
  const variant = version === "4" || version === "5" ? "[89ab][0-9a-f]{3}" : "[0-9a-f]{4}";
  const third = version === "" ? "[0-9a-f]{4}" : `${version}[0-9a-f]{3}`;
  return new RegExp(`^[0-9a-f]{8}-?[0-9a-f]{4}-?${third}-?${variant}-?[0-9a-f]{12}$`, "i");
}

function matching(pattern: RegExp): (text: string) => boolean {
  return (text) => pattern.test(text);
}

export function isDate(text: string): boolean {
  const match = /^(\d{4})-(\d{2})-(\d{2})$/.exec(text);
  if (match === null) return false;
  const [year, month, day] = match.slice(1).map(Number);
  if (month < 1 || month > 12 || day < 1) return false;
  const [nextYear, nextMonth] = month === 12 ? [year + 1, 1] : [year, month + 1];
  return day <= daysFromCivil(nextYear, nextMonth, 1) - daysFromCivil(year, month, 1);
}

function isDateTime(text: string): boolean {
  const match = DATE_TIME.exec(text);
  if (match === null) return false;
  const [hour, minute, second] = match.slice(2, 5).map(Number);
  return isDate(match[1]) && hour <= 23 && minute <= 59 && second <= 59;
}

/** The parts of a reference as Go's net/url reads it; null for what it refuses. */
export interface UrlParts {
  readonly scheme: string;
  /** With the port, as written. */
  readonly host: string;
  readonly escapedPath: string;
  /** Without the question mark. */
  readonly query: string;
}

/** @returns the parts of an absolute URI or absolute path, as Go's ParseRequestURI takes it. */
export function parseRequestUri(text: string): UrlParts | null {
  // deno-lint-ignore no-control-regex
  if (text === "" || /[\x00-\x1f\x7f]/.test(text)) return null;
  const match = /^(?:([A-Za-z][A-Za-z0-9+.-]*):)?(.*)$/s.exec(text)!;
  const scheme = (match[1] ?? "").toLowerCase();
  if (match[1] === undefined && text.startsWith(":")) return null;
  let rest = match[2].replace(/#.*$/s, "");
  const mark = rest.indexOf("?");
  const query = mark < 0 ? "" : rest.slice(mark + 1);
  if (mark >= 0) rest = rest.slice(0, mark);
  if (!rest.startsWith("/")) {
    return scheme === "" ? null : { scheme, host: "", escapedPath: "", query };
  }
  let host = "";
  if (rest.startsWith("//") && (scheme !== "" || !rest.startsWith("///"))) {
    const slash = rest.indexOf("/", 2);
    const authority = slash < 0 ? rest.slice(2) : rest.slice(2, slash);
    rest = slash < 0 ? "" : rest.slice(slash);
    host = authority.slice(authority.lastIndexOf("@") + 1);
    if (!isHost(host)) return null;
  }
  if (/%(?![0-9a-fA-F]{2})/.test(rest)) return null;
  return { scheme, host, escapedPath: escapePath(rest), query };
}

function isHost(host: string): boolean {
  if (/[\s<>"\\^`{|}]/.test(host)) return false;
  if (!host.startsWith("[")) return /^[^:[\]]*(?::\d*)?$/.test(host);
  const match = /^\[([^\]]+)\](?::\d*)?$/.exec(host);
  return match !== null && parseAddress(match[1].replace(/%25.*$/, "")) !== null;
}

function escapePath(path: string): string {
  return path.replace(
    /[^A-Za-z0-9\-._~$&+,/:;=@%!'()*[\]]/gu,
    (found) => encodeURIComponent(found),
  );
}

function digitsOf(text: string): string {
  return text.replace(/[\s-]/g, "");
}

function isIsbn10(text: string): boolean {
  const digits = digitsOf(text);
  if (!/^\d{9}[\dX]$/.test(digits)) return false;
  const sum = Array.from(digits).reduce(
    (total, digit, index) => total + (index + 1) * (digit === "X" ? 10 : Number(digit)),
    0,
  );
  return sum % 11 === 0;
}

function isIsbn13(text: string): boolean {
  const digits = digitsOf(text);
  if (!/^\d{13}$/.test(digits)) return false;
  const sum = Array.from(digits).reduce(
    (total, digit, index) => total + (index % 2 === 0 ? 1 : 3) * Number(digit),
    0,
  );
  return sum % 10 === 0;
}

const CARD =
  /^(?:4\d{12}(?:\d{3})?|5[1-5]\d{14}|(?:222[1-9]|22[3-9]\d|2[3-6]\d{2}|27[01]\d|2720)\d{12}|6(?:011|5\d\d)\d{12}|3[47]\d{13}|3(?:0[0-5]|[68]\d)\d{11}|(?:2131|1800|35\d{3})\d{11}|6[27]\d{14})$/;

function isCreditCard(text: string): boolean {
  const digits = digitsOf(text);
  if (!CARD.test(digits)) return false;
  let sum = 0;
  Array.from(digits).reverse().forEach((digit, index) => {
    const value = Number(digit) * (index % 2 === 0 ? 1 : 2);
    sum += value > 9 ? value - 9 : value;
  });
  return sum % 10 === 0;
}

const BYTE = "(?:0|[1-9]\\d?|1\\d\\d|2[0-4]\\d|25[0-5])";
const RGB = new RegExp(`^rgb\\(\\s*${BYTE}\\s*,\\s*${BYTE}\\s*,\\s*${BYTE}\\s*\\)$`);

const FORMATS: ReadonlyMap<string, (text: string) => boolean> = new Map([
  ["bsonobjectid", matching(/^[0-9a-fA-F]{24}$/)],
  ["uri", (text) => parseRequestUri(text) !== null],
  ["email", matching(EMAIL)],
  ["hostname", (text) => text.length <= MAX_HOSTNAME && HOSTNAME.test(text)],
  ["ipv4", (text) => parseAddress(text)?.family === 4],
  ["ipv6", (text) => parseAddress(text)?.family === 6],
  ["cidr", (text) => parseBlock(text) !== null],
  ["mac", matching(MAC)],
  ["uuid", matching(uuid(""))],
  ["uuid3", matching(uuid("3"))],
  ["uuid4", matching(uuid("4"))],
  ["uuid5", matching(uuid("5"))],
  ["isbn", (text) => isIsbn10(text) || isIsbn13(text)],
  ["isbn10", isIsbn10],
  ["isbn13", isIsbn13],
  ["creditcard", isCreditCard],
  ["ssn", matching(/^\d{3}[- ]?\d{2}[- ]?\d{4}$/)],
  ["hexcolor", matching(/^#?(?:[0-9a-fA-F]{3}|[0-9a-fA-F]{6})$/)],
  ["rgbcolor", matching(RGB)],
  ["byte", matching(BASE64)],
  ["password", () => true],
  ["date", isDate],
  ["duration", (text) => GO_DURATION.test(text) || WORDY_DURATION.test(text)],
  ["datetime", isDateTime],
  ["k8s-short-name", (text) => checkDns1123Label(text).length === 0],
  ["k8s-long-name", (text) => checkDns1123Subdomain(text).length === 0],
]);

/** @returns whether schemas that name this format are held to it. */
export function isKnownFormat(format: string): boolean {
  return FORMATS.has(normalFormat(format));
}

/** @returns whether the text is of the format; true for a format that nobody checks. */
export function isOfFormat(format: string, text: string): boolean {
  return FORMATS.get(normalFormat(format))?.(text) ?? true;
}

/** Dashes in a format's name count for nothing, except in the cluster's own. */
function normalFormat(format: string): string {
  return format.startsWith("k8s-") ? format : format.replaceAll("-", "");
}
