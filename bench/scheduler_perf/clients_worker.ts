/**
 * The thread of a run's clients: the load and the scheduler, over HTTPS.
 * In: one task, as a message. Out: when it measures, and what it measured or why it could not.
 * Never: ends itself; who started it does.
 */
import { createHttpsClient, type HttpsClientOptions } from "../../agents/client/https.ts";
import type { DataItem } from "../result.ts";
import { runClients } from "./clients.ts";
import { NotServed } from "./executor.ts";
import { Meters } from "./meters.ts";
import { selectWorkloads } from "./workload.ts";
import { TEST_CASES } from "./workloads/mod.ts";

export type ClientsTask =
  & Required<Pick<HttpsClientOptions, "server" | "ca" | "certificate" | "privateKey">>
  & {
    /** Full name of one workload. */
    readonly workload: string;
  };

export type ClientsNews =
  | { readonly kind: "measuring" | "measured" }
  | { readonly kind: "done"; readonly items: readonly DataItem[] }
  | { readonly kind: "notServed" | "failed"; readonly message: string };

const scope = self as unknown as {
  onmessage: (event: MessageEvent<ClientsTask>) => void;
  postMessage(news: ClientsNews): void;
};

scope.onmessage = async ({ data: { workload, ...options } }) => {
  const opened: { close(): void }[] = [];
  const clientOf = () => {
    const client = createHttpsClient(options);
    opened.push(client);
    return client;
  };
  const meters = new Meters((kind) => scope.postMessage({ kind }));
  try {
    const [selected] = selectWorkloads(TEST_CASES, workload);
    if (selected === undefined) throw new Error(`no workload is named ${workload}`);
    const items = await runClients(selected, clientOf, meters);
    for (const client of opened) client.close();
    scope.postMessage({ kind: "done", items });
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    scope.postMessage({ kind: error instanceof NotServed ? "notServed" : "failed", message });
  }
};
