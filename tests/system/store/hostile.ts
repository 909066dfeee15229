/**
 * What a hostile client sends, over whatever connection it gets, and a client beside it.
 * In: ports. Out: bytes of attacks, what came back, whether the bystander noticed.
 * Never: waits longer than a few seconds for an answer.
 */
import assert from "node:assert/strict";
import type { Store } from "../../../store/mod.ts";
import { encodeStateless } from "../../../store/wire/http2/hpack.ts";
import { CLIENT_PREFACE, ErrorCode, Flag, FrameType } from "../../../store/wire/http2/frames.ts";
import { pause } from "./member_process.ts";

/** What a busy machine may take for one put beside an attack. */
const MOST_PUT_MILLIS = 3_000;
const ANSWER_MILLIS = 3_000;

const REQUEST = [
  ...[":method", "POST", ":scheme", "http", ":path", "/etcdserverpb.KV/Range"],
  ...["content-type", "application/grpc", "te", "trailers"],
];

/** A head of a megabyte in many frames. */
export function hugeHeaders(): Uint8Array[] {
  const block = encodeStateless([...REQUEST, "x-large", "h".repeat(1_000_000)]);
  const frames = [frame(FrameType.headers, 0, 1, block.subarray(0, 16_000))];
  for (let at = 16_000; at < block.length; at += 16_000) {
    const isLast = at + 16_000 >= block.length;
    const flags = isLast ? Flag.endHeaders : 0;
    frames.push(frame(FrameType.continuation, flags, 1, block.subarray(at, at + 16_000)));
  }
  return frames;
}

/** An entry of 4,000 bytes in the table, then 12,000 references to it: 48 MB a stream, unpacked. */
export function hpackBombs(): Uint8Array[] {
  const value = new Uint8Array(4_000).fill(0x61);
  const insert = [0x40, 1, 0x78, 0x7f, ...[(4_000 - 127) & 127 | 128, (4_000 - 127) >> 7]];
  const request = encodeStateless(REQUEST);
  const bomb = concat(request, Uint8Array.from(insert), value, new Uint8Array(12_000).fill(0xbe));
  return [1, 3, 5, 7, 9].map((id) =>
    concat(
      frame(FrameType.headers, 0, id, bomb.subarray(0, 16_000)),
      frame(FrameType.continuation, Flag.endHeaders, id, bomb.subarray(16_000)),
    )
  );
}

/** Streams opened and reset at once. */
export function rapidResets(): Uint8Array[] {
  const pairs: Uint8Array[] = [];
  const block = encodeStateless(REQUEST);
  for (let id = 1; id < 40_000; id += 2) {
    pairs.push(frame(FrameType.headers, Flag.endHeaders, id, block));
    pairs.push(frame(FrameType.rstStream, 0, id, Uint8Array.of(0, 0, 0, 8)));
  }
  return pairs;
}

/** A well-behaved client that must never notice. */
export class Bystander {
  readonly ready: Promise<void>;
  readonly #loop: Promise<void>;
  #isOver = false;
  #slowest = 0;
  #count = 0;
  #failure: string | null = null;

  /** @param open connects to the member under attack */
  constructor(open: () => Promise<Store>) {
    const ready = Promise.withResolvers<void>();
    this.ready = ready.promise;
    this.#loop = this.#run(open, ready.resolve);
  }

  async #run(open: () => Promise<Store>, onReady: () => void): Promise<void> {
    const store = await open();
    onReady();
    const key = new TextEncoder().encode("bystander");
    while (!this.#isOver) {
      const start = performance.now();
      const answer = await store.put({ kind: "put", key, value: key });
      this.#slowest = Math.max(this.#slowest, performance.now() - start);
      if (answer.kind !== "put") this.#failure = answer.kind;
      this.#count++;
      await pause(5);
    }
    await store.close();
  }

  /** Waits for a put since the last check. Errors: fails the test when it suffered. */
  async check(name: string): Promise<void> {
    const end = performance.now() + MOST_PUT_MILLIS;
    while (this.#count === 0 && this.#failure === null && performance.now() < end) await pause(5);
    assert.equal(this.#failure, null, `${name}: a put beside it failed`);
    assert(this.#slowest < MOST_PUT_MILLIS, `${name}: a put took ${Math.round(this.#slowest)} ms`);
    assert(this.#count > 0, `${name}: no put beside it`);
    [this.#slowest, this.#count] = [0, 0];
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    await this.#loop;
  }
}

/** How an attacker reaches a port. */
export type Dial = (port: number) => Promise<Deno.Conn>;

export const dialPlain: Dial = (port) => Deno.connect({ hostname: "127.0.0.1", port });

export interface Frame {
  readonly type: number;
  readonly payload: Uint8Array;
}

export function opening(): Uint8Array {
  return concat(CLIENT_PREFACE, frame(FrameType.settings, 0, 0, new Uint8Array(0)));
}

export function frame(type: number, flags: number, id: number, payload: Uint8Array): Uint8Array {
  const { length } = payload;
  const head = [length >> 16, length >> 8, length, type, flags, 0, id >> 16, id >> 8, id];
  return concat(Uint8Array.from(head), payload);
}

export function concat(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** A stream or the whole connection was refused, or answered with a status of its own. */
export function isRefusal({ type }: Frame): boolean {
  return type === FrameType.goAway || type === FrameType.rstStream || type === FrameType.headers;
}

/** Errors: fails the test unless the connection is ended for asking too much. */
export async function expectGoAway(
  port: number,
  parts: readonly Uint8Array[],
  { what, dial }: { readonly what: string; readonly dial?: Dial },
): Promise<void> {
  const { frames } = await exchange(port, [opening(), ...parts], dial);
  const goAway = frames.find(({ type }) => type === FrameType.goAway);
  const code = goAway === undefined ? -1 : new DataView(goAway.payload.buffer).getUint32(4);
  assert.equal(code, ErrorCode.enhanceYourCalm, `${what}: ${frames.map(({ type }) => type)}`);
}

/** Writes everything and reads until the other side closes, or for a while. */
export async function exchange(
  port: number,
  parts: readonly Uint8Array[],
  dial: Dial = dialPlain,
): Promise<{ readonly frames: Frame[]; readonly isOver: boolean }> {
  const conn = await dial(port);
  const all = concat(...parts);
  const received: Uint8Array[] = [];
  const write = async () => {
    for (let at = 0; at < all.length;) at += await conn.write(all.subarray(at));
  };
  const read = async () => {
    const buffer = new Uint8Array(65_536);
    for (let count = await conn.read(buffer); count !== null; count = await conn.read(buffer)) {
      received.push(buffer.slice(0, count));
    }
  };
  let isOver = true;
  const timer = setTimeout(() => {
    isOver = false;
    conn.close();
  }, ANSWER_MILLIS);
  // A reset ends a connection as well as a close does.
  const closed = read().catch(() => {});
  await write().catch(() => {});
  await closed;
  clearTimeout(timer);
  try {
    conn.close();
  } catch {
    // The timer closed it.
  }
  return { frames: parseFrames(concat(...received)), isOver };
}

function parseFrames(bytes: Uint8Array): Frame[] {
  const frames: Frame[] = [];
  for (let at = 0; at + 9 <= bytes.length;) {
    const length = bytes[at] << 16 | bytes[at + 1] << 8 | bytes[at + 2];
    frames.push({ type: bytes[at + 3], payload: bytes.slice(at + 9, at + 9 + length) });
    at += 9 + length;
  }
  return frames;
}

/** @returns every line of a log about strangers, as port and reason */
export function refusals(log: string): string[] {
  return log.split("\n").filter((line) => line.startsWith("{")).flatMap((line) => {
    const { message, detail, reason } = JSON.parse(line);
    if (message === "a client's connection was refused") return [`client: ${detail}`];
    return message === "a peer was refused" ? [`peer: ${reason}`] : [];
  });
}
