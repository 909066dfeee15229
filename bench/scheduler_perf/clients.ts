/**
 * What talks to the API server in a run: the load, the scheduler, and who watches them.
 * In: a workload, clients of the API server, meters. Out: what the run measured.
 * Never: a server or a store: this half runs in a thread of its own where clients use HTTPS.
 */
import type { UserInfo } from "../../agents/api/meta.ts";
import type { Client } from "../../agents/client/client.ts";
import { systemClock } from "../../agents/client/clock.ts";
import { InformerSet } from "../../agents/client/informer_set.ts";
import { runKubeScheduler } from "../../agents/kube_scheduler/run.ts";
import { stderrLog } from "../../agents/ports.ts";
import type { DataItem } from "../result.ts";
import { Executor } from "./executor.ts";
import type { Meters } from "./meters.ts";
import type { Selected } from "./workload.ts";

const ADMIN: UserInfo = { name: "bench", groups: ["system:masters", "system:authenticated"] };
const SCHEDULER: UserInfo = {
  name: "system:kube-scheduler",
  groups: ["system:masters", "system:authenticated"],
};

/** Runs the workload and, beside it, a scheduler until its end. */
export async function runClients(
  selected: Selected,
  clientOf: (user: UserInfo) => Client,
  meters: Meters,
): Promise<readonly DataItem[]> {
  const client = clientOf(SCHEDULER);
  const informers = new InformerSet({ client, clock: systemClock });
  const log = stderrLog("warn");
  const starting = runKubeScheduler({
    client,
    clock: systemClock,
    informers,
    log: (message, fields) => log("warn", message, fields),
    onAttempt: meters.onAttempt,
  });
  informers.start();
  const scheduler = await starting;
  try {
    return await new Executor({ client: clientOf(ADMIN), informers }, selected, meters).run();
  } finally {
    await scheduler.stop();
    informers.stop();
  }
}
