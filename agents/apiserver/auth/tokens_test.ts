/** Tokens whose objects this server has not heard of yet, or not any more. */
import assert from "node:assert/strict";
import { makeSigningKey } from "./certificates.ts";
import { TokenAuthority } from "./tokens.ts";

Deno.test("a token of an account that another server has just made is taken after catching up", async () => {
  let [alive, behind, caughtUp] = [false, true, 0];
  const tokens = await TokenAuthority.open({
    keyPem: await makeSigningKey(),
    issuer: "https://issuer",
    nowMillis: () => 1_767_000_000_000,
    verificationKeys: [],
    isAlive: () => alive,
    catchUp: () => {
      caughtUp++;
      alive = behind;
      return Promise.resolve(behind);
    },
  });
  const token = await tokens.sign({
    namespace: "default",
    name: "fresh",
    uid: "1",
    audiences: ["https://issuer"],
    expirationSeconds: 1_767_000_600,
    id: "id",
  });
  assert.equal((await tokens.verify(token))?.kind, "accepted");
  assert.equal((await tokens.verify(token))?.kind, "accepted");
  assert.equal(caughtUp, 1);
  // The account is gone, and everything written is known.
  alive = behind = false;
  assert.equal((await tokens.verify(token))?.kind, "refused");
  assert.equal(caughtUp, 2);
});
