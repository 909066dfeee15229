/**
 * The cluster that workloads run on: a durable store, an API server and the scheduler in one
 * process.
 * In: how its components talk to the API. Out: clients, the scheduler's own informers, an end.
 * Never: controllers or kubelets; nodes are objects only, as in upstream's scheduler_perf.
 */
import { join } from "node:path";
import type { UserInfo } from "../../agents/api/meta.ts";
import {
  type ApiServer,
  createApiServer,
  DEFAULT_CONFIG,
  randomFrom,
} from "../../agents/apiserver/mod.ts";
import type { Client } from "../../agents/client/client.ts";
import { systemClock } from "../../agents/client/clock.ts";
import { createHttpsClient } from "../../agents/client/https.ts";
import { createInProcessClient } from "../../agents/client/in_process.ts";
import { InformerSet } from "../../agents/client/informer_set.ts";
import {
  type AttemptObserver,
  runKubeScheduler,
  type RunningKubeScheduler,
} from "../../agents/kube_scheduler/run.ts";
import { realClock, stderrLog } from "../../agents/ports.ts";
import { openStore } from "../../store/mod.ts";

/** How everything talks to the API server: by direct calls, or over HTTPS on loopback. */
export type ClientKind = "direct" | "https";

export interface PerfCluster {
  /** Makes the workload's objects. */
  readonly client: Client;
  /** The scheduler's informers, which the harness watches too, as upstream's does. */
  readonly informers: InformerSet;
  readonly scheduler: RunningKubeScheduler;
  close(): Promise<void>;
}

const ADMIN: UserInfo = { name: "bench", groups: ["system:masters", "system:authenticated"] };
const SCHEDULER: UserInfo = {
  name: "system:kube-scheduler",
  groups: ["system:masters", "system:authenticated"],
};
/** No controllers make accounts or untaint nodes; the templates name priorities without classes. */
const DISABLED_ADMISSION = ["ServiceAccount", "TaintNodesByCondition", "Priority"];
/** A whole workload may wait for the one reader of a watch. */
const WATCH_QUEUE = 1_000_000;

/** Starts a cluster on a data folder of its own, which `close` removes. */
export async function startPerfCluster(
  kind: ClientKind,
  onAttempt?: AttemptObserver,
): Promise<PerfCluster> {
  const directory = await Deno.makeTempDir({ prefix: "balsa-scheduler-perf-" });
  const store = await openStore({ dataDirectory: join(directory, "store") });
  const log = stderrLog("warn");
  const api = await createApiServer({
    ...DEFAULT_CONFIG,
    port: 0,
    pkiDirectory: join(directory, "pki"),
    watchQueue: WATCH_QUEUE,
    disabledAdmission: DISABLED_ADMISSION,
  }, {
    store,
    log,
    clock: { ...realClock, nowMillis: () => realClock.wallNow() },
    random: randomFrom((bytes) => crypto.getRandomValues(bytes as Uint8Array<ArrayBuffer>)),
    kubelets: NO_KUBELETS,
  });
  const { clientOf, closeClients } = await clients(kind, api);
  const client = clientOf(SCHEDULER);
  const informers = new InformerSet({ client, clock: systemClock });
  const starting = runKubeScheduler({
    client,
    clock: systemClock,
    informers,
    log: (message, fields) => log("warn", message, fields),
    ...(onAttempt === undefined ? {} : { onAttempt }),
  });
  informers.start();
  const scheduler = await starting;
  return {
    client: clientOf(ADMIN),
    informers,
    scheduler,
    async close() {
      await scheduler.stop();
      informers.stop();
      closeClients();
      await api.close();
      await store.close();
      await Deno.remove(directory, { recursive: true });
    },
  };
}

async function clients(kind: ClientKind, api: ApiServer): Promise<{
  clientOf(user: UserInfo): Client;
  closeClients(): void;
}> {
  if (kind === "direct") {
    return {
      clientOf: (user) => createInProcessClient({ port: api.port, user }),
      closeClients: () => {},
    };
  }
  const port = await api.listen();
  const opened: { close(): void }[] = [];
  return {
    clientOf: () => {
      const client = createHttpsClient({
        server: `https://127.0.0.1:${port}`,
        ca: api.pki.ca.certificate,
        certificate: api.pki.admin.certificate,
        privateKey: api.pki.admin.key,
      });
      opened.push(client);
      return client;
    },
    closeClients: () => {
      for (const client of opened) client.close();
    },
  };
}

function absent(): Promise<never> {
  return Promise.reject(new Error("there are no kubelets here"));
}

const NO_KUBELETS = { logs: absent, exec: absent, attach: absent, portForward: absent };
