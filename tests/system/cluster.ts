/**
 * A real `balsa up` in a process of its own, and kubectl against it.
 * In: flags. Out: a running cluster with its data folder, and what commands print.
 * Never: shares a port or a folder with another test.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { parse } from "yaml";
import type { Client } from "../../agents/client/client.ts";
import { createHttpsClient } from "../../agents/client/https.ts";
import { freePort } from "../free_port.ts";
import { projectRoot } from "../source_tree.ts";
import { requireTool, type Tool } from "./tools.ts";

const START_TIMEOUT_MILLIS = 60_000;

export interface CommandResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A `balsa` command that keeps running. */
export interface BalsaProcess {
  /** Everything that it printed so far. */
  readonly printed: () => string;
  readonly pid: number;
  /** SIGTERM; resolves with the exit code. */
  stop(): Promise<number>;
  /** SIGKILL, as a power cut would. */
  kill(): Promise<void>;
}

export interface TestCluster extends BalsaProcess {
  readonly dataDir: string;
  readonly kubeconfig: string;
}

/** An empty folder for one test's data. */
export function makeDataDir(): Promise<string> {
  return Deno.makeTempDir({ prefix: "balsa-up-" });
}

/**
 * Starts `balsa up` and waits until it says that it is ready.
 * Errors: rejects with what it printed when it exits or does not get ready.
 */
export async function startCluster(options: {
  readonly dataDir: string;
  readonly port: number;
  readonly flags?: readonly string[];
}): Promise<TestCluster> {
  const { dataDir, port, flags = [] } = options;
  const args = ["up", "--data-dir", dataDir, "--port", String(port), ...flags];
  return { dataDir, kubeconfig: join(dataDir, "kubeconfig"), ...await startBalsa(args) };
}

/** On hollow nodes, whatever runs on the machine; three unless `--hollow-nodes` says otherwise. */
export const HOLLOW = ["--cri", "none"] as const;

/**
 * Runs something against `balsa up` on a folder of its own, which must stop as it should after it.
 * @param flags beside folder and port
 */
export async function withCluster(
  flags: readonly string[],
  run: (cluster: TestCluster) => Promise<void>,
): Promise<void> {
  const dataDir = await makeDataDir();
  const cluster = await startCluster({ dataDir, port: freePort(), flags });
  try {
    await run(cluster);
  } finally {
    assert.equal(await cluster.stop(), 0);
    await Deno.remove(dataDir, { recursive: true });
  }
}

/**
 * Starts a `balsa` command and waits until it says that it is ready.
 * Errors: rejects with what it printed when it exits or does not get ready.
 */
export async function startBalsa(args: readonly string[]): Promise<BalsaProcess> {
  const child = spawnBalsa(args);
  let text = "";
  const isReady = Promise.withResolvers<void>();
  const collect = async (stream: ReadableStream<Uint8Array>) => {
    for await (const chunk of stream) {
      text += new TextDecoder().decode(chunk);
      if (/^ +stop +Ctrl-C/m.test(text)) isReady.resolve();
    }
  };
  const collected = Promise.all([collect(child.stdout), collect(child.stderr)]);
  const timer = setTimeout(
    () =>
      isReady.reject(
        new Error(`${args[0]} is not ready after ${START_TIMEOUT_MILLIS} ms:\n${text}`),
      ),
    START_TIMEOUT_MILLIS,
  );
  const exited = child.status.then(async ({ code }) => {
    await collected;
    isReady.reject(new Error(`${args[0]} exited with ${code}:\n${text}`));
    return code;
  });
  try {
    await isReady.promise;
  } catch (error) {
    try {
      child.kill("SIGKILL");
    } catch {
      // It has exited already.
    }
    throw error;
  } finally {
    clearTimeout(timer);
  }
  return {
    printed: () => text,
    pid: child.pid,
    stop: () => {
      child.kill("SIGTERM");
      return exited;
    },
    kill: async () => {
      child.kill("SIGKILL");
      await exited;
    },
  };
}

function spawnBalsa(args: readonly string[]): Deno.ChildProcess {
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", join(projectRoot(), "agents/main.ts"), ...args],
    cwd: projectRoot(),
    env: { NO_COLOR: "1" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

/** Runs `balsa` to its end. */
export async function balsa(...args: string[]): Promise<CommandResult> {
  const child = spawnBalsa(args);
  const output = await child.output();
  return resultOf(output);
}

/** Runs a command to its end; `stdin` is written to it. */
export async function run(
  command: string,
  args: readonly string[],
  { stdin, env }: { readonly stdin?: string; readonly env?: Record<string, string> } = {},
): Promise<CommandResult> {
  const child = new Deno.Command(command, {
    args: [...args],
    env,
    stdin: stdin === undefined ? "null" : "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  if (stdin !== undefined) {
    const writer = child.stdin.getWriter();
    await writer.write(new TextEncoder().encode(stdin));
    await writer.close();
  }
  return resultOf(await child.output());
}

function resultOf(output: Deno.CommandOutput): CommandResult {
  const decoder = new TextDecoder();
  return {
    code: output.code,
    stdout: decoder.decode(output.stdout),
    stderr: decoder.decode(output.stderr),
  };
}

/** A client with the admin's certificate of a cluster's kubeconfig. */
export async function clientOf(
  cluster: { readonly kubeconfig: string },
): Promise<Client & { close(): void }> {
  const config = parse(await Deno.readTextFile(cluster.kubeconfig));
  const { server, "certificate-authority-data": ca } = config.clusters[0].cluster;
  const user = config.users[0].user;
  return createHttpsClient({
    server,
    ca: atob(ca),
    certificate: atob(user["client-certificate-data"]),
    privateKey: atob(user["client-key-data"]),
  });
}

/** kubectl of one version against one cluster, with a cache of its own. */
export class Kubectl {
  readonly #tool: Tool;
  readonly #kubeconfig: string;
  readonly #home: string;

  constructor(
    tool: "kubectl-1.32" | "kubectl-1.36",
    cluster: Pick<TestCluster, "dataDir" | "kubeconfig">,
  ) {
    this.#tool = tool;
    this.#kubeconfig = cluster.kubeconfig;
    this.#home = join(cluster.dataDir, `home-${tool}`);
  }

  /** Runs kubectl and hands back whatever came of it. */
  try(args: readonly string[], stdin?: string): Promise<CommandResult> {
    return run(requireTool(this.#tool), ["--kubeconfig", this.#kubeconfig, ...args], {
      stdin,
      env: { HOME: this.#home },
    });
  }

  /** Runs kubectl; resolves with what it printed. Errors: fails the test when it exits non-zero. */
  async ok(args: string, stdin?: string): Promise<string> {
    const result = await this.try(splitWords(args), stdin);
    assert.equal(result.code, 0, `kubectl ${args}\n${result.stdout}${result.stderr}`);
    return result.stdout;
  }

  /** Runs kubectl, which must fail; resolves with its complaint. */
  async refused(args: string, stdin?: string): Promise<string> {
    const result = await this.try(splitWords(args), stdin);
    assert.notEqual(result.code, 0, `kubectl ${args} succeeded:\n${result.stdout}`);
    return result.stderr;
  }

  /** Runs kubectl again and again until its output satisfies `holds`. */
  async until(
    args: string,
    holds: (stdout: string) => boolean,
    timeoutMillis = 30_000,
  ): Promise<string> {
    const deadline = performance.now() + timeoutMillis;
    for (;;) {
      const { stdout, stderr } = await this.try(splitWords(args));
      if (holds(stdout)) return stdout;
      if (performance.now() > deadline) {
        throw new Error(`kubectl ${args} never showed it; last:\n${stdout}${stderr}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }
}

/** Splits at blanks, keeping what stands in single quotes together. */
function splitWords(line: string): string[] {
  return (line.match(/'[^']*'|\S+/g) ?? []).map((word) => word.replaceAll("'", ""));
}
