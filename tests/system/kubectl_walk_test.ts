/** The walk of a first user with the real kubectl, both versions, on hollow nodes. */
import { HOLLOW, Kubectl, withCluster } from "./cluster.ts";
import { walk } from "./kubectl_walk.ts";
import { systemTest } from "./tools.ts";

for (const version of ["kubectl-1.32", "kubectl-1.36"] as const) {
  systemTest(
    `${version}: apply, scale, roll, delete on hollow nodes`,
    [version],
    (test) => withCluster(HOLLOW, (cluster) => walk(test, new Kubectl(version, cluster), cluster)),
  );
}
