/** The server on real sockets: plain, unix, HTTP/1.1 beside HTTP/2. */
import assert from "node:assert/strict";
import type { Timer } from "../ports.ts";
import { openRemoteStore } from "../client.ts";
import type { WatchNotice } from "../mod.ts";
import type { Store } from "../mod.ts";
import { FakeMember } from "./etcd/fake_member.ts";
import { parseListenUrl, serveEtcd, type Serving } from "./serve.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

function realTimer(): Timer {
  return {
    now: () => performance.now(),
    wallNow: () => Date.now(),
    every: (millis, callback) => {
      const timer = setInterval(callback, millis);
      return () => clearInterval(timer);
    },
    after: (millis, callback) => {
      const timer = setTimeout(callback, millis);
      return () => clearTimeout(timer);
    },
    soon: (callback) => queueMicrotask(callback),
  };
}

const ports = { timer: realTimer(), log: () => {} };

function serve(member: FakeMember, url = "http://127.0.0.1:0"): Promise<Serving> {
  return serveEtcd({ listenClientUrls: [url] }, member, ports);
}

async function open(...endpoints: string[]): Promise<Store> {
  const store = await openRemoteStore({ endpoints }, ports);
  assert.ok(!("kind" in store));
  return store;
}

/** Waits for a condition that only the network delays. */
async function until(condition: () => boolean): Promise<void> {
  for (let i = 0; i < 500 && !condition(); i++) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  assert.ok(condition());
}

Deno.test("health, readiness, version and metrics answer on the port of the API", async () => {
  const member = new FakeMember();
  const serving = await serve(member);
  const get = async (path: string) => {
    const response = await fetch(`http://127.0.0.1:${serving.ports[0]}${path}`);
    return [response.status, await response.text()] as const;
  };
  try {
    assert.deepEqual(await get("/health"), [200, '{"health":"true","reason":""}']);
    assert.deepEqual(await get("/readyz"), [200, "ok\n"]);
    assert.deepEqual(await get("/livez"), [200, "ok\n"]);
    assert.equal((await get("/version"))[0], 200);
    assert.match((await get("/metrics"))[1], /^etcd_server_has_leader 1$/m);
    assert.deepEqual(await get("/nothing"), [404, "404 page not found\n"]);
    member.leaderId = 0n;
    assert.deepEqual(await get("/health"), [503, '{"health":"false","reason":"RAFT NO LEADER"}']);
    assert.equal((await get("/health?serializable=true"))[0], 200);
    member.failure = { kind: "noLeader" };
    assert.equal((await get("/readyz"))[0], 503);
  } finally {
    await serving.close(0);
  }
});

Deno.test("a broken HTTP/1.1 request is answered 400 and closed", async () => {
  const serving = await serve(new FakeMember());
  const conn = await Deno.connect({ hostname: "127.0.0.1", port: serving.ports[0] });
  await conn.write(bytes("NONSENSE\r\n\r\n"));
  const buffer = new Uint8Array(1000);
  const count = await conn.read(buffer) ?? 0;
  assert.match(new TextDecoder().decode(buffer.subarray(0, count)), /^HTTP\/1\.1 400 /);
  assert.equal(await conn.read(buffer), null);
  conn.close();
  await serving.close(0);
});

Deno.test("a remote store over a unix socket does what the interface says", async () => {
  const directory = await Deno.makeTempDir();
  const url = `unix://${directory}/etcd.sock`;
  const serving = await serve(new FakeMember(), url);
  const store = await open(url);
  try {
    const put = await store.put({ kind: "put", key: bytes("a"), value: bytes("1") });
    assert.deepEqual(put, { kind: "put", revision: 2 });
    const found = await store.range({ kind: "range", key: bytes("a") });
    assert.equal(found.kind === "range" && found.count, 1);
    assert.deepEqual(await store.range({ kind: "range", key: bytes("") }), { kind: "emptyKey" });
    assert.deepEqual(await store.leaseKeepAlive(5n), { kind: "leaseNotFound" });
    const lease = await store.leaseGrant({ id: 5n, ttlSeconds: 30 });
    assert.deepEqual(lease, { kind: "lease", id: 5n, ttlSeconds: 30 });
    assert.deepEqual(await store.leaseKeepAlive(5n), lease);
    assert.equal((await store.leaseRevoke(5n)).kind, "revoked");
    assert.deepEqual(await store.compact(2), { kind: "compactedTo", revision: 2 });
    assert.equal(store.revision, 2);
    assert.equal(store.status().leaderId, new FakeMember().memberId);
  } finally {
    await store.close();
    await serving.close(0);
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("calls and watches move to another endpoint, and no event is missed", async () => {
  const member = new FakeMember();
  const first = await serve(member);
  const second = await serve(member);
  const store = await open(...[first, second].map(({ ports: [p] }) => `http://127.0.0.1:${p}`));
  const heard: number[] = [];
  const notices: WatchNotice[] = [];
  store.watch({ key: bytes("a") }, (notice) => {
    notices.push(notice);
    if (notice.kind === "events") heard.push(...notice.events.map(({ kv }) => kv.modRevision));
  });
  try {
    await store.put({ kind: "put", key: bytes("a"), value: bytes("0") });
    await until(() => heard.length === 1 || notices.length > 0);
    await first.close(0);
    let revision = 2;
    for (let i = 0; i < 20; i++) {
      const result = await store.put({ kind: "put", key: bytes("a"), value: bytes(`${i}`) });
      if (result.kind === "put") revision = result.revision;
    }
    assert.ok(revision > 20);
    await until(() => heard.at(-1) === member.revision);
    assert.deepEqual(heard, Array.from({ length: heard.length }, (_, i) => i + heard[0]));
  } finally {
    await store.close();
    await second.close(0);
  }
});

Deno.test("more calls than the server takes at once wait their turn", async () => {
  const serving = await serveEtcd(
    { listenClientUrls: ["http://127.0.0.1:0"], maxConcurrentStreams: 3 },
    new FakeMember(),
    ports,
  );
  const store = await open(`http://127.0.0.1:${serving.ports[0]}`);
  const puts = Array.from(
    { length: 50 },
    (_, i) => store.put({ kind: "put", key: bytes(`${i}`), value: bytes("v") }),
  );
  for (const result of await Promise.all(puts)) assert.equal(result.kind, "put");
  await store.close();
  await serving.close(0);
});

Deno.test("an endpoint that is not there fails within the request timeout", async () => {
  const store = await openRemoteStore(
    { endpoints: ["http://127.0.0.1:1"], requestTimeoutMillis: 200 },
    ports,
  );
  assert.deepEqual(store, { kind: "timeout" });
});

const urls: [string, ReturnType<typeof parseListenUrl> | null][] = [
  ["http://127.0.0.1:2379", { kind: "http", hostname: "127.0.0.1", port: 2379 }],
  ["https://[::1]:2379", { kind: "https", hostname: "::1", port: 2379 }],
  ["http://:2379", { kind: "http", hostname: "0.0.0.0", port: 2379 }],
  ["unix:///run/x.sock", { kind: "unix", path: "/run/x.sock" }],
  ["http://127.0.0.1", null],
  ["ftp://a:1", null],
  ["http://a:99999", null],
];

for (const [url, expected] of urls) {
  Deno.test(`listen URL ${url}`, () => {
    if (expected === null) assert.throws(() => parseListenUrl(url), /listen URL/);
    else assert.deepEqual(parseListenUrl(url), expected);
  });
}
