/** Each etcd service against a real state machine, over an in-memory connection. */
import assert from "node:assert/strict";
import fc from "fast-check";
import {
  encodeAlarm,
  encodeCompaction,
  encodeLeaseGrant,
  encodeLeaseRevoke,
  encodeName,
  encodeRoleGrant,
  encodeUserRole,
} from "../../mvcc/admin_codec.ts";
import { ProtoReader, ProtoWriter } from "../../mvcc/proto.ts";
import { encodeDeleteRange, encodePut, encodeRange, encodeTxn } from "../../mvcc/request_codec.ts";
import type { RequestOp } from "../../mvcc/types.ts";
import { type CallEnd, GrpcChannel, type UnaryResult } from "../grpc/client.ts";
import { GrpcServer } from "../grpc/server.ts";
import { GrpcCode } from "../grpc/status.ts";
import { ConnectionDriver } from "../http2/driver.ts";
import { memorySocketPair } from "../../../tests/fakes/memory_socket.ts";
import {
  decodeDeleteRangeResponse,
  decodeLeaseResponse,
  decodePutResponse,
  decodeRangeResponse,
  decodeRevision,
  decodeStatus,
  decodeTxnResponse,
  decodeWatchResponse,
  type WatchAnswer,
} from "./decode.ts";
import { FakeMember } from "./fake_member.ts";
import { etcdMethods } from "./services.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const text = (message: Uint8Array) => new TextDecoder().decode(message);
const turn = () => new Promise((resolve) => setTimeout(resolve, 0));

function encoded(write: (writer: ProtoWriter) => void): Uint8Array {
  const writer = new ProtoWriter();
  write(writer);
  return writer.finish();
}

const put = (key: string, value: string, more: { lease?: bigint; prevKv?: boolean } = {}) =>
  encoded((w) => encodePut(w, { kind: "put", key: bytes(key), value: bytes(value), ...more }));

/** A client and a fake member, joined in memory. */
class Bench {
  readonly member = new FakeMember();
  readonly channel: GrpcChannel;
  metadata: string[] = [];

  constructor(options: { maxRequestBytes?: number } = {}) {
    const methods = etcdMethods(this.member, {
      maxRequestBytes: options.maxRequestBytes ?? 1_500_000,
      maxTxnOps: 128,
      certificateUsers: false,
    });
    const server = new GrpcServer(methods, { maxMessageBytes: 2_000_000, after: () => () => {} });
    const [near, far] = memorySocketPair();
    new ConnectionDriver(far, {
      role: "server",
      now: () => 0,
      onStream: (stream) => server.serve(stream, far.peer),
    }).start();
    this.channel = GrpcChannel.over(near, {
      address: "memory",
      now: () => 0,
      after: () => () => {},
    });
  }

  async call(method: string, message: Uint8Array = new Uint8Array(0)): Promise<Uint8Array> {
    const result = await this.ask(method, message);
    assert.equal(result.kind, "message", JSON.stringify(result));
    return (result as Extract<UnaryResult, { kind: "message" }>).message;
  }

  ask(method: string, message: Uint8Array = new Uint8Array(0)): Promise<UnaryResult> {
    return this.channel.unary(`/etcdserverpb.${method}`, message, { metadata: this.metadata });
  }

  async status(method: string, message?: Uint8Array): Promise<[number, string]> {
    const result = await this.ask(method, message);
    assert.equal(result.kind, "status");
    const { status } = result as CallEnd;
    return [status.code, status.message];
  }

  async range(key: string, more: Partial<Extract<RequestOp, { kind: "range" }>> = {}) {
    const request = { kind: "range" as const, key: bytes(key), ...more };
    const answer = await this.call("KV/Range", encoded((w) => encodeRange(w, request)));
    return decodeRangeResponse(answer)!;
  }

  watch(onEnd: (end: CallEnd) => void = () => {}) {
    const heard: WatchAnswer[] = [];
    const call = this.channel.stream("/etcdserverpb.Watch/Watch", {
      onMessage: (message) => void heard.push(decodeWatchResponse(message.slice())!),
      onEnd,
    }, { metadata: this.metadata });
    return { call, heard };
  }
}

function watchCreate(
  key: string,
  options: { id?: number; from?: number; filter?: number; prevKv?: boolean; fragment?: boolean },
): Uint8Array {
  return encoded((writer) => {
    const start = writer.beginMessage(1);
    writer.bytesField(1, bytes(key));
    writer.int64Field(3, options.from ?? 0);
    if (options.filter !== undefined) writer.bytesField(5, Uint8Array.of(options.filter));
    writer.boolField(6, options.prevKv);
    writer.int64Field(7, options.id ?? 0);
    writer.boolField(8, options.fragment);
    writer.endMessage(start);
  });
}

Deno.test("KV: put, range, delete, with the header's revision", async () => {
  const bench = new Bench();
  assert.equal(decodePutResponse(await bench.call("KV/Put", put("a", "1")))?.revision, 2);
  const second = decodePutResponse(await bench.call("KV/Put", put("a", "2", { prevKv: true })));
  assert.equal(text(second!.prevKv!.value), "1");
  const found = await bench.range("a");
  assert.deepEqual([found.revision, found.count, text(found.kvs[0].value)], [3, 1, "2"]);
  assert.deepEqual([found.kvs[0].createRevision, found.kvs[0].version], [2, 2]);
  const old = await bench.range("a", { revision: 2 });
  assert.equal(text(old.kvs[0].value), "1");
  const request = { kind: "deleteRange" as const, key: bytes("a"), prevKv: true };
  const deleted = decodeDeleteRangeResponse(
    await bench.call("KV/DeleteRange", encoded((w) => encodeDeleteRange(w, request))),
  );
  assert.deepEqual([deleted?.deleted, text(deleted!.prevKvs[0].value)], [1, "2"]);
});

Deno.test("KV: a txn that writes, one that only reads, and wrong ones", async () => {
  const bench = new Bench();
  const get: RequestOp = { kind: "range", key: bytes("a") };
  const set: RequestOp = { kind: "put", key: bytes("a"), value: bytes("v") };
  const txn = async (success: RequestOp[]) =>
    await bench.ask(
      "KV/Txn",
      encoded((w) => encodeTxn(w, { kind: "txn", compare: [], success, failure: [] })),
    );
  const wrote = await txn([set, get]);
  assert.ok(wrote.kind === "message");
  const answer = decodeTxnResponse(wrote.message);
  assert.deepEqual([answer?.revision, answer?.succeeded, answer?.responses.length], [2, true, 2]);
  const read = await txn([get]);
  assert.ok(read.kind === "message");
  assert.equal(decodeTxnResponse(read.message)?.revision, 2, "nothing was proposed");
  const doubled = await txn([set, set]);
  assert.equal(
    doubled.kind === "status" && doubled.status.message,
    "etcdserver: duplicate key given in txn request",
  );
  const many = await txn(Array.from({ length: 129 }, () => get));
  assert.equal(
    many.kind === "status" && many.status.message,
    "etcdserver: too many operations in txn request",
  );
});

Deno.test("failures carry etcd's codes and words", async () => {
  const bench = new Bench({ maxRequestBytes: 1000 });
  await bench.call("KV/Put", put("a", "1"));
  await bench.call("KV/Put", put("a", "2"));
  await bench.call("KV/Compact", encodeCompaction({ revision: 3, physical: false }));
  const range = (revision: number, key = "a") =>
    encoded((w) => encodeRange(w, { kind: "range", key: bytes(key), revision }));
  const cases: [string, Uint8Array, number, string][] = [
    ["KV/Range", range(2), 11, "etcdserver: mvcc: required revision has been compacted"],
    ["KV/Range", range(9), 11, "etcdserver: mvcc: required revision is a future revision"],
    ["KV/Range", range(0, ""), 3, "etcdserver: key is not provided"],
    ["KV/Put", put("", "x"), 3, "etcdserver: key is not provided"],
    ["KV/Put", put("a", "x", { lease: 5n }), 5, "etcdserver: requested lease not found"],
    ["KV/Put", put("a", "x".repeat(1000)), 3, "etcdserver: request is too large"],
    [
      "KV/Compact",
      encodeCompaction({ revision: 2, physical: false }),
      11,
      "etcdserver: mvcc: required revision has been compacted",
    ],
    [
      "Lease/LeaseRevoke",
      encodeLeaseRevoke({ id: 7n }),
      5,
      "etcdserver: requested lease not found",
    ],
    [
      "Maintenance/MoveLeader",
      Uint8Array.of(8, 1),
      9,
      "etcdserver: bad leader transferee",
    ],
    ["Cluster/MemberRemove", Uint8Array.of(8, 1), 5, "etcdserver: member not found"],
  ];
  for (const [method, message, code, words] of cases) {
    assert.deepEqual(await bench.status(method, message), [code, words], method);
  }
  bench.member.failure = { kind: "noLeader" };
  assert.deepEqual(await bench.status("KV/Put", put("a", "1")), [14, "etcdserver: no leader"]);
});

Deno.test("a client that requires a leader is refused without one", async () => {
  const bench = new Bench();
  bench.member.leaderId = 0n;
  bench.metadata = ["hasleader", "true"];
  assert.deepEqual(await bench.status("KV/Put", put("a", "1")), [14, "etcdserver: no leader"]);
});

Deno.test("Watch: created first, then events; ids, filters, previous values, cancel", async () => {
  const bench = new Bench();
  await bench.call("KV/Put", put("a", "1"));
  const { call, heard } = bench.watch();
  call.send(watchCreate("a", { from: 2, prevKv: true }));
  call.send(watchCreate("a", { id: 7, filter: 0 }));
  await turn();
  await bench.call("KV/Put", put("a", "2"));
  await turn();
  assert.ok(heard[0].created);
  const events = heard.flatMap((answer) => answer.events);
  assert.deepEqual(events.map(({ kv }) => text(kv.value)), ["1", "2"]);
  assert.equal(text(events[1].prevKv!.value), "1");
  assert.equal(heard.filter((answer) => answer.created).length, 2);

  call.send(watchCreate("b", { id: 7 }));
  await turn();
  const duplicate = heard.at(-1)!;
  assert.ok(duplicate.created && duplicate.canceled);
  assert.match(duplicate.reason, /duplicate watch ID/);

  call.send(encoded((w) => {
    const start = w.beginMessage(2);
    w.int64Field(1, 7);
    w.endMessage(start);
  }));
  await turn();
  assert.ok(heard.at(-1)!.canceled);
});

Deno.test("Watch: compacted history cancels with the revision that is left", async () => {
  const bench = new Bench();
  for (let i = 0; i < 4; i++) await bench.call("KV/Put", put("a", String(i)));
  await bench.call("KV/Compact", encodeCompaction({ revision: 4, physical: false }));
  const { call, heard } = bench.watch();
  call.send(watchCreate("a", { from: 2 }));
  await turn();
  assert.deepEqual(heard.map((answer) => [answer.created, answer.canceled]), [
    [true, false],
    [false, true],
  ]);
  assert.equal(heard[1].compactRevision, 4);
});

Deno.test("Watch: progress on request speaks for the whole stream, once", async () => {
  const bench = new Bench();
  await bench.call("KV/Put", put("a", "1"));
  const { call, heard } = bench.watch();
  call.send(watchCreate("a", {}));
  call.send(watchCreate("b", {}));
  await turn();
  heard.length = 0;
  call.send(Uint8Array.of(0x1a, 0));
  await turn();
  assert.deepEqual(heard.map((answer) => [answer.revision, answer.events.length]), [[2, 0]]);
});

Deno.test("Watch: large answers are fragmented when asked, and the last part says so", async () => {
  const bench = new Bench({ maxRequestBytes: 1000 });
  const ops: RequestOp[] = Array.from({ length: 5 }, (_, i) => ({
    kind: "put",
    key: bytes(`k${i}`),
    value: bytes("x".repeat(80)),
  }));
  const { call, heard } = bench.watch();
  call.send(encoded((writer) => {
    const start = writer.beginMessage(1);
    writer.bytesField(1, bytes("k"));
    writer.bytesField(2, bytes("l"));
    writer.boolField(6, true);
    writer.boolField(8, true);
    writer.endMessage(start);
  }));
  await turn();
  const txn = { kind: "txn" as const, compare: [], success: [...ops], failure: [] };
  await bench.call("KV/Txn", encoded((w) => encodeTxn(w, txn)));
  const more = ops.map((op) => ({ ...op, value: bytes("y".repeat(150)) }) as RequestOp);
  const again = { ...txn, success: more };
  await bench.call("KV/Txn", encoded((w) => encodeTxn(w, again)));
  await turn();
  const answers = heard.filter((answer) => answer.events.length > 0);
  assert.equal(answers.flatMap((answer) => answer.events).length, 10);
  // The second batch carries previous values and does not fit into one message.
  assert.deepEqual(answers.map((answer) => answer.fragment), [false, true, false]);
  assert.equal(answers[1].events.length + answers[2].events.length, 5);
});

Deno.test("Watch: a client that does not read holds no queue, and misses nothing", async () => {
  const bench = new Bench();
  const { call, heard } = bench.watch();
  call.send(watchCreate("a", {}));
  await turn();
  const value = "x".repeat(20_000);
  const puts: Promise<unknown>[] = [];
  for (let i = 0; i < 400; i++) puts.push(bench.call("KV/Put", put("a", value)));
  await Promise.all(puts);
  for (let i = 0; i < 200; i++) await turn();
  const revisions = heard.flatMap((answer) => answer.events).map(({ kv }) => kv.modRevision);
  assert.deepEqual(revisions, Array.from({ length: 400 }, (_, i) => i + 2));
});

Deno.test("Lease: grant with and without an id, keep alive, time to live, revoke", async () => {
  const bench = new Bench();
  const granted = decodeLeaseResponse(
    await bench.call("Lease/LeaseGrant", encodeLeaseGrant({ id: 9n, ttlSeconds: 60 })),
  );
  assert.deepEqual([granted?.id, granted?.ttlSeconds], [9n, 60]);
  const drawn = decodeLeaseResponse(
    await bench.call("Lease/LeaseGrant", encodeLeaseGrant({ id: 0n, ttlSeconds: 60 })),
  );
  assert.ok(drawn!.id > 0n);
  await bench.call("KV/Put", put("k", "v", { lease: 9n }));
  const alive: number[] = [];
  const keep = bench.channel.stream("/etcdserverpb.Lease/LeaseKeepAlive", {
    onMessage: (message) => void alive.push(decodeLeaseResponse(message)!.ttlSeconds),
    onEnd: () => {},
  });
  keep.send(Uint8Array.of(8, 9));
  keep.send(Uint8Array.of(8, 99));
  await turn();
  assert.deepEqual(alive, [60, 0], "a lease that is gone lives for 0 seconds");
  const info = new ProtoReader(
    await bench.call("Lease/LeaseTimeToLive", Uint8Array.of(8, 9, 16, 1)),
  );
  const keys: string[] = [];
  while (info.next()) {
    if (info.field === 5) keys.push(info.string());
    else info.skip();
  }
  assert.deepEqual(keys, ["k"]);
  await bench.call("Lease/LeaseRevoke", encodeLeaseRevoke({ id: 9n }));
  assert.equal((await bench.range("k")).count, 0);
});

Deno.test("Maintenance: status, alarms, hash, snapshot with its digest", async () => {
  const bench = new Bench();
  await bench.call("KV/Put", put("a", "1"));
  const status = decodeStatus(await bench.call("Maintenance/Status"));
  assert.equal(status?.leaderId, bench.member.memberId);
  const raise = encodeAlarm({ action: "activate", memberId: 1n, alarm: "noSpace" });
  await bench.call("Maintenance/Alarm", raise);
  assert.deepEqual(bench.member.alarms(), [{ memberId: 1n, alarm: "noSpace" }]);
  assert.deepEqual(await bench.status("KV/Put", put("a", "2")), [
    GrpcCode.resourceExhausted,
    "etcdserver: mvcc: database space exceeded",
  ]);
  await bench.call("Maintenance/HashKV");
  await bench.call("Maintenance/Hash");
  await bench.call("Maintenance/Defragment");

  const blobs: Uint8Array[] = [];
  await new Promise<void>((resolve) => {
    const call = bench.channel.stream("/etcdserverpb.Maintenance/Snapshot", {
      onMessage: (message) => {
        const reader = new ProtoReader(message);
        while (reader.next()) {
          if (reader.field === 3) blobs.push(reader.bytes().slice());
          else reader.skip();
        }
      },
      onEnd: () => resolve(),
    });
    call.send(new Uint8Array(0));
    call.end();
  });
  const digest = blobs.pop()!;
  const whole = new Uint8Array(blobs.flatMap((blob) => [...blob]));
  assert.equal(whole.length % 512, 0);
  assert.deepEqual(digest, new Uint8Array(await crypto.subtle.digest("SHA-256", whole)));
});

Deno.test("Cluster: list, add, update, promote, remove", async () => {
  const bench = new Bench();
  const count = async () => {
    const reader = new ProtoReader(await bench.call("Cluster/MemberList"));
    let members = 0;
    while (reader.next()) {
      if (reader.field === 2) members++;
      reader.skip();
    }
    return members;
  };
  assert.equal(await count(), 1);
  const add = encoded((w) => {
    w.stringField(1, "http://10.0.0.2:2380");
    w.boolField(2, true);
  });
  assert.equal(decodeRevision(await bench.call("Cluster/MemberAdd", add)), 0);
  assert.equal(await count(), 2);
  await bench.call("Cluster/MemberPromote", Uint8Array.of(8, 2));
  await bench.call("Cluster/MemberRemove", Uint8Array.of(8, 2));
  assert.equal(await count(), 1);
});

Deno.test("Auth: users, roles, tokens, permissions; no password reaches the log", async () => {
  const bench = new Bench();
  const user = (name: string, password: string) =>
    encoded((w) => {
      w.stringField(1, name);
      w.stringField(2, password);
    });
  await bench.call("Auth/UserAdd", user("root", "secret"));
  await bench.call("Auth/UserAdd", user("bob", "builder"));
  assert.equal(bench.member.machine.auth.user("bob")?.hashedPassword, "redliub");
  await bench.call("Auth/RoleAdd", encodeName("root"));
  await bench.call("Auth/RoleAdd", encodeName("r"));
  await bench.call("Auth/UserGrantRole", encodeUserRole({ user: "root", role: "root" }));
  await bench.call("Auth/UserGrantRole", encodeUserRole({ user: "bob", role: "r" }));
  const permission = { type: "readWrite" as const, key: bytes("k"), rangeEnd: bytes("l") };
  await bench.call("Auth/RoleGrantPermission", encodeRoleGrant({ role: "r", permission }));
  await bench.call("Auth/AuthEnable");
  const empty: [number, string] = [3, "etcdserver: user name is empty"];
  assert.deepEqual(await bench.status("KV/Put", put("k", "1")), empty);
  assert.deepEqual(await bench.status("Auth/Authenticate", user("bob", "wrong")), [
    3,
    "etcdserver: authentication failed, invalid user ID or password",
  ]);
  const reader = new ProtoReader(await bench.call("Auth/Authenticate", user("bob", "builder")));
  let token = "";
  while (reader.next()) {
    if (reader.field === 2) token = reader.string();
    else reader.skip();
  }
  bench.metadata = ["token", token];
  await bench.call("KV/Put", put("k1", "1"));
  const denied: [number, string] = [7, "etcdserver: permission denied"];
  assert.deepEqual(await bench.status("KV/Put", put("z", "1")), denied);
  assert.deepEqual(await bench.status("Auth/UserList"), denied);
  bench.metadata = ["token", "garbage"];
  assert.deepEqual(await bench.status("KV/Put", put("k", "1")), [
    16,
    "etcdserver: invalid auth token",
  ]);
});

Deno.test("any bytes as any request end in an answer or a status", async () => {
  const bench = new Bench();
  const methods = [...etcdMethods(bench.member, {
    maxRequestBytes: 1000,
    maxTxnOps: 128,
    certificateUsers: false,
  })].filter(([path, method]) => method.kind === "unary" && !path.endsWith("AuthEnable"));
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...methods.map(([path]) => path)),
      fc.uint8Array({ maxLength: 60 }),
      async (path, message) => {
        const result = await bench.channel.unary(path, message);
        assert.ok(result.kind === "message" || result.status.code !== GrpcCode.ok);
      },
    ),
    { numRuns: 1500 },
  );
  assert.ok(bench.channel.usable);
});
