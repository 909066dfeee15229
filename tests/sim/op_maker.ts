/**
 * What a client asks for next: puts, reads, deletes and transactions over few keys, so that clients
 * meet.
 * In: chance, what the client read before. Out: operations.
 * Never: writes a value twice in a run.
 */
import type { History } from "./checks/history.ts";
import type { Answer, Condition, DeleteOp, GetOp, Item, KvOp, PutOp } from "./checks/model.ts";
import type { SimRandom } from "./world/random.ts";

const KEYS = 16;
const PAIRS = 4;
/** Values of one client are `client + CLIENT_STRIDE * n`. */
const CLIENT_STRIDE = 64;

export class OpMaker {
  readonly #random: SimRandom;
  #value: number;
  /** What this client believes of keys, for comparing and swapping. */
  readonly #believed = new Map<string, Item>();

  constructor(client: number, random: SimRandom) {
    this.#random = random;
    this.#value = client + CLIENT_STRIDE;
  }

  /** Remembers what was read. */
  learn(answer: Answer): void {
    if (answer.kind === "get") {
      for (const item of answer.items) this.#believed.set(item.key, item);
    } else if (answer.kind === "txn") {
      for (const inner of answer.answers) this.learn(inner);
    }
  }

  /** A put that attaches a key to a lease. */
  leased(key: string, lease: bigint): PutOp {
    return { ...this.#put(key), lease };
  }

  next(history: History): KvOp {
    const random = this.#random;
    const key = `k${String(random.nextInt(KEYS)).padStart(2, "0")}`;
    const dice = random.nextInt(100);
    if (dice < 30) return this.#put(key);
    if (dice < 48) return this.#get(key);
    if (dice < 58) return { ...this.#get(key), serializable: true };
    if (dice < 64) return { ...this.#get("k"), end: "l", limit: random.nextInt(3) * 5 };
    if (dice < 66) return { ...this.#get("m"), end: "n", serializable: random.chance(0.5) };
    if (dice < 69) return this.#oldRead(history);
    if (dice < 76) return this.#delete(key, "");
    if (dice < 78) return this.#delete(key, `k${String(random.nextInt(KEYS)).padStart(2, "0")}`);
    if (dice < 92) return this.#compareAndSwap(key);
    return this.#pair();
  }

  #put(key: string): PutOp {
    this.#value += CLIENT_STRIDE;
    const size = this.#random.chance(0.03) ? 2_000 : 9 + this.#random.nextInt(40);
    const prevKv = this.#random.chance(0.3);
    return { kind: "put", key, value: this.#value, size, lease: 0n, prevKv };
  }

  #get(key: string): GetOp {
    return { kind: "get", key, end: "", serializable: false, revision: 0, limit: 0 };
  }

  #delete(key: string, end: string): DeleteOp {
    return { kind: "delete", key, end: end > key ? end : "", prevKv: this.#random.chance(0.5) };
  }

  #oldRead(history: History): GetOp {
    const revision = Math.max(1, history.contiguous - this.#random.nextInt(120));
    const serializable = this.#random.chance(0.5);
    return { ...this.#get("k"), end: "l", revision, serializable };
  }

  /** Puts if the key still is what this client read; otherwise reads it. */
  #compareAndSwap(key: string): KvOp {
    const item = this.#believed.get(key);
    const condition = this.#condition(key, item);
    const success = [this.#put(key)];
    return { kind: "txn", compare: [condition], success, failure: [this.#get(key)] };
  }

  #condition(key: string, item: Item | undefined): Condition {
    const none = { key, result: "equal", size: 9 } as const;
    if (item === undefined) return { ...none, target: "create", value: 0 };
    switch (this.#random.nextInt(4)) {
      case 0:
        return { ...none, target: "version", value: item.version };
      case 1:
        return { ...none, target: "value", value: item.value, size: item.size };
      case 2:
        return { ...none, target: "mod", value: item.mod + 1, result: "less" };
      default:
        return { ...none, target: "mod", value: item.mod };
    }
  }

  /** Two keys that are always written together, and read with them. */
  #pair(): KvOp {
    const pair = this.#random.nextInt(PAIRS);
    const [a, b] = [`m${pair}a`, `m${pair}b`];
    const compare: Condition[] = this.#random.chance(0.5)
      ? []
      : [{ key: a, target: "version", result: "greater", value: 1, size: 9 }];
    const read = { ...this.#get(`m${pair}`), end: `m${pair}z` };
    return {
      kind: "txn",
      compare,
      success: [this.#put(a), this.#put(b), read],
      failure: this.#random.chance(0.3)
        ? [this.#delete(a, ""), this.#delete(b, ""), read]
        : [read, this.#put(b), this.#put(a)],
    };
  }
}
