/**
 * The outside world as every agent sees it: clock, chance, log; and the real ones.
 * In: nothing. Out: interfaces that tests replace, and their implementations on Deno.
 * Never: decides anything; a secret is never logged.
 */

export interface Clock {
  /** Monotonic milliseconds. */
  now(): number;
  /** Wall clock, milliseconds since 1970. */
  wallNow(): number;
  /** @returns a function that stops the timer. */
  after(delayMillis: number, callback: () => void): () => void;
  /** @returns a function that stops the timer. */
  every(intervalMillis: number, callback: () => void): () => void;
}

export interface Chance {
  /** @returns an integer in `[0, below)`. */
  nextInt(below: number): number;
  newUid(): string;
}

export type LogLevel = "debug" | "info" | "warn" | "error";

/** Structured log line; values must never hold a secret. */
export type Log = (level: LogLevel, message: string, fields?: Record<string, unknown>) => void;

export const realClock: Clock = {
  now: () => performance.now(),
  wallNow: () => Date.now(),
  after: (delayMillis, callback) => {
    const timer = setTimeout(callback, delayMillis);
    return () => clearTimeout(timer);
  },
  every: (intervalMillis, callback) => {
    const timer = setInterval(callback, intervalMillis);
    return () => clearInterval(timer);
  },
};

export const realChance: Chance = {
  nextInt: (below) => Math.floor(Math.random() * below),
  newUid: () => crypto.randomUUID(),
};

const RANK: Record<LogLevel, number> = { debug: 0, info: 1, warn: 2, error: 3 };

/**
 * One line a message on standard error: time, level, message, fields as key=value.
 * @param least messages below this level are dropped
 */
export function stderrLog(least: LogLevel): Log {
  const encoder = new TextEncoder();
  return (level, message, fields) => {
    if (RANK[level] < RANK[least]) return;
    const rest = Object.entries(fields ?? {})
      .map(([key, value]) => ` ${key}=${formatValue(value)}`).join("");
    const line = `${new Date().toISOString()} ${level.padEnd(5)} ${message}${rest}\n`;
    Deno.stderr.writeSync(encoder.encode(line));
  };
}

function formatValue(value: unknown): string {
  if (value instanceof Error) return JSON.stringify(value.message);
  const text = typeof value === "bigint" ? value.toString(16) : String(
    typeof value === "object" ? JSON.stringify(value) : value,
  );
  return /^[\w./:@+-]*$/.test(text) ? text : JSON.stringify(text);
}
