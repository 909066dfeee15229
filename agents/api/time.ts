/**
 * RFC 3339 times and Go durations as the API writes them.
 * In: milliseconds since 1970, or text. Out: text, or seconds and nanoseconds.
 * Never: reads a clock. Source: apimachinery meta/v1 time.go, duration.go; RFC 3339.
 */

export interface Instant {
  /** Since 1970, UTC; may be negative. */
  readonly seconds: number;
  /** 0..999,999,999 */
  readonly nanos: number;
}

const SECONDS_A_DAY = 86_400;
const RFC3339 =
  /^(\d{4})-(\d{2})-(\d{2})T(\d{2}):(\d{2}):(\d{2})(?:[.,](\d{1,9})\d*)?(Z|[+-]\d{2}:\d{2})$/;

/** Days since 1970 of a civil date (proleptic Gregorian). */
export function daysFromCivil(year: number, month: number, day: number): number {
  const y = month <= 2 ? year - 1 : year;
  const era = Math.floor(y / 400);
  const yearOfEra = y - era * 400;
  const dayOfYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1;
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) +
    dayOfYear;
  return era * 146_097 + dayOfEra - 719_468;
}

/** The civil date of a count of days since 1970. */
export function civilFromDays(days: number): [year: number, month: number, day: number] {
  const shifted = days + 719_468;
  const era = Math.floor(shifted / 146_097);
  const dayOfEra = shifted - era * 146_097;
  const yearOfEra = Math.floor(
    (dayOfEra - Math.floor(dayOfEra / 1460) + Math.floor(dayOfEra / 36_524) -
      Math.floor(dayOfEra / 146_096)) / 365,
  );
  const dayOfYear = dayOfEra -
    (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const shiftedMonth = Math.floor((5 * dayOfYear + 2) / 153);
  const day = dayOfYear - Math.floor((153 * shiftedMonth + 2) / 5) + 1;
  const month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9;
  return [yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day];
}

function pad(value: number, width: number): string {
  return String(value).padStart(width, "0");
}

let lastSeconds = NaN;
let lastText = "";

/** Most times that are written are of the same second. */
function formatSeconds(seconds: number): string {
  if (seconds === lastSeconds) return lastText;
  lastText = spellSeconds(seconds);
  lastSeconds = seconds;
  return lastText;
}

function spellSeconds(seconds: number): string {
  const days = Math.floor(seconds / SECONDS_A_DAY);
  const rest = seconds - days * SECONDS_A_DAY;
  const [year, month, day] = civilFromDays(days);
  const hour = Math.floor(rest / 3600);
  const minute = Math.floor(rest / 60) % 60;
  return `${pad(year, 4)}-${pad(month, 2)}-${pad(day, 2)}T` +
    `${pad(hour, 2)}:${pad(minute, 2)}:${pad(rest % 60, 2)}`;
}

/** @returns whole seconds, UTC: `2026-01-02T03:04:05Z`. */
export function formatTime(millis: number): string {
  return `${formatSeconds(Math.floor(millis / 1000))}Z`;
}

/** @returns microseconds, UTC: `2026-01-02T03:04:05.000006Z`. */
export function formatMicroTime(millis: number): string {
  const seconds = Math.floor(millis / 1000);
  const micros = Math.floor((millis - seconds * 1000) * 1000);
  return `${formatSeconds(seconds)}.${pad(micros, 6)}Z`;
}

/** An instant with as many digits as the kind keeps: 0 for Time, 6 for MicroTime. */
export function formatInstant(instant: Instant, digits: 0 | 6): string {
  const fraction = digits === 0 ? "" : `.${pad(Math.floor(instant.nanos / 1000), 6)}`;
  return `${formatSeconds(instant.seconds)}${fraction}Z`;
}

/** @returns null for text that is no RFC 3339 time. */
export function parseTime(text: string): Instant | null {
  const match = RFC3339.exec(text);
  if (match === null) return null;
  const [year, month, day, hour, minute, second] = match.slice(1, 7).map(Number);
  if (month < 1 || month > 12 || hour > 23 || minute > 59 || second > 59) return null;
  const days = daysFromCivil(year, month, day);
  const [, checkedMonth, checkedDay] = civilFromDays(days);
  if (checkedMonth !== month || checkedDay !== day) return null;
  let seconds = days * SECONDS_A_DAY + hour * 3600 + minute * 60 + second;
  if (match[8] !== "Z") {
    const offset = Number(match[8].slice(1, 3)) * 3600 + Number(match[8].slice(4, 6)) * 60;
    seconds += match[8][0] === "+" ? -offset : offset;
  }
  return { seconds, nanos: Number((match[7] ?? "").padEnd(9, "0")) };
}

/** @returns milliseconds since 1970, or NaN. */
export function parseMillis(text: string | null | undefined): number {
  const instant = text === undefined || text === null ? null : parseTime(text);
  return instant === null ? NaN : instant.seconds * 1000 + Math.floor(instant.nanos / 1e6);
}

const UNIT_NANOS: Readonly<Record<string, number>> = {
  ns: 1,
  us: 1e3,
  "µs": 1e3,
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  h: 3600e9,
};

/** @param text such as `1h30m`. @returns nanoseconds, or null. */
export function parseDuration(text: string): number | null {
  const match = /^([+-]?)((?:\d+\.?\d*|\.\d+)(?:ns|us|µs|ms|s|m|h))+$/.exec(text);
  if (match === null) return text === "0" ? 0 : null;
  let nanos = 0;
  for (const part of text.matchAll(/(\d+\.?\d*|\.\d+)(ns|us|µs|ms|s|m|h)/g)) {
    nanos += Number(part[1]) * UNIT_NANOS[part[2]];
  }
  return (match[1] === "-" ? -1 : 1) * Math.round(nanos);
}

/** @returns text as Go prints a duration: `1h0m0s`, `1.5s`, `0s`. */
export function formatDuration(nanos: number): string {
  if (nanos === 0) return "0s";
  const sign = nanos < 0 ? "-" : "";
  const size = Math.abs(nanos);
  if (size < 1e3) return `${sign}${size}ns`;
  if (size < 1e6) return `${sign}${size / 1e3}µs`;
  if (size < 1e9) return `${sign}${size / 1e6}ms`;
  const hours = Math.floor(size / 3600e9);
  const minutes = Math.floor(size / 60e9) % 60;
  const seconds = (size - Math.floor(size / 60e9) * 60e9) / 1e9;
  const head = hours > 0 ? `${hours}h${minutes}m` : minutes > 0 ? `${minutes}m` : "";
  return `${sign}${head}${seconds}s`;
}

/**
 * An age as kubectl prints it: two units at most, fewer as it grows.
 * @param millis how long ago; negative within two seconds counts as zero.
 * Source: apimachinery util/duration.
 */
export function formatAge(millis: number): string {
  const seconds = Math.trunc(millis / 1000);
  if (seconds < -1) return "<invalid>";
  if (seconds < 0) return "0s";
  if (seconds < 120) return `${seconds}s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 10) return withRest(minutes, "m", seconds % 60, "s");
  if (minutes < 180) return `${minutes}m`;
  const hours = Math.floor(minutes / 60);
  if (hours < 8) return withRest(hours, "h", minutes % 60, "m");
  if (hours < 48) return `${hours}h`;
  const days = Math.floor(hours / 24);
  if (hours < 192) return withRest(days, "d", hours % 24, "h");
  if (hours < 24 * 365 * 2) return `${days}d`;
  const years = Math.floor(days / 365);
  if (hours < 24 * 365 * 8) return withRest(years, "y", days % 365, "d");
  return `${years}y`;
}

function withRest(value: number, unit: string, rest: number, restUnit: string): string {
  return rest === 0 ? `${value}${unit}` : `${value}${unit}${rest}${restUnit}`;
}

/** The age of a moment for a table's cell. @param time RFC 3339; absent gives `<unknown>`. */
export function ageSince(time: string | undefined, nowMillis: number): string {
  const then = parseMillis(time);
  return Number.isNaN(then) ? "<unknown>" : formatAge(nowMillis - then);
}
