/**
 * Follows the file of static tokens, so that one can be taken back without a restart.
 * In: the file's path. Out: the tokens of now.
 * Never: drops tokens because the file is gone or malformed for a while: says so, keeps the last.
 */
import type { Log } from "../ports.ts";
import { StartupError } from "../startup_error.ts";
import { parseTokenFile, type TokenEntry } from "../token_file.ts";

export interface TokenFileWatch {
  /** One list until the file changes. */
  readonly tokens: () => readonly TokenEntry[];
  /** Reads the file now; done every ten seconds. */
  readonly look: () => Promise<void>;
  stop(): void;
}

const LOOK_MILLIS = 10_000;

/** Errors: rejects with StartupError naming the file and every bad line. */
export async function watchTokenFile(
  path: string,
  ports: {
    readonly every: (intervalMillis: number, callback: () => void) => () => void;
    readonly log: Log;
  },
): Promise<TokenFileWatch> {
  const flag = `--token-auth-file ${path}`;
  let text = await Deno.readTextFile(path).catch((error: Error) => {
    throw new StartupError(`${flag}: ${error.message}`, "name a file that can be read");
  });
  const first = parseTokenFile(text);
  if (first.kind === "malformed") {
    throw new StartupError(`${flag}: ${first.problems.join("; ")}`, "correct these lines");
  }
  let { tokens } = first;
  const look = async () => {
    const now = await Deno.readTextFile(path).catch((error: Error) => {
      ports.log("warn", `${flag} can't be read; the last tokens stay`, { error: error.name });
      return text;
    });
    if (now === text) return;
    text = now;
    const parsed = parseTokenFile(now);
    if (parsed.kind === "tokens") tokens = parsed.tokens;
    else {
      const { problems } = parsed;
      ports.log("warn", `${flag} is malformed; the last tokens stay`, { problems });
    }
  };
  return { tokens: () => tokens, look, stop: ports.every(LOOK_MILLIS, () => void look()) };
}
