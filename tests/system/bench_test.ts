/** Every bench at its smallest, so that none rots; the figures are not looked at here. */
import assert from "node:assert/strict";
import { benchApiserver, QUICK as QUICK_API } from "../../bench/apiserver.ts";
import { API_ROWS } from "../../bench/apiserver/rows.ts";
import type { DataItem } from "../../bench/result.ts";
import { benchStore, QUICK as QUICK_STORE } from "../../bench/store.ts";
import { benchUp } from "../../bench/up.ts";
import { pods } from "../../agents/api/resources.ts";
import { clientOf, HOLLOW, run, withCluster } from "./cluster.ts";
import { systemTest, toolPath } from "./tools.ts";

function check(items: readonly DataItem[], rows: number): void {
  assert.equal(items.length, rows);
  for (const { data, labels } of items) {
    assert(Number.isFinite(data.Average) && data.Average > 0, `${labels.Name}: ${data.Average}`);
  }
}

systemTest("bench up", ["kubectl-1.36"], async () => {
  check(await benchUp({ idleSeconds: 2, replicas: 20, readyRuns: 1, idleNodes: [3, 50] }), 6);
});

systemTest("bench apiserver", ["h2load"], async () => {
  const only = API_ROWS.map(({ id }) => id).filter((id) => id !== "leases");
  const options = { scale: QUICK_API, samples: 1, peerKubeconfig: null, say: () => {} };
  check(await benchApiserver({ ...options, only }), only.length);
});

systemTest(
  "bench apiserver against a peer: both sides in turn, and their ratio",
  ["h2load"],
  () =>
    withCluster([...HOLLOW, "--hollow-nodes", "0"], async (peer) => {
      const said: string[] = [];
      const items = await benchApiserver({
        scale: QUICK_API,
        samples: 2,
        only: ["create-pods"],
        peerKubeconfig: peer.kubeconfig,
        say: (line) => void said.push(line),
      });
      check(items, 1);
      for (const { data } of items) {
        assert(
          data.Peer > 0 && data.LatencyPerc99 > 0 && data.ResidentMb > 0,
          JSON.stringify(data),
        );
        // Two of a kind, on a busy machine.
        assert(data.Ratio > 0.1 && data.Ratio < 10, `ratio ${data.Ratio}`);
      }
      assert.match(said[0], /p99 [\d.]+ ms, \d+ MB, peer [\d.]+: [\d.]+×/);
      const client = await clientOf(peer);
      const left = await client.list(pods, { namespace: "balsa-bench" });
      assert.equal(left.items.length, 0, "the peer is left as it was found");
      client.close();
    }),
);

systemTest("bench store", ["h2load", "etcd-3.5"], async () => {
  const only = ["put", "list", "watch", "lease", "size", "p99"];
  const options = { scale: QUICK_STORE, samples: 1, peer: toolPath("etcd-3.5"), say: () => {} };
  const items = await benchStore({ ...options, only });
  check(items, 9);
  for (const { labels } of items) assert.match(labels.Name, /^Quick run, no result: /);
});

systemTest("a bench says which flags it has to one that it does not know", [], async () => {
  const main = new URL("../../bench/main.ts", import.meta.url).pathname;
  for (const name of ["apiserver", "decisions", "scheduler", "store", "up"]) {
    const { code, stderr } = await run(Deno.execPath(), ["run", "-A", main, name, "--nonsense"]);
    assert.equal(code, 2, name);
    assert.match(stderr, /Unknown option '--nonsense'\n?[^]*flags:\n {2}--\w/);
  }
});
