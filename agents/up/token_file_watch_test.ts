/** The file of static tokens: followed as it changes, kept where it breaks. */
import assert from "node:assert/strict";
import { watchTokenFile } from "./token_file_watch.ts";

Deno.test("tokens come and go with the file, and stay while it is broken", async () => {
  const path = await Deno.makeTempFile();
  const said: string[] = [];
  await Deno.writeTextFile(path, "one,ann,1\n");
  const watch = await watchTokenFile(path, {
    every: () => () => {},
    log: (_level, message, fields) => said.push(message + JSON.stringify(fields)),
  });
  const names = () => watch.tokens().map(({ user }) => user.name);
  const after = async (text: string | null) => {
    if (text === null) await Deno.remove(path);
    else await Deno.writeTextFile(path, text);
    await watch.look();
    return names();
  };
  assert.deepEqual(names(), ["ann"]);
  const same = watch.tokens();
  assert.deepEqual(await after("one,ann,1\n"), ["ann"]);
  assert.equal(watch.tokens(), same);
  assert.deepEqual(await after("one,ann,1\ntwo,bob,2\n"), ["ann", "bob"]);
  assert.deepEqual(await after("sesame"), ["ann", "bob"]);
  assert.deepEqual(await after("two,bob,2\n"), ["bob"]);
  assert.deepEqual(await after(null), ["bob"]);
  assert.equal(said.length, 2);
  assert(!said.join().includes("sesame"));
  watch.stop();
});

Deno.test("a file that is malformed at the start refuses it", async () => {
  const path = await Deno.makeTempFile();
  await Deno.writeTextFile(path, "sesame");
  const ports = { every: () => () => {}, log: () => {} };
  await assert.rejects(() => watchTokenFile(path, ports), /line 1 is not token,user,uid/);
  await Deno.remove(path);
  await assert.rejects(() => watchTokenFile(path, ports), /No such file/);
});
