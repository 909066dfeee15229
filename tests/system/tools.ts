/**
 * The real programs that system tests drive, and where to find them.
 * In: the machine. Out: a path per tool, or why there is none; as root on Debian what is missing is
 * installed, or unpacked below `.tools/` where two versions must live side by side.
 * Never: touches a machine that is not Debian or where it isn't root.
 */
import { join } from "node:path";
import { projectRoot } from "../source_tree.ts";

const TOOLS_FOLDER = join(projectRoot(), ".tools");

/** A package of one suite, unpacked into `.tools/<folder>` without being installed. */
interface Unpacked {
  readonly folder: string;
  readonly packages: readonly string[];
  readonly suite: "bookworm" | "trixie" | "sid";
}

const UNPACKED: readonly Unpacked[] = [
  { folder: "kubectl-1.36", packages: ["kubectl"], suite: "sid" },
  { folder: "kubectl-1.32", packages: ["kubectl"], suite: "trixie" },
  { folder: "etcd-3.5", packages: ["etcd-server", "etcd-client"], suite: "trixie" },
  { folder: "etcd-3.4", packages: ["etcd-server", "etcd-client"], suite: "bookworm" },
  {
    folder: "go-src",
    packages: ["golang-k8s-api-dev", "golang-k8s-apimachinery-dev"],
    suite: "sid",
  },
];

/** Packages installed as the distribution has them; only those whose program is missing. */
const INSTALLED: readonly { readonly packageName: string; readonly file: string }[] = [
  { packageName: "containerd", file: "/usr/bin/containerd" },
  { packageName: "runc", file: "/usr/sbin/runc" },
  { packageName: "containernetworking-plugins", file: "/usr/lib/cni/bridge" },
  { packageName: "busybox-static", file: "/bin/busybox" },
  { packageName: "nghttp2-client", file: "/usr/bin/h2load" },
  { packageName: "iproute2", file: "/sbin/ip" },
  { packageName: "iptables", file: "/usr/sbin/iptables" },
  { packageName: "curl", file: "/usr/bin/curl" },
];

const PATHS = {
  "kubectl-1.36": join(TOOLS_FOLDER, "kubectl-1.36/usr/bin/kubectl"),
  "kubectl-1.32": join(TOOLS_FOLDER, "kubectl-1.32/usr/bin/kubectl"),
  "etcd-3.5": join(TOOLS_FOLDER, "etcd-3.5/usr/bin/etcd"),
  "etcdctl-3.5": join(TOOLS_FOLDER, "etcd-3.5/usr/bin/etcdctl"),
  "etcd-3.4": join(TOOLS_FOLDER, "etcd-3.4/usr/bin/etcd"),
  "etcdctl-3.4": join(TOOLS_FOLDER, "etcd-3.4/usr/bin/etcdctl"),
  "go-src": join(TOOLS_FOLDER, "go-src/usr/share/gocode/src/k8s.io"),
  containerd: "/usr/bin/containerd",
  ctr: "/usr/bin/ctr",
  runc: "/usr/sbin/runc",
  "cni-plugins": "/usr/lib/cni/bridge",
  busybox: "/bin/busybox",
  h2load: "/usr/bin/h2load",
  ip: "/sbin/ip",
  curl: "/usr/bin/curl",
} as const;

export type Tool = keyof typeof PATHS;

/** What a test may need of a machine; "root" is to be the user who may do everything. */
export type Need = Tool | "root";

/** @returns where the tool is, or null when this machine has none. */
export function toolPath(tool: Tool): string | null {
  return exists(PATHS[tool]) ? PATHS[tool] : null;
}

/** @returns where the tool is. Errors: throws when it is missing; guard with `systemTest`. */
export function requireTool(tool: Tool): string {
  const path = toolPath(tool);
  if (path === null) throw new Error(`${tool} is missing: run "deno task test" once as root`);
  return path;
}

function has(need: Need): boolean {
  return need === "root" ? Deno.uid() === 0 : toolPath(need) !== null;
}

/**
 * A test that needs real programs. Where one is missing it says SKIP and why, or fails when
 * BALSA_FORBID_SKIPS is set, as the project's own checks do.
 * @param needs the tools it calls, and whether it must be root
 */
export function systemTest(
  name: string,
  needs: readonly Need[],
  run: (context: Deno.TestContext) => Promise<void>,
): void {
  const missing = needs.filter((need) => !has(need));
  const forbidden = Deno.env.get("BALSA_FORBID_SKIPS") === "1";
  if (missing.length > 0 && !forbidden) {
    console.log(`SKIP ${name}: this machine has no ${missing.join(", ")}`);
  }
  Deno.test({
    name,
    ignore: missing.length > 0 && !forbidden,
    // Child processes and sockets are the test's own business here; each closes what it opened.
    sanitizeOps: false,
    sanitizeResources: false,
    fn: async (context) => {
      if (needs.includes("root") && !has("root")) throw new Error("this test has to run as root");
      for (const need of needs) if (need !== "root") requireTool(need);
      await run(context);
    },
  });
}

/**
 * Brings what is missing, once a machine.
 * @param say prints one line of progress
 * Errors: throws with apt's own words when a package can't be had.
 */
export async function ensureTools(say: (line: string) => void): Promise<void> {
  const unpack = UNPACKED.filter((one) => !exists(join(TOOLS_FOLDER, one.folder, ".complete")));
  const install = INSTALLED.filter((one) => !exists(one.file)).map((one) => one.packageName);
  if (unpack.length === 0 && install.length === 0) return;
  if (Deno.uid() !== 0 || !exists("/etc/debian_version")) {
    say("not root on Debian: tests whose programs are missing will say SKIP");
    return;
  }
  if (install.length > 0) {
    say(`installing ${install.join(" ")}`);
    await apt(["update", "-q"], []);
    await apt(["install", "-y", "-q", "--no-install-recommends", ...install], []);
  }
  if (unpack.length > 0) await unpackAll(unpack, say);
}

async function unpackAll(wanted: readonly Unpacked[], say: (line: string) => void) {
  const options = prepareSuites();
  await apt(["update", "-q"], options);
  for (const { folder, packages, suite } of wanted) {
    say(`unpacking ${packages.join(" ")} of ${suite} into .tools/${folder}`);
    const target = join(TOOLS_FOLDER, folder);
    const download = join(TOOLS_FOLDER, "apt", folder);
    Deno.mkdirSync(target, { recursive: true });
    Deno.mkdirSync(download, { recursive: true });
    await apt(["download", ...packages.map((name) => `${name}/${suite}`)], options, download);
    for (const file of Deno.readDirSync(download)) {
      if (file.name.endsWith(".deb")) await must("dpkg", ["-x", join(download, file.name), target]);
    }
    Deno.removeSync(download, { recursive: true });
    Deno.writeTextFileSync(join(target, ".complete"), "");
  }
}

/** A list of three suites of this machine's own mirror, kept apart from the machine's own lists. */
function prepareSuites(): string[] {
  const folder = join(TOOLS_FOLDER, "apt");
  for (const name of ["lists/partial", "cache/archives/partial", "etc"]) {
    Deno.mkdirSync(join(folder, name), { recursive: true });
  }
  const sources = join(folder, "etc", "suites.sources");
  Deno.writeTextFileSync(
    sources,
    `Types: deb\nURIs: ${debianMirror()}\nSuites: bookworm trixie sid\nComponents: main\n` +
      `Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg\n`,
  );
  return [
    ["Dir::Etc::sourcelist", sources],
    ["Dir::Etc::sourceparts", "-"],
    ["Dir::Etc::preferences", "-"],
    ["Dir::Etc::preferencesparts", "-"],
    ["Dir::State::lists", join(folder, "lists")],
    ["Dir::Cache", join(folder, "cache")],
    ["APT::Sandbox::User", "root"],
  ].flatMap(([key, value]) => ["-o", `${key}=${value}`]);
}

/** The mirror that this machine's own apt is configured with. Errors: throws when none is found. */
function debianMirror(): string {
  const files = ["/etc/apt/sources.list"];
  if (exists("/etc/apt/sources.list.d")) {
    for (const entry of Deno.readDirSync("/etc/apt/sources.list.d")) {
      if (/\.(list|sources)$/.test(entry.name)) files.push(`/etc/apt/sources.list.d/${entry.name}`);
    }
  }
  for (const file of files.filter(exists)) {
    const match = /(?:^URIs:\s*|^deb\s+(?:\[[^\]]*\]\s+)?)(\S+\/debian)\/?(?:\s|$)/m.exec(
      Deno.readTextFileSync(file),
    );
    if (match) return match[1];
  }
  throw new Error("no Debian mirror in /etc/apt: add one, or unpack the tools by hand");
}

async function apt(args: readonly string[], options: readonly string[], cwd?: string) {
  await must("apt-get", [...options, ...args], cwd);
}

async function must(command: string, args: readonly string[], cwd?: string) {
  const output = await new Deno.Command(command, {
    args: [...args],
    cwd,
    env: { DEBIAN_FRONTEND: "noninteractive" },
    stdout: "piped",
    stderr: "piped",
  }).output();
  if (output.success) return;
  const said = new TextDecoder().decode(output.stderr).trim();
  throw new Error(`${command} ${args.join(" ")} failed (${output.code}):\n${said}`);
}

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}
