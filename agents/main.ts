/**
 * The `balsa` command: argv in, a running cluster or an answer out, and an exit code that means
 * something. 0 = done or stopped as asked, 1 = could not start or failed, 2 = wrong usage.
 * Never: does work itself; `config.ts` checks flags and `up.ts` brings components up.
 */
import { Command, CommanderError } from "commander";
import { API_SERVER_OPTIONS, validateApiServerFlags } from "./apiserver_flags.ts";
import { COMPONENT_OPTIONS, validateComponentFlags } from "./component_flags.ts";
import { validateUpConfig } from "./config.ts";
import { type FlagProblem, isProblemList, type RawFlags } from "./flag_shapes.ts";
import { type ExplainFlags, runExplain } from "./kube_scheduler/explain/command.ts";
import { KUBELET_OPTIONS, validateKubeletFlags } from "./kubelet_flags.ts";
import { SECURITY_OPTIONS } from "./security_flags.ts";
import { StartupError } from "./startup_error.ts";
import { bringUp } from "./up.ts";
import { bringUpApiServer } from "./up/apiserver_command.ts";
import { bringUpControllerManager, bringUpScheduler } from "./up/component_command.ts";
import { bringUpKubelet } from "./up/kubelet_command.ts";
import type { RunningCluster } from "./up/progress.ts";
import { BALSA_VERSION, KUBERNETES_VERSION } from "./version.ts";

const EXIT_FAILED = 1;
const EXIT_USAGE = 2;
/** A stop that takes longer is cut; nothing acknowledged is lost by that. */
const STOP_MILLIS = 5_000;

function program(): Command {
  const balsa = new Command("balsa")
    .description(
      "A Kubernetes-compatible cluster: store, API server, scheduler, controllers, nodes",
    )
    .exitOverride()
    .showHelpAfterError("(balsa help shows every command)");
  const upCommand = balsa.command("up")
    .description("Bring up a one-machine cluster and keep it running until Ctrl-C")
    .option("--data-dir <path>", "everything that must outlive a restart (default: .balsa)")
    .option("--bind <address>", "address the API server listens on (default: 127.0.0.1)")
    .option("--port <number>", "TCP port of the API server, 0 = any free one (default: 6443)")
    .option("--kubeconfig <path>", "where to write the kubeconfig (default: DATA-DIR/kubeconfig)")
    .option("--hollow-nodes <n>", "nodes that run nothing (default: 3 without a container runtime)")
    .option("--cri <auto|none|unix:///path>", "container runtime for this machine (default: auto)")
    .option("--etcd-port <number>", "also serve etcd's v3 API on this port of 127.0.0.1")
    .option("--datastore-endpoint <urls>", "run on an existing etcd: http(s)://HOST:PORT[,…]")
    .option("--enable-admission-plugins <names>", "admission plugins beside the default ones")
    .option("--disable-admission-plugins <names>", "admission plugins to leave out")
    .option(
      "--scheduler-config <path>",
      "a KubeSchedulerConfiguration: profiles, plugins, arguments",
    )
    .option("--token-auth-file <path>", 'bearer tokens: lines of token,user,uid[,"group1,group2"]')
    .action((flags: RawFlags) => keepUp("up", validateUpConfig(flags), bringUp));
  const serverCommand = balsa.command("apiserver")
    .description("Run one of any number of API servers on a store that runs elsewhere")
    .action((flags: RawFlags) =>
      keepUp("apiserver", validateApiServerFlags(flags), bringUpApiServer)
    );
  for (const [flags, help] of API_SERVER_OPTIONS) serverCommand.option(flags, help);
  for (const command of [upCommand, serverCommand]) {
    for (const [flags, help, again] of SECURITY_OPTIONS) {
      if (again === undefined) command.option(flags, help);
      else command.option(flags, help, (one: string, all: string[] = []) => [...all, one]);
    }
  }
  addComponents(balsa);
  balsa.command("explain")
    .description("Tell why a pod is, or would be, on its node: every verdict and score")
    .argument("<kind>", "pod")
    .argument("<name>", "its name")
    .option("--kubeconfig <path>", "how to reach the cluster", ".balsa/kubeconfig")
    .option("-n, --namespace <name>", "the pod's namespace (default: the context's)")
    .option("--at <revision>", "look at the cluster as it was at a resourceVersion")
    .option(
      "--scheduler-config <path>",
      "the scheduler's KubeSchedulerConfiguration, if it has one",
    )
    .option("-o, --output <format>", "table, json or html", "table")
    .action(explain);
  balsa.command("version")
    .description("Print versions")
    .action(() => console.log(`balsa ${BALSA_VERSION} (Kubernetes ${KUBERNETES_VERSION})`));
  return balsa;
}

/** What runs apart from the API server. */
function addComponents(balsa: Command): void {
  const managerCommand = balsa.command("controller-manager")
    .description("Run the controllers apart from the API server; of several, one works")
    .action((flags: RawFlags) =>
      keepUp("controller-manager", validateComponentFlags(flags), bringUpControllerManager)
    );
  const kubeletCommand = balsa.command("kubelet")
    .description("Run this machine as a node of a cluster whose API server is elsewhere")
    .action((flags: RawFlags) => keepUp("kubelet", validateKubeletFlags(flags), bringUpKubelet));
  for (const [flags, help] of KUBELET_OPTIONS) kubeletCommand.option(flags, help);
  const schedulerCommand = balsa.command("scheduler")
    .description("Run the scheduler apart from the API server; of several, one works")
    .option("--scheduler-config <path>", "a KubeSchedulerConfiguration")
    .option("--config <path>", "the same, by kube-scheduler's name for it")
    .action((flags: RawFlags) =>
      keepUp("scheduler", validateComponentFlags(flags), bringUpScheduler)
    );
  for (const command of [managerCommand, schedulerCommand]) {
    for (const [flags, help] of COMPONENT_OPTIONS) command.option(flags, help);
  }
}

async function explain(kind: string, name: string, flags: ExplainFlags): Promise<void> {
  if (!["pod", "pods", "po"].includes(kind)) {
    console.error(`explain: can't explain "${kind}", only pods`);
    Deno.exit(EXIT_USAGE);
  }
  const read = (path: string, flag: string) =>
    Deno.readTextFile(path).catch((error: Error) => {
      throw new StartupError(`${path}: ${error.message}`, `name it with ${flag}`);
    });
  const kubeconfig = await read(flags.kubeconfig, "--kubeconfig");
  const schedulerConfig = flags.schedulerConfig === undefined
    ? undefined
    : await read(flags.schedulerConfig, "--scheduler-config");
  const result = await runExplain(name, flags, { kubeconfig, schedulerConfig });
  if (result.kind === "problem") {
    console.error(`explain: ${result.message}`);
    Deno.exit(EXIT_FAILED);
  }
  await Deno.stdout.write(new TextEncoder().encode(result.text));
}

/** Runs a command until a signal, or until it can't go on. */
async function keepUp<Config extends object>(
  name: string,
  config: Config | readonly FlagProblem[],
  bring: (config: Config, say: (line: string) => void) => Promise<RunningCluster>,
): Promise<void> {
  if (isProblemList(config)) {
    for (const { flag, message } of config) console.error(`${flag}: ${message}`);
    console.error(`balsa help ${name} explains every flag`);
    Deno.exit(EXIT_USAGE);
  }
  const stopAsked = nextStopSignal();
  const cluster = await bring(config, (line) => console.log(line));
  const why = await Promise.race([stopAsked, cluster.failed]);
  console.log(typeof why === "string" ? `\n${why}: stopping` : `\n${why.message}: stopping`);
  const deadline = setTimeout(() => {
    console.error(`not stopped after ${STOP_MILLIS / 1000} s; leaving at once (nothing is lost)`);
    Deno.exit(EXIT_FAILED);
  }, STOP_MILLIS);
  await cluster.stop();
  clearTimeout(deadline);
  console.log("stopped");
  Deno.exit(typeof why === "string" ? 0 : EXIT_FAILED);
}

function nextStopSignal(): Promise<string> {
  return new Promise((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM"] as const) {
      Deno.addSignalListener(signal, () => resolve(signal));
    }
  });
}

async function main(args: readonly string[]): Promise<void> {
  try {
    await program().parseAsync([...args], { from: "user" });
  } catch (error) {
    if (error instanceof CommanderError) {
      Deno.exit(error.exitCode === 0 ? 0 : EXIT_USAGE);
    }
    if (error instanceof StartupError) {
      console.error(`balsa: ${error.message}\n  ${error.advice}`);
      Deno.exit(EXIT_FAILED);
    }
    throw error;
  }
}

if (import.meta.main) await main(Deno.args);
