/** The walk of a first user with the real kubectl on three hollow nodes; two tests take it. */
import assert from "node:assert/strict";
import type { Kubectl, TestCluster } from "./cluster.ts";

const DEPLOYMENT = `apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  labels: {app: web}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: web
        image: registry.example/web:1
        resources: {requests: {cpu: 100m, memory: 32Mi}}
        ports: [{containerPort: 80}]
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  selector: {app: web}
  ports: [{port: 80, targetPort: 80}]
`;

const lines = (text: string) => text.trim().split("\n").filter((line) => line !== "");

/** Takes the walk, a test step a station. */
export async function walk(test: Deno.TestContext, kubectl: Kubectl, cluster: TestCluster) {
  await test.step("up told the next steps", () => {
    assert.match(cluster.printed(), /kubeconfig +\S+\n.*kubectl --kubeconfig \S+ .*\n.*Ctrl-C/);
  });

  await test.step("version and nodes", async () => {
    assert.match(await kubectl.ok("version"), /Server Version: v1\.36\./);
    const nodes = lines(await kubectl.ok("get nodes -o wide"));
    assert.equal(nodes.length, 4);
    for (const node of nodes.slice(1)) assert.match(node, / Ready .*hollow:\/\//);
  });

  await test.step("apply a deployment of three", async () => {
    assert.match(await kubectl.ok("apply -f -", DEPLOYMENT), /deployment.apps\/web created/);
    const rollout = await kubectl.ok("rollout status deployment/web --timeout=60s");
    assert.match(rollout, /successfully rolled out/);
    const pods = lines(await kubectl.ok("get pods -o wide"));
    assert.equal(pods.length, 4);
    for (const pod of pods.slice(1)) assert.match(pod, /^web-\S+ +1\/1 +Running +0 /);
    assert.match(await kubectl.ok("apply -f -", DEPLOYMENT), /deployment.apps\/web unchanged/);
  });

  await test.step("a watch shows pods going from Pending to Running", async () => {
    const watch = kubectl.try([
      "get",
      "pods",
      "-w",
      "--output-watch-events",
      "-l",
      "app=web",
      "--request-timeout=6s",
    ]);
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    await kubectl.ok("scale deployment web --replicas=4");
    const { stdout } = await watch;
    assert.match(stdout, /ADDED +web-\S+ +0\/1 +Pending/);
    assert.match(stdout, /MODIFIED +web-\S+ +1\/1 +Running/);
  });

  await test.step("endpoints follow the pods", async () => {
    await kubectl.until(
      "get endpointslices -l kubernetes.io/service-name=web -o jsonpath={.items[*].endpoints[*].addresses[0]}",
      (text) => text.trim().split(/\s+/).length === 4,
    );
    await kubectl.until(
      "get endpoints web -o jsonpath={.subsets[*].addresses[*].ip}",
      (text) => text.trim().split(/\s+/).length === 4,
    );
  });

  await test.step("a deleted pod is replaced", async () => {
    const [victim] = lines(await kubectl.ok("get pods -o name"));
    await kubectl.ok(`delete ${victim}`);
    await kubectl.until(
      "get deployment web -o jsonpath={.status.readyReplicas}",
      (text) => text === "4",
    );
    assert(!lines(await kubectl.ok("get pods -o name")).includes(victim));
  });

  await test.step("scale to fifty", async () => {
    await kubectl.ok("scale deployment web --replicas=50");
    await kubectl.ok("rollout status deployment web --timeout=60s");
    await kubectl.ok("wait --for=condition=Ready pods -l app=web --timeout=60s");
    assert.equal(lines(await kubectl.ok("get pods --no-headers")).length, 50);
  });

  await test.step("describe, events, label, annotate, patch", async () => {
    const described = await kubectl.ok("describe deployment web");
    assert.match(described, /ScalingReplicaSet +\S+ .*Scaled up replica set web-\S+ from 0 to 3/);
    const [pod] = lines(await kubectl.ok("get pods -o name"));
    assert.match(await kubectl.ok(`describe ${pod}`), /Successfully assigned default\/web-/);
    assert.match(await kubectl.ok("describe node"), /Allocated resources:/);
    assert.match(await kubectl.ok("get events"), /Scheduled +pod\/web-/);
    assert.match(await kubectl.ok(`label ${pod} extra=yes`), /labeled/);
    assert.match(await kubectl.ok("get pods -l extra=yes -o name"), /pod\/web-/);
    assert.match(await kubectl.ok(`annotate ${pod} note=hi`), /annotated/);
    const patch = `'{"metadata":{"labels":{"extra":"no"}}}'`;
    assert.match(await kubectl.ok(`patch ${pod} -p ${patch}`), /patched/);
  });

  await test.step("a rolling update and its undo", async () => {
    await kubectl.ok("scale deployment web --replicas=3");
    await kubectl.ok("set image deployment/web web=registry.example/web:2");
    await kubectl.ok("rollout status deployment/web --timeout=60s");
    assert.equal(lines(await kubectl.ok("get replicasets -o name")).length, 2);
    assert.match(await kubectl.ok("rollout history deployment/web"), /2 +<none>/);
    await kubectl.ok("rollout undo deployment/web");
    await kubectl.ok("rollout status deployment/web --timeout=60s");
    const image = "get deployment web -o jsonpath={.spec.template.spec.containers[0].image}";
    assert.equal(await kubectl.ok(image), "registry.example/web:1");
  });

  await test.step("cordon keeps pods away and says why", async () => {
    for (const node of lines(await kubectl.ok("get nodes -o name"))) {
      await kubectl.ok(`cordon ${node}`);
    }
    await kubectl.ok("run lonely --image=registry.example/x:1");
    await kubectl.until(
      "get events --field-selector reason=FailedScheduling",
      (text) => /0\/3 nodes are available: 3 node\(s\) were unschedulable\./.test(text),
    );
    for (const node of lines(await kubectl.ok("get nodes -o name"))) {
      await kubectl.ok(`uncordon ${node}`);
    }
    await kubectl.ok("wait --for=condition=Ready pod/lonely --timeout=60s");
    await kubectl.ok("delete pod lonely");
  });

  await test.step("namespaces come and go with what they hold", async () => {
    await kubectl.ok("create namespace crowd");
    await kubectl.until("get serviceaccount default -n crowd -o name", (text) => text !== "");
    await kubectl.ok("create deployment busy --image=registry.example/x:1 -n crowd");
    await kubectl.ok("create configmap settings --from-literal=a=b -n crowd");
    await kubectl.ok("create secret generic keys --from-literal=a=b -n crowd");
    await kubectl.ok("wait --for=condition=Available deployment/busy -n crowd --timeout=60s");
    await kubectl.ok("delete namespace crowd --timeout=60s");
    assert.match(await kubectl.refused("get namespace crowd"), /NotFound/);
  });

  await test.step("deleting the deployment removes everything it owned", async () => {
    await kubectl.ok("delete deployment web");
    await kubectl.until("get replicasets,pods -o name", (text) => text.trim() === "");
  });

  await test.step("bad input is refused with the right words", async () => {
    const configMap = (more: string) => `apiVersion: v1\nkind: ConfigMap\nmetadata: ${more}\n`;
    assert.match(
      await kubectl.refused("create -f -", configMap("{name: x}\nbogus: 1")),
      /strict decoding error: unknown field "bogus"/,
    );
    assert.match(
      await kubectl.refused("create -f -", configMap("{name: Not_DNS}")),
      /The ConfigMap "Not_DNS" is invalid: metadata\.name: Invalid value: "Not_DNS": a lowercase RFC 1123/,
    );
    assert.match(
      await kubectl.refused("create -f - --validate=false", configMap("{name: x}\ndata: 7")),
      /cannot unmarshal number/,
    );
    await kubectl.ok("create -f -", configMap("{name: twice}"));
    assert.match(
      await kubectl.refused("create -f -", configMap("{name: twice}")),
      /configmaps "twice" already exists/,
    );
    assert.match(await kubectl.refused("get pods nobody"), /pods "nobody" not found/);
  });
}
