/** `balsa up` with what can go wrong at its start, and how it stops. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { freePort } from "../free_port.ts";
import { balsa, makeDataDir, startCluster } from "./cluster.ts";
import { systemTest } from "./tools.ts";

const QUIET = ["--cri", "none", "--hollow-nodes", "0"];

systemTest("wrong flags are all told at once, with exit code 2", [], async () => {
  const result = await balsa("up", "--port", "99999", "--cri", "docker", "--hollow-nodes", "x");
  assert.equal(result.code, 2);
  for (const flag of ["--port", "--cri", "--hollow-nodes"]) {
    assert.match(result.stderr, RegExp(flag));
  }
  assert.equal((await balsa("up", "--bogus")).code, 2);
});

systemTest("help and version", [], async () => {
  assert.match((await balsa("help", "up")).stdout, /--data-dir/);
  assert.equal((await balsa("help", "up")).code, 0);
  assert.match((await balsa("version")).stdout, /^balsa \d+\.\d+\.\d+ \(Kubernetes v1\.36\.\d+\)/);
});

systemTest("a port in use and a locked data directory are told, nothing is lost", [], async () => {
  const dataDir = await makeDataDir();
  const other = await makeDataDir();
  const port = freePort();
  const cluster = await startCluster({ dataDir, port, flags: QUIET });
  try {
    const busy = await balsa("up", "--data-dir", other, "--port", String(port), ...QUIET);
    assert.equal(busy.code, 1);
    assert.match(busy.stderr, new RegExp(`port ${port} .*in use[\\s\\S]*--port`));
    const locked = await balsa("up", "--data-dir", dataDir, "--port", String(freePort()), ...QUIET);
    assert.equal(locked.code, 1);
    assert.match(locked.stderr, /in use by another process/);
    const started = performance.now();
    assert.equal(await cluster.stop(), 0);
    assert(performance.now() - started < 5_000, "stopping took over 5 s");
    const again = await startCluster({ dataDir, port, flags: QUIET });
    assert.equal(await again.stop(), 0);
  } finally {
    await Deno.remove(dataDir, { recursive: true });
    await Deno.remove(other, { recursive: true });
  }
});

systemTest("an unusable data directory is told by its name", [], async () => {
  const dataDir = await makeDataDir();
  const file = join(dataDir, "file");
  await Deno.writeTextFile(file, "not a folder");
  const result = await balsa("up", "--data-dir", file, "--port", "0", ...QUIET);
  assert.equal(result.code, 1);
  assert(result.stderr.includes(file), result.stderr);
  await Deno.remove(dataDir, { recursive: true });
});

systemTest(
  "a corrupt log refuses to start, naming file and offset, and is left as it is",
  [],
  async () => {
    const dataDir = await makeDataDir();
    const cluster = await startCluster({ dataDir, port: freePort(), flags: QUIET });
    await cluster.kill();
    const wal = await firstLog(join(dataDir, "store"));
    const bytes = await Deno.readFile(wal);
    // Early in the log, so that good records follow: damage, not a torn tail.
    for (let i = 0; i < 8; i++) bytes[600 + i] ^= 0xff;
    await Deno.writeFile(wal, bytes);
    const result = await balsa("up", "--data-dir", dataDir, "--port", "0", ...QUIET);
    assert.equal(result.code, 1);
    assert(result.stderr.includes(wal), result.stderr);
    assert.match(result.stderr, /offset \d+|byte \d+/);
    assert.deepEqual(await Deno.readFile(wal), bytes);
    await Deno.remove(dataDir, { recursive: true });
  },
);

async function firstLog(folder: string): Promise<string> {
  const found: string[] = [];
  const visit = (path: string) => {
    for (const entry of Deno.readDirSync(path)) {
      if (entry.isDirectory) visit(join(path, entry.name));
      else if (entry.name.endsWith(".wal")) found.push(join(path, entry.name));
    }
  };
  await Promise.resolve(visit(folder));
  assert(found.length > 0, `no .wal file below ${folder}`);
  return found.sort()[0];
}
