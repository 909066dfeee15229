/**
 * `balsa apiserver`: one of any number of API servers on one store.
 * In: a checked ApiServerCommandConfig. Out: a running server and how to stop it.
 * Never: keeps state of its own: keys are shared files, all else is the store's.
 */
import type { ApiServerCommandConfig } from "../apiserver_flags.ts";
import { stderrLog } from "../ports.ts";
import { StartupError } from "../startup_error.ts";
import { startApiServer } from "./api_server.ts";
import { openRemoteDatastore } from "./datastore.ts";
import { Progress, type RunningCluster, runParts } from "./progress.ts";

/**
 * Brings the server up.
 * @param say prints one line to the user
 * Errors: rejects with StartupError.
 */
export async function bringUpApiServer(
  config: ApiServerCommandConfig,
  say: (line: string) => void,
): Promise<RunningCluster> {
  const progress = new Progress(say);
  const log = stderrLog("warn");
  const running = await runParts(async (parts) => {
    const { value: datastore } = await progress.step("store", async () => {
      const value = await openRemoteDatastore({
        endpoints: config.datastoreEndpoints,
        tls: {
          ca: await readPem("--datastore-cafile", config.datastoreCaFile),
          cert: await readPem("--datastore-certfile", config.datastoreCertFile),
          key: await readPem("--datastore-keyfile", config.datastoreKeyFile),
        },
      });
      return { value, detail: value.detail };
    });
    parts.push({ name: "store", stop: () => datastore.close() });
    const { value: { api } } = await progress.step(
      "API server",
      () => startApiServer(config, { datastore, log }),
    );
    parts.push({ name: "API server", stop: () => api.close() });
  });
  progress.ready([["stop", "Ctrl-C; everything is kept in the store"]]);
  return running;
}

/** Errors: rejects with StartupError naming the flag. */
async function readPem(flag: string, path: string | null): Promise<string | undefined> {
  if (path === null) return undefined;
  return await Deno.readTextFile(path).catch((error: Error) => {
    throw new StartupError(`${flag} ${path}: ${error.message}`, "name a file that can be read");
  });
}
