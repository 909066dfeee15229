/**
 * The two sides of the store's bench: Balsa's members and etcd's, each in processes of their own.
 * In: how many members, a side. Out: serving members with fresh data, their ports and pids.
 * Never: shares a data directory; leaves a process or a directory behind; turns fsync off.
 */
import { join } from "node:path";
import { freePort } from "../tests/free_port.ts";
import { type ThreadUse, ThreadWatch } from "./store_metrics.ts";

const READY_MILLIS = 30_000;
const ROOT = join(import.meta.dirname!, "..");
const SERVER = "store/server.ts";

export type SideName = "Balsa" | "etcd";

export interface Side {
  readonly name: SideName;
  /** Program and its first arguments. */
  readonly command: readonly [string, ...string[]];
}

/** One process and where it serves. */
export interface ServingMember {
  readonly port: number;
  readonly pid: number;
}

/** Balsa as its users start it, by the task `store`. @param denoFlags for a profile */
export function balsaSide(denoFlags: readonly string[] = []): Side {
  const { tasks } = JSON.parse(Deno.readTextFileSync(join(ROOT, "deno.json")));
  const [, run, ...words] = String(tasks.store).split(" ");
  const flags = words.filter((word) => word !== SERVER);
  const server = [join(ROOT, SERVER), "--log-level", "error"];
  return { name: "Balsa", command: [Deno.execPath(), run, ...flags, ...denoFlags, ...server] };
}

/** @param path of the etcd program */
export function etcdSide(path: string): Side {
  return { name: "etcd", command: [path, "--logger", "zap", "--log-level", "fatal"] };
}

/** @returns `etcd 3.5.16`, as the program itself says */
export async function etcdVersion(path: string): Promise<string> {
  const { stdout } = await new Deno.Command(path, { args: ["--version"] }).output();
  const version = /etcd Version: (\S+)/.exec(new TextDecoder().decode(stdout))?.[1] ?? "?";
  return `etcd ${version}`;
}

interface Place {
  readonly name: string;
  readonly directory: string;
  readonly clientPort: number;
  readonly peerPort: number;
}

/** A group of members of one side on fresh directories. */
export class Servers {
  readonly #side: Side;
  readonly #root: string;
  readonly #places: readonly Place[];
  readonly #flags: readonly string[];
  #processes: Deno.ChildProcess[] = [];
  #watches: ThreadWatch[] = [];
  #threadUse: ThreadUse[] = [];

  private constructor(
    side: Side,
    parts: { root: string; places: readonly Place[]; flags: readonly string[] },
  ) {
    this.#side = side;
    this.#root = parts.root;
    this.#places = parts.places;
    this.#flags = parts.flags;
  }

  /**
   * Starts a group and waits until each member serves.
   * @param options.members how many, default 1
   * @param options.flags of etcd, which both sides understand
   */
  static async start(
    side: Side,
    options: { readonly members?: number; readonly flags?: readonly string[] } = {},
  ): Promise<Servers> {
    const root = await Deno.makeTempDir({ prefix: "balsa-bench-" });
    const places = Array.from({ length: options.members ?? 1 }, (_, i) => ({
      name: `m${i + 1}`,
      directory: join(root, `m${i + 1}`),
      clientPort: freePort(),
      peerPort: freePort(),
    }));
    const servers = new Servers(side, { root, places, flags: options.flags ?? [] });
    await servers.run();
    return servers;
  }

  get members(): ServingMember[] {
    return this.#processes.map(({ pid }, i) => ({ pid, port: this.#places[i].clientPort }));
  }

  get port(): number {
    return this.#places[0].clientPort;
  }

  get pid(): number {
    return this.#processes[0].pid;
  }

  /** Starts every member, again after `halt`. @returns milliseconds until all serve */
  async run(): Promise<number> {
    const started = performance.now();
    this.#processes = this.#places.map((place) => this.#spawn(place));
    try {
      for (const { clientPort } of this.#places) await untilServing(clientPort);
    } catch (error) {
      await this.stop();
      throw error;
    }
    const elapsed = performance.now() - started;
    if (this.#side.name === "Balsa") {
      const watches = this.members.map(({ port, pid }) => ThreadWatch.start(port, pid));
      this.#watches = await Promise.all(watches);
    }
    return elapsed;
  }

  /** What each thread of Balsa did between a start and the stop after it; none of etcd's. */
  get threadUse(): readonly ThreadUse[] {
    return this.#threadUse;
  }

  /** Ends every process as a user would; data stays. */
  async halt(): Promise<void> {
    for (const watch of this.#watches.splice(0)) this.#threadUse.push(await watch.end());
    const running = this.#processes.splice(0);
    for (const process of running) process.kill("SIGTERM");
    for (const process of running) await process.status;
  }

  /** Ends everything and removes the data. */
  async stop(): Promise<void> {
    await this.halt();
    await Deno.remove(this.#root, { recursive: true });
  }

  #spawn(place: Place): Deno.ChildProcess {
    const [program, ...first] = this.#side.command;
    const client = `http://127.0.0.1:${place.clientPort}`;
    const peer = `http://127.0.0.1:${place.peerPort}`;
    const cluster = this.#places.map(({ name, peerPort }) =>
      `${name}=http://127.0.0.1:${peerPort}`
    );
    const flags: readonly (readonly [string, string])[] = [
      ["name", place.name],
      ["data-dir", place.directory],
      ["listen-client-urls", client],
      ["advertise-client-urls", client],
      ["listen-peer-urls", peer],
      ["initial-advertise-peer-urls", peer],
      ["initial-cluster", cluster.join(",")],
      ["quota-backend-bytes", String(8 * 2 ** 30)],
    ];
    return new Deno.Command(program, {
      args: [...first, ...flags.flatMap(([name, value]) => [`--${name}`, value]), ...this.#flags],
      stdin: "null",
      stdout: "null",
      // grpc-go complains for each call that h2load abandons at its end.
      stderr: this.#side.name === "etcd" ? "null" : "inherit",
    }).spawn();
  }
}

/** Both sides answer `/health` with 200 once a leader is known and reads are served. */
async function untilServing(port: number): Promise<void> {
  const deadline = performance.now() + READY_MILLIS;
  for (;;) {
    try {
      const response = await fetch(`http://127.0.0.1:${port}/health`);
      const text = await response.text();
      if (response.ok && text.includes("true")) return;
    } catch {
      // Not listening yet.
    }
    if (performance.now() > deadline) throw new Error(`nothing serves on port ${port}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
