/**
 * Serves what a component that runs apart tells of itself: opens its port and finds out whose
 * certificates to take.
 * In: the flags, a client, what the component tells. Out: an open port, or none where it is off.
 * Never: waits for the API server; until its word is there, certificates are nobody's.
 * Source: --secure-port and its like of kube-scheduler and kube-controller-manager (v1.36).
 */
import type { KubeObject } from "../api/meta.ts";
import { configMaps } from "../api/resources.ts";
import { ApiError } from "../api/status.ts";
import type { Client } from "../client/client.ts";
import { systemClock } from "../client/clock.ts";
import type { ServingConfig } from "../component_flags.ts";
import type { Log } from "../ports.ts";
import { type ComponentFace, listenComponent } from "../serving/component_server.ts";
import { delegateAccess } from "../serving/delegated_access.ts";
import { StartupError } from "../startup_error.ts";
import { nobodysAuthority, readClientCa, servingPair } from "./serving_pair.ts";

/** Where an API server publishes whose clients it knows. */
const PUBLISHED = { namespace: "kube-system", name: "extension-apiserver-authentication" };
const RETRY_MILLIS = 10_000;

export interface ServingComponent {
  /** Where the flags name none. */
  readonly defaultPort: number;
  readonly face: ComponentFace;
  readonly client: Client;
  readonly log: Log;
}

export interface OpenPort {
  readonly port: number;
  close(): Promise<void>;
}

/**
 * Opens the component's port.
 * @returns null where it is off
 * Errors: rejects with StartupError.
 */
export async function serveComponent(
  config: ServingConfig,
  { defaultPort, face, client, log }: ServingComponent,
): Promise<OpenPort | null> {
  const port = config.securePort ?? defaultPort;
  if (port === 0) return null;
  const { bindAddress: bind, clientCaFile } = config;
  const isEverywhere = bind === "0.0.0.0" || /^[0:]+$/.test(bind);
  const names = [Deno.hostname().toLowerCase(), "localhost", "127.0.0.1"];
  if (!isEverywhere && !names.includes(bind)) names.push(bind);
  const pair = await servingPair(config, names);
  const clientCa = clientCaFile === null
    ? await nobodysAuthority()
    : await readClientCa(clientCaFile);
  const parts = { face, access: delegateAccess(client) };
  const listener = await listenComponent({ ...pair, bind, port, clientCa }, parts).catch(
    (error: Error) => {
      const advice = "name another port with --secure-port, or 0 to serve nothing";
      throw new StartupError(`port ${port} of ${bind}: ${error.message}`, advice);
    },
  );
  const unfollow = clientCaFile === null
    ? findClientCa(client, { found: (ca) => listener.trust(ca), log })
    : () => {};
  return {
    port: listener.port,
    close() {
      unfollow();
      return listener.close();
    },
  };
}

/** Asks until there is an answer. @returns a function that gives up */
function findClientCa(
  client: Client,
  { found, log }: { readonly found: (ca: string) => void; readonly log: Log },
): () => void {
  let isOver = false;
  let cancel = () => {};
  const ask = async () => {
    const problem = await client.get<KubeObject>(configMaps, PUBLISHED).then(
      ({ data }) => {
        try {
          if (!isOver) found(data?.["client-ca-file"] ?? "");
          return null;
        } catch {
          return "the API server names no authority";
        }
      },
      (error) => {
        if (error instanceof ApiError) return error.message;
        throw error;
      },
    );
    if (problem === null || isOver) return;
    log("warn", "no client certificate is known yet", { reason: problem });
    cancel = systemClock.after(RETRY_MILLIS, ask);
  };
  ask();
  return () => {
    isOver = true;
    cancel();
  };
}
