/** Static token files: users, groups, comments, and what is wrong with them by line. */
import assert from "node:assert/strict";
import { parseTokenFile } from "./token_file.ts";

Deno.test("tokens with their users and groups", () => {
  const text = '# who\nabc,alice,1,"dev, ops"\n\ndef,bob,2\nghi,carol,3,dev\n';
  assert.deepEqual(parseTokenFile(text), {
    kind: "tokens",
    tokens: [
      {
        token: "abc",
        user: { name: "alice", uid: "1", groups: ["dev", "ops", "system:authenticated"] },
      },
      { token: "def", user: { name: "bob", uid: "2", groups: ["system:authenticated"] } },
      { token: "ghi", user: { name: "carol", uid: "3", groups: ["dev", "system:authenticated"] } },
    ],
  });
});

Deno.test("every bad line is told by its number, never by its token", () => {
  const result = parseTokenFile("secret\nabc,alice,1\nabc,bob,2\n");
  assert.deepEqual(result, {
    kind: "malformed",
    problems: [
      'line 1 is not token,user,uid[,"group1,group2"]',
      "line 3 repeats an earlier token",
    ],
  });
});
