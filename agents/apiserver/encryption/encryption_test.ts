/**
 * Values at rest: sealed in the store, plain above it, from one key to the next, and what happens
 * where the key is gone.
 */
import assert from "node:assert/strict";
import { createDecipheriv } from "node:crypto";
import fc from "fast-check";
import { type FakeApi, readEvents, withApi } from "../../../tests/fakes/api_server.ts";
import { MemoryStore } from "../../../tests/fakes/memory_store.ts";
import { aesCbc, aesGcm } from "./ciphers.ts";
import { type EncryptionRule, parseEncryption } from "./config.ts";

const FIRST = "a".repeat(32);
const SECOND = "b".repeat(32);

function rulesOf(resources: string[], ...providers: unknown[]): readonly EncryptionRule[] {
  const text = JSON.stringify({
    apiVersion: "apiserver.config.k8s.io/v1",
    kind: "EncryptionConfiguration",
    resources: [{ resources, providers }],
  });
  const read = parseEncryption(text);
  assert(read.kind === "encryption", JSON.stringify(read));
  return read.rules;
}

const gcm = (...keys: [string, string][]) => ({
  aesgcm: { keys: keys.map(([name, secret]) => ({ name, secret: btoa(secret) })) },
});
const cbc = (name: string, secret: string) => ({
  aescbc: { keys: [{ name, secret: btoa(secret) }] },
});
const PLAIN = { identity: {} };

const SECRETS = "/api/v1/namespaces/default/secrets";
const secretNamed = (name: string) => ({ metadata: { name }, stringData: { password: "hunter2" } });

/** Bytes of one key as the store holds them, as text. */
async function rawOf(store: MemoryStore, key: string): Promise<Uint8Array> {
  const answer = await store.range({ kind: "range", key: new TextEncoder().encode(key) });
  assert(answer.kind === "range" && answer.kvs.length === 1, key);
  return answer.kvs[0].value;
}

const textOf = (bytes: Uint8Array) => new TextDecoder("latin1").decode(bytes);
const KEY = "/registry/secrets/default/s";

const withSealing = (
  store: MemoryStore,
  encryption: readonly EncryptionRule[] | null,
  run: (api: FakeApi) => Promise<void>,
) => withApi(run, { store, encryption });

Deno.test("what is sealed opens again, for its place and key alone", () => {
  const bytes = fc.uint8Array({ maxLength: 200 });
  fc.assert(
    fc.property(bytes, bytes, fc.nat(), (value, place, at) => {
      for (const size of [16, 32]) {
        const key = new Uint8Array(size).fill(7);
        const other = new Uint8Array(size).fill(8);
        const sealed = aesGcm(key).seal(value, place);
        assert.deepEqual(aesGcm(key).open(sealed, place), value);
        assert.equal(aesGcm(other).open(sealed, place), null);
        assert.equal(aesGcm(key).open(sealed, new Uint8Array([...place, 1])), null);
        const bent = sealed.slice();
        bent[at % bent.length] ^= 1;
        assert.equal(aesGcm(key).open(bent, place), null);
        assert.deepEqual(aesCbc(key).open(aesCbc(key).seal(value, place), place), value);
        assert.equal(aesCbc(key).open(sealed.subarray(0, 17), place), null);
      }
    }),
    { numRuns: 50, seed: 3 },
  );
});

Deno.test("the store holds no plain text, and clients read nothing else", async () => {
  const store = new MemoryStore();
  const rules = rulesOf(["secrets", "configmaps"], gcm(["one", FIRST]), PLAIN);
  await withSealing(store, rules, async (api) => {
    const watch = await api.ask("GET", `${SECRETS}?watch=true`);
    assert.equal((await api.ask("POST", SECRETS, secretNamed("s"))).status, 201);
    const raw = await rawOf(store, KEY);
    assert(textOf(raw).startsWith("k8s:enc:aesgcm:v1:one:"));
    for (const word of ["hunter2", btoa("hunter2"), "Opaque", "default"]) {
      assert(!textOf(raw).includes(word), word);
    }
    const read = (await api.ask("GET", `${SECRETS}/s`)).json;
    assert.equal(atob(read.data.password), "hunter2");
    const list = (await api.ask("GET", SECRETS)).json;
    assert.equal(atob(list.items[0].data.password), "hunter2");
    const [event] = await readEvents(watch, 1);
    assert.equal(atob(event.object.data.password), "hunter2");
    // A list of the past is read from the store itself.
    const version = list.metadata.resourceVersion;
    const past = `${SECRETS}?resourceVersion=${version}&resourceVersionMatch=Exact`;
    assert.equal(atob((await api.ask("GET", past)).json.items[0].data.password), "hunter2");
    // The tag is that of the key path, as upstream binds it.
    const body = raw.subarray("k8s:enc:aesgcm:v1:one:".length);
    const decipher = createDecipheriv("aes-256-gcm", FIRST, body.subarray(0, 12));
    decipher.setAAD(new TextEncoder().encode(KEY));
    decipher.setAuthTag(body.subarray(body.length - 16));
    const plain = decipher.update(body.subarray(12, body.length - 16), undefined, "utf8");
    assert.equal(JSON.parse(plain + decipher.final("utf8")).kind, "Secret");
    const account = await rawOf(store, "/registry/serviceaccounts/default/default");
    assert.equal(textOf(account)[0], "{", "what nobody asked to seal is plain");
  });
});

Deno.test("keys rotate: the first writes, all read, a write that changes nothing seals anew", async () => {
  const store = new MemoryStore();
  await withSealing(store, null, async (api) => {
    await api.ask("POST", SECRETS, secretNamed("s"));
  });
  const stages: [unknown[], string][] = [
    [[gcm(["one", FIRST]), PLAIN], "k8s:enc:aesgcm:v1:one:"],
    [[gcm(["two", SECOND], ["one", FIRST])], "k8s:enc:aesgcm:v1:two:"],
    [[cbc("three", FIRST), gcm(["two", SECOND])], "k8s:enc:aescbc:v1:three:"],
    [[PLAIN, cbc("three", FIRST)], "{"],
  ];
  for (const [providers, head] of stages) {
    await withSealing(store, rulesOf(["*."], ...providers), async (api) => {
      const before = textOf(await rawOf(store, KEY));
      assert(!before.startsWith(head));
      const read = await api.ask("GET", `${SECRETS}/s`);
      assert.equal(atob(read.json.data.password), "hunter2");
      assert.equal((await api.ask("PUT", `${SECRETS}/s`, read.json)).status, 200);
      const after = textOf(await rawOf(store, KEY));
      assert(after.startsWith(head), `${after.slice(0, 30)} is not ${head}`);
      const again = await api.ask(
        "PUT",
        `${SECRETS}/s`,
        (await api.ask("GET", `${SECRETS}/s`)).json,
      );
      assert.equal(again.status, 200);
      assert.equal(textOf(await rawOf(store, KEY)), after, "and then writes nothing");
    });
  }
});

Deno.test("without its key an object is there, unreadable, and says which one it is", async () => {
  const store = new MemoryStore();
  const sealing = rulesOf(["secrets", "pods"], gcm(["one", FIRST]));
  await withSealing(store, sealing, async (api) => {
    await api.ask("POST", SECRETS, secretNamed("s"));
    await api.ask("POST", "/api/v1/namespaces/default/pods", {
      metadata: { name: "p" },
      spec: { containers: [{ name: "c", image: "i" }], nodeName: "n" },
    });
  });
  for (const rules of [rulesOf(["secrets", "pods"], gcm(["one", SECOND]), PLAIN), null]) {
    await withSealing(store, rules, async (api) => {
      const paths = [
        `${SECRETS}/s`,
        SECRETS,
        `${SECRETS}?labelSelector=a=b`,
        `${SECRETS}?watch=true`,
      ];
      for (const path of paths) {
        const { status, json, text } = await api.ask("GET", path);
        assert.equal(status, 500, path);
        assert.equal(json.reason, "InternalError");
        assert.match(json.message, /unable to transform key "\/registry\/secrets\/default\/s"/);
        assert(!text.includes("hunter2"));
      }
      assert.equal((await api.ask("GET", "/api/v1/pods")).status, 500);
      assert.equal((await api.ask("DELETE", `${SECRETS}/s`)).status, 500);
      assert.equal((await api.ask("GET", "/api/v1/namespaces")).status, 200);
      const other = await api.ask("POST", SECRETS, secretNamed("other"));
      assert.equal(other.status, 201, "new ones are written and read");
      assert.equal((await api.ask("GET", `${SECRETS}/other`)).status, 200);
      await api.ask("DELETE", `${SECRETS}/other`);
    });
  }
});

Deno.test("a configuration that can't be kept is refused by name, without its keys", () => {
  const key = { name: "k", secret: btoa("c".repeat(32)) };
  const rows: [unknown, RegExp][] = [
    [{ resources: ["secrets"], providers: [{ secretbox: { keys: [key] } }] }, /secretbox .*not/],
    [{ resources: ["secrets"], providers: [{ kms: { name: "x" } }] }, /kms is not offered/],
    [{ resources: ["secrets"], providers: [{ rot13: {} }] }, /rot13/],
    [{ resources: ["secrets"], providers: [{}] }, /does not contain any/],
    [
      { resources: ["secrets"], providers: [{ identity: {}, aesgcm: { keys: [key] } }] },
      /more than one provider/,
    ],
    [
      {
        resources: ["secrets"],
        providers: [{ aesgcm: { keys: [{ name: "k", secret: "YWJj" }] } }],
      },
      /got 3, expected 16 or 32/,
    ],
    [
      { resources: ["secrets"], providers: [{ aesgcm: { keys: [{ name: "k", secret: "???" }] } }] },
      /base64/,
    ],
    [
      {
        resources: ["secrets"],
        providers: [{ aescbc: { keys: [{ name: "k", secret: btoa("x".repeat(24)) }] } }],
      },
      /AES-192 is not offered/,
    ],
    [{ resources: ["*"], providers: [PLAIN] }, /use '\*\.'/],
    [{ resources: ["secrets", "*."], providers: [PLAIN] }, /overlapping/],
    [{ resources: ["Secrets"], providers: [PLAIN] }, /capital/],
    [{ resources: [], providers: [PLAIN] }, /at least one resources/],
    [{ resources: ["secrets"], providers: [] }, /at least one providers/],
  ];
  for (const [entry, problem] of rows) {
    const text = JSON.stringify({
      apiVersion: "apiserver.config.k8s.io/v1",
      kind: "EncryptionConfiguration",
      resources: [entry],
    });
    const read = parseEncryption(text);
    assert(read.kind === "malformed", text);
    assert.match(read.problems.join("\n"), problem);
    assert(!read.problems.join("\n").includes(key.secret));
  }
});
