/**
 * Opens the scheduler's configuration file.
 * In: its path, or none. Out: the configuration.
 * Never: starts with a file that can't be read or says what it may not.
 */
import { parseSchedulerConfig, type SchedulerConfig } from "../kube_scheduler/config.ts";
import { StartupError } from "../startup_error.ts";

/** Errors: rejects with StartupError on a file that can't be read or says what it may not. */
export async function readSchedulerConfig(path: string | null): Promise<SchedulerConfig> {
  if (path === null) return {};
  const text = await Deno.readTextFile(path).catch((error: Error) => {
    throw new StartupError(`${path}: ${error.message}`, "name it with --scheduler-config");
  });
  const parsed = parseSchedulerConfig(text);
  if (parsed.kind === "ok") return parsed.config;
  throw new StartupError(`${path}: ${parsed.problems.join("; ")}`, "correct it and start again");
}
