/**
 * Answers that stay good for a while, and questions that are asked once at a time.
 * In: a key, how to find out, how long the answer may be kept. Out: the answer.
 * Never: keeps a failure, or more entries than its limit.
 */
export class ExpiringCache<T> {
  readonly #entries = new Map<string, { readonly value: T; readonly untilMillis: number }>();
  readonly #pending = new Map<string, Promise<T>>();
  readonly #nowMillis: () => number;
  readonly #limit: number;

  constructor(nowMillis: () => number, limit = 4096) {
    this.#nowMillis = nowMillis;
    this.#limit = limit;
  }

  /** What is kept and still good. */
  peek(key: string): T | undefined {
    const found = this.#entries.get(key);
    if (found === undefined) return undefined;
    if (found.untilMillis > this.#nowMillis()) return found.value;
    this.#entries.delete(key);
    return undefined;
  }

  /**
   * @param find asked once for all who want to know at the same time
   * @param ttlMillis how long an answer is good; 0 = not kept
   * Errors: rejects as `find` does.
   */
  get(key: string, find: () => Promise<T>, ttlMillis: (value: T) => number): T | Promise<T> {
    const known = this.peek(key);
    if (known !== undefined) return known;
    const waiting = this.#pending.get(key);
    if (waiting !== undefined) return waiting;
    const asked = find().then((value) => {
      this.#keep(key, value, ttlMillis(value));
      return value;
    }).finally(() => this.#pending.delete(key));
    this.#pending.set(key, asked);
    return asked;
  }

  #keep(key: string, value: T, ttlMillis: number): void {
    if (ttlMillis <= 0) return;
    this.#entries.delete(key);
    // The oldest goes first.
    if (this.#entries.size >= this.#limit) {
      this.#entries.delete(this.#entries.keys().next().value!);
    }
    this.#entries.set(key, { value, untilMillis: this.#nowMillis() + ttlMillis });
  }
}
