/** exec, attach, cp and port-forward of both kubectls against containerd, by both protocols. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { freePort } from "../free_port.ts";
import {
  type CommandResult,
  Kubectl,
  makeDataDir,
  run,
  startCluster,
  type TestCluster,
} from "./cluster.ts";
import { startContainerd, TEST_IMAGE } from "./containerd.ts";
import { requireTool, systemTest } from "./tools.ts";

const PODS = `apiVersion: v1
kind: Pod
metadata: {name: web, labels: {app: web}}
spec:
  terminationGracePeriodSeconds: 0
  containers:
  - name: web
    image: ${TEST_IMAGE}
    command: [sh, -c, "echo from the pod > /tmp/index.html; exec httpd -f -p 8080 -h /tmp"]
---
apiVersion: v1
kind: Pod
metadata: {name: reader}
spec:
  terminationGracePeriodSeconds: 0
  containers:
  - {name: reader, image: "${TEST_IMAGE}", command: [cat], stdin: true, stdinOnce: false}
`;

/** Which protocol kubectl speaks; SPDY is what clients before WebSockets have. */
const PROTOCOLS = {
  WebSocket: {},
  SPDY: { KUBECTL_REMOTE_COMMAND_WEBSOCKETS: "false", KUBECTL_PORT_FORWARD_WEBSOCKETS: "false" },
} as const;

type Ask = (args: readonly string[], stdin?: string) => Promise<CommandResult>;

systemTest(
  "streams over CRI",
  ["kubectl-1.32", "kubectl-1.36", "containerd", "ctr", "runc", "cni-plugins", "busybox", "ip"],
  async (test) => {
    const dataDir = await makeDataDir();
    const containerd = await startContainerd();
    const flags = ["--cri", `unix://${containerd.socketPath}`];
    const cluster = await startCluster({ dataDir, port: freePort(), flags });
    try {
      const kubectl = new Kubectl("kubectl-1.36", cluster);
      await kubectl.ok("apply -f -", PODS);
      await kubectl.ok("wait --for=condition=Ready pod/web pod/reader --timeout=60s");
      for (const tool of ["kubectl-1.36", "kubectl-1.32"] as const) {
        for (const [protocol, env] of Object.entries(PROTOCOLS)) {
          await test.step(`${tool} over ${protocol}`, async (step) => {
            await walk(step, { cluster, command: requireTool(tool), env });
          });
        }
      }
      await test.step("get --raw through the proxy of a pod", async () => {
        const url = "/api/v1/namespaces/default/pods/web:8080/proxy/index.html";
        assert.equal(await kubectl.ok(`get --raw ${url}`), "from the pod\n");
      });
      await kubectl.ok("delete pod web reader --timeout=60s");
    } finally {
      assert.equal(await cluster.stop(), 0);
      await containerd.stop();
      await Deno.remove(dataDir, { recursive: true });
    }
  },
);

interface Client {
  readonly cluster: TestCluster;
  readonly command: string;
  readonly env: Record<string, string>;
}

async function walk(test: Deno.TestContext, client: Client): Promise<void> {
  const { cluster, command } = client;
  const env = { ...client.env, HOME: join(cluster.dataDir, "home"), PATH: Deno.env.get("PATH")! };
  const ask: Ask = (args, stdin) =>
    run(command, ["--kubeconfig", cluster.kubeconfig, ...args], { stdin, env });
  await test.step("exec: output, errors, exit code, input", () => execute(ask));
  await test.step("attach -i reaches the process", () => attach(ask, { ...client, env }));
  await test.step("cp there and back", () => copy(ask, cluster.dataDir));
  await test.step("port-forward", () => forward({ ...client, env }));
}

async function execute(ask: Ask): Promise<void> {
  const failed = await ask(["exec", "web", "--", "sh", "-c", "echo out; echo err >&2; exit 3"]);
  assert.equal(failed.code, 3, failed.stderr);
  assert.equal(failed.stdout, "out\n");
  assert.match(failed.stderr, /^err\n/);
  const piped = await ask(["exec", "-i", "web", "--", "cat"], "typed\n".repeat(20_000));
  assert.equal(piped.stdout.length, 120_000, piped.stderr);
}

/** An attach lasts as long as the process that it is attached to, or until it is told to end. */
async function attach(ask: Ask, { cluster, command, env }: Client): Promise<void> {
  const text = `attached ${crypto.randomUUID()}\n`;
  const child = new Deno.Command(command, {
    args: ["--kubeconfig", cluster.kubeconfig, "attach", "-i", "reader"],
    env,
    stdin: "piped",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const output = child.stdout.getReader();
  const input = child.stdin.getWriter();
  try {
    await input.write(new TextEncoder().encode(text));
    let echoed = "";
    while (!echoed.includes(text)) {
      const { value, done } = await output.read();
      assert.ok(!done, `attach ended:\n${echoed}`);
      echoed += new TextDecoder().decode(value);
    }
  } finally {
    child.kill("SIGKILL");
    await input.close().catch(() => {});
    await output.cancel();
    await child.status;
  }
  const { stdout } = await ask(["logs", "reader"]);
  assert.ok(stdout.includes(text), stdout);
}

async function copy(ask: Ask, folder: string): Promise<void> {
  const [there, back] = [join(folder, "there"), join(folder, "back")];
  const bytes = crypto.getRandomValues(new Uint8Array(60_000));
  await Deno.writeFile(there, bytes);
  const sent = await ask(["cp", there, "web:/tmp/copied"]);
  assert.equal(sent.code, 0, sent.stderr);
  const fetched = await ask(["cp", "web:/tmp/copied", back]);
  assert.equal(fetched.code, 0, fetched.stderr);
  assert.deepEqual(await Deno.readFile(back), bytes);
}

async function forward({ cluster, command, env }: Client): Promise<void> {
  const port = freePort();
  const child = new Deno.Command(command, {
    args: ["--kubeconfig", cluster.kubeconfig, "port-forward", "pod/web", `${port}:8080`],
    env,
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const reader = child.stdout.getReader();
  try {
    const { value = new Uint8Array(0) } = await reader.read();
    assert.match(new TextDecoder().decode(value), /Forwarding from 127\.0\.0\.1:\d+ -> 8080/);
    const pages = await Promise.all([1, 2, 3, 4].map(async () => {
      const response = await fetch(`http://127.0.0.1:${port}/index.html`);
      return await response.text();
    }));
    assert.deepEqual(pages, Array(4).fill("from the pod\n"));
  } finally {
    await reader.cancel();
    await child.stderr.cancel();
    child.kill("SIGTERM");
    await child.status;
  }
}
