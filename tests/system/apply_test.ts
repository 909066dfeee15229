/** Server-side apply with the real kubectl, both versions, on hollow nodes. */
import assert from "node:assert/strict";
import { HOLLOW, Kubectl, withCluster } from "./cluster.ts";
import { systemTest } from "./tools.ts";

const manifest = (replicas: number) =>
  `apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: ${replicas}
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: "registry.example/web:1"}]}
`;

for (const version of ["kubectl-1.32", "kubectl-1.36"] as const) {
  systemTest(
    `${version}: apply --server-side`,
    [version],
    (test) => withCluster(HOLLOW, (cluster) => walk(test, new Kubectl(version, cluster))),
  );
}

async function walk(test: Deno.TestContext, kubectl: Kubectl) {
  const apply = "apply --server-side -f -";

  await test.step("applies, and applies again", async () => {
    assert.match(await kubectl.ok(apply, manifest(1)), /web serverside-applied/);
    assert.match(await kubectl.ok(apply, manifest(1)), /web serverside-applied/);
    const shown = await kubectl.ok("get deployment web -o yaml --show-managed-fields");
    assert.match(shown, /manager: kubectl\n +operation: Apply/);
    assert.match(shown, /k:\{"name":"web"\}:/);
  });

  await test.step("a scale conflicts until it is forced", async () => {
    await kubectl.ok("scale deployment web --replicas=3");
    const refused = await kubectl.refused(apply, manifest(2));
    assert.match(refused, /Apply failed with 1 conflict: conflict with "kubectl" with subresource/);
    assert.match(refused, /using apps\/v1: \.spec\.replicas/);
    await kubectl.ok(`${apply} --force-conflicts`, manifest(2));
    assert.equal(await kubectl.ok("get deployment web -o jsonpath={.spec.replicas}"), "2");
  });

  await test.step("another manager shares, and meets conflicts", async () => {
    await kubectl.ok(`${apply} --field-manager=other`, manifest(2));
    const refused = await kubectl.refused(`${apply} --field-manager=other`, manifest(4));
    assert.match(refused, /conflict with "kubectl": \.spec\.replicas/);
  });

  await test.step("what client-side apply made goes over to server-side apply", async () => {
    await kubectl.ok("delete deployment web");
    await kubectl.ok("apply -f -", manifest(1));
    assert.match(await kubectl.ok(apply, manifest(2)), /serverside-applied/);
    const managers = await kubectl.ok(
      "get deployment web -o jsonpath={.metadata.managedFields[*].manager} --show-managed-fields",
    );
    assert.ok(!managers.includes("client-side-apply"), managers);
    const without = manifest(2).replace("  replicas: 2\n", "");
    await kubectl.ok(apply, without);
    assert.equal(await kubectl.ok("get deployment web -o jsonpath={.spec.replicas}"), "1");
  });

  await test.step("a diff and a dry run change nothing", async () => {
    assert.match(await kubectl.ok(`${apply} --dry-run=server`, manifest(9)), /server dry run/);
    assert.equal(await kubectl.ok("get deployment web -o jsonpath={.spec.replicas}"), "1");
  });
}
