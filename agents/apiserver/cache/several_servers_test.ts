/**
 * Two servers of one store, the second of which hears of changes late.
 */
import assert from "node:assert/strict";
import { type FakeApi, startFakeApi } from "../../../tests/fakes/api_server.ts";
import { MemoryStore } from "../../../tests/fakes/memory_store.ts";
import { encodeKey } from "../registry.ts";
import type { WatchHandle, WatchNotice, WatchRequest } from "../../../store/mod.ts";

/** Shares another's data; its watches tell of changes only when asked how far they are. */
class LateStore extends MemoryStore {
  readonly #first: MemoryStore;
  asked = 0;
  /** Watches made so far. */
  opened = 0;
  /** Answers to progress requests are lost too. */
  isSilent = false;

  constructor(first: MemoryStore) {
    super();
    this.#first = first;
    for (const name of ["put", "deleteRange", "txn", "leaseGrant", "status"] as const) {
      Object.assign(this, { [name]: first[name].bind(first) });
    }
    Object.defineProperty(this, "revision", { get: () => first.revision });
  }

  override range(request: Parameters<MemoryStore["range"]>[0]) {
    if (request.countOnly) this.asked++;
    return this.failWith === null ? this.#first.range(request) : Promise.resolve(this.failWith);
  }

  override watch(request: WatchRequest, onNotice: (notice: WatchNotice) => void): WatchHandle {
    this.opened++;
    let held: WatchNotice[] = [];
    const handle = this.#first.watch(request, (notice) => void held.push(notice));
    const tell = () => {
      const notices = held;
      held = [];
      for (const notice of notices) onNotice(notice);
    };
    queueMicrotask(tell);
    return {
      requestProgress: () => {
        if (this.isSilent) return;
        handle.requestProgress();
        queueMicrotask(tell);
      },
      cancel: () => handle.cancel(),
    };
  }
}

async function withTwo(
  test: (servers: { prompt: FakeApi; late: FakeApi; store: LateStore }) => Promise<void>,
): Promise<void> {
  // Few numbers, so that two servers which choose by chance often choose the same.
  const ranges = { serviceCidr: "10.96.0.0/25", nodePorts: [30_000, 30_099] } as const;
  const prompt = await startFakeApi(ranges);
  const store = new LateStore(prompt.store);
  const late = await startFakeApi({ ...ranges, store, consistentReads: "quorum" });
  try {
    await test({ prompt, late, store });
  } finally {
    await late.close();
    await prompt.close();
  }
}

const MAPS = "/api/v1/namespaces/default/configmaps";
const SERVICES = "/api/v1/namespaces/default/services";
const map = (name: string) => ({ metadata: { name } });
const service = (name: string, type = "NodePort") => ({
  metadata: { name },
  spec: { type, ports: [{ port: 80 }] },
});

function names(items: { metadata: { name: string } }[]): string[] {
  return items.map(({ metadata }) => metadata.name);
}

Deno.test("a read shows what another server has written before it", () =>
  withTwo(async ({ prompt, late, store }) => {
    for (let i = 0; i < 5; i++) {
      await prompt.ask("POST", MAPS, map(`m${i}`));
      assert.equal((await late.ask("GET", `${MAPS}/m${i}`)).status, 200);
    }
    await prompt.ask("DELETE", `${MAPS}/m0`);
    const list = await late.ask("GET", MAPS);
    assert.deepEqual(names(list.json.items), [
      ...["m1", "m2", "m3", "m4"],
    ]);
    await prompt.ask("POST", MAPS, map("any"));
    assert.equal((await late.ask("GET", `${MAPS}/any?resourceVersion=0`)).status, 404);
    // Reads of one moment share one question of the store: the first asks, the others join a next.
    const before = store.asked;
    await Promise.all(Array.from({ length: 50 }, () => late.ask("GET", `${MAPS}/any`)));
    assert.equal(store.asked - before, 2);
  }));

Deno.test("without a quorum a fresh read is refused, an old one answered", () =>
  withTwo(async ({ late, store }) => {
    store.failWith = { kind: "timeout" };
    assert.equal((await late.ask("GET", MAPS)).status, 504);
    assert.equal((await late.ask("GET", `${MAPS}?resourceVersion=0`)).status, 200);
  }));

Deno.test("a watch of the store that falls silent is opened anew", () =>
  withTwo(async ({ prompt, late, store }) => {
    await prompt.ask("POST", MAPS, map("a"));
    store.isSilent = true;
    const opened = store.opened;
    const asked = late.ask("GET", `${MAPS}/a`);
    await new Promise((resolve) => setTimeout(resolve, 0));
    late.clock.advance(3000);
    assert.equal((await asked).status, 504);
    assert.equal(store.opened, opened + 1);
    store.isSilent = false;
    assert.equal((await late.ask("GET", `${MAPS}/a`)).status, 200);
  }));

Deno.test("servers that choose the same numbers give each to one service", () =>
  withTwo(async ({ prompt, late }) => {
    const given = new Set<string>();
    for (let i = 0; i < 20; i++) {
      for (const [name, server] of Object.entries({ prompt, late })) {
        const made = await server.ask("POST", SERVICES, service(`${name}-${i}`));
        assert.equal(made.status, 201, made.text);
        given.add(made.json.spec.clusterIP).add(String(made.json.spec.ports[0].nodePort));
      }
    }
    assert.equal(given.size, 80);
    const first = await prompt.ask("GET", `${SERVICES}/prompt-0`);
    const { clusterIP } = first.json.spec;
    const wanted = service("wanted", "ClusterIP");
    const named = { ...wanted, spec: { ...wanted.spec, clusterIP } };
    assert.equal((await late.ask("POST", SERVICES, named)).status, 422);
    await prompt.ask("DELETE", `${SERVICES}/prompt-0`);
    assert.equal((await late.ask("GET", `${SERVICES}/prompt-0`)).status, 404);
    const again = await late.ask("POST", SERVICES, named);
    assert.equal(again.status, 201, again.text);
  }));

Deno.test({
  name: "the kubernetes service leads to every server that is there",
  // Sockets close a little after their streams.
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    const place = { port: 0, startMillis: Date.now() };
    const first = await startFakeApi({ ...place, advertiseAddress: "10.0.0.2" });
    const { store } = first;
    const second = await startFakeApi({ ...place, store, advertiseAddress: "10.0.0.1" });
    const published = async () => {
      const url = "/api/v1/namespaces/default/endpoints/kubernetes";
      const { json } = await first.ask("GET", url);
      return json.subsets[0].addresses.map(({ ip }: { ip: string }) => ip);
    };
    await first.server.listen();
    assert.deepEqual(await published(), ["10.0.0.2"]);
    await second.server.listen();
    assert.deepEqual(await published(), ["10.0.0.1", "10.0.0.2"]);
    await second.close();
    assert.deepEqual(await published(), ["10.0.0.2"]);
    await first.close();
    const key = encodeKey("/balsa/apiservers/");
    const range = { kind: "range", key, rangeEnd: encodeKey("/balsa/apiservers0") } as const;
    const left = await store.range(range);
    assert(left.kind === "range" && left.kvs.length === 0);
  },
});
