/** Files that a component is told to serve with: good ones, and ones that fail its clients. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { X509Certificate } from "node:crypto";
import { StartupError } from "../startup_error.ts";
import { nobodysAuthority, readClientCa, servingPair } from "./serving_pair.ts";

Deno.test("a certificate goes with its key, and an authority is a certificate", async () => {
  const none = { tlsCertFile: null, tlsKeyFile: null };
  const [made, other] = await Promise.all([servingPair(none, ["a"]), servingPair(none, ["b"])]);
  assert.match(new X509Certificate(made.certificate).subject, /CN=a/);
  const folder = await Deno.makeTempDir({ prefix: "balsa-pair-" });
  const write = async (name: string, text: string) => {
    const path = join(folder, name);
    await Deno.writeTextFile(path, text);
    return path;
  };
  const refuses = (asked: Promise<unknown>, words: RegExp) =>
    assert.rejects(
      asked,
      (error: Error) => error instanceof StartupError && words.test(error.message),
    );
  try {
    const tlsCertFile = await write("tls.crt", made.certificate);
    const tlsKeyFile = await write("tls.key", made.key);
    assert.deepEqual(await servingPair({ tlsCertFile, tlsKeyFile }, []), made);
    const wrongKey = await write("other.key", other.key);
    await refuses(
      servingPair({ tlsCertFile, tlsKeyFile: wrongKey }, []),
      /^--tls-private-key-file .*other\.key: is not the key of .*tls\.crt$/,
    );
    await refuses(
      servingPair({ tlsCertFile: tlsKeyFile, tlsKeyFile }, []),
      /^--tls-cert-file .*tls\.key: holds no certificate$/,
    );
    const authority = await nobodysAuthority();
    assert.equal(await readClientCa(await write("ca.crt", authority)), authority);
    await refuses(
      readClientCa(await write("empty", "")),
      /^--client-ca-file .*empty: holds no certificate$/,
    );
    await refuses(readClientCa(join(folder, "absent")), /^--client-ca-file .*absent: /);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
