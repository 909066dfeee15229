/**
 * Reads a file that a flag names, and says what is wrong with one.
 * In: the flag, the path. Out: text, or a StartupError that names both.
 * Never: repeats what stands in the file.
 */
import { StartupError } from "../startup_error.ts";

/** Errors: rejects with StartupError. */
export async function readNamed(flag: string, path: string): Promise<string> {
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    throw new StartupError(
      `${flag} ${path}: ${(error as Error).message}`,
      "name a file that can be read",
    );
  }
}

export function refused(flag: string, path: string, problems: readonly string[]): StartupError {
  return new StartupError(`${flag} ${path}: ${problems.join("; ")}`, "correct these places");
}
