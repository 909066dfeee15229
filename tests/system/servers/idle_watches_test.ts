/** Ten thousand watches that nothing happens to: what they hold, and what others notice of them. */
import assert from "node:assert/strict";
import { configMaps, namespaces } from "../../../agents/api/resources.ts";
import type { Client } from "../../../agents/client/client.ts";
import { residentBytes } from "../../../bench/process_usage.ts";
import { clientOf, HOLLOW, withCluster } from "../cluster.ts";
import { systemTest } from "../tools.ts";

const WATCHES = 10_000;
/** Opened at the same time. */
const OPENING = 200;
const MOST_BYTES_A_WATCH = 16 * 1024;
const WRITES = 300;

/** Median milliseconds of writes to a namespace that nobody watches. */
async function writeMillis(client: Client, prefix: string): Promise<number> {
  const millis: number[] = [];
  for (let i = 0; i < WRITES; i++) {
    const started = performance.now();
    await client.create(configMaps, { metadata: { name: `${prefix}-${i}`, namespace: "busy" } });
    millis.push(performance.now() - started);
  }
  return millis.sort((a, b) => a - b)[WRITES >> 1];
}

systemTest(
  "10,000 idle watches hold little and disturb nobody",
  [],
  () =>
    withCluster([...HOLLOW, "--hollow-nodes", "0"], async (cluster) => {
      const watcher = await clientOf(cluster);
      const writer = await clientOf(cluster);
      try {
        await writer.create(namespaces, { metadata: { name: "busy" } });
        await writeMillis(writer, "warm");
        const alone = await writeMillis(writer, "alone");
        const before = residentBytes(cluster.pid);

        const { metadata } = await writer.list(configMaps, { namespace: "default" });
        const options = { namespace: "default", resourceVersion: metadata.resourceVersion };
        let told = 0;
        const follow = async (stream: AsyncIterable<readonly unknown[]>) => {
          for await (const batch of stream) told += batch.length;
        };
        const following: Promise<void>[] = [];
        for (let i = 0; i < WATCHES; i += OPENING) {
          const opened = await Promise.all(
            Array.from({ length: OPENING }, () => watcher.watch(configMaps, options)),
          );
          following.push(...opened.map((stream) => follow(stream).catch(() => {})));
        }
        const held = (residentBytes(cluster.pid) - before) / WATCHES;
        assert(held < MOST_BYTES_A_WATCH, `${Math.round(held)} bytes a watch`);

        const among = await writeMillis(writer, "among");
        assert.equal(told, 0, "a watch told of another namespace");
        // A change of any object is offered to every watch of its kind, which costs about a
        // millisecond for so many; the rest is what a busy machine adds.
        assert(among < alone * 3 + 10, `writes take ${among} ms instead of ${alone}`);

        await writer.create(configMaps, { metadata: { name: "wanted", namespace: "default" } });
        const deadline = performance.now() + 20_000;
        while (told < WATCHES && performance.now() < deadline) {
          await new Promise((resolve) => setTimeout(resolve, 20));
        }
        assert.equal(told, WATCHES);
        watcher.close();
        await Promise.all(following);
      } finally {
        writer.close();
        watcher.close();
      }
    }),
);
