/** Three real members: killed, frozen and cut off under load; members replaced and promoted. */
import assert from "node:assert/strict";
import { run } from "../cluster.ts";
import { requireTool, systemTest, toolPath } from "../tools.ts";
import { writeCertificates } from "./certificates.ts";
import { ELECTION_MILLIS, Group, Load } from "./group.ts";
import { type MemberOptions, MemberProcess, withFolder } from "./member_process.ts";

/** Two election timeouts, and what a busy machine may add. */
const MOST_OUTAGE_MILLIS = 2 * ELECTION_MILLIS + 1_500;

async function checkedFault(load: Load, name: string, fault: () => void | Promise<void>) {
  const outage = await load.during(fault);
  assert(outage < MOST_OUTAGE_MILLIS, `${name}: ${Math.round(outage)} ms without an answer`);
}

systemTest(
  "three members: leaders and followers killed and frozen under load",
  ["etcdctl-3.5"],
  (test) =>
    withFolder(async (folder) => {
      const group = await Group.start({ folder });
      try {
        const load = new Load(group);
        for (const role of ["leader", "follower"] as const) {
          const pick = async () => (await group.leader() + (role === "leader" ? 0 : 1)) % 3;
          await test.step(`the ${role} is killed`, async () => {
            const index = await pick();
            await checkedFault(load, "killed", () => group.members[index].kill());
            await group.etcdctl().ok(["put", `etcdctl/${role}`, "after the kill"]);
            group.restart(index);
            await group.etcdctl(index).ok(["endpoint", "health", "--command-timeout=10s"]);
          });
          await test.step(`the ${role} is frozen`, async () => {
            const index = await pick();
            await checkedFault(load, "frozen", () => group.members[index].signal("SIGSTOP"));
            const others = [0, 1, 2].filter((i) => i !== index);
            await group.etcdctl(...others).ok(["put", `etcdctl/${role}`, "while frozen"]);
            group.members[index].signal("SIGCONT");
            const get = ["get", `etcdctl/${role}`, "--print-value-only"];
            assert.equal(await group.etcdctl(index).ok(get), "while frozen\n");
          });
        }
        assert(await load.finish() > 500);
      } finally {
        await group.stop();
      }
    }),
);

systemTest(
  "three members over TLS with certificates on both ports",
  ["etcdctl-3.5"],
  () =>
    withFolder(async (folder) => {
      const { ca, cert, key } = await writeCertificates(folder);
      const files = (prefix: string) => [
        ...[`--${prefix}cert-file`, cert, `--${prefix}key-file`, key],
        ...[`--${prefix}trusted-ca-file`, ca, `--${prefix}client-cert-auth`],
      ];
      const tls = {
        ca: Deno.readTextFileSync(ca),
        cert: Deno.readTextFileSync(cert),
        key: Deno.readTextFileSync(key),
      };
      const etcdctlFlags = ["--cacert", ca, "--cert", cert, "--key", key];
      const flags = [...files(""), ...files("peer-")];
      const group = await Group.start({ folder, scheme: "https", flags, tls, etcdctlFlags });
      try {
        const load = new Load(group);
        const leader = await group.leader();
        await checkedFault(load, "killed", () => group.members[leader].kill());
        group.restart(leader);
        await group.etcdctl(leader).ok(["endpoint", "health", "--command-timeout=10s"]);
        const strangers = ["--cacert", ca, "put", "a", "b", "--command-timeout=2s"];
        const program = requireTool("etcdctl-3.5");
        const refused = await run(program, ["--endpoints", group.urls[0], ...strangers]);
        assert.notEqual(refused.code, 0, "a client without a certificate was served");
        assert(await load.finish() > 100);
      } finally {
        await group.stop();
      }
    }),
);

systemTest(
  "members leave, join, learn, are promoted; the leader moves",
  ["etcdctl-3.5"],
  (test) =>
    withFolder(async (folder) => {
      const group = await Group.start({ folder });
      const load = new Load(group);
      try {
        await test.step("move-leader", async () => {
          const from = await group.leader();
          const to = (from + 1) % 3;
          const id = await idOf(group, to);
          const printed = await group.etcdctl(from).ok(["move-leader", id]);
          assert.match(printed, new RegExp(`to ${id}\n`));
          assert.equal(await group.leader(), to);
          const elsewhere = await group.etcdctl(from).try(["move-leader", id]);
          assert.match(elsewhere.stderr, /no leader endpoint given at/);
        });
        await test.step("a dead member is replaced", () => replace(group, { learner: false }));
        await test.step("a learner joins and is promoted", () => replace(group, { learner: true }));
        assert(await load.finish() > 100);
      } finally {
        await group.stop();
      }
    }),
);

/** Kills a follower, removes it, adds a new member in its place, and waits until it serves. */
async function replace(group: Group, { learner }: { readonly learner: boolean }) {
  const index = (await group.leader() + 1) % 3;
  const others = group.etcdctl(...[0, 1, 2].filter((i) => i !== index));
  const id = await idOf(group, index);
  await group.members[index].kill();
  assert.match(await others.ok(["member", "remove", id]), /removed from cluster/);
  const old = group.memberOptions[index];
  const name = `${old.name}2`;
  const peer = `http://127.0.0.1:${old.peerPort}`;
  const flag = learner ? ["--learner"] : [];
  const added = await others.ok(["member", "add", name, `--peer-urls=${peer}`, ...flag]);
  const newId = /Member\s+(\S+) added to cluster/.exec(added)![1];
  const initial = /ETCD_INITIAL_CLUSTER="([^"]+)"/.exec(added)![1];
  assert(initial.includes(`${name}=${peer}`), added);
  const flags = ["--initial-cluster", initial, "--initial-cluster-state", "existing"];
  const options: MemberOptions = { ...old, name, dataDir: `${old.dataDir}2`, flags };
  group.memberOptions[index] = options;
  const member = group.members[index] = new MemberProcess(options);
  if (learner) {
    const state = async () => await others.ok(["member", "list"]);
    await member.until("a learner", async () => /started, .* true$/m.test(await state()));
    const read = await group.etcdctl(index).try(["get", "load/0-0/0"]);
    await group.etcdctl(index).ok(["get", "load/0-0/0", "--consistency=s"]);
    assert.match(read.stderr, /rpc not supported for learner/);
    const early = await others.try(["member", "promote", "1234"]);
    assert.match(early.stderr, /member not found/);
    const promote = () => others.try(["member", "promote", newId]);
    await member.until("promotion", async () => (await promote()).code === 0);
  }
  const get = ["get", "load/0-0/0", "--print-value-only"];
  const serves = async () => (await group.etcdctl(index).try(get)).stdout === "v0\n";
  await member.until("service", serves);
  const list = (await others.ok(["member", "list"])).trim().split("\n");
  assert.equal(
    list.filter((line) => /, started, .*, false$/.test(line)).length,
    3,
    list.join("\n"),
  );
}

/** A member tells its client URL through the log, some time after it has begun. */
async function idOf(group: Group, index: number): Promise<string> {
  const { clientPort } = group.memberOptions[index];
  let id: string | undefined;
  await group.members[index].until("a member that tells its URL", async () => {
    const list = await group.etcdctl().ok(["member", "list"]);
    id = new RegExp(`^([0-9a-f]+), .*:${clientPort},`, "m").exec(list)?.[1];
    return id !== undefined;
  });
  return id!;
}

systemTest(
  "three members in networks of their own, cut off under load",
  ["etcdctl-3.5", "ip", "root"],
  () =>
    withFolder(async (folder) => {
      const network = await Network.make();
      const group = await Group.start({ folder, place: (index) => network.place(index) });
      try {
        const load = new Load(group);
        const leader = await group.leader();
        await checkedFault(load, "the leader is cut off", () => network.cut(leader));
        const others = [0, 1, 2].filter((i) => i !== leader);
        await group.etcdctl(...others).ok(["put", "etcdctl", "while cut off"]);
        await network.join(leader);
        await returned(group, leader);
        assert.equal(
          await group.etcdctl(leader).ok(["get", "etcdctl"]),
          "etcdctl\nwhile cut off\n",
        );
        const next = await group.leader();
        await checkedFault(load, "a follower is cut off", () => network.cut((next + 1) % 3));
        assert.equal(
          await group.leader((next + 1) % 3),
          next,
          "a cut-off follower moved the leader",
        );
        await network.join((next + 1) % 3);
        await returned(group, (next + 1) % 3);
        assert(await load.finish() > 100);
      } finally {
        await group.stop();
        await network.remove();
      }
    }),
);

async function returned(group: Group, index: number): Promise<void> {
  const health = ["endpoint", "health", "--command-timeout=1s"];
  const isHealthy = async () => (await group.etcdctl(index).try(health)).code === 0;
  await group.members[index].until("its return", isHealthy);
}

/** A bridge with one namespace a member behind it. */
class Network {
  readonly #id: string;
  readonly #subnet: string;

  private constructor() {
    const number = Deno.pid % 200;
    this.#id = `bst${number}`;
    this.#subnet = `10.213.${number}`;
  }

  static async make(): Promise<Network> {
    const network = new Network();
    await network.remove();
    const id = network.#id;
    await ip(`link add ${id} type bridge`);
    await ip(`addr add ${network.#subnet}.1/24 dev ${id}`);
    await ip(`link set ${id} up`);
    for (const i of [0, 1, 2]) {
      await ip(`netns add ${id}n${i}`);
      await ip(`link add ${id}v${i} type veth peer name eth0 netns ${id}n${i}`);
      await ip(`link set ${id}v${i} master ${id} up`);
      await ip(`-n ${id}n${i} addr add ${network.#subnet}.${10 + i}/24 dev eth0`);
      await ip(`-n ${id}n${i} link set eth0 up`);
      await ip(`-n ${id}n${i} link set lo up`);
    }
    return network;
  }

  place(index: number): Pick<MemberOptions, "host" | "inside"> {
    return {
      host: `${this.#subnet}.${10 + index}`,
      inside: [toolPath("ip")!, "netns", "exec", `${this.#id}n${index}`],
    };
  }

  cut(index: number): Promise<void> {
    return ip(`link set ${this.#id}v${index} down`);
  }

  join(index: number): Promise<void> {
    return ip(`link set ${this.#id}v${index} up`);
  }

  /** Also what an earlier run with this name left behind. */
  async remove(): Promise<void> {
    const program = requireTool("ip");
    for (const i of [0, 1, 2]) await run(program, ["netns", "del", `${this.#id}n${i}`]);
    for (const i of [0, 1, 2]) await run(program, ["link", "del", `${this.#id}v${i}`]);
    await run(program, ["link", "del", this.#id]);
  }
}

async function ip(words: string): Promise<void> {
  const { code, stderr } = await run(requireTool("ip"), words.split(" "));
  assert.equal(code, 0, `ip ${words}: ${stderr}`);
}
