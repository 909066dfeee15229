/** Every bench at its smallest, so that none rots; the figures are not looked at here. */
import assert from "node:assert/strict";
import { benchApiserver, QUICK as QUICK_API } from "../../bench/apiserver.ts";
import { API_ROWS } from "../../bench/apiserver_rows.ts";
import type { DataItem } from "../../bench/result.ts";
import { benchStore, QUICK as QUICK_STORE } from "../../bench/store.ts";
import { benchUp } from "../../bench/up.ts";
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

systemTest("bench store", ["h2load", "etcd-3.5"], async () => {
  const only = ["put", "list", "watch", "lease", "size", "p99"];
  const options = { scale: QUICK_STORE, samples: 1, peer: toolPath("etcd-3.5"), say: () => {} };
  check(await benchStore({ ...options, only }), 8);
});
