/**
 * Unmodified etcdctl, two versions, on one member: what it prints is what it prints on a real etcd.
 * Each command runs on both at once; ids, ports, sizes and hashes are blanked before comparing.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { systemTest } from "../tools.ts";
import {
  Etcdctl,
  type MemberOptions,
  type MemberProcess,
  startAlone,
  withFolder,
} from "./member_process.ts";

type Version = "3.4" | "3.5";

/** A line of the walk: words for etcdctl, with `$lease` for the lease granted last. */
interface Step {
  readonly words: string;
  readonly stdin?: string;
}

const TXN = `value("a/1") = "one"
mod("a/2") > "1"

put a/3 three
get a/ --prefix

put never happens

`;
const TXN_ELSE = `version("nothing") > "0"
create("a/1") = "7"

put never happens

del a/3 --prev-kv
get a/3
put a/3 again --prev-kv

`;

const DATA: readonly Step[] = [
  ...[
    "put a/1 one",
    "put a/2 two",
    "put a/2 zwei --prev-kv",
    "put a/1 --ignore-value --lease=7",
    "put nothing --ignore-value",
    "put b",
  ],
  { words: "put from-stdin", stdin: "several\nlines" },
  ...[
    "get a/1",
    "get a/1 -w json",
    "get a/1 -w fields",
    "get a/1 --hex",
    "get a/ --prefix",
    "get a/ --prefix --keys-only",
    "get a/ --prefix --count-only -w fields",
    "get a/ --prefix --print-value-only",
    "get a/ --prefix --limit=1 -w json",
    "get a b",
    "get --from-key a/2",
    "get a/ --prefix --sort-by=MODIFY --order=DESCEND",
    "get a/ --prefix --sort-by=VERSION --order=ASCEND",
    "get a/ --prefix --sort-by=VALUE --order=DESCEND",
    "get a/ --prefix --sort-by=CREATE --order=DESCEND",
    "get a/ --prefix --sort-by=KEY --order=DESCEND",
    "get a/2 --rev=3",
    "get a/2 --rev=999",
    "get a/2 --consistency=s",
    "get absent",
  ],
  { words: "txn", stdin: TXN },
  { words: "txn", stdin: TXN_ELSE },
  { words: "txn -w json", stdin: TXN },
  ...[
    "put c/1 x",
    "put c/2 y",
    "del c/1 --prev-kv",
    "del c/ --prefix --prev-kv",
    "del absent",
    "del a/3 a/4 -w json",
    "put d/1 1",
    "put d/2 2",
    "del --from-key d/2",
    "watch --rev=2 a/ --prefix $stop9",
    "compaction 4",
    "compaction 4",
    "compaction 99999",
    "get a/2 --rev=2",
    "watch a/ --rev=2 --prefix $stop0",
  ],
].map(asStep);

const LEASES: readonly Step[] = [
  "lease grant 300",
  "put l/1 held --lease=$lease",
  "lease timetolive $lease --keys",
  "lease timetolive $lease -w json --keys",
  "lease list",
  "lease keep-alive --once $lease",
  "get l/1 -w json",
  "put l/1 --ignore-lease changed",
  "get l/1 -w fields",
  "lease revoke $lease",
  "get l/ --prefix",
  "lease timetolive $lease",
  "lease revoke $lease",
  "lease keep-alive --once $lease",
  "lease grant 10000000000",
  "lease grant 0",
].map(asStep);

const CLUSTER: readonly Step[] = [
  "member list",
  "member list -w json",
  "member list -w table",
  "member list -w fields",
  "member remove 1234",
  "member update 1234 --peer-urls=http://127.0.0.1:1",
  "member promote 1234",
  "move-leader 1234",
  "endpoint health",
  "endpoint health --cluster",
  "endpoint status -w fields",
  "endpoint hashkv",
  "endpoint hashkv --rev=2",
  "alarm list",
  "alarm disarm",
  "defrag",
  "version",
].map(asStep);

const AUTH: readonly Step[] = [
  "auth status",
  "auth enable",
  "user add root:secret",
  "user add root:secret",
  "user add reader --new-user-password=pw",
  "user add nobody --no-password",
  "user list",
  "role add r",
  "role add r",
  "role list",
  "role grant-permission r read a/ --prefix",
  "role grant-permission r write w",
  "role grant-permission r readwrite x z",
  "role grant-permission absent read a",
  "role get r",
  "role get r -w json",
  "role get absent",
  "role revoke-permission r w",
  "role revoke-permission r w",
  "user grant-role reader r",
  "user grant-role reader absent",
  "user get reader",
  "user get reader --detail",
  "user get absent",
  { words: "user passwd reader --interactive=false", stdin: "new" },
  { words: "user passwd absent --interactive=false", stdin: "new" },
  { words: "user passwd reader --interactive=false", stdin: "pw" },
  "auth enable",
  "get a/1",
  "get a/1 --user=root:wrong",
  "get a/1 --user=nobody:x",
  "get a/1 --user=reader:pw",
  "get b --user=reader:pw",
  "put a/1 no --user=reader:pw",
  "put xx yes --user=reader:pw",
  "user list --user=reader:pw",
  "user revoke-role reader r --user=root:secret",
  "get a/1 --user=reader:pw",
  "user delete reader --user=root:secret",
  "user delete root --user=root:secret",
  "role delete r --user=root:secret",
  "auth status --user=root:secret",
  "auth disable --user=root:secret",
  "auth disable",
  "user delete root",
  "user list",
].map(asStep);

for (const version of ["3.4", "3.5"] as const) {
  systemTest(
    `etcdctl ${version} prints on a member what it prints on etcd`,
    [`etcdctl-${version}`, "etcd-3.5"],
    (test) =>
      withFolder(async (folder) => {
        const [ours, etcd] = await Promise.all([
          startAlone("balsa", join(folder, "ours")),
          startAlone("etcd-3.5", join(folder, "etcd")),
        ]);
        try {
          for (
            const [name, steps] of Object.entries({ data: DATA, leases: LEASES, CLUSTER, AUTH })
          ) {
            await test.step(name.toLowerCase(), () => compare(version, steps, { ours, etcd }));
          }
          await test.step("lock and elect", () => lockAndElect(version, { ours, etcd }));
          await test.step("make-mirror, both ways", () => mirror(version, { ours, etcd }));
        } finally {
          assert.equal(await ours.stop(), 0);
          await etcd.stop();
        }
        assert.doesNotMatch(ours.log, /"level":"(warn|error)"/);
      }),
  );
}

systemTest(
  "etcdctl check datascale finds the memory that it asks for",
  ["etcdctl-3.5"],
  () =>
    withFolder(async (folder) => {
      const member = await startAlone("balsa", folder);
      try {
        const etcdctl = new Etcdctl("3.5", member.url);
        const words = ["check", "datascale", "--load=s", "--auto-compact", "--auto-defrag"];
        const { code, stdout, stderr } = await etcdctl.try(words);
        assert.equal(code, 0, stdout + stderr);
        assert.match(stdout, /PASS: Approximate system memory used/);
      } finally {
        await member.stop();
      }
    }),
);

systemTest(
  "etcdctl check perf finds on a member what it finds on etcd beside it",
  ["etcd-3.5", "etcdctl-3.5"],
  () =>
    withFolder(async (folder) => {
      const [ours, etcd] = await Promise.all([
        startAlone("balsa", join(folder, "ours")),
        startAlone("etcd-3.5", join(folder, "etcd")),
      ]);
      try {
        // Both at once: what the machine's other work takes away, it takes away from both.
        const [got, expected] = await Promise.all([ours, etcd].map(checkPerf));
        assert.ok(
          got.writesPerSecond >= 0.9 * expected.writesPerSecond,
          `--- ours\n${got.text}\n--- etcd\n${expected.text}`,
        );
      } finally {
        await Promise.all([ours.stop(), etcd.stop()]);
      }
    }),
);

/** A minute of the tool's smallest load, 150 writes a second; each of them must be answered. */
async function checkPerf({ url }: MemberProcess) {
  const { stdout, stderr } = await new Etcdctl("3.5", url).try(["check", "perf", "--load=s"]);
  const text = stdout + stderr;
  assert.doesNotMatch(text, /too many errors/i);
  const throughput = /Throughput (?:is|too low:) (\d+) writes\/s/.exec(text);
  assert.ok(throughput !== null, text);
  return { text, writesPerSecond: Number(throughput[1]) };
}

function asStep(step: string | Step): Step {
  return typeof step === "string" ? { words: step } : step;
}

interface Both {
  readonly ours: MemberProcess;
  readonly etcd: MemberProcess;
}

/** Runs every step on both and lists all differences at once. */
async function compare(version: Version, steps: readonly Step[], { ours, etcd }: Both) {
  const sides = [ours, etcd].map((member) => new Side(version, member));
  const differences: string[] = [];
  for (const step of steps) {
    const [got, expected] = await Promise.all(sides.map((side) => side.run(step)));
    if (got === expected) continue;
    differences.push(`etcdctl ${step.words}\n--- ours\n${got}\n--- etcd\n${expected}`);
  }
  assert.equal(differences.length, 0, differences.join("\n\n"));
}

/** One server, and the lease granted last on it. */
class Side {
  readonly #etcdctl: Etcdctl;
  readonly #member: MemberOptions;
  #lease = "no lease yet";
  /** The same in decimal, as JSON shows it. */
  get #leaseNumber(): string {
    return /^[0-9a-f]+$/.test(this.#lease) ? String(BigInt(`0x${this.#lease}`)) : this.#lease;
  }

  constructor(version: Version, member: MemberProcess) {
    this.#etcdctl = new Etcdctl(version, member.url);
    this.#member = member.options;
  }

  async run({ words, stdin }: Step): Promise<string> {
    const args = words.replaceAll("$lease", this.#lease).split(" ");
    const stop = /^\$stop(\d+)$/.exec(args.at(-1)!);
    if (stop !== null) return this.#blank(await this.#watch(args.slice(0, -1), Number(stop[1])));
    const { code, stdout, stderr } = await this.#etcdctl.try(args, stdin);
    this.#lease = /^lease ([0-9a-f]+) granted/.exec(stdout)?.[1] ?? this.#lease;
    // The client logs its retries on standard error with times; its verdict is the last line.
    const verdict = stderr.split("\n").filter((line) => line !== "" && !line.startsWith("{"));
    return this.#blank(`${code}\n${stdout}${verdict.join("\n")}`);
  }

  /** A watch never ends by itself: reads until it printed enough lines, or ended. */
  async #watch(args: readonly string[], lines: number): Promise<string> {
    const child = this.#etcdctl.spawn(args);
    let text = "";
    const decoder = new TextDecoder();
    for await (const chunk of child.stdout) {
      text += decoder.decode(chunk, { stream: true });
      if (lines > 0 && text.split("\n").length > lines) break;
    }
    if (lines > 0) {
      child.kill("SIGKILL");
      // A chunk may hold more lines than were asked for.
      text = `${text.split("\n").slice(0, lines).join("\n")}\n`;
    }
    const said = lines > 0 ? "" : await new Response(child.stderr).text();
    if (lines > 0) await child.stderr.cancel();
    await child.stdin.close();
    await child.status;
    return `${text}${said.split("\n").filter((line) => !line.startsWith("{")).join("\n")}`;
  }

  /** Leaves what both servers must say alike. */
  #blank(text: string): string {
    return text
      .replaceAll(this.#lease, "LEASE")
      .replaceAll(this.#leaseNumber, "LEASE")
      .replaceAll(String(this.#member.clientPort), "CLIENT")
      .replaceAll(String(this.#member.peerPort), "PEER")
      .replace(/("cluster_id":|"member_id":|"ID":|"ClusterID" : |"MemberID" : |"ID" : )\d+/g, "$1N")
      .replace(/("(?:Leader|leader)" ?: ?)\d+/g, "$1N")
      .replace(/("raft_term":|"RaftTerm" : )\d+/g, "$1N")
      .replace(
        /("(?:RaftIndex|RaftAppliedIndex|DBSize\w*|StorageVersion|DBSizeQuota)" : )\d+/g,
        "$1N",
      )
      .replace(/("Version" : )"3\.\d+\.\d+"/g, "$1V")
      .replace(/took = \S+/g, "took = T")
      .replace(/\b[0-9a-f]{12,16}\b/g, "ID")
      .replace(/("(?:remaining-ttl|ttl|TTL)":|remaining\()\d+/g, "$1TTL")
      .replace(/(CLIENT, )\d+/g, "$1HASH")
      // Tables are as wide as the ids in them.
      .replace(/-{2,}/g, "--")
      .replace(/ {2,}/g, " ");
  }
}

/** Both print the key they hold; its last part is the lease that holds it. */
async function lockAndElect(version: Version, { ours, etcd }: Both): Promise<void> {
  for (const member of [ours, etcd]) {
    const etcdctl = new Etcdctl(version, member.url);
    const held = await etcdctl.ok(["lock", "door", "printenv", "ETCD_LOCK_KEY"]);
    assert.match(held, /^door\/[0-9a-f]+\n$/);
    const first = etcdctl.spawn(["elect", "chair", "anna"]);
    assert.match(await firstText(first), /^chair\/[0-9a-f]+\nanna\n/);
    const second = etcdctl.spawn(["elect", "chair", "bert"]);
    first.kill("SIGINT");
    assert.match(await firstText(second), /^chair\/[0-9a-f]+\nbert\n/);
    second.kill("SIGKILL");
    await Promise.all([finish(first), finish(second)]);
  }
}

async function firstText(child: Deno.ChildProcess): Promise<string> {
  const reader = child.stdout.getReader();
  let text = "";
  while (text.split("\n").length < 3) {
    const { value, done } = await reader.read();
    if (done) break;
    text += new TextDecoder().decode(value);
  }
  reader.releaseLock();
  return text;
}

async function finish(child: Deno.ChildProcess): Promise<void> {
  await Promise.all([child.stdin.close(), child.stdout.cancel(), child.stderr.cancel()]);
  await child.status;
}

async function mirror(version: Version, { ours, etcd }: Both): Promise<void> {
  for (const [from, to, key] of [[ours, etcd, "m/1"], [etcd, ours, "m/2"]] as const) {
    const [source, target] = [from, to].map(({ url }) => new Etcdctl(version, url));
    await source.ok(["put", key, "before"]);
    const mirroring = source.spawn(["make-mirror", to.url.replace("http://", "")]);
    const holds = (value: string) => async () => (await target.ok(["get", key])) === value;
    await to.until("the mirrored key", holds(`${key}\nbefore\n`));
    await source.ok(["put", key, "after"]);
    await to.until("the mirrored change", holds(`${key}\nafter\n`));
    mirroring.kill("SIGKILL");
    await finish(mirroring);
  }
}
