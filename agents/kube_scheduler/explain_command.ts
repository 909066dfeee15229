/**
 * `balsa explain pod NAME`: why a pod is, or would be, where it is.
 * In: a name, a kubeconfig, a revision or none. Out: text.
 * Never: writes to the cluster. What the user can mend comes back as a problem, not as a throw.
 */
import { ApiError } from "../api/status.ts";
import type { Client } from "../client/client.ts";
import { createHttpsClient } from "../client/https.ts";
import { parseKubeconfig } from "../client/kubeconfig.ts";
import { account } from "../../scheduler/mod.ts";
import type { SchedulerConfig } from "../../scheduler/mod.ts";
import { parseSchedulerConfig } from "./config.ts";
import { podContext } from "./explain/pod_context.ts";
import { readCluster } from "./explain_cluster.ts";
import type { ExplainTarget } from "./explain_cluster.ts";
import { type ExplainFormat, formatExplanation } from "./explain_format.ts";

export type ExplainResult =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "problem"; readonly message: string };

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
      return { kind: "problem", message: `pods "${target.name}" not found` };
    }
    const { scheduler, pod, schedulerName, nodeName, revision, group } = cluster;
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
      account: account({ table, profile, pod, nominations, seed: 1 }),
      context: podContext(scheduler, pod, { schedulerName, parts: group }),
    };
    return { kind: "text", text: formatExplanation(explanation, format) };
  } catch (error) {
    if (error instanceof ApiError) return { kind: "problem", message: error.message };
    throw error;
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

const FORMATS: readonly string[] = ["table", "json", "html"] satisfies ExplainFormat[];

/** Runs the command. @param files what the files hold */
export async function runExplain(
  name: string,
  flags: ExplainFlags,
  files: ExplainFiles,
): Promise<ExplainResult> {
  if (!FORMATS.includes(flags.output)) {
    return { kind: "problem", message: `--output: must be one of ${FORMATS.join(", ")}` };
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
