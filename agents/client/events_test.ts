/** Events: built, counted up, combined, sent in the background. */
import assert from "node:assert/strict";
import { events } from "../api/resources.ts";
import { failure, MemoryApi } from "../../tests/fakes/memory_api.ts";
import { ManualClock } from "../../tests/fakes/manual_clock.ts";
import { type EventNote, EventRecorder } from "./events.ts";

const about = {
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name: "web", namespace: "default", uid: "u1", resourceVersion: "7" },
};

function world() {
  const clock = new ManualClock();
  const api = new MemoryApi(clock);
  const recorder = new EventRecorder({
    client: api.client(),
    clock,
    resource: events,
    component: "tester",
  });
  const note = (reason: string, message: string): EventNote => ({
    about,
    type: "Normal",
    reason,
    message,
  });
  return { clock, api, recorder, note };
}

Deno.test("events: an event carries its object, source and times", async () => {
  const { api, recorder, note } = world();
  recorder.record({ ...note("Pulled", "image is there"), fieldPath: "spec.containers{web}" });
  await recorder.flush();
  const [event] = api.all("events");
  assert.deepEqual(event.involvedObject, {
    kind: "Pod",
    namespace: "default",
    name: "web",
    uid: "u1",
    apiVersion: "v1",
    resourceVersion: "7",
    fieldPath: "spec.containers{web}",
  });
  assert.deepEqual(event.source, { component: "tester" });
  assert.equal(event.count, 1);
  assert.equal(event.firstTimestamp, "2026-01-01T00:00:00Z");
  assert.match(event.metadata.name!, /^web\.[0-9a-f]{16}$/);
});

Deno.test("events: equal ones count up on one object", async () => {
  const { api, recorder, note, clock } = world();
  for (let time = 0; time < 3; time++) {
    recorder.record(note("BackOff", "again"));
    await recorder.flush();
    await clock.advance(1000);
  }
  const [event, ...others] = api.all("events");
  assert.equal(others.length, 0);
  assert.equal(event.count, 3);
  assert.equal(event.firstTimestamp, "2026-01-01T00:00:00Z");
  assert.equal(event.lastTimestamp, "2026-01-01T00:00:02Z");
});

Deno.test("events: from the tenth similar message on they are combined", async () => {
  const { api, recorder, note } = world();
  for (let index = 0; index < 12; index++) recorder.record(note("Created", `pod ${index}`));
  await recorder.flush();
  const all = api.all("events");
  assert.equal(all.length, 10);
  assert.equal(all[9].message, "(combined from similar events): pod 11");
  assert.equal(all[9].count, 3);
});

Deno.test("events: one object's flood is cut at 25, and drips after", async () => {
  const { api, recorder, note, clock } = world();
  for (let index = 0; index < 60; index++) recorder.record(note(`Reason${index}`, "x"));
  await recorder.flush();
  assert.equal(api.all("events").length, 25);
  await clock.advance(300_000);
  recorder.record(note("Later", "x"));
  recorder.record(note("Later2", "x"));
  await recorder.flush();
  assert.equal(api.all("events").length, 26);
});

Deno.test("events: outages are waited out, expired events made anew", async () => {
  const { api, recorder, note, clock } = world();
  let away = true;
  api.beforeCall = () => {
    if (away) throw failure(503, "ServiceUnavailable", "away");
  };
  recorder.record(note("A", "x"));
  await clock.advance(15_000);
  away = false;
  await clock.advance(10_000);
  assert.equal(api.all("events").length, 1);

  const { name, namespace } = api.all("events")[0].metadata;
  await api.client().delete(events, { name: name!, namespace });
  recorder.record(note("A", "x"));
  await recorder.flush();
  assert.equal(api.all("events")[0].count, 2);

  api.beforeCall = () => {
    throw failure(403, "Forbidden", "namespace is being terminated");
  };
  recorder.record(note("B", "x"));
  await recorder.flush();
  assert.equal(api.all("events").length, 1);
});
