/**
 * The store's ports on Deno: clock, randomness, log and disk of this machine.
 * In: nothing. Out: ports for `openStore`.
 * Never: writes a secret to the log; its callers hand none over.
 */
import { setImmediate } from "node:timers";
import { createDenoDisk } from "./disk/deno_disk.ts";
import type { Disk, Log, LogLevel, PeerNetwork, Timer } from "./ports.ts";
import type { Random } from "./raft/types.ts";

/** What a member needs of the machine it runs on. */
export interface StorePorts {
  readonly disk: Disk;
  readonly timer: Timer;
  readonly random: Random;
  readonly log: Log;
  /** Default TCP. */
  readonly network?: PeerNetwork;
}

const LEVELS: readonly LogLevel[] = ["debug", "info", "warn", "error"];

/**
 * @param options.logLevel least level written to standard error, default "warn"
 * @returns the real ports
 */
export function denoPorts(options: { readonly logLevel?: LogLevel } = {}): StorePorts {
  return {
    disk: createDenoDisk(),
    timer: createDenoTimer(),
    random: createDenoRandom(),
    log: createDenoLog(options.logLevel ?? "warn"),
  };
}

function createDenoTimer(): Timer {
  return {
    now: () => performance.now(),
    wallNow: () => Date.now(),
    every(intervalMillis, callback) {
      const timer = setInterval(callback, intervalMillis);
      return () => clearInterval(timer);
    },
    after(delayMillis, callback) {
      const timer = setTimeout(callback, delayMillis);
      return () => clearTimeout(timer);
    },
    soon: (callback) => void setImmediate(callback),
  };
}

function createDenoRandom(): Random {
  const words = new Uint32Array(64);
  let used = words.length;
  return {
    nextInt(below) {
      if (used === words.length) {
        crypto.getRandomValues(words);
        used = 0;
      }
      return Math.floor(words[used++] / 2 ** 32 * below);
    },
  };
}

/** One JSON object a line. */
function createDenoLog(least: LogLevel): Log {
  const encoder = new TextEncoder();
  return (level, message, fields = {}) => {
    if (LEVELS.indexOf(level) < LEVELS.indexOf(least)) return;
    const time = new Date().toISOString();
    const line = JSON.stringify(
      { time, level, message, ...fields },
      (_, value) => typeof value === "bigint" ? value.toString(16) : value,
    );
    Deno.stderr.writeSync(encoder.encode(`${line}\n`));
  };
}
