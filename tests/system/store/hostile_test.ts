/**
 * Hostile and broken clients on every port: each is sent away with the documented status, memory
 * stays bounded, and a client beside them is served all the while.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { denoPorts } from "../../../store/mod.ts";
import { GrpcChannel } from "../../../store/wire/grpc/client.ts";
import { CLIENT_PREFACE, FrameType } from "../../../store/wire/http2/frames.ts";
import { encodeFields } from "../../conformance/store/refusals.ts";
import { systemTest } from "../tools.ts";
import {
  Bystander,
  concat,
  exchange,
  expectGoAway,
  frame,
  hpackBombs,
  hugeHeaders,
  isRefusal,
  opening,
  rapidResets,
  refusals,
} from "./hostile.ts";
import { connect, type MemberProcess, pause, startAlone, withFolder } from "./member_process.ts";

const IDLE_CONNECTIONS = 10_000;
const MOST_GROWTH_BYTES = 256 * 1024 * 1024;
systemTest(
  "hostile clients are sent away while others are served",
  [],
  (test) =>
    withFolder(async (folder) => {
      const member = await startAlone("balsa", join(folder, "data"));
      const bystander = new Bystander(() => connect(member.url));
      try {
        await bystander.ready;
        const before = member.residentBytes;
        const started = performance.now();
        for (const [name, attack] of Object.entries(ATTACKS)) {
          await test.step(name, async () => {
            await attack(member);
            const growth = member.residentBytes - before;
            assert(growth < MOST_GROWTH_BYTES, `${name}: ${growth >> 20} MiB more`);
            await bystander.check(name);
          });
        }
        await bystander.stop();
        assert.doesNotMatch(member.log, /uncaught|assert|panic/i);
        // Once a minute each, and this took less, or it took long for another reason.
        const refused = refusals(member.log);
        assert(refused.length > 5 && refused.length < 30, refused.join("\n"));
        if (performance.now() - started < 60_000) {
          assert.equal(new Set(refused).size, refused.length);
        }
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
    await expectGoAway(options.clientPort, hugeHeaders(), { what: "headers" });
  },

  async "an HPACK bomb"({ options }) {
    const { frames } = await exchange(options.clientPort, [opening(), ...hpackBombs()]);
    assert(frames.some(isRefusal), "the bomb was not refused");
  },

  async "rapid reset"({ options }) {
    await expectGoAway(options.clientPort, rapidResets(), { what: "resets" });
  },

  async "floods of pings, settings and empty continuations"({ options }) {
    const ping = frame(FrameType.ping, 0, 0, new Uint8Array(8));
    const settings = frame(FrameType.settings, 0, 0, new Uint8Array(0));
    for (const one of [ping, settings]) {
      await expectGoAway(options.clientPort, Array(20_000).fill(one), { what: "floods" });
    }
    const empty = frame(FrameType.continuation, 0, 1, new Uint8Array(0));
    const start = frame(FrameType.headers, 0, 1, new Uint8Array(0));
    const flood = [start, ...Array(20_000).fill(empty)];
    await expectGoAway(options.clientPort, flood, { what: "continuations" });
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
