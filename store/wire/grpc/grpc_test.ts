/** gRPC both ways: unary, streams, deadlines, limits, cancellation. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { ConnectionDriver } from "../http2/driver.ts";
import { encodeStateless } from "../http2/hpack.ts";
import { memorySocketPair } from "../../../tests/fakes/memory_socket.ts";
import { type CallEnd, GrpcChannel } from "./client.ts";
import { frameMessage, MessageReader } from "./framing.ts";
import type { UnaryCall } from "./brief_call.ts";
import { GrpcServer, type Method, type ServerCall } from "./server.ts";
import { decodeMessage, encodeMessage, formatTimeout, GrpcCode, parseTimeout } from "./status.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const text = (message: Uint8Array) => new TextDecoder().decode(message);
const turn = () => new Promise((resolve) => setTimeout(resolve, 0));

/** Timers that run when told to. */
class ManualTimers {
  readonly #timers = new Map<object, { readonly delay: number; readonly callback: () => void }>();

  after = (delay: number, callback: () => void) => {
    const timer = { delay, callback };
    this.#timers.set(timer, timer);
    return () => void this.#timers.delete(timer);
  };

  fire(upTo: number): void {
    for (const [key, { delay, callback }] of [...this.#timers]) {
      if (delay > upTo) continue;
      this.#timers.delete(key);
      callback();
    }
  }
}

function connect(methods: [string, Method][], { brief }: { brief: boolean } = { brief: false }) {
  const timers = new ManualTimers();
  const server = new GrpcServer(new Map(methods), { maxMessageBytes: 1000, after: timers.after });
  const [near, far] = memorySocketPair();
  const driver = new ConnectionDriver(far, {
    role: "server",
    now: () => 0,
    onStream: (stream) => server.serve(stream, far.peer),
    ...(brief ? { briefOf: (headers) => server.briefOf(headers, far.peer) } : {}),
  });
  driver.start();
  const channel = GrpcChannel.over(near, {
    address: "memory",
    now: () => 0,
    after: timers.after,
    maxMessageBytes: 1000,
  });
  return { channel, driver, timers };
}

const echo: Method = { kind: "unary", run: (message, call) => call.reply(message) };

Deno.test("unary: an answer, an error, an unknown method and an unknown service", async () => {
  const { channel } = connect([
    ["/a.B/Echo", echo],
    ["/a.B/Fail", {
      kind: "unary",
      run: (_, call) => call.fail({ code: GrpcCode.notFound, message: "100% ünknown" }),
    }],
  ]);
  const ok = await channel.unary("/a.B/Echo", bytes("hello"));
  assert.equal(ok.kind === "message" && text(ok.message), "hello");
  const status = async (path: string) => {
    const result = await channel.unary(path, bytes(""));
    return result.kind === "status" ? result.status : null;
  };
  assert.deepEqual(await status("/a.B/Fail"), { code: 5, message: "100% ünknown" });
  assert.deepEqual(await status("/a.B/No"), {
    code: 12,
    message: "unknown method No for service a.B",
  });
  assert.deepEqual(await status("/c.D/No"), { code: 12, message: "unknown service c.D" });
});

Deno.test("an answer in parts arrives as one message, with and without a stream", async () => {
  const parts = [bytes("one "), bytes(""), bytes("two ".repeat(200)), bytes("three")];
  for (const brief of [false, true]) {
    const { channel } = connect([
      ["/a.B/Parts", { kind: "unary", run: (_, call) => call.replyParts(parts) }],
    ], { brief });
    for (let i = 0; i < 3; i++) {
      const found = await channel.unary("/a.B/Parts", bytes(""));
      assert.equal(found.kind === "message" && text(found.message), parts.map(text).join(""));
    }
  }
});

Deno.test("messages too large either way end the call with RESOURCE_EXHAUSTED", async () => {
  const { channel } = connect([
    ["/a.B/Echo", echo],
    ["/a.B/Big", { kind: "unary", run: (_, call) => call.reply(new Uint8Array(1001)) }],
  ]);
  for (const [path, size] of [["/a.B/Echo", 1001], ["/a.B/Big", 0]] as const) {
    const result = await channel.unary(path, new Uint8Array(size));
    assert.ok(result.kind === "status");
    assert.equal(result.status.code, GrpcCode.resourceExhausted);
    assert.equal(result.status.message, "grpc: received message larger than max (1001 vs. 1000)");
  }
});

Deno.test("a deadline ends the call on both sides", async () => {
  const calls: UnaryCall[] = [];
  const { channel, timers } = connect([["/a.B/Slow", {
    kind: "unary",
    run: (_, call) => void calls.push(call),
  }]]);
  const pending = channel.unary("/a.B/Slow", bytes("x"), { timeoutMillis: 50 });
  await turn();
  timers.fire(50);
  const result = await pending;
  assert.equal(result.kind === "status" && result.status.code, GrpcCode.deadlineExceeded);
  await turn();
  assert.deepEqual(calls.map(({ over }) => over), [true]);
});

Deno.test("streaming: messages both ways, trailers, cancellation", async () => {
  const calls: ServerCall[] = [];
  let cancelled = 0;
  const { channel } = connect([["/a.B/Chat", {
    kind: "stream",
    open: (call) => {
      calls.push(call);
      call.onMessage = (message) => void call.send(bytes(`${text(message)}!`));
      call.onEnd = () => call.end();
      call.onCancel = () => cancelled++;
    },
  }]]);
  const heard: string[] = [];
  let end: CallEnd | null = null;
  const events = {
    onMessage: (message: Uint8Array) => void heard.push(text(message)),
    onEnd: (result: CallEnd) => void (end = result),
  };
  const call = channel.stream("/a.B/Chat", events);
  call.send(bytes("a"));
  call.send(bytes("b"));
  await turn();
  assert.deepEqual(heard, ["a!", "b!"]);
  call.end();
  await turn();
  assert.equal((end as CallEnd | null)?.status.code, GrpcCode.ok);

  const other = channel.stream("/a.B/Chat", events);
  other.send(bytes("c"));
  await turn();
  other.cancel();
  await turn();
  assert.equal(cancelled, 1);
  assert.equal(calls[1].over, true);
  assert.equal(calls[1].send(bytes("late")), false);
});

Deno.test("a lost connection ends open calls as unavailable", async () => {
  const { channel, driver } = connect([["/a.B/Hang", { kind: "unary", run: () => {} }]]);
  const pending = channel.unary("/a.B/Hang", bytes("x"));
  await turn();
  driver.destroy();
  const result = await pending;
  assert.equal(result.kind === "status" && result.status.code, GrpcCode.unavailable);
  assert.equal(channel.usable, false);
});

Deno.test("a slow client makes send answer false, and onDrain follows", async () => {
  let sent = 0;
  let drained = 0;
  const { channel } = connect([["/a.B/Flood", {
    kind: "stream",
    open: (call) => {
      const pour = () => {
        while (call.send(new Uint8Array(1000)) && sent < 20000) sent++;
      };
      call.onMessage = pour;
      call.onDrain = () => {
        drained++;
        pour();
        if (sent >= 20000) call.end();
      };
    },
  }]]);
  let received = 0;
  await new Promise<void>((resolve) => {
    const call = channel.stream("/a.B/Flood", {
      onMessage: () => received++,
      onEnd: () => resolve(),
    });
    call.send(bytes("go"));
  });
  assert.ok(drained > 0);
  assert.ok(received >= 20000);
});

Deno.test("other content types and methods are not gRPC", async () => {
  const { channel, driver } = connect([["/a.B/Echo", echo]]);
  assert.ok(channel.usable);
  const [near, far] = memorySocketPair();
  const server = new GrpcServer(new Map(), { maxMessageBytes: 10, after: () => () => {} });
  new ConnectionDriver(far, {
    role: "server",
    now: () => 0,
    onStream: (stream) => server.serve(stream, far.peer),
  }).start();
  const client = new ConnectionDriver(near, { role: "client", now: () => 0 });
  client.start();
  const statusOf = (fields: string[]) =>
    new Promise<number>((resolve) => {
      const block = encodeStateless([...fields, ":scheme", "http", ":path", "/a.B/Echo"]);
      client.connection.request(block, true).onHeaders = (head) => resolve(head.status);
    });
  assert.equal(await statusOf([":method", "GET"]), 405);
  assert.equal(await statusOf([":method", "POST"]), 415);
  driver.destroy();
});

Deno.test("compressed messages are refused by name", () => {
  const framed = frameMessage(bytes("x"));
  framed[0] = 1;
  const refusal = (encoding?: string) =>
    new MessageReader({ maxBytes: 10, encoding }).push(framed, () => {});
  assert.equal(refusal("gzip")?.code, GrpcCode.unimplemented);
  assert.match(refusal("gzip")?.message ?? "", /"gzip"/);
  assert.equal(refusal()?.code, GrpcCode.internal);
});

Deno.test("messages are the same however the bytes are cut", () => {
  const messages = fc.array(fc.uint8Array({ maxLength: 50 }), { maxLength: 6 });
  fc.assert(
    fc.property(messages, fc.infiniteStream(fc.integer({ min: 1, max: 9 })), (list, cuts) => {
      const stream = new Uint8Array(list.flatMap((message) => [...frameMessage(message)]));
      const reader = new MessageReader({ maxBytes: 100 });
      const heard: Uint8Array[] = [];
      for (let at = 0; at < stream.length;) {
        const end = at + (cuts.next().value as number);
        assert.equal(
          reader.push(stream.slice(at, end), (message) => heard.push(message.slice())),
          null,
        );
        at = end;
      }
      assert.deepEqual(heard, list);
      assert.equal(reader.partial, false);
    }),
  );
});

const timeouts: [string, number | null][] = [
  ["1H", 3_600_000],
  ["2M", 120_000],
  ["3S", 3000],
  ["250m", 250],
  ["5000u", 5],
  ["1000000n", 1],
  ["123456789m", null],
  ["5", null],
  ["-1S", null],
  ["1s", null],
];

for (const [value, millis] of timeouts) {
  Deno.test(`grpc-timeout ${value}`, () => assert.equal(parseTimeout(value), millis));
}

Deno.test("status messages survive their encoding, timeouts are never shortened", () => {
  fc.assert(fc.property(fc.string({ unit: "grapheme" }), (message) => {
    assert.equal(decodeMessage(encodeMessage(message)), new TextDecoder().decode(bytes(message)));
    assert.match(encodeMessage(message), /^[\x20-\x7e]*$/);
  }));
  fc.assert(fc.property(fc.double({ min: 0, max: 1e10, noNaN: true }), (millis) => {
    assert.ok((parseTimeout(formatTimeout(millis)) ?? 0) >= millis);
  }));
});
