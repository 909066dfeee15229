/**
 * Requests and watch streams as streams of few HTTP/2 connections over TLS.
 * In: method, path, body. Out: decoded JSON, or a stream of batches of watch events.
 * A connection that goes away is dialled again by the next request; one that is full, or sends
 * GOAWAY, gets a companion. Only a request that the server has certainly not seen is sent again.
 * Never: knows a resource, follows a redirect, or reads on for a reader that has fallen behind.
 */
import { ErrorCode } from "../../../store/wire/http2/frames.ts";
import type { Http2Stream } from "../../../store/wire/http2/stream.ts";
import { Http2Client } from "../../../store/wire/http2_client.ts";
import type { WatchStream } from "../../api/call.ts";
import type { KubeObject } from "../../api/meta.ts";
import { ApiError } from "../../api/status.ts";
import { systemClock } from "../clock.ts";
import { WatchPipe } from "../watch_pipe.ts";
import {
  BodyText,
  encodeBody,
  EventLines,
  parseAnswer,
  parseFailure,
  unreachable,
} from "./answer.ts";
import { Deadlines } from "./deadlines.ts";
import { RequestHeads } from "./request_heads.ts";
import {
  bearerOf,
  DEFAULT_TIMEOUT_MILLIS,
  type Transport,
  type TransportOptions,
  type TransportRequest,
  type TransportTime,
} from "./transport.ts";

/** Most connections at a time; servers take a thousand streams on each, as a rule. */
const MAX_CONNECTIONS = 16;
const CONNECT_TIMEOUT_MILLIS = 10_000;
/** How often a request is offered anew after the server refused it unseen. */
const OFFERS = 3;
/** Bytes of a watch that may come before its reader has taken the ones before. */
const STREAM_WINDOW_BYTES = 1024 * 1024;

const SYSTEM_TIME: TransportTime = {
  now: () => performance.now(),
  after: systemClock.after,
};

/** Refused: the server has certainly not looked at it. */
type Outcome = { readonly kind: "answer"; readonly value: unknown } | { readonly kind: "refused" };

export class Http2Transport implements Transport {
  readonly #options: TransportOptions;
  readonly #time: TransportTime;
  readonly #address: string;
  readonly #heads: RequestHeads;
  readonly #deadlines: Deadlines;
  readonly #connections = new Set<Http2Client>();
  #dialling: Promise<void> | null = null;
  #isClosed = false;

  /** @param options.server an https URL */
  constructor(options: TransportOptions, time = SYSTEM_TIME) {
    this.#options = options;
    this.#time = time;
    const base = new URL(options.server);
    this.#address = `${base.hostname}:${base.port || 443}`;
    this.#heads = new RequestHeads(base, options.userAgent);
    this.#deadlines = new Deadlines(time, options.timeoutMillis ?? DEFAULT_TIMEOUT_MILLIS);
  }

  /**
   * Dials where there is no connection yet.
   * Errors: rejects with NotHttp2Error, or with whatever kept the connection from coming about.
   */
  async connect(): Promise<void> {
    if (this.#free() === null) await this.#dial();
  }

  async send<T>(request: TransportRequest): Promise<T> {
    const body = encodeBody(request);
    for (let offer = 1;; offer++) {
      const client = this.#free() ?? await this.#waitFree();
      const outcome = await this.#exchange(client, request, body);
      if (outcome.kind === "answer") return outcome.value as T;
      if (offer === OFFERS) throw unreachable("the server takes no requests");
    }
  }

  async watch<T extends KubeObject>(path: string): Promise<WatchStream<T>> {
    for (let offer = 1;; offer++) {
      const client = this.#free() ?? await this.#waitFree();
      const stream = await this.#openWatch<T>(client, path);
      if (stream !== null) return stream;
      if (offer === OFFERS) throw unreachable("the server takes no requests");
    }
  }

  close(): void {
    this.#isClosed = true;
    for (const client of this.#connections) client.close();
    this.#connections.clear();
  }

  #free(): Http2Client | null {
    for (const client of this.#connections) if (client.canOpen) return client;
    return null;
  }

  /** Errors: rejects with ApiError. */
  async #waitFree(): Promise<Http2Client> {
    for (;;) {
      const free = this.#free();
      if (free !== null) return free;
      if (this.#isClosed) throw unreachable("the client was closed");
      const usable = [...this.#connections].filter((client) => client.usable);
      if (usable.length >= MAX_CONNECTIONS) await usable[0].slot();
      else {
        await this.#dial().catch((error) => {
          throw unreachable(error);
        });
      }
    }
  }

  #dial(): Promise<void> {
    this.#dialling ??= this.#connectOne().finally(() => this.#dialling = null);
    return this.#dialling;
  }

  async #connectOne(): Promise<void> {
    const { ca, certificate, privateKey, serverName } = this.#options;
    const client = await Http2Client.connect({
      address: this.#address,
      tls: { ca, cert: certificate, key: privateKey, serverName },
      ...this.#time,
      streamWindow: STREAM_WINDOW_BYTES,
      connectTimeoutMillis: CONNECT_TIMEOUT_MILLIS,
      onClosed: () => void this.#connections.delete(client),
    });
    if (this.#isClosed) client.close();
    else if (client.usable) this.#connections.add(client);
  }

  #open(
    client: Http2Client,
    request: TransportRequest,
    body?: Uint8Array<ArrayBuffer>,
  ): Http2Stream {
    const head = this.#heads.encode(request, bearerOf(this.#options));
    const stream = client.request(head, body === undefined);
    if (body !== undefined) stream.end(body);
    return stream;
  }

  /** Errors: rejects with ApiError. */
  #exchange(
    client: Http2Client,
    request: TransportRequest,
    body: Uint8Array<ArrayBuffer> | undefined,
  ): Promise<Outcome> {
    return new Promise((resolve, reject) => {
      const stream = this.#open(client, request, body);
      const text = new BodyText();
      const stopTimer = this.#deadlines.add(() => {
        stream.reset();
        finish(this.#late());
      });
      const finish = (outcome: Outcome | ApiError) => {
        stopTimer();
        client.ended();
        if (outcome instanceof ApiError) reject(outcome);
        else resolve(outcome);
      };
      stream.onData = (bytes) => text.push(bytes);
      stream.onEnd = () => {
        const value = parseAnswer(stream.headers.status, text.finish());
        finish(value instanceof ApiError ? value : { kind: "answer", value });
      };
      stream.onReset = (code) =>
        finish(code === ErrorCode.refusedStream ? { kind: "refused" } : lost(code));
    });
  }

  /** @returns null when the server has not looked at it. Errors: rejects with ApiError. */
  #openWatch<T extends KubeObject>(
    client: Http2Client,
    path: string,
  ): Promise<WatchStream<T> | null> {
    return new Promise((resolve, reject) => {
      const stream = this.#open(client, { method: "GET", path });
      const stopTimer = this.#deadlines.add(() => {
        stream.reset();
        finish();
        reject(this.#late());
      });
      const finish = () => {
        stopTimer();
        client.ended();
      };
      const failure = new BodyText();
      stream.manualCredit = true;
      stream.onData = (bytes) => failure.push(bytes);
      stream.onEnd = () => {
        finish();
        reject(parseFailure(stream.headers.status, failure.finish()));
      };
      stream.onReset = (code) => {
        finish();
        if (code === ErrorCode.refusedStream) resolve(null);
        else reject(lost(code));
      };
      stream.onHeaders = ({ status }) => {
        if (status !== 200) return;
        stopTimer();
        resolve(readEvents<T>(stream, () => client.ended()));
      };
    });
  }

  #late(): ApiError {
    const { timeoutMillis = DEFAULT_TIMEOUT_MILLIS } = this.#options;
    return unreachable(`no answer within ${timeoutMillis} ms`);
  }
}

function lost(code: ErrorCode): ApiError {
  return unreachable(`stream ended with code ${code}`);
}

/** The events of an accepted watch. @param onEnd called once, when the stream is over */
function readEvents<T extends KubeObject>(
  stream: Http2Stream,
  onEnd: () => void,
): WatchStream<T> {
  const lines = new EventLines<T>();
  let isFull = false;
  let owed = 0;
  const pipe = new WatchPipe<T>({
    onClose: () => {
      stream.reset();
      onEnd();
    },
    onFull: () => isFull = true,
    onDrained: () => {
      isFull = false;
      stream.credit(owed);
      owed = 0;
    },
  });
  stream.onData = (bytes) => {
    try {
      pipe.push(lines.push(bytes));
    } catch (error) {
      pipe.fail(error as ApiError);
      stream.reset();
      return onEnd();
    }
    if (isFull) owed += bytes.length;
    else stream.credit(bytes.length);
  };
  stream.onEnd = () => {
    pipe.end();
    onEnd();
  };
  stream.onReset = (code) => {
    pipe.fail(lost(code));
    onEnd();
  };
  return pipe;
}
