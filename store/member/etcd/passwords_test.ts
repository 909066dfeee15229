/** Passwords are bcrypt's, and are checked on a thread that ends with its work. */
import { equal, match, notEqual, ok } from "node:assert/strict";
import { Passwords } from "./passwords.ts";

/** Made by the bcrypt of Go's x/crypto, which etcd uses; from its published test. */
const OF_GO = "$2a$10$XajjQvNhvvRt5GSeFk1xFeyqRrsxkhBkUiQeg0dt.wU1qD4aFDcga";

Deno.test("a hash is bcrypt's, salted, and fits its password only", async () => {
  const passwords = new Passwords();
  const [one, other] = await Promise.all([passwords.hash("secret"), passwords.hash("secret")]);
  match(one, /^\$2a\$10\$[./A-Za-z0-9]{53}$/);
  notEqual(one, other);
  ok(await passwords.check("secret", one));
  equal(await passwords.check("Secret", one), false);
  equal(await passwords.check("", one), false);
});

Deno.test("what etcd stored fits, what is no hash fits nothing", async () => {
  const passwords = new Passwords();
  ok(await passwords.check("allmine", OF_GO));
  for (const stored of ["", "secret", "$2a$10$short", "scrypt$16384$AA==$AA=="]) {
    equal(await passwords.check("secret", stored), false, stored);
  }
});

Deno.test("the caller's thread goes on, and many at once are refused", async () => {
  const passwords = new Passwords();
  const many = Array.from({ length: 128 }, () => passwords.check("secret", ""));
  ok(passwords.isBusy);
  let turns = 0;
  const count = () => {
    turns++;
    if (passwords.isBusy) setTimeout(count, 0);
  };
  count();
  await Promise.all(many);
  ok(turns > 1);
  equal(passwords.isBusy, false);
});
