/**
 * Rows made from what is known already are the rows that reading everything would give.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { NO_SURROUNDINGS, NO_VOLUMES, TemplateTable } from "../../scheduler/mod.ts";
import type { VolumeNeeds } from "../../scheduler/mod.ts";
import { encodeSpec } from "./encode.ts";
import type { Pod } from "./kinds.ts";
import { PodEncoder } from "./pod_encoder.ts";

function make(services: readonly Record<string, string>[] = []) {
  const templates = new TemplateTable();
  const selectors = {
    controller: () => undefined,
    services: () => services.map((selector) => ({ metadata: {}, spec: { selector } })),
  };
  const encoder = new PodEncoder(templates, { selectors, claims: () => undefined });
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

function attached(handle: string): VolumeNeeds {
  return { ...NO_VOLUMES, attachments: [{ driver: "d", handle }] };
}

Deno.test("pods that share a spec share a template, unless namespace or labels differ", () => {
  const { encoder, templates } = make();
  const first = pod({ app: "web" });
  const { template } = encoder.waiting(first, NO_VOLUMES);
  assert.equal(template, templates.intern(encodeSpec(first)));
  const equal = { ...first, metadata: { ...first.metadata, labels: { app: "web" } } };
  assert.equal(encoder.waiting(equal, NO_VOLUMES).template, template);
  const relabelled = { ...first, metadata: { ...first.metadata, labels: { app: "db" } } };
  assert.deepEqual(encoder.waiting(relabelled, NO_VOLUMES).template.spec.labels, { app: "db" });
  const elsewhere = { ...first, metadata: { ...first.metadata, namespace: "other" } };
  assert.equal(encoder.waiting(elsewhere, NO_VOLUMES).template.spec.namespace, "other");
});

Deno.test("pods are encoded as if each were read whole, whoever came before", () => {
  const { encoder, templates } = make();
  const container = { name: "c", resources: { requests: { cpu: "100m" } } };
  const volumes = (reference: string) => [{ name: "v", image: { reference } }];
  const claim = [{ name: "v", persistentVolumeClaim: { claimName: "c" } }];
  const variants: Partial<Pod["spec"]>[] = [
    {},
    { nodeName: "n" },
    { priority: 5 },
    { containers: [container, { name: "d" }] },
    { containers: [{ ...container, image: "web" }] },
    { containers: [{ ...container, ports: [{ hostPort: 80 }] }] },
    { volumes: claim },
    { volumes: volumes("a") },
    { volumes: volumes("b") },
    { nodeSelector: { a: "b" } },
    { schedulingGates: [{ name: "g" }] },
    { schedulingGates: [] },
  ];
  const specs = fc.array(fc.constantFrom(...variants), { maxLength: 20 });
  fc.assert(fc.property(specs, (row) => {
    for (const spec of row) {
      const one = pod({ app: "web" }, structuredClone(spec));
      const { template } = encoder.waiting(one, NO_VOLUMES);
      assert.equal(template, templates.intern(encodeSpec(one)));
    }
  }));
});

Deno.test("a pod that has run is read with its status, before and after one that has not", () => {
  const { encoder } = make();
  const fresh = pod({ app: "web" });
  const containerStatuses = [{ name: "c", resources: { requests: { cpu: "300m" } } }];
  const running: Pod = { ...fresh, status: { containerStatuses } };
  const cpuOf = (one: Pod) => encoder.waiting(one, NO_VOLUMES).template.spec.requests.cpuMilli;
  assert.deepEqual([fresh, running, fresh, running].map(cpuOf), [100, 300, 100, 300]);
});

Deno.test("a service that selects a pod is seen, whatever was encoded before", () => {
  const { encoder } = make([{ app: "web" }]);
  const selected = pod({ app: "web" });
  const { spec } = encoder.waiting(selected, NO_VOLUMES).template;
  assert.equal(spec.defaultSpreadSelector.length, 1);
});

Deno.test("volumes set pods apart that are alike otherwise", () => {
  const { encoder, templates } = make();
  const first = encoder.waiting(pod({ app: "web" }), attached("a")).template;
  const second = encoder.waiting(pod({ app: "web" }), attached("b")).template;
  assert.deepEqual(second.spec.volumes, attached("b"));
  assert.equal(encoder.waiting(pod({ app: "web" }), attached("a")).template, first);
  const surroundings = { ...NO_SURROUNDINGS, volumes: attached("a") };
  assert.equal(first, templates.intern(encodeSpec(pod({ app: "web" }), surroundings)));
  assert.equal(first.plain, encoder.waiting(pod({ app: "web" }), NO_VOLUMES).template);
});

Deno.test("a bound pod keeps its template as long as it demands the same", () => {
  const { encoder } = make();
  const old = pod({ app: "web" });
  const known = encoder.waiting(old, attached("a"));
  const bound: Pod = { ...old, spec: { ...old.spec, nodeName: "n" } };
  const seen = (now: Pod, before: Pod, volumes = attached("a")) =>
    encoder.assigned(now, volumes, { old: before, known }).template;
  assert.equal(seen(bound, old), known.template);
  // Read off the wire, nothing is the same object.
  assert.equal(seen(structuredClone(bound), old), known.template);
  assert.deepEqual(seen(bound, old, attached("b")).spec.volumes, attached("b"));
  assert.equal(seen(bound, old, NO_VOLUMES).plain, null);

  const relabelled = { ...bound, metadata: { ...bound.metadata, labels: { app: "db" } } };
  assert.deepEqual(seen(relabelled, bound).spec.labels, { app: "db" });

  const containers = [{ name: "c", resources: { requests: { cpu: "200m" } } }];
  const resized: Pod = { ...bound, spec: { ...bound.spec, containers } };
  assert.equal(seen(resized, bound).spec.requests.cpuMilli, 200);

  const containerStatuses = [{ name: "c", resources: { requests: { cpu: "300m" } } }];
  const using: Pod = { ...bound, status: { containerStatuses } };
  assert.equal(seen(using, bound).spec.requests.cpuMilli, 300);
});

Deno.test("a bound pod that nothing is known of is read whole", () => {
  const { encoder } = make();
  const bound = pod({}, { nodeName: "n" });
  assert.equal(encoder.assigned(bound, NO_VOLUMES).template.spec.requests.cpuMilli, 100);
});
