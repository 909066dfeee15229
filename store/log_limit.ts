/**
 * A log that strangers can't fill.
 * In: lines that anyone on the network can cause. Out: the first of each kind at once, then at most
 * one a minute that tells how many there were in between.
 * Never: holds back a line of another kind, up to a bound of kinds; schedules anything.
 */
import type { Log } from "./ports.ts";

const PERIOD_MILLIS = 60_000;
/** Kinds told apart; an attacker who makes up ever new ones is cut off here. */
const MAX_KINDS = 64;
const MAX_TEXT = 200;

interface Kind {
  /** Held back until then, milliseconds. */
  until: number;
  repeated: number;
}

/**
 * @param now monotonic milliseconds
 * @returns a log whose lines count as one kind when all but `address` is the same
 */
export function limitLog(log: Log, now: () => number): Log {
  const kinds = new Map<string, Kind>();
  return (level, message, fields = {}) => {
    const { address, ...rest } = fields;
    const short = Object.fromEntries(
      Object.entries(rest).map(([name, value]) => [name, String(value).slice(0, MAX_TEXT)]),
    );
    const name = `${message} ${JSON.stringify(short)}`;
    const moment = now();
    const known = kinds.get(name);
    if (known !== undefined && moment < known.until) {
      known.repeated++;
      return;
    }
    if (known === undefined && kinds.size >= MAX_KINDS && !forgetOne(kinds, moment)) return;
    kinds.set(name, { until: moment + PERIOD_MILLIS, repeated: 0 });
    const repeated = known?.repeated ?? 0;
    log(level, message, {
      ...short,
      ...(address === undefined ? {} : { address }),
      ...(repeated === 0 ? {} : { repeated }),
    });
  };
}

/** @returns whether there was a kind of which nothing is held back any more */
function forgetOne(kinds: Map<string, Kind>, moment: number): boolean {
  for (const [name, { until }] of kinds) {
    if (until <= moment) return kinds.delete(name);
  }
  return false;
}
