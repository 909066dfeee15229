/** Lists that take several turns of the thread: whole, of one moment, and nobody waits for them. */
import assert from "node:assert/strict";
import { type FakeApi, readEvents, startFakeApi } from "../../../tests/fakes/api_server.ts";
import { MemoryStore } from "../../../tests/fakes/memory_store.ts";
import { encodeKey } from "../registry.ts";

const MAPS = "/api/v1/namespaces/default/configmaps";
/** Enough for several turns where each object must be decoded. */
const OBJECTS = 6_000;

const names = Array.from({ length: OBJECTS }, (_, i) => `m${String(i).padStart(5, "0")}`);

function put(store: MemoryStore, name: string, value: string): void {
  const metadata = { name, namespace: "default", uid: name, labels: { app: "x" } };
  const object = { kind: "ConfigMap", apiVersion: "v1", metadata, data: { value } };
  void store.put({
    kind: "put",
    key: encodeKey(`/registry/configmaps/default/${name}`),
    value: new TextEncoder().encode(JSON.stringify(object)),
  });
}

async function withMany(test: (api: FakeApi) => Promise<void>): Promise<void> {
  const store = new MemoryStore();
  for (const name of names) put(store, name, "before");
  const api = await startFakeApi({ store });
  try {
    await test(api);
  } finally {
    await api.close();
  }
}

/** Changes objects, turn by turn, until the promise is settled. @returns revisions by name */
async function changeDuring(
  store: MemoryStore,
  promise: Promise<unknown>,
): Promise<Map<string, number>> {
  let isOver = false;
  const changes = new Map<string, number>();
  const settled = promise.finally(() => isOver = true);
  for (let i = 0; !isOver; i++) {
    const name = names[(i * 997) % OBJECTS];
    put(store, name, "after");
    changes.set(name, store.revision);
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
  await settled;
  return changes;
}

Deno.test("a list of many turns shows one moment", () =>
  withMany(async (api) => {
    const asked = api.ask("GET", `${MAPS}?labelSelector=app%3Dx`);
    const changes = await changeDuring(api.store, asked);
    assert.ok(changes.size > 2, "the list took one turn");
    const { json } = await asked;
    assert.equal(json.items.length, OBJECTS);
    const revision = Number(json.metadata.resourceVersion);
    const isSeen = (name: string) => (changes.get(name) ?? Infinity) <= revision;
    assert.ok(
      names.some((name) => changes.has(name) && !isSeen(name)),
      "nothing changed meanwhile",
    );
    json.items.forEach((item: { metadata: Record<string, string>; data: object }, i: number) => {
      assert.equal(item.metadata.name, names[i]);
      assert.deepEqual(item.data, { value: isSeen(names[i]) ? "after" : "before" }, names[i]);
    });
  }));

Deno.test("a small request is answered while a list is made", () =>
  withMany(async (api) => {
    let isOver = false;
    const asked = api.ask("GET", `${MAPS}?labelSelector=app%3Dx`).finally(() => isOver = true);
    await new Promise((resolve) => setTimeout(resolve, 0));
    assert.equal((await api.ask("GET", `${MAPS}/m00001`)).status, 200);
    assert.equal(isOver, false);
    await asked;
  }));

Deno.test("a watch tells the state of many turns, then what has happened since", () =>
  withMany(async (api) => {
    const query = "watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan" +
      "&allowWatchBookmarks=true&labelSelector=app%3Dx";
    const watch = await api.ask("GET", `${MAPS}?${query}`);
    const reading = readEvents(watch, OBJECTS + 2);
    const changes = await changeDuring(api.store, reading);
    assert.ok(changes.size > 2, "the state took one turn");
    const events = await reading;
    const first = events.slice(0, OBJECTS);
    assert.deepEqual(first.map(({ object }) => object.metadata.name), names);
    assert.ok(
      first.every(({ type, object }) => type === "ADDED" && object.data.value === "before"),
    );
    const [bookmark, change] = events.slice(OBJECTS);
    assert.equal(bookmark.type, "BOOKMARK");
    assert.equal(change.type, "MODIFIED");
    assert.equal(change.object.metadata.name, names[0]);
  }));

Deno.test("a table and a protobuf list of many turns are whole", () =>
  withMany(async (api) => {
    const table = await api.ask("GET", MAPS, undefined, {
      headers: { accept: "application/json;as=Table;v=v1;g=meta.k8s.io" },
    });
    assert.equal(table.json.kind, "Table");
    assert.deepEqual(table.json.rows.map((row: { cells: string[] }) => row.cells[0]), names);
    const protobuf = await api.ask("GET", MAPS, undefined, {
      headers: { accept: "application/vnd.kubernetes.protobuf" },
    });
    for (const name of [names[0], names[OBJECTS - 1]]) assert.ok(protobuf.text.includes(name));
  }));
