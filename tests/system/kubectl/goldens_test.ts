/**
 * Every command of kubectl, both versions, against the transcripts in `tests/golden/kubectl`.
 * A transcript is run from its first line to its last in a cluster of its own for each version;
 * what was printed must be what stands there. UPDATE=1 writes it anew: read the difference.
 * Every request on the way is looked at too: a fall-back that hides a refusal is a failure.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { freePort } from "../../free_port.ts";
import { projectRoot } from "../../source_tree.ts";
import { makeDataDir, run, startCluster, type TestCluster } from "../cluster.ts";
import { startContainerd } from "../containerd.ts";
import { requireTool, systemTest, type Tool } from "../tools.ts";
import { facesMissing, problemOf } from "./judge_exchange.ts";
import { normalize } from "./normalize.ts";
import { type Exchange, startRecorder } from "./recorder.ts";
import { formatOutput, formatTranscript, parseTranscript, type Step } from "./transcript.ts";

const FOLDER = join(projectRoot(), "tests/golden/kubectl");
const VERSIONS = ["1.32", "1.36"] as const;
const WAIT_MILLIS = 60_000;

const toolOf = (version: string) => `kubectl-${version}` as Tool;

/** Transcripts whose pods must really run. */
const ON_CONTAINERD = ["streams"];

function transcripts(): string[] {
  return [...Deno.readDirSync(FOLDER)]
    .filter(({ name }) => name.endsWith(".txt"))
    .map(({ name }) => name.slice(0, -".txt".length))
    .sort();
}

const only = Deno.env.get("ONLY");
const isChosen = (name: string) => only === undefined || only === name;

for (const name of transcripts().filter(isChosen)) {
  if (ON_CONTAINERD.includes(name)) continue;
  systemTest(`kubectl's transcript: ${name}`, VERSIONS.map(toolOf), async () => {
    const outputs = await Promise.all(
      VERSIONS.map((version) => inCluster([], (cluster) => play(name, version, cluster))),
    );
    compare(name, outputs);
  });
}

const containerTools = ["containerd", "ctr", "runc", "cni-plugins", "busybox", "ip"] as const;

for (const name of ON_CONTAINERD.filter(isChosen)) {
  const tools = [...VERSIONS.map(toolOf), ...containerTools];
  systemTest(`kubectl's transcript: ${name}`, tools, async () => {
    const outputs: string[][][] = [];
    for (const version of VERSIONS) {
      const containerd = await startContainerd();
      try {
        const flags = ["--cri", `unix://${containerd.socketPath}`];
        outputs.push(await inCluster(flags, (cluster) => play(name, version, cluster)));
      } finally {
        await containerd.stop();
      }
    }
    compare(name, outputs);
  });
}

systemTest("kubectl's transcripts meet every face of the API", VERSIONS.map(toolOf), () => {
  for (const [version, exchanges] of only === undefined ? met : []) {
    assert.deepEqual(facesMissing(exchanges), [], version);
  }
  return Promise.resolve();
});

async function inCluster<T>(
  flags: readonly string[],
  use: (cluster: TestCluster) => Promise<T>,
): Promise<T> {
  const dataDir = await makeDataDir();
  const chosen = flags.length > 0 ? flags : ["--cri", "none"];
  const cluster = await startCluster({ dataDir, port: freePort(), flags: chosen });
  try {
    return await use(cluster);
  } finally {
    await cluster.stop();
    await Deno.remove(dataDir, { recursive: true });
  }
}

const read = (name: string) =>
  parseTranscript(Deno.readTextFileSync(join(FOLDER, `${name}.txt`)), VERSIONS);

/** What each version has met so far. */
const met = new Map<string, Exchange[]>(VERSIONS.map((version) => [version, []]));

/** Runs every step with one version. @returns the lines that each left. */
async function play(name: string, version: string, cluster: TestCluster): Promise<string[][]> {
  const recorder = await startRecorder(cluster.kubeconfig);
  const bin = join(cluster.dataDir, "bin");
  await Deno.mkdir(bin);
  await Deno.symlink(requireTool(toolOf(version)), join(bin, "kubectl"));
  const home = join(cluster.dataDir, "home");
  await Deno.mkdir(home);
  const env = {
    HOME: home,
    TMPDIR: home,
    KUBECONFIG: recorder.kubeconfig,
    MANIFESTS: join(FOLDER, "manifests"),
    PATH: `${bin}:${Deno.env.get("PATH")}`,
    TZ: "UTC",
  };
  const outputs: string[][] = [];
  const problems: string[] = [];
  for (const step of read(name).steps) {
    const result = await perform(step, { home, env });
    const exchanges = recorder.take();
    met.get(version)!.push(...exchanges);
    if (!step.isWait) {
      const ending = { command: step.command, ...result };
      problems.push(...exchanges.flatMap((exchange) => problemOf(exchange, ending) ?? []));
    }
    // Names of this run's folders are nobody's business.
    const plain = (text: string) =>
      normalize(
        text.replaceAll(home, "~").replaceAll(cluster.dataDir, "<data>")
          .replaceAll(env.MANIFESTS, "$MANIFESTS"),
      );
    const { code } = result;
    const lines = formatOutput({
      stdout: plain(result.stdout),
      stderr: plain(result.stderr),
      code,
    });
    outputs.push(step.isWait ? [] : lines);
  }
  await recorder.close();
  assert.deepEqual(problems, [], version);
  return outputs;
}

async function perform(
  step: Step,
  { home, env }: { readonly home: string; readonly env: Record<string, string> },
) {
  const once = () => run("/bin/bash", ["-c", `cd ${home}; ${step.command}`], { env });
  if (!step.isWait) return once();
  const deadline = performance.now() + WAIT_MILLIS;
  for (;;) {
    const result = await once();
    if (result.code === 0) return result;
    if (performance.now() > deadline) {
      throw new Error(`never came: ${step.command}\n${result.stdout}${result.stderr}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 150));
  }
}

function compare(name: string, outputs: readonly string[][][]): void {
  const transcript = read(name);
  const seen = transcript.steps.map((_, index) =>
    new Map(VERSIONS.map((version, which) => [version as string, outputs[which][index]]))
  );
  const text = formatTranscript(transcript, seen);
  const path = join(FOLDER, `${name}.txt`);
  if (Deno.env.get("UPDATE") === "1") {
    Deno.writeTextFileSync(path, text);
    return;
  }
  const expected = formatTranscript(transcript, transcript.steps.map((step) => step.expected));
  assert.equal(text, expected, `${path} differs; UPDATE=1 rewrites it`);
}
