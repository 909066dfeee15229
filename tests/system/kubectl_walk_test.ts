/** The walk of a first user with the real kubectl, both versions, on hollow nodes. */
import assert from "node:assert/strict";
import { freePort, Kubectl, makeDataDir, startCluster } from "./cluster.ts";
import { walk } from "./kubectl_walk.ts";
import { systemTest } from "./tools.ts";

for (const version of ["kubectl-1.32", "kubectl-1.36"] as const) {
  systemTest(`${version}: apply, scale, roll, delete on hollow nodes`, [version], async (test) => {
    const dataDir = await makeDataDir();
    const cluster = await startCluster({ dataDir, port: freePort(), flags: ["--cri", "none"] });
    try {
      await walk(test, new Kubectl(version, cluster), cluster);
    } finally {
      assert.equal(await cluster.stop(), 0);
      await Deno.remove(dataDir, { recursive: true });
    }
  });
}
