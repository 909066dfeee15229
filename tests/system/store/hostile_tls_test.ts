/**
 * Hostile clients and peers on TLS ports: each attack is turned away and logged once however often
 * it comes, memory stays bounded, and a client beside it is served; rotated certificates.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { openRemoteStore } from "../../../store/client.ts";
import { denoPorts } from "../../../store/mod.ts";
import { freePort } from "../../free_port.ts";
import { systemTest } from "../tools.ts";
import { type CertificateFiles, writeCertificates } from "./certificates.ts";
import {
  Bystander,
  type Dial,
  dialPlain,
  exchange,
  expectGoAway,
  hpackBombs,
  hugeHeaders,
  isRefusal,
  opening,
  rapidResets,
  refusals,
} from "./hostile.ts";
import { Etcdctl, MemberProcess, pause, withFolder } from "./member_process.ts";

/** Each attack comes this often, unless it takes seconds. */
const TIMES = 6;
const MOST_GROWTH_BYTES = 256 * 1024 * 1024;

interface Scene {
  readonly member: MemberProcess;
  readonly own: CertificateFiles;
  /** Of an authority that calls itself as the right one does. */
  readonly forged: CertificateFiles;
  /** Of quite another authority. */
  readonly foreign: CertificateFiles;
}

interface Attack {
  readonly port: "client" | "peer";
  readonly times?: number;
  /** What the one line of log says, its port before it. */
  readonly logged: string;
  run(port: number, scene: Scene): Promise<void>;
}

function flagsOf({ ca, cert, key }: CertificateFiles): string[] {
  return ["", "peer-"].flatMap((prefix) => [
    ...[`--${prefix}cert-file`, cert, `--${prefix}key-file`, key],
    ...[`--${prefix}trusted-ca-file`, ca, `--${prefix}client-cert-auth`],
  ]);
}

/** Dials as someone with these files, who trusts the server in any case. */
function dialAs(files: CertificateFiles | null, { own }: Pick<Scene, "own">): Dial {
  return (port) =>
    Deno.connectTls({
      hostname: "127.0.0.1",
      port,
      caCerts: [Deno.readTextFileSync(own.ca)],
      alpnProtocols: ["h2"],
      ...(files === null ? {} : {
        cert: Deno.readTextFileSync(files.cert),
        key: Deno.readTextFileSync(files.key),
      }),
    });
}

/** Every way to lack a certificate ends before a byte is served. */
async function expectTurnedAway(port: number, dial: Dial): Promise<void> {
  const { frames, isOver } = await exchange(port, [opening()], dial).catch(() => {
    return { frames: [], isOver: true };
  });
  assert(isOver && frames.length === 0, `served ${frames.length} frames`);
}

const NOT_TLS = "received corrupt message of type InvalidContentType " +
  "(SSL routines:ssl3_get_record:wrong version number)";
const NOT_FINISHED =
  "TLS handshake not finished: the other side left, or its certificate is of no known authority";
const garbage = Uint8Array.from({ length: 50_000 }, (_, i) => (i * 7919) >> 3);
const plainHttp = new TextEncoder().encode("GET /health HTTP/1.1\r\nHost: a\r\n\r\n");

/** Attacks that need no TLS, on either port. */
function belowTls(port: "client" | "peer"): Record<string, Attack> {
  const without = (bytes: Uint8Array) => async (number: number) => {
    const { isOver } = await exchange(number, [bytes]);
    assert(isOver, "the connection stays");
  };
  return {
    [`garbage instead of TLS (${port})`]: { port, logged: NOT_TLS, run: without(garbage) },
    [`plain HTTP (${port})`]: { port, logged: NOT_TLS, run: without(plainHttp) },
    [`half a handshake, then silence (${port})`]: {
      port,
      logged: NOT_FINISHED,
      async run(number) {
        const conns = await Promise.all(Array.from({ length: 30 }, () => dialPlain(number)));
        for (const conn of conns) await conn.write(Uint8Array.of(22, 3, 1, 2, 0, 1));
        await pause(50);
        for (const conn of conns) conn.close();
      },
    },
    [`no certificate (${port})`]: {
      port,
      logged: "peer sent no certificates",
      run: (number, scene) => expectTurnedAway(number, dialAs(null, scene)),
    },
    [`a forged certificate (${port})`]: {
      port,
      logged: NOT_FINISHED,
      run: (number, scene) => expectTurnedAway(number, dialAs(scene.forged, scene)),
    },
    [`a foreign certificate (${port})`]: {
      port,
      logged: NOT_FINISHED,
      run: (number, scene) => expectTurnedAway(number, dialAs(scene.foreign, scene)),
    },
  };
}

const ATTACKS: Readonly<Record<string, Attack>> = {
  ...belowTls("client"),
  ...belowTls("peer"),
  "headers of a megabyte": {
    port: "client",
    logged: "header block too long",
    run: (port, scene) =>
      expectGoAway(port, hugeHeaders(), { what: "headers", dial: dialAs(scene.own, scene) }),
  },
  "an HPACK bomb": {
    port: "client",
    logged: "header list too long",
    times: 2,
    async run(port, scene) {
      const bytes = [opening(), ...hpackBombs()];
      const { frames } = await exchange(port, bytes, dialAs(scene.own, scene));
      assert(frames.some(isRefusal), "the bomb was not refused");
    },
  },
  "rapid reset": {
    port: "client",
    logged: "too many RST_STREAM",
    run: (port, scene) =>
      expectGoAway(port, rapidResets(), { what: "resets", dial: dialAs(scene.own, scene) }),
  },
  "garbage from a peer with a certificate": {
    port: "peer",
    logged: "no frames of a peer",
    async run(port, scene) {
      const dial = dialAs(scene.own, scene);
      const { isOver } = await exchange(port, [new Uint8Array(50_000).fill(0xff)], dial);
      assert(isOver, "the connection stays");
    },
  },
};

systemTest(
  "hostile clients and peers on TLS ports are turned away, each attack is logged once",
  ["etcdctl-3.5"],
  (test) =>
    withFolder(async (folder) => {
      const folderOf = async (name: string) => {
        await Deno.mkdir(join(folder, name));
        return join(folder, name);
      };
      const own = await writeCertificates(await folderOf("own"));
      const forged = await writeCertificates(await folderOf("forged"));
      const foreign = await writeCertificates(await folderOf("foreign"), "another authority");
      const member = await startSecure(join(folder, "data"), own);
      const scene: Scene = { member, own, forged, foreign };
      const bystander = new Bystander(() => open(member, own));
      try {
        await bystander.ready;
        const before = member.residentBytes;
        const { clientPort, peerPort } = member.options;
        const expected = new Set<string>();
        const started = performance.now();
        for (const [name, { port, logged, run, times = TIMES }] of Object.entries(ATTACKS)) {
          await test.step(name, async () => {
            const number = port === "client" ? clientPort : peerPort;
            for (let i = 0; i < times; i++) await run(number, scene);
            expected.add(`${port}: ${logged}`);
            await member.until("line", () => refusals(member.log).length >= expected.size);
            const growth = member.residentBytes - before;
            assert(growth < MOST_GROWTH_BYTES, `${growth >> 20} MiB more`);
            await bystander.check(name);
          });
        }
        // A second line of a kind may come after a minute, which this did not take.
        assert(performance.now() - started < 60_000, "too slow to tell");
        assert.deepEqual(refusals(member.log).sort(), [...expected].sort());
        assert.doesNotMatch(member.log, /uncaught|assert|panic/i);
      } finally {
        await bystander.stop();
        assert.equal(await member.stop(), 0, member.log.slice(-2_000));
      }
    }),
);

async function startSecure(dataDir: string, files: CertificateFiles): Promise<MemberProcess> {
  const ports = { clientPort: freePort(), peerPort: freePort() };
  const options = { kind: "balsa", dataDir, scheme: "https", ...ports } as const;
  const member = new MemberProcess({ ...options, flags: flagsOf(files) });
  await member.until("health", async () => {
    return (await etcdctlOf(member, files).try(["endpoint", "health"])).code === 0;
  });
  return member;
}

function etcdctlOf(member: MemberProcess, { ca, cert, key }: CertificateFiles): Etcdctl {
  return new Etcdctl("3.5", member.url, ["--cacert", ca, "--cert", cert, "--key", key]);
}

async function open(member: MemberProcess, { ca, cert, key }: CertificateFiles) {
  const tls = {
    ca: Deno.readTextFileSync(ca),
    cert: Deno.readTextFileSync(cert),
    key: Deno.readTextFileSync(key),
  };
  const ports = { timer: denoPorts().timer, log: () => {} };
  const config = { endpoints: [member.url], requestTimeoutMillis: 3_000, tls };
  const store = await openRemoteStore(config, ports);
  assert("put" in store, JSON.stringify(store));
  return store;
}

systemTest(
  "certificates that are rotated are used for new connections on both ports",
  ["etcdctl-3.5"],
  () =>
    withFolder(async (folder) => {
      const copyOf = async (name: string): Promise<CertificateFiles> => {
        await Deno.mkdir(join(folder, name));
        return await writeCertificates(join(folder, name));
      };
      const old = await copyOf("old");
      const rotated = await copyOf("rotated");
      const used = await copyOf("used");
      const put = async (from: CertificateFiles, names: readonly (keyof CertificateFiles)[]) => {
        for (const name of names) await Deno.copyFile(from[name], used[name]);
      };
      await put(old, ["ca", "cert", "key"]);
      const member = await startSecure(join(folder, "data"), used);
      const before = await open(member, old);
      try {
        // Half of a rotation is none: the key of the old certificate does not fit the new one.
        await put(rotated, ["cert"]);
        await member.until("warning", () => /can't be used.*is not the key of/.test(member.log));
        await etcdctlOf(member, old).ok(["put", "a", "1"]);
        await put(rotated, ["key", "ca"]);
        await member.until("rotation", async () => {
          const { code } = await etcdctlOf(member, rotated).try(["put", "a", "2"]);
          return code === 0;
        });
        const refused = ["put", "a", "3", "--command-timeout=2s", "--dial-timeout=2s"];
        assert.notEqual((await etcdctlOf(member, old).try(refused)).code, 0);
        const key = new TextEncoder().encode("a");
        // Who was connected stays so.
        const answer = await before.range({ kind: "range", key });
        assert.equal(answer.kind === "range" && new TextDecoder().decode(answer.kvs[0].value), "2");
        const { peerPort } = member.options;
        await expectTurnedAway(peerPort, dialAs(old, { own: rotated }));
        const peer = await dialAs(rotated, { own: rotated })(peerPort);
        await peer.write(new Uint8Array(1_000).fill(0xff));
        assert((await peer.read(new Uint8Array(100)) ?? 0) > 0, "the peer port answers nothing");
        peer.close();
      } finally {
        await before.close();
        assert.equal(await member.stop(), 0, member.log.slice(-2_000));
      }
    }),
);
