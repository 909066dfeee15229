/**
 * A private containerd for tests: own folders, own socket, own network, one image from busybox.
 * In: Debian's containerd, runc, CNI plugins, busybox-static. Out: a CRI socket.
 * Never: touches the machine's own containerd; all of it lives in one temporary folder.
 */
import { join } from "node:path";
import { requireTool } from "./tools.ts";

export interface TestContainerd {
  readonly socketPath: string;
  /** Runs `ctr` against it; resolves with what it printed. */
  ctr(...args: string[]): Promise<string>;
  stop(): Promise<void>;
}

export const TEST_IMAGE = "localhost/balsa-test/busybox:1";
const PAUSE_IMAGE = "localhost/balsa-test/pause:1";
const APPLETS = "sh ls cat echo sleep env tar id head tail wc kill httpd nc true false stty".split(
  " ",
);
const START_TIMEOUT_MILLIS = 15_000;

/**
 * Starts containerd and imports the images. Errors: throws with its log when it does not answer.
 */
export async function startContainerd(): Promise<TestContainerd> {
  const folder = await Deno.makeTempDir({ prefix: "balsa-cri-" });
  const socketPath = join(folder, "c.sock");
  await writeConfig(folder, socketPath);
  const log = await Deno.open(join(folder, "log"), { create: true, write: true });
  const child = new Deno.Command(requireTool("containerd"), {
    args: ["--config", join(folder, "config.toml")],
    env: { PATH: `/usr/sbin:/sbin:${Deno.env.get("PATH") ?? "/usr/bin:/bin"}` },
    stdout: "null",
    stderr: "piped",
  }).spawn();
  const logged = child.stderr.pipeTo(log.writable);
  const ctr = (...args: string[]) =>
    run(requireTool("ctr"), ["--address", socketPath, "--namespace", "k8s.io", ...args]);
  const stop = async () => {
    await removeTasks(ctr);
    child.kill("SIGTERM");
    await child.status;
    await logged.catch(() => {});
    await unmountBelow(folder);
    await run("/sbin/ip", ["link", "delete", bridgeName(folder)]).catch(() => {});
    await Deno.remove(folder, { recursive: true }).catch(() => {});
  };
  try {
    await waitFor(() => ctr("version"));
    await importImage(folder, ctr, { name: TEST_IMAGE, command: ["sh"] });
    await importImage(folder, ctr, { name: PAUSE_IMAGE, command: ["sleep", "2147483647"] });
  } catch (error) {
    const said = await Deno.readTextFile(join(folder, "log"));
    await stop();
    throw new Error(`containerd did not start: ${error}\n${said.slice(-4000)}`);
  }
  return { socketPath, ctr, stop };
}

/** A name that fits a network interface. */
function bridgeName(folder: string): string {
  return `bt${folder.slice(-8)}`.replace(/[^a-z0-9]/gi, "0");
}

async function writeConfig(folder: string, socketPath: string): Promise<void> {
  const cri = 'plugins."io.containerd.grpc.v1.cri"';
  await Deno.mkdir(join(folder, "cni"));
  const config = `version = 2
root = "${folder}/root"
state = "${folder}/state"
[grpc]
  address = "${socketPath}"
[ttrpc]
  address = "${socketPath}.ttrpc"
[${cri}]
  sandbox_image = "${PAUSE_IMAGE}"
  restrict_oom_score_adj = true
  disable_apparmor = true
  stream_server_address = "127.0.0.1"
  stream_server_port = "0"
  [${cri}.cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "${folder}/cni"
  [${cri}.containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [${cri}.containerd.runtimes.runc.options]
      SystemdCgroup = false
`;
  await Deno.writeTextFile(join(folder, "config.toml"), config);
  const network = {
    cniVersion: "0.4.0",
    name: "balsa-test",
    plugins: [{
      type: "bridge",
      bridge: bridgeName(folder),
      isGateway: true,
      ipam: {
        type: "host-local",
        dataDir: join(folder, "ipam"),
        ranges: [[{ subnet: "10.211.0.0/24" }]],
      },
    }],
  };
  await Deno.writeTextFile(join(folder, "cni", "10-net.conflist"), JSON.stringify(network));
}

/** Builds an OCI image of busybox and its applets with tar, and imports it. */
async function importImage(
  folder: string,
  ctr: TestContainerd["ctr"],
  { name, command }: { readonly name: string; readonly command: readonly string[] },
): Promise<void> {
  const work = await Deno.makeTempDir({ dir: folder });
  const files = join(work, "files");
  await Deno.mkdir(join(files, "bin"), { recursive: true });
  await Deno.mkdir(join(files, "tmp"));
  await Deno.copyFile(requireTool("busybox"), join(files, "bin/busybox"));
  await Deno.chmod(join(files, "bin/busybox"), 0o755);
  for (const applet of APPLETS) await Deno.symlink("busybox", join(files, "bin", applet));
  await run("tar", ["-C", files, "-cf", join(work, "layer"), "."]);
  const layout = join(work, "layout");
  await Deno.mkdir(join(layout, "blobs/sha256"), { recursive: true });
  const layer = await addBlob(layout, await Deno.readFile(join(work, "layer")));
  const config = await addBlob(layout, {
    architecture: Deno.build.arch === "aarch64" ? "arm64" : "amd64",
    os: "linux",
    config: { Env: ["PATH=/bin"], Cmd: command },
    rootfs: { type: "layers", diff_ids: [layer.digest] },
  });
  const image = "application/vnd.oci.image";
  const manifest = await addBlob(layout, {
    schemaVersion: 2,
    mediaType: `${image}.manifest.v1+json`,
    config: { mediaType: `${image}.config.v1+json`, ...config },
    layers: [{ mediaType: `${image}.layer.v1.tar`, ...layer }],
  });
  const annotations = { "io.containerd.image.name": name };
  const index = {
    schemaVersion: 2,
    manifests: [{ mediaType: `${image}.manifest.v1+json`, ...manifest, annotations }],
  };
  await Deno.writeTextFile(join(layout, "index.json"), JSON.stringify(index));
  await Deno.writeTextFile(join(layout, "oci-layout"), '{"imageLayoutVersion":"1.0.0"}');
  await run("tar", ["-C", layout, "-cf", join(work, "image.tar"), "."]);
  await ctr("images", "import", join(work, "image.tar"));
}

async function addBlob(layout: string, content: Uint8Array<ArrayBuffer> | object) {
  const bytes = content instanceof Uint8Array
    ? content
    : new TextEncoder().encode(JSON.stringify(content));
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
  await Deno.writeFile(join(layout, "blobs/sha256", hash), bytes);
  return { digest: `sha256:${hash}`, size: bytes.length };
}

async function removeTasks(ctr: TestContainerd["ctr"]): Promise<void> {
  const names = (await ctr("tasks", "list", "--quiet").catch(() => "")).split("\n").filter(Boolean);
  for (const name of names) {
    await ctr("tasks", "kill", "--signal", "SIGKILL", name).catch(() => {});
    await ctr("tasks", "delete", "--force", name).catch(() => {});
  }
}

async function unmountBelow(folder: string): Promise<void> {
  const mounts = (await Deno.readTextFile("/proc/mounts")).split("\n")
    .map((line) => line.split(" ")[1] ?? "").filter((path) => path.startsWith(`${folder}/`));
  for (const path of mounts.reverse()) await run("umount", ["-l", path]).catch(() => {});
}

async function run(command: string, args: readonly string[]): Promise<string> {
  const output = await new Deno.Command(command, { args: [...args] }).output();
  if (!output.success) throw new Error(new TextDecoder().decode(output.stderr).trim());
  return new TextDecoder().decode(output.stdout);
}

async function waitFor(probe: () => Promise<unknown>): Promise<void> {
  const deadline = performance.now() + START_TIMEOUT_MILLIS;
  for (;;) {
    try {
      await probe();
      return;
    } catch (error) {
      if (performance.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}
