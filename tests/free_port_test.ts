/**
 * Ports that are handed out: each once, none that somebody listens on.
 * In: two processes that ask at once. Out: assertions on what they were given.
 * Never: depends on which ports this machine has free.
 */
import assert from "node:assert/strict";
import { freePort } from "./free_port.ts";

Deno.test("processes that ask at once are given different ports", async () => {
  const url = new URL("./free_port.ts", import.meta.url).href;
  const script = `import { freePort } from "${url}";
    for (let i = 0; i < 200; i++) console.log(freePort());`;
  const outputs = await Promise.all(
    [1, 2].map(() => new Deno.Command(Deno.execPath(), { args: ["eval", script] }).output()),
  );
  const given = outputs.flatMap(({ stdout }) =>
    new TextDecoder().decode(stdout).trim().split("\n")
  );
  assert.equal(given.length, 400);
  assert.equal(new Set(given).size, 400);
});

Deno.test("a port that somebody listens on is passed over", () => {
  let turn = 0;
  const port = freePort(() => turn++);
  const taken = Deno.listen({ hostname: "127.0.0.1", port });
  try {
    turn = 0;
    assert.notEqual(freePort(() => turn++), port);
  } finally {
    taken.close();
  }
});
