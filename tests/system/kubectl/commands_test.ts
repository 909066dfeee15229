/**
 * No command of kubectl is left out: what the list names, what each version's help names, and every
 * kind's description are run by a transcript, with both versions, to a good end.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { resources } from "../../../agents/api/resources.ts";
import { projectRoot } from "../../source_tree.ts";
import { run } from "../cluster.ts";
import { requireTool, systemTest } from "../tools.ts";
import { callsOf, isRunBy, parseRows, type Row } from "./command_list.ts";
import { parseTranscript } from "./transcript.ts";

const FOLDER = join(projectRoot(), "tests/golden/kubectl");
const VERSIONS = ["1.32", "1.36"] as const;
const NEWEST = VERSIONS.slice(-1);

/** Commands that speak to no API server. */
const LOCAL = ["completion", "config", "help", "kuberc", "options", "plugin"];

const rows = parseRows(Deno.readTextFileSync(join(FOLDER, "commands.list")));

/** Calls of steps that ended well, by version. */
function callsThatSucceeded(): Map<string, string[][]> {
  const calls = new Map<string, string[][]>(VERSIONS.map((version) => [version, []]));
  for (const { name } of Deno.readDirSync(FOLDER)) {
    if (!name.endsWith(".txt")) continue;
    const { steps } = parseTranscript(Deno.readTextFileSync(join(FOLDER, name)), VERSIONS);
    for (const step of steps) {
      for (const [version, lines] of step.expected) {
        const failed = lines.some((line) => line.startsWith("|=") || line.startsWith("|! error:"));
        if (!failed) calls.get(version)!.push(...callsOf(step.command));
      }
    }
  }
  return calls;
}

const calls = callsThatSucceeded();

const missingOf = (wanted: readonly Row[], versions: readonly string[] = VERSIONS) =>
  versions.flatMap((version) =>
    wanted.filter((row) => row.version === null || row.version === version)
      .filter((row) => !calls.get(version)!.some((call) => isRunBy(row, call)))
      .map((row) => `${version}: kubectl ${row.text}`)
  );

Deno.test("every command of the list is run by a transcript", () => {
  assert.deepEqual(missingOf(rows), []);
});

Deno.test("every kind is described by a transcript", () => {
  const missing = resources.filter(({ verbs }) => verbs.includes("get")).filter((resource) => {
    const names = [resource.singular, resource.plural, ...resource.shortNames];
    const wanted = [...names, ...names.map((name) => `${name}.${resource.group}`)];
    // An older kubectl may ask for a version of the kind that is served no more.
    const isMissing = (name: string) => missingOf(parseRows(`describe ${name}`), NEWEST).length > 0;
    return wanted.every(isMissing);
  });
  assert.deepEqual(missing.map(({ plural, group }) => `${plural}.${group}`), []);
});

systemTest(
  "every command that kubectl's help names stands in the list",
  VERSIONS.map((version) => `kubectl-${version}` as const),
  async () => {
    for (const version of VERSIONS) {
      const named = await commandsOf(requireTool(`kubectl-${version}`), []);
      const unlisted = named.filter((words) => !LOCAL.includes(words[0]))
        .filter((words) => !rows.some((row) => isRunBy({ ...row, words }, row.words)));
      assert.deepEqual(unlisted.map((words) => words.join(" ")), [], version);
    }
  },
);

/** The commands below one, as its help names them; one that has none is one itself. */
async function commandsOf(kubectl: string, words: readonly string[]): Promise<string[][]> {
  const { stdout } = await run(kubectl, [...words, "--help"]);
  const names: string[] = [];
  let isListing = false;
  for (const line of stdout.split("\n")) {
    if (/^\S/.test(line)) isListing = /Commands.*:$/.test(line);
    const name = /^ {2}(\S+)/.exec(line)?.[1];
    if (isListing && name !== undefined) names.push(name);
  }
  const below = await Promise.all(names.map((name) => commandsOf(kubectl, [...words, name])));
  return names.length === 0 ? [[...words]] : below.flat();
}

Deno.test("calls of kubectl are found in a line of shell", () => {
  assert.deepEqual(callsOf("A=1 kubectl get pods -o 'a b' | grep x; kubectl version"), [
    ["get", "pods", "-o", "a b"],
    ["version"],
  ]);
  assert.deepEqual(callsOf("script -qec \"kubectl run x -it -- sh -c 'y'\" | grep z"), [
    ["run", "x", "-it"],
  ]);
  assert.deepEqual(callsOf("x=$(kubectl get pod -o name) && kubectl apply -f - <<< '{}' 2>&1"), [
    ["get", "pod", "-o", "name"],
    ["apply", "-f", "-"],
  ]);
  const [row] = parseRows("1.36 get pod -o json");
  assert.equal(row.version, "1.36");
  assert(isRunBy(row, ["get", "pod/one", "-o", "json"]));
  assert(!isRunBy(row, ["get", "pod", "-o", "jsonpath=x"]));
});
