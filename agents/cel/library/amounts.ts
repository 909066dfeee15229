/**
 * Amounts such as `500m`, versions such as `1.2.3`, and named formats of text.
 * In: text. Out: values that their own functions look into.
 * Never: floating point, but where it is asked for. Source: upstream's
 * library/{quantity,semverlib,format}.go (v1.36); semver.org 2.0.0.
 */
import { isOfFormat, parseRequestUri } from "../../api/schema/formats.ts";
import {
  checkDns1035Label,
  checkDns1123Label,
  checkDns1123Subdomain,
  checkLabelValue,
  checkQualifiedName,
} from "../../api/names.ts";
import { formatQuantity, parseQuantity, type Quantity } from "../../api/quantity.ts";
import { type Cost, type Declaration, global, member, traverse } from "../functions.ts";
import { BOOL, DOUBLE, INT, listOf, opaque, optionalOf, STRING } from "../types.ts";
import { CelError, NONE, Opaque, Optional, textList } from "../values.ts";

export const QUANTITY = opaque("kubernetes.Quantity");
export const SEMVER = opaque("kubernetes.Semver");
export const FORMAT = opaque("kubernetes.NamedFormat");

const NANO = 1_000_000_000n;
const MAX_INT = (1n << 63n) - 1n;

export class QuantityValue extends Opaque {
  readonly typeName = QUANTITY.name;
  constructor(readonly quantity: Quantity) {
    super();
  }
  override equals(other: Opaque): boolean {
    return other instanceof QuantityValue && other.quantity.nanos === this.quantity.nanos;
  }
  override text(): string {
    return formatQuantity(this.quantity);
  }
}

/** @returns an amount as expressions see it. Errors: a CelError for text that is none. */
export function quantityOf(text: string): QuantityValue {
  const parsed = parseQuantity(text);
  if (parsed.kind === "error") throw new CelError(parsed.message);
  return new QuantityValue(parsed.quantity);
}

function isInteger({ quantity: { nanos } }: QuantityValue): boolean {
  return nanos % NANO === 0n && nanos / NANO <= MAX_INT && nanos / NANO >= -MAX_INT - 1n;
}

function sign(amount: bigint): bigint {
  return amount > 0n ? 1n : amount < 0n ? -1n : 0n;
}

function sum(a: QuantityValue, nanos: bigint): QuantityValue {
  return new QuantityValue({ ...a.quantity, nanos: a.quantity.nanos + nanos });
}

type Q = QuantityValue;
const PAIR = [QUANTITY, QUANTITY];

export const quantities: readonly Declaration[] = [
  global("quantity", [STRING], QUANTITY, quantityOf, { cost: traverse }),
  global("isQuantity", [STRING], BOOL, (text: string) => parseQuantity(text).kind === "ok", {
    cost: traverse,
  }),
  member("sign", [QUANTITY], INT, ({ quantity }: Q) => sign(quantity.nanos)),
  member("isGreaterThan", PAIR, BOOL, (a: Q, b: Q) => a.quantity.nanos > b.quantity.nanos),
  member("isLessThan", PAIR, BOOL, (a: Q, b: Q) => a.quantity.nanos < b.quantity.nanos),
  member("compareTo", PAIR, INT, (a: Q, b: Q) => sign(a.quantity.nanos - b.quantity.nanos)),
  member(
    "asApproximateFloat",
    [QUANTITY],
    DOUBLE,
    ({ quantity }: Q) => Number(quantity.nanos) / 1e9,
  ),
  member("asInteger", [QUANTITY], INT, (value: Q) => {
    if (!isInteger(value)) throw new CelError("cannot convert value to integer");
    return value.quantity.nanos / NANO;
  }),
  member("isInteger", [QUANTITY], BOOL, isInteger),
  member("add", PAIR, QUANTITY, (a: Q, b: Q) => sum(a, b.quantity.nanos)),
  member("add", [QUANTITY, INT], QUANTITY, (a: Q, b: bigint) => sum(a, b * NANO)),
  member("sub", PAIR, QUANTITY, (a: Q, b: Q) => sum(a, -b.quantity.nanos)),
  member("sub", [QUANTITY, INT], QUANTITY, (a: Q, b: bigint) => sum(a, -b * NANO)),
];

export class SemverValue extends Opaque {
  readonly typeName = SEMVER.name;
  constructor(
    readonly numbers: readonly [bigint, bigint, bigint],
    readonly prerelease: readonly string[],
    readonly build: readonly string[],
  ) {
    super();
  }
  override equals(other: Opaque): boolean {
    return other instanceof SemverValue && compareVersions(this, other) === 0;
  }
  override text(): string {
    const tail = this.prerelease.length > 0 ? `-${this.prerelease.join(".")}` : "";
    return this.numbers.join(".") + tail +
      (this.build.length > 0 ? `+${this.build.join(".")}` : "");
  }
}

const VERSION =
  /^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(?:-([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?(?:\+([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?$/;
const MAX_UINT = (1n << 64n) - 1n;

function parseVersion(text: string): SemverValue | null {
  const match = VERSION.exec(text);
  if (match === null) return null;
  const numbers = [BigInt(match[1]), BigInt(match[2]), BigInt(match[3])] as const;
  const prerelease = match[4]?.split(".") ?? [];
  if (numbers.some((amount) => amount > MAX_UINT)) return null;
  if (prerelease.some((part) => /^0\d+$/.test(part))) return null;
  return new SemverValue(numbers, prerelease, match[5]?.split(".") ?? []);
}

/** Reads `v1`, `1.2` and `01.2.3` as well. */
function parseTolerant(text: string): SemverValue | null {
  const plain = text.replace(/^v/, "");
  const [major, minor, ...rest] = plain.split(".");
  const parts = [major, ...(minor === undefined ? [] : [minor])];
  if (rest.length > 0) parts.push(rest.join("."));
  if (parts.length < 3 && /[+-]/.test(parts[parts.length - 1])) return null;
  const trimmed = parts.map((part) => part.replace(/^0+(?=\d)/, ""));
  while (trimmed.length < 3) trimmed.push("0");
  return parseVersion(trimmed.join("."));
}

/** @returns a version as expressions see it. Errors: a CelError for text that is none. */
export function semverOf(text: string, tolerant = false): SemverValue {
  const version = tolerant ? parseTolerant(text) : parseVersion(text);
  if (version === null) {
    const isShort = !tolerant && text.split(".").length < 3;
    throw new CelError(
      isShort ? "No Major.Minor.Patch elements found" : `Invalid version ${JSON.stringify(text)}`,
    );
  }
  return version;
}

function compareParts(a: string, b: string): bigint {
  const isNumber = /^\d+$/.test(a);
  if (isNumber !== /^\d+$/.test(b)) return isNumber ? -1n : 1n;
  if (isNumber) return sign(BigInt(a) - BigInt(b));
  return a < b ? -1n : a > b ? 1n : 0n;
}

function compareVersions(a: SemverValue, b: SemverValue): number {
  for (let index = 0; index < 3; index++) {
    const order = sign(a.numbers[index] - b.numbers[index]);
    if (order !== 0n) return Number(order);
  }
  if (a.prerelease.length === 0 || b.prerelease.length === 0) {
    return Math.sign(b.prerelease.length - a.prerelease.length);
  }
  for (let index = 0; index < Math.min(a.prerelease.length, b.prerelease.length); index++) {
    const order = compareParts(a.prerelease[index], b.prerelease[index]);
    if (order !== 0n) return Number(order);
  }
  return Math.sign(a.prerelease.length - b.prerelease.length);
}

type S = SemverValue;
const VERSIONS = [SEMVER, SEMVER];
const isVersion = (text: string, tolerant = false) =>
  (tolerant ? parseTolerant(text) : parseVersion(text)) !== null;

export const versions: readonly Declaration[] = [
  global("semver", [STRING], SEMVER, semverOf, { cost: traverse }),
  global("semver", [STRING, BOOL], SEMVER, semverOf, { cost: traverse }),
  global("isSemver", [STRING], BOOL, isVersion, { cost: traverse }),
  global("isSemver", [STRING, BOOL], BOOL, isVersion, { cost: traverse }),
  member("isGreaterThan", VERSIONS, BOOL, (a: S, b: S) => compareVersions(a, b) > 0),
  member("isLessThan", VERSIONS, BOOL, (a: S, b: S) => compareVersions(a, b) < 0),
  member("compareTo", VERSIONS, INT, (a: S, b: S) => BigInt(compareVersions(a, b))),
  member("major", [SEMVER], INT, ({ numbers }: S) => numbers[0]),
  member("minor", [SEMVER], INT, ({ numbers }: S) => numbers[1]),
  member("patch", [SEMVER], INT, ({ numbers }: S) => numbers[2]),
];

class FormatValue extends Opaque {
  readonly typeName = FORMAT.name;
  constructor(readonly name: string, readonly check: (text: string) => string[]) {
    super();
  }
  override equals(other: Opaque): boolean {
    return other instanceof FormatValue && other.name === this.name;
  }
}

/** Names of which only the start is asked for may end where a name may not. */
function prefixed(check: (text: string) => string[]): (text: string) => string[] {
  return (text) => check(text.replace(/-$/, "a"));
}

function worded(format: string, message: string): (text: string) => string[] {
  return (text) => isOfFormat(format, text) ? [] : [message];
}

const NAMED: readonly FormatValue[] = [
  new FormatValue("dns1123Label", checkDns1123Label),
  new FormatValue("dns1123Subdomain", checkDns1123Subdomain),
  new FormatValue("dns1035Label", checkDns1035Label),
  new FormatValue("qualifiedName", checkQualifiedName),
  new FormatValue("dns1123LabelPrefix", prefixed(checkDns1123Label)),
  new FormatValue("dns1123SubdomainPrefix", prefixed(checkDns1123Subdomain)),
  new FormatValue("dns1035LabelPrefix", prefixed(checkDns1035Label)),
  new FormatValue("labelValue", checkLabelValue),
  new FormatValue(
    "uri",
    (text) =>
      parseRequestUri(text) === null
        ? [`parse ${JSON.stringify(text)}: invalid URI for request`]
        : [],
  ),
  new FormatValue("uuid", worded("uuid", "does not match the UUID format")),
  new FormatValue("byte", worded("byte", "invalid base64")),
  new FormatValue("date", worded("date", "invalid date")),
  new FormatValue("datetime", worded("datetime", "invalid datetime")),
];

function validate(format: FormatValue, text: string): Optional {
  const problems = format.check(text);
  return problems.length === 0 ? NONE : new Optional(textList(problems));
}

/** As much as running a pattern of 128 characters. */
const formatCost: Cost = ([, text]) => Math.ceil(Math.ceil(text.size * 0.1) * 128 * 0.25);

export const formats: readonly Declaration[] = [
  ...NAMED.map((format) => global(`format.${format.name}`, [], FORMAT, () => format)),
  global("format.named", [STRING], optionalOf(FORMAT), (name: string) => {
    const found = NAMED.find((format) => format.name === name);
    return found === undefined ? NONE : new Optional(found);
  }),
  member("validate", [FORMAT, STRING], optionalOf(listOf(STRING)), validate, {
    cost: formatCost,
    resultExtent: ([, text]) => ({ size: 8, element: { size: text.size + 256 } }),
  }),
];
