/**
 * Starts the clients of a run in a thread of their own and hears from it.
 * In: a workload's name, a listening API server. Out: what the run measured, with the longest
 * stall of this thread, the server's, beside that of the clients'.
 * Never: a direct call between the two halves: all they share is HTTPS on loopback.
 */
import type { ApiServer } from "../../agents/apiserver/mod.ts";
import type { DataItem } from "../result.ts";
import type { ClientsNews, ClientsTask } from "./clients_worker.ts";
import { NotServed } from "./executor.ts";
import { StallMeter } from "./meters.ts";

/** Errors: rejects with NotServed, or with what ended the run. */
export async function runClientsThread(
  workload: string,
  { api, port }: { readonly api: ApiServer; readonly port: number },
): Promise<readonly DataItem[]> {
  const worker = new Worker(new URL("./clients_worker.ts", import.meta.url), { type: "module" });
  const task: ClientsTask = {
    workload,
    server: `https://127.0.0.1:${port}`,
    ca: api.pki.ca.certificate,
    certificate: api.pki.admin.certificate,
    privateKey: api.pki.admin.key,
  };
  try {
    return await new Promise((resolve, reject) => {
      const stall = new StallMeter();
      const stalls: number[] = [];
      worker.onmessage = ({ data }: MessageEvent<ClientsNews>) => {
        switch (data.kind) {
          case "measuring":
            return stall.start();
          case "measured":
            return void stalls.push(stall.stop());
          case "done":
            return resolve(withServerStalls(data.items, stalls));
          case "notServed":
            return reject(new NotServed(data.message));
          case "failed":
            return reject(new Error(data.message));
        }
      };
      worker.onerror = (event) => {
        event.preventDefault();
        reject(new Error(event.message));
      };
      worker.postMessage(task);
    });
  } finally {
    worker.terminate();
  }
}

/** @param stalls milliseconds, one for each time that the clients measured */
function withServerStalls(
  items: readonly DataItem[],
  stalls: readonly number[],
): readonly DataItem[] {
  let next = 0;
  return items.flatMap((item) => {
    if (item.labels.Metric !== "LongestStall") return [item];
    const labels = { ...item.labels, Metric: "LongestServerStall" };
    return [item, { ...item, data: { Average: stalls[next++] }, labels }];
  });
}
