/**
 * Puts a member together: lock, recovery, runner, leases, upkeep, peers.
 * In: options and ports. Out: a started member.
 * Never: starts two members on one data directory.
 */
import type { StorePorts } from "../deno_ports.ts";
import type { WalIdentity } from "../disk/wal.ts";
import { StateMachine } from "../mvcc/state_machine.ts";
import { tcpNetwork } from "../peer/tcp_peers.ts";
import type { PeerHost, Peers } from "../ports.ts";
import { bootstrap, type Bootstrapped, hasLog } from "./bootstrap.ts";
import { Cluster } from "./cluster.ts";
import { type StoreConfig, type StoreOptions, validateConfig, withDefaults } from "./config.ts";
import { Leases } from "./leases.ts";
import { Member } from "./member.ts";
import { decodeObject, encodeQuestion } from "./peer_calls.ts";
import { startUpkeep } from "./upkeep.ts";

/** A started member and what hangs on it. */
export interface OpenedMember {
  readonly member: Member;
  readonly leases: Leases;
  readonly cluster: Cluster;
  /** Null for a member that listens to no peers. */
  readonly peers: Peers | null;
  /** Stops the member and gives back the data directory. */
  close(): Promise<void>;
}

/**
 * Opens or creates the member of a data directory.
 * Errors: rejects when the configuration is invalid (naming every problem), the directory is in use
 * by a living process, its data is damaged (naming file and offset), or an address can't be bound.
 */
export async function openMember(options: StoreOptions, ports: StorePorts): Promise<OpenedMember> {
  const config = withDefaults(options);
  const problems = validateConfig(config);
  if (problems.length > 0) throw new Error(`the store can't start: ${problems.join("; ")}`);
  ports.disk.makeDirectory(config.dataDirectory);
  const release = ports.disk.lock(config.dataDirectory);
  if (release === null) {
    throw new Error(
      `the data directory ${config.dataDirectory} is in use by another process; ` +
        "stop it or choose another --data-dir",
    );
  }
  try {
    return await start(config, ports, release);
  } catch (error) {
    release();
    throw error;
  }
}

async function start(
  config: StoreConfig,
  ports: StorePorts,
  release: () => void,
): Promise<OpenedMember> {
  const machine = new StateMachine();
  const isJoining = config.initialClusterState === "existing";
  const isNew = !hasLog(ports.disk, config.dataDirectory);
  const described = isJoining && isNew ? await findCluster(config, ports) : null;
  const outcome = await bootstrap({
    config,
    disk: ports.disk,
    timer: ports.timer,
    log: ports.log,
    machine,
    newSalt: () => ports.random.nextInt(2 ** 32),
    joined: described,
  });
  if (outcome.kind === "refused") throw new Error(`the store can't start: ${outcome.problem}`);
  const member = new Member({ config, ...ports, machine, started: outcome.parts });
  const leases = new Leases(member);
  const cluster = new Cluster(member, ports.timer);
  startUpkeep(member);
  const peers = await startPeers({ config, ports, started: outcome.parts, member }, async (ask) => {
    return (await leases.answer(ask)) ?? await cluster.answer(ask);
  });
  member.start(peers);
  if (outcome.parts.initial.snapshot.index === 0) {
    // Nothing tells a joining member who its peers are until the leader's snapshot arrives.
    const { others } = described ?? await findCluster(config, ports);
    for (const { id, peerUrls } of others) peers?.addPeer(id, peerUrls);
  }
  const votesAlone = member.raft.conf.voters.length === 1 && config.initialCluster.length === 1;
  if (votesAlone) await member.whenServing();
  if (member.stopped) throw new Error(`the store can't start: ${member.errors.join("; ")}`);
  return {
    member,
    leases,
    cluster,
    peers,
    async close() {
      await member.close();
      await peers?.close();
      release();
    },
  };
}

/** The cluster a member joins, as a running member describes it. */
interface DescribedCluster extends WalIdentity {
  readonly others: readonly { readonly id: bigint; readonly peerUrls: readonly string[] }[];
}

/** Asks the running members for the cluster that this member was added to. */
async function findCluster(config: StoreConfig, ports: StorePorts): Promise<DescribedCluster> {
  const urls = config.initialCluster.filter(({ name }) => name !== config.name)
    .flatMap(({ peerUrls }) => peerUrls);
  const answer = await (ports.network ?? tcpNetwork).describe(urls, config.peerTls, ports.timer);
  const described = answer === null ? null : parseDescription(answer);
  if (described === null) {
    throw new Error(`no member answers at ${urls.join()}; check --initial-cluster`);
  }
  const own = [...config.advertisePeerUrls].sort().join();
  const isOwn = (member: { peerUrls: readonly string[] }) =>
    [...member.peerUrls].sort().join() === own;
  const self = described.members.find(isOwn);
  if (self === undefined) {
    throw new Error(
      `the cluster has no member at ${own}; add it first (member add), ` +
        "with the same --initial-advertise-peer-urls",
    );
  }
  return {
    clusterId: described.clusterId,
    memberId: self.id,
    others: described.members.filter((member) => member !== self),
  };
}

function describe(member: Member): Uint8Array {
  return encodeQuestion({
    clusterId: member.clusterId.toString(16),
    members: member.membership.list().map(({ id, peerUrls }) => ({
      id: id.toString(16),
      peerUrls,
    })),
  });
}

/** Reads what `describe` wrote, or null for anything else. */
function parseDescription(bytes: Uint8Array): {
  clusterId: bigint;
  members: { id: bigint; peerUrls: string[] }[];
} | null {
  const value = decodeObject(bytes);
  const isId = (id: unknown) => /^[0-9a-f]{1,16}$/.test(String(id));
  if (value === null || !isId(value.clusterId) || !Array.isArray(value.members)) return null;
  const members = value.members
    .filter((one) => isId(one?.id) && Array.isArray(one.peerUrls))
    .map((one) => ({ id: BigInt(`0x${one.id}`), peerUrls: one.peerUrls.map(String) }));
  return { clusterId: BigInt(`0x${value.clusterId}`), members };
}

async function startPeers(
  parts: {
    readonly config: StoreConfig;
    readonly ports: StorePorts;
    readonly started: Bootstrapped;
    readonly member: Member;
  },
  answer: (question: Record<string, unknown>) => Promise<Record<string, unknown> | null>,
): Promise<Peers | null> {
  const { config, ports, started, member } = parts;
  if (config.listenPeerUrls.length === 0) return null;
  const host: PeerHost = {
    memberId: member.id,
    clusterId: member.clusterId,
    receive: (messages) => member.receive(messages),
    unreachable: (id) => member.unreachable(id),
    snapshotSent: (id, ok) => member.snapshotSent(id, ok),
    async answer(request) {
      const question = decodeObject(request);
      const reply = question === null ? null : await answer(question);
      return reply === null ? null : encodeQuestion(reply);
    },
  };
  return await (ports.network ?? tcpNetwork).connect({
    host,
    listenUrls: config.listenPeerUrls,
    tls: config.peerTls,
    disk: ports.disk,
    snapshotDirectory: started.snapshotDirectory,
    timer: ports.timer,
    log: ports.log,
    isRemoved: (id) => member.membership.isRemoved(id),
    describe: () => describe(member),
  });
}
