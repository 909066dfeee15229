/**
 * Values that somebody writes past the API server, under the keys of every kind at once.
 * In: `balsa up` whose store is open to etcdctl. Out: it stays up, starts again on them, and goes
 * on once they are gone.
 * Never: a value that the API server would have written.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import type { Resource } from "../../../agents/api/resource.ts";
import { resources } from "../../../agents/api/resources.ts";
import { storageKey, storagePrefix } from "../../../agents/apiserver/registry.ts";
import { freePort } from "../../free_port.ts";
import { HOLLOW, Kubectl, startCluster } from "../cluster.ts";
import { systemTest } from "../tools.ts";
import { Etcdctl, withFolder } from "./member_process.ts";

const stored = resources.filter(({ storedAs }) => storedAs === undefined);
const keyOf = (row: Resource) =>
  storageKey(storagePrefix(row), row.namespaced ? "default" : "", "foreign");

/** What every field of a kind may hold instead of what it should. */
const WRONG = [5, "x", {}, [], null, true];
const FIELDS =
  "containers template selector versions ports taints nodeName tolerations names hard rules " +
  "request pool devices minAvailable volumes replicas claimRef group conditions capacity phase " +
  "allocatable containerStatuses data webhooks subjects roleRef value endpoints provisioner";

const wrongFields = (by: number) =>
  Object.fromEntries(FIELDS.split(" ").map((name, i) => [name, WRONG[(i + by) % WRONG.length]]));

function metaOf({ namespaced }: Resource) {
  return { name: "foreign", uid: "f", ...namespaced ? { namespace: "default" } : {} };
}

const VALUES: Record<string, (row: Resource) => string> = {
  "no JSON": () => "not json",
  "a name alone": (row) => JSON.stringify({ kind: row.kind, metadata: metaOf(row) }),
  "nulls": () => JSON.stringify({ metadata: {}, spec: null, status: null, data: null }),
  "metadata of other types": (row) =>
    JSON.stringify({ metadata: { ...metaOf(row), labels: 5, ownerReferences: {} }, spec: 5 }),
};
for (let by = 0; by < WRONG.length; by++) {
  const wrong = wrongFields(by);
  VALUES[`fields of other types, ${by + 1}`] = (row) =>
    JSON.stringify({ metadata: metaOf(row), spec: wrong, status: wrong, ...wrong });
}

/** One transaction that succeeds. */
const transaction = (operations: readonly string[]) => `\n${operations.join("\n")}\n\n\n`;

systemTest(
  "what etcdctl writes under the keys of all kinds takes nothing down",
  ["etcdctl-3.5", "kubectl-1.36"],
  (test) =>
    withFolder(async (folder) => {
      const etcdPort = freePort();
      const flags = [...HOLLOW, "--etcd-port", String(etcdPort)];
      const options = { dataDir: join(folder, "up"), port: freePort(), flags };
      const etcdctl = new Etcdctl("3.5", `http://127.0.0.1:${etcdPort}`);
      const puts = (value: (row: Resource) => string) =>
        etcdctl.ok(
          ["txn"],
          transaction(stored.map((row) => `put ${keyOf(row)} '${value(row)}'`)),
        );
      const deletions = () =>
        etcdctl.ok(["txn"], transaction(stored.map((row) => `del ${keyOf(row)}`)));
      let cluster = await startCluster(options);
      let kubectl = new Kubectl("kubectl-1.36", cluster);
      let pods = 0;
      const assertWorks = async () => {
        const pod = `after-${++pods}`;
        await kubectl.ok(`run ${pod} --image=registry.example/app:1`);
        await kubectl.ok(`wait pod ${pod} --for=condition=PodScheduled --timeout=30s`);
      };
      try {
        for (const [name, value] of Object.entries(VALUES)) {
          await test.step(name, async () => {
            await puts(value);
            assert.equal(await kubectl.ok("get --raw /livez"), "ok");
            await deletions();
            await assertWorks();
          });
        }
        await test.step("a start on them waits until they are gone, and says why", async () => {
          await puts(VALUES["no JSON"]);
          const { stderr } = await kubectl.try(["get", "configmaps"]);
          const told = /unable to decode key "\/registry\/configmaps\/default\/foreign"/;
          assert.match(stderr, told);
          assert.equal(await cluster.stop(), 0);
          const starting = startCluster(options);
          while ((await etcdctl.try(["endpoint", "health"])).code !== 0);
          await deletions();
          cluster = await starting;
          assert.match(cluster.printed(), told);
          kubectl = new Kubectl("kubectl-1.36", cluster);
          await assertWorks();
        });
      } finally {
        assert.equal(await cluster.stop(), 0);
      }
    }),
);
