/**
 * The store that a cluster runs on: its own, or an etcd that runs already.
 * In: a checked UpConfig. Out: an open store, and what to tell the user of it.
 * Never: touches what an etcd holds beyond compacting history that no watch still needs.
 */
import { join } from "node:path";
import { openRemoteStore, type RemoteStoreConfig } from "../../store/client.ts";
import { denoPorts, openServedStore, openStore, type Store } from "../../store/mod.ts";
import type { UpConfig } from "../config.ts";
import { StartupError } from "../startup_error.ts";

/** Revisions older than this are compacted, as kube-apiserver does to its etcd. */
const COMPACT_AFTER_MILLIS = 300_000;

export interface Datastore {
  readonly store: Store;
  /** One line for the user. */
  readonly detail: string;
  /** "applied" where this process holds the store's only member, "quorum" otherwise. */
  readonly consistentReads: "applied" | "quorum";
  close(): Promise<void>;
}

/** Errors: rejects with StartupError. */
export function openDatastore(config: UpConfig): Promise<Datastore> {
  return config.datastoreEndpoints.length > 0 ? openRemote(config) : openOwn(config);
}

async function openRemote({ dataDir, datastoreEndpoints }: UpConfig): Promise<Datastore> {
  // Keys, certificates and the kubeconfig stay on this machine.
  await Deno.mkdir(dataDir, { recursive: true, mode: 0o700 });
  return await openRemoteDatastore({ endpoints: datastoreEndpoints });
}

/** A store that runs elsewhere, Balsa's or an etcd. Errors: rejects with StartupError. */
export async function openRemoteDatastore(config: RemoteStoreConfig): Promise<Datastore> {
  const named = config.endpoints.join(", ");
  const ports = denoPorts({ logLevel: "error" });
  const store = await openRemoteStore(config, ports);
  if (!("put" in store)) {
    const why = store.kind === "auth" ? `it refuses us (${store.reason})` : store.kind;
    throw new StartupError(
      `no datastore answers at ${named}: ${why}`,
      "start it, or correct --datastore-endpoint",
    );
  }
  let seen = store.revision;
  const stopCompacting = ports.timer.every(COMPACT_AFTER_MILLIS, () => {
    // Another server of this etcd may have compacted further; its refusal changes nothing.
    void store.compact(seen);
    seen = store.revision;
  });
  return {
    store,
    detail: `etcd at ${named}, revision ${store.revision}`,
    consistentReads: "quorum",
    async close() {
      stopCompacting();
      await store.close();
    },
  };
}

async function openOwn(config: UpConfig): Promise<Datastore> {
  const dataDirectory = join(config.dataDir, "store");
  const { etcdPort } = config;
  const options = {
    dataDirectory,
    autoCompactionMode: "periodic",
    autoCompactionRetention: COMPACT_AFTER_MILLIS,
  } as const;
  try {
    await Deno.mkdir(config.dataDir, { recursive: true, mode: 0o700 });
    let store: Store;
    let detail = `one member in ${dataDirectory}`;
    if (etcdPort === null) store = await openStore(options, denoPorts());
    else {
      const url = `http://127.0.0.1:${etcdPort}`;
      const clients = etcdPort === 0 ? {} : { advertiseClientUrls: [url] };
      const served = await openServedStore({ ...options, ...clients }, [url], denoPorts());
      store = served.store;
      detail += `, etcd API at http://127.0.0.1:${served.ports[0]}`;
    }
    detail += `, revision ${store.revision}`;
    return { store, detail, consistentReads: "applied", close: () => store.close() };
  } catch (error) {
    throw storeProblem(error, config);
  }
}

/** Every way in which a data directory or port can refuse, with what to do about it. */
function storeProblem(error: unknown, { dataDir, etcdPort }: UpConfig): Error {
  if (!(error instanceof Error)) return new Error(String(error));
  if (error instanceof Deno.errors.AddrInUse) {
    return new StartupError(
      `port ${etcdPort} of 127.0.0.1 is already in use`,
      "stop what listens there, or choose another with --etcd-port (0 = any free one)",
    );
  }
  const message = error.message.includes(dataDir) ? error.message : `${dataDir}: ${error.message}`;
  if (/in use/.test(message)) {
    return new StartupError(message, "stop that process, or choose another --data-dir");
  }
  if (error instanceof Deno.errors.PermissionDenied) {
    return new StartupError(message, "make the directory readable and writable, or choose another");
  }
  return new StartupError(
    message,
    "nothing was changed; restore a copy, or choose another --data-dir",
  );
}
