/**
 * The audit log to a webhook: batches by size and by time, limits, tries, and what is lost where
 * the buffer is full or the webhook gone.
 */
import assert from "node:assert/strict";
import { HandClock } from "../../../tests/fakes/api_server.ts";
import { startWebhookServer } from "../../../tests/fakes/webhook_server.ts";
import { AuditWebhook, type AuditWebhookConfig, joinSinks } from "./webhook_sink.ts";

// deno-lint-ignore no-explicit-any
type Json = any;

const line = (id: number) => JSON.stringify({ kind: "Event", auditID: String(id) });

/** Time passes at once for whoever waits less than a deadline of ten seconds. */
class HurriedClock extends HandClock {
  readonly waits: number[] = [];

  override after(delayMillis: number, callback: () => void): () => void {
    if (delayMillis >= 10_000) return super.after(delayMillis, callback);
    this.waits.push(delayMillis);
    queueMicrotask(callback);
    return () => {};
  }
}

async function withSink(
  status: () => number,
  more: Partial<AuditWebhookConfig>,
  run: (parts: {
    readonly sink: AuditWebhook;
    readonly clock: HurriedClock;
    readonly batches: () => string[][];
  }) => Promise<void>,
): Promise<void> {
  const hook = await startWebhookServer(() => ({ status: status(), text: "{}" }));
  const clock = new HurriedClock();
  const sink = new AuditWebhook({
    endpoint: { server: `${hook.url}/audit`, ca: atob(hook.caBundle) },
    bufferSize: 10,
    batchMaxSize: 4,
    batchMaxWaitMillis: 30_000,
    throttle: null,
    initialBackoffMillis: 1000,
    ...more,
  }, { clock, log: () => {} });
  const batches = () =>
    hook.seen.map(({ request }) => {
      assert.equal(request.kind, "EventList");
      assert.equal(request.apiVersion, "audit.k8s.io/v1");
      return request.items.map(({ auditID }: Json) => auditID);
    });
  try {
    await run({ sink, clock, batches });
  } finally {
    await sink.close();
    await hook.close();
  }
}

async function until(holds: () => boolean): Promise<void> {
  for (let i = 0; i < 2000 && !holds(); i++) await new Promise((resolve) => setTimeout(resolve, 1));
  assert(holds());
}

Deno.test("a full batch goes at once, a small one when its time has come, the rest at the end", () =>
  withSink(() => 200, {}, async ({ sink, clock, batches }) => {
    for (let id = 0; id < 5; id++) sink.write(line(id));
    await until(() => sink.written === 4);
    assert.deepEqual(batches(), [["0", "1", "2", "3"]]);
    clock.advance(29_000);
    assert.equal(batches().length, 1);
    clock.advance(2000);
    await until(() => sink.written === 5);
    sink.write(line(5));
    await sink.close();
    assert.deepEqual(batches().slice(1), [["4"], ["5"]]);
    assert.equal(sink.dropped, 0);
  }));

Deno.test("what the buffer can't take is lost and counted, and nobody waits", () =>
  withSink(() => 200, { batchMaxSize: 100 }, async ({ sink, batches }) => {
    for (let id = 0; id < 13; id++) sink.write(line(id));
    assert.equal(sink.dropped, 3);
    await sink.close();
    assert.equal(batches()[0].length, 10);
    sink.write(line(99));
    assert.equal(sink.dropped, 4, "a closed sink takes nothing");
  }));

Deno.test("a webhook that fails is tried again with growing pauses, then its batch is lost", async () => {
  let failures = 2;
  await withSink(() => failures-- > 0 ? 503 : 200, {}, async ({ sink, clock, batches }) => {
    for (let id = 0; id < 4; id++) sink.write(line(id));
    await until(() => sink.written === 4);
    assert.deepEqual(clock.waits, [1000, 1500]);
    failures = 100;
    for (let id = 4; id < 8; id++) sink.write(line(id));
    await until(() => sink.dropped === 4);
    assert.equal(batches().length, 3 + 5);
    failures = 0;
    for (let id = 8; id < 12; id++) sink.write(line(id));
    await until(() => sink.written === 8);
  });
});

Deno.test("batches go no faster than the limits say", () =>
  withSink(
    () => 200,
    { batchMaxSize: 1, throttle: { qps: 10, burst: 2 } },
    async ({ sink, clock }) => {
      for (let id = 0; id < 4; id++) sink.write(line(id));
      await until(() => sink.written === 4);
      assert.deepEqual(clock.waits, [100, 200]);
    },
  ));

Deno.test("several sinks hear the same, each with its own losses", async () => {
  const made = (plugin: string, dropped: number) => {
    const lines: string[] = [];
    const sink = {
      plugin,
      dropped,
      written: 1,
      write: (text: string) => void lines.push(text),
      close: () => Promise.resolve(),
    };
    return { lines, sink };
  };
  const [log, webhook] = [made("log", 0), made("webhook", 2)];
  const both = joinSinks([log.sink, webhook.sink]);
  both.write("x");
  assert.deepEqual([log.lines, webhook.lines], [["x"], ["x"]]);
  assert.equal(both.dropped, 2);
  assert.deepEqual(both.parts?.map(({ plugin }) => plugin), ["log", "webhook"]);
  await both.close();
});
