/** What kubectl prints of quotas, webhooks, policies and pod security in a whole cluster. */
import assert from "node:assert/strict";
import { startWebhookServer } from "../fakes/webhook_server.ts";
import { freePort } from "../free_port.ts";
import { Kubectl, makeDataDir, startCluster } from "./cluster.ts";
import { systemTest } from "./tools.ts";

const POLICY = `apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: few-replicas}
spec:
  matchConstraints:
    resourceRules:
    - {apiGroups: [apps], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [deployments]}
  validations:
  - expression: object.spec.replicas <= 3
    messageExpression: "'at most 3 replicas, not ' + string(object.spec.replicas)"
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: few-replicas}
spec: {policyName: few-replicas, validationActions: [Deny]}
`;

const hook = (url: string, caBundle: string) =>
  `apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: names}
webhooks:
- name: names.example.com
  clientConfig: {url: "${url}/names", caBundle: ${caBundle}}
  rules: [{apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [configmaps]}]
  sideEffects: None
  admissionReviewVersions: [v1]
`;

systemTest(
  "admission: quotas, policies, webhooks, pod security",
  ["kubectl-1.36"],
  async (test) => {
    const dataDir = await makeDataDir();
    const flags = ["--cri", "none", "--enable-admission-plugins", "AlwaysPullImages"];
    const cluster = await startCluster({ dataDir, port: freePort(), flags });
    const kubectl = new Kubectl("kubectl-1.36", cluster);
    const webhook = await startWebhookServer(({ name }) => ({
      response: { allowed: name !== "bad", warnings: ["names are looked at"] },
    }));
    try {
      await test.step("a quota is counted by its controller and spent by pods", async () => {
        await kubectl.ok("create quota small --hard=pods=1,count/secrets=0");
        const used = "get quota small -o jsonpath={.status.used.pods}";
        while (await kubectl.ok(used) !== "0") await new Promise((done) => setTimeout(done, 50));
        await kubectl.ok("run one --image=busybox");
        assert.equal(await kubectl.ok(used), "1");
        const pulled = "get pod one -o jsonpath={.spec.containers[0].imagePullPolicy}";
        assert.equal(await kubectl.ok(pulled), "Always");
        assert.match(
          await kubectl.refused("run two --image=busybox"),
          /pods "two" is forbidden: exceeded quota: small, requested: pods=1, used: pods=1, limited: pods=1/,
        );
        assert.match(
          await kubectl.refused("create secret generic s"),
          /exceeded quota: small, requested: count\/secrets=1, used: count\/secrets=0, limited: count\/secrets=0/,
        );
        await kubectl.ok("delete pod one --now");
        while (await kubectl.ok(used) !== "0") await new Promise((done) => setTimeout(done, 50));
      });

      await test.step("a policy refuses in its own words", async () => {
        await kubectl.ok("apply -f -", POLICY);
        assert.match(
          await kubectl.refused("create deployment many --image=busybox --replicas=4"),
          /ValidatingAdmissionPolicy 'few-replicas' with binding 'few-replicas' denied request: at most 3 replicas, not 4/,
        );
      });

      await test.step("a webhook refuses, warns, and is missed when it is down", async () => {
        await kubectl.ok("apply -f -", hook(webhook.url, webhook.caBundle));
        const good = await kubectl.try(["create", "configmap", "good"]);
        assert.match(good.stderr, /Warning: names are looked at/);
        assert.match(
          await kubectl.refused("create configmap bad"),
          /admission webhook "names.example.com" denied the request without explanation/,
        );
        await webhook.close();
        assert.match(
          await kubectl.refused("create configmap other"),
          /failed calling webhook "names.example.com": failed to call webhook: Post .*connection refused/,
        );
        await kubectl.ok("delete validatingwebhookconfiguration names");
        await kubectl.ok("create configmap other");
      });

      await test.step("a namespace warns of what it would refuse", async () => {
        await kubectl.ok("create namespace strict");
        await kubectl.ok("label namespace strict pod-security.kubernetes.io/warn=restricted");
        const warned = await kubectl.try(
          "create deployment d --image=busybox -n strict".split(" "),
        );
        assert.match(warned.stderr, /Warning: would violate PodSecurity "restricted:latest": /);
      });
    } finally {
      await webhook.close();
      assert.equal(await cluster.stop(), 0);
      await Deno.remove(dataDir, { recursive: true });
    }
  },
);
