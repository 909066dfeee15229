/** Garbage collection by owner references: background, foreground, orphan, absent owners. */
import assert from "node:assert/strict";
import { configMaps, pods, replicaSets, resources } from "../../api/resources.ts";
import { resourceName } from "../../client/informer_set.ts";
import type { KubeObject, OwnerReference } from "../../api/meta.ts";
import type { Resource } from "../../api/resource.ts";
import { MemoryApi } from "../../../tests/fakes/memory_api.ts";
import { ManualClock } from "../../../tests/fakes/manual_clock.ts";
import { memoryView } from "../../../tests/fakes/memory_view.ts";
import { apiVersionOf } from "../ownership.ts";
import { runControllerManager } from "../run.ts";
import { garbageCollector } from "./plan_garbage_collector.ts";

function ownedBy(resource: Resource, owner: KubeObject, block = true): OwnerReference {
  return {
    apiVersion: apiVersionOf(resource),
    kind: resource.kind,
    name: owner.metadata.name!,
    uid: owner.metadata.uid!,
    blockOwnerDeletion: block,
  };
}

const map = (name: string, owners: OwnerReference[] = []): KubeObject => ({
  metadata: {
    name,
    namespace: "default",
    ...(owners.length === 0 ? {} : { ownerReferences: owners }),
  },
});

async function world() {
  const clock = new ManualClock();
  const api = new MemoryApi(clock);
  const client = api.client();
  const manager = runControllerManager({ client, clock });
  await clock.advance(0);
  await manager.ready;
  const names = () => api.all("configmaps").map((object) => object.metadata.name).sort();
  return { clock, api, client, manager, names };
}

Deno.test("garbage: background deletion takes dependents of dependents", async () => {
  const { clock, client, manager, names } = await world();
  const a = await client.create(configMaps, map("a"));
  const b = await client.create(configMaps, map("b", [ownedBy(configMaps, a)]));
  await client.create(configMaps, map("c", [ownedBy(configMaps, b)]));
  await clock.advance(1_000);
  assert.deepEqual(names(), ["a", "b", "c"]);
  await client.delete(configMaps, { namespace: "default", name: "a" }, {
    propagationPolicy: "Background",
  });
  await clock.advance(2_000);
  assert.deepEqual(names(), []);
  await manager.stop();
});

Deno.test("garbage: a foreground owner goes after those that block it", async () => {
  const { clock, client, manager, api, names } = await world();
  const a = await client.create(configMaps, map("a"));
  const held = map("held", [ownedBy(configMaps, a)]);
  await client.create(configMaps, {
    ...held,
    metadata: { ...held.metadata, finalizers: ["example.com/hold"] },
  });
  await client.create(configMaps, map("b", [ownedBy(configMaps, a)]));
  await client.delete(configMaps, { namespace: "default", name: "a" }, {
    propagationPolicy: "Foreground",
  });
  await clock.advance(5_000);
  assert.deepEqual(names(), ["a", "held"]);
  const [waiting] = api.all("configmaps").filter((object) => object.metadata.name === "held");
  await client.update(configMaps, {
    ...waiting,
    metadata: { ...waiting.metadata, finalizers: [] },
  });
  await clock.advance(5_000);
  assert.deepEqual(names(), []);
  await manager.stop();
});

Deno.test("garbage: orphans are set free", async () => {
  const { clock, client, manager, api, names } = await world();
  const a = await client.create(configMaps, map("a"));
  await client.create(configMaps, map("b", [ownedBy(configMaps, a)]));
  await client.delete(configMaps, { namespace: "default", name: "a" }, {
    propagationPolicy: "Orphan",
  });
  await clock.advance(5_000);
  assert.deepEqual(names(), ["b"]);
  assert.equal(api.all("configmaps")[0].metadata.ownerReferences, undefined);
  await manager.stop();
});

Deno.test("garbage: an owner that informers lack is asked for before anything dies", async () => {
  const { clock, client, manager, api, names } = await world();
  api.holdWatches();
  const set = await client.create(replicaSets, {
    metadata: { name: "rs", namespace: "default" },
    spec: {
      replicas: 0,
      selector: { matchLabels: { a: "b" } },
      template: { metadata: { labels: { a: "b" } }, spec: { containers: [] } },
    },
  } as KubeObject);
  await client.create(configMaps, map("b", [ownedBy(replicaSets, set)]));
  await client.create(
    configMaps,
    map("lost", [{
      ...ownedBy(replicaSets, set),
      uid: "another-uid",
    }]),
  );
  api.releaseWatches();
  await clock.advance(5_000);
  assert.deepEqual(names(), ["b"], "a name is no owner, a uid is");
  await manager.stop();
});

Deno.test("garbage: one living owner is enough; the others are crossed out", () => {
  const row = garbageCollector(resources);
  const living = { ...map("living"), metadata: { ...map("living").metadata, uid: "l" } };
  const gone = { ...map("gone"), metadata: { ...map("gone").metadata, uid: "g" } };
  const owners = [ownedBy(configMaps, living), ownedBy(configMaps, gone)];
  const child = map("child", owners);
  child.metadata.uid = "c";
  const view = memoryView(row, [[configMaps, [living, child]]]);
  const key = `${resourceName(configMaps)} default/child`;
  const [action, ...others] = row.plan(key, { view, nowMillis: 0 });
  assert.equal(others.length, 0);
  assert.ok(action.kind === "patch");
  const body = action.body as { metadata: { ownerReferences: OwnerReference[] } };
  assert.deepEqual(body.metadata.ownerReferences.map((owner) => owner.uid), ["l"]);
  assert.equal(action.guards?.[0].kind, "absent");
});

Deno.test("garbage: objects of unknown owners are left alone", () => {
  const row = garbageCollector(resources);
  const owner = { apiVersion: "example.com/v1", kind: "Widget", name: "w", uid: "w" };
  const child: KubeObject = {
    metadata: { name: "p", namespace: "default", uid: "p", ownerReferences: [owner] },
  };
  const view = memoryView(row, [[pods, [child]]]);
  assert.deepEqual(row.plan("pods default/p", { view, nowMillis: 0 }), []);
});
