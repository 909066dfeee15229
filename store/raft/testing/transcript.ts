/**
 * Interprets the transcripts in `testdata/`: one command a line, and in words what it caused.
 * In: blocks of commands. Out: for each block the messages, writes, applies and role changes.
 * Never: checks the words itself; that is `transcript_test.ts`. Invariants are checked always.
 */
import { assert } from "../assert.ts";
import { decodeConfChange } from "../conf_change.ts";
import { InvariantChecker } from "../invariants.ts";
import type {
  ConfChange,
  ConfChangeSingle,
  ConfState,
  Entry,
  Message,
  ProposeOutcome,
  RaftConfig,
} from "../types.ts";
import { confOf, Member } from "./group.ts";

const defaults = {
  electionTicks: 10,
  heartbeatTicks: 1,
  preVote: false,
  checkQuorum: false,
  readMode: "readIndex",
  maxAppendBytes: 1 << 20,
  maxInflightMessages: 256,
  maxUncommittedBytes: 1 << 20,
  tailEntries: 0,
  tailBytes: 1 << 20,
  laggingBytes: 1 << 20,
} satisfies Omit<RaftConfig, "id" | "random">;

export class Transcript {
  readonly #members = new Map<bigint, Member>();
  readonly #checker = new InvariantChecker();
  readonly #cut = new Set<string>();
  #network: Message[] = [];
  #lines: string[] = [];

  /** Runs the commands of one block. @returns what they caused, a line each. */
  run(commands: readonly string[]): string {
    this.#lines = [];
    for (const command of commands) {
      const [verb, ...words] = command.trim().split(/\s+/);
      this.#command(verb, words);
      this.#checker.check(this.#running().map((member) => member.core));
    }
    return this.#lines.length === 0 ? "ok" : this.#lines.join("\n");
  }

  #running(): Member[] {
    return [...this.#members.values()].filter((member) => !member.crashed);
  }

  #member(word: string): Member {
    const member = this.#members.get(BigInt(word));
    assert(member !== undefined, `transcript: no member ${word}`);
    return member;
  }

  #say(line: string): void {
    this.#lines.push(line);
  }

  #command(verb: string, words: string[]): void {
    if (this.#network.length > 0 && verb === "drop") return void this.#drop(words[0]);
    switch (verb) {
      case "group":
        return this.#group(words);
      case "tick":
        return this.#tick(words);
      case "stabilize":
        return this.#stabilize();
      case "deliver":
        return this.#deliverAll(words[0]);
      case "ready":
        return this.#ready(this.#member(words[0]));
      case "persist":
        return this.#persist(this.#member(words[0]));
      case "drop":
        return;
      case "isolate":
        return this.#isolate(BigInt(words[0]));
      case "heal":
        return this.#cut.clear();
      case "status":
        return this.#status();
      case "log":
        return this.#log(this.#member(words[0]));
      case "progress":
        return this.#progress(this.#member(words[0]));
      default:
        this.#memberCommand(verb, this.#member(words[0]), words.slice(1));
    }
  }

  #memberCommand(verb: string, member: Member, words: string[]): void {
    switch (verb) {
      case "campaign":
        return member.core.campaign();
      case "propose":
        for (const word of words) {
          this.#outcome(member.core.propose(new TextEncoder().encode(word)));
        }
        return;
      case "conf":
        return this.#outcome(member.core.proposeConfChange(parseChange(words)));
      case "read":
        return member.core.readIndex(BigInt(words[0]));
      case "transfer":
        return member.core.transferLeader(BigInt(words[0]));
      case "compact":
        return member.compact(Number(words[0]));
      case "trim":
        return member.core.trim(Number(words[0] ?? member.core.applied));
      case "crash":
        return member.crash();
      case "restart":
        return member.restart();
      case "unreachable":
        return member.core.reportUnreachable(BigInt(words[0]));
      case "snapshotSent":
        return member.core.reportSnapshot(BigInt(words[0]), words[1] !== "failed");
      default:
        assert(false, `transcript: no command ${verb}`);
    }
  }

  /** `group voters=1,2,3 [spare=4,5] [preVote=true] [maxInflightMessages=2] …` */
  #group(words: string[]): void {
    const given = new Map(words.map((word) => word.split("=") as [string, string]));
    const ids = (key: string) => (given.get(key) ?? "").split(",").filter(Boolean).map(BigInt);
    const config: Record<string, unknown> = { ...defaults };
    for (const [key, value] of given) {
      if (key in defaults) config[key] = value === "true" || (Number(value) || value);
    }
    const conf = confOf(ids("voters"), ids("learners"));
    for (const id of [...ids("voters"), ...ids("learners"), ...ids("spare")]) {
      // Each member has its own election timeout, the same on every draw.
      const random = { nextInt: (below: number) => Number(id) % below };
      const own = { ...config, id, random } as RaftConfig;
      this.#members.set(id, new Member(own, { index: 0, term: 0, conf }));
    }
  }

  #tick(words: string[]): void {
    const everyone = words[0] === "all";
    const who = everyone ? this.#running() : [this.#member(words[0])];
    for (let i = Number(words[1] ?? 1); i > 0; i--) {
      for (const member of who) member.core.tick();
      if (everyone) this.#stabilize(true);
    }
  }

  #outcome(outcome: ProposeOutcome): void {
    if (outcome.kind === "accepted") return;
    const more = outcome.kind === "notLeader"
      ? ` (leader ${outcome.leader})`
      : outcome.kind === "invalidConfChange"
      ? ` (${outcome.reason})`
      : "";
    this.#say(`refused: ${outcome.kind}${more}`);
  }

  #ready(member: Member): void {
    if (!member.core.hasReady()) return;
    const { core } = member;
    const appliedBefore = member.applied.length;
    const { ready, send } = member.takeReady();
    if (ready.soft !== null) {
      this.#say(`${core.id} is ${ready.soft.role} of ${ready.soft.leader} in term ${core.term}`);
    }
    const writes: string[] = [];
    const hard = ready.hardState;
    if (hard !== null) writes.push(`term=${hard.term} vote=${hard.vote} commit=${hard.commit}`);
    if (ready.snapshot !== null) writes.push(`snapshot=${ready.snapshot.index}`);
    if (ready.entries.length > 0) writes.push(`entries=${spans(ready.entries)}`);
    if (ready.mustSync) this.#say(`${core.id} writes ${writes.join(" ")}`);
    for (const entry of member.applied.slice(appliedBefore)) {
      this.#say(`${core.id} applies ${entryWords(entry, core.conf)}`);
    }
    this.#checker.applied(core.id, member.applied.slice(appliedBefore));
    for (const read of member.reads.splice(0)) {
      this.#say(`${core.id} may answer read ${read.requestId} at ${read.index}`);
    }
    this.#network.push(...send);
  }

  #persist(member: Member): void {
    this.#network.push(...member.persist());
  }

  #deliverAll(to: string | undefined): void {
    const mine = this.#network.filter((m) => to === undefined || m.to === BigInt(to));
    this.#network = this.#network.filter((m) => !mine.includes(m));
    for (const message of mine) this.#deliver(message);
  }

  #deliver(message: Message, quietHeartbeats = false): void {
    const receiver = this.#members.get(message.to);
    const lost = receiver === undefined || receiver.crashed ||
      this.#cut.has(`${message.from}-${message.to}`);
    const isBeat = message.type === "heartbeat" || message.type === "heartbeatResponse";
    if (!(quietHeartbeats && isBeat)) this.#say(messageWords(message) + (lost ? " (lost)" : ""));
    if (!lost) receiver.core.step(message);
  }

  #drop(to: string | undefined): void {
    this.#network = this.#network.filter((m) => to !== undefined && m.to !== BigInt(to));
  }

  #isolate(id: bigint): void {
    for (const other of this.#members.keys()) {
      this.#cut.add(`${id}-${other}`).add(`${other}-${id}`);
    }
  }

  /** Everybody works and everything is delivered until nothing is left. */
  #stabilize(quietHeartbeats = false): void {
    for (let quiet = false; !quiet;) {
      quiet = true;
      for (const member of this.#running()) {
        while (member.core.hasReady() || member.writing) {
          quiet = false;
          this.#ready(member);
          this.#persist(member);
        }
      }
      for (const message of this.#network.splice(0)) {
        quiet = false;
        this.#deliver(message, quietHeartbeats);
      }
      this.#checker.check(this.#running().map((member) => member.core));
    }
  }

  #status(): void {
    for (const member of this.#members.values()) {
      const { core } = member;
      if (member.crashed) this.#say(`${core.id} crashed`);
      else {
        const wants = core.wantsSnapshot ? " wants a snapshot" : "";
        this.#say(
          `${core.id} ${core.role} of ${core.leader} term=${core.term} commit=${core.commit} ` +
            `applied=${core.applied} log=${core.firstIndex}..${core.lastIndex} ` +
            confWords(core.conf) + wants,
        );
      }
    }
  }

  #log(member: Member): void {
    const { core } = member;
    const terms: string[] = [];
    for (let i = core.firstIndex; i <= core.lastIndex; i++) terms.push(`${i}/${core.termAt(i)}`);
    this.#say(`${core.id}: ${terms.join(" ") || "empty"}`);
  }

  #progress(member: Member): void {
    for (const [id, p] of [...member.core.progress()].sort((a, b) => Number(a[0] - b[0]))) {
      const learner = p.learner ? " learner" : "";
      this.#say(`${id}: ${p.state} match=${p.match} next=${p.next}${learner}`);
    }
  }
}

/** `addVoter=4 remove=1 [transition]`, or `leave`. */
function parseChange(words: readonly string[]): ConfChange {
  const changes: ConfChangeSingle[] = [];
  let transition: ConfChange["transition"] = "auto";
  for (const word of words) {
    const [type, id] = word.split("=");
    if (type === "jointImplicit" || type === "jointExplicit") transition = type;
    else if (id !== undefined) {
      changes.push({ type: type as ConfChangeSingle["type"], id: BigInt(id) });
    }
  }
  return { changes, transition, context: new Uint8Array(0) };
}

function spans(entries: readonly Entry[]): string {
  return entries.map((entry) => `${entry.index}/${entry.term}`).join(",");
}

function entryWords(entry: Entry, conf: ConfState): string {
  const at = `${entry.index}/${entry.term}`;
  if (entry.kind === "normal") return `${at} "${new TextDecoder().decode(entry.data)}"`;
  const changes = decodeConfChange(entry.data).changes.map((c) => `${c.type}=${c.id}`);
  return `${at} [${changes.join(" ") || "leave joint"}] -> ${confWords(conf)}`;
}

function confWords(conf: ConfState): string {
  const parts = [`voters=${conf.voters.join(",")}`];
  if (conf.votersOutgoing.length > 0) parts.push(`outgoing=${conf.votersOutgoing.join(",")}`);
  if (conf.learners.length > 0) parts.push(`learners=${conf.learners.join(",")}`);
  if (conf.learnersNext.length > 0) parts.push(`learnersNext=${conf.learnersNext.join(",")}`);
  if (conf.autoLeave) parts.push("autoLeave");
  return parts.join(" ");
}

function messageWords(m: Message): string {
  const words = [`${m.from}->${m.to} ${m.type}`];
  if (m.type !== "propose" && m.type !== "readIndex" && m.type !== "transferLeader") {
    words.push(`term=${m.term}`);
  }
  if (m.type === "append") words.push(`after=${m.index}/${m.logTerm} commit=${m.commit}`);
  else if (m.type === "vote" || m.type === "preVote") words.push(`last=${m.index}/${m.logTerm}`);
  else if (m.type === "heartbeat") words.push(`commit=${m.commit}`);
  else if (m.index > 0) words.push(`index=${m.index}`);
  if (m.entries.length > 0) words.push(`entries=${spans(m.entries)}`);
  if (m.reject) words.push(`rejects`);
  if (m.reject && m.type === "appendResponse") words.push(`hint=${m.rejectHint}/${m.logTerm}`);
  if (m.snapshot !== null) words.push(confWords(m.snapshot.conf));
  const isBeat = m.type === "heartbeat" || m.type === "heartbeatResponse";
  if (m.context > 0n && !isBeat) words.push(`context=${m.context}`);
  return words.join(" ");
}
