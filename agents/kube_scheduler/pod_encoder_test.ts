/**
 * Rows made from what is known already are the rows that reading everything would give.
 */
import assert from "node:assert/strict";
import { NO_VOLUMES, TemplateTable } from "../../scheduler/mod.ts";
import { encodeSpec } from "./encode.ts";
import type { Pod } from "./kinds.ts";
import { PodEncoder } from "./pod_encoder.ts";
import type { VolumeBinder } from "./volume_binder.ts";

function make(services: readonly Record<string, string>[] = []) {
  const templates = new TemplateTable();
  const selectors = {
    controller: () => undefined,
    services: () => services.map((selector) => ({ metadata: {}, spec: { selector } })),
  };
  const binder = { resolve: () => ({ needs: NO_VOLUMES, waiting: [] }) };
  const encoder = new PodEncoder(templates, {
    selectors,
    binder: binder as unknown as VolumeBinder,
    claims: () => undefined,
  });
  return { templates, encoder };
}

function pod(labels: Record<string, string>, spec: Partial<Pod["spec"]> = {}): Pod {
  const containers = [{ name: "c", resources: { requests: { cpu: "100m" } } }];
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { namespace: "default", name: "p", uid: "u", labels },
    spec: { containers, ...spec },
  };
}

Deno.test("pods that share a spec share a template, unless namespace or labels differ", () => {
  const { encoder, templates } = make();
  const first = pod({ app: "web" });
  const { template } = encoder.waiting(first);
  assert.equal(template, templates.intern(encodeSpec(first)));
  const equal = { ...first, metadata: { ...first.metadata, labels: { app: "web" } } };
  assert.equal(encoder.waiting(equal).template, template);
  const relabelled = { ...first, metadata: { ...first.metadata, labels: { app: "db" } } };
  assert.deepEqual(encoder.waiting(relabelled).template.spec.labels, { app: "db" });
  const elsewhere = { ...first, metadata: { ...first.metadata, namespace: "other" } };
  assert.equal(encoder.waiting(elsewhere).template.spec.namespace, "other");
});

Deno.test("a service that selects a pod is seen, whatever was encoded before", () => {
  const { encoder } = make([{ app: "web" }]);
  const selected = pod({ app: "web" });
  assert.equal(encoder.waiting(selected).template.spec.defaultSpreadSelector.length, 1);
});

Deno.test("a bound pod keeps its template as long as it demands the same", () => {
  const { encoder } = make();
  const waiting = pod({ app: "web" });
  const known = encoder.waiting(waiting);
  const bound: Pod = { ...waiting, spec: { ...waiting.spec, nodeName: "n" } };
  assert.equal(encoder.assigned(bound, waiting, known).template, known.template);

  const relabelled = { ...bound, metadata: { ...bound.metadata, labels: { app: "db" } } };
  assert.deepEqual(encoder.assigned(relabelled, bound, known).template.spec.labels, { app: "db" });

  const containers = [{ name: "c", resources: { requests: { cpu: "200m" } } }];
  const resized: Pod = { ...bound, spec: { ...bound.spec, containers } };
  assert.equal(encoder.assigned(resized, bound, known).template.spec.requests.cpuMilli, 200);

  const containerStatuses = [{ name: "c", resources: { requests: { cpu: "300m" } } }];
  const using: Pod = { ...bound, status: { containerStatuses } };
  assert.equal(encoder.assigned(using, bound, known).template.spec.requests.cpuMilli, 300);
});

Deno.test("a bound pod that nothing is known of is read whole", () => {
  const { encoder } = make();
  const bound = pod({}, { nodeName: "n" });
  assert.equal(encoder.assigned(bound).template.spec.requests.cpuMilli, 100);
});
