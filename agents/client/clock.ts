/**
 * The time and the chance that informers, queues and controllers run on.
 * In: nothing. Out: the Clock port and the machine's own clock.
 * Never: logic; tests put a hand-driven clock in its place.
 */

/** Cancels what it was returned for; calling it twice does nothing. */
export type Cancel = () => void;

export interface Clock {
  /** Wall clock, milliseconds since 1970. */
  nowMillis(): number;
  /**
   * Calls `action` once, later.
   * @param delayMillis milliseconds from now, 0 or more.
   */
  after(delayMillis: number, action: () => void): Cancel;
  /** Evenly spread, 0 <= x < 1. */
  random(): number;
}

/** setTimeout fires at once beyond this many milliseconds, so longer waits are cut. */
const LONGEST_TIMER_MILLIS = 2_147_483_647;

/** The machine's clock. */
export const systemClock: Clock = {
  nowMillis: () => Date.now(),
  after(delayMillis, action) {
    const id = setTimeout(action, Math.min(Math.max(0, delayMillis), LONGEST_TIMER_MILLIS));
    return () => clearTimeout(id);
  },
  random: () => Math.random(),
};

/**
 * Waits on a clock.
 * @param delayMillis milliseconds, 0 or more.
 */
export function sleep(clock: Clock, delayMillis: number): Promise<void> {
  return new Promise((resolve) => void clock.after(delayMillis, resolve));
}
