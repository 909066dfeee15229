/** The same cases on each implementation of Client: the direct call, HTTP/1.1 and HTTP/2. */
import assert from "node:assert/strict";
import { pods } from "../api/resources.ts";
import { ApiError } from "../api/status.ts";
import type { KubeObject, WatchEvent } from "../api/meta.ts";
import { failure, MemoryApi } from "../../tests/fakes/memory_api.ts";
import { serveHttps } from "../../tests/fakes/https_api.ts";
import { ManualClock } from "../../tests/fakes/manual_clock.ts";
import type { Client } from "./client.ts";
import { createHttpsClient, pathOf } from "./https.ts";

interface World {
  readonly api: MemoryApi;
  readonly client: Client;
}

const implementations: Record<string, (test: (world: World) => Promise<void>) => Promise<void>> = {
  "in process": async (test) => {
    const api = new MemoryApi(new ManualClock());
    await test({ api, client: api.client() });
  },
  "HTTP/1.1": (test) => overHttps("http/1.1", test),
  "HTTP/2": (test) => overHttps("h2", test),
};

async function overHttps(
  protocol: "http/1.1" | "h2",
  test: (world: World) => Promise<void>,
): Promise<void> {
  const api = new MemoryApi(new ManualClock());
  const face = await serveHttps(api, protocol);
  const client = createHttpsClient(face);
  try {
    await test({ api, client });
  } finally {
    client.close();
    await face.close();
  }
}

const pod = (name: string, labels: Record<string, string> = {}): KubeObject => ({
  metadata: { name, namespace: "default", labels },
  spec: { containers: [] },
});

const cases: Record<string, (world: World) => Promise<void>> = {
  "an object's life": async ({ client }) => {
    const created = await client.create(pods, pod("web"));
    assert.equal(created.kind, "Pod");
    assert.ok(created.metadata.uid);
    const place = { namespace: "default", name: "web" };
    assert.deepEqual(await client.get(pods, place), created);
    const updated = await client.update(pods, {
      ...created,
      metadata: { ...created.metadata, labels: { a: "b" } },
    });
    assert.equal(updated.metadata.labels?.a, "b");
    const patched = await client.patch(pods, { ...place, subresource: "status" }, {
      type: "application/merge-patch+json",
      body: { status: { phase: "Running" } },
    });
    assert.equal(patched.status.phase, "Running");
    await client.delete(pods, place, { gracePeriodSeconds: 0 });
    await assert.rejects(client.get(pods, place), isApiError("NotFound", 404));
  },

  "failures arrive as ApiError with the server's Status": async ({ client, api }) => {
    await client.create(pods, pod("web"));
    await assert.rejects(client.create(pods, pod("web")), isApiError("AlreadyExists", 409));
    const stale = { ...pod("web"), metadata: { ...pod("web").metadata, resourceVersion: "1" } };
    await assert.rejects(client.update(pods, stale), isApiError("Conflict", 409));
    api.beforeCall = () => {
      throw failure(403, "Forbidden", "no");
    };
    await assert.rejects(client.list(pods), isApiError("Forbidden", 403));
  },

  "lists select by namespace and label": async ({ client }) => {
    await client.create(pods, pod("a", { app: "x" }));
    await client.create(pods, pod("b", { app: "y" }));
    await client.create(pods, {
      ...pod("c", { app: "x" }),
      metadata: { name: "c", namespace: "o" },
    });
    const names = async (options: Parameters<Client["list"]>[1]) =>
      (await client.list(pods, options)).items.map((item) => item.metadata.name);
    assert.deepEqual(await names({}), ["a", "b", "c"]);
    assert.deepEqual(await names({ namespace: "default" }), ["a", "b"]);
    assert.deepEqual(await names({ namespace: "default", labelSelector: "app=x" }), ["a"]);
    await client.deleteCollection(pods, { namespace: "default", list: { labelSelector: "app=y" } });
    assert.deepEqual(await names({}), ["a", "c"]);
  },

  "a watch resumes, follows, and ends when closed": async ({ client, api }) => {
    const first = await client.create(pods, pod("Grün"));
    const stream = await client.watch(pods, {
      resourceVersion: String(Number(first.metadata.resourceVersion) - 1),
    });
    const got: WatchEvent[] = [];
    const reading = (async () => {
      for await (const batch of stream) {
        got.push(...batch);
        if (got.length >= 3) break;
      }
    })();
    await client.create(pods, pod("b"));
    await client.delete(pods, { namespace: "default", name: "b" });
    await reading;
    assert.deepEqual(
      got.map((event) => `${event.type} ${event.object.metadata.name}`),
      ["ADDED Grün", "ADDED b", "DELETED b"],
    );
    while (api.watcherCount > 0) await new Promise((resolve) => setTimeout(resolve, 1));
  },

  "a report is written, and who has to go goes; each has an outcome": async ({ client, api }) => {
    const [stays, goes] = await Promise.all(
      ["a", "b"].map((name) => client.create(pods, pod(name))),
    );
    const condition = { type: "PodScheduled", status: "False", reason: "Unschedulable" } as const;
    const of = ({ metadata: { name, uid } }: KubeObject) =>
      ({ namespace: "default", name: name!, uid: uid!, evicts: false }) as const;
    const outcomes = await client.reportMany([
      { ...of(stays), condition, nominatedNodeName: "n1" },
      { ...of(goes), condition, evicts: true },
      { ...of(goes), name: "none", condition },
    ]);
    assert.deepEqual(outcomes.slice(0, 2), [null, null]);
    assert.match(String(outcomes[2]), /"none" not found/);
    const [left, ...others] = api.all("pods");
    assert.equal(others.length, 0);
    assert.deepEqual(left.status, { conditions: [condition], nominatedNodeName: "n1" });
    await client.reportMany([{ ...of(stays), nominatedNodeName: "" }]);
    assert.equal(api.all("pods")[0].status.nominatedNodeName ?? null, null);
  },

  "an expired watch is refused": async ({ client, api }) => {
    await client.create(pods, pod("a"));
    api.compact();
    await assert.rejects(client.watch(pods, { resourceVersion: "1" }), isApiError("Expired", 410));
  },
};

for (const [implementation, withWorld] of Object.entries(implementations)) {
  for (const [name, test] of Object.entries(cases)) {
    Deno.test(`client, ${implementation}: ${name}`, () => withWorld(test));
  }
}

Deno.test("client, in process: many bindings have an outcome each", async () => {
  const api = new MemoryApi(new ManualClock());
  const client = api.client();
  await client.create(pods, pod("a"));
  const to = { namespace: "default", nodeName: "n1" };
  const outcomes = await client.bindMany([{ ...to, name: "a" }, { ...to, name: "b" }]);
  assert.equal(outcomes[0], null);
  assert.match(String(outcomes[1]), /not found/);
});

for (const protocol of ["http/1.1", "h2"] as const) {
  Deno.test(`client, ${protocol}: shows certificate or token, trusts its authority only`, async () => {
    const face = await serveHttps(new MemoryApi(new ManualClock()), protocol);
    const { server, ca, certificate, privateKey } = face;
    const asAlice = createHttpsClient({ server, ca, certificate, privateKey });
    const asToken = createHttpsClient({ server, ca, token: () => "secret", userAgent: "t" });
    const asStranger = createHttpsClient({ server });
    try {
      await asAlice.list(pods);
      await asToken.list(pods);
      assert.deepEqual(face.seen, ["balsa | alice", "t | Bearer secret"]);
      await assert.rejects(asStranger.list(pods), isApiError("ServiceUnavailable", 503));
    } finally {
      for (const client of [asAlice, asToken, asStranger]) client.close();
      await face.close();
    }
  });
}

Deno.test("client, https: paths escape names and leave out what is undefined", () => {
  const path = pathOf(pods, { namespace: "a b", name: "x/y", subresource: "log" }, {
    limit: 5,
    continue: undefined,
    labelSelector: "a=b,c!=d",
  });
  const expected = "/api/v1/namespaces/a%20b/pods/x%2Fy/log?limit=5&labelSelector=a%3Db%2Cc!%3Dd";
  assert.equal(path, expected);
});

function isApiError(reason: string, code: number): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof ApiError, String(error));
    assert.equal(error.reason, reason);
    assert.equal(error.code, code);
    return true;
  };
}
