/**
 * The README tells the truth: its commands exist, its tables are the results', its paths are real.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { tables } from "../bench/readme.ts";
import { projectRoot } from "./source_tree.ts";

const readme = Deno.readTextFileSync(join(projectRoot(), "README.md"));
// The formatter aligns columns, sets tables apart and breaks lines.
const squeeze = (text: string) => text.replace(/[\s-]+/g, " ");

Deno.test("the README opens with the two commands", () => {
  assert.match(
    readme,
    /^# Balsa\n\n {4}npx -y deno@2\.9\.3 task up\n {4}npx -y deno@2\.9\.3 task test\n/,
  );
});

Deno.test("every task that the README names exists", () => {
  const config = JSON.parse(Deno.readTextFileSync(join(projectRoot(), "deno.json")));
  for (const [, task] of readme.matchAll(/deno(?:@[\d.]+)? task ([a-z]+)/g)) {
    assert(task in config.tasks, `no task ${task} in deno.json`);
  }
});

Deno.test("every table is the one in bench/results", () => {
  assert.equal(squeeze(tables(readme)), squeeze(readme), "run: deno run -A bench/readme.ts");
});

Deno.test("every path that a README names exists", () => {
  const missing: string[] = [];
  for (const page of readmes("")) {
    const text = Deno.readTextFileSync(join(projectRoot(), page));
    for (const [, path] of text.matchAll(/`((?:store|scheduler|agents|bench|tests)\/[\w./]*)`/g)) {
      try {
        Deno.statSync(join(projectRoot(), path));
      } catch {
        missing.push(`${page} names ${path}`);
      }
    }
  }
  assert.deepEqual(missing, []);
});

/** README.md of the root and of every folder of sources. */
function readmes(folder: string): string[] {
  const found: string[] = [];
  for (const entry of Deno.readDirSync(join(projectRoot(), folder))) {
    const path = folder === "" ? entry.name : `${folder}/${entry.name}`;
    if (entry.name === "README.md") found.push(path);
    else if (entry.isDirectory && !/^(\.|node_modules)/.test(entry.name)) {
      found.push(...readmes(path));
    }
  }
  return found;
}
