/**
 * The static table of HPACK.
 * In: nothing. Out: names and values by index 1..61, and lookups from name and field to index.
 * Never: changes.
 * Source: RFC 7541 appendix A.
 */

const LINES = `:authority
:method GET
:method POST
:path /
:path /index.html
:scheme http
:scheme https
:status 200
:status 204
:status 206
:status 304
:status 400
:status 404
:status 500
accept-charset
accept-encoding gzip, deflate
accept-language
accept-ranges
accept
access-control-allow-origin
age
allow
authorization
cache-control
content-disposition
content-encoding
content-language
content-length
content-location
content-range
content-type
cookie
date
etag
expect
expires
from
host
if-match
if-modified-since
if-none-match
if-range
if-unmodified-since
last-modified
link
location
max-forwards
proxy-authenticate
proxy-authorization
range
referer
refresh
retry-after
server
set-cookie
strict-transport-security
transfer-encoding
user-agent
vary
via
www-authenticate`;

/** Name of each index; index 0 is unused. */
export const STATIC_NAMES: readonly string[] = ["", ...LINES.split("\n").map(nameOf)];
/** Value of each index, often empty. */
export const STATIC_VALUES: readonly string[] = ["", ...LINES.split("\n").map(valueOf)];
/** Entries in the table; the dynamic table's first index follows. */
export const STATIC_COUNT = STATIC_NAMES.length - 1;

const byName = new Map<string, number>();
const byField = new Map<string, number>();
for (let index = STATIC_COUNT; index >= 1; index--) {
  byName.set(STATIC_NAMES[index], index);
  byField.set(`${STATIC_NAMES[index]}\n${STATIC_VALUES[index]}`, index);
}

/** @returns the lowest index with this name, 0 when none */
export function staticIndexOfName(name: string): number {
  return byName.get(name) ?? 0;
}

/** @returns the index of this very field, 0 when none */
export function staticIndexOfField(name: string, value: string): number {
  return byField.get(`${name}\n${value}`) ?? 0;
}

function nameOf(line: string): string {
  return line.split(" ", 1)[0];
}

function valueOf(line: string): string {
  const space = line.indexOf(" ");
  return space < 0 ? "" : line.slice(space + 1);
}
