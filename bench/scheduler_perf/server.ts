/**
 * What workloads talk to: an API server on a durable store, in the thread that starts it.
 * In: nothing. Out: the API server, not listening yet, and its end.
 * Never: controllers or kubelets; nodes are objects only, as in upstream's scheduler_perf.
 */
import { join } from "node:path";
import {
  type ApiServer,
  createApiServer,
  DEFAULT_CONFIG,
  randomFrom,
} from "../../agents/apiserver/mod.ts";
import { realClock, stderrLog } from "../../agents/ports.ts";
import { openStore } from "../../store/mod.ts";

export interface PerfServer {
  readonly api: ApiServer;
  close(): Promise<void>;
}

/** No controllers make accounts or untaint nodes; the templates name priorities without classes. */
const DISABLED_ADMISSION = ["ServiceAccount", "TaintNodesByCondition", "Priority"];
/** A whole workload may wait for the one reader of a watch. */
const WATCH_QUEUE = 1_000_000;

/** Starts a server on a data folder of its own, which `close` removes. */
export async function startServer(): Promise<PerfServer> {
  const directory = await Deno.makeTempDir({ prefix: "balsa-scheduler-perf-" });
  const store = await openStore({ dataDirectory: join(directory, "store") });
  const api = await createApiServer({
    ...DEFAULT_CONFIG,
    port: 0,
    pkiDirectory: join(directory, "pki"),
    watchQueue: WATCH_QUEUE,
    disabledAdmission: DISABLED_ADMISSION,
  }, {
    store,
    log: stderrLog("warn"),
    clock: { ...realClock, nowMillis: () => realClock.wallNow() },
    random: randomFrom((bytes) => crypto.getRandomValues(bytes as Uint8Array<ArrayBuffer>)),
    kubelets: NO_KUBELETS,
  });
  return {
    api,
    async close() {
      await api.close();
      await store.close();
      await Deno.remove(directory, { recursive: true });
    },
  };
}

function absent(): Promise<never> {
  return Promise.reject(new Error("there are no kubelets here"));
}

const NO_KUBELETS = { logs: absent, exec: absent, attach: absent, portForward: absent };
