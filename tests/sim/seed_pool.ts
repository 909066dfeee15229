/**
 * Many seeds on all processors.
 * In: runs, how many threads. Out: results as they come.
 * Never: lets the order in which threads finish change what a seed does.
 */
import type { RunOptions } from "./run.ts";
import type { SeedResult } from "./seed_worker.ts";

/**
 * Runs every option set once.
 * @param onResult called for each result; false stops handing out further runs
 */
export async function runPool(
  runs: Iterable<RunOptions>,
  options: { readonly threads: number; readonly onResult: (result: SeedResult) => boolean },
): Promise<void> {
  const queue = runs[Symbol.iterator]();
  let going = true;
  const work = () =>
    new Promise<void>((resolve, reject) => {
      const worker = new Worker(new URL("./seed_worker.ts", import.meta.url), { type: "module" });
      const next = () => {
        const item = going ? queue.next() : { done: true as const, value: undefined };
        if (!item.done) return worker.postMessage(item.value);
        worker.terminate();
        resolve();
      };
      worker.onmessage = ({ data }: MessageEvent<SeedResult>) => {
        if (!options.onResult(data)) going = false;
        next();
      };
      worker.onerror = (event) => {
        event.preventDefault();
        worker.terminate();
        reject(new Error(event.message));
      };
      next();
    });
  await Promise.all(Array.from({ length: options.threads }, work));
}
