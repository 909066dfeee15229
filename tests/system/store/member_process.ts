/**
 * Members as real processes: ours and a real etcd under the same flags.
 * In: flags. Out: a serving process with what it logged, to stop, kill or freeze.
 * Never: shares a port or a folder with another test.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { openRemoteStore } from "../../../store/client.ts";
import { denoPorts, type Store } from "../../../store/mod.ts";
import { freePort } from "../../free_port.ts";
import { projectRoot } from "../../source_tree.ts";
import { type CommandResult, run } from "../cluster.ts";
import { requireTool, type Tool } from "../tools.ts";

export type ServerKind = "balsa" | "etcd-3.5" | "etcd-3.4";

const START_TIMEOUT_MILLIS = 20_000;
const POLL_MILLIS = 20;

export interface MemberOptions {
  readonly kind: ServerKind;
  readonly dataDir: string;
  readonly clientPort: number;
  readonly peerPort: number;
  readonly name?: string;
  /** Added to, and before those that follow from the options above. */
  readonly flags?: readonly string[];
  /** Host in every URL, default 127.0.0.1. */
  readonly host?: string;
  /** Scheme of the client and peer URLs, default http. */
  readonly scheme?: "http" | "https";
  /** Runs the server inside this command, such as `ip netns exec NAME`. */
  readonly inside?: readonly string[];
}

export class MemberProcess {
  readonly options: MemberOptions;
  readonly #child: Deno.ChildProcess;
  readonly exited: Promise<Deno.CommandStatus>;
  #log = "";
  #isOver = false;

  constructor(options: MemberOptions) {
    this.options = options;
    const [program, ...args] = [...options.inside ?? [], ...commandLine(options)];
    this.#child = new Deno.Command(program, {
      args,
      cwd: projectRoot(),
      env: { NO_COLOR: "1" },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const collect = async (stream: ReadableStream<Uint8Array>) => {
      const decoder = new TextDecoder();
      for await (const chunk of stream) this.#log += decoder.decode(chunk, { stream: true });
    };
    const collected = Promise.all([collect(this.#child.stdout), collect(this.#child.stderr)]);
    this.exited = this.#child.status.then(async (status) => {
      await collected;
      this.#isOver = true;
      return status;
    });
  }

  get pid(): number {
    return this.#child.pid;
  }

  get url(): string {
    const { scheme = "http", host = "127.0.0.1", clientPort } = this.options;
    return `${scheme}://${host}:${clientPort}`;
  }

  /** Everything it wrote to standard output and error so far. */
  get log(): string {
    return this.#log;
  }

  /** Resident memory, bytes. */
  get residentBytes(): number {
    const status = Deno.readTextFileSync(`/proc/${this.pid}/status`);
    return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) * 1024;
  }

  signal(signal: Deno.Signal): void {
    try {
      this.#child.kill(signal);
    } catch {
      // It has exited already.
    }
  }

  /** SIGKILL, as a power cut would. */
  async kill(): Promise<void> {
    this.signal("SIGKILL");
    await this.exited;
  }

  /** SIGTERM. @returns the exit code */
  async stop(): Promise<number> {
    this.signal("SIGTERM");
    return (await this.exited).code;
  }

  /** Waits until `holds`, looking every 20 ms. Errors: throws with the log when it exits first. */
  async until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
    const deadline = performance.now() + START_TIMEOUT_MILLIS;
    while (!await holds()) {
      if (this.#isOver) throw new Error(`exited before ${what}:\n${this.#log}`);
      if (performance.now() > deadline) throw new Error(`no ${what} in time:\n${this.#log}`);
      await pause(POLL_MILLIS);
    }
  }

  /** Waits until it has a leader and answers clients over plain HTTP. */
  async healthy(): Promise<this> {
    await this.until("health", async () => {
      try {
        const response = await fetch(`${this.url}/health`);
        return (await response.text()).includes('"true"');
      } catch {
        return false;
      }
    });
    return this;
  }
}

function commandLine(options: MemberOptions): string[] {
  const { kind, dataDir, clientPort, peerPort, name = "default", flags = [] } = options;
  const { host = "127.0.0.1", scheme = "http" } = options;
  const client = `${scheme}://${host}:${clientPort}`;
  const peer = `${scheme}://${host}:${peerPort}`;
  const given = [
    ...flags,
    ...["--name", name, "--data-dir", dataDir],
    ...["--listen-client-urls", client, "--advertise-client-urls", client],
    ...["--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer],
  ];
  if (!flags.includes("--initial-cluster")) given.push("--initial-cluster", `${name}=${peer}`);
  if (kind !== "balsa") return [requireTool(kind), ...given];
  const server = join(projectRoot(), "store/server.ts");
  return [Deno.execPath(), "run", "-A", "--no-check", server, ...given];
}

/** Starts a member alone in its cluster and waits until it serves. */
export function startAlone(
  kind: ServerKind,
  dataDir: string,
  more: Partial<MemberOptions> = {},
): Promise<MemberProcess> {
  const ports = { clientPort: freePort(), peerPort: freePort() };
  return new MemberProcess({ kind, dataDir, ...ports, ...more }).healthy();
}

/** etcdctl of one version against some endpoints. */
export class Etcdctl {
  readonly #tool: Tool;
  readonly #endpoints: string;
  readonly #flags: readonly string[];

  constructor(
    version: "3.4" | "3.5",
    endpoints: string | readonly string[],
    flags: readonly string[] = [],
  ) {
    this.#tool = `etcdctl-${version}`;
    this.#endpoints = [endpoints].flat().join(",");
    this.#flags = flags;
  }

  /** The words of a whole command line, for `Deno.Command`. */
  words(args: readonly string[]): readonly string[] {
    return ["--endpoints", this.#endpoints, ...this.#flags, ...args];
  }

  get program(): string {
    return requireTool(this.#tool);
  }

  try(args: readonly string[], stdin?: string): Promise<CommandResult> {
    return run(this.program, this.words(args), { stdin, env: { ETCDCTL_API: "3" } });
  }

  /** Errors: fails the test when it exits non-zero. @returns what it printed */
  async ok(args: readonly string[], stdin?: string): Promise<string> {
    const result = await this.try(args, stdin);
    assert.equal(result.code, 0, `etcdctl ${args.join(" ")}\n${result.stdout}${result.stderr}`);
    return result.stdout;
  }

  /** Starts a command that goes on until it is told to stop. */
  spawn(args: readonly string[]): Deno.ChildProcess {
    return new Deno.Command(this.program, {
      args: [...this.words(args)],
      env: { ETCDCTL_API: "3" },
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
  }
}

/** A store over the wire. Errors: fails the test when nobody answers. */
export async function connect(...endpoints: string[]): Promise<Store> {
  const ports = { timer: denoPorts().timer, log: () => {} };
  const store = await openRemoteStore({ endpoints, requestTimeoutMillis: 3_000 }, ports);
  assert("put" in store, JSON.stringify(store));
  return store;
}

/** Runs with a folder that is removed afterwards. */
export async function withFolder<T>(use: (folder: string) => Promise<T>): Promise<T> {
  const folder = await Deno.makeTempDir({ prefix: "balsa-store-" });
  try {
    return await use(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

export function pause(millis: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, millis));
}
