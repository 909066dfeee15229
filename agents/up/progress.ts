/**
 * How a command that keeps running starts and stops: its parts, and what it says of them.
 * In: parts as they start. Out: lines for the user, with times; a stop in reverse order.
 * Never: knows what a part is.
 */

export interface RunningCluster {
  /** Resolves when a part failed in a way that the cluster can't go on from. */
  readonly failed: Promise<Error>;
  /** Stops everything, newest part first. */
  stop(): Promise<void>;
}

/** A part that was started, by name. */
export interface Part {
  readonly name: string;
  readonly stop: () => void | Promise<void>;
}

/**
 * Starts parts in order.
 * @param start adds each part once it runs
 * Errors: rejects with what `start` did; parts already started are stopped first.
 */
export async function runParts(
  start: (parts: Part[]) => Promise<void>,
): Promise<RunningCluster> {
  const parts: Part[] = [];
  const stop = async () => {
    for (const part of parts.splice(0).reverse()) await part.stop();
  };
  try {
    await start(parts);
  } catch (error) {
    await stop();
    throw error;
  }
  return { failed: new Promise(() => {}), stop };
}

/** What a step made, and what to tell the user of it. */
export interface Step<T> {
  readonly value: T;
  readonly detail: string;
}

/** Says what is done as it is done, with times since the start. */
export class Progress {
  readonly #say: (line: string) => void;
  readonly #started = performance.now();

  constructor(say: (line: string) => void) {
    this.#say = say;
  }

  async step<T>(name: string, run: () => Promise<Step<T>>): Promise<Step<T>> {
    const step = await run();
    const millis = Math.round(performance.now() - this.#started);
    this.#say(`${String(millis).padStart(6)} ms  ${name.padEnd(12)}${step.detail}`);
    return step;
  }

  /** What a user needs next: a name and a text a line. */
  ready(lines: readonly (readonly [name: string, text: string])[]): void {
    const seconds = ((performance.now() - this.#started) / 1000).toFixed(1);
    this.#say(`ready in ${seconds} s`);
    for (const [name, text] of lines) this.#say(`  ${name.padEnd(12)}${text}`);
  }
}
