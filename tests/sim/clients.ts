/**
 * The clients of a simulated cluster: a hundred operations a second, from several hands at once.
 * In: a world. Out: the history of what they asked and were told.
 * Never: retries an operation; whoever is left without an answer records that it knows nothing.
 */
import type {
  DeleteRangeResponse,
  PutResponse,
  RangeResponse,
  Store,
  StoreFailure,
  TxnResponse,
} from "../../store/mod.ts";
import type { LeaseRecord } from "./checks/check_lease.ts";
import type { OpRecord, Outcome } from "./checks/history.ts";
import type { Machine } from "./world/machine.ts";
import { type KvOp, toAnswer, toCompare, toRequest } from "./checks/model.ts";
import { OpMaker } from "./op_maker.ts";
import type { SimRandom } from "./world/random.ts";
import type { RunningWatch, World } from "./world/world.ts";

const CLIENTS = 12;
const OPERATIONS_PER_SECOND = 100;
/** Operations of one client without an answer. */
const MAX_OUTSTANDING = 8;

/** Failures that leave no doubt: the command was refused before, or without, any effect. */
const REFUSALS: ReadonlySet<string> = new Set([
  "compacted",
  "futureRevision",
  "leaseNotFound",
  "leaseExists",
  "keyNotFound",
  "duplicateKey",
  "tooManyRequests",
  "noSpace",
  "requestTooLarge",
  "auth",
]);

/** Clients that auth, while it is enabled, keeps to few keys. */
const GUESTS = 2;

type KvReply = PutResponse | RangeResponse | DeleteRangeResponse | TxnResponse | StoreFailure;

type Reply<T> =
  | { readonly kind: "answer"; readonly value: T }
  | { readonly kind: "refused" | "unknown"; readonly reason: string };

export class Clients {
  readonly #world: World;
  readonly #makers: OpMaker[] = [];
  #stopped = false;
  #leaseIds = 1n;
  #busy = 0;

  constructor(world: World) {
    this.#world = world;
  }

  /** Operations that wait for an answer. */
  get busy(): number {
    return this.#busy;
  }

  start(): void {
    for (let id = 0; id < CLIENTS; id++) {
      const random = this.#world.random(`client ${id}`);
      this.#makers.push(new OpMaker(id, random));
      new Client(this, this.#world, { id, random, maker: this.#makers[id] }).start();
    }
  }

  stop(): void {
    this.#stopped = true;
  }

  get stopped(): boolean {
    return this.#stopped;
  }

  nextLease(): bigint {
    return this.#leaseIds++;
  }

  /**
   * Sends one request to a machine's member and waits, as a connection would.
   * @param done called once
   */
  call<T>(
    machine: Machine,
    parts: {
      random: SimRandom;
      work: (store: Store) => Promise<T>;
      done: (reply: Reply<T>) => void;
    },
  ): void {
    const { queue } = this.#world;
    const { random, work } = parts;
    const process = machine.process;
    if (process === null || machine.store === null) {
      queue.after(1, () => parts.done({ kind: "refused", reason: "connection refused" }));
      return;
    }
    this.#busy++;
    let settled = false;
    const settle = (reply: Reply<T>) => {
      if (settled) return;
      settled = true;
      this.#busy--;
      machine.onDeath.delete(onDeath);
      timeout.run = null;
      parts.done(reply);
    };
    const onDeath = () => {
      queue.after(1, () => settle({ kind: "unknown", reason: "connection reset" }));
    };
    machine.onDeath.add(onDeath);
    const timeout = queue.after(random.between(1_500, 6_000), () => {
      settle({ kind: "unknown", reason: "client timeout" });
    });
    queue.after(random.between(0.05, 0.6), () =>
      process.run(() => {
        const store = machine.store;
        if (store === null) return;
        work(store).then((value) => {
          if (!process.alive) return;
          queue.after(random.between(0.05, 0.6), () => settle({ kind: "answer", value }));
        }, (error) => this.#world.fail(error));
      }, "client"));
  }
}

class Client {
  readonly #clients: Clients;
  readonly #world: World;
  readonly #id: number;
  readonly #random: SimRandom;
  readonly #maker: OpMaker;
  #machine: Machine | null = null;
  #outstanding = 0;
  #lease: { record: LeaseRecord; renewals: number } | null = null;
  #watch: RunningWatch | null = null;

  constructor(
    clients: Clients,
    world: World,
    parts: { id: number; random: SimRandom; maker: OpMaker },
  ) {
    this.#clients = clients;
    this.#world = world;
    this.#id = parts.id;
    this.#random = parts.random;
    this.#maker = parts.maker;
  }

  start(): void {
    this.#pause();
  }

  #pause(): void {
    const mean = 1000 * CLIENTS / OPERATIONS_PER_SECOND;
    this.#world.queue.after(this.#random.exponential(mean), () => {
      if (!this.#clients.stopped) this.#next();
    });
  }

  #next(): void {
    const random = this.#random;
    const running = this.#world.running;
    if (running.length === 0) return this.#pause();
    const moves = this.#machine === null || this.#machine.store === null || random.chance(0.05);
    if (moves) this.#machine = random.pick(running);
    this.#world.coverage.operations++;
    const dice = random.nextInt(1000);
    if (dice < 70) this.#useLease();
    else if (dice < 95) this.#useWatch();
    else if (dice < 100) this.#compact();
    else this.#perform(this.#maker.next(this.#world.history));
  }

  #target(): Machine {
    const { running, inUse } = this.#world;
    this.#machine ??= this.#random.pick(running.length > 0 ? running : inUse);
    return this.#machine;
  }

  #perform(op: KvOp): void {
    const machine = this.#target();
    const { history } = this.#world;
    // Whoever puts a key under a lease has to be allowed to end that lease.
    const isGuest = this.#id < GUESTS && !(op.kind === "put" && op.lease !== 0n);
    const user = isGuest ? "guest" : "root";
    const record = history.begin({
      client: this.#id,
      machine: machine.name,
      user,
      op,
      now: this.#world.now,
    });
    this.#clients.call(machine, {
      random: this.#random,
      work: (store) => {
        record.authRevision = machine.authRevision;
        return ask(user === "guest" ? machine.guestStore ?? store : store, op);
      },
      done: (reply) => this.#settle(record, reply),
    });
    // Whoever waits for a slow answer goes on asking, but not for ever.
    if (++this.#outstanding < MAX_OUTSTANDING) this.#pause();
  }

  #settle(record: OpRecord, reply: Reply<KvReply>): void {
    record.completed = this.#world.now;
    record.outcome = outcomeOf(reply);
    const { coverage } = this.#world;
    if (record.outcome.kind === "ok") {
      coverage.acknowledged++;
      this.#maker.learn(record.outcome.answer);
    } else if (record.outcome.kind === "unknown") {
      coverage.unknown++;
      if (this.#random.chance(0.5)) this.#machine = null;
    }
    if (this.#outstanding-- === MAX_OUTSTANDING) this.#pause();
  }

  // ---- leases -----------------------------------------------------------------------------------

  #useLease(): void {
    if (this.#lease === null) this.#grant();
    else if (this.#random.chance(0.06)) this.#revoke(this.#lease.record);
    else this.#renew(this.#lease);
  }

  #grant(): void {
    const id = this.#clients.nextLease();
    const ttlSeconds = 2 + this.#random.nextInt(7);
    const record = this.#world.leases.open({ id, ttlSeconds, key: `l${id}` });
    const asked = this.#world.now;
    this.#clients.call(this.#target(), {
      random: this.#random,
      work: (store) => store.leaseGrant({ id, ttlSeconds }),
      done: (reply) => {
        if (reply.kind !== "answer" || reply.value.kind !== "lease") return this.#pause();
        record.granted = true;
        record.renewed.push(asked);
        this.#world.coverage.leasesGranted++;
        this.#lease = { record, renewals: 1 + this.#random.nextInt(12) };
        this.#perform(this.#maker.leased(record.key, id));
      },
    });
  }

  #renew(lease: { record: LeaseRecord; renewals: number }): void {
    const { record } = lease;
    if (lease.renewals-- === 0) {
      this.#lease = null;
      return this.#pause();
    }
    const asked = this.#world.now;
    this.#clients.call(this.#target(), {
      random: this.#random,
      work: (store) => store.leaseKeepAlive(record.id),
      done: (reply) => {
        if (reply.kind === "answer" && reply.value.kind === "lease") record.renewed.push(asked);
        else if (reply.kind === "answer" && reply.value.kind === "leaseNotFound") {
          this.#lease = null;
        } else this.#machine = null;
        this.#pause();
      },
    });
  }

  #revoke(record: LeaseRecord): void {
    record.revokeAsked = this.#world.now;
    this.#lease = null;
    this.#clients.call(this.#target(), {
      random: this.#random,
      work: (store) => store.leaseRevoke(record.id),
      done: () => this.#pause(),
    });
  }

  // ---- watches ----------------------------------------------------------------------------------

  #useWatch(): void {
    const watch = this.#watch;
    const { coverage } = this.#world;
    const isOver = watch === null || watch.log.ended !== null || watch.machine.process === null ||
      watch.machine.store === null;
    if (watch === null || isOver || this.#random.chance(0.2)) {
      this.#watch = this.#startWatch(watch);
      if (!isOver) {
        watch.handle.cancel();
        watch.log.ended = "cancelled by the client";
      }
      if (watch !== null) this.#world.coverage.watchEvents += watch.log.eventCount;
    } else if (watch.log.progressAskedAt < 0) {
      watch.log.progressAskedAt = this.#world.now;
      coverage.progressNotices++;
      watch.handle.requestProgress();
    }
    this.#pause();
  }

  /** A watch from now, from the past, or resumed where the last one stopped. */
  #startWatch(last: RunningWatch | null): RunningWatch | null {
    const random = this.#random;
    const { history, coverage } = this.#world;
    const who = `client ${this.#id}`;
    if (last !== null && last.log.ended !== "compacted" && random.chance(0.6)) {
      coverage.watchResumes++;
      const { plan } = last.log;
      return this.#world.watch(this.#target(), { ...plan, start: last.log.resumeAt }, { who });
    }
    const old = Math.max(1, history.contiguous - random.nextInt(400));
    const [from, end] = random.pick([["k", "l"], ["\0", "\0"], ["k03", ""], ["l", "m"], [
      "m",
      "n",
    ]]);
    const filter = random.nextInt(8);
    return this.#world.watch(this.#target(), {
      from,
      end,
      start: random.chance(0.4) ? old : 0,
      prevKv: random.chance(0.2),
      noPut: filter === 0,
      noDelete: filter === 1,
    }, { who });
  }

  #compact(): void {
    const { history, coverage } = this.#world;
    const revision = history.contiguous - 50 - this.#random.nextInt(300);
    if (revision <= 1) return this.#pause();
    history.askCompaction(revision);
    this.#clients.call(this.#target(), {
      random: this.#random,
      work: (store) => store.compact(revision),
      done: (reply) => {
        if (reply.kind === "answer" && reply.value.kind === "compactedTo") coverage.compactions++;
        this.#pause();
      },
    });
  }
}

/** Performs one operation on the store's interface. */
export function ask(store: Store, op: KvOp): Promise<KvReply> {
  if (op.kind === "txn") {
    return store.txn({
      kind: "txn",
      compare: op.compare.map(toCompare),
      success: op.success.map(toRequest),
      failure: op.failure.map(toRequest),
    });
  }
  const request = toRequest(op);
  switch (request.kind) {
    case "put":
      return store.put(request);
    case "deleteRange":
      return store.deleteRange(request);
    case "range":
      return store.range(request);
    default:
      throw new Error(`no operation ${request.kind}`);
  }
}

function outcomeOf(reply: Reply<KvReply>): Outcome {
  if (reply.kind !== "answer") return { kind: reply.kind, reason: reply.reason };
  const { value } = reply;
  switch (value.kind) {
    case "put":
    case "range":
    case "deleteRange":
    case "txn":
      return { kind: "ok", answer: toAnswer(value) };
    default:
      return REFUSALS.has(value.kind)
        ? { kind: "refused", reason: reasonOf(value) }
        : unknownOf(value);
  }
}

function reasonOf(failure: StoreFailure): string {
  return failure.kind === "auth" ? `auth ${failure.reason}` : failure.kind;
}

function unknownOf(failure: StoreFailure): Outcome {
  return { kind: "unknown", reason: failure.kind };
}
