/**
 * The network between simulated members: late, lossy, doubling, reordering, cut one way or both.
 * In: messages, calls and snapshots from each member's Peers port. Out: their delivery, or not.
 * Never: delivers to a dead process, or lets a removed member in; what a real connection refuses,
 * this one refuses too.
 */
import type { PeerHost, Peers } from "../../../store/ports.ts";
import { decodeMessages, encodeMessages } from "../../../store/peer/codec.ts";
import type { Disk } from "../../../store/ports.ts";
import type { Message } from "../../../store/raft/types.ts";
import { Violation } from "../checks/history.ts";
import type { EventQueue } from "./event_queue.ts";
import type { SimProcess } from "./process.ts";
import type { SimRandom } from "./random.ts";
import { SnapshotCarrier } from "./snapshot_carrier.ts";

const CALL_TIMEOUT_MILLIS = 3_000;

/** A member's end of the network. */
export interface Endpoint {
  readonly process: SimProcess;
  readonly host: PeerHost;
  readonly disk: Disk;
  readonly snapshotDirectory: string;
  readonly isRemoved: (id: bigint) => boolean;
  /** What a member that wants to join is told. */
  readonly describe: () => Uint8Array;
}

export interface NetworkFaults {
  /** Probabilities, 0..1. */
  loss: number;
  duplication: number;
  reordering: number;
  /** Added to every message, milliseconds, exponential with this mean. */
  extraDelayMillis: number;
}

export interface NetworkCounts {
  messages: number;
  lost: number;
  duplicated: number;
  reordered: number;
  snapshots: number;
  /** Of them those that went on where a connection broke. */
  snapshotsResumed: number;
}

export class SimNetwork {
  readonly faults: NetworkFaults = {
    loss: 0,
    duplication: 0,
    reordering: 0,
    extraDelayMillis: 0,
  };
  readonly counts: NetworkCounts = {
    messages: 0,
    lost: 0,
    duplicated: 0,
    reordered: 0,
    snapshots: 0,
    snapshotsResumed: 0,
  };
  readonly #queue: EventQueue;
  readonly #random: SimRandom;
  readonly #endpoints = new Map<bigint, Endpoint>();
  readonly #peers = new WeakMap<Endpoint, SimPeers>();
  /** Small numbers for member ids, so that a direction is one number, too. */
  readonly #numbers = new Map<bigint, number>();
  readonly #cut = new Set<number>();
  /** Granted votes: "voter/term" to candidate. */
  readonly #votes = new Map<string, bigint>();
  /** When the last message of a direction arrives. */
  readonly #lastArrival = new Map<number, number>();

  constructor(queue: EventQueue, random: SimRandom) {
    this.#queue = queue;
    this.#random = random;
  }

  /** Joins a member; its Peers port sends in its name. */
  connect(endpoint: Endpoint): Peers {
    this.#endpoints.set(endpoint.host.memberId, endpoint);
    const peers = new SimPeers(this, endpoint);
    this.#peers.set(endpoint, peers);
    return peers;
  }

  /** @returns what the first living member tells about its cluster, or null */
  describe(): Uint8Array | null {
    for (const { process, describe } of this.#endpoints.values()) {
      if (process.alive && !process.paused) return describe();
    }
    return null;
  }

  cut(from: bigint, to: bigint): void {
    this.#cut.add(this.#direction(from, to));
  }

  heal(): void {
    this.#cut.clear();
  }

  isCut(from: bigint, to: bigint): boolean {
    return this.#cut.size > 0 && this.#cut.has(this.#direction(from, to));
  }

  #direction(from: bigint, to: bigint): number {
    return this.#number(from) * 1024 + this.#number(to);
  }

  #number(id: bigint): number {
    let number = this.#numbers.get(id);
    if (number === undefined) {
      number = this.#numbers.size;
      this.#numbers.set(id, number);
    }
    return number;
  }

  /** @returns the living member behind an id, as far as `from` reaches it */
  reach(from: Endpoint, to: bigint): Endpoint | null {
    const endpoint = this.#endpoints.get(to);
    if (endpoint === undefined || !endpoint.process.alive) return null;
    if (this.isCut(from.host.memberId, to)) return null;
    if (endpoint.host.clusterId !== from.host.clusterId) return null;
    return endpoint.isRemoved(from.host.memberId) ? null : endpoint;
  }

  /** Carries messages of one direction. @returns false when the sender notices a loss */
  carry(from: Endpoint, to: bigint, messages: readonly Message[]): boolean {
    this.counts.messages += messages.length;
    for (const message of messages) if (message.type === "voteResponse") this.#checkVote(message);
    const receiver = this.reach(from, to);
    if (receiver === null || this.#random.chance(this.faults.loss)) {
      this.counts.lost += messages.length;
      return receiver !== null || !this.#random.chance(0.3);
    }
    const copies = this.#random.chance(this.faults.duplication) ? 2 : 1;
    this.counts.duplicated += copies - 1;
    for (let i = 0; i < copies; i++) {
      // A forwarded proposal names no entry, so only the connection can keep it from going twice;
      // everything else in Raft must bear repetition.
      if (i > 0) messages = messages.filter(({ type }) => type !== "propose");
      // Now and then through the real bytes, so that nobody relies on shared objects.
      const carried = this.#random.chance(0.1)
        ? decodeMessages(encodeMessages(messages)) ?? []
        : messages;
      this.#deliver(from, to, () => {
        const target = this.reach(from, to);
        if (target === null) return;
        this.#peers.get(target)?.heardFrom(from.host.memberId);
        target.process.run(() => target.host.receive(carried), "peer");
      });
    }
    return true;
  }

  /** A member has one vote a term, restarts or not. */
  #checkVote({ from, to, term, reject }: Message): void {
    if (reject) return;
    const vote = `${from}/${term}`;
    const candidate = this.#votes.get(vote) ?? to;
    if (candidate !== to) {
      throw new Violation(`${from} votes for ${candidate} and ${to} in term ${term}`);
    }
    this.#votes.set(vote, to);
  }

  /** Asks another member something; null without an answer. */
  async call(from: Endpoint, to: bigint, request: Uint8Array): Promise<Uint8Array | null> {
    return await new Promise((resolve) => {
      from.process.after(CALL_TIMEOUT_MILLIS, () => resolve(null));
      if (this.#random.chance(this.faults.loss)) return;
      this.#deliver(from, to, () => {
        const target = this.reach(from, to);
        if (target === null) return;
        target.process.run(async () => {
          const answer = await target.host.answer(request);
          if (!target.process.alive) return;
          this.#deliver(target, from.host.memberId, () => {
            if (this.reach(target, from.host.memberId) !== from) return;
            from.process.run(() => resolve(answer), "peer");
          });
        }, "peer");
      });
    });
  }

  /** Carries a snapshot file, piece by piece, and then the message that names it. */
  sendSnapshot(from: Endpoint, message: Message): void {
    try {
      new SnapshotCarrier({
        from,
        message,
        random: this.#random,
        now: () => this.#queue.now,
        reach: () => this.reach(from, message.to),
        breaks: () => this.#random.chance(this.faults.loss),
        answer: (target, arrive) => this.#deliver(target, from.host.memberId, arrive),
        onDone: (resumed) => {
          this.counts.snapshots++;
          if (resumed) this.counts.snapshotsResumed++;
        },
      }).start();
    } catch {
      from.process.soon(() => from.host.snapshotSent(message.to, false));
    }
  }

  #deliver(from: Endpoint, to: bigint, arrive: () => void): void {
    const { faults } = this;
    const extra = faults.extraDelayMillis > 0
      ? this.#random.exponential(faults.extraDelayMillis)
      : 0;
    let at = this.#queue.now + this.#random.between(0.15, 0.8) + extra;
    const direction = this.#direction(from.host.memberId, to);
    if (this.#random.chance(faults.reordering)) {
      this.counts.reordered++;
      at += this.#random.exponential(20);
    } else {
      at = Math.max(at, this.#lastArrival.get(direction) ?? 0);
      this.#lastArrival.set(direction, at);
    }
    this.#queue.after(at - this.#queue.now, arrive);
  }
}

class SimPeers implements Peers {
  readonly #network: SimNetwork;
  readonly #endpoint: Endpoint;
  readonly #known = new Set<bigint>();
  /** Members that connected to this one, known or not, can be answered. */
  readonly #callers = new Set<bigint>();
  #closed = false;

  constructor(network: SimNetwork, endpoint: Endpoint) {
    this.#network = network;
    this.#endpoint = endpoint;
  }

  send(messages: readonly Message[]): void {
    if (this.#closed || !this.#endpoint.process.alive) return;
    if (messages.length === 1) return this.#sendTo(messages[0].to, messages);
    const sent: bigint[] = [];
    for (const { to } of messages) {
      if (sent.includes(to)) continue;
      sent.push(to);
      this.#sendTo(to, messages.filter((one) => one.to === to));
    }
  }

  #sendTo(id: bigint, messages: readonly Message[]): void {
    if (!this.#known.has(id) && !this.#callers.has(id)) return;
    if (this.#network.carry(this.#endpoint, id, messages)) return;
    this.#endpoint.process.soon(() => this.#endpoint.host.unreachable(id));
  }

  sendSnapshot(message: Message): void {
    if (this.#closed || !this.#known.has(message.to)) return;
    this.#network.sendSnapshot(this.#endpoint, message);
  }

  heardFrom(id: bigint): void {
    this.#callers.add(id);
  }

  addPeer(id: bigint): void {
    this.#known.add(id);
  }

  removePeer(id: bigint): void {
    this.#known.delete(id);
  }

  call(to: bigint, request: Uint8Array): Promise<Uint8Array | null> {
    if (this.#closed || !this.#known.has(to)) return Promise.resolve(null);
    return this.#network.call(this.#endpoint, to, request);
  }

  close(): Promise<void> {
    this.#closed = true;
    return Promise.resolve();
  }
}
