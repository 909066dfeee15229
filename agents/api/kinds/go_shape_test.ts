/**
 * What a Go server writes though nobody said it: structs, times and numbers that are not left out.
 * In: minimal drafts. Out: their empty parts. Source: the JSON tags of the API's types (v1.36).
 */
import assert from "node:assert/strict";
import * as rows from "../resources.ts";
import { prepared } from "./testing.ts";

const spec = {
  containers: [{
    name: "c",
    image: "i",
    env: [{ name: "A", valueFrom: { resourceFieldRef: { resource: "limits.cpu" } } }],
  }],
  initContainers: [{ name: "i", image: "i" }],
};

Deno.test("containers have resources, references a divisor, templates metadata without a null", () => {
  const pod = prepared(rows.pods, { spec: structuredClone(spec) });
  for (const one of [...pod.spec.containers, ...pod.spec.initContainers]) {
    assert.deepEqual(one.resources, {});
  }
  assert.equal(pod.spec.containers[0].env[0].valueFrom.resourceFieldRef.divisor, "0");
  const jobTemplate = { spec: { template: { spec: structuredClone(spec) } } };
  const cron = prepared(rows.cronJobs, { spec: { schedule: "* * * * *", jobTemplate } });
  assert.deepEqual(cron.spec.jobTemplate.metadata, {});
  assert.deepEqual(cron.spec.jobTemplate.spec.template.metadata, {});
});

Deno.test("an event has every time that it might have", () => {
  const event = prepared(rows.events, { reason: "R" });
  const { firstTimestamp, lastTimestamp, eventTime, source, reportingComponent } = event;
  assert.deepEqual([firstTimestamp, lastTimestamp, eventTime], [null, null, null]);
  assert.deepEqual([source, reportingComponent, event.reportingInstance], [{}, "", ""]);
  assert.deepEqual(event.involvedObject, {});
  for (const { cell } of rows.events.rules.columns ?? []) cell(event, 0);
});

Deno.test("a pod's condition has the times that nobody set", () => {
  const old = prepared(rows.pods, { spec: structuredClone(spec), status: { phase: "Pending" } });
  const draft = structuredClone(old);
  draft.status = { ...draft.status, conditions: [{ type: "Ready", status: "False" }] };
  rows.pods.rules.prepareForStatusUpdate?.(draft, old);
  assert.deepEqual(draft.status?.conditions, [
    { type: "Ready", status: "False", lastProbeTime: null, lastTransitionTime: null },
  ]);
});
