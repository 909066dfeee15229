/**
 * Three members over loopback TCP, each on a fake disk.
 * In: writes through any of them, a stop, a restart. Out: equal states, snapshots across, refusals.
 * Never: a fixed port.
 */
import { deepEqual, equal, ok } from "node:assert/strict";
import { FakeDisk } from "../../tests/fakes/disk.ts";
import { seededRandom } from "../../tests/fakes/timer.ts";
import { denoPorts } from "../deno_ports.ts";
import { COMMAND } from "../mvcc/command.ts";
import type { ApplyOutcome } from "../mvcc/outcome.ts";
import { ProtoWriter } from "../mvcc/proto.ts";
import { encodePut } from "../mvcc/request_codec.ts";
import type { StoreOptions } from "../member/config.ts";
import { type OpenedMember, openMember } from "../member/open.ts";

const NAMES = ["a", "b", "c"];

/** Ports that were free a moment ago. */
function freePorts(count: number): number[] {
  const listeners = Array.from({ length: count }, () => Deno.listen({ port: 0 }));
  return listeners.map((listener) => {
    const { port } = listener.addr as Deno.NetAddr;
    listener.close();
    return port;
  });
}

/** Starts one of three members on its disk. */
function startMember(i: number, ports: readonly number[], disk: FakeDisk): Promise<OpenedMember> {
  return open(optionsOf(NAMES[i], ports), disk, i + 1);
}

function open(options: StoreOptions, disk: FakeDisk, seed: number): Promise<OpenedMember> {
  return openMember(options, { ...denoPorts(), disk, random: seededRandom(seed), log: () => {} });
}

function optionsOf(name: string, ports: readonly number[]): StoreOptions {
  const urlOf = (one: string) => `http://127.0.0.1:${ports[NAMES.indexOf(one)]}`;
  return {
    name,
    dataDirectory: "/data",
    initialCluster: NAMES.map((one) => ({ name: one, peerUrls: [urlOf(one)] })),
    advertisePeerUrls: [urlOf(name)],
    listenPeerUrls: [urlOf(name)],
    heartbeatIntervalMillis: 20,
    electionTimeoutMillis: 200,
    requestTimeoutMillis: 300,
    snapshotCount: 10,
    snapshotCatchUpEntries: 2,
    segmentBytes: 65536,
  };
}

async function until(what: string, holds: () => boolean): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!holds()) {
    ok(performance.now() < deadline, `${what} did not come true in ten seconds`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

function put(opened: OpenedMember, key: string): Promise<ApplyOutcome> {
  const writer = new ProtoWriter();
  const bytes = new TextEncoder().encode(key);
  encodePut(writer, { kind: "put", key: bytes, value: new Uint8Array(2000).fill(7) });
  return new Promise((resolve) =>
    opened.member.submit(COMMAND.put, writer.view(), undefined, resolve)
  );
}

const isCaughtUp = (one: OpenedMember, other: OpenedMember) =>
  one.member.machine.revision === other.member.machine.revision;

Deno.test("three members: elect, write anywhere, catch up by snapshot, no quorum", async () => {
  const ports = freePorts(3);
  const disks = NAMES.map(() => new FakeDisk());
  const start = (i: number) => startMember(i, ports, disks[i]);
  const [a, b, c] = await Promise.all([start(0), start(1), start(2)]);
  await until("a leader", () => [a, b, c].every(({ member }) => member.raft.leader !== 0n));
  equal(a.member.clusterId, c.member.clusterId);
  for (const [i, one] of [a, b, c].entries()) equal((await put(one, `k${i}`)).kind, "put");
  await until("equal members", () => isCaughtUp(a, b) && isCaughtUp(b, c));

  // One goes away; the others go on, and their logs forget what it has not seen.
  await c.close();
  await until(
    "a leader among two",
    () =>
      [a, b].some(({ member }) => member.isServingLeader) && b.member.raft.leader !== c.member.id,
  );
  for (let i = 0; i < 60; i++) equal((await put(a, `more${i % 7}`)).kind, "put");
  disks[2] = disks[2].crash();
  const again = await start(2);
  await until("the third has caught up", () => isCaughtUp(a, again));
  equal(again.member.machine.size().keyCount, a.member.machine.size().keyCount);
  equal((await put(again, "from the third")).kind, "put");
  await until(
    "everyone's client URLs are known",
    () => a.member.membership.list().every((member) => member.clientUrls.length > 0),
  );

  // Without a quorum nothing is acknowledged, and what is there can still be read.
  const revision = again.member.machine.revision;
  await Promise.all([a.close(), b.close()]);
  const outcome = await put(again, "lost");
  ok(outcome.kind === "noLeader" || outcome.kind === "timeout", outcome.kind);
  equal(again.member.machine.revision, revision);
  const read = again.member.machine.range({ kind: "range", key: new TextEncoder().encode("k0") });
  equal(read.kind === "range" && read.count, 1);
  const failure = await new Promise((resolve) => again.member.readIndex(resolve));
  deepEqual(failure, { kind: "noLeader" });
  await again.close();
});

/** A busy machine may miss an election timeout of 200 ms; a write may be tried again. */
async function putPatiently(one: OpenedMember, key: string): Promise<void> {
  const tried: string[] = [];
  while (tried.length < 20) {
    const { kind } = await put(one, key);
    if (kind === "put") return;
    tried.push(kind);
  }
  throw new Error(`${key} was never written: ${tried.join(", ")}`);
}

Deno.test("a member that was away follows a leader that joined meanwhile", async () => {
  const ports = freePorts(4);
  const disks = NAMES.map(() => new FakeDisk());
  const [a, b, c] = await Promise.all(disks.map((disk, i) => startMember(i, ports, disk)));
  await until("a leader", () => [a, b, c].every(({ member }) => member.raft.leader !== 0n));
  await c.close();
  await until("a leader without it", () => [a, b].some(({ member }) => member.isServingLeader));

  const url = `http://127.0.0.1:${ports[3]}`;
  const added = await a.cluster.change({ ask: "memberAdd", peerUrls: [url], isLearner: false });
  equal(added.kind, "changed");
  const { initialCluster, ...others } = optionsOf("a", ports);
  const d = await open(
    {
      ...others,
      name: "d",
      initialCluster: [...initialCluster!, { name: "d", peerUrls: [url] }],
      initialClusterState: "existing",
      advertisePeerUrls: [url],
      listenPeerUrls: [url],
    },
    new FakeDisk(),
    4,
  );
  await until("the newcomer has caught up", () => isCaughtUp(a, d));
  const [leader] = [a, b].filter(({ member }) => member.isServingLeader);
  await leader.cluster.moveLeader(d.member.id);
  await until("the newcomer leads", () => d.member.isServingLeader);

  // It knows nobody of this name, and can only answer on the connection that it gets.
  const again = await startMember(2, ports, disks[2].crash());
  for (let i = 0; i < 3; i++) await putPatiently(d, `k${i}`);
  await until("the one who was away has caught up", () => isCaughtUp(d, again));
  await putPatiently(again, "from the third");
  await Promise.all([a, b, d, again].map((one) => one.close()));
});
