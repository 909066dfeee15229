/**
 * Opens the scheduler's configuration file.
 * In: its path, or none. Out: the configuration.
 * Never: starts with a file that can't be read or says what it may not.
 */
import { type ConfigResult, parseSchedulerConfig } from "../kube_scheduler/config.ts";
import { StartupError } from "../startup_error.ts";

export type LoadedSchedulerConfig = Omit<Extract<ConfigResult, { kind: "ok" }>, "kind">;

/** Errors: rejects with StartupError on a file that can't be read or says what it may not. */
export async function readSchedulerConfig(path: string | null): Promise<LoadedSchedulerConfig> {
  const text = path === null ? undefined : await Deno.readTextFile(path).catch((error: Error) => {
    throw new StartupError(`${path}: ${error.message}`, "name it with --scheduler-config");
  });
  const parsed = parseSchedulerConfig(text);
  if (parsed.kind === "ok") return parsed;
  throw new StartupError(`${path}: ${parsed.problems.join("; ")}`, "correct it and start again");
}
