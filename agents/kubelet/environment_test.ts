/** Environment of a container: sources, order, expansion, missing references. */
import assert from "node:assert/strict";
import type { KubeObject } from "../api/meta.ts";
import { expand, resolveEnvironment, serviceEnvironment } from "./environment.ts";

const POD: KubeObject = {
  metadata: { name: "web", namespace: "default", uid: "u1", labels: { app: "w" } },
  spec: { nodeName: "n1", containers: [] },
};

function resolve(container: object) {
  const objects: Record<string, KubeObject> = {
    "configMap/settings": { metadata: {}, data: { A: "1", B: "2" } },
    "secret/keys": { metadata: {}, data: { PASS: btoa("s3cret") } },
  };
  return resolveEnvironment(POD, container, {
    lookup: (kind, name) => Promise.resolve(objects[`${kind}/${name}`] ?? null),
    services: {},
    hostIP: "192.0.2.1",
    podIPs: ["10.0.0.1"],
  });
}

const asObject = (pairs: { name: string; value: string }[]) =>
  Object.fromEntries(pairs.map(({ name, value }) => [name, value]));

Deno.test("literals, references, pod fields, resources; later wins", async () => {
  const env = await resolve({
    resources: { limits: { cpu: "1500m", memory: "64Mi" } },
    envFrom: [{ configMapRef: { name: "settings" }, prefix: "P_" }],
    env: [
      { name: "P_A", value: "over" },
      { name: "JOINED", value: "$(P_A)-$(P_B)-$$(P_A)-$(NONE)" },
      { name: "PASS", valueFrom: { secretKeyRef: { name: "keys", key: "PASS" } } },
      { name: "IP", valueFrom: { fieldRef: { fieldPath: "status.podIP" } } },
      { name: "APP", valueFrom: { fieldRef: { fieldPath: "metadata.labels['app']" } } },
      { name: "CPU", valueFrom: { resourceFieldRef: { resource: "limits.cpu" } } },
      {
        name: "MEM",
        valueFrom: { resourceFieldRef: { resource: "limits.memory", divisor: "1Mi" } },
      },
      { name: "GONE", valueFrom: { configMapKeyRef: { name: "x", key: "y", optional: true } } },
    ],
  });
  assert.deepEqual(asObject(env), {
    P_A: "over",
    P_B: "2",
    JOINED: "over-2-$(P_A)-$(NONE)",
    PASS: "s3cret",
    IP: "10.0.0.1",
    APP: "w",
    CPU: "2",
    MEM: "64",
  });
});

Deno.test("what is missing is named", async () => {
  const secret = { name: "S", valueFrom: { secretKeyRef: { name: "none", key: "k" } } };
  await assert.rejects(resolve({ env: [secret] }), /secret "none" not found/);
  const key = { name: "S", valueFrom: { configMapKeyRef: { name: "settings", key: "Z" } } };
  await assert.rejects(
    resolve({ env: [key] }),
    /couldn't find key Z in ConfigMap default\/settings/,
  );
});

Deno.test("expansion leaves unknown names and doubled dollars", () => {
  assert.equal(expand("$(A) $(B) $$(A) $", new Map([["A", "x"]])), "x $(B) $(A) $");
});

Deno.test("services become variables", () => {
  const service = {
    metadata: { name: "my-db" },
    spec: { clusterIP: "10.96.0.9", ports: [{ name: "sql", port: 5432 }] },
  };
  const env = serviceEnvironment([service]);
  assert.equal(env.MY_DB_SERVICE_HOST, "10.96.0.9");
  assert.equal(env.MY_DB_SERVICE_PORT_SQL, "5432");
  assert.equal(env.MY_DB_PORT_5432_TCP_ADDR, "10.96.0.9");
});
