/**
 * Kubernetes' own JavaScript client against `up` with containerd: informers, leases, exec, ports,
 * server-side apply, custom objects. Nobody here wrote that client.
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { connect, createServer, type Server, type Socket } from "node:net";
import { PassThrough, Readable } from "node:stream";
import * as k8s from "@kubernetes/client-node";
import { freePort } from "../free_port.ts";
import { makeDataDir, startCluster } from "./cluster.ts";
import { startContainerd, TEST_IMAGE } from "./containerd.ts";
import { systemTest } from "./tools.ts";

const NAMESPACE = "default";
const PATIENCE_MILLIS = 30_000;

systemTest(
  "@kubernetes/client-node",
  ["containerd", "ctr", "runc", "cni-plugins", "busybox", "ip"],
  async (test) => {
    const dataDir = await makeDataDir();
    const containerd = await startContainerd();
    const flags = ["--cri", `unix://${containerd.socketPath}`];
    const cluster = await startCluster({ dataDir, port: freePort(), flags });
    try {
      const config = new k8s.KubeConfig();
      config.loadFromFile(cluster.kubeconfig);
      const pod = await startPod(config);
      await test.step("an informer follows adds, changes and deletions", () => informs(config));
      await test.step("of several contenders one leads, and another takes over", () =>
        leads(config));
      await test.step("server-side apply: owned, contested, forced", () => applies(config));
      await test.step("patches of each type", () => patches(config));
      await test.step("exec: input, output, exit code", () => executes(config, pod));
      await test.step("a log, whole and followed", () => logs(config, pod));
      await test.step("port-forward", () => forwards(config, pod));
      await test.step("errors carry the Status", () => refuses(config));
    } finally {
      assert.equal(await cluster.stop(), 0);
      await containerd.stop();
      await Deno.remove(dataDir, { recursive: true });
    }
  },
);

/** Waits until something holds. */
async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + PATIENCE_MILLIS;
  while (!await holds()) {
    if (performance.now() > deadline) throw new Error(`never came: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function startPod(config: k8s.KubeConfig): Promise<string> {
  const core = config.makeApiClient(k8s.CoreV1Api);
  const script = "echo from the pod > /tmp/index.html; echo started; " +
    "exec httpd -f -p 8080 -h /tmp";
  await until("the default service account", async () => {
    const accounts = await core.listNamespacedServiceAccount({ namespace: NAMESPACE });
    return accounts.items.length > 0;
  });
  const body: k8s.V1Pod = {
    metadata: { name: "web", labels: { app: "web" } },
    spec: {
      terminationGracePeriodSeconds: 0,
      containers: [{ name: "web", image: TEST_IMAGE, command: ["sh", "-c", script] }],
    },
  };
  await core.createNamespacedPod({ namespace: NAMESPACE, body });
  await until("web runs", async () => {
    const pod = await core.readNamespacedPod({ namespace: NAMESPACE, name: "web" });
    return pod.status?.containerStatuses?.[0].ready === true;
  });
  return "web";
}

async function informs(config: k8s.KubeConfig): Promise<void> {
  const core = config.makeApiClient(k8s.CoreV1Api);
  const seen: string[] = [];
  const informer = k8s.makeInformer<k8s.V1ConfigMap>(
    config,
    `/api/v1/namespaces/${NAMESPACE}/configmaps`,
    () => core.listNamespacedConfigMap({ namespace: NAMESPACE, labelSelector: "for=informer" }),
    "for=informer",
  );
  for (const verb of ["add", "update", "delete"] as const) {
    informer.on(verb, (map) => seen.push(`${verb} ${map.metadata?.name} ${map.data?.step ?? ""}`));
  }
  const make = (name: string, step: string): k8s.V1ConfigMap => ({
    metadata: { name, labels: { for: "informer" } },
    data: { step },
  });
  await core.createNamespacedConfigMap({ namespace: NAMESPACE, body: make("before", "0") });
  await informer.start();
  try {
    await core.createNamespacedConfigMap({ namespace: NAMESPACE, body: make("after", "1") });
    await core.replaceNamespacedConfigMap({
      namespace: NAMESPACE,
      name: "after",
      body: make("after", "2"),
    });
    await core.deleteNamespacedConfigMap({ namespace: NAMESPACE, name: "before" });
    await until("four events", () => seen.length >= 4);
    assert.deepEqual(seen, ["add before 0", "add after 1", "update after 2", "delete before 0"]);
    assert.equal(informer.get("after", NAMESPACE)?.data?.step, "2");
    assert.equal(informer.get("before", NAMESPACE), undefined);
  } finally {
    await informer.stop();
  }
}

/** The Lease protocol of client-go's leader election, by the client's own calls. */
class Contender {
  readonly #leases: k8s.CoordinationV1Api;

  constructor(config: k8s.KubeConfig, readonly name: string) {
    this.#leases = config.makeApiClient(k8s.CoordinationV1Api);
  }

  /** Takes the lease where it is free or run out. @returns whether it leads now. */
  async tryLead(nowMillis: number): Promise<boolean> {
    const place = { namespace: NAMESPACE, name: "leader" };
    const spec: k8s.V1LeaseSpec = {
      holderIdentity: this.name,
      leaseDurationSeconds: 1,
      renewTime: new k8s.V1MicroTime(nowMillis),
    };
    const lease = await this.#leases.readNamespacedLease(place).catch(codeOf);
    try {
      if (lease === 404) {
        const body = { metadata: { name: place.name }, spec };
        await this.#leases.createNamespacedLease({ namespace: NAMESPACE, body });
        return true;
      }
      if (typeof lease === "number") throw new Error(`unexpected ${lease}`);
      // The client leaves this type as the text that came.
      const renewed = Date.parse(String(lease.spec?.renewTime));
      const isHeld = nowMillis < renewed + (lease.spec?.leaseDurationSeconds ?? 0) * 1000;
      if (isHeld && lease.spec?.holderIdentity !== this.name) return false;
      await this.#leases.replaceNamespacedLease({ ...place, body: { ...lease, spec } });
      return true;
    } catch (error) {
      // Another was faster.
      assert.ok([409].includes(codeOf(error)), String(error));
      return false;
    }
  }
}

function codeOf(error: unknown): number {
  if (error instanceof k8s.ApiException) return error.code;
  throw error;
}

async function leads(config: k8s.KubeConfig): Promise<void> {
  const contenders = ["a", "b", "c"].map((name) => new Contender(config, name));
  const start = Date.now();
  const race = (atMillis: number, who = contenders) =>
    Promise.all(who.map((contender) => contender.tryLead(atMillis)));
  const first = await race(start);
  assert.equal(first.filter(Boolean).length, 1, "one leads");
  const leader = first.indexOf(true);
  assert.deepEqual(await race(start + 500), first, "and renews, while the others wait");
  const rest = contenders.filter((_, index) => index !== leader);
  const second = await race(start + 5_000, rest);
  assert.equal(second.filter(Boolean).length, 1, "one of the others takes over");
}

async function applies(config: k8s.KubeConfig): Promise<void> {
  const objects = k8s.KubernetesObjectApi.makeApiClient(config);
  const apply = (color: string, manager: string, force = false) =>
    objects.patch(
      {
        apiVersion: "v1",
        kind: "ConfigMap",
        metadata: { name: "applied", namespace: NAMESPACE },
        data: { color },
      } as k8s.KubernetesObject,
      undefined,
      undefined,
      manager,
      force,
      k8s.PatchStrategy.ServerSideApply,
    ) as Promise<k8s.V1ConfigMap>;
  assert.equal((await apply("blue", "first")).data?.color, "blue");
  await assert.rejects(apply("red", "second"), (error) => {
    assert.equal(codeOf(error), 409);
    assert.match(String((error as k8s.ApiException<string>).body), /conflict with \\?"first\\?"/);
    return true;
  });
  const forced = await apply("red", "second", true);
  assert.equal(forced.data?.color, "red");
  const managers = forced.metadata?.managedFields?.map(({ manager }) => manager);
  assert.ok(managers?.includes("second"), String(managers));
}

async function patches(config: k8s.KubeConfig): Promise<void> {
  const core = config.makeApiClient(k8s.CoreV1Api);
  const place = { namespace: NAMESPACE, name: "applied" };
  const as = (type: string) => k8s.setHeaderOptions("Content-Type", type);
  const merged = await core.patchNamespacedConfigMap(
    { ...place, body: { data: { size: "7" } } },
    as(k8s.PatchStrategy.MergePatch),
  );
  assert.deepEqual(merged.data, { color: "red", size: "7" });
  const operated = await core.patchNamespacedConfigMap(
    { ...place, body: [{ op: "remove", path: "/data/size" }] },
    as(k8s.PatchStrategy.JsonPatch),
  );
  assert.deepEqual(operated.data, { color: "red" });
  const strategic = await core.patchNamespacedConfigMap(
    { ...place, body: { metadata: { labels: { a: "b" } } } },
    as(k8s.PatchStrategy.StrategicMergePatch),
  );
  assert.equal(strategic.metadata?.labels?.a, "b");
}

async function executes(config: k8s.KubeConfig, pod: string): Promise<void> {
  const output = new PassThrough();
  const errors = new PassThrough();
  const [said, complained] = [collect(output), collect(errors)];
  const ended = Promise.withResolvers<k8s.V1Status>();
  await new k8s.Exec(config).exec(
    NAMESPACE,
    pod,
    "web",
    ["sh", "-c", "head -n 1; echo wrong >&2; exit 3"],
    output,
    errors,
    Readable.from([Buffer.from("typed\n")]),
    false,
    (status) => ended.resolve(status),
  );
  const status = await ended.promise;
  assert.equal(status.status, "Failure");
  const causes = status.details?.causes ?? [];
  assert.deepEqual(causes.find(({ reason }) => reason === "ExitCode")?.message, "3");
  assert.equal(said(), "typed\n");
  assert.equal(complained(), "wrong\n");
}

/** @returns what came so far */
function collect(stream: PassThrough): () => string {
  let text = "";
  stream.on("data", (chunk) => text += String(chunk));
  return () => text;
}

async function logs(config: k8s.KubeConfig, pod: string): Promise<void> {
  const core = config.makeApiClient(k8s.CoreV1Api);
  const whole = await core.readNamespacedPodLog({ namespace: NAMESPACE, name: pod });
  assert.equal(whole, "started\n");
  const sink = new PassThrough();
  const said = collect(sink);
  const abort = await new k8s.Log(config).log(NAMESPACE, pod, "web", sink, { follow: true });
  try {
    await until("the followed log", () => said() === "started\n");
  } finally {
    abort.abort();
  }
}

async function forwards(config: k8s.KubeConfig, pod: string): Promise<void> {
  const forward = new k8s.PortForward(config);
  const server: Server = createServer((socket: Socket) => {
    forward.portForward(NAMESPACE, pod, [8080], socket, null, socket);
  });
  const port = freePort();
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  const socket = connect(port, "127.0.0.1");
  try {
    let answer = "";
    socket.on("data", (chunk) => answer += String(chunk));
    socket.write("GET /index.html HTTP/1.0\r\n\r\n");
    await until("the page", () => answer.includes("from the pod"));
    assert.match(answer, /^HTTP\/1\.[01] 200/);
  } finally {
    socket.destroy();
    server.close();
  }
}

async function refuses(config: k8s.KubeConfig): Promise<void> {
  const core = config.makeApiClient(k8s.CoreV1Api);
  await assert.rejects(
    core.readNamespacedPod({ namespace: NAMESPACE, name: "nothing" }),
    (error) => {
      assert.equal(codeOf(error), 404);
      const status = JSON.parse(String((error as k8s.ApiException<string>).body));
      assert.equal(status.message, 'pods "nothing" not found');
      return true;
    },
  );
  const bad = { metadata: { name: "Bad_Name" } };
  await assert.rejects(
    core.createNamespacedConfigMap({ namespace: NAMESPACE, body: bad }),
    (error) => codeOf(error) === 422,
  );
}
