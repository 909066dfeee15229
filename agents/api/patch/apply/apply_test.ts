/**
 * Server-side apply as upstream documents it: conflicts, force, shared ownership, list maps, sets,
 * atomics, removal, migration from updates.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import type { KubeObject, ManagedFieldsEntry } from "../../meta.ts";
import { applyConfig, type ApplyOutcome, LAST_APPLIED, trackUpdate } from "./apply.ts";
import {
  difference,
  equalSets,
  formatFields,
  formatPaths,
  parseFields,
  union,
} from "./field_set.ts";
import { MAX_UPDATE_MANAGERS, parseManagers } from "./managers.ts";

const DEPLOYMENT = "io.k8s.api.apps.v1.Deployment";
const TIME = "2026-01-02T03:04:05Z";

const deployment = (spec: Record<string, unknown>, metadata = {}): KubeObject => ({
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name: "web", ...metadata },
  spec,
});

const podSpec = (...containers: unknown[]) => ({ template: { spec: { containers } } });

interface Step {
  readonly by: string;
  readonly config: KubeObject;
  readonly force?: boolean;
  readonly typeName?: string;
}

function tryApply(live: KubeObject | null, step: Step): ApplyOutcome {
  const { by, config, force = false, typeName = DEPLOYMENT } = step;
  const manager = { name: by, apiVersion: config.apiVersion!, subresource: "" };
  return applyConfig({ typeName, live, config, manager, force, time: TIME, ignored: ["status"] });
}

function apply(live: KubeObject | null, step: Step): KubeObject {
  const outcome = tryApply(live, step);
  if (outcome.kind === "unchanged") return live!;
  assert.equal(outcome.kind, "applied", JSON.stringify(outcome));
  return (outcome as { object: KubeObject }).object;
}

function update(old: KubeObject | null, next: KubeObject, by: string): KubeObject {
  const manager = { name: by, apiVersion: next.apiVersion!, subresource: "" };
  const carried = next.metadata.managedFields ?? old?.metadata.managedFields;
  const object = { ...next, metadata: { ...next.metadata, managedFields: carried } };
  if (carried === undefined) delete object.metadata.managedFields;
  const managedFields = trackUpdate({
    typeName: DEPLOYMENT,
    old,
    next: object,
    manager,
    time: TIME,
    ignored: ["status"],
  });
  const { managedFields: _, ...metadata } = object.metadata;
  return {
    ...next,
    metadata: managedFields === undefined
      ? metadata
      : { ...metadata, managedFields: managedFields as ManagedFieldsEntry[] },
  };
}

function owned(object: KubeObject, manager: string, operation = "Apply"): string[] {
  const managers = parseManagers(object.metadata.managedFields)!;
  const found = [...managers.values()].find((one) =>
    one.name === manager && one.operation === operation
  );
  return found === undefined ? [] : formatPaths(found.fields);
}

function conflictPaths(outcome: ApplyOutcome): string[] {
  assert.equal(outcome.kind, "conflict");
  return outcome.kind === "conflict" ? outcome.conflicts.map(({ path }) => path) : [];
}

Deno.test("a first apply creates the object and owns what it names", () => {
  const labels = { app: "web" };
  const object = apply(null, { by: "a", config: deployment({ replicas: 1 }, { labels }) });
  assert.deepEqual(object.metadata.managedFields, [{
    manager: "a",
    operation: "Apply",
    apiVersion: "apps/v1",
    time: TIME,
    fieldsType: "FieldsV1",
    fieldsV1: { "f:metadata": { "f:labels": { "f:app": {} } }, "f:spec": { "f:replicas": {} } },
  }]);
});

Deno.test("the same configuration again changes nothing", () => {
  const config = deployment({ replicas: 1 });
  assert.equal(tryApply(apply(null, { by: "a", config }), { by: "a", config }).kind, "unchanged");
});

Deno.test("another value of another's field conflicts, and force takes it", () => {
  const object = apply(null, { by: "a", config: deployment({ replicas: 1, paused: true }) });
  const step = { by: "b", config: deployment({ replicas: 2 }) };
  assert.deepEqual(conflictPaths(tryApply(object, step)), [".spec.replicas"]);
  const forced = apply(object, { ...step, force: true });
  assert.equal(forced.spec.replicas, 2);
  assert.deepEqual(owned(forced, "a"), [".spec.paused"]);
  assert.deepEqual(owned(forced, "b"), [".spec.replicas"]);
});

Deno.test("the same value is shared, and stays until the last owner lets go", () => {
  const config = deployment({ replicas: 2 });
  let object = apply(null, { by: "a", config });
  object = apply(object, { by: "b", config });
  assert.deepEqual(owned(object, "a"), [".spec.replicas"]);
  assert.deepEqual(owned(object, "b"), [".spec.replicas"]);
  object = apply(object, { by: "a", config: deployment({}) });
  assert.equal(object.spec.replicas, 2);
  assert.deepEqual(owned(object, "a"), [".spec"]);
  object = apply(object, { by: "b", config: deployment({ paused: true }) });
  assert.equal(object.spec.replicas, undefined);
});

Deno.test("an update takes a field over, and the next apply conflicts with it", () => {
  let object = apply(null, { by: "a", config: deployment({ replicas: 1 }) });
  object = update(object, { ...object, spec: { replicas: 5 } }, "kubectl");
  assert.deepEqual(owned(object, "a"), []);
  assert.deepEqual(owned(object, "kubectl", "Update"), [".spec.replicas"]);
  const outcome = tryApply(object, { by: "a", config: deployment({ replicas: 1 }) });
  assert.deepEqual(conflictPaths(outcome), [".spec.replicas"]);
});

Deno.test("list maps merge by key, by several keys, with defaults of keys", () => {
  const port = (containerPort: number, name: string, protocol?: string) => ({
    containerPort,
    name,
    ...(protocol === undefined ? {} : { protocol }),
  });
  let object = apply(null, {
    by: "a",
    config: deployment(podSpec({ name: "web", image: "web:1", ports: [port(80, "http", "TCP")] })),
  });
  object = apply(object, {
    by: "b",
    config: deployment(podSpec({ name: "log", image: "log:1" })),
  });
  object = apply(object, {
    by: "c",
    config: deployment(podSpec({ name: "web", ports: [port(53, "dns", "UDP")] })),
  });
  const { containers } = object.spec.template.spec;
  assert.deepEqual(containers.map(({ name }: KubeObject) => name), ["web", "log"]);
  assert.deepEqual(containers[0].ports.length, 2);
  assert.deepEqual(owned(object, "b"), [
    '.spec.template.spec.containers[name="log"]',
    '.spec.template.spec.containers[name="log"].image',
    '.spec.template.spec.containers[name="log"].name',
  ]);
  // Without a protocol it is the TCP port that exists.
  const config = deployment(podSpec({ name: "web", ports: [port(80, "other")] }));
  assert.deepEqual(conflictPaths(tryApply(object, { by: "d", config })), [
    '.spec.template.spec.containers[name="web"].ports[containerPort=80,protocol="TCP"].name',
  ]);
});

Deno.test("an item that only the applier owned goes; one that another owns keeps that part", () => {
  const both = podSpec({ name: "a", image: "a:1" }, { name: "b", image: "b:1" });
  let object = apply(null, { by: "one", config: deployment(both) });
  object = apply(object, {
    by: "two",
    config: deployment(podSpec({ name: "b", tty: true })),
  });
  object = apply(object, {
    by: "one",
    config: deployment(podSpec({ name: "c", image: "c:1" })),
  });
  assert.deepEqual(object.spec.template.spec.containers, [
    { name: "b", tty: true },
    { name: "c", image: "c:1" },
  ]);
});

Deno.test("sets merge by value", () => {
  const pod = (finalizers: string[]) => deployment({}, { finalizers });
  let object = apply(null, { by: "a", config: pod(["x/a", "x/b"]) });
  object = apply(object, { by: "b", config: pod(["x/b", "x/c"]) });
  assert.deepEqual(object.metadata.finalizers, ["x/a", "x/b", "x/c"]);
  object = apply(object, { by: "a", config: pod([]) });
  assert.deepEqual(object.metadata.finalizers, ["x/b", "x/c"]);
  assert.deepEqual(owned(object, "b"), [
    ".spec",
    '.metadata.finalizers[="x/b"]',
    '.metadata.finalizers[="x/c"]',
  ]);
});

Deno.test("atomic maps, structs and lists have one owner", () => {
  const selector = (app: string) => ({ selector: { matchLabels: { app } } });
  let object = apply(null, { by: "a", config: deployment(selector("x")) });
  assert.deepEqual(owned(object, "a"), [".spec.selector"]);
  const other = { by: "b", config: deployment({ selector: { matchLabels: { tier: "y" } } }) };
  assert.deepEqual(conflictPaths(tryApply(object, other)), [".spec.selector"]);
  object = apply(object, { ...other, force: true });
  assert.deepEqual(object.spec.selector, { matchLabels: { tier: "y" } });
  assert.deepEqual(owned(object, "a"), []);
  const command = (...words: string[]) => deployment(podSpec({ name: "c", command: words }));
  const commanded = apply(null, { by: "a", config: command("run", "x") });
  assert.deepEqual(conflictPaths(tryApply(commanded, { by: "b", config: command("run") })), [
    '.spec.template.spec.containers[name="c"].command',
  ]);
});

Deno.test("a map's keys have owners of their own", () => {
  const labels = (values: Record<string, string>) => deployment({}, { labels: values });
  let object = apply(null, { by: "a", config: labels({ x: "1", y: "1" }) });
  object = apply(object, { by: "b", config: labels({ z: "1" }) });
  object = apply(object, { by: "a", config: labels({ x: "1" }) });
  assert.deepEqual(object.metadata.labels, { x: "1", z: "1" });
});

Deno.test("an object that nobody managed belongs to before-first-apply", () => {
  const live = { ...deployment({ replicas: 3 }), metadata: { name: "web", uid: "u" } };
  const outcome = tryApply(live, { by: "a", config: deployment({ replicas: 1 }) });
  assert.deepEqual(conflictPaths(outcome), [".spec.replicas"]);
  const shared = apply(live, { by: "a", config: deployment({ replicas: 3 }) });
  assert.deepEqual(owned(shared, "before-first-apply", "Update"), [".spec.replicas"]);
});

Deno.test("kubectl takes over from its client-side self where the annotation tells", () => {
  const config = deployment({ replicas: 1 });
  const annotations = { [LAST_APPLIED]: JSON.stringify(config) };
  const created = update(
    null,
    deployment({ replicas: 1 }, { annotations }),
    "kubectl-client-side-apply",
  );
  const next = { by: "kubectl", config: deployment({ replicas: 2 }) };
  const object = apply(created, next);
  assert.equal(object.spec.replicas, 2);
  assert.deepEqual(JSON.parse(object.metadata.annotations![LAST_APPLIED]), next.config);
  assert.deepEqual(conflictPaths(tryApply(created, { ...next, by: "other" })), [".spec.replicas"]);
  const scaled = update(created, { ...created, spec: { replicas: 7 } }, "kubectl-edit");
  assert.deepEqual(conflictPaths(tryApply(scaled, next)), [".spec.replicas"]);
});

Deno.test("what is not a list map's item is malformed", () => {
  const outcome = tryApply(null, { by: "a", config: deployment(podSpec({ image: "x" })) });
  assert.deepEqual(outcome, {
    kind: "malformed",
    message: ".spec.template.spec.containers: element 0: associative list with keys has an " +
      'element that omits all key fields ["name"] ' +
      "(and doesn't have default values for any key fields)",
  });
  const twice = podSpec({ name: "a" }, { name: "a" });
  assert.match(
    (tryApply(null, { by: "a", config: deployment(twice) }) as { message: string }).message,
    /containers: duplicate entries for key \[\{"name":"a"\}\]/,
  );
});

Deno.test("an update of a created object is tracked, of an untracked one it is not", () => {
  const created = update(null, deployment({ replicas: 1 }), "maker");
  assert.deepEqual(owned(created, "maker", "Update"), [".spec.replicas"]);
  const plain = deployment({ replicas: 1 });
  assert.equal(update(plain, deployment({ replicas: 2 }), "x").metadata.managedFields, undefined);
});

Deno.test("the quick look at a new object sees what the comparison sees", () => {
  const object = deployment({
    replicas: 1,
    selector: { matchLabels: { app: "x" } },
    strategy: { type: "RollingUpdate", rollingUpdate: { maxSurge: 1 } },
    template: {
      metadata: { labels: { app: "x" } },
      spec: {
        containers: [{
          name: "a",
          resources: {},
          ports: [{ containerPort: 80 }],
          securityContext: {},
        }],
        securityContext: {},
      },
    },
  }, { labels: { a: "b" }, finalizers: ["x/a"], annotations: {} });
  const quick = update(null, object, "maker").metadata.managedFields;
  const slow =
    update(null, { ...object, metadata: { ...object.metadata, managedFields: [] } }, "maker")
      .metadata.managedFields;
  assert.deepEqual(quick, slow);
  assert.deepEqual(Object.keys(quick![0].fieldsV1!["f:spec"] as object), [
    "f:replicas",
    "f:selector",
    "f:strategy",
    "f:template",
  ]);
});

Deno.test("objects that are built alike share their fields, others do not", () => {
  const fields = (object: KubeObject) =>
    update(null, object, "maker").metadata.managedFields![0].fieldsV1;
  const one = fields(deployment(podSpec({ name: "a", image: "a:1" })));
  assert.equal(fields(deployment(podSpec({ name: "a", image: "a:2" }))), one);
  const others = [
    deployment(podSpec({ name: "b", image: "a:1" })),
    deployment(podSpec({ name: "a" })),
    deployment(podSpec({ name: "a", image: "a:1", tty: true })),
    deployment(podSpec({ name: "a", image: "a:1" }, { name: "b", image: "a:1" })),
    deployment(podSpec({ name: "a", image: "a:1" }), { labels: {} }),
    deployment({ template: { spec: { containers: null } } }),
    deployment(podSpec({ name: "a", image: "a:1" }), { finalizers: ["x/a"] }),
    deployment(podSpec({ name: "a", image: "a:1" }), { finalizers: ["x/b"] }),
  ];
  const seen = [one, ...others.map(fields)].map((found) => JSON.stringify(found));
  assert.equal(new Set(seen).size, seen.length);
});

Deno.test("removal by an update leaves no owner, and [] forgets everybody", () => {
  const created = update(null, deployment({ replicas: 1, paused: true }), "maker");
  const removed = update(created, deployment({ replicas: 1 }), "other");
  assert.deepEqual(owned(removed, "maker", "Update"), [".spec.replicas"]);
  assert.deepEqual(owned(removed, "other", "Update"), []);
  const forgotten = update(created, deployment({ replicas: 9 }, { managedFields: [] }), "other");
  assert.equal(forgotten.metadata.managedFields, undefined);
});

Deno.test("old updates are gathered when their managers are too many", () => {
  let object = update(null, deployment({}, { annotations: { a0: "x" } }), "m0");
  for (let i = 1; i <= MAX_UPDATE_MANAGERS + 2; i++) {
    const annotations = { ...object.metadata.annotations, [`a${i}`]: "x" };
    object = update(object, deployment({}, { annotations }), `m${i}`);
  }
  const names = object.metadata.managedFields!.map((entry) => entry.manager);
  assert.equal(names.length, MAX_UPDATE_MANAGERS);
  assert.ok(names.includes("ancient-changes"));
  const paths = object.metadata.managedFields!.flatMap((entry) =>
    formatPaths(parseFields(entry.fieldsV1)!)
  );
  for (let i = 0; i <= MAX_UPDATE_MANAGERS + 2; i++) {
    assert.ok(paths.includes(`.metadata.annotations.a${i}`), `a${i}`);
  }
});

Deno.test("a change of one field leaves lists that are equal alone", () => {
  const base = deployment(podSpec({ name: "a", image: "a:1" }));
  const created = update(null, base, "maker");
  const next = deployment(podSpec({ name: "a", image: "a:2" }));
  assert.deepEqual(owned(update(created, next, "setter"), "setter", "Update"), [
    '.spec.template.spec.containers[name="a"].image',
  ]);
});

Deno.test("fields are written and read back, and sets obey their algebra", () => {
  const tree = fc.letrec((tie) => ({
    node: fc.dictionary(
      fc.constantFrom("f:a", "f:b", 'k:{"name":"x"}', 'v:"y"', "i:0", "."),
      fc.oneof({ maxDepth: 3 }, fc.constant({}), tie("node")),
      { maxKeys: 4 },
    ),
  })).node.map((value) => parseFields(stripDots(value)) ?? parseFields({})!);
  fc.assert(fc.property(tree, tree, (a, b) => {
    assert.ok(equalSets(parseFields(formatFields(a))!, a));
    const both = new Set([...formatPaths(a), ...formatPaths(b)]);
    assert.deepEqual(formatPaths(union(a, b)).sort(), [...both].sort());
    const rest = formatPaths(a).filter((path) => !formatPaths(b).includes(path));
    assert.deepEqual(formatPaths(difference(a, b)).sort(), rest.sort());
  }));
});

/** The mark of an own member has no parts, and the root is no field. */
function stripDots(value: unknown, isRoot = true): Record<string, unknown> {
  const out: Record<string, unknown> = {};
  for (const [key, inner] of Object.entries(value as Record<string, unknown>)) {
    if (key !== ".") out[key] = stripDots(inner, false);
    else if (!isRoot) out[key] = {};
  }
  return out;
}

Deno.test("what is not FieldsV1 is refused", () => {
  for (const bad of [null, [], 1, { x: {} }, { "k:nope": {} }, { "f:a": 1 }, { "i:x": {} }]) {
    assert.equal(parseFields(bad), null, JSON.stringify(bad));
  }
});
