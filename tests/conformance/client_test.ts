/** Both clients against the real API server: the same answers, errors and watches. */
import assert from "node:assert/strict";
import { createApiServer, DEFAULT_CONFIG, randomFrom } from "../../agents/apiserver/mod.ts";
import type { KubeletPort } from "../../agents/apiserver/ports.ts";
import type { KubeObject } from "../../agents/api/meta.ts";
import { configMaps } from "../../agents/api/resources.ts";
import { ApiError } from "../../agents/api/status.ts";
import type { Client } from "../../agents/client/client.ts";
import { systemClock } from "../../agents/client/clock.ts";
import { createHttpsClient } from "../../agents/client/https.ts";
import { createInProcessClient } from "../../agents/client/in_process.ts";
import { Informer } from "../../agents/client/informer.ts";
import { MemoryStore } from "../fakes/memory_store.ts";

async function withServer(test: (clients: Record<string, Client>) => Promise<void>) {
  const pkiDirectory = await Deno.makeTempDir();
  const server = await createApiServer({ ...DEFAULT_CONFIG, port: 0, pkiDirectory }, {
    store: new MemoryStore(),
    clock: { ...systemClock, every: () => () => {} },
    random: randomFrom((bytes) => void crypto.getRandomValues(bytes as Uint8Array<ArrayBuffer>)),
    log: () => {},
    kubelets: {} as KubeletPort,
  });
  const port = await server.listen();
  const { ca, admin } = server.pki;
  const https = createHttpsClient({
    server: `https://127.0.0.1:${port}`,
    ca: ca.certificate,
    certificate: admin.certificate,
    privateKey: admin.key,
  });
  const user = { name: "admin", groups: ["system:masters"] };
  try {
    await test({ "in-process": createInProcessClient({ port: server.port, user }), https });
  } finally {
    https.close();
    await server.close();
    await Deno.remove(pkiDirectory, { recursive: true });
  }
}

Deno.test({
  name: "clients: direct and HTTPS give the same objects, errors and watches",
  // Kept connections close a moment after the test's last line.
  sanitizeOps: false,
  sanitizeResources: false,
  fn: () =>
    withServer(async (clients) => {
      for (const [name, client] of Object.entries(clients)) {
        const informer = new Informer({
          client,
          clock: systemClock,
          resource: configMaps,
          watchList: name === "https",
        });
        informer.start();
        await informer.whenSynced();
        const place = { namespace: "default", name };
        const draft: KubeObject = { metadata: place, data: { a: "b" } };
        const made = await client.create(configMaps, draft);
        assert.ok(made.metadata.uid);
        await reached(informer, made);
        assert.deepEqual(informer.lister.get(place)?.data, { a: "b" });

        await assert.rejects(client.create(configMaps, draft), hasReason("AlreadyExists"));
        await client.update(configMaps, { ...made, data: { a: "c" } });
        const stale = client.update(configMaps, { ...made, data: { a: "d" } });
        await assert.rejects(stale, hasReason("Conflict"));
        for (const [reader, other] of Object.entries(clients)) {
          const read = await other.get<KubeObject>(configMaps, place);
          assert.deepEqual(read.data, { a: "c" }, reader);
        }
        await client.delete(configMaps, place);
        await assert.rejects(client.get(configMaps, place), hasReason("NotFound"));
        while (informer.lister.get(place) !== undefined) await pause();
        informer.stop();
      }
    }),
});

async function reached(informer: Informer, object: KubeObject): Promise<void> {
  while (!informer.hasReached(object.metadata.resourceVersion!)) await pause();
}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 5));
}

function hasReason(reason: string): (error: unknown) => boolean {
  return (error) => error instanceof ApiError && error.reason === reason;
}
