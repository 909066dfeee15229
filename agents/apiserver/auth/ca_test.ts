/** Keys that several servers share in one folder. */
import assert from "node:assert/strict";
import { openPki } from "./ca.ts";
import { readCertificate } from "./certificates.ts";

Deno.test("servers that start together agree on one authority, one token key, all names", async () => {
  const directory = await Deno.makeTempDir();
  const nowMillis = Date.UTC(2026, 0, 1);
  const open = (name: string) => openPki({ directory, serverNames: [name, "fd00::1"], nowMillis });
  try {
    const [a, b, c] = await Promise.all(["a.example", "b.example", "c.example"].map(open));
    for (const pki of [b, c]) {
      assert.equal(pki.ca.certificate, a.ca.certificate);
      assert.equal(pki.serviceAccountKey, a.serviceAccountKey);
    }
    const again = await open("a.example");
    const { names } = readCertificate(again.server.certificate);
    for (const name of ["a.example", "b.example", "c.example", "localhost"]) {
      assert.ok(names.includes(name), `${name} in ${names}`);
    }
    assert.equal((await open("b.example")).server.certificate, again.server.certificate);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});
