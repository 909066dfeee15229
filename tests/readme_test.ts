/**
 * The README tells the truth: its commands exist, its tables are the results', its paths are real.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { tables } from "../bench/readme.ts";
import { projectRoot } from "./source_tree.ts";

const readme = Deno.readTextFileSync(join(projectRoot(), "README.md"));
const squeeze = (text: string) => text.replace(/[ -]+/g, " ");

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

Deno.test("every path that the README names exists", () => {
  const paths = readme.matchAll(/`((?:store|scheduler|agents|bench|tests)\/[\w./]*)`/g);
  for (const [, path] of paths) Deno.statSync(join(projectRoot(), path));
});
