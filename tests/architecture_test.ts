/**
 * Holds the house to its plan: who may import whom, no cycles, and what a PURE file may not touch.
 * In: the source tree. Out: one failure that lists every trespass.
 * Never: looks at tests and benches, which may import anything. Source: the design's import table.
 */
import assert from "node:assert/strict";
import { readSourceTree, type SourceFile } from "./source_tree.ts";

/** The first row whose `from` is a prefix wins; `to` lists the allowed prefixes. */
interface Row {
  readonly from: string;
  readonly to: readonly string[];
  /** Third-party and node: imports: none, or any that deno.json pins. */
  readonly packages?: boolean;
}

const RUN_FILES = "agents/*/run.ts";

const TABLE: readonly Row[] = [
  { from: "store/raft/", to: ["store/raft/"] },
  { from: "store/mvcc/", to: ["store/mvcc/"] },
  { from: "store/disk/record.ts", to: ["store/disk/record.ts", "store/disk/crc32c.ts"] },
  { from: "store/", to: ["store/"], packages: true },
  // A script that assembles the kernels; nothing imports it.
  { from: "scheduler/kernels/build.ts", to: ["scheduler/kernels/"], packages: true },
  { from: "scheduler/", to: ["scheduler/"] },
  { from: "agents/api/", to: ["agents/api/"], packages: true },
  {
    from: "agents/client/transport/",
    to: ["agents/client/", "agents/api/", "store/wire/http2/", "store/wire/http2_client.ts"],
    packages: true,
  },
  { from: "agents/cel/", to: ["agents/cel/", "agents/api/"], packages: true },
  { from: "agents/client/", to: ["agents/client/", "agents/api/"], packages: true },
  { from: "agents/spdy/", to: ["agents/spdy/"], packages: true },
  {
    from: "agents/apiserver/",
    to: [
      "agents/apiserver/",
      "agents/api/",
      "agents/cel/device.ts",
      "agents/cel/mod.ts",
      "agents/cel/regex.ts",
      "agents/spdy/",
      "store/mod.ts",
      "store/wire/",
    ],
    packages: true,
  },
  {
    from: "agents/kube_scheduler/",
    to: [
      "agents/kube_scheduler/",
      "agents/api/",
      "agents/cel/device.ts",
      "agents/cel/mod.ts",
      "agents/client/",
      "scheduler/mod.ts",
    ],
    packages: true,
  },
  {
    from: "agents/kubelet/",
    to: ["agents/kubelet/", "agents/api/", "agents/client/", "agents/serving/", "agents/spdy/"],
    packages: true,
  },
  {
    from: "agents/serving/",
    to: ["agents/serving/", "agents/api/", "agents/client/"],
    packages: true,
  },
  ...["controller_manager", "kube_proxy", "dns", "ingress", "metrics_server"].map((
    name,
  ) => ({
    from: `agents/${name}/`,
    to: [`agents/${name}/`, "agents/api/", "agents/client/"],
    packages: true,
  })),
  { from: "agents/up/", to: ["agents/", "store/mod.ts", "store/client.ts"], packages: true },
  { from: "agents/", to: ["agents/", RUN_FILES, "store/mod.ts"], packages: true },
];

/** Folders and files whose code is a function of its arguments. */
const PURE: readonly RegExp[] = [
  /^store\/raft\//,
  /^store\/mvcc\//,
  /^store\/disk\/record\.ts$/,
  /^scheduler\/(?!kernels\/build\.ts)/,
  // call.ts holds the types of the asynchronous port, and only types.
  /^agents\/api\/(?!schema\/generate|call\.ts)/,
  /^agents\/cel\//,
  /\/plan_[a-z_]+\.ts$/,
  /^agents\/kubelet\/(status|pod_state|runtime_config)\.ts$/,
];

const IMPURE =
  /\basync\b|\bawait\b|\bPromise\b|\bDeno\.|\bfetch\(|\bDate\b|\bperformance\b|\bMath\.random\b|\bcrypto\b|\bsetTimeout\b|\bsetInterval\b|\bconsole\b/;

function isShipped(file: SourceFile): boolean {
  return !/^(tests|bench)\//.test(file.path) && !/_test\.ts$/.test(file.path);
}

Deno.test("every import is one that the table allows", () => {
  const trespasses: string[] = [];
  for (const file of readSourceTree().filter(isShipped)) {
    const row = TABLE.find((candidate) => file.path.startsWith(candidate.from));
    assert(row, `${file.path}: no row of the import table covers it`);
    for (const imported of file.imports) {
      const allowed = imported.isLocal
        ? row.to.some((prefix) => imported.target.startsWith(prefix))
        : row.packages === true;
      if (!allowed) trespasses.push(`${file.path} imports ${imported.target}`);
    }
  }
  assert.deepEqual(trespasses, []);
});

Deno.test("PURE files touch no clock, no chance, no I/O and nothing asynchronous", () => {
  const trespasses: string[] = [];
  for (const file of readSourceTree().filter(isShipped)) {
    if (!PURE.some((pattern) => pattern.test(file.path))) continue;
    file.code.split("\n").forEach((line, index) => {
      const match = IMPURE.exec(line);
      if (match) trespasses.push(`${file.path}:${index + 1} uses ${match[0]}`);
    });
    for (const imported of file.imports) {
      if (imported.target.startsWith("node:")) {
        trespasses.push(`${file.path} imports ${imported.target}`);
      }
    }
  }
  assert.deepEqual(trespasses, []);
});

Deno.test("no file imports itself through others", () => {
  const files = new Map(readSourceTree().filter(isShipped).map((file) => [file.path, file]));
  const done = new Set<string>();
  const cycles: string[] = [];
  const visit = (path: string, trail: readonly string[]) => {
    const seenAt = trail.indexOf(path);
    if (seenAt >= 0) {
      cycles.push([...trail.slice(seenAt), path].join(" -> "));
      return;
    }
    if (done.has(path)) return;
    for (const imported of files.get(path)?.imports ?? []) {
      if (imported.isLocal && !imported.typeOnly) visit(imported.target, [...trail, path]);
    }
    done.add(path);
  };
  for (const path of files.keys()) visit(path, []);
  assert.deepEqual(cycles, []);
});

Deno.test("every local import names a file that exists", () => {
  const tree = readSourceTree();
  const paths = new Set(tree.map((file) => file.path));
  const missing = tree.flatMap((file) =>
    file.imports
      .filter((imported) => imported.isLocal && imported.target.endsWith(".ts"))
      .filter((imported) => !paths.has(imported.target) && !imported.target.includes("/generated/"))
      .map((imported) => `${file.path} imports ${imported.target}`)
  );
  assert.deepEqual(missing, []);
});
