/**
 * Calls to whichever endpoint of a cluster answers.
 * In: endpoint URLs, credentials, messages. Out: answers or failures of the store.
 * A call moves to the next endpoint when its own is gone; a write that may have been processed is
 * never sent twice.
 * Never: knows what messages mean.
 */
import { ProtoWriter } from "../mvcc/proto.ts";
import type { StoreFailure } from "../mvcc/types.ts";
import type { Log, Timer } from "../ports.ts";
import { decodeToken } from "../wire/etcd/decode.ts";
import { failureOf } from "../wire/etcd/errors.ts";
import {
  type CallEvents,
  type ClientCall,
  type ClientTls,
  GrpcChannel,
} from "../wire/grpc/client.ts";
import { GrpcCode, type GrpcStatus } from "../wire/grpc/status.ts";

export interface RemoteStoreConfig {
  /** `http://host:port`, `https://host:port` or `unix://path`; at least one. */
  readonly endpoints: readonly string[];
  /** For `https` endpoints. */
  readonly tls?: ClientTls;
  /** An auth user; without one, TLS or nothing tells who calls. */
  readonly user?: { readonly name: string; readonly password: string };
  /** How long one call may take, retries included. Default 5,000. */
  readonly requestTimeoutMillis?: number;
  /** How long one connection attempt may take. Default 2,000. */
  readonly connectTimeoutMillis?: number;
}

export interface ClientPorts {
  readonly timer: Timer;
  readonly log: Log;
}

export type Answer = { readonly kind: "message"; readonly message: Uint8Array } | StoreFailure;

const RETRY_MILLIS = 50;
const RETRY_MAX_MILLIS = 1000;

interface Endpoint {
  readonly address: string;
  readonly secure: boolean;
}

/** Errors: throws an `Error` naming a URL that is none. */
export function parseEndpoint(url: string): Endpoint {
  const unix = /^unix:(?:\/\/)?(.+)$/.exec(url);
  if (unix !== null) return { address: `unix:${unix[1]}`, secure: false };
  const match = /^(?:(https?):\/\/)?(\[[^\]]+\]|[^:/\s]+):(\d{1,5})\/?$/.exec(url);
  if (match === null) throw new Error(`endpoint must be http://host:port or the like: ${url}`);
  return { address: `${match[2]}:${match[3]}`, secure: match[1] === "https" };
}

export class Endpoints {
  readonly #config: RemoteStoreConfig;
  readonly #ports: ClientPorts;
  readonly #endpoints: readonly Endpoint[];
  #current = 0;
  #channel: Promise<GrpcChannel> | null = null;
  #token: string | null = null;
  #closed = false;

  constructor(config: RemoteStoreConfig, ports: ClientPorts) {
    if (config.endpoints.length === 0) throw new Error("a remote store needs an endpoint");
    this.#config = config;
    this.#ports = ports;
    this.#endpoints = config.endpoints.map(parseEndpoint);
  }

  get closed(): boolean {
    return this.#closed;
  }

  /**
   * One call, moved between endpoints until the request timeout.
   *
   * @param options.idempotent the call may run twice: reads, and writes that end the same
   */
  async call(
    path: string,
    message: Uint8Array,
    options: { readonly idempotent: boolean },
  ): Promise<Answer> {
    const deadline = this.#ports.timer.now() + (this.#config.requestTimeoutMillis ?? 5000);
    let delay = RETRY_MILLIS;
    let renewed = false;
    for (;;) {
      const left = deadline - this.#ports.timer.now();
      if (this.#closed) return { kind: "stopped" };
      if (left <= 0) return { kind: "timeout" };
      const channel = await this.#connected();
      if (channel !== null) {
        const result = await channel.unary(path, message, {
          timeoutMillis: Math.ceil(left / 100) * 100,
          metadata: await this.#metadata(channel),
        });
        if (result.kind === "message") return result;
        const failure = failureOf(result.status);
        const stale = failure?.kind === "auth" &&
          (failure.reason === "invalidAuthToken" || failure.reason === "authOldRevision");
        if (stale && this.#config.user !== undefined && !renewed) {
          renewed = true;
          this.#token = null;
          continue;
        }
        if (!isOutage(result.status)) return failure ?? unexpected(result.status);
        this.#moveOn(channel);
        if (result.processed && !options.idempotent) return failure ?? { kind: "timeout" };
      }
      await this.#sleep(Math.min(delay, Math.max(1, deadline - this.#ports.timer.now())));
      delay = Math.min(delay * 2, RETRY_MAX_MILLIS);
    }
  }

  /** Opens a streaming call on the current endpoint; null when none can be reached now. */
  async stream(path: string, events: CallEvents): Promise<ClientCall | null> {
    const channel = await this.#connected();
    if (channel === null) return null;
    const metadata = await this.#metadata(channel);
    await channel.slot();
    return channel.stream(path, {
      onMessage: events.onMessage,
      onEnd: (end) => {
        if (isOutage(end.status)) this.#moveOn(channel);
        if (failureOf(end.status)?.kind === "auth") this.#token = null;
        events.onEnd(end);
      },
    }, { metadata });
  }

  close(): void {
    this.#closed = true;
    this.#channel?.then((channel) => channel.close(), () => {});
    this.#channel = null;
  }

  /** The open channel, or one dialled now; null when the endpoint does not answer. */
  async #connected(): Promise<GrpcChannel | null> {
    const known = await this.#channel?.catch(() => null) ?? null;
    if (known !== null && known.usable) return known;
    if (this.#closed) return null;
    // A call that waited together with this one may have dialled already.
    if (known === null || this.#channel === null || (await this.#channel) === known) {
      this.#channel = this.#dial();
      this.#channel.catch(() => {});
    }
    try {
      return await this.#channel;
    } catch (error) {
      this.#ports.log("warn", "store endpoint unreachable", {
        endpoint: this.#endpoints[this.#current].address,
        error: error instanceof Error ? error.message : String(error),
      });
      this.#channel = null;
      this.#rotate();
      return null;
    }
  }

  #dial(): Promise<GrpcChannel> {
    const { address, secure } = this.#endpoints[this.#current];
    const { timer } = this.#ports;
    return GrpcChannel.connect({
      address,
      ...(secure ? { tls: this.#config.tls ?? {} } : {}),
      now: () => timer.now(),
      after: (delay, callback) => timer.after(delay, callback),
      connectTimeoutMillis: this.#config.connectTimeoutMillis ?? 2000,
    });
  }

  /** Leaves an endpoint that failed; later calls go to the next. */
  #moveOn(failed: GrpcChannel): void {
    this.#channel?.then((channel) => {
      if (channel !== failed || this.#closed) return;
      this.#channel = null;
      this.#rotate();
      // Its other calls may still be answered; without any it closes by itself at the next ping.
      if (!failed.usable) failed.close();
    }, () => {});
  }

  #rotate(): void {
    this.#current = (this.#current + 1) % this.#endpoints.length;
  }

  async #metadata(channel: GrpcChannel): Promise<readonly string[] | undefined> {
    const { user } = this.#config;
    if (user === undefined) return undefined;
    if (this.#token === null) {
      const writer = new ProtoWriter();
      writer.stringField(1, user.name);
      writer.stringField(2, user.password);
      const result = await channel.unary("/etcdserverpb.Auth/Authenticate", writer.finish(), {
        timeoutMillis: this.#config.requestTimeoutMillis ?? 5000,
      });
      // Without auth on the server there is no token to get, and none is needed.
      this.#token = result.kind === "message" ? decodeToken(result.message) : null;
    }
    return this.#token === null ? undefined : ["token", this.#token];
  }

  #sleep(millis: number): Promise<void> {
    return new Promise((resolve) => void this.#ports.timer.after(millis, resolve));
  }
}

/** The endpoint, rather than the request, is at fault. */
function isOutage(status: GrpcStatus): boolean {
  return status.code === GrpcCode.unavailable;
}

function unexpected(status: GrpcStatus): StoreFailure {
  return { kind: "invalidRequest", detail: `server answered ${status.code}: ${status.message}` };
}
