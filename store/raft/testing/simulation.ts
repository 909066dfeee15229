/**
 * A group driven at random from one seed: losses, reordering, duplicates, crashes, partitions,
 * membership changes; the invariants are checked after every step.
 * In: a seed. Out: counts of what happened, so that a test can tell that it exercised something.
 * Never: depends on anything but the seed.
 */
import { assert } from "../assert.ts";
import { InvariantChecker } from "../invariants.ts";
import type { ConfChangeSingle, Message, RaftConfig, Random } from "../types.ts";
import { confOf, Member } from "./group.ts";

/** A small generator with 32 bits of state (mulberry32), good enough to vary schedules. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  return {
    nextInt(below: number): number {
      state = (state + 0x6d2b79f5) >>> 0;
      let mixed = Math.imul(state ^ (state >>> 15), state | 1);
      mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
      return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
    },
  };
}

export interface SimulationCounts {
  elections: number;
  committed: number;
  confChanges: number;
  snapshots: number;
  trims: number;
  /** Made because a member lacked what was trimmed. */
  wantedSnapshots: number;
  crashes: number;
  reads: number;
}

const poolSize = 7;

export class Simulation {
  readonly counts: SimulationCounts = {
    elections: 0,
    committed: 0,
    confChanges: 0,
    snapshots: 0,
    trims: 0,
    wantedSnapshots: 0,
    crashes: 0,
    reads: 0,
  };
  readonly #random: Random;
  readonly #members: Member[] = [];
  readonly #checker = new InvariantChecker();
  readonly #blocked = new Set<string>();
  #network: Message[] = [];
  /** Per read: what was committed when it was asked for. */
  readonly #reads = new Map<bigint, number>();
  #nextRead = 1n;
  #nextPayload = 0;

  constructor(seed: number) {
    this.#random = seededRandom(seed);
    const voters = [1, 3, 3, 5][this.#below(4)];
    const ids = Array.from({ length: poolSize }, (_, i) => BigInt(i + 1));
    const conf = confOf(ids.slice(0, voters));
    const readMode = this.#below(2) === 0 ? "readIndex" : "leaderLease";
    const checkQuorum = readMode === "leaderLease" || this.#below(2) === 0;
    const preVote = this.#below(2) === 0;
    const shared = {
      electionTicks: 10,
      heartbeatTicks: 1,
      preVote,
      checkQuorum,
      readMode,
      maxAppendBytes: 100,
      maxInflightMessages: 4,
      maxUncommittedBytes: 4096,
      tailEntries: this.#below(4),
      tailBytes: 200,
      laggingBytes: 400,
      random: this.#random,
    } satisfies Omit<RaftConfig, "id">;
    for (const id of ids) {
      this.#members.push(new Member({ ...shared, id }, { index: 0, term: 0, conf }));
    }
  }

  /** Runs `steps` random steps, then heals everything and checks that the group serves again. */
  run(steps: number): SimulationCounts {
    for (let i = 0; i < steps; i++) {
      this.#stepOnce();
      this.#check();
    }
    this.#recover();
    this.counts.committed = this.#checker.maxCommitted;
    return this.counts;
  }

  #below(limit: number): number {
    return this.#random.nextInt(limit);
  }

  #anyone(): Member {
    return this.#members[this.#below(this.#members.length)];
  }

  /** A random member of those that `fits`, or anyone when none does. */
  #someone(fits: (member: Member) => boolean): Member {
    const start = this.#below(poolSize);
    for (let i = 0; i < poolSize; i++) {
      const member = this.#members[(start + i) % poolSize];
      if (fits(member)) return member;
    }
    return this.#members[start];
  }

  #anyLeaderOrAnyone(): Member {
    return this.#below(3) === 0
      ? this.#anyone()
      : this.#someone((m) => !m.crashed && m.core.role === "leader");
  }

  /** Somebody who is down, or one with a write under way: durability is about losing that. */
  #victim(): Member {
    const wanted = this.#below(3);
    if (wanted === 0) return this.#anyone();
    return this.#someone((m) => wanted === 1 ? m.writing : m.crashed);
  }

  #check(): void {
    this.#checker.check(this.#members.filter((m) => !m.crashed).map((m) => m.core));
  }

  #stepOnce(): void {
    const dice = this.#below(1000);
    if (dice < 50) this.#tickAll();
    else if (dice < 330) this.#takeReady(this.#someone((m) => !m.crashed && m.core.hasReady()));
    else if (dice < 530) this.#persist(this.#someone((m) => m.writing));
    else if (dice < 880) this.#deliverSome();
    else if (dice < 950) this.#propose(this.#someone((m) => m.core.role === "leader"));
    else if (dice < 968) this.#read(this.#anyLeaderOrAnyone());
    else if (dice < 974) this.#proposeConfChange();
    else if (dice < 980) this.#crashOrRestart(this.#victim());
    else if (dice < 982) this.#partition();
    else if (dice < 988) this.#compact(this.#someone((m) => m.core.wantsSnapshot));
    else if (dice < 992) this.#trim(this.#anyone());
    else this.#disturb(this.#anyone());
  }

  #tickAll(): void {
    for (const member of this.#members) {
      if (member.crashed) continue;
      const before = member.core.role;
      member.core.tick();
      if (before !== "leader" && member.core.role === "leader") this.counts.elections++;
    }
  }

  #takeReady(member: Member): void {
    if (member.crashed || !member.core.hasReady()) return;
    const appliedBefore = member.applied.length;
    const { ready, send } = member.takeReady();
    if (ready.soft?.role === "leader") this.counts.elections++;
    if (ready.snapshot !== null) this.counts.snapshots++;
    const applied = member.applied.slice(appliedBefore);
    this.counts.confChanges += applied.filter((entry) => entry.kind === "confChange").length;
    this.#checker.applied(member.core.id, applied);
    this.#network.push(...send);
    for (const read of member.reads.splice(0)) {
      const needed = this.#reads.get(read.requestId) ?? 0;
      assert(read.index >= needed, `linearizable reads: ${read.index} instead of ${needed}`);
      this.counts.reads++;
    }
  }

  #persist(member: Member): void {
    if (!member.crashed) this.#network.push(...member.persist());
  }

  /** More when more waits, or else the network would fall ever further behind the clocks. */
  #deliverSome(): void {
    for (let i = Math.floor(this.#network.length / 10); i >= 0; i--) this.#deliverOne();
  }

  #deliverOne(): void {
    if (this.#network.length === 0) return;
    // Mostly near the front, sometimes anywhere: both steady streams and wild reordering.
    const far = this.#below(10) === 0;
    const at = this.#below(far ? this.#network.length : Math.min(4, this.#network.length));
    const message = this.#network[at];
    if (this.#below(30) !== 0) this.#network.splice(at, 1);
    this.#deliver(message, this.#below(12) === 0);
  }

  #deliver(message: Message, lost: boolean): void {
    const sender = this.#members[Number(message.from) - 1];
    const receiver = this.#members[Number(message.to) - 1];
    const drops = lost || receiver.crashed ||
      this.#blocked.has(`${message.from}-${message.to}`);
    if (!drops) receiver.core.step(message);
    if (message.type === "snapshot" && !sender.crashed) {
      sender.core.reportSnapshot(message.to, !drops);
    } else if (drops && !sender.crashed && this.#below(4) === 0) {
      sender.core.reportUnreachable(message.to);
    }
  }

  #propose(member: Member): void {
    if (member.crashed) return;
    const data = new Uint8Array(8 + this.#below(40));
    new DataView(data.buffer).setUint32(0, this.#nextPayload++);
    member.core.propose(data);
  }

  #read(member: Member): void {
    if (member.crashed) return;
    const id = this.#nextRead++;
    this.#reads.set(id, this.#checker.maxCommitted);
    member.core.readIndex(id);
  }

  #proposeConfChange(): void {
    const leader = this.#members.find((m) => !m.crashed && m.core.role === "leader");
    if (leader === undefined) return;
    const types = ["addVoter", "addVoter", "addLearner", "remove"] as const;
    const changes: ConfChangeSingle[] = [];
    for (let i = this.#below(3); i >= 0; i--) {
      changes.push({ type: types[this.#below(4)], id: BigInt(1 + this.#below(poolSize)) });
    }
    if (this.#below(5) === 0) changes.length = 0;
    const transition = (["auto", "jointImplicit", "jointExplicit"] as const)[this.#below(3)];
    leader.core.proposeConfChange({ changes, transition, context: new Uint8Array(0) });
  }

  #crashOrRestart(member: Member): void {
    if (member.crashed) {
      member.restart();
      return;
    }
    this.counts.crashes++;
    member.crash();
    if (this.#below(2) === 0) member.restart();
  }

  #partition(): void {
    if (this.#below(2) === 0) {
      this.#blocked.clear();
      return;
    }
    const alone = Number(this.#anyLeaderOrAnyone().core.id) - 1;
    const side = this.#below(2) === 0 ? 1 << alone : this.#below(1 << poolSize);
    const oneWay = this.#below(4) === 0;
    for (let from = 0; from < poolSize; from++) {
      for (let to = 0; to < poolSize; to++) {
        const cut = ((side >> from) & 1) > ((side >> to) & 1) ||
          (!oneWay && ((side >> from) & 1) < ((side >> to) & 1));
        if (cut) this.#blocked.add(`${from + 1}-${to + 1}`);
      }
    }
  }

  #compact(member: Member): void {
    const isNew = member.core.applied > member.disk.snapshot.index;
    if (member.crashed || member.writing || !isNew) return;
    if (member.core.wantsSnapshot) this.counts.wantedSnapshots++;
    member.compact(Math.max(0, member.core.applied - this.#below(6)));
  }

  #trim(member: Member): void {
    if (member.crashed) return;
    member.core.trim(member.core.applied);
    this.counts.trims++;
  }

  #disturb(member: Member): void {
    if (member.crashed) return;
    if (this.#below(2) === 0) member.core.campaign();
    else member.core.transferLeader(BigInt(1 + this.#below(poolSize)));
  }

  /** With everybody up and connected, a proposal must reach every voter. */
  #recover(): void {
    this.#blocked.clear();
    for (const member of this.#members) {
      if (member.crashed) member.restart();
    }
    let proposedAt = 0;
    for (let tick = 0; tick < 600; tick++) {
      this.#tickAll();
      this.#settle();
      const leaders = this.#members.filter((m) => m.core.role === "leader");
      leaders.sort((a, b) => b.core.term - a.core.term);
      const leader = leaders.at(0);
      if (leader === undefined || tick < 60) continue;
      if (proposedAt === 0 || leader.core.lastIndex < proposedAt) {
        const outcome = leader.core.propose(new Uint8Array(1));
        if (outcome.kind === "accepted") proposedAt = outcome.index;
      }
      const { voters, votersOutgoing } = leader.core.conf;
      const caughtUp = [...voters, ...votersOutgoing].every((id) =>
        this.#members[Number(id) - 1].core.applied >= proposedAt
      );
      if (proposedAt > 0 && caughtUp) return;
    }
    assert(false, "a healed group serves again");
  }

  /** Delivers everything, in order, until nobody has anything left to do. */
  #settle(): void {
    for (let round = 0; round < 1000; round++) {
      let quiet = this.#network.length === 0;
      for (const message of this.#network.splice(0)) this.#deliver(message, false);
      for (const member of this.#members) {
        while (member.core.hasReady() || member.writing) {
          quiet = false;
          this.#takeReady(member);
          this.#persist(member);
        }
        if (member.core.wantsSnapshot) {
          quiet = false;
          this.#compact(member);
        }
      }
      this.#check();
      if (quiet) return;
    }
    assert(false, "a group without news falls silent");
  }
}
