/** A real pod on a real containerd: runs, logs, exec with its exit code, restarts, goes. */
import assert from "node:assert/strict";
import { freePort } from "../free_port.ts";
import { Kubectl, makeDataDir, startCluster } from "./cluster.ts";
import { startContainerd, TEST_IMAGE } from "./containerd.ts";
import { systemTest } from "./tools.ts";

const POD = `apiVersion: v1
kind: ConfigMap
metadata: {name: greeting}
data: {text: hello from a file}
---
apiVersion: v1
kind: Pod
metadata: {name: real, labels: {app: real}}
spec:
  terminationGracePeriodSeconds: 1
  volumes:
  - {name: files, configMap: {name: greeting}}
  - {name: scratch, emptyDir: {}}
  initContainers:
  - name: first
    image: ${TEST_IMAGE}
    command: [sh, -c, "echo prepared > /scratch/note"]
    volumeMounts: [{name: scratch, mountPath: /scratch}]
  containers:
  - name: main
    image: ${TEST_IMAGE}
    command: [sh, -c, "cat /files/text; echo; cat /scratch/note; echo I am $NAME at $IP; exec sleep 3600"]
    env:
    - {name: NAME, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
    - {name: IP, valueFrom: {fieldRef: {fieldPath: status.podIP}}}
    volumeMounts:
    - {name: files, mountPath: /files, readOnly: true}
    - {name: scratch, mountPath: /scratch}
`;
const JOB = `apiVersion: v1
kind: Pod
metadata: {name: once}
spec:
  restartPolicy: Never
  containers:
  - {name: c, image: "${TEST_IMAGE}", command: [sh, -c, "echo done; exit 4"]}
`;

systemTest(
  "a pod over CRI: run, logs, exec, restart, delete",
  ["kubectl-1.36", "containerd", "ctr", "runc", "cni-plugins", "busybox", "ip"],
  async (test) => {
    const dataDir = await makeDataDir();
    const containerd = await startContainerd();
    const flags = ["--cri", `unix://${containerd.socketPath}`];
    const options = { dataDir, port: freePort(), flags };
    let cluster = await startCluster(options);
    try {
      await walk(test, new Kubectl("kubectl-1.36", cluster));
      await test.step("pods outlive a restart of balsa up", async () => {
        const id = "get pod real -o jsonpath={.status.containerStatuses[0].containerID}";
        const before = await new Kubectl("kubectl-1.36", cluster).ok(id);
        assert.equal(await cluster.stop(), 0);
        cluster = await startCluster(options);
        const kubectl = new Kubectl("kubectl-1.36", cluster);
        assert.match(await kubectl.ok("exec real -- cat /scratch/note"), /prepared/);
        assert.equal(await kubectl.ok(id), before);
      });
      await goneAfterDelete(test, new Kubectl("kubectl-1.36", cluster), containerd.ctr);
    } finally {
      assert.equal(await cluster.stop(), 0);
      await containerd.stop();
      await Deno.remove(dataDir, { recursive: true });
    }
  },
);

async function walk(test: Deno.TestContext, kubectl: Kubectl) {
  await test.step("the node tells its runtime", async () => {
    assert.match(await kubectl.ok("get nodes -o wide"), / Ready .*containerd:\/\//);
  });

  await test.step("the pod runs and its log shows its volumes and fields", async () => {
    await kubectl.ok("apply -f -", POD);
    await kubectl.ok("wait --for=condition=Ready pod/real --timeout=60s");
    const ip = await kubectl.ok("get pod real -o jsonpath={.status.podIP}");
    const log = await kubectl.until("logs real", (text) => text.includes("I am"));
    assert.equal(log, `hello from a file\nprepared\nI am real at ${ip}\n`);
    assert.match(await kubectl.ok("logs real --tail=1 --timestamps"), /^\d{4}-\S+Z I am real/);
  });

  await test.step("logs -f follows", async () => {
    const follow = kubectl.try(["logs", "-f", "real", "--request-timeout=5s"]);
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    await kubectl.ok("exec real -- sh -c 'echo later > /proc/1/fd/1'");
    assert.match((await follow).stdout, /I am real.*\nlater\n/);
  });

  await test.step("exec: output, exit code, input", async () => {
    assert.equal(await kubectl.ok("exec real -- cat /scratch/note"), "prepared\n");
    const failed = await kubectl.try(["exec", "real", "--", "sh", "-c", "echo no >&2; exit 3"]);
    assert.equal(failed.code, 3);
    assert.match(failed.stderr, /no\ncommand terminated with exit code 3/);
    const piped = await kubectl.ok("exec -i real -- head -n 1", "typed\n");
    assert.equal(piped, "typed\n");
  });

  await test.step("a pod that runs once fails with its exit code", async () => {
    await kubectl.ok("apply -f -", JOB);
    await kubectl.until("get pod once -o jsonpath={.status.phase}", (text) => text === "Failed");
    const code =
      "get pod once -o jsonpath={.status.containerStatuses[0].state.terminated.exitCode}";
    assert.equal(await kubectl.ok(code), "4");
    assert.equal(await kubectl.ok("logs once"), "done\n");
  });
}

async function goneAfterDelete(
  test: Deno.TestContext,
  kubectl: Kubectl,
  ctr: (...args: string[]) => Promise<string>,
) {
  await test.step("a killed process comes back as a restart", async () => {
    const field = (name: string) =>
      `get pod real -o jsonpath={.status.containerStatuses[0].${name}}`;
    const id = await kubectl.ok(field("containerID"));
    assert.equal(await kubectl.ok(field("restartCount")), "0");
    await ctr("tasks", "kill", "--signal", "SIGKILL", id.replace(/^.*:\/\//, ""));
    await kubectl.until(field("restartCount"), (text) => text === "1");
    await kubectl.ok("wait --for=condition=Ready pod/real --timeout=60s");
    assert.match(await kubectl.ok("logs -p real"), /I am real/);
  });

  await test.step("deleted pods leave nothing behind", async () => {
    await kubectl.ok("delete pod real once --timeout=60s");
    assert.match(await kubectl.refused("get pod real"), /NotFound/);
    assert.equal((await ctr("containers", "list", "--quiet")).trim(), "");
  });
}
