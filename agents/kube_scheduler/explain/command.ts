/**
 * `balsa explain pod NAME`: why a pod is, or would be, where it is.
 * In: a name, a kubeconfig, a revision or none. Out: text.
 * Never: writes to the cluster. What the user can mend comes back as a problem, not as a throw.
 */
import { ApiError } from "../../api/status.ts";
import type { Client } from "../../client/client.ts";
import { createHttpsClient } from "../../client/https.ts";
import { parseKubeconfig } from "../../client/kubeconfig.ts";
import { account } from "../../../scheduler/mod.ts";
import type { SchedulerConfig } from "../../../scheduler/mod.ts";
import { parseSchedulerConfig } from "../config.ts";
import { readCluster } from "./cluster.ts";
import type { ExplainTarget } from "./cluster.ts";
import { type Explanation, inFavourOf } from "./explanation.ts";
import { formatHtml } from "./format_html.ts";
import { formatTable } from "./format_table.ts";
import { podContext } from "./pod_context.ts";

export type ExplainResult =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "problem"; readonly message: string };

const FORMATS = {
  table: formatTable,
  json: (explanation: Explanation) => `${JSON.stringify(explanation, null, 2)}\n`,
  html: formatHtml,
} as const;

export type ExplainFormat = keyof typeof FORMATS;

/** Explains one pod through a client. */
export async function explainPod(
  client: Client,
  target: ExplainTarget,
  format: ExplainFormat,
  config: SchedulerConfig = {},
): Promise<ExplainResult> {
  try {
    const cluster = await readCluster(client, target, config);
    if (cluster === null) {
      const { namespace, name, at } = target;
      const then = at === "" ? "" : ` at revision ${at}`;
      const message = `pods "${name}" not found in namespace "${namespace}"${then}`;
      return { kind: "problem", message };
    }
    const { scheduler, pod, schedulerName, nodeName, revision } = cluster;
    const profile = scheduler.profiles.get(schedulerName);
    if (profile === undefined) {
      const known = [...scheduler.profiles.keys()].map((name) => `"${name}"`).join(", ");
      const message = `the pod asks for scheduler "${schedulerName}", which is none of ${known}; ` +
        "name the configuration that has it with --scheduler-config";
      return { kind: "problem", message };
    }
    const { table, nominations } = scheduler;
    const { namespace, name } = target;
    const explanation = {
      namespace,
      name,
      schedulerName,
      revision,
      nodeName,
      account: inFavourOf(account({ table, profile, pod, nominations, seed: 1 }), nodeName),
      context: podContext(cluster),
    };
    return { kind: "text", text: FORMATS[format](explanation) };
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    const isGone = error.reason === "Expired" && target.at !== "";
    const gone = `revision ${target.at} is no longer kept; name a later one, or leave --at out`;
    return { kind: "problem", message: isGone ? gone : error.message };
  }
}

export interface ExplainFlags {
  readonly kubeconfig: string;
  readonly namespace?: string;
  readonly at?: string;
  /** Path of a KubeSchedulerConfiguration. */
  readonly schedulerConfig?: string;
  readonly output: string;
}

/** Files that the command was given. */
export interface ExplainFiles {
  readonly kubeconfig: string;
  /** A KubeSchedulerConfiguration; absent = all defaults. */
  readonly schedulerConfig?: string;
}

/** Runs the command. @param files what the files hold */
export async function runExplain(
  name: string,
  flags: ExplainFlags,
  files: ExplainFiles,
): Promise<ExplainResult> {
  if (!Object.hasOwn(FORMATS, flags.output)) {
    const known = Object.keys(FORMATS).join(", ");
    return { kind: "problem", message: `--output: must be one of ${known}` };
  }
  if (flags.at !== undefined && !/^[1-9]\d*$/.test(flags.at)) {
    return { kind: "problem", message: "--at: must be a revision, a whole number above 0" };
  }
  const config = parseSchedulerConfig(files.schedulerConfig);
  if (config.kind === "error") {
    return { kind: "problem", message: `--scheduler-config: ${config.problems.join("; ")}` };
  }
  const connection = parseKubeconfig(files.kubeconfig);
  if (connection.kind === "problem") return connection;
  const client = createHttpsClient(connection.options);
  try {
    const namespace = flags.namespace ?? connection.namespace;
    const target = { namespace, name, at: flags.at ?? "" };
    return await explainPod(client, target, flags.output as ExplainFormat, config.config);
  } finally {
    client.close();
  }
}
