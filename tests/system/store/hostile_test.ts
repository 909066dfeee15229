/**
 * Hostile and broken clients on every port: each is sent away with the documented status, memory
 * stays bounded, and a client beside them is served all the while.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { denoPorts } from "../../../store/mod.ts";
import { GrpcChannel } from "../../../store/wire/grpc/client.ts";
import { encodeStateless } from "../../../store/wire/http2/hpack.ts";
import { CLIENT_PREFACE, ErrorCode, Flag, FrameType } from "../../../store/wire/http2/frames.ts";
import { encodeFields } from "../../conformance/store/refusals.ts";
import { systemTest } from "../tools.ts";
import { connect, type MemberProcess, pause, startAlone, withFolder } from "./member_process.ts";

const IDLE_CONNECTIONS = 10_000;
const MOST_GROWTH_BYTES = 256 * 1024 * 1024;
/** What a busy machine may take for one put beside an attack. */
const MOST_PUT_MILLIS = 3_000;
const ANSWER_MILLIS = 3_000;

const REQUEST = [
  ...[":method", "POST", ":scheme", "http", ":path", "/etcdserverpb.KV/Range"],
  ...["content-type", "application/grpc", "te", "trailers"],
];

systemTest(
  "hostile clients are sent away while others are served",
  [],
  (test) =>
    withFolder(async (folder) => {
      const member = await startAlone("balsa", join(folder, "data"));
      const bystander = new Bystander(member);
      try {
        await bystander.ready;
        const before = member.residentBytes;
        for (const [name, attack] of Object.entries(ATTACKS)) {
          await test.step(name, async () => {
            await attack(member);
            const growth = member.residentBytes - before;
            assert(growth < MOST_GROWTH_BYTES, `${name}: ${growth >> 20} MiB more`);
            bystander.check(name);
          });
        }
        await bystander.stop();
        assert.doesNotMatch(member.log, /uncaught|assert|panic/i);
        const lines = member.log.split("\n").length;
        assert(lines < 2_000, `${lines} lines of log`);
      } finally {
        await bystander.stop();
        assert.equal(await member.stop(), 0, member.log.slice(-2_000));
      }
    }),
);

const ATTACKS: Readonly<Record<string, (member: MemberProcess) => Promise<void>>> = {
  async "garbage on the client's and the peers' port"({ options }) {
    const pieces = [
      new Uint8Array(100_000).fill(0xff),
      new Uint8Array(100_000),
      Uint8Array.from({ length: 100_000 }, (_, i) => (i * 7919) >> 3),
      new TextEncoder().encode("GET / HTTP/9.9\r\nHost\r\n\r\n"),
      concat(CLIENT_PREFACE, new Uint8Array(64).fill(0xaa)),
    ];
    for (const port of [options.clientPort, options.peerPort]) {
      for (const piece of pieces) {
        const { isOver } = await exchange(port, [piece]);
        assert(
          isOver,
          `${port === options.peerPort ? "peer" : "client"} port: ${piece.slice(0, 8)}`,
        );
      }
    }
  },

  async "half a preface, half a frame, then silence"({ options }) {
    const halves = [CLIENT_PREFACE.subarray(0, 9), concat(CLIENT_PREFACE, Uint8Array.of(0, 0))];
    const open: Deno.TcpConn[] = [];
    for (let i = 0; i < 300; i++) {
      const port = i % 2 === 0 ? options.clientPort : options.peerPort;
      const conn = await Deno.connect({ hostname: "127.0.0.1", port });
      await conn.write(halves[i % 2]);
      open.push(conn);
    }
    await pause(300);
    for (const conn of open) conn.close();
  },

  async "ten thousand idle connections"({ options }) {
    const open: Deno.TcpConn[] = [];
    try {
      for (let from = 0; from < IDLE_CONNECTIONS; from += 100) {
        const batch = Array.from(
          { length: 100 },
          () => Deno.connect({ hostname: "127.0.0.1", port: options.clientPort }),
        );
        open.push(...await Promise.all(batch));
      }
      assert.equal(open.length, IDLE_CONNECTIONS);
      const health = await fetch(`http://127.0.0.1:${options.clientPort}/health`);
      assert.match(await health.text(), /true/);
    } finally {
      for (const conn of open) conn.close();
    }
  },

  async "headers of a megabyte"({ options }) {
    const block = encodeStateless([...REQUEST, "x-large", "h".repeat(1_000_000)]);
    const frames = [frame(FrameType.headers, 0, 1, block.subarray(0, 16_000))];
    for (let at = 16_000; at < block.length; at += 16_000) {
      const isLast = at + 16_000 >= block.length;
      const flags = isLast ? Flag.endHeaders : 0;
      frames.push(frame(FrameType.continuation, flags, 1, block.subarray(at, at + 16_000)));
    }
    await expectGoAway(options.clientPort, frames, "headers");
  },

  async "an HPACK bomb"({ options }) {
    // One entry of 4,000 bytes in the table, then 15,000 references to it: 60 MB unpacked.
    const value = new Uint8Array(4_000).fill(0x61);
    const insert = [0x40, 1, 0x78, 0x7f, ...[(4_000 - 127) & 127 | 128, (4_000 - 127) >> 7]];
    const request = encodeStateless(REQUEST);
    const bomb = concat(request, Uint8Array.from(insert), value, new Uint8Array(12_000).fill(0xbe));
    const bombs = [1, 3, 5, 7, 9].map((id) =>
      concat(
        frame(FrameType.headers, 0, id, bomb.subarray(0, 16_000)),
        frame(FrameType.continuation, Flag.endHeaders, id, bomb.subarray(16_000)),
      )
    );
    const { frames } = await exchange(options.clientPort, [opening(), ...bombs]);
    assert(frames.some(isRefusal), "the bomb was not refused");
  },

  async "rapid reset"({ options }) {
    const pairs: Uint8Array[] = [];
    const block = encodeStateless(REQUEST);
    for (let id = 1; id < 40_000; id += 2) {
      pairs.push(frame(FrameType.headers, Flag.endHeaders, id, block));
      pairs.push(frame(FrameType.rstStream, 0, id, Uint8Array.of(0, 0, 0, 8)));
    }
    await expectGoAway(options.clientPort, pairs, "resets");
  },

  async "floods of pings, settings and empty continuations"({ options }) {
    const ping = frame(FrameType.ping, 0, 0, new Uint8Array(8));
    const settings = frame(FrameType.settings, 0, 0, new Uint8Array(0));
    for (const one of [ping, settings]) {
      await expectGoAway(options.clientPort, Array(20_000).fill(one), "floods");
    }
    const empty = frame(FrameType.continuation, 0, 1, new Uint8Array(0));
    const start = frame(FrameType.headers, 0, 1, new Uint8Array(0));
    await expectGoAway(options.clientPort, [start, ...Array(20_000).fill(empty)], "continuations");
  },

  async "messages over the limit, and messages that are none"(member) {
    const { timer } = denoPorts();
    const channel = await GrpcChannel.connect({
      address: `127.0.0.1:${member.options.clientPort}`,
      now: () => timer.now(),
      after: (delay, callback) => timer.after(delay, callback),
      connectTimeoutMillis: 5_000,
    });
    const put = async (message: Uint8Array) => {
      const answer = await channel.unary("/etcdserverpb.KV/Put", message, { timeoutMillis: 9_000 });
      return answer.kind === "status" ? answer.status : null;
    };
    const sized = (bytes: number) => encodeFields([[1, "big"], [2, new Uint8Array(bytes)]]);
    const invalid = { code: 3, message: "etcdserver: request is too large" };
    assert.deepEqual(await put(sized(1_600_000)), invalid);
    const exhausted = await put(sized(4_000_000));
    assert.equal(exhausted?.code, 8);
    assert.match(exhausted.message, /received message larger than max/);
    assert.notEqual(await put(Uint8Array.of(0xff, 0xff, 0xff)), null);
    channel.close();
  },
};

/** A well-behaved client that must never notice. */
class Bystander {
  readonly ready: Promise<void>;
  readonly #loop: Promise<void>;
  #isOver = false;
  #slowest = 0;
  #count = 0;
  #failure: string | null = null;

  constructor(member: MemberProcess) {
    const ready = Promise.withResolvers<void>();
    this.ready = ready.promise;
    this.#loop = this.#run(member, ready.resolve);
  }

  async #run(member: MemberProcess, onReady: () => void): Promise<void> {
    const store = await connect(member.url);
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

  check(name: string): void {
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

interface Frame {
  readonly type: number;
  readonly payload: Uint8Array;
}

function opening(): Uint8Array {
  return concat(CLIENT_PREFACE, frame(FrameType.settings, 0, 0, new Uint8Array(0)));
}

function frame(type: number, flags: number, id: number, payload: Uint8Array): Uint8Array {
  const { length } = payload;
  const head = [length >> 16, length >> 8, length, type, flags, 0, id >> 16, id >> 8, id];
  return concat(Uint8Array.from(head), payload);
}

function concat(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** A stream or the whole connection was refused, or answered with a status of its own. */
function isRefusal({ type }: Frame): boolean {
  return type === FrameType.goAway || type === FrameType.rstStream || type === FrameType.headers;
}

async function expectGoAway(port: number, parts: readonly Uint8Array[], what: string) {
  const { frames } = await exchange(port, [opening(), ...parts]);
  const goAway = frames.find(({ type }) => type === FrameType.goAway);
  const code = goAway === undefined ? -1 : new DataView(goAway.payload.buffer).getUint32(4);
  assert.equal(code, ErrorCode.enhanceYourCalm, `${what}: ${frames.map(({ type }) => type)}`);
}

/** Writes everything and reads until the other side closes, or for a while. */
async function exchange(
  port: number,
  parts: readonly Uint8Array[],
): Promise<{ readonly frames: Frame[]; readonly isOver: boolean }> {
  const conn = await Deno.connect({ hostname: "127.0.0.1", port });
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
