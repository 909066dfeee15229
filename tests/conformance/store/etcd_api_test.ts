/** The etcd API case by case: the same on a real etcd and on ours. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { openRemoteStore } from "../../../store/client.ts";
import { denoPorts, type KeyValue, type Store, type WatchNotice } from "../../../store/mod.ts";
import { ProtoReader } from "../../../store/mvcc/proto.ts";
import { GrpcChannel } from "../../../store/wire/grpc/client.ts";
import {
  type MemberProcess,
  pause,
  type ServerKind,
  startAlone,
  withFolder,
} from "../../system/store/member_process.ts";
import { systemTest } from "../../system/tools.ts";
import { AUTH_REFUSALS, AUTH_SET_UP, type Caller } from "./auth_refusals.ts";
import { encodeFields, type Field, REFUSALS } from "./refusals.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const text = (value: Uint8Array) => new TextDecoder().decode(value);
const put = (key: string, value: string) =>
  ({ kind: "put", key: bytes(key), value: bytes(value) }) as const;
const range = (key: string, rangeEnd?: string) =>
  ({
    kind: "range",
    key: bytes(key),
    ...(rangeEnd === undefined ? {} : { rangeEnd: bytes(rangeEnd) }),
  }) as const;
const shown = (kv: KeyValue) =>
  [text(kv.key), text(kv.value), kv.createRevision, kv.modRevision, kv.version, kv.lease] as const;

/** Fails unless the answer is of the kind asked for. */
function expect<T extends { readonly kind: string }, K extends T["kind"]>(
  answer: T,
  kind: K,
): Extract<T, { readonly kind: K }> {
  assert.equal(answer.kind, kind, JSON.stringify(answer, (_, v) => `${v}`));
  return answer as Extract<T, { readonly kind: K }>;
}

const SERVERS: readonly ServerKind[] = ["balsa", "etcd-3.5"];

for (const kind of SERVERS) {
  systemTest(
    `the etcd API of ${kind}`,
    kind === "balsa" ? [] : [kind],
    (test) =>
      withFolder(async (folder) => {
        const member = await startAlone(kind, join(folder, "data"));
        const ports = { timer: denoPorts().timer, log: () => {} };
        const store = await openRemoteStore({ endpoints: [member.url] }, ports);
        assert("put" in store);
        try {
          for (const [name, check] of Object.entries(CASES)) {
            await test.step(name, () => check(store));
          }
          await test.step("refusals, status and words", () => checkRefusals(store, member));
          await test.step("refusals while auth is enabled", () => checkAuthRefusals(member));
        } finally {
          await store.close();
          await member.stop();
        }
      }),
  );
}

const CASES: Readonly<Record<string, (store: Store) => Promise<void>>> = {
  async "a put counts revisions and versions"(store) {
    const start = expect(await store.range(range("x")), "range").revision;
    assert.equal(start, 1);
    assert.equal(expect(await store.put(put("a", "1")), "put").revision, 2);
    const second = expect(await store.put({ ...put("a", "2"), prevKv: true }), "put");
    assert.deepEqual(shown(second.prevKv!), ["a", "1", 2, 2, 1, 0n]);
    const read = expect(await store.range(range("a")), "range");
    assert.deepEqual(read.kvs.map(shown), [["a", "2", 2, 3, 2, 0n]]);
    assert.deepEqual([read.count, read.more, read.revision], [1, false, 3]);
    const kept = { ...put("a", ""), ignoreValue: true };
    assert.equal(expect(await store.put(kept), "put").revision, 4);
    assert.equal(text(expect(await store.range(range("a")), "range").kvs[0].value), "2");
  },

  async "ranges: ends, limits, orders, filters, old revisions"(store) {
    for (const key of ["b/1", "b/2", "b/3"]) await store.put(put(key, key.slice(2)));
    const keys = async (request: Parameters<Store["range"]>[0]) => {
      const { kvs, more, count } = expect(await store.range(request), "range");
      return [kvs.map(({ key }) => text(key)).join(" "), more, count];
    };
    assert.deepEqual(await keys(range("b/", "b0")), ["b/1 b/2 b/3", false, 3]);
    assert.deepEqual(await keys(range("b/2", "\0")), ["b/2 b/3", false, 2]);
    assert.deepEqual(await keys({ ...range("b/", "b0"), limit: 2 }), ["b/1 b/2", true, 3]);
    assert.deepEqual(await keys(range("b/3", "b/1")), ["", false, 0]);
    const down = { sortOrder: "descend", sortTarget: "mod" } as const;
    assert.deepEqual(await keys({ ...range("b/", "b0"), ...down }), ["b/3 b/2 b/1", false, 3]);
    assert.deepEqual(await keys({ ...range("b/", "b0"), countOnly: true }), ["", false, 3]);
    assert.deepEqual(await keys({ ...range("b/", "b0"), minModRevision: 6 }), [
      "b/2 b/3",
      false,
      3,
    ]);
    assert.deepEqual(await keys({ ...range("b/", "b0"), revision: 6 }), ["b/1 b/2", false, 2]);
    const bare = expect(await store.range({ ...range("b/1"), keysOnly: true }), "range");
    assert.equal(bare.kvs[0].value.length, 0);
  },

  async "deletes count keys and make one revision"(store) {
    const gone = { kind: "deleteRange", key: bytes("b/"), rangeEnd: bytes("b/3") } as const;
    const deleted = expect(await store.deleteRange({ ...gone, prevKv: true }), "deleteRange");
    assert.equal(deleted.deleted, 2);
    assert.deepEqual(deleted.prevKvs.map(({ key }) => text(key)), ["b/1", "b/2"]);
    const again = expect(await store.deleteRange(gone), "deleteRange");
    assert.deepEqual([again.deleted, again.revision], [0, deleted.revision]);
    await store.put(put("b/1", "new"));
    const [kv] = expect(await store.range(range("b/1")), "range").kvs;
    assert.deepEqual([kv.version, kv.createRevision], [1, deleted.revision + 1]);
  },

  async "transactions compare, branch and nest at one revision"(store) {
    const { revision } = expect(await store.put(put("t", "1")), "put");
    const request = {
      kind: "txn",
      compare: [
        { key: bytes("t"), target: "value", result: "equal", value: bytes("1") },
        { key: bytes("t"), target: "mod", result: "greater", value: revision - 1 },
        { key: bytes("t"), target: "version", result: "notEqual", value: 7 },
        { key: bytes("none"), target: "create", result: "equal", value: 0 },
      ],
      success: [
        put("t", "2"),
        range("t"),
        { kind: "txn", compare: [], success: [put("t/in", "x")], failure: [] },
      ],
      failure: [range("t")],
    } as const;
    const first = expect(await store.txn(request), "txn");
    assert.equal(first.succeeded, true);
    assert.deepEqual(first.responses.map(({ kind }) => kind), ["put", "range", "txn"]);
    const inside = expect(first.responses[1], "range").kvs[0];
    assert.deepEqual(shown(inside).slice(1, 4), ["2", revision, revision + 1]);
    const second = expect(await store.txn(request), "txn");
    assert.deepEqual([second.succeeded, second.revision], [false, revision + 1]);
  },

  async "leases take their keys along"(store) {
    const lease = expect(await store.leaseGrant({ id: 77n, ttlSeconds: 60 }), "lease");
    assert.deepEqual([lease.id, lease.ttlSeconds], [77n, 60]);
    await store.put({ ...put("l/1", "x"), lease: 77n });
    await store.put({ ...put("l/2", "x"), lease: 77n });
    await store.put(put("l/2", "freed"));
    assert.equal(expect(await store.leaseKeepAlive(77n), "lease").ttlSeconds, 60);
    expect(await store.leaseRevoke(77n), "revoked");
    const left = expect(await store.range(range("l/", "l0")), "range");
    assert.deepEqual(left.kvs.map(({ key }) => text(key)), ["l/2"]);
    expect(await store.leaseKeepAlive(77n), "leaseNotFound");
    expect(await store.leaseGrant({ id: 77n, ttlSeconds: 60 }), "lease");
  },

  async "watches replay, follow and report what they can't replay"(store) {
    const { revision } = expect(await store.put(put("w/1", "1")), "put");
    await store.deleteRange({ kind: "deleteRange", key: bytes("w/1") });
    const seen: string[] = [];
    const onNotice = (notice: WatchNotice) => {
      if (notice.kind !== "events") return void seen.push(notice.kind);
      for (const { type, kv, prevKv } of notice.events) {
        const before = prevKv === undefined ? "" : ` was ${text(prevKv.value)}`;
        seen.push(
          `${type} ${text(kv.key)}=${text(kv.value)} @${kv.modRevision - revision}${before}`,
        );
      }
    };
    const request = { key: bytes("w/"), rangeEnd: bytes("w0"), prevKv: true };
    const watch = store.watch({ ...request, startRevision: revision }, onNotice);
    await store.put(put("w/2", "2"));
    await until(() => seen.filter((line) => line !== "created").length === 3);
    watch.cancel();
    assert.deepEqual(seen.filter((line) => line !== "created"), [
      "put w/1=1 @0",
      "delete w/1= @1 was 1",
      "put w/2=2 @2",
    ]);
    expect(await store.compact(revision + 1), "compactedTo");
    let compacted = 0;
    store.watch({ ...request, startRevision: 2 }, (notice) => {
      if (notice.kind === "compacted") compacted = notice.compactRevision;
    });
    await until(() => compacted > 0);
    assert.equal(compacted, revision + 1);
    expect(await store.range({ ...range("w/1"), revision: 2 }), "compacted");
    expect(await store.compact(revision + 1), "compacted");
  },
};

async function until(holds: () => boolean): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!holds()) {
    assert(performance.now() < deadline, "it never came");
    await pause(5);
  }
}

function channelTo(member: MemberProcess): Promise<GrpcChannel> {
  const { timer } = denoPorts();
  return GrpcChannel.connect({
    address: member.url.replace("http://", ""),
    now: () => timer.now(),
    after: (delay, callback) => timer.after(delay, callback),
    connectTimeoutMillis: 5_000,
  });
}

async function checkRefusals(store: Store, member: MemberProcess): Promise<void> {
  const channel = await channelTo(member);
  const ask = (method: string, message: Uint8Array) =>
    channel.unary(`/etcdserverpb.${method}`, message, { timeoutMillis: 5_000 });
  try {
    expect(await ask("Auth/RoleAdd", encodeFields([[1, "taken"]])), "message");
    const before = expect(await store.range(range("a")), "range").revision;
    const differences: string[] = [];
    for (const { method, fields, code, message } of REFUSALS) {
      const answer = await ask(method, encodeFields(fields));
      const got = answer.kind === "status" ? answer.status : { code: 0, message: "accepted" };
      if (got.code === code && got.message === message) continue;
      differences.push(`${method}: ${got.code} ${got.message}, not ${code} ${message}`);
    }
    assert.deepEqual(differences, []);
    // Unknown fields are passed over, as protobuf asks.
    const unknown = encodeFields([[1, "a"], [900, "later"], [901, 5]]);
    expect(await ask("KV/Range", unknown), "message");
    const torn = expect(await ask("KV/Range", Uint8Array.of(10, 200, 1)), "status");
    assert.equal(torn.status.code, 13);
    assert.match(torn.status.message, /^grpc: error unmarshalling request: /);
    assert.equal(expect(await store.range(range("a")), "range").revision, before);
  } finally {
    channel.close();
  }
}

/** The last check of a server: auth is off again, but its users stay. */
async function checkAuthRefusals(member: MemberProcess): Promise<void> {
  const channel = await channelTo(member);
  const tokens = new Map<Caller, string>([["made up", "nonsense"]]);
  const ask = (caller: Caller, method: string, fields: readonly Field[]) => {
    const token = tokens.get(caller);
    return channel.unary(`/etcdserverpb.${method}`, encodeFields(fields), {
      timeoutMillis: 5_000,
      ...(token === undefined ? {} : { metadata: ["token", token] }),
    });
  };
  const login = async (name: string, password: string) => {
    const fields: Field[] = [[1, name], [2, password]];
    const { message } = expect(await ask("nobody", "Auth/Authenticate", fields), "message");
    const reader = new ProtoReader(message);
    let token = "";
    while (reader.next()) {
      if (reader.field === 2) token = reader.string();
      else reader.skip();
    }
    return token;
  };
  try {
    for (const [method, fields] of AUTH_SET_UP) {
      expect(await ask("nobody", method, fields), "message");
    }
    tokens.set("root", await login("root", "r"));
    tokens.set("stale", await login("guest", "g"));
    expect(await ask("root", "Auth/RoleAdd", [[1, "another"]]), "message");
    tokens.set("guest", await login("guest", "g"));
    const differences: string[] = [];
    for (const [caller, method, fields, refusal] of AUTH_REFUSALS) {
      const answer = await ask(caller, method, fields);
      const { code, message } = answer.kind === "status" ? answer.status : { code: 0, message: "" };
      const [wantedCode, words] = refusal ?? [0, ""];
      if (code === wantedCode && message === words) continue;
      const request = `${caller}: ${method} ${JSON.stringify(fields)}`;
      differences.push(`${request}: ${code} ${message}, not ${wantedCode} ${words}`);
    }
    assert.deepEqual(differences, []);
    // Who gets another password has to log in again; others need not.
    expect(
      await ask("root", "Auth/UserChangePassword", [[1, "guest"], [2, "h"]]),
      "message",
    );
    const ended = expect(await ask("guest", "KV/Range", [[1, "open/a"]]), "status");
    assert.equal(ended.status.message, "etcdserver: invalid auth token");
    expect(await ask("root", "Auth/AuthDisable", []), "message");
  } finally {
    channel.close();
  }
}
