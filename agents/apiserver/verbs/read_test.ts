/**
 * Lists in pages and at revisions; watches from everywhere.
 */
import assert from "node:assert/strict";
import { apiTest, podNamed, readEvents } from "../../../tests/fakes/api_server.ts";
import type { FakeApi } from "../../../tests/fakes/api_server.ts";

const PODS = "/api/v1/namespaces/default/pods";

interface Named {
  readonly metadata: { readonly name: string };
}

const namesOf = (list: { items: Named[] }) => list.items.map((item) => item.metadata.name);

async function makePods(api: FakeApi, names: readonly string[]): Promise<void> {
  for (const name of names) await api.ask("POST", PODS, podNamed(name, { app: name[0] }));
}

apiTest("pages of a list are of one revision", async (api) => {
  await makePods(api, ["a1", "a2", "a3", "b1", "b2"]);
  const first = await api.ask("GET", `${PODS}?limit=2`);
  assert.deepEqual(namesOf(first.json), ["a1", "a2"]);
  assert.equal(first.json.metadata.remainingItemCount, 3);
  await makePods(api, ["a25"]);
  await api.ask("DELETE", `${PODS}/b1`);
  const rest = `${PODS}?limit=2&continue=${first.json.metadata.continue}`;
  const second = await api.ask("GET", rest);
  assert.deepEqual(namesOf(second.json), ["a3", "b1"]);
  assert.equal(second.json.metadata.resourceVersion, first.json.metadata.resourceVersion);
  const third = await api.ask("GET", `${PODS}?continue=${second.json.metadata.continue}`);
  assert.deepEqual(namesOf(third.json), ["b2"]);
  assert.equal(third.json.metadata.continue, undefined);
});

apiTest("a page of a compacted revision is gone, with a token to go on", async (api) => {
  await makePods(api, ["a1", "a2", "a3"]);
  const first = await api.ask("GET", `${PODS}?limit=1`);
  await makePods(api, ["a4"]);
  await api.store.compact(api.store.revision);
  const second = await api.ask("GET", `${PODS}?continue=${first.json.metadata.continue}`);
  assert.equal(second.status, 410);
  assert.equal(second.json.reason, "Expired");
  const token = second.json.metadata.continue;
  const third = await api.ask("GET", `${PODS}?continue=${token}`);
  assert.deepEqual(namesOf(third.json), ["a2", "a3", "a4"]);
});

apiTest("selectors select by label and by indexed field", async (api) => {
  await makePods(api, ["a1", "b1"]);
  const user = { name: "system:kube-scheduler", groups: [] };
  await api.server.port.bindMany(user, [{ namespace: "default", name: "b1", nodeName: "n" }]);
  const byLabel = await api.ask("GET", `/api/v1/pods?labelSelector=app%20in%20(a)`);
  assert.deepEqual(namesOf(byLabel.json), ["a1"]);
  const byNode = await api.ask("GET", "/api/v1/pods?fieldSelector=spec.nodeName%3Dn");
  assert.deepEqual(namesOf(byNode.json), ["b1"]);
  const byName = await api.ask("GET", `${PODS}?fieldSelector=metadata.name%3Da1`);
  assert.deepEqual(namesOf(byName.json), ["a1"]);
});

apiTest("an exact list shows the past", async (api) => {
  await makePods(api, ["a1"]);
  const revision = api.store.revision;
  await makePods(api, ["a2"]);
  const query = `resourceVersion=${revision}&resourceVersionMatch=Exact`;
  const past = await api.ask("GET", `${PODS}?${query}`);
  assert.deepEqual(namesOf(past.json), ["a1"]);
  assert.equal(past.json.metadata.resourceVersion, String(revision));
  const bad = await api.ask("GET", `${PODS}?resourceVersionMatch=Exact`);
  assert.equal(bad.status, 422);
  assert.match(bad.json.message, /resourceVersionMatch is forbidden unless resourceVersion/);
});

apiTest("a watch from a revision tells what came after it", async (api) => {
  await makePods(api, ["a1"]);
  const { metadata } = (await api.ask("GET", PODS)).json;
  await makePods(api, ["a2"]);
  await api.ask("DELETE", `${PODS}/a1`);
  const watch = await api.ask(
    "GET",
    `${PODS}?watch=true&resourceVersion=${metadata.resourceVersion}`,
  );
  const events = await readEvents(watch, 2);
  assert.deepEqual(events.map((event) => [event.type, event.object.metadata.name]), [
    ["ADDED", "a2"],
    ["DELETED", "a1"],
  ]);
  assert.equal(events[1].object.metadata.resourceVersion, String(api.store.revision));
});

apiTest("objects enter and leave a selection", async (api) => {
  await makePods(api, ["a1", "b1"]);
  const watch = await api.ask("GET", `${PODS}?watch=1&labelSelector=app%3Da`);
  const label = (name: string, app: string) =>
    api.ask("PATCH", `${PODS}/${name}`, { metadata: { labels: { app } } }, {
      headers: { "content-type": "application/merge-patch+json" },
    });
  await label("b1", "a");
  await label("a1", "c");
  await label("b1", "a");
  await label("b1", "z");
  const events = await readEvents(watch, 4);
  assert.deepEqual(events.map((event) => [event.type, event.object.metadata.name]), [
    ["ADDED", "a1"],
    ["ADDED", "b1"],
    ["DELETED", "a1"],
    ["DELETED", "b1"],
  ]);
  assert.equal(events[2].object.metadata.labels.app, "a");
});

apiTest("a watch-list ends its initial events with a marked bookmark", async (api) => {
  await makePods(api, ["a1"]);
  const query = "watch=true&sendInitialEvents=true&allowWatchBookmarks=true" +
    "&resourceVersionMatch=NotOlderThan";
  const watch = await api.ask("GET", `${PODS}?${query}`);
  const events = await readEvents(watch, 2);
  assert.equal(events[0].type, "ADDED");
  assert.equal(events[1].type, "BOOKMARK");
  assert.equal(events[1].object.kind, "Pod");
  assert.equal(events[1].object.metadata.annotations["k8s.io/initial-events-end"], "true");
  assert.equal(events[1].object.metadata.resourceVersion, String(api.store.revision));
  const bad = await api.ask("GET", `${PODS}?watch=true&sendInitialEvents=true`);
  assert.equal(bad.status, 422);
});

apiTest("bookmarks come each minute to those who asked", async (api) => {
  const watch = await api.ask("GET", `${PODS}?watch=true&allowWatchBookmarks=true`);
  api.clock.advance(60_000);
  const [event] = await readEvents(watch, 1);
  assert.equal(event.type, "BOOKMARK");
  assert.equal(event.object.metadata.resourceVersion, String(api.store.revision));
});

apiTest("a watch ends at its timeout", async (api) => {
  const watch = await api.ask("GET", `${PODS}?watch=true&timeoutSeconds=5`);
  api.clock.advance(5000);
  assert.deepEqual(await readEvents(watch, 1), []);
});

apiTest("a watch from a forgotten revision is gone", async (api) => {
  await makePods(api, Array.from({ length: 20 }, (_, i) => `a${i}`));
  const watch = await api.ask("GET", `${PODS}?watch=true&resourceVersion=5`);
  assert.equal(watch.status, 410);
  assert.equal(watch.json.reason, "Expired");
  assert.match(watch.json.message, /^too old resource version: 5 \(\d+\)$/);
}, { watchHistory: 16 });

apiTest("a watcher that does not read is ended", async (api) => {
  const watch = await api.ask("GET", `${PODS}?watch=true`);
  await makePods(api, Array.from({ length: 40 }, (_, i) => `a${i}`));
  const events = await readEvents(watch, 1000);
  assert.equal(events.length, 0);
}, { watchQueue: 16 });

apiTest("a broken store watch is told as the difference", async (api) => {
  await makePods(api, ["a1"]);
  const watch = await api.ask("GET", `${PODS}?watch=true`);
  api.store.cancelWatchers("too slow");
  const key = new TextEncoder().encode("/registry/pods/default/a1");
  await api.store.deleteRange({ kind: "deleteRange", key });
  const events = await readEvents(watch, 2);
  assert.deepEqual(events.map((event) => event.type), ["ADDED", "DELETED"]);
  assert.equal((await api.ask("GET", `${PODS}/a1`)).status, 404);
});

apiTest("a watch as Table sends the columns once", async (api) => {
  await makePods(api, ["a1", "a2"]);
  const headers = { accept: "application/json;as=Table;v=v1;g=meta.k8s.io" };
  const watch = await api.ask("GET", `${PODS}?watch=true`, undefined, { headers });
  const events = await readEvents(watch, 2);
  assert.equal(events[0].object.kind, "Table");
  assert(events[0].object.columnDefinitions.length > 1);
  assert.equal(events[1].object.columnDefinitions.length, 0);
  assert.equal(events[1].object.rows[0].cells[0], "a2");
});

apiTest("a state larger than the queue is no reason to end a watch", async (api) => {
  await makePods(api, Array.from({ length: 40 }, (_, i) => `a${i}`));
  const watch = await api.ask("GET", `${PODS}?watch=true`);
  await makePods(api, ["b1"]);
  assert.equal((await readEvents(watch, 41)).length, 41);
}, { watchQueue: 16 });
