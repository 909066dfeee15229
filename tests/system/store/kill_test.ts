/** kill -9 again and again under load, and writes torn by hand: nothing acknowledged is lost. */
import assert from "node:assert/strict";
import { join } from "node:path";
import type { Store } from "../../../store/mod.ts";
import { freePort } from "../../free_port.ts";
import { systemTest } from "../tools.ts";
import { connect, MemberProcess, pause, withFolder } from "./member_process.ts";

const ROUNDS = 50;
const LOAD_MILLIS = 300;
const WRITERS = 16;

const bytes = (text: string) => new TextEncoder().encode(text);

interface Acknowledged {
  readonly key: string;
  readonly value: string;
  readonly revision: number;
}

/** Writes as fast as it is answered until `isOver` or a refusal. */
async function write(
  store: Store,
  prefix: string,
  { isOver, acknowledged }: { isOver: () => boolean; acknowledged: Acknowledged[] },
): Promise<void> {
  for (let i = 0; !isOver(); i++) {
    const key = `${prefix}/${i % 40}`;
    const value = `${prefix}-${i}`;
    const answer = await store.put({ kind: "put", key: bytes(key), value: bytes(value) });
    if (answer.kind !== "put") return;
    acknowledged.push({ key, value, revision: answer.revision });
  }
}

/** Every key holds its last acknowledged value, or one written after it. */
async function checkAllThere(store: Store, acknowledged: readonly Acknowledged[]): Promise<void> {
  const last = new Map(acknowledged.map((one) => [one.key, one]));
  const answer = await store.range({ kind: "range", key: bytes("r"), rangeEnd: bytes("s") });
  assert(answer.kind === "range", answer.kind);
  const decoder = new TextDecoder();
  const found = new Map(
    answer.kvs.map((kv) => [decoder.decode(kv.key), { ...kv, value: decoder.decode(kv.value) }]),
  );
  for (const { key, value, revision } of last.values()) {
    const kv = found.get(key);
    assert(kv !== undefined, `${key} is gone`);
    if (kv.modRevision === revision) assert.equal(kv.value, value);
    else assert(kv.modRevision > revision, `${key} went back to ${kv.modRevision}`);
  }
  const highest = acknowledged.at(-1)?.revision ?? 0;
  assert(answer.revision >= highest, `revision ${answer.revision} after ${highest}`);
}

systemTest(
  `killed ${ROUNDS} times under load, a member loses nothing it acknowledged`,
  [],
  () =>
    withFolder(async (folder) => {
      const options = {
        kind: "balsa" as const,
        dataDir: join(folder, "data"),
        clientPort: freePort(),
        peerPort: freePort(),
        flags: ["--snapshot-count", "40"],
      };
      const acknowledged: Acknowledged[] = [];
      for (let round = 0; round < ROUNDS; round++) {
        const member = await new MemberProcess(options).healthy();
        const store = await connect(member.url);
        await checkAllThere(store, acknowledged);
        let isOver = false;
        const writers = Array.from(
          { length: WRITERS },
          (_, i) => write(store, `r${round}/${i}`, { isOver: () => isOver, acknowledged }),
        );
        await pause(LOAD_MILLIS);
        await member.kill();
        isOver = true;
        await store.close();
        await Promise.all(writers);
        // Every few rounds the write that the kill cut is torn further by hand.
        if (round % 5 === 4) {
          // A calm stop first: two torn writes in a row are no state that a power cut leaves.
          const calm = await new MemberProcess(options).healthy();
          assert.equal(await calm.stop(), 0);
          await tearTail(options.dataDir);
        }
      }
      const member = await new MemberProcess(options).healthy();
      const store = await connect(member.url);
      await checkAllThere(store, acknowledged);
      await store.close();
      assert.equal(await member.stop(), 0);
      assert(acknowledged.length > ROUNDS * WRITERS, `only ${acknowledged.length} writes`);
    }),
);

/** Half a frame behind the last one: what a power cut in the middle of a write leaves. */
async function tearTail(dataDir: string): Promise<void> {
  const directory = join(dataDir, "log");
  const names = [...Deno.readDirSync(directory)].map(({ name }) => name).filter((name) =>
    name.endsWith(".wal")
  ).sort();
  const path = join(directory, names.at(-1)!);
  const content = await Deno.readFile(path);
  let end = content.length;
  while (end > 0 && content[end - 1] === 0) end--;
  const file = await Deno.open(path, { write: true });
  // Frames begin on sectors; the bytes of an unfinished one are a header and zeros.
  const start = Math.ceil(end / 512) * 512;
  await file.seek(start, Deno.SeekMode.Start);
  await file.write(content.slice(0, 24));
  file.close();
}

systemTest(
  "damage in the middle of the log refuses the start and names file and offset",
  [],
  () =>
    withFolder(async (folder) => {
      const dataDir = join(folder, "data");
      const options = {
        kind: "balsa" as const,
        dataDir,
        clientPort: freePort(),
        peerPort: freePort(),
      };
      const member = await new MemberProcess(options).healthy();
      const store = await connect(member.url);
      for (let i = 0; i < 50; i++) {
        await store.put({ kind: "put", key: bytes(`r${i}`), value: bytes("x".repeat(600)) });
      }
      await store.close();
      await member.kill();
      const directory = join(dataDir, "log");
      const [{ name }] = [...Deno.readDirSync(directory)];
      const file = await Deno.open(join(directory, name), { read: true, write: true });
      await file.seek(8 * 1024, Deno.SeekMode.Start);
      await file.write(bytes("a stray write"));
      file.close();
      const again = new MemberProcess(options);
      assert.equal((await again.exited).code, 1);
      assert.match(again.log, /the log is damaged: \S+\.wal at offset \d+: /);
    }),
);
