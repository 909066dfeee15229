/** A connection's share of the thread: long reads in turns. */
import assert from "node:assert/strict";
import { memorySocketPair } from "../../tests/fakes/memory_socket.ts";
import { ConnectionDriver } from "./http2/driver.ts";
import { encodeStateless } from "./http2/hpack.ts";

/** Enough for a read of several pieces. */
const REQUESTS = 400;
const BODY = new Uint8Array(100);

/** Sends all requests at once. @param cost milliseconds that the server takes for each */
async function exchange(cost: number) {
  const [near, far] = memorySocketPair();
  let now = 0;
  const served: number[] = [];
  /** Streams served when something else had its turn. */
  const pauses: number[] = [];
  let isOver = false;
  const look = () => {
    if (isOver) return;
    pauses.push(served.length);
    setTimeout(look, 0);
  };
  const server = new ConnectionDriver(far, {
    role: "server",
    now: () => now,
    onStream: (stream) => {
      if (served.length === 0) setTimeout(look, 0);
      now += cost;
      served.push(stream.id);
      stream.onEnd = () => stream.respond(200, [], true);
    },
  });
  const client = new ConnectionDriver(near, { role: "client", now: () => 0 });
  server.start();
  client.start();
  const head = encodeStateless([":method", "POST", ":scheme", "https", ":path", "/"]);
  const answered: number[] = [];
  await new Promise<void>((resolve) => {
    for (let i = 0; i < REQUESTS; i++) {
      const stream = client.connection.request(head, false);
      stream.onEnd = () => {
        answered.push(stream.id);
        if (answered.length === REQUESTS) resolve();
      };
      stream.end(BODY);
    }
  });
  isOver = true;
  client.destroy();
  return { served, answered, between: pauses.filter((count) => count < REQUESTS).length };
}

Deno.test("a read whose requests take long is served in turns, in order", async () => {
  const { served, answered, between } = await exchange(1);
  assert.deepEqual(served, Array.from({ length: REQUESTS }, (_, i) => 2 * i + 1));
  assert.deepEqual(answered, served);
  assert(between >= 2, `something else had its turn ${between} times`);
});

Deno.test("a read whose requests take no time is served in one turn", async () => {
  assert.equal((await exchange(0)).between, 0);
});
