/** Informers: resume, list again, back off, watch-list, handlers and their order. */
import assert from "node:assert/strict";
import type { KubeObject } from "../api/meta.ts";
import { pods } from "../api/resources.ts";
import { failure, MemoryApi } from "../../tests/fakes/memory_api.ts";
import { ManualClock, settle } from "../../tests/fakes/manual_clock.ts";
import type { Client } from "./client.ts";
import { Informer, type InformerOptions } from "./informer.ts";

const pod = (name: string, nodeName?: string): KubeObject => ({
  metadata: { name, namespace: "default" },
  spec: { containers: [], ...(nodeName === undefined ? {} : { nodeName }) },
});

function world(options: Partial<InformerOptions> = {}) {
  const clock = new ManualClock();
  const api = new MemoryApi(clock);
  const client = api.client();
  const failures: string[] = [];
  const informer = new Informer({
    client,
    resource: pods,
    clock,
    onFailure: (error) => failures.push(error.message),
    ...options,
  });
  const seen: string[] = [];
  informer.addHandler((changes) => {
    for (const change of changes) seen.push(`${change.type} ${change.object.metadata.name}`);
  });
  return { clock, api, client, informer, seen, failures };
}

for (const watchList of [false, true]) {
  Deno.test(`informer: first state, then changes (watchList ${watchList})`, async () => {
    const { client, informer, seen } = world({ watchList });
    await client.create(pods, pod("a"));
    informer.start();
    await informer.whenSynced();
    assert.deepEqual(seen, ["add a"]);
    const b = await client.create(pods, pod("b"));
    await client.update(pods, { ...b, metadata: { ...b.metadata, labels: { x: "y" } } });
    await client.delete(pods, { namespace: "default", name: "a" });
    await settle();
    assert.deepEqual(seen, ["add a", "add b", "update b", "delete a"]);
    assert.deepEqual(informer.lister.list().map((object) => object.metadata.name), ["b"]);
    assert.ok(informer.hasReached(b.metadata.resourceVersion!));
    assert.ok(!informer.hasReached("1000"));
    informer.stop();
  });
}

Deno.test("informer: resumes a watch that ended, without a new list", async () => {
  const { client, api, informer, seen, clock } = world();
  informer.start();
  await informer.whenSynced();
  await client.create(pods, pod("a"));
  await settle();
  await clock.advance(5_000);
  api.endWatches();
  await client.create(pods, pod("b"));
  let lists = 0;
  api.beforeCall = (call) => void (lists += call.verb === "list" ? 1 : 0);
  await settle();
  assert.deepEqual(seen, ["add a", "add b"]);
  assert.equal(lists, 0);
  informer.stop();
});

Deno.test("informer: an expired watch lists again and tells the difference", async () => {
  const { client, api, informer, seen, clock, failures } = world();
  await client.create(pods, pod("a"));
  await client.create(pods, pod("b"));
  await client.create(pods, pod("c"));
  informer.start();
  await informer.whenSynced();
  await clock.advance(5_000);
  seen.length = 0;
  api.holdWatches();
  await client.delete(pods, { namespace: "default", name: "a" });
  await client.delete(pods, { namespace: "default", name: "b" });
  await client.create(pods, pod("b"));
  await client.create(pods, pod("d"));
  api.compact();
  api.endWatches();
  await clock.advance(10_000);
  assert.deepEqual(failures, ["too old resource version: 4"]);
  assert.deepEqual(seen, ["delete a", "delete b", "add b", "add d"]);
  informer.stop();
});

Deno.test("informer: backs off longer and longer while the server is away", async () => {
  const { api, informer, clock, failures } = world();
  api.beforeCall = () => {
    throw failure(503, "ServiceUnavailable", "away");
  };
  informer.start();
  const counts: number[] = [];
  for (const seconds of [1, 2, 10, 60, 60]) {
    await clock.advance(seconds * 1000);
    counts.push(failures.length);
  }
  assert.ok(counts[0] <= 2 && counts[2] <= 5, String(counts));
  assert.ok(counts[4] - counts[3] <= 2, `at most one try each 30 s: ${counts}`);
  api.beforeCall = () => {};
  await clock.advance(60_000);
  assert.ok(informer.hasSynced);
  informer.stop();
});

Deno.test("informer: falls back to lists where watch-list is refused", async () => {
  const { client, informer, seen } = world();
  await client.create(pods, pod("a"));
  const watch: Client["watch"] = (resource, options) =>
    options?.sendInitialEvents
      ? Promise.reject(failure(422, "Invalid", "sendInitialEvents is forbidden"))
      : client.watch(resource, options);
  const refusing = new Informer({
    client: new Proxy(client, {
      get: (target, name: keyof Client) => name === "watch" ? watch : target[name].bind(target),
    }),
    resource: pods,
    clock: new ManualClock(),
    watchList: true,
  });
  refusing.start();
  await refusing.whenSynced();
  assert.equal(refusing.lister.size, 1);
  refusing.stop();
  informer.stop();
  assert.deepEqual(seen, []);
});

Deno.test("informer: indexes follow the objects; a late handler gets what is known", async () => {
  const { client, informer } = world({
    indexes: { node: (object) => object.spec.nodeName ? [object.spec.nodeName] : [] },
  });
  informer.start();
  await client.create(pods, pod("a"));
  await informer.whenSynced();
  await settle();
  assert.deepEqual(informer.lister.byIndex("node", "n1"), []);
  await client.bindMany([{ namespace: "default", name: "a", nodeName: "n1" }]);
  await settle();
  assert.equal(informer.lister.byIndex("node", "n1").length, 1);
  const late: string[] = [];
  informer.addHandler((changes) => late.push(...changes.map((change) => change.type)));
  assert.deepEqual(late, ["add"]);
  await client.delete(pods, { namespace: "default", name: "a" }, { gracePeriodSeconds: 0 });
  await settle();
  assert.deepEqual(informer.lister.byIndex("node", "n1"), []);
  informer.stop();
});
