/**
 * Amounts such as `500m`, `1.5Gi`, `12e6`: exact to the nano, as the API compares and prints them.
 * In: text (or a JSON number). Out: a Quantity, its canonical text, or cpu milli / bytes.
 * Never: floating point. Source: apimachinery api/resource/quantity.go (v1.36).
 */

export type QuantityFormat = "DecimalSI" | "BinarySI" | "DecimalExponent";

export interface Quantity {
  /** The amount times 10^9. */
  readonly nanos: bigint;
  readonly format: QuantityFormat;
}

export type QuantityResult =
  | { readonly kind: "ok"; readonly quantity: Quantity }
  | { readonly kind: "error"; readonly message: string };

const NANO = 1_000_000_000n;
const MAX_DIGITS = 100;
/** Binary amounts are capped where upstream caps them. */
const MAX_BINARY = ((1n << 63n) - 1n) * NANO;
const PATTERN = /^([+-]?)(\d*)(?:\.(\d*))?([eEinumkKMGTP]*[-+]?\d*)$/;
const FORMAT_WRONG = "quantities must match the regular expression " +
  "'^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";
const SUFFIX_WRONG = "unable to parse quantity's suffix";
const NUMERIC_WRONG = "unable to parse numeric part of quantity";

const DECIMAL_SUFFIXES: Readonly<Record<string, number>> = {
  n: -9,
  u: -6,
  m: -3,
  "": 0,
  k: 3,
  M: 6,
  G: 9,
  T: 12,
  P: 15,
  E: 18,
};
const BINARY_SUFFIXES: Readonly<Record<string, bigint>> = {
  Ki: 10n,
  Mi: 20n,
  Gi: 30n,
  Ti: 40n,
  Pi: 50n,
  Ei: 60n,
};
const DECIMAL_NAMES = Object.entries(DECIMAL_SUFFIXES);
const BINARY_NAMES = ["", ...Object.keys(BINARY_SUFFIXES)];

/** Few distinct texts occur in a cluster, and reading one takes big integers. */
const parsedCache = new Map<string | number, QuantityResult>();
const CACHE_LIMIT = 4096;
const LONGEST_CACHED = 32;

/**
 * Parses an amount.
 * @param text as it stands in a manifest; JSON numbers are taken as their text.
 * @returns the amount, rounded up to whole nanos, or upstream's message.
 */
export function parseQuantity(text: string | number): QuantityResult {
  const cached = parsedCache.get(text);
  if (cached !== undefined) return cached;
  const parsed = parseText(text);
  if (typeof text === "number" || text.length <= LONGEST_CACHED) {
    if (parsedCache.size >= CACHE_LIMIT) parsedCache.clear();
    parsedCache.set(text, parsed);
  }
  return parsed;
}

function parseText(text: string | number): QuantityResult {
  const source = typeof text === "number" ? numberText(text) : text;
  const match = source === "" ? null : PATTERN.exec(source);
  if (match === null) return { kind: "error", message: FORMAT_WRONG };
  const [, sign, whole, fraction = "", suffix] = match;
  const suffixParts = interpretSuffix(suffix);
  if (suffixParts === null) return { kind: "error", message: SUFFIX_WRONG };
  if (whole === "" && fraction === "" || whole.length + fraction.length > MAX_DIGITS) {
    return { kind: "error", message: NUMERIC_WRONG };
  }
  const { format, exponent, binaryExponent } = suffixParts;
  let amount = BigInt(whole + fraction || "0") << binaryExponent;
  amount = scaleUp(amount, 9 + exponent - fraction.length);
  if (format === "BinarySI" && amount > MAX_BINARY) amount = MAX_BINARY;
  const small = format === "BinarySI" && amount > 0n && amount < NANO;
  const quantity = {
    nanos: sign === "-" ? -amount : amount,
    format: small ? "DecimalSI" as const : format,
  };
  return { kind: "ok", quantity };
}

/** JSON numbers print as 1e+21 from there on, which the grammar reads as well. */
function numberText(value: number): string {
  return Number.isSafeInteger(value) ? String(value) : String(value).replace("e+", "e");
}

interface Suffix {
  readonly format: QuantityFormat;
  readonly exponent: number;
  readonly binaryExponent: bigint;
}

function interpretSuffix(suffix: string): Suffix | null {
  if (Object.hasOwn(DECIMAL_SUFFIXES, suffix)) {
    return { format: "DecimalSI", exponent: DECIMAL_SUFFIXES[suffix], binaryExponent: 0n };
  }
  if (Object.hasOwn(BINARY_SUFFIXES, suffix)) {
    return { format: "BinarySI", exponent: 0, binaryExponent: BINARY_SUFFIXES[suffix] };
  }
  const exponent = /^[eE]([-+]?\d{1,3})$/.exec(suffix);
  if (exponent === null) return null;
  return { format: "DecimalExponent", exponent: Number(exponent[1]), binaryExponent: 0n };
}

/** Multiplies by 10^places; what falls below one rounds up, away from zero. */
function scaleUp(amount: bigint, places: number): bigint {
  if (places >= 0) return amount * 10n ** BigInt(places);
  const divisor = 10n ** BigInt(-places);
  return (amount + divisor - 1n) / divisor;
}

/** @returns the canonical text: no fraction, the largest suffix that loses nothing. */
export function formatQuantity(quantity: Quantity): string {
  const { nanos, format } = quantity;
  if (nanos === 0n) return "0";
  const sign = nanos < 0n ? "-" : "";
  const size = nanos < 0n ? -nanos : nanos;
  if (format === "BinarySI" && size >= 1024n * NANO && size % NANO === 0n) {
    let amount = size / NANO;
    let power = 0;
    while (amount % 1024n === 0n && power < 6) {
      amount /= 1024n;
      power++;
    }
    return `${sign}${amount}${BINARY_NAMES[power]}`;
  }
  let amount = size;
  let step = 0;
  while (amount % 1000n === 0n && step < DECIMAL_NAMES.length - 1) {
    amount /= 1000n;
    step++;
  }
  const [name, exponent] = DECIMAL_NAMES[step];
  const suffix = format !== "DecimalExponent" ? name : exponent === 0 ? "" : `e${exponent}`;
  return `${sign}${amount}${suffix}`;
}

const canonicalCache = new Map<string, string>();

/** @returns the canonical text, or null for text that is no quantity. */
export function canonicalQuantity(text: string | number): string | null {
  const key = String(text);
  const cached = canonicalCache.get(key);
  if (cached !== undefined) return cached;
  const parsed = parseQuantity(text);
  if (parsed.kind === "error") return null;
  const canonical = formatQuantity(parsed.quantity);
  if (canonicalCache.size >= CACHE_LIMIT) canonicalCache.clear();
  if (key.length <= LONGEST_CACHED) canonicalCache.set(key, canonical);
  return canonical;
}

/** The amount in nanos of text that validation has let through; 0 for anything else. */
export function nanosOf(text: string | number | undefined): bigint {
  const parsed = text === undefined ? undefined : parseQuantity(text);
  return parsed?.kind === "ok" ? parsed.quantity.nanos : 0n;
}

function divideUp(amount: bigint, by: bigint): number {
  return Number(amount > 0n ? (amount + by - 1n) / by : amount / by);
}

/** Thousandths, rounded up: a cpu amount in millicores. */
export function milliOf(text: string | number | undefined): number {
  return divideUp(nanosOf(text), 1_000_000n);
}

/** Whole units, rounded up: bytes, or a count. */
export function unitsOf(text: string | number | undefined): number {
  return divideUp(nanosOf(text), NANO);
}

/** @returns negative, zero or positive, as for sort. */
export function compareQuantities(a: string | number, b: string | number): number {
  const left = nanosOf(a);
  const right = nanosOf(b);
  return left < right ? -1 : left > right ? 1 : 0;
}

/** The sum in the first one's format, unless that is zero. */
export function addQuantities(a: string | number, b: string | number): string {
  const left = parseQuantity(a);
  const right = parseQuantity(b);
  if (left.kind === "error" || right.kind === "error") {
    throw new Error("assertion: quantities are added after they were validated");
  }
  const format = left.quantity.nanos === 0n ? right.quantity.format : left.quantity.format;
  return formatQuantity({ nanos: left.quantity.nanos + right.quantity.nanos, format });
}
