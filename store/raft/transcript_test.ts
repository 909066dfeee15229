/**
 * Runs every transcript in `testdata/` and compares what happened with what is written there.
 * In: `testdata/*.txt`, blocks of commands, a line `----`, what they cause, an empty line.
 * Out: pass or the difference; with `UPDATE=1` the files are rewritten instead, to be reviewed.
 * Never: tolerates a difference.
 */
import assert from "node:assert/strict";
import { Transcript } from "./testing/transcript.ts";

const folder = new URL("./testdata/", import.meta.url);
const update = Deno.env.get("UPDATE") === "1";

/** Runs a file's blocks in order. @returns the file as it should read. */
function replay(text: string): string {
  const transcript = new Transcript();
  const blocks = text.trim().split(/\n{2,}/).map((block) => {
    const lines = block.split("\n");
    const end = lines.indexOf("----");
    const commands = end === -1 ? lines : lines.slice(0, end);
    const verbs = commands.filter((line) => !line.startsWith("#"));
    if (verbs.length === 0) return block;
    return [...commands, "----", transcript.run(verbs)].join("\n");
  });
  return blocks.join("\n\n") + "\n";
}

for (const { name } of [...Deno.readDirSync(folder)].sort((a, b) => a.name < b.name ? -1 : 1)) {
  Deno.test(`transcript ${name}`, () => {
    const url = new URL(name, folder);
    const expected = Deno.readTextFileSync(url);
    const actual = replay(expected);
    if (update) Deno.writeTextFileSync(url, actual);
    else assert.equal(actual, expected);
  });
}
