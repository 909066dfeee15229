/**
 * The effects that the API server needs from outside, as interfaces.
 * In: nothing. Out: types only; `agents/main` passes real ones, tests pass fakes.
 * Never: an implementation. The store is the other port (`store/mod.ts`).
 */
import type { KubeObject } from "../api/meta.ts";
import type { ByteDuplex, ExecOutcome, ExecStreams } from "../spdy/streams.ts";

export type { ByteDuplex, ExecOutcome, ExecStreams };

export interface Clock {
  /** Wall clock, milliseconds since 1970. */
  nowMillis(): number;
  /** @returns a function that stops the timer. */
  after(delayMillis: number, callback: () => void): () => void;
  /** @returns a function that stops the timer. */
  every(intervalMillis: number, callback: () => void): () => void;
}

export interface Random {
  /** A fresh UUID, version 4. */
  uuid(): string;
  /** `length` characters of the alphabet that generated names use (no vowels). */
  suffix(length: number): string;
  /** An integer in [0, below). */
  integer(below: number): number;
}

export type LogLevel = "debug" | "info" | "warn" | "error";

/** Structured log; values must never hold a secret. */
export interface Log {
  (level: LogLevel, message: string, fields?: Record<string, unknown>): void;
}

/** A request that goes on to the kubelet of a node. */
export interface KubeletRequest {
  readonly nodeName: string;
  /** As the caches have it; null where it is gone. */
  readonly node: KubeObject | null;
  readonly pod: KubeObject;
  /** "" = the pod's only or default container. */
  readonly container: string;
  readonly query: URLSearchParams;
}

/** The kubelets, by node name. Rejections become 502-like Statuses. */
export interface KubeletPort {
  logs(request: KubeletRequest, signal: AbortSignal): Promise<ReadableStream<Uint8Array>>;
  exec(request: KubeletRequest, streams: ExecStreams): Promise<ExecOutcome>;
  attach(request: KubeletRequest, streams: ExecStreams): Promise<ExecOutcome>;
  /** Opens a connection to one port of a pod. */
  portForward(request: KubeletRequest, port: number): Promise<ByteDuplex>;
  /** Whether this node's kubelet is one of them; absent = every node's is. */
  knows?(nodeName: string): boolean;
  /**
   * What a node and its pods use: its `/metrics/resource`.
   * @param node null where it is not known
   * @returns null where the node's kubelet is none of these
   */
  resourceMetrics?(nodeName: string, node: KubeObject | null): Promise<string | null>;
}

/** How one part of the control plane is. */
export interface ComponentHealth {
  /** `scheduler` */
  readonly name: string;
  /** What is wrong, null = it is well. */
  readonly problem: string | null;
}

const SUFFIX_ALPHABET = "bcdfghjklmnpqrstvwxz2456789";

/** A Random over a function that fills bytes, such as `crypto.getRandomValues`. */
export function randomFrom(fill: (bytes: Uint8Array) => void): Random {
  const pool = new Uint8Array(4096);
  let used = pool.length;
  const take = (count: number): number => {
    if (used + count > pool.length) {
      fill(pool);
      used = 0;
    }
    used += count;
    return used - count;
  };
  const integer = (below: number): number => {
    const at = take(6);
    let value = 0;
    for (let i = 0; i < 6; i++) value = value * 256 + pool[at + i];
    return value % below;
  };
  return {
    uuid: () => formatUuid(pool, take(16)),
    integer,
    suffix: (length) => {
      let out = "";
      for (let i = 0; i < length; i++) out += SUFFIX_ALPHABET[integer(SUFFIX_ALPHABET.length)];
      return out;
    },
  };
}

const HEX_DIGITS = Array.from("0123456789abcdef", (digit) => digit.charCodeAt(0));
const DASH = 45;
/** Reused: a text made of many small ones is put together when it is read first. */
const codes = new Array<number>(36).fill(DASH);

function formatUuid(pool: Uint8Array, at: number): string {
  let next = 0;
  for (let i = 0; i < 16; i++) {
    if (i === 4 || i === 6 || i === 8 || i === 10) codes[next++] = DASH;
    let byte = pool[at + i];
    if (i === 6) byte = (byte & 0x0f) | 0x40;
    if (i === 8) byte = (byte & 0x3f) | 0x80;
    codes[next++] = HEX_DIGITS[byte >> 4];
    codes[next++] = HEX_DIGITS[byte & 15];
  }
  return String.fromCharCode(...codes);
}
