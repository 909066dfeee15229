/**
 * Starts an API server on an open store, and tells its callers where it is.
 * In: its part of a command's configuration, a store, the kubelets it may ask. Out: the server.
 * Never: opens or closes the store. Errors become advice: a taken port, a file that can't be read.
 */
import {
  type ApiServer,
  type ApiServerPorts,
  createApiServer,
  DEFAULT_CONFIG,
  randomFrom,
  writeKubeconfig,
} from "../apiserver/mod.ts";
import type { UpConfig } from "../config.ts";
import { type Log, realClock } from "../ports.ts";
import { StartupError } from "../startup_error.ts";
import type { Datastore } from "./datastore.ts";
import type { Step } from "./progress.ts";
import type { KubeletFlags } from "../apiserver_flags.ts";
import { readKubeletClient } from "./kubelet_client_files.ts";
import { readSecurity } from "./security_files.ts";
import { watchTokenFile } from "./token_file_watch.ts";

/** What every command that serves the API is told. */
export type ServingConfig =
  & Pick<
    UpConfig,
    "bind" | "port" | "tokenAuthFile" | "security" | "enabledAdmission" | "disabledAdmission"
  >
  & {
    /** Folder of keys and certificates. */
    readonly pkiDirectory: string;
    /** Where the admin's kubeconfig is written; null = nowhere. */
    readonly kubeconfig: string | null;
    /** Address that the cluster's own service leads to; null = `bind`. */
    readonly advertiseAddress?: string | null;
    /** Further names and addresses that clients reach the server by. */
    readonly serverNames?: readonly string[];
    /** How kubelets of other machines are reached; absent = by their defaults. */
    readonly kubelet?: KubeletFlags;
  };

export interface ServingPorts {
  readonly datastore: Datastore;
  readonly kubelets?: ApiServerPorts["kubelets"];
  readonly components?: ApiServerPorts["components"];
  readonly metrics?: ApiServerPorts["metrics"];
  readonly log: Log;
}

/** Errors: rejects with StartupError. */
export async function startApiServer(
  config: ServingConfig,
  { datastore, kubelets, components, metrics, log }: ServingPorts,
): Promise<Step<{ readonly api: ApiServer; readonly url: string }>> {
  const { every } = realClock;
  const tokenFile = config.tokenAuthFile === null
    ? null
    : await watchTokenFile(config.tokenAuthFile, { every, log });
  const server = await createApiServer({
    ...DEFAULT_CONFIG,
    bindAddress: config.bind,
    port: config.port,
    advertiseAddress: config.advertiseAddress ?? config.bind,
    pkiDirectory: config.pkiDirectory,
    serverNames: config.serverNames ?? [],
    staticTokens: tokenFile?.tokens ?? [],
    ...await readSecurity(config.security),
    kubelet: await readKubeletClient(config.kubelet),
    enabledAdmission: config.enabledAdmission,
    disabledAdmission: config.disabledAdmission,
    consistentReads: datastore.consistentReads,
  }, {
    store: datastore.store,
    ...(kubelets === undefined ? {} : { kubelets }),
    ...(components === undefined ? {} : { components }),
    ...(metrics === undefined ? {} : { metrics }),
    log,
    clock: { ...realClock, nowMillis: () => realClock.wallNow() },
    random: randomFrom((bytes) => crypto.getRandomValues(bytes as Uint8Array<ArrayBuffer>)),
  });
  const api: ApiServer = {
    ...server,
    async close() {
      tokenFile?.stop();
      await server.close();
    },
  };
  try {
    const port = await api.listen();
    const host = config.bind.includes(":") ? `[${config.bind}]` : config.bind;
    const url = `https://${host}:${port}`;
    if (config.kubeconfig !== null) {
      await writeKubeconfig(config.kubeconfig, {
        server: url,
        ca: api.pki.ca.certificate,
        client: api.pki.admin,
      });
    }
    return { value: { api, url }, detail: url };
  } catch (error) {
    await api.close();
    if (isAddressInUse(error)) {
      throw new StartupError(
        `port ${config.port} of ${config.bind} is already in use`,
        "stop what listens there, or choose another with --port (0 = any free one)",
      );
    }
    throw error;
  }
}

function isAddressInUse(error: unknown): boolean {
  return error instanceof Deno.errors.AddrInUse ||
    (error as { code?: string } | null)?.code === "EADDRINUSE";
}
