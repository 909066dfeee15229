/**
 * Passwords of users, hashed as etcd hashes them, so that a snapshot carries them both ways.
 * In: passwords and stored hashes. Out: bcrypt hashes, whether a password fits one.
 * Never: computes on the caller's thread (one hash takes it a tenth of a second), logs or keeps a
 * password, lets more callers wait than a bound.
 * Source: bcrypt, `$2a$` with cost 10, as etcd's `--bcrypt-cost` has it by default.
 */
import type { PasswordAnswer, PasswordQuestion } from "./password_worker.ts";

/** Logins beyond this many are refused while earlier ones are being checked. */
const MAX_WAITING = 128;

interface Waiting {
  readonly resolve: (answer: PasswordAnswer["answer"]) => void;
  readonly reject: (error: Error) => void;
}

export class Passwords {
  #worker: Worker | null = null;
  #nextId = 1;
  readonly #waiting = new Map<number, Waiting>();

  /** Whether so many wait already that a login is better refused. */
  get isBusy(): boolean {
    return this.#waiting.size >= MAX_WAITING;
  }

  /** @returns a salted hash; never the same twice. Errors: rejects when the thread fails. */
  async hash(password: string): Promise<string> {
    return String(await this.#ask({ password, stored: null }));
  }

  /** @returns whether `stored` was made of this password. Errors: rejects when the thread fails. */
  async check(password: string, stored: string): Promise<boolean> {
    return await this.#ask({ password, stored }) === true;
  }

  #ask(question: Omit<PasswordQuestion, "id">): Promise<PasswordAnswer["answer"]> {
    const id = this.#nextId++;
    const worker = this.#worker ??= this.#start();
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      worker.postMessage({ ...question, id } satisfies PasswordQuestion);
    });
  }

  #start(): Worker {
    const worker = new Worker(new URL("./password_worker.ts", import.meta.url), { type: "module" });
    worker.onmessage = ({ data }: MessageEvent<PasswordAnswer>) => {
      this.#waiting.get(data.id)?.resolve(data.answer);
      this.#waiting.delete(data.id);
      // Logins are rare, and a thread that lives on would keep the process alive.
      if (this.#waiting.size === 0) this.#end();
    };
    worker.onerror = (event) => {
      event.preventDefault();
      for (const { reject } of this.#waiting.values()) reject(new Error(event.message));
      this.#waiting.clear();
      this.#end();
    };
    return worker;
  }

  #end(): void {
    this.#worker?.terminate();
    this.#worker = null;
  }
}
