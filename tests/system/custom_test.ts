/**
 * Kinds that the server was not built with, and the real kubectl: custom resources with both
 * versions and across a restart, and the kinds of an aggregated server.
 */
import assert from "node:assert/strict";
import { registrationOf, startAggregatedServer } from "../fakes/aggregated_server.ts";
import { freePort } from "../free_port.ts";
import { Kubectl, makeDataDir, startCluster } from "./cluster.ts";
import { systemTest } from "./tools.ts";

const DEFINITION = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: crontabs.stable.example.com}
spec:
  group: stable.example.com
  scope: Namespaced
  names: {plural: crontabs, singular: crontab, kind: CronTab, shortNames: [ct], categories: [all]}
  versions:
  - name: v1
    served: true
    storage: true
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec:
            type: object
            description: What the tab asks for.
            required: [cronSpec]
            properties:
              cronSpec: {type: string, description: When it runs., maxLength: 40}
              image: {type: string, default: busybox}
              replicas: {type: integer, minimum: 1, default: 1}
            x-kubernetes-validations:
            - {rule: "self.replicas < 100", message: "too many replicas"}
          status:
            type: object
            properties: {replicas: {type: integer}, labelSelector: {type: string}}
    subresources:
      status: {}
      scale: {specReplicasPath: .spec.replicas, statusReplicasPath: .status.replicas}
    additionalPrinterColumns:
    - {name: Spec, type: string, jsonPath: .spec.cronSpec}
    - {name: Replicas, type: integer, jsonPath: .spec.replicas}
    - {name: Age, type: date, jsonPath: .metadata.creationTimestamp}
`;

const tab = (name: string, replicas: number | string = 2, more = "") => `
apiVersion: stable.example.com/v1
kind: CronTab
metadata: {name: ${name}}
spec: {cronSpec: "* * * * */5", replicas: ${replicas}${more}}
`;

for (const version of ["kubectl-1.36", "kubectl-1.32"] as const) {
  systemTest(`${version}: custom resources`, [version], async (test) => {
    const dataDir = await makeDataDir();
    const options = { dataDir, port: freePort(), flags: ["--cri", "none"] };
    let cluster = await startCluster(options);
    try {
      await walk(test, new Kubectl(version, cluster));
      if (version !== "kubectl-1.36") return;
      assert.equal(await cluster.stop(), 0);
      cluster = await startCluster(options);
      await walkOn(test, new Kubectl(version, cluster));
    } finally {
      assert.equal(await cluster.stop(), 0);
      await Deno.remove(dataDir, { recursive: true });
    }
  });
}

async function walk(test: Deno.TestContext, kubectl: Kubectl) {
  await test.step("a definition is established", async () => {
    assert.match(await kubectl.ok("apply -f -", DEFINITION), /created/);
    const wait = "wait --for=condition=Established crd/crontabs.stable.example.com --timeout=20s";
    assert.match(await kubectl.ok(wait), /condition met/);
  });

  await test.step("objects are applied, shown, and explained", async () => {
    assert.match(
      await kubectl.ok("apply -f -", tab("one")),
      /crontab.stable.example.com\/one created/,
    );
    assert.match(await kubectl.ok("apply -f -", tab("one", 3)), /configured/);
    const shown = await kubectl.ok("get ct");
    assert.match(shown, /^NAME +SPEC +REPLICAS +AGE\none +\* \* \* \* \*\/5 +3 +\d+s/);
    assert.equal(await kubectl.ok("get crontab one -o jsonpath={.spec.image}"), "busybox");
    assert.match(await kubectl.ok("get all"), /crontab.stable.example.com\/one/);
    assert.match(await kubectl.ok("describe crontab one"), /Cron Spec: +\* \* \* \* \*\/5/);
    assert.match(await kubectl.ok("explain crontab.spec.cronSpec"), /When it runs\./);
    assert.match(await kubectl.ok("api-resources --api-group=stable.example.com"), /crontabs +ct/);
  });

  await test.step("what the schema and its rules forbid is refused", async () => {
    assert.match(await kubectl.refused("apply -f -", tab("two", 100)), /too many replicas/);
    assert.match(
      await kubectl.refused("apply -f -", tab("two", '"x"')),
      /spec.replicas in body must be of type integer: "string"/,
    );
    assert.match(
      await kubectl.refused("apply -f -", tab("two", 1, ", odd: 1")),
      /unknown field "spec.odd"/,
    );
  });

  await test.step("scale, patch, label, server-side apply", async () => {
    assert.match(await kubectl.ok("scale crontab one --replicas=5"), /scaled/);
    assert.equal(await kubectl.ok("get crontab one -o jsonpath={.spec.replicas}"), "5");
    await kubectl.ok('patch crontab one --type=merge -p {"spec":{"image":"alpine"}}');
    await kubectl.ok("label crontab one a=b");
    assert.match(await kubectl.ok("get ct -l a=b -o name"), /one/);
    assert.match(await kubectl.ok("apply --server-side -f -", tab("ssa")), /serverside-applied/);
  });
}

async function walkOn(test: Deno.TestContext, kubectl: Kubectl) {
  await test.step("a restart serves what was there", async () => {
    assert.match(await kubectl.ok("get ct"), /one .*\nssa /);
  });

  await test.step("owners, namespaces and the definition take their objects along", async () => {
    await kubectl.ok("create configmap owner");
    const uid = await kubectl.ok("get configmap owner -o jsonpath={.metadata.uid}");
    const owned = tab("owned").replace(
      "{name: owned}",
      `{name: owned, ownerReferences: [{apiVersion: v1, kind: ConfigMap, name: owner, uid: ${uid}}]}`,
    );
    await kubectl.ok("create -f -", owned);
    await kubectl.ok("delete configmap owner");
    assert.match(await kubectl.ok("wait --for=delete ct/owned --timeout=20s"), /^$|deleted|met/);
    await kubectl.ok("create namespace lab");
    await kubectl.ok("create -n lab -f -", tab("inside"));
    assert.match(await kubectl.ok("delete namespace lab --timeout=30s"), /deleted/);
    assert.equal(await kubectl.ok("get ct -A -o jsonpath={.items[*].metadata.name}"), "one ssa");
    await kubectl.ok("delete crd crontabs.stable.example.com --timeout=30s");
    assert.match(await kubectl.refused("get ct"), /resource type "ct"|find the requested resource/);
  });
}

const flunder = (reference: string) => `
apiVersion: wardle.example.com/v1alpha1
kind: Flunder
metadata: {name: one}
spec: {reference: ${reference}}
`;

for (const version of ["kubectl-1.36", "kubectl-1.32"] as const) {
  systemTest(`${version}: kinds of an aggregated server`, [version], async (test) => {
    const dataDir = await makeDataDir();
    const options = { dataDir, port: freePort(), flags: ["--cri", "none"] };
    const cluster = await startCluster(options);
    const kubectl = new Kubectl(version, cluster);
    const asked = "-n kube-system get configmap extension-apiserver-authentication -o json";
    const { data } = JSON.parse(await kubectl.ok(asked));
    const wardle = await startAggregatedServer(data["requestheader-client-ca-file"]);
    try {
      await aggregate(test, kubectl, wardle);
    } finally {
      await wardle.close();
      assert.equal(await cluster.stop(), 0);
      await Deno.remove(dataDir, { recursive: true });
    }
  });
}

async function aggregate(
  test: Deno.TestContext,
  kubectl: Kubectl,
  wardle: Awaited<ReturnType<typeof startAggregatedServer>>,
) {
  const service = "apiservice/v1alpha1.wardle.example.com";
  await test.step("a server is registered and found to answer", async () => {
    const items = registrationOf(wardle);
    await kubectl.ok("apply -f -", JSON.stringify({ apiVersion: "v1", kind: "List", items }));
    const wait = `wait --for=condition=Available ${service} --timeout=20s`;
    assert.match(await kubectl.ok(wait), /condition met/);
    assert.match(await kubectl.ok(`get ${service}`), /default\/wardle +True/);
    assert.match(await kubectl.ok("api-resources --api-group=wardle.example.com"), /flunders +fl/);
  });

  await test.step("its kinds are explained, applied, patched and deleted", async () => {
    assert.match(await kubectl.ok("explain flunder.spec.reference"), /Whom it looks up to\./);
    assert.match(await kubectl.ok("apply -f -", flunder("a")), /flunder.* created/);
    assert.match(await kubectl.ok("apply -f -", flunder("b")), /configured/);
    assert.match(
      await kubectl.ok("apply --server-side --force-conflicts -f -", flunder("c")),
      /applied/,
    );
    assert.equal(await kubectl.ok("get fl one -o jsonpath={.spec.reference}"), "c");
    const odd = flunder("d").replace("spec: {", "spec: {odd: 1, ");
    assert.match(await kubectl.refused("apply -f -", odd), /unknown field "spec.odd"/);
    assert.match(await kubectl.ok("delete fl one"), /deleted/);
    const who = wardle.seen.map(({ user }) => user.name);
    assert(who.includes("kubernetes-admin") && who.includes("system:aggregator"), who.join(" "));
  });

  await test.step("a server that is gone is named, and missed by nobody else", async () => {
    await kubectl.ok("delete service wardle");
    const wait = `wait --for=condition=Available=false ${service} --timeout=20s`;
    assert.match(await kubectl.ok(wait), /condition met/);
    assert.match(await kubectl.ok(`get ${service}`), /False \(ServiceNotFound\)/);
    assert.match(
      await kubectl.refused("get flunders.v1alpha1.wardle.example.com"),
      /the server is currently unable to handle the request|doesn't have a resource type/,
    );
    assert.match(await kubectl.ok("get namespaces"), /default/);
  });
}
