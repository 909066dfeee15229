/**
 * What carries requests and watches to an API server on another machine, whatever the protocol.
 * In: nothing. Out: types, and what every transport reads of its options.
 * Never: a resource; a transport knows methods, paths and bodies.
 */
import type { WatchStream } from "../../api/call.ts";
import type { KubeObject } from "../../api/meta.ts";

export interface TransportOptions {
  /** Such as `https://10.0.0.1:6443`. */
  readonly server: string;
  /** PEM of the authorities to trust; absent = the machine's. */
  readonly ca?: string;
  /** PEM of the client certificate and its key. */
  readonly certificate?: string;
  readonly privateKey?: string;
  /** A bearer token, or how to read the current one. */
  readonly token?: string | (() => string);
  /** The name the server's certificate must carry, where it is not the host of `server`. */
  readonly serverName?: string;
  /** Milliseconds a request, or the head of a watch, may take. Default 60,000. */
  readonly timeoutMillis?: number;
  /** HTTP/1.1 connections kept for requests; each watch has one of its own. Default 32. */
  readonly maxConnections?: number;
  /** Default `balsa`. */
  readonly userAgent?: string;
}

export const DEFAULT_TIMEOUT_MILLIS = 60_000;
export const DEFAULT_USER_AGENT = "balsa";

export interface TransportRequest {
  readonly method: string;
  readonly path: string;
  readonly body?: unknown;
  /** Of the body. Default application/json. */
  readonly mediaType?: string;
}

/** Time as the transport needs it; tests drive it by hand. */
export interface TransportTime {
  /** Monotonic milliseconds. */
  readonly now: () => number;
  readonly after: (delayMillis: number, action: () => void) => () => void;
}

/** Errors: both reject with ApiError, also where no connection comes about. */
export interface Transport {
  send<T>(request: TransportRequest): Promise<T>;
  /** @returns once the server has accepted; later failures end the iteration with an ApiError */
  watch<T extends KubeObject>(path: string): Promise<WatchStream<T>>;
  /** Gives connections up; requests under way fail. */
  close(): void;
}

/** The token to send now, where there is one. */
export function bearerOf({ token }: TransportOptions): string | undefined {
  return typeof token === "function" ? token() : token;
}
