/** `balsa up` on an etcd that runs already, and its own store seen by etcdctl. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { freePort } from "../../free_port.ts";
import { balsa, HOLLOW, Kubectl, startCluster } from "../cluster.ts";
import { walk } from "../kubectl_walk.ts";
import { systemTest } from "../tools.ts";
import { Etcdctl, startAlone, withFolder } from "./member_process.ts";

systemTest(
  "kubectl walks a cluster whose store is Debian's etcd",
  ["etcd-3.5", "etcdctl-3.5", "kubectl-1.36"],
  (test) =>
    withFolder(async (folder) => {
      const etcd = await startAlone("etcd-3.5", join(folder, "etcd"));
      const options = {
        dataDir: join(folder, "up"),
        port: freePort(),
        flags: [...HOLLOW, "--datastore-endpoint", etcd.url],
      };
      try {
        let cluster = await startCluster(options);
        assert.match(cluster.printed(), /store +etcd at http:/);
        const kubectl = new Kubectl("kubectl-1.36", cluster);
        await walk(test, kubectl, cluster);
        await kubectl.ok("create configmap kept --from-literal=a=b");
        assert.equal(await cluster.stop(), 0);
        const keys = await new Etcdctl("3.5", etcd.url).ok([
          ...["get", "/registry/configmaps/default/kept", "--keys-only"],
        ]);
        assert.match(keys, /kept/);
        cluster = await startCluster(options);
        const again = new Kubectl("kubectl-1.36", cluster);
        assert.equal(await again.ok("get configmap kept -o jsonpath={.data.a}"), "b");
        await cluster.kill();
      } finally {
        await etcd.stop();
      }
    }),
);

systemTest("a datastore that does not answer is named", [], () =>
  withFolder(async (folder) => {
    const url = `http://127.0.0.1:${freePort()}`;
    const flags = ["--data-dir", folder, "--port", "0", ...HOLLOW];
    const result = await balsa("up", ...flags, "--datastore-endpoint", url);
    assert.equal(result.code, 1, result.stdout);
    assert.match(result.stderr, new RegExp(`balsa: no datastore answers at ${url}: `));
    assert.match(result.stderr, /start it, or correct --datastore-endpoint/);
  }));

systemTest(
  "--etcd-port shows the own store to etcdctl",
  ["etcdctl-3.5", "kubectl-1.36"],
  () =>
    withFolder(async (folder) => {
      const etcdPort = freePort();
      const flags = [...HOLLOW, "--etcd-port", String(etcdPort)];
      const cluster = await startCluster({ dataDir: join(folder, "up"), port: freePort(), flags });
      try {
        const url = `http://127.0.0.1:${etcdPort}`;
        assert(cluster.printed().includes(`etcd API at ${url}`), cluster.printed());
        const etcdctl = new Etcdctl("3.5", url);
        const kubectl = new Kubectl("kubectl-1.36", cluster);
        await kubectl.ok("create configmap shown --from-literal=a=b");
        assert.match(await etcdctl.ok(["member", "list"]), new RegExp(`started, .*${url}, false`));
        const prefix = ["get", "/registry/configmaps/default/", "--prefix", "--keys-only"];
        assert.match(await etcdctl.ok(prefix), /default\/shown/);
        await etcdctl.ok(["snapshot", "save", join(folder, "snapshot.db")]);
      } finally {
        assert.equal(await cluster.stop(), 0);
      }
      const taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
      const port = String(taken.addr.port);
      const data = ["--data-dir", join(folder, "up"), "--port", "0"];
      const result = await balsa("up", ...data, ...HOLLOW, "--etcd-port", port);
      taken.close();
      assert.equal(result.code, 1);
      assert.match(result.stderr, new RegExp(`port ${port} of 127.0.0.1 is already in use`));
    }),
);
