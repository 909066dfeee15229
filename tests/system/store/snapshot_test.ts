/** Snapshots both ways: real etcd restores ours and serves it, ours restores real etcd's. */
import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { BoltReader } from "../../../store/bolt/reader.ts";
import { decodeRevision } from "../../../store/bolt/revision_walk.ts";
import { freePort } from "../../free_port.ts";
import { projectRoot } from "../../source_tree.ts";
import { type CommandResult, run } from "../cluster.ts";
import { requireTool, systemTest } from "../tools.ts";
import {
  Etcdctl,
  MemberProcess,
  type ServerKind,
  startAlone,
  withFolder,
} from "./member_process.ts";

/** Keys enough for a tree of three levels of pages. */
const MANY = 3_000;

/** Puts, overwrites, deletes, compacts, leases, roles and an alarm's worth of everything else. */
async function fill(member: MemberProcess): Promise<void> {
  const etcdctl = new Etcdctl("3.5", member.url);
  const put = (key: string, value: string) => `put ${key} ${value}`;
  for (let from = 0; from < MANY; from += 100) {
    const puts = Array.from({ length: 100 }, (_, i) => put(`many/${from + i}`, "v".repeat(90)));
    await etcdctl.ok(["txn"], `\n${puts.join("\n")}\n\n\n`);
  }
  await etcdctl.ok(["put", "large"], "L".repeat(100_000));
  for (const value of ["one", "two", "three"]) await etcdctl.ok(["put", "twice", value]);
  await etcdctl.ok(["del", "many/1", "many/10"]);
  const revision = Number(
    /"Revision" : (\d+)/.exec(await etcdctl.ok(["get", "x", "-w", "fields"]))?.[1],
  );
  await etcdctl.ok(["compaction", String(revision - 1), "--physical"]);
  await etcdctl.ok(["put", "twice", "four"]);
  await etcdctl.ok(["del", "many/2"]);
  const lease = /lease (\S+) granted/.exec(await etcdctl.ok(["lease", "grant", "900"]))![1];
  await etcdctl.ok(["put", "leased", "yes", `--lease=${lease}`]);
  await etcdctl.ok(["role", "add", "reader"]);
  await etcdctl.ok(["role", "grant-permission", "reader", "read", "many/", "--prefix"]);
  await etcdctl.ok(["user", "add", "guest", "--no-password"]);
  await etcdctl.ok(["user", "grant-role", "guest", "reader"]);
}

/** Everything a client can see, ids left out. */
async function seen(member: MemberProcess): Promise<string> {
  const etcdctl = new Etcdctl("3.5", member.url);
  const leases = (await etcdctl.ok(["lease", "list"])).trim().split("\n").slice(1);
  const parts = [
    await etcdctl.ok(["get", "", "--prefix", "-w", "json"]),
    ...await Promise.all(
      leases.map(async (id) =>
        (await etcdctl.ok(["lease", "timetolive", id, "--keys"])).replace(/remaining\(\d+s\)/, "")
      ),
    ),
    await etcdctl.ok(["role", "get", "reader"]),
    await etcdctl.ok(["user", "get", "guest"]),
    (await etcdctl.try(["get", "twice", "--rev=5"])).stderr.split("\n").at(-2),
    await etcdctl.ok(["get", "twice", `--rev=${await revisionOf(etcdctl) - 3}`]),
  ];
  return parts.join("\n").replace(/"(cluster_id|member_id|raft_term)":\d+/g, "");
}

async function revisionOf(etcdctl: Etcdctl): Promise<number> {
  return Number(/"Revision" : (\d+)/.exec(await etcdctl.ok(["get", "x", "-w", "fields"]))![1]);
}

async function save(member: MemberProcess, file: string, version: "3.4" | "3.5" = "3.5") {
  await new Etcdctl(version, member.url).ok(["snapshot", "save", file]);
}

/** Leaves a snapshot of a filled member beside its data. @returns what the member showed */
async function filledAndSaved(
  kind: Parameters<typeof startAlone>[0],
  file: string,
  version: "3.4" | "3.5" = "3.5",
): Promise<string> {
  const source = await startAlone(kind, join(dirname(file), "source"));
  try {
    await fill(source);
    await save(source, file, version);
    return await seen(source);
  } finally {
    await source.stop();
  }
}

/** Restores with the program of `kind`, under flags that both sides know. */
async function restoreInto(
  kind: ServerKind,
  file: string,
  { dataDir, flags }: { readonly dataDir: string; readonly flags: readonly string[] },
): Promise<void> {
  const result = kind === "balsa"
    ? await restoreOurs(file, dataDir, flags)
    : await run(requireTool(`etcdctl-${kind.slice(5) as "3.4" | "3.5"}`), [
      ...["snapshot", "restore", file, "--data-dir", dataDir, ...flags],
    ], { env: { ETCDCTL_API: "3" } });
  assert.equal(result.code, 0, result.stdout + result.stderr);
}

/** Restores a cluster of one and starts what was made. */
async function restore(kind: ServerKind, file: string, dataDir: string): Promise<MemberProcess> {
  await restoreInto(kind, file, { dataDir, flags: [] });
  return await startAlone(kind, dataDir);
}

/** Restores one file into three members and starts them as one cluster. */
async function restoreThree(
  kind: ServerKind,
  file: string,
  folder: string,
): Promise<MemberProcess[]> {
  const places = ["a", "b", "c"].map((name) => ({
    name,
    clientPort: freePort(),
    peerPort: freePort(),
    dataDir: join(folder, `restored-${name}`),
  }));
  const peerUrl = (port: number) => `http://127.0.0.1:${port}`;
  const cluster = places.map(({ name, peerPort }) => `${name}=${peerUrl(peerPort)}`).join(",");
  const members: MemberProcess[] = [];
  for (const place of places) {
    const { name, dataDir, peerPort } = place;
    const flags = [
      ...["--name", name, "--initial-cluster", cluster, "--initial-cluster-token", "restored"],
      ...["--initial-advertise-peer-urls", peerUrl(peerPort)],
    ];
    await restoreInto(kind, file, { dataDir, flags });
    members.push(new MemberProcess({ kind, ...place, flags: ["--initial-cluster", cluster] }));
  }
  await Promise.all(members.map((member) => member.healthy()));
  return members;
}

function restoreOurs(
  file: string,
  dataDir: string,
  flags: readonly string[] = [],
): Promise<CommandResult> {
  return run(Deno.execPath(), [
    ...["run", "-A", "--no-check", join(projectRoot(), "store/server.ts")],
    ...["restore", file, "--data-dir", dataDir, ...flags],
  ]);
}

for (
  const [from, to] of [["balsa", "etcd-3.5"], ["balsa", "etcd-3.4"], ["etcd-3.5", "balsa"], [
    "balsa",
    "balsa",
  ]] as const
) {
  const tools = [from, to].filter((kind) => kind !== "balsa");
  systemTest(
    `a snapshot of ${from} restored by ${to} holds the same`,
    ["etcdctl-3.5", "etcdctl-3.4", ...tools],
    () =>
      withFolder(async (folder) => {
        const file = join(folder, "snapshot.db");
        const expected = await filledAndSaved(from, file, to === "etcd-3.4" ? "3.4" : "3.5");
        const restored = await restore(to, file, join(folder, "restored"));
        try {
          assert.equal(await seen(restored), expected);
          // What was restored goes on counting, watches included.
          const etcdctl = new Etcdctl("3.5", restored.url);
          const before = await revisionOf(etcdctl);
          await etcdctl.ok(["put", "next", "1"]);
          assert.equal(await revisionOf(etcdctl), before + 1);
        } finally {
          await restored.stop();
        }
      }),
  );
}

for (
  const [from, to] of [["balsa", "balsa"], ["etcd-3.5", "balsa"], ["balsa", "etcd-3.5"]] as const
) {
  systemTest(
    `one snapshot of ${from} restored into three members of ${to} makes one cluster`,
    ["etcdctl-3.5", "etcd-3.5"],
    () =>
      withFolder(async (folder) => {
        const file = join(folder, "snapshot.db");
        const expected = await filledAndSaved(from, file);
        const members = await restoreThree(to, file, folder);
        try {
          const all = new Etcdctl("3.5", members.map(({ url }) => url));
          assert.equal((await all.ok(["member", "list"])).trim().split("\n").length, 3);
          for (const member of members) assert.equal(await seen(member), expected);
          await all.ok(["put", "next", "1"]);
          await all.ok(["endpoint", "health", "--cluster"]);
          await members[0].until("equal hashes", async () => {
            const hashes = (await all.ok(["endpoint", "hashkv", "-w", "json"]))
              .matchAll(/"hash":(\d+)/g);
            return new Set([...hashes].map(([, hash]) => hash)).size === 1;
          });
          // Ids come from names, addresses and token, so they are new ones, the same on each.
          const clusters = (await all.ok(["endpoint", "status", "-w", "json"]))
            .matchAll(/"cluster_id":(\d+)/g);
          assert.equal(new Set([...clusters].map(([, id]) => id)).size, 1);
        } finally {
          await Promise.all(members.map((member) => member.stop()));
        }
      }),
  );
}

for (const [from, to] of [["balsa", "etcd-3.5"], ["etcd-3.5", "balsa"]] as const) {
  systemTest(
    `users of ${from} log in with their passwords once ${to} has restored the snapshot`,
    ["etcdctl-3.5", "etcd-3.5"],
    () =>
      withFolder(async (folder) => {
        const file = join(folder, "snapshot.db");
        const source = await startAlone(from, join(folder, "source"));
        const as = (member: MemberProcess, user: string) =>
          new Etcdctl("3.5", member.url, ["--user", user]);
        try {
          const nobody = new Etcdctl("3.5", source.url);
          await nobody.ok(["put", "open/1", "yes"]);
          await nobody.ok(["user", "add", "root:secret"]);
          await nobody.ok(["user", "grant-role", "root", "root"]);
          await nobody.ok(["user", "add", "guest:a word: 1"]);
          await nobody.ok(["role", "add", "reader"]);
          await nobody.ok(["role", "grant-permission", "reader", "read", "open/", "--prefix"]);
          await nobody.ok(["user", "grant-role", "guest", "reader"]);
          await nobody.ok(["auth", "enable"]);
          await as(source, "root:secret").ok(["snapshot", "save", file]);
        } finally {
          await source.stop();
        }
        const restored = await restore(to, file, join(folder, "restored"));
        try {
          assert.equal(
            await as(restored, "guest:a word: 1").ok(["get", "open/1"]),
            "open/1\nyes\n",
          );
          const denied = await as(restored, "guest:a word: 1").try(["put", "open/1", "no"]);
          assert.match(denied.stderr, /permission denied/);
          const wrong = await as(restored, "guest:a word").try(["get", "open/1"]);
          assert.match(wrong.stderr, /authentication failed, invalid user ID or password/);
          const root = as(restored, "root:secret");
          await root.ok(["user", "passwd", "guest", "--interactive=false"], "another");
          assert.equal(await as(restored, "guest:another").ok(["get", "open/1"]), "open/1\nyes\n");
          await root.ok(["auth", "disable"]);
        } finally {
          await restored.stop();
        }
      }),
  );
}

systemTest(
  "etcdctl snapshot status reads ours, which holds the revisions that etcd's holds",
  ["etcdctl-3.4", "etcdctl-3.5", "etcd-3.5"],
  () =>
    withFolder(async (folder) => {
      const revisions: string[][] = [];
      for (const kind of ["balsa", "etcd-3.5"] as const) {
        const member = await startAlone(kind, join(folder, kind));
        const file = join(folder, `${kind}.db`);
        try {
          await fill(member);
          await save(member, file);
        } finally {
          await member.stop();
        }
        const bytes = await Deno.readFile(file);
        const reader = new BoltReader((offset, length) => bytes.subarray(offset, offset + length));
        const keys = [...reader.entries("key")].map(({ key }) => key.toHex());
        revisions.push(keys);
        const last = decodeRevision(Uint8Array.fromHex(keys.at(-1)!))!.main;
        for (const version of ["3.4", "3.5"] as const) {
          const status = ["snapshot", "status", file, "-w", "json"];
          const printed = JSON.parse(await new Etcdctl(version, member.url).ok(status));
          assert.equal(printed.revision, last);
          assert(printed.totalKey > MANY);
        }
      }
      assert.deepEqual(revisions[0], revisions[1]);
    }),
);

systemTest(
  "restoring refuses what it should, and says why",
  ["etcdctl-3.5"],
  () =>
    withFolder(async (folder) => {
      const file = join(folder, "snapshot.db");
      const member = await startAlone("balsa", join(folder, "source"));
      try {
        await new Etcdctl("3.5", member.url).ok(["put", "a", "1"]);
        await save(member, file);
      } finally {
        await member.stop();
      }
      const bytes = await Deno.readFile(file);
      const attempt = async (content: Uint8Array, flags: readonly string[] = []) => {
        const bad = join(folder, "bad.db");
        await Deno.writeFile(bad, content);
        const { code, stderr } = await restoreOurs(bad, join(folder, "none"), flags);
        return `${code} ${stderr}`;
      };
      const changed = bytes.slice();
      changed[5 * 4096] ^= 1;
      assert.match(
        await attempt(changed),
        /^1 .*bad\.db is damaged: its SHA-256 digest is another/,
      );
      assert.match(
        await attempt(bytes.slice(0, -32)),
        /^1 .*carries no digest; pass --skip-hash-check/,
      );
      assert.match(
        await attempt(new Uint8Array(8192), ["--skip-hash-check"]),
        /^1 .*no intact meta page: not a bbolt file/,
      );
      assert.match(
        await attempt(bytes.slice(0, 5 * 4096), ["--skip-hash-check"]),
        /^1 .*is cut off/,
      );
      const used = await restoreOurs(file, join(folder, "source"));
      assert.match(used.stderr, /is not empty; choose another --data-dir/);
      const missing = await restoreOurs(join(folder, "absent"), join(folder, "none"));
      assert.equal(missing.code, 1);
      assert.match(missing.stderr, /absent/);
    }),
);
