/**
 * The audit log as batches to a webhook.
 * In: lines, each an Event as JSON. Out: EventLists, posted no faster than the limits say.
 * Never: makes a request wait; what the buffer can't take, or the webhook not after some tries, is
 * dropped and counted.
 * Source: apiserver's plugin/pkg/audit/{buffered,webhook} and the --audit-webhook-* flags (v1.36).
 */
import { RemoteWebhook, type Retries, type WebhookEndpoint } from "../outgoing/remote_webhook.ts";
import type { Clock, Log } from "../ports.ts";
import type { AuditSink } from "./log_file.ts";

export interface AuditWebhookConfig {
  readonly endpoint: WebhookEndpoint;
  /** Events that may wait. Default 10,000. */
  readonly bufferSize: number;
  /** Events of one batch, at most. Default 400. */
  readonly batchMaxSize: number;
  /** How long a batch that is not full waits. Default 30 s. */
  readonly batchMaxWaitMillis: number;
  /** Batches a second, and so many at once; null = as fast as they come. Default 10 and 15. */
  readonly throttle: { readonly qps: number; readonly burst: number } | null;
  /** Before the second try. Default 10 s. */
  readonly initialBackoffMillis: number;
}

const TIMEOUT_MILLIS = 30_000;
const ATTEMPTS = 5;
const FACTOR = 1.5;

export class AuditWebhook implements AuditSink {
  readonly plugin = "webhook";
  readonly #config: AuditWebhookConfig;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #webhook: RemoteWebhook;
  readonly #retries: Retries;
  #lines: string[] = [];
  #stopTimer: (() => void) | null = null;
  #running: Promise<void> | null = null;
  #isClosing = false;
  #tokens: number;
  #filledMillis: number;
  written = 0;
  dropped = 0;

  constructor(config: AuditWebhookConfig, ports: { readonly clock: Clock; readonly log: Log }) {
    this.#config = config;
    this.#clock = ports.clock;
    this.#log = ports.log;
    this.#webhook = new RemoteWebhook(config.endpoint, ports.clock);
    const { initialBackoffMillis: firstDelayMillis } = config;
    this.#retries = { attempts: ATTEMPTS, firstDelayMillis, factor: FACTOR };
    this.#tokens = config.throttle?.burst ?? 0;
    this.#filledMillis = ports.clock.nowMillis();
  }

  write(line: string): void {
    const { bufferSize, batchMaxSize, batchMaxWaitMillis } = this.#config;
    if (this.#isClosing || this.#lines.length >= bufferSize) {
      this.dropped++;
      return;
    }
    this.#lines.push(line);
    if (this.#lines.length >= batchMaxSize) this.#drain();
    else this.#stopTimer ??= this.#clock.after(batchMaxWaitMillis, () => this.#drain());
  }

  /** Sends what waits, once: a webhook that is gone does not hold the server. */
  async close(): Promise<void> {
    this.#isClosing = true;
    this.#drain();
    await this.#running;
    this.#webhook.close();
  }

  #drain(): void {
    this.#stopTimer?.();
    this.#stopTimer = null;
    this.#running ??= this.#sendAll().finally(() => {
      this.#running = null;
      const { batchMaxWaitMillis } = this.#config;
      if (this.#lines.length === 0 || this.#isClosing) return;
      this.#stopTimer ??= this.#clock.after(batchMaxWaitMillis, () => this.#drain());
    });
  }

  /** The first batch whatever its size, then those that are full. */
  async #sendAll(): Promise<void> {
    const { batchMaxSize } = this.#config;
    for (let isFirst = true; this.#lines.length > 0; isFirst = false) {
      const isEnough = isFirst || this.#isClosing || this.#lines.length >= batchMaxSize;
      if (!isEnough) return;
      await this.#takeTurn();
      await this.#send(this.#lines.splice(0, batchMaxSize));
    }
  }

  async #send(lines: readonly string[]): Promise<void> {
    const body = '{"kind":"EventList","apiVersion":"audit.k8s.io/v1","metadata":{},"items":[' +
      `${lines.join(",")}]}`;
    const retries = this.#isClosing ? { ...this.#retries, attempts: 1 } : this.#retries;
    const answer = await this.#webhook.ask(body, TIMEOUT_MILLIS, retries);
    if (answer.kind === "answered") {
      this.written += lines.length;
      return;
    }
    this.dropped += lines.length;
    const { message: error } = answer;
    this.#log("error", "the audit webhook failed", { events: lines.length, error });
  }

  /** Waits until the limits allow another batch. */
  async #takeTurn(): Promise<void> {
    const { throttle } = this.#config;
    if (throttle === null || this.#isClosing) return;
    const nowMillis = this.#clock.nowMillis();
    const grown = (nowMillis - this.#filledMillis) * throttle.qps / 1000;
    this.#tokens = Math.min(throttle.burst, this.#tokens + grown);
    this.#filledMillis = nowMillis;
    this.#tokens--;
    if (this.#tokens >= 0) return;
    const waitMillis = Math.ceil(-this.#tokens * 1000 / throttle.qps);
    await new Promise<void>((resolve) => void this.#clock.after(waitMillis, resolve));
  }
}

/** One sink over several; numbers are told of each apart. */
export function joinSinks(sinks: readonly AuditSink[]): AuditSink {
  return {
    plugin: "union",
    write(line) {
      for (const sink of sinks) sink.write(line);
    },
    close: async () => void await Promise.all(sinks.map((sink) => sink.close())),
    get written() {
      return Math.max(0, ...sinks.map(({ written }) => written));
    },
    get dropped() {
      return sinks.reduce((sum, { dropped }) => sum + dropped, 0);
    },
    parts: sinks,
  };
}
