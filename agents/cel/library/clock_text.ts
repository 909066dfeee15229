/**
 * Times and durations as expressions read and print them, to the nanosecond.
 * In: text or nanoseconds. Out: nanoseconds or text; fields of a civil date in a time zone.
 * Never: a clock. Source: RFC 3339; the Go duration syntax; the CEL language definition.
 */
import { civilFromDays, daysFromCivil } from "../../api/time.ts";

const RFC3339 =
  /^(\d{4})-(\d{2})-(\d{2})[Tt](\d{2}):(\d{2}):(\d{2})(?:\.(\d+))?(?:[Zz]|([+-])(\d{2}):(\d{2}))$/;
const NANO = 1_000_000_000n;
const DAY = 86_400n;
/** 0001-01-01T00:00:00Z and 9999-12-31T23:59:59.999999999Z */
const MIN_NANOS = -62_135_596_800n * NANO;
const MAX_NANOS = 253_402_300_800n * NANO - 1n;
const MAX_INT64 = (1n << 63n) - 1n;

function daysInMonth(year: number, month: number): number {
  return daysFromCivil(month === 12 ? year + 1 : year, month === 12 ? 1 : month + 1, 1) -
    daysFromCivil(year, month, 1);
}

/** @returns nanoseconds since 1970, or undefined for text that is no time. */
export function parseTimestamp(text: string): bigint | undefined {
  const match = RFC3339.exec(text);
  if (match === null) return undefined;
  const [year, month, day, hour, minute, second] = match.slice(1, 7).map(Number);
  const [, , , , , , , fraction = "", sign, offsetHours = "0", offsetMinutes = "0"] = match;
  if (month < 1 || month > 12 || day < 1 || day > daysInMonth(year, month)) return undefined;
  if (hour > 23 || minute > 59 || second > 59) return undefined;
  if (Number(offsetHours) > 23 || Number(offsetMinutes) > 59) return undefined;
  const offset = (Number(offsetHours) * 60 + Number(offsetMinutes)) * 60 * (sign === "-" ? -1 : 1);
  const seconds = daysFromCivil(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second -
    offset;
  const nanos = BigInt(seconds) * NANO + BigInt(fraction.slice(0, 9).padEnd(9, "0"));
  return isTimestamp(nanos) ? nanos : undefined;
}

/** Whether a time lies in the years 1 to 9999. */
export function isTimestamp(nanos: bigint): boolean {
  return nanos >= MIN_NANOS && nanos <= MAX_NANOS;
}

const UNITS: Readonly<Record<string, bigint>> = {
  ns: 1n,
  us: 1_000n,
  "µs": 1_000n,
  "μs": 1_000n,
  ms: 1_000_000n,
  s: NANO,
  m: 60n * NANO,
  h: 3600n * NANO,
};

/** @returns nanoseconds of `1h30m`, `-1.5s`, `0`; undefined for text that is no duration. */
export function parseGoDuration(text: string): bigint | undefined {
  const sign = text[0] === "-" ? -1n : 1n;
  const body = text.replace(/^[+-]/, "");
  if (body === "0") return 0n;
  if (body === "") return undefined;
  const part = /(\d*)(?:\.(\d*))?(ns|us|µs|μs|ms|s|m|h)/y;
  let total = 0n;
  while (part.lastIndex < body.length) {
    const match = part.exec(body);
    if (match === null) return undefined;
    const [, whole, fraction = "", unit] = match;
    if (whole === "" && fraction === "") return undefined;
    total += BigInt(whole || "0") * UNITS[unit];
    const digits = fraction.slice(0, 18);
    if (digits !== "") total += BigInt(digits) * UNITS[unit] / 10n ** BigInt(digits.length);
  }
  return total > MAX_INT64 ? undefined : sign * total;
}

function fractionOf(nanos: bigint): string {
  if (nanos === 0n) return "";
  return `.${String(nanos).padStart(9, "0").replace(/0+$/, "")}`;
}

function two(amount: number): string {
  return String(amount).padStart(2, "0");
}

/** @returns the time in UTC, as RFC 3339 with no more digits than it needs. */
export function formatTimestamp(nanos: bigint): string {
  const { year, month, day, hours, minutes, seconds, nanosOfSecond } = civil(nanos);
  return `${String(year).padStart(4, "0")}-${two(month)}-${two(day)}T` +
    `${two(hours)}:${two(minutes)}:${two(seconds)}${fractionOf(BigInt(nanosOfSecond))}Z`;
}

/** @returns seconds with a fraction where there is one: `90s`, `1.5s`. */
export function formatSeconds(nanos: bigint): string {
  const size = nanos < 0n ? -nanos : nanos;
  return `${nanos < 0n ? "-" : ""}${size / NANO}${fractionOf(size % NANO)}s`;
}

export interface CivilTime {
  readonly year: number;
  /** 1..12 */
  readonly month: number;
  /** 1..31 */
  readonly day: number;
  readonly hours: number;
  readonly minutes: number;
  readonly seconds: number;
  readonly nanosOfSecond: number;
  /** 0..365 */
  readonly dayOfYear: number;
  /** 0..6 from Sunday. */
  readonly dayOfWeek: number;
}

/** @returns the fields of the date and time of day in UTC. */
export function civil(nanos: bigint): CivilTime {
  const seconds = (nanos - ((nanos % NANO) + NANO) % NANO) / NANO;
  const ofDay = Number(((seconds % DAY) + DAY) % DAY);
  const days = Number((seconds - BigInt(ofDay)) / DAY);
  const [year, month, day] = civilFromDays(days);
  return {
    year,
    month,
    day,
    hours: Math.floor(ofDay / 3600),
    minutes: Math.floor(ofDay / 60) % 60,
    seconds: ofDay % 60,
    nanosOfSecond: Number(((nanos % NANO) + NANO) % NANO),
    dayOfYear: days - daysFromCivil(year, 1, 1),
    dayOfWeek: ((days % 7) + 11) % 7,
  };
}

/**
 * The distance of a time zone from UTC at a time.
 * @param zone `UTC`, `+02:00`, `-1:30` or a name such as `Europe/Vienna`.
 * @returns nanoseconds to add, or undefined for a zone that nobody knows.
 */
export function zoneOffset(zone: string, nanos: bigint): bigint | undefined {
  if (zone === "" || zone === "UTC" || zone === "Z") return 0n;
  const fixed = /^([+-]?)(\d{1,2}):(\d{2})$/.exec(zone);
  if (fixed !== null) {
    const minutes = Number(fixed[2]) * 60 + Number(fixed[3]);
    return BigInt(fixed[1] === "-" ? -minutes : minutes) * 60n * NANO;
  }
  try {
    const parts = new Intl.DateTimeFormat("en-US", {
      timeZone: zone,
      hourCycle: "h23",
      year: "numeric",
      month: "numeric",
      day: "numeric",
      hour: "numeric",
      minute: "numeric",
      second: "numeric",
    }).formatToParts(Number(nanos / 1_000_000n));
    const field = (type: string) => Number(parts.find((part) => part.type === type)?.value);
    const local = daysFromCivil(field("year"), field("month"), field("day")) * 86_400 +
      field("hour") * 3600 + field("minute") * 60 + field("second");
    const seconds = (nanos - ((nanos % NANO) + NANO) % NANO) / NANO;
    return (BigInt(local) - seconds) * NANO;
  } catch {
    return undefined;
  }
}
