/**
 * A webhook that a kubeconfig names: JSON there and back, tried again while that may help.
 * In: where it is and what to show it, a document. Out: the document that it answers, or why none.
 * Never: puts what it sends, or what it shows, into a message.
 * Source: apiserver's util/webhook (v1.36).
 */
import type { Clock } from "../ports.ts";
import { type Credentials, Poster, refusalOf, wordsOf } from "./post.ts";

/** What a kubeconfig's current context says, its files read. */
export interface WebhookEndpoint extends Credentials {
  /** http(s)://HOST[:PORT][/PATH] */
  readonly server: string;
  /** PEM of the server's authority; absent = the machine's own. */
  readonly ca?: string;
  readonly serverName?: string;
}

export type RemoteAnswer =
  | { readonly kind: "answered"; readonly value: unknown }
  | { readonly kind: "failed"; readonly message: string };

/** How often, and how far apart. */
export interface Retries {
  readonly attempts: number;
  readonly firstDelayMillis: number;
  readonly factor: number;
}

/** Of those who wait for the answer. */
export const QUICK_RETRIES: Retries = { attempts: 5, firstDelayMillis: 500, factor: 1.5 };

const ANSWER_LIMIT_BYTES = 3 * 1024 * 1024;
const SERVER_ERROR = 500;
const TOO_MANY_REQUESTS = 429;

type Attempt = RemoteAnswer & { readonly mayHelp?: boolean };

export class RemoteWebhook {
  readonly #endpoint: WebhookEndpoint;
  readonly #clock: Clock;
  readonly #poster = new Poster(ANSWER_LIMIT_BYTES);

  constructor(endpoint: WebhookEndpoint, clock: Clock) {
    this.#endpoint = endpoint;
    this.#clock = clock;
  }

  /** @param timeoutMillis of one attempt */
  async ask(body: string, timeoutMillis: number, retries: Retries): Promise<RemoteAnswer> {
    let delayMillis = retries.firstDelayMillis;
    for (let attempt = 1;; attempt++) {
      const outcome = await this.#once(body, timeoutMillis);
      if (outcome.kind === "answered" || !outcome.mayHelp || attempt >= retries.attempts) {
        return outcome;
      }
      await new Promise<void>((resolve) => void this.#clock.after(delayMillis, resolve));
      delayMillis *= retries.factor;
    }
  }

  close(): void {
    this.#poster.close();
  }

  async #once(body: string, timeoutMillis: number): Promise<Attempt> {
    const abort = new AbortController();
    const stop = this.#clock.after(timeoutMillis, () => abort.abort());
    const { server, ...rest } = this.#endpoint;
    try {
      const url = new URL(server);
      const { status, text } = await this.#poster.send({
        ...rest,
        url,
        body,
        signal: abort.signal,
      });
      if (text === null) return { kind: "failed", message: "the answer is too long" };
      if (status >= 200 && status < 300) return readAnswer(text);
      const mayHelp = status >= SERVER_ERROR || status === TOO_MANY_REQUESTS;
      return { kind: "failed", message: refusalOf(status, text), mayHelp };
    } catch (error) {
      const message = abort.signal.aborted ? "context deadline exceeded" : wordsOf(error);
      return { kind: "failed", message, mayHelp: true };
    } finally {
      stop();
    }
  }
}

function readAnswer(text: string): Attempt {
  if (text === "") return { kind: "answered", value: null };
  try {
    return { kind: "answered", value: JSON.parse(text) };
  } catch {
    return { kind: "failed", message: "the answer is no JSON" };
  }
}
