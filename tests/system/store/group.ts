/**
 * Three members as processes, a load on them, and what it saw.
 * In: hosts, flags. Out: members to kill, freeze and start again; acknowledged writes and the
 * longest time without one.
 * Never: counts a write that was not answered.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { openRemoteStore, type RemoteStoreConfig } from "../../../store/client.ts";
import { denoPorts, type Store } from "../../../store/mod.ts";
import { freePort } from "../../free_port.ts";
import { Etcdctl, type MemberOptions, MemberProcess, pause } from "./member_process.ts";

export const ELECTION_MILLIS = 1_000;
const WRITERS_PER_MEMBER = 2;
const PAUSE_MILLIS = 5;
const NAMES = ["a", "b", "c"] as const;

const bytes = (text: string) => new TextEncoder().encode(text);

export interface GroupOptions {
  readonly folder: string;
  readonly flags?: readonly string[];
  readonly scheme?: "http" | "https";
  /** What differs by member: its host, and the command it runs inside. */
  readonly place?: (index: number) => Pick<MemberOptions, "host" | "inside">;
  /** For clients where `scheme` is https. */
  readonly tls?: RemoteStoreConfig["tls"];
  readonly etcdctlFlags?: readonly string[];
}

export class Group {
  readonly options: GroupOptions;
  readonly memberOptions: MemberOptions[];
  readonly members: MemberProcess[] = [];

  private constructor(options: GroupOptions) {
    const { folder, flags = [], scheme = "http", place } = options;
    const ports = NAMES.map(() => ({ clientPort: freePort(), peerPort: freePort() }));
    const host = (i: number) => place?.(i).host ?? "127.0.0.1";
    const initial = NAMES.map((name, i) => `${name}=${scheme}://${host(i)}:${ports[i].peerPort}`);
    this.options = options;
    this.memberOptions = NAMES.map((name, i) => ({
      kind: "balsa",
      name,
      scheme,
      dataDir: join(folder, name),
      ...ports[i],
      ...place?.(i),
      flags: [...flags, "--initial-cluster", initial.join(",")],
    }));
  }

  /** Starts three members and waits for a leader. */
  static async start(options: GroupOptions): Promise<Group> {
    const group = new Group(options);
    for (const one of group.memberOptions) group.members.push(new MemberProcess(one));
    await group.leader();
    return group;
  }

  get urls(): string[] {
    return this.members.map(({ url }) => url);
  }

  /** etcdctl against some members, all by default. */
  etcdctl(...indexes: number[]): Etcdctl {
    const urls = indexes.length === 0 ? this.urls : indexes.map((index) => this.members[index].url);
    return new Etcdctl("3.5", urls, this.options.etcdctlFlags);
  }

  /** Where the leader is, as a member that can be reached says. */
  async leader(except = -1): Promise<number> {
    const deadline = performance.now() + 20_000;
    while (performance.now() < deadline) {
      for (let i = 0; i < this.members.length; i++) {
        if (i === except) continue;
        const asked = await this.etcdctl(i).try([
          ...["endpoint", "status", "-w", "json"],
          ...["--command-timeout=500ms", "--dial-timeout=500ms"],
        ]);
        // Ids are beyond what a double holds, so they are compared as text.
        const id = /"member_id":(\d+)/.exec(asked.stdout)?.[1];
        if (id !== undefined && id === /"leader":(\d+)/.exec(asked.stdout)?.[1]) return i;
      }
      await pause(50);
    }
    throw new Error(`no leader:\n${this.members.map(({ log }) => log).join("\n---\n")}`);
  }

  /** Starts a member that was killed again, on its own data. */
  restart(index: number): MemberProcess {
    return this.members[index] = new MemberProcess(this.memberOptions[index]);
  }

  async connect(url: string): Promise<Store> {
    const config = { endpoints: [url], requestTimeoutMillis: 1_000, tls: this.options.tls };
    const ports = { timer: denoPorts().timer, log: () => {} };
    const deadline = performance.now() + 10_000;
    while (true) {
      const store = await openRemoteStore(config, ports);
      if ("put" in store) return store;
      assert(performance.now() < deadline, `${url}: ${JSON.stringify(store)}`);
    }
  }

  async stop(): Promise<void> {
    for (const member of this.members) {
      member.signal("SIGCONT");
      member.signal("SIGKILL");
    }
    await Promise.all(this.members.map(({ exited }) => exited));
  }
}

/** Writers on every member, each with a connection of its own. */
export class Load {
  readonly #group: Group;
  readonly #acknowledged = new Map<string, string>();
  readonly #times: number[] = [performance.now()];
  readonly #writers: Promise<void>[] = [];
  #isOver = false;

  constructor(group: Group) {
    this.#group = group;
    group.urls.forEach((url, i) => {
      for (let w = 0; w < WRITERS_PER_MEMBER; w++) {
        this.#writers.push(this.#write(url, `${i}-${w}`));
      }
    });
  }

  async #write(url: string, name: string): Promise<void> {
    const store = await this.#group.connect(url);
    for (let i = 0; !this.#isOver; i++) {
      const key = `load/${name}/${i}`;
      const put = { kind: "put", key: bytes(key), value: bytes(`v${i}`) } as const;
      const answer = await store.put(put);
      if (answer.kind === "put") {
        this.#acknowledged.set(key, `v${i}`);
        this.#times.push(performance.now());
      }
      await pause(PAUSE_MILLIS);
    }
    await store.close();
  }

  /** The longest time without an answer since `start`, milliseconds. */
  longestGap(start: number): number {
    const times = [start, ...this.#times.filter((time) => time > start), performance.now()];
    return Math.max(...times.slice(1).map((time, i) => time - times[i]));
  }

  /** Runs a fault and a while after it. @returns the longest time without an answer */
  async during(fault: () => void | Promise<void>): Promise<number> {
    const start = performance.now();
    await fault();
    await pause(3 * ELECTION_MILLIS);
    return this.longestGap(start);
  }

  /** Ends the load and checks on every member that all it acknowledged is there. */
  async finish(): Promise<number> {
    this.#isOver = true;
    await Promise.all(this.#writers);
    for (const url of this.#group.urls) {
      const store = await this.#group.connect(url);
      const key = bytes("load/");
      const answer = await store.range({ kind: "range", key, rangeEnd: bytes("load0") });
      assert(answer.kind === "range", answer.kind);
      const decoder = new TextDecoder();
      const found = new Map(
        answer.kvs.map((kv) => [decoder.decode(kv.key), decoder.decode(kv.value)]),
      );
      for (const [key, value] of this.#acknowledged) {
        assert.equal(found.get(key), value, `${key} is missing on ${url}`);
      }
      await store.close();
    }
    return this.#acknowledged.size;
  }
}
