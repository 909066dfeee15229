/**
 * What the verbs tell a kind's rules, and when they ask them: parts of objects, contexts, metadata.
 */
import assert from "node:assert/strict";
import {
  type Answer,
  apiTest,
  type FakeApi,
  podNamed,
  startFakeApi,
} from "../../../tests/fakes/api_server.ts";

const PODS = "/api/v1/namespaces/default/pods";
const MAPS = "/api/v1/namespaces/default/configmaps";
const SERVICES = "/api/v1/namespaces/default/services";
const REQUESTS = "/apis/certificates.k8s.io/v1/certificatesigningrequests";
const NOW = "2026-01-02T03:04:05Z";
const LATER = "2026-01-02T03:05:05Z";

function refused(answer: Answer, expected: string | RegExp): void {
  assert.equal(answer.status, 422, answer.text);
  assert.equal(answer.json.reason, "Invalid");
  if (typeof expected === "string") assert.equal(answer.json.message, expected);
  else assert.match(answer.json.message, expected);
}

function merge(api: FakeApi, url: string, patch: unknown): Promise<Answer> {
  return api.ask("PATCH", url, patch, {
    headers: { "content-type": "application/merge-patch+json" },
  });
}

const strategic = (api: FakeApi, url: string, patch: unknown) =>
  api.ask("PATCH", url, patch, {
    headers: { "content-type": "application/strategic-merge-patch+json" },
  });

const signingRequest = (name: string) => ({
  apiVersion: "certificates.k8s.io/v1",
  kind: "CertificateSigningRequest",
  metadata: { name },
  spec: {
    request: btoa("-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n"),
    signerName: "example.com/signer",
    usages: ["client auth"],
    username: "somebody-else",
    groups: ["system:masters"],
  },
});

const condition = (type: string) => ({ type, status: "True", reason: "ByTest", message: "m" });

apiTest("a signing request records who asks, not whom it names", async (api) => {
  const cases = [
    { user: { name: "ann", groups: ["system:masters"] }, uid: undefined, extra: undefined },
    {
      user: { name: "bob", uid: "7", groups: ["system:masters", "g"], extra: { scope: ["a"] } },
      uid: "7",
      extra: { scope: ["a"] },
    },
  ];
  for (const { user, uid, extra } of cases) {
    const { status, json, text } = await api.ask("POST", REQUESTS, signingRequest(user.name), {
      user,
    });
    assert.equal(status, 201, text);
    assert.equal(json.spec.username, user.name);
    assert.equal(json.spec.uid, uid);
    assert.deepEqual(json.spec.groups, user.groups);
    assert.deepEqual(json.spec.extra, extra);
  }
});

apiTest("an approval decides, by update and by patch, and changes nothing else", async (api) => {
  const decisions: Readonly<Record<string, (url: string, sent: unknown) => Promise<Answer>>> = {
    Approved: (url, sent) => api.ask("PUT", url, sent),
    Denied: (url, sent) => merge(api, url, sent),
  };
  for (const [type, write] of Object.entries(decisions)) {
    const name = type.toLowerCase();
    const { json } = await api.ask("POST", REQUESTS, signingRequest(name));
    const sent = {
      ...json,
      spec: { ...json.spec, username: "mallory" },
      status: { conditions: [condition(type)], certificate: btoa("unasked") },
    };
    const answer = await write(`${REQUESTS}/${name}/approval`, sent);
    assert.equal(answer.status, 200, answer.text);
    const kept = (await api.ask("GET", `${REQUESTS}/${name}`)).json;
    assert.deepEqual(kept.spec, json.spec);
    const stamped = { ...condition(type), lastUpdateTime: NOW, lastTransitionTime: NOW };
    assert.deepEqual(kept.status, { conditions: [stamped] });
  }
});

apiTest("only an approval decides, and no decision is taken back", async (api) => {
  const url = `${REQUESTS}/r`;
  await api.ask("POST", REQUESTS, signingRequest("r"));
  const decided = { status: { conditions: [condition("Approved")] } };
  await merge(api, url, decided);
  assert.deepEqual((await api.ask("GET", url)).json.status, {});
  assert.equal((await merge(api, `${url}/approval`, decided)).status, 200);
  const cases: readonly [readonly unknown[], RegExp][] = [
    [[], /updates may not remove a condition of type "Approved"/],
    [[condition("Approved"), condition("Denied")], /mutually exclusive/],
    [[{ ...condition("Approved"), status: "False" }], /status.conditions\[0\].status: Unsupported/],
  ];
  for (const [conditions, expected] of cases) {
    refused(await merge(api, `${url}/approval`, { status: { conditions } }), expected);
  }
});

apiTest("status updates are told the time", async (api) => {
  const volumes = "/api/v1/persistentvolumes";
  const created = await api.ask("POST", volumes, {
    metadata: { name: "v" },
    spec: {
      capacity: { storage: "1Gi" },
      accessModes: ["ReadWriteOnce"],
      hostPath: { path: "/srv" },
    },
  });
  assert.equal(created.json.status.lastPhaseTransitionTime, NOW, created.text);
  await api.ask("POST", REQUESTS, signingRequest("r"));
  api.clock.advance(60_000);
  const volume = await merge(api, `${volumes}/v/status`, { status: { phase: "Available" } });
  assert.equal(volume.json.status.lastPhaseTransitionTime, LATER, volume.text);
  const failed = { status: { conditions: [condition("Failed")] } };
  const request = await merge(api, `${REQUESTS}/r/status`, failed);
  assert.equal(request.json.status.conditions[0].lastTransitionTime, LATER, request.text);
});

apiTest("debugging containers are added with defaults and stay as they are", async (api) => {
  await api.ask("POST", PODS, podNamed("p"));
  const url = `${PODS}/p/ephemeralcontainers`;
  const debug = { name: "debug", image: "busybox:1" };
  const added = await strategic(api, url, {
    spec: { ephemeralContainers: [debug], nodeName: "elsewhere" },
  });
  assert.equal(added.status, 200, added.text);
  assert.equal(added.json.spec.nodeName, undefined);
  const [container] = added.json.spec.ephemeralContainers;
  assert.equal(container.imagePullPolicy, "IfNotPresent");
  assert.equal(container.terminationMessagePath, "/dev/termination-log");
  const cases: readonly [readonly unknown[], RegExp][] = [
    [[], /existing ephemeral containers "debug" may not be removed/],
    [[{ ...debug, image: "other" }], /existing ephemeral containers "debug" may not be changed/],
    [[container, { ...debug, name: "c" }], /spec.ephemeralContainers\[1\].name: Duplicate value/],
  ];
  for (const [ephemeralContainers, expected] of cases) {
    refused(await merge(api, url, { spec: { ephemeralContainers } }), expected);
  }
});

apiTest("debugging containers come with no new pod, and do not stop its updates", async (api) => {
  const ephemeralContainers = [{ name: "debug", image: "busybox:1" }];
  for (const version of [{}, { resourceVersion: "" }]) {
    const { metadata, spec } = podNamed("p");
    refused(
      await api.ask("POST", PODS, {
        metadata: { ...metadata, ...version },
        spec: { ...spec, ephemeralContainers },
      }),
      'Pod "p" is invalid: spec.ephemeralContainers: Forbidden: cannot be set on create',
    );
  }
  await api.ask("POST", PODS, podNamed("p"));
  await merge(api, `${PODS}/p/ephemeralcontainers`, { spec: { ephemeralContainers } });
  const labelled = await merge(api, `${PODS}/p`, { metadata: { labels: { a: "b" } } });
  assert.equal(labelled.status, 200, labelled.text);
});

apiTest("a resize moves amounts within the pod's class", async (api) => {
  const pod = podNamed("p");
  const requests = { cpu: "100m", memory: "64Mi" };
  const sized = { ...pod.spec.containers[0], resources: { requests, limits: { cpu: "1" } } };
  await api.ask("POST", PODS, { ...pod, spec: { containers: [sized] } });
  const url = `${PODS}/p/resize`;
  const change = (resources: unknown) => ({ spec: { containers: [{ name: "c", resources }] } });
  const grown = await strategic(api, url, change({ requests: { cpu: "200m" } }));
  assert.equal(grown.status, 200, grown.text);
  assert.equal(grown.json.spec.containers[0].resources.requests.cpu, "200m");
  assert.equal(grown.json.metadata.generation, 2);
  const whole = { cpu: "1", memory: "64Mi" };
  const cases: readonly [unknown, RegExp][] = [
    [{ requests: whole, limits: whole }, /Pod QOS Class may not change as a result of resizing/],
    [{ requests: { memory: null } }, /resource requests cannot be removed/],
    [{ requests: { cpu: "2" } }, /must be less than or equal to cpu limit/],
  ];
  for (const [resources, expected] of cases) {
    refused(await strategic(api, url, change(resources)), expected);
  }
});

apiTest("finalize writes the finalizers of a namespace's spec and nothing else", async (api) => {
  const url = "/api/v1/namespaces/n";
  const { json } = await api.ask("POST", "/api/v1/namespaces", { metadata: { name: "n" } });
  const spec = { finalizers: ["kubernetes", "example.com/hold"] };
  const sent = { ...json, spec, status: { phase: "Odd" } };
  const answer = await api.ask("PUT", `${url}/finalize`, sent);
  assert.equal(answer.status, 200, answer.text);
  assert.deepEqual(answer.json.spec, spec);
  assert.deepEqual(answer.json.status, json.status);
  const wrong = { ...answer.json, spec: { finalizers: ["no name"] } };
  refused(await api.ask("PUT", `${url}/finalize`, wrong), /spec.finalizers\[0\]: Invalid value/);
});

apiTest("a service's change is judged before it claims an address", async (api) => {
  const make = (name: string, spec: Record<string, unknown> = {}) =>
    api.ask("POST", SERVICES, { metadata: { name }, spec: { ports: [{ port: 80 }], ...spec } });
  await make("a", { clusterIP: "10.96.0.20" });
  await make("b", { clusterIP: "10.96.0.21" });
  // One is taken, one is nobody's, one is out of the range.
  for (const address of ["10.96.0.21", "10.96.0.22", "192.0.2.1"]) {
    refused(
      await merge(api, `${SERVICES}/a`, { spec: { clusterIP: address, clusterIPs: [address] } }),
      'Service "a" is invalid: spec.clusterIPs[0]: Invalid value: ' +
        `["${address}"]: may not change once set`,
    );
  }
  const free = await make("c", { clusterIP: "10.96.0.22" });
  assert.equal(free.status, 201, free.text);
  const external = await merge(api, `${SERVICES}/a`, {
    spec: { type: "ExternalName", externalName: "example.com", internalTrafficPolicy: null },
  });
  assert.equal(external.status, 200, external.text);
  assert.equal(external.json.spec.clusterIP, undefined);
  const back = await merge(api, `${SERVICES}/a`, { spec: { type: "ClusterIP" } });
  assert.equal(back.status, 200, back.text);
  assert.match(back.json.spec.clusterIP, /^10\.96\./);
});

apiTest("what is being deleted takes no new finalizers", async (api) => {
  const hold = "example.com/hold";
  for (const name of ["going", "staying"]) {
    await api.ask("POST", MAPS, { metadata: { name, finalizers: [hold] } });
  }
  await api.ask("DELETE", `${MAPS}/going`);
  const write = (name: string, finalizers: readonly string[]) =>
    merge(api, `${MAPS}/${name}`, { metadata: { finalizers } });
  const cases: readonly [readonly string[], string][] = [
    [[hold, "example.com/b"], '"example.com/b"'],
    [[hold, "example.com/b", "example.com/a"], '"example.com/a", "example.com/b"'],
  ];
  for (const [finalizers, listed] of cases) {
    refused(
      await write("going", finalizers),
      'ConfigMap "going" is invalid: metadata.finalizers: Forbidden: no new finalizers can be ' +
        `added if the object is being deleted, found new finalizers []string{${listed}}`,
    );
    assert.equal((await write("staying", finalizers)).status, 200);
  }
  assert.equal((await write("going", [hold])).status, 200);
  assert.equal((await write("going", [])).status, 200);
  assert.equal((await api.ask("GET", `${MAPS}/going`)).status, 404);
});

const PATCH_CASES = [
  {
    name: "a strategic patch with a field that does not exist",
    type: "application/strategic-merge-patch+json",
    patch: { spec: { replicass: 2 } },
    message: ' "" is invalid: patch: Invalid value: "map[spec:map[replicass:2]]": ' +
      'strict decoding error: unknown field "spec.replicass"',
  },
  {
    name: "a merge patch with a value of a wrong type",
    type: "application/merge-patch+json",
    patch: { spec: { replicas: "two" } },
    message:
      /^ "" is invalid: patch: Invalid value: ".*json: cannot unmarshal string into Go struct/,
  },
  {
    name: "a JSON patch with a field that does not exist",
    type: "application/json-patch+json",
    patch: [{ op: "add", path: "/spec/color", value: "red" }],
    message: /strict decoding error: unknown field "spec\.color"$/,
  },
] as const;

Deno.test("what a patch makes is decoded as strictly as a body", async (test) => {
  const api = await startFakeApi();
  try {
    const url = "/apis/apps/v1/namespaces/default/deployments";
    const containers = [{ name: "c", image: "busybox" }];
    await api.ask("POST", url, {
      metadata: { name: "web" },
      spec: {
        selector: { matchLabels: { a: "b" } },
        template: { metadata: { labels: { a: "b" } }, spec: { containers } },
      },
    });
    for (const { name, type, patch, message } of PATCH_CASES) {
      await test.step(name, async () => {
        const headers = { "content-type": type };
        const strict = `${url}/web?fieldValidation=Strict`;
        const answer = await api.ask("PATCH", strict, patch, { headers });
        assert.equal(answer.status, 422, answer.text);
        assert.equal(answer.json.reason, "Invalid");
        if (typeof message === "string") assert.equal(answer.json.message, message);
        else assert.match(answer.json.message, message);
      });
    }
    await test.step("under Warn the field is left out, and told", async () => {
      const headers = { "content-type": "application/merge-patch+json" };
      const answer = await api.ask("PATCH", `${url}/web`, { spec: { color: "red" } }, { headers });
      assert.equal(answer.status, 200, answer.text);
      assert.equal(answer.json.spec.color, undefined);
      assert.deepEqual(answer.response.headers.slice(0, 2), [
        "warning",
        '299 - "unknown field \\"spec.color\\""',
      ]);
    });
    await test.step("a status that can't be", async () => {
      const headers = { "content-type": "application/merge-patch+json" };
      const body = { status: { replicas: -1 } };
      const answer = await api.ask("PATCH", `${url}/web/status`, body, { headers });
      assert.equal(answer.status, 422);
      assert.match(answer.json.message, /status\.replicas: Invalid value: -1: must be greater/);
    });
  } finally {
    await api.close();
  }
});
